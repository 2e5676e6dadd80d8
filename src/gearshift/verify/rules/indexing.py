"""Operators that read or write at indices: Gather, Scatter and their kin."""

from __future__ import annotations

import numpy as np

from gearshift.tensors import Array
from gearshift.verify.rules.labels import follow
from gearshift.verify.rules.op import Op, Operand
from gearshift.verify.rules.registry import rule
from gearshift.verify.rules.selection import picked
from gearshift.verify.rules.state import Addresses, Rows, Sized, State


@rule("Gather", copes=(1,))
def gather(op: Op) -> State:
    """Indices into another axis keep the rows; rows of indices may read what is shared."""
    data, indices = op.operand(0), op.operand(1)
    axis = data.resolve(op.integer("axis", 0))
    if data.rows is not None and data.rows.axis == axis:
        return _gather_rows(op, data.rows, indices, axis)
    if isinstance(indices.state, (Sized, Addresses)):
        raise op.place_dependent(indices)
    taken = [("index", place) for place in range(indices.rank)]
    labels = tuple(range(data.rank))
    out = (*labels[:axis], *taken, *labels[axis + 1 :])
    return follow(op, [(data, labels), (indices, taken)], out)


def _gather_rows(op: Op, rows: Rows, indices: Operand, axis: int) -> State:
    """Indices along the rows' own axis: only fixed ones that keep the rows apart and in order."""
    if isinstance(indices.state, (Sized, Addresses)) and indices.rank != 1:
        raise op.unclear(f"has no rule for indices '{indices.name}' of more than one dim")
    if indices.values is None or indices.rank != 1:
        raise op.mixes(f"picks entries by index along axis {axis}, which carries the rows")
    dims = op.operand(0).dims(axis)
    places = [
        np.asarray(value, dtype=np.int64) % dim
        for value, dim in zip(indices.values, dims, strict=True)
    ]
    return picked(op, rows, places, "picks entries by index")


@rule("GatherElements")
def gather_elements(op: Op) -> State:
    """Indices along another axis keep the rows."""
    data, indices = op.operand(0), op.operand(1)
    axis = op.integer("axis", 0)
    op.keeps_clear(data, (axis,), "picks entries by index along")
    labels = tuple(range(data.rank))
    taken = tuple("index" if place == data.resolve(axis) else place for place in labels)
    return follow(op, [(data, labels), (indices, taken)], taken)


@rule("Scatter", "ScatterElements")
def scatter_elements(op: Op) -> State:
    """Writes along another axis keep the rows."""
    operands = [op.operand(index) for index in range(3)]
    for operand in operands:
        op.keeps_clear(operand, (op.integer("axis", 0),), "writes at indices along")
    labels = tuple(range(operands[0].rank))
    return follow(op, [(operand, labels) for operand in operands], labels)


@rule("GatherND", copes=(1,))
def gather_nd(op: Op) -> State:
    """Reads at coordinates: of each row's own, of what is shared, or behind the coordinates."""
    data, indices = op.operand(0), op.operand(1)
    shared = op.integer("batch_dims", 0)
    depth = indices.shapes[0][-1]
    own = _own_rows(op, indices, data.rows, depth) if shared == 0 else None
    if own is not None:
        return Rows(own)
    if isinstance(indices.state, (Sized, Addresses)):
        raise op.place_dependent(indices)
    batch = tuple(range(shared))
    taken = tuple(("index", place) for place in range(shared, indices.rank - 1))
    rest = tuple(("data", place) for place in range(data.rank - shared - depth))
    looked_up = tuple(("looked up", place) for place in range(depth))
    parts = [
        (data, (*batch, *looked_up, *rest)),
        (indices, (*batch, *taken, "coordinate")),
    ]
    verb = "picks entries by index along"
    return follow(op, parts, (*batch, *taken, *rest), verb=verb)


@rule("ScatterND", copes=(1,))
def scatter_nd(op: Op) -> State:
    """Writes at coordinates of each row's own, or behind the coordinates."""
    data, indices, updates = (op.operand(index) for index in range(3))
    depth = indices.shapes[0][-1]
    own = _own_rows(op, indices, data.rows, depth)
    if own is not None and updates.rows == Rows(own):
        return data.state
    if isinstance(indices.state, (Sized, Addresses)):
        raise op.place_dependent(indices)
    behind = tuple(range(depth, data.rank))
    parts = [
        (data, (*(("looked up", place) for place in range(depth)), *behind)),
        (indices, tuple(("index", place) for place in range(indices.rank))),
        (updates, (*(("index", place) for place in range(indices.rank - 1)), *behind)),
    ]
    out = tuple(range(data.rank))
    return follow(op, parts, out)


def _own_rows(op: Op, indices: Operand, rows: Rows | None, depth: int) -> int | None:
    """The axis of the indices along which row n reads row n, if the rows' axis is looked up."""
    if rows is None or rows.axis >= depth or rows.outer != 1 or rows.inner != 1:
        return None
    if isinstance(indices.state, Addresses):
        return indices.state.axis if indices.state.column == rows.axis else None
    if indices.values is None:
        return None
    for axis in range(indices.rank - 1):
        if indices.dims(axis) == op.sizes and _counts_rows(indices.values, axis, rows.axis):
            return axis
    return None


def _counts_rows(values: tuple[Array, ...], axis: int, column: int) -> bool:
    """Whether the coordinate in `column` is the index along `axis` and no other follows it."""
    first: Array | None = None
    for value in values:
        entries = np.moveaxis(value, axis, 0)
        own = entries[..., column]
        counted = np.arange(len(own)).reshape(-1, *(1,) * (own.ndim - 1))
        others = np.delete(entries, column, axis=-1)
        first = others[:1] if first is None else first
        if first.shape[1:] != others.shape[1:]:
            return False
        if not (own == counted).all() or not (others == first).all():
            return False
    return True
