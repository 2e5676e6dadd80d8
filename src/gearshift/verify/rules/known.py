"""Tensors whose elements are known at compile time, judged by their elements alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gearshift.tensors import Array
from gearshift.verify.rules.state import Rows, Shared, Sized


def judge(values: Sequence[Array], sizes: Sequence[int]) -> Shared | Rows | Sized:
    """State of a tensor that has these elements at these batch sizes.

    Equal at every size, it is shared. One that repeats itself for each row (zeros to start an LSTM
    from, a class token spread over the batch) carries rows. Any other follows the batch size.
    """
    if all(_equal(value, values[0]) for value in values):
        return Shared()
    for rows in _layouts([value.shape for value in values], sizes):
        first = None
        for value, size in zip(values, sizes, strict=True):
            split = _split(value, rows, size)
            first = split[:1] if first is None else first
            if not _equal(split, np.broadcast_to(first, (size, *first.shape[1:]))):
                break
        else:
            return rows
    return Sized()


def _layouts(shapes: Sequence[tuple[int, ...]], sizes: Sequence[int]) -> Iterator[Rows]:
    """Every way in which tensors of these shapes may carry rows."""
    if len({len(shape) for shape in shapes}) > 1:
        return
    for axis, dims in enumerate(zip(*shapes, strict=True)):
        if len(set(dims)) == 1:
            continue
        ratio, rest = divmod(dims[0], sizes[0])
        if rest or any(dim != ratio * size for dim, size in zip(dims, sizes, strict=True)):
            return
        for inner in range(ratio, 0, -1):
            if ratio % inner == 0:
                yield Rows(axis, ratio // inner, inner)


def _split(value: Array, rows: Rows, size: int) -> Array:
    """The rows in front: ``[N, ...]``, one entry for what each row holds."""
    shape = value.shape
    parts = (*shape[: rows.axis], rows.outer, size, rows.inner, *shape[rows.axis + 1 :])
    return np.moveaxis(value.reshape(parts), rows.axis + 1, 0)


def _equal(left: Array, right: Array) -> bool:
    """Equal bit for bit, so that NaN equals itself."""
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    return left.tobytes() == right.tobytes()
