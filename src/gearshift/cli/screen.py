"""What rich prints for us: as wide as the terminal, or as wide as it takes in a file or pipe."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from gearshift.cli.console import delivering, shown

_UNFOLDED: Final = 10_000
_GAP: Final = 2
_NARROWEST_NAME: Final = 8


class Screen(Console):
    """A console that is safe to hand any text, and that tells when it cannot be written."""

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(highlight=False, markup=False, stderr=stderr, width=width)
        if width is None and not self.is_terminal:
            self.width = _UNFOLDED  # so that a line of a log can be searched and cut

    def print(self, *objects: Any, **how: Any) -> None:
        """Prints like rich, with control characters in texts escaped."""
        safe = (shown(item) if isinstance(item, str) else item for item in objects)
        with delivering(sys.stderr if self.stderr else sys.stdout):
            super().print(*safe, **how)

    def on_broken_pipe(self) -> None:
        """Lets the BrokenPipeError being handled go on; rich would end the program with 1."""
        raise


def out() -> Screen:
    """Standard output."""
    return Screen()


def err() -> Screen:
    """Standard error, for progress and what else must not mix with results."""
    return Screen(stderr=True)


def print_table(
    to: Console,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    names: Collection[str],
    numbers: Collection[str] = (),
) -> None:
    """Prints rows that line up without ruling; where that would break a number, one by one.

    Args:
        to: where.
        columns: the headings.
        rows: a text per column each.
        names: the columns that hold names, which may be folded; numbers never are.
        numbers: the columns that hold numbers to be compared, which line up at their right.
    """
    safe = [[shown(cell, one_line=True) for cell in row] for row in rows]
    if _narrowest(columns, safe, names) > to.width:
        _print_records(to, columns, safe)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column,
            justify="right" if column in numbers else "left",
            overflow="fold",
            no_wrap=column not in names,
        )
    for row in safe:
        table.add_row(*row)
    to.print(table)


def _narrowest(
    columns: Sequence[str], rows: Sequence[Sequence[str]], names: Collection[str]
) -> int:
    """Cells that the table takes with its names folded."""
    widest = [max(map(cell_len, cells)) for cells in zip(columns, *rows, strict=True)]
    return _GAP * (len(columns) - 1) + sum(
        min(width, max(_NARROWEST_NAME, cell_len(column))) if column in names else width
        for column, width in zip(columns, widest, strict=True)
    )


def _print_records(to: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    width = max(map(len, columns))
    for index, row in enumerate(rows):
        if index:
            to.print()
        for column, cell in zip(columns, row, strict=True):
            if cell:
                to.print(f"{column:{width}}  {cell}", soft_wrap=True)
