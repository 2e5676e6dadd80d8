"""Swaps, the choice of channels and the conversion of colours as one matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gearshift.aipp.image import colour_start, plane_count, swapped, used_planes
from gearshift.aipp.spec import StaticAipp
from gearshift.errors import InternalError

Whole = npt.NDArray[np.int64]

_ONE: Final = 256
_EXACT: Final = 2**24
"""Whole numbers up to here are exact in float32, and so are their 256ths."""


@dataclass(frozen=True)
class Mixing:
    """``out = clip(floor(weights @ (in - before) / 256) + after)``, channels in memory's order.

    Attributes:
        weights: a row for each channel that the model takes, a column for each in memory.
        before: taken from each channel in memory.
        after: added to each channel that the model takes.
        converts: whether there is a conversion; if not, each row picks one channel as it is.
    """

    weights: Whole
    before: Whole
    after: Whole
    converts: bool

    @property
    def picks(self) -> tuple[int, ...]:
        """The channels in memory that the rows pick; for want of a conversion."""
        if self.converts:
            raise InternalError("a conversion of colours picks no channels")
        return tuple(int(column) for column in self.weights.argmax(axis=1))

    def merged(self) -> Whole | None:
        """What `before` and `after` come to when added to the products, in 256ths.

        None if some sum on the way could be more than float32 holds exactly. With `before` and
        `after` apart, no sum of two products is, and one of three only where it is clipped anyway.
        """
        constant: Whole = self.after * _ONE - self.weights @ self.before
        largest = np.abs(self.weights).sum(axis=1) * 255 + np.abs(constant)
        return constant if int(largest.max()) < _EXACT else None


def mixing(aipp: StaticAipp, channels: int) -> Mixing:
    """The matrix of a block, for a model's input of so many channels."""
    order = swapped(aipp.format, aipp.rbuv_swap, aipp.ax_swap)
    used = used_planes(aipp.format, aipp.ax_swap, channels)
    start = colour_start(aipp.format, aipp.ax_swap)
    count = plane_count(aipp.format)
    weights = np.zeros((count, count), np.int64)
    weights[range(count), order] = _ONE
    before, after = np.zeros(count, np.int64), np.zeros(count, np.int64)
    if aipp.csc is not None:
        colours = list(order[start : start + 3])
        weights[np.ix_(range(start, start + 3), colours)] = aipp.csc.matrix
        if aipp.format.is_yuv:
            before[colours] = aipp.csc.input_bias
        else:
            after[start : start + 3] = aipp.csc.output_bias
    taken = list(used)
    return Mixing(weights[taken], before, after[taken], aipp.csc is not None)
