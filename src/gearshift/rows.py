"""Rows in and rows out: check the arrays given, cut them into pieces, pad, join the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np

from gearshift.errors import InputError
from gearshift.gears.dispatch import Piece, Plan
from gearshift.tensors import Array, RowLayout, Shape, TensorSpec, format_shape


def check_feeds(specs: Sequence[TensorSpec], inputs: Mapping[str, object]) -> list[Array]:
    """The arrays in input order, each of its input's dtype and shape (-1: any size).

    Raises:
        InputError: an input is missing, unknown, or of another dtype or shape.
    """
    if len(inputs) != len(specs) or any(spec.name not in inputs for spec in specs):
        names = [spec.name for spec in specs]
        missing = [name for name in names if name not in inputs]
        unknown = [name for name in inputs if name not in names]
        raise InputError(
            f"inputs given: {_quoted(inputs)}; the model takes {_quoted(names)}"
            + (f"; missing: {_quoted(missing)}" if missing else "")
            + (f"; unknown: {_quoted(unknown)}" if unknown else "")
            + "."
        )
    return [_check_feed(spec, inputs[spec.name]) for spec in specs]


def count_rows(specs: Sequence[TensorSpec], feeds: Sequence[Array]) -> int:
    """How many rows were given, 1 where none are. Raises InputError if inputs disagree."""
    counts = {
        spec.name: len(feed)
        for spec, feed in zip(specs, feeds, strict=True)
        if spec.shape[:1] == (-1,)
    }
    if len(set(counts.values())) > 1:
        seen = ", ".join(f"{name!r} has {count}" for name, count in counts.items())
        raise InputError(f"inputs differ in their number of rows: {seen}. Give each the same.")
    return next(iter(counts.values()), 1)


def cut(
    specs: Sequence[TensorSpec], feeds: Sequence[Array], start: int, piece: Piece
) -> list[Array]:
    """The feeds of one piece: its rows, then copies of its first row up to the gear's size.

    A real row is the safe thing to pad with: it cannot bring in NaN, an index out of range or
    whatever lay in memory. Inputs that carry no rows are passed as they are. A piece without any
    of the caller's rows is filled with the call's first one.
    """
    begin = start if piece.rows else 0
    return [
        _pad(feed[begin:], piece) if -1 in spec.shape else feed
        for spec, feed in zip(specs, feeds, strict=True)
    ]


class Results:
    """The outputs of one call while its pieces run, so that engines can write where rows belong.

    Outputs whose rows lie along axis 0 are made once, in full, and each piece that is not padded
    writes its part; the others are joined at the end, unless one piece makes all of them.

    Args:
        layouts: how rows lie in each output.
        specs: what each output is.
        plan: the pieces.
        empty: makes an array for an output, as `numpy.empty` does.
        into: where outputs are wanted, for each output an array or None; empty for none of them. An
            array that an output does not fit into is left alone.
    """

    def __init__(
        self,
        layouts: Sequence[RowLayout | None],
        specs: Sequence[TensorSpec],
        plan: Plan,
        empty: Callable[[Shape, np.dtype[np.generic]], Array],
        into: Sequence[Array | None] = (),
    ) -> None:
        self._layouts = layouts
        self._plan = plan
        self._empty = empty
        self._wholes = [
            self._whole(layout, spec, target)
            for layout, spec, target in zip(
                layouts, specs, into or [None] * len(specs), strict=True
            )
        ]
        self._parts: list[list[Array]] = [[] for _ in plan.pieces]

    def targets(self, start: int, piece: Piece) -> list[Array | None]:
        """Where the engine is to write the outputs of a piece whose first row is `start`."""
        return [
            None if piece.rows < piece.gear else self._place(index, start, piece)
            for index in range(len(self._wholes))
        ]

    def add(self, number: int, start: int, piece: Piece, outputs: list[Array]) -> None:
        """Takes what the engine gave for the plan's piece of that number, from any thread.

        The real rows of a padded piece are copied to where they belong.
        """
        self._parts[number] = outputs
        if piece.rows == piece.gear:
            return
        for index, output in enumerate(outputs):
            place = self._place(index, start, piece)
            if place is not None:
                place[...] = output[: len(place)]

    def finish(self) -> list[Array]:
        """The outputs, once every piece was added."""
        wholes = [whole for whole in self._wholes if whole is not None]
        if len(wholes) == len(self._wholes):
            return wholes
        layouts = [
            layout if whole is None else None
            for layout, whole in zip(self._layouts, self._wholes, strict=True)
        ]
        joined = join(layouts, self._plan.pieces, self._parts)
        return [
            part if whole is None else whole
            for part, whole in zip(joined, self._wholes, strict=True)
        ]

    def _whole(
        self, layout: RowLayout | None, spec: TensorSpec, target: Array | None
    ) -> Array | None:
        """Where all rows of an output go; None if its pieces have to be joined."""
        pieces = self._plan.pieces
        in_one = len(pieces) == 1 and pieces[0].rows == pieces[0].gear
        shape = list(spec.shape)
        if layout is not None:
            shape[layout.axis] = self._plan.rows * layout.inner
        by_rows = layout is not None and layout.axis == 0
        if target is not None and target.shape == tuple(shape) and (by_rows or in_one):
            return target
        return self._empty(tuple(shape), spec.dtype.numpy) if by_rows else None

    def _place(self, index: int, start: int, piece: Piece) -> Array | None:
        whole, layout = self._wholes[index], self._layouts[index]
        if whole is None or layout is None or layout.axis:
            return whole
        return whole[start * layout.inner : (start + piece.rows) * layout.inner]


def join(
    layouts: Sequence[RowLayout | None], pieces: Sequence[Piece], results: Sequence[list[Array]]
) -> list[Array]:
    """One array per output with the caller's rows in order, padding dropped."""
    return [
        results[0][index]
        if layout is None
        else _concatenate(
            [
                _first_rows(result[index], layout, piece)
                for piece, result in zip(pieces, results, strict=True)
            ],
            layout.axis,
        )
        for index, layout in enumerate(layouts)
    ]


def cut_off(outputs: Sequence[Array], cuts: Sequence[Mapping[int, int]]) -> list[Array]:
    """The outputs without what came of padding beside the rows."""
    if not cuts:
        return list(outputs)
    return [
        np.ascontiguousarray(output[tuple(slice(sizes.get(axis)) for axis in range(output.ndim))])
        for output, sizes in zip(outputs, cuts, strict=True)
    ]


def check_targets(specs: Sequence[TensorSpec], out: Mapping[str, object]) -> list[Array | None]:
    """The arrays to write outputs into, in output order, None where there is none.

    Raises:
        InputError: one is for no output, no array, of another dtype, or cannot be written to.
    """
    names = [spec.name for spec in specs]
    for name, target in out.items():
        if name not in names:
            raise InputError(
                f"out= has an array for {name!r}; the model's outputs are {_quoted(names)}."
            )
        if not isinstance(target, np.ndarray):
            raise InputError(f"out={name!r} is {type(target).__name__}; give a numpy array.")
        wanted = specs[names.index(name)].dtype
        if target.dtype != wanted.numpy:
            raise InputError(f"out={name!r} is {target.dtype}; the output is {wanted.name}.")
        if not target.flags.writeable:
            raise InputError(f"out={name!r} is read-only; give an array that can be written to.")
    return [cast("Array | None", out.get(name)) for name in names]


def free_targets(targets: Sequence[Array | None], feeds: Sequence[Array]) -> list[Array | None]:
    """Those that engines may write into while they read the feeds; None for the others."""
    return [
        target
        if target is not None
        and target.flags.c_contiguous
        and not any(np.may_share_memory(target, feed) for feed in feeds)
        else None
        for target in targets
    ]


def deliver(
    specs: Sequence[TensorSpec], made: Sequence[Array], targets: Sequence[Array | None]
) -> list[Array]:
    """The outputs, where they were wanted. Raises InputError if one does not fit there."""
    for spec, array, target in zip(specs, made, targets, strict=True):
        if target is not None and target.shape != array.shape:
            raise InputError(
                f"out={spec.name!r} has shape {format_shape(target.shape)}; with these inputs the "
                f"output is {format_shape(array.shape)}."
            )
    delivered = []
    for array, target in zip(made, targets, strict=True):
        if target is not None and target is not array:
            target[...] = array
        delivered.append(array if target is None else target)
    return delivered


def fill(feed: Array, shape: Shape, value: float) -> Array:
    """The array in a larger one of that shape (-1: its own size), the rest set to a value."""
    wanted = tuple(
        have if want == -1 else want for have, want in zip(feed.shape, shape, strict=True)
    )
    if wanted == feed.shape:
        return feed
    filled = np.full(wanted, value, feed.dtype)
    filled[tuple(slice(dim) for dim in feed.shape)] = feed
    return filled


def _check_feed(spec: TensorSpec, value: object) -> Array:
    try:
        array: Array = np.asarray(value)
    except ValueError as error:
        raise InputError(
            f"input {spec.name!r} is not an array: {error}. Its rows must all have the same shape."
        ) from error
    if array.dtype != spec.dtype.numpy:
        raise InputError(
            f"input {spec.name!r} is {array.dtype}; the model takes {spec.dtype.name}. "
            f"Convert it, for example with .astype(np.{spec.dtype.name}), if that is meant."
        )
    fits = len(array.shape) == len(spec.shape) and all(
        want in (-1, have) for want, have in zip(spec.shape, array.shape, strict=True)
    )
    if not fits:
        raise InputError(
            f"input {spec.name!r} has shape {format_shape(array.shape)}; the model takes "
            f"{format_shape(spec.shape)}, where -1 is what may vary."
        )
    return np.asarray(array, order="C")


def _pad(rows: Array, piece: Piece) -> Array:
    if piece.rows == piece.gear:
        return rows[: piece.gear]
    padded = np.empty((piece.gear, *rows.shape[1:]), rows.dtype)
    padded[: piece.rows] = rows[: piece.rows]
    padded[piece.rows :] = rows[0]
    return padded


def _first_rows(output: Array, layout: RowLayout, piece: Piece) -> Array:
    if piece.rows == piece.gear:
        return output
    index = (slice(None),) * layout.axis + (slice(piece.rows * layout.inner),)
    return output[index]


def _concatenate(parts: list[Array], axis: int) -> Array:
    if len(parts) == 1:
        # A slice would keep the padded array alive behind the caller's back.
        return parts[0] if parts[0].base is None else parts[0].copy()
    return np.concatenate(parts, axis=axis)


def _quoted(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
