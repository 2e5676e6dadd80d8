"""Where the benchmark writes to: a bar on a terminal, a line per step in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

OnProgress = Callable[[str, float], None]
"""Told which step is being done, and which share of it is done, 0..1 (more: it takes longer)."""


@contextmanager
def steps(console: Console, total: int) -> Iterator[OnProgress]:
    """Shows so many steps; another text means that the next one has begun."""
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f}%"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        seen: list[str] = []

        def on_progress(doing: str, share: float) -> None:
            if doing not in seen:
                seen.append(doing)
            bar.update(task, description=doing, completed=len(seen) - 1 + min(share, 1.0))

        yield on_progress


def _lines(console: Console) -> OnProgress:
    seen: set[str] = set()

    def on_progress(doing: str, share: float) -> None:
        if doing not in seen:
            seen.add(doing)
            console.print(f"{doing} ...", soft_wrap=True)

    return on_progress
