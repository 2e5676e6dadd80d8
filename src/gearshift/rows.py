"""Rows in and rows out: check the arrays given, cut and pad them, hand over the outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from gearshift.errors import InputError
from gearshift.gears.dispatch import Piece
from gearshift.tensors import Array, Shape, TensorSpec, format_shape


def check_feeds(specs: Sequence[TensorSpec], inputs: Mapping[str, object]) -> list[Array]:
    """The arrays in input order, each of its input's dtype and shape (-1: any size).

    Raises:
        InputError: an input is missing, unknown, or of another dtype or shape.
    """
    try:
        given = [inputs[spec.name] for spec in specs]
    except KeyError:
        given = []
    if len(given) != len(specs) or len(inputs) != len(specs):
        names = [spec.name for spec in specs]
        missing = [name for name in names if name not in inputs]
        unknown = [name for name in inputs if name not in names]
        raise InputError(
            f"inputs given: {_quoted(inputs)}; the model takes {_quoted(names)}"
            + (f"; missing: {_quoted(missing)}" if missing else "")
            + (f"; unknown: {_quoted(unknown)}" if unknown else "")
            + "."
        )
    return [_check_feed(spec, value) for spec, value in zip(specs, given, strict=True)]


def count_rows(specs: Sequence[TensorSpec], feeds: Sequence[Array]) -> int:
    """How many rows were given, 1 where none are. Raises InputError if inputs disagree."""
    counts = [len(feed) for spec, feed in zip(specs, feeds, strict=True) if spec.shape[:1] == (-1,)]
    if counts and counts.count(counts[0]) < len(counts):
        names = [spec.name for spec in specs if spec.shape[:1] == (-1,)]
        seen = ", ".join(f"{name!r} has {count}" for name, count in zip(names, counts, strict=True))
        raise InputError(f"inputs differ in their number of rows: {seen}. Give each the same.")
    return counts[0] if counts else 1


def cut(
    specs: Sequence[TensorSpec], feeds: Sequence[Array], start: int, piece: Piece
) -> list[Array]:
    """The feeds of one piece, whose first own row is the call's row `start`.

    Its own rows, and those of the call that fill the gear, are passed as they lie. Where none do,
    copies of its first one follow, or of the call's if it has none. A real row is the safe thing to
    pad with: it cannot bring in NaN, an index out of range or whatever lay in memory. Inputs that
    carry no rows are passed as they are.
    """
    if not piece.is_full and piece.before is None:
        return [
            _pad(feed, start if piece.rows else 0, piece) if -1 in spec.shape else feed
            for spec, feed in zip(specs, feeds, strict=True)
        ]
    begin = start - (piece.before or 0)
    return [
        feed[begin : begin + piece.gear] if -1 in spec.shape and len(feed) > piece.gear else feed
        for spec, feed in zip(specs, feeds, strict=True)
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
    if type(value) is np.ndarray and _fits_as_it_is(spec, value):  # no matrix, nor masked array
        return value
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


def _fits_as_it_is(spec: TensorSpec, array: Array) -> bool:
    """Whether it is as it should be, and any dim but the first as the model has it.

    Most arrays are. What runs at each call runs on cold caches, where every step takes ten times as
    long as in a loop by itself, and the other way to find out has more of them.
    """
    return (
        array.dtype == spec.dtype.numpy
        and array.flags.c_contiguous
        and array.shape[1:] == spec.shape[1:]
        and array.ndim > 0
        and spec.shape[:1] in ((-1,), array.shape[:1])
    )


def _pad(feed: Array, start: int, piece: Piece) -> Array:
    padded = np.empty((piece.gear, *feed.shape[1:]), feed.dtype)
    padded[: piece.rows] = feed[start : start + piece.rows]
    padded[piece.rows :] = feed[start]
    return padded


def _quoted(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
