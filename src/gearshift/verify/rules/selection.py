"""Entries picked along one axis at places known at compile time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from gearshift.verify.rules.op import Op
from gearshift.verify.rules.state import Rows

Places = npt.NDArray[np.int64]


def picked(op: Op, rows: Rows, places: Sequence[Places], what: str) -> Rows:
    """How rows lie after picking indices along the axis that carries them.

    Args:
        op: the node.
        rows: how they lie before.
        places: one-dimensional, per batch size: the indices picked, in order, none negative.
        what: what a message says of it ("slices").
    """
    for outer, inner in _splits(op.sizes, [len(each) for each in places]):
        if _same_picks(op.sizes, rows, places, outer, inner):
            return Rows(rows.axis, outer, inner)
    why = f"{what} along axis {rows.axis}, which carries the rows, and does not keep them in order"
    raise op.mixes(why) if rows.outer == rows.inner == 1 else op.unclear(why)


def _splits(sizes: Sequence[int], counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Every (outer, inner) with ``outer * N * inner`` the count, at each batch size."""
    ratios = {(count // size, count % size) for size, count in zip(sizes, counts, strict=True)}
    if len(ratios) != 1:
        return
    ratio, rest = ratios.pop()
    if rest == 0:
        yield from ((outer, ratio // outer) for outer in range(1, ratio + 1) if not ratio % outer)


def _same_picks(
    sizes: Sequence[int], rows: Rows, places: Sequence[Places], outer: int, inner: int
) -> bool:
    """Whether row n of the output picks from row n alone, and the same entries of every row."""
    first: Places | None = None
    for size, each in zip(sizes, places, strict=True):
        grid = each.reshape(outer, size, inner)
        owner = grid // rows.inner % size
        if not np.array_equal(owner, np.broadcast_to(np.arange(size)[:, None], grid.shape)):
            return False
        within = grid // (rows.inner * size) * rows.inner + grid % rows.inner
        first = within[:, :1] if first is None else first
        if not np.array_equal(within, np.broadcast_to(first, within.shape)):
            return False
    return True
