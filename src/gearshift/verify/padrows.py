"""The pad-row test: same real rows, other pad rows, and the real rows' outputs must not move a bit.

It needs no tolerance, since the same executable runs each time. Pad rows are other samples, NaN and
huge numbers: the latter show a scale or a maximum that is taken over the batch. They come behind
the real rows, where copies fill a gear, and before them, where rows of the same call do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

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
        feeds: the gear's rows; the first half of them are taken as real, and then the second.
        others: as many other rows, to take pad rows from.

    Returns:
        Index of the first output whose real rows changed with the pad rows, or None.
    """
    gear = next(len(feed) for spec, feed in zip(specs, feeds, strict=True) if -1 in spec.shape)
    half = gear // 2
    whole = executable.run(feeds)
    for piece, pads, values in (
        (Piece(gear, half), slice(half, None), _VALUES),
        (Piece(gear, gear - half, before=half), slice(half), _VALUES[:1]),
    ):
        expected = join(layouts, [piece], [whole])
        for padded in _with_other_pads(specs, feeds, others, pads, values):
            got = join(layouts, [piece], [executable.run(padded)])
            for index, (one, other) in enumerate(zip(expected, got, strict=True)):
                if one.tobytes() != other.tobytes():
                    return index
    return None


_Fill = Callable[[Array, Array, slice], Array]
_VALUES: Final = (np.nan, np.inf, -1e30)


def _with_other_pads(
    specs: Sequence[TensorSpec],
    feeds: Sequence[Array],
    others: Sequence[Array],
    pads: slice,
    values: Sequence[float],
) -> Iterator[list[Array]]:
    fills: list[_Fill] = [_replaced, *(partial(_filled, value=value) for value in values)]
    for fill in fills:
        yield [
            fill(feed, other, pads) if -1 in spec.shape else feed
            for spec, feed, other in zip(specs, feeds, others, strict=True)
        ]


def _replaced(feed: Array, other: Array, pads: slice) -> Array:
    replaced = feed.copy()
    replaced[pads] = other[pads]
    return replaced


def _filled(feed: Array, other: Array, pads: slice, value: float) -> Array:
    """Float rows there set to a value; integers may be indices and stay as they are."""
    filled = feed.copy()
    if feed.dtype.kind == "f":
        with np.errstate(over="ignore"):  # -1e30 is -inf in float16, which serves as well
            filled[pads] = np.asarray(value).astype(feed.dtype)
    return filled
