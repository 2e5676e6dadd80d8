"""Progress: a bar on a terminal, lines in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from gearshift.cli.screen import err


@contextmanager
def progress_printer(console: Console | None = None) -> Iterator[Callable[[str, int, int], None]]:
    """Gives the function that a compile reports to. Writes to standard error, out of the way."""
    console = console or err()
    if _is_log(console):
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


@contextmanager
def share_printer(console: Console | None = None) -> Iterator[Callable[[str, float], None]]:
    """Gives the function that says what is being done, and how much of everything is done (0-1)."""
    console = console or err()
    if _is_log(console):
        yield _line_per_tenth(console)
        return
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0)
        yield lambda step, done: progress.update(task, description=step, completed=done)


def _is_log(console: Console) -> bool:
    return not console.is_terminal or console.is_dumb_terminal  # a bar needs a cursor to move


def _line_per_step(console: Console) -> Callable[[str, int, int], None]:
    seen: set[str] = set()

    def on_progress(step: str, done: int, total: int) -> None:
        if step not in seen:
            seen.add(step)
            console.print(f"{step} ...", soft_wrap=True)

    return on_progress


def _line_per_tenth(console: Console) -> Callable[[str, float], None]:
    last = -1

    def on_progress(step: str, done: float) -> None:
        nonlocal last
        if int(done * 10) > last:
            last = int(done * 10)
            console.print(f"{done:4.0%}  {step} ...", soft_wrap=True)

    return on_progress
