"""The pad-row test: same real rows, other pad rows, and the real rows' outputs must not move a bit.

It needs no tolerance, since the same executable runs each time. Pad rows are other samples, NaN and
huge numbers: the latter show a scale or a maximum that is taken over the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gearshift.engines.base import Executable
from gearshift.gears.dispatch import Piece
from gearshift.results import join
from gearshift.tensors import Array, RowLayout, TensorSpec


def moved_output(
    executable: Executable,
    specs: Sequence[TensorSpec],
    layouts: Sequence[RowLayout | None],
    feeds: Sequence[Array],
    others: Sequence[Array],
) -> int | None:
    """Runs the test at one gear of two rows or more.

    Args:
        executable: the gear.
        specs: the model's inputs, -1 where rows are.
        layouts: how rows lie in the outputs.
        feeds: the gear's rows; the first half of them are taken as real.
        others: as many other rows, to take pad rows from.

    Returns:
        Index of the first output whose real rows changed with the pad rows, or None.
    """
    gear = next(len(feed) for spec, feed in zip(specs, feeds, strict=True) if -1 in spec.shape)
    real = gear // 2
    piece = [Piece(gear, real)]
    expected = join(layouts, piece, [executable.run(feeds)])
    for padded in _with_other_pads(specs, feeds, others, real):
        got = join(layouts, piece, [executable.run(padded)])
        for index, (before, after) in enumerate(zip(expected, got, strict=True)):
            if before.tobytes() != after.tobytes():
                return index
    return None


def _with_other_pads(
    specs: Sequence[TensorSpec], feeds: Sequence[Array], others: Sequence[Array], real: int
) -> Iterator[list[Array]]:
    yield [
        np.concatenate([feed[:real], other[real:]]) if -1 in spec.shape else feed
        for spec, feed, other in zip(specs, feeds, others, strict=True)
    ]
    for value in (np.nan, np.inf, -1e30):
        yield [
            _filled(feed, real, value) if -1 in spec.shape else feed
            for spec, feed in zip(specs, feeds, strict=True)
        ]


def _filled(feed: Array, real: int, value: float) -> Array:
    """Float rows from `real` on set to a value; integers may be indices and stay as they are."""
    filled = feed.copy()
    if feed.dtype.kind == "f":
        with np.errstate(over="ignore"):  # -1e30 is -inf in float16, which serves as well
            filled[real:] = np.asarray(value).astype(feed.dtype)
    return filled
