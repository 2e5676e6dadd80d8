"""Progress of a compile: a bar on a terminal, a line per step in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from gearshift.cli.screen import err


@contextmanager
def progress_printer(console: Console | None = None) -> Iterator[Callable[[str, int, int], None]]:
    """Gives the function that a compile reports to. Writes to standard error, out of the way."""
    console = console or err()
    if not console.is_terminal or console.is_dumb_terminal:  # a bar needs a cursor to move
        yield _line_per_step(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def on_progress(step: str, done: int, total: int) -> None:
            if step not in tasks:
                for task in tasks.values():
                    progress.update(task, completed=progress.tasks[task].total)
                tasks[step] = progress.add_task(step, total=total)
            progress.update(tasks[step], completed=done, total=total)

        yield on_progress


def _line_per_step(console: Console) -> Callable[[str, int, int], None]:
    seen: set[str] = set()

    def on_progress(step: str, done: int, total: int) -> None:
        if step not in seen:
            seen.add(step)
            console.print(f"{step} ...", soft_wrap=True)

    return on_progress
