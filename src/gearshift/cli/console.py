"""Where the commands print: as wide as the terminal, or as wide as it takes in a file or pipe."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

_UNFOLDED = 10_000


def out() -> Console:
    """Standard output."""
    return _unfolded(Console(highlight=False, markup=False))


def err() -> Console:
    """Standard error, for progress and what else must not mix with results."""
    return _unfolded(Console(highlight=False, markup=False, stderr=True))


def shown(name: str) -> str:
    """A name from a file, which may hold anything, as a terminal can safely be given it."""
    return name if name.isprintable() else ascii(name)


def table(*columns: str) -> Table:
    """An empty table that lines up without ruling."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def _unfolded(console: Console) -> Console:
    if not console.is_terminal:
        console.width = _UNFOLDED  # so that a line of a log can be searched and cut
    return console
