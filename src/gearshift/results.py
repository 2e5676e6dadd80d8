"""The outputs of a call: where its pieces write them, and how they come together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gearshift.gears.dispatch import Piece, Plan
from gearshift.tensors import Array, RowLayout, Shape, TensorSpec

Empty = Callable[[Shape, np.dtype[np.generic]], Array]
"""Makes an array for an output, as `numpy.empty` does."""


class Outlet:
    """One output of a network: what is the same for all calls, looked up once.

    Attributes:
        layout: how rows lie in it.
        inner: how many indices of axis 0 a row takes; 0 if rows do not lie along it.
    """

    __slots__ = ("_dtype", "_shape", "inner", "layout")

    def __init__(self, layout: RowLayout | None, spec: TensorSpec) -> None:
        self.layout = layout
        self.inner = layout.inner if layout is not None and layout.axis == 0 else 0
        self._shape = spec.shape
        self._dtype = spec.dtype.numpy

    def whole(self, rows: int, empty: Empty) -> Array | None:
        """An array for so many rows, if they lie along axis 0."""
        if not self.inner:
            return None
        return empty((rows * self.inner, *self._shape[1:]), self._dtype)

    def shape(self, rows: int) -> Shape:
        """Of so many rows."""
        shape = list(self._shape)
        if self.layout is not None:
            shape[self.layout.axis] = rows * self.layout.inner
        return tuple(shape)


def outlets(layouts: Sequence[RowLayout | None], specs: Sequence[TensorSpec]) -> tuple[Outlet, ...]:
    """The outputs of a network, in order."""
    return tuple(Outlet(*each) for each in zip(layouts, specs, strict=True))


class Results:
    """The outputs of one call while its pieces run, so that engines can write where rows belong.

    Outputs whose rows lie along axis 0 are made once, in full, and each piece without other rows
    than its own writes its part; the others are joined at the end, unless one piece makes all.

    Args:
        outlets: the outputs of the network.
        plan: the pieces.
        empty: makes arrays for them.
        into: where outputs are wanted, for each output an array or None; empty for none of them. An
            array that an output does not fit into is left alone.
    """

    def __init__(
        self,
        outlets: Sequence[Outlet],
        plan: Plan,
        empty: Empty,
        into: Sequence[Array | None] = (),
    ) -> None:
        self._outlets = outlets
        self._plan = plan
        self._in_one = len(plan.pieces) == 1 and plan.pieces[0].is_full
        self._wholes = [
            self._whole(outlet, target, empty)
            for outlet, target in zip(outlets, into or (None,) * len(outlets), strict=True)
        ]
        self._parts: list[Sequence[Array]] = [()] * len(plan.pieces)

    def targets(self, start: int, piece: Piece) -> list[Array | None]:
        """Where the engine is to write the outputs of a piece whose first row is `start`."""
        if self._in_one:
            return self._wholes
        if not piece.is_full:
            return [None] * len(self._wholes)
        return [
            self._place(outlet, whole, start, piece)
            for outlet, whole in zip(self._outlets, self._wholes, strict=True)
        ]

    def add(self, number: int, start: int, piece: Piece, outputs: list[Array]) -> None:
        """Takes what the engine gave for the plan's piece of that number, from any thread.

        The own rows of a piece that computes others, too, are copied to where they belong.
        """
        self._parts[number] = outputs
        if piece.is_full:
            return
        for outlet, whole, output in zip(self._outlets, self._wholes, outputs, strict=True):
            place = self._place(outlet, whole, start, piece)
            if place is not None and outlet.layout is not None:
                place[...] = own_rows(output, outlet.layout, piece)

    def finish(self) -> list[Array]:
        """The outputs, once every piece was added."""
        wholes = [whole for whole in self._wholes if whole is not None]
        if len(wholes) == len(self._wholes):
            return wholes
        layouts = [
            outlet.layout if whole is None else None
            for outlet, whole in zip(self._outlets, self._wholes, strict=True)
        ]
        joined = join(layouts, self._plan.pieces, self._parts)
        return [
            part if whole is None else whole
            for part, whole in zip(joined, self._wholes, strict=True)
        ]

    def _whole(self, outlet: Outlet, target: Array | None, empty: Empty) -> Array | None:
        """Where all rows of an output go; None if its pieces have to be joined."""
        rows = self._plan.rows
        in_place = outlet.inner or self._in_one
        if target is not None and in_place and target.shape == outlet.shape(rows):
            return target
        return outlet.whole(rows, empty)

    def _place(self, outlet: Outlet, whole: Array | None, start: int, piece: Piece) -> Array | None:
        if whole is None:
            return None
        return whole[start * outlet.inner : (start + piece.rows) * outlet.inner]


def join(
    layouts: Sequence[RowLayout | None], pieces: Sequence[Piece], results: Sequence[Sequence[Array]]
) -> list[Array]:
    """One array per output with the pieces' own rows in order."""
    return [
        results[0][index]
        if layout is None
        else _concatenate(
            [
                own_rows(result[index], layout, piece)
                for piece, result in zip(pieces, results, strict=True)
            ],
            layout.axis,
        )
        for index, layout in enumerate(layouts)
    ]


def own_rows(output: Array, layout: RowLayout, piece: Piece) -> Array:
    """The rows of a piece that are its own, out of an output in which rows lie like that."""
    if piece.is_full:
        return output
    before = piece.before or 0
    own = slice(before * layout.inner, (before + piece.rows) * layout.inner)
    return output[(slice(None),) * layout.axis + (own,)]


def _concatenate(parts: list[Array], axis: int) -> Array:
    if len(parts) == 1:
        # A slice would keep the whole array alive behind the caller's back.
        return parts[0] if parts[0].base is None else parts[0].copy()
    return np.concatenate(parts, axis=axis)
