"""Operators that cut along an axis or join along one: Concat, Split, Slice."""

from __future__ import annotations

import numpy as np

from gearshift.verify.rules.labels import follow
from gearshift.verify.rules.op import Op, Operand
from gearshift.verify.rules.registry import ANY, rule
from gearshift.verify.rules.selection import picked
from gearshift.verify.rules.state import Addresses, Rows, Shared, Sized, State


@rule("Concat", copes=ANY)
def concat(op: Op) -> State:
    """Side by side the rows stay put; one after the other they lie in one more place."""
    operands = list(op.given())
    axis = op.result.resolve(op.integer("axis", 0))
    if any(isinstance(operand.state, (Sized, Addresses)) for operand in operands):
        return _addresses(op, operands, axis)
    leads = [operand.rows for operand in operands if operand.rows is not None]
    if all(rows.axis == axis for rows in leads):
        return _stacked(op, operands, leads)
    labels = tuple("joined" if place == axis else place for place in range(op.result.rank))
    return follow(op, [(operand, labels) for operand in operands], labels)


def _stacked(op: Op, operands: list[Operand], leads: list[Rows]) -> State:
    inner = {rows.inner for rows in leads}
    if len(leads) < len(operands) or len(inner) > 1:
        raise op.unclear("joins rows with something else along the axis that carries the rows")
    return Rows(leads[0].axis, sum(rows.outer for rows in leads), inner.pop())


def _addresses(op: Op, operands: list[Operand], axis: int) -> State:
    """Coordinate tuples: the row's own number in one column, beside what the row says."""
    column = 0
    found: Addresses | None = None
    for operand in operands:
        if isinstance(operand.state, Sized):
            own = row_numbers(op, operand)
            if found is not None or own is None or axis != operand.rank - 1:
                raise op.place_dependent(operand)
            found = Addresses(own, column)
        elif not isinstance(operand.state, (Rows, Shared)):
            raise op.place_dependent(operand)
        column += operand.shapes[0][axis]
    assert found is not None
    for operand in operands:
        rows = operand.rows
        if rows is not None and rows != Rows(found.axis):
            raise op.place_dependent(operand)
        if isinstance(operand.state, Shared):
            raise op.place_dependent(operand)
    return found


def row_numbers(op: Op, operand: Operand) -> int | None:
    """The axis along which a known ``[..., 1]`` tensor counts 0, 1, 2 ... and changes else not."""
    if operand.values is None or set(operand.dims(operand.rank - 1)) != {1}:
        return None
    for axis in range(operand.rank - 1):
        shape = tuple(-1 if place == axis else 1 for place in range(operand.rank))
        if operand.dims(axis) == op.sizes and all(
            np.array_equal(value, np.broadcast_to(np.arange(size).reshape(shape), value.shape))
            for value, size in zip(operand.values, op.sizes, strict=True)
        ):
            return axis
    return None


@rule("Split", known=(1,))
def split(op: Op) -> State | tuple[State, ...]:
    """Pieces along another axis keep the rows; along theirs each must hold some of every row."""
    data = op.operand(0)
    axis = data.resolve(op.integer("axis", 0))
    if data.rows is None or data.rows.axis != axis:
        op.constant(1)
        return data.state
    pieces = [output for output in op.outputs if output is not None]
    if len(pieces) < len(op.outputs):
        raise op.unclear("cuts the axis of the rows into pieces that are not all in use")
    starts = (0,) * len(op.sizes)
    states: list[State] = []
    for piece in pieces:
        ends = tuple(start + dim for start, dim in zip(starts, piece.dims(axis), strict=True))
        places = [np.arange(*bounds, dtype=np.int64) for bounds in zip(starts, ends, strict=True)]
        states.append(picked(op, data.rows, places, "cuts pieces off"))
        starts = ends
    return tuple(states)


@rule("Slice", known=(1, 2, 3, 4))
def slice_(op: Op) -> State:
    """The same part of every row, at every batch size; along the rows' axis all rows in order."""
    data = op.operand(0)
    windows = [_windows(op, data, index) for index in range(len(op.sizes))]
    rows = data.rows
    for axis in range(data.rank):
        ranges = [window.get(axis, range(data.shapes[0][axis])) for window in windows]
        if rows is not None and axis == rows.axis:
            continue
        if any(each != ranges[0] for each in ranges):
            raise op.place_dependent(next(o for o in op.operands[1:] if o and not _fixed(o)))
    if rows is None or all(rows.axis not in window for window in windows):
        return data.state
    places = [
        np.array(window.get(rows.axis, range(dim)), dtype=np.int64)
        for window, dim in zip(windows, data.dims(rows.axis), strict=True)
    ]
    return picked(op, rows, places, "takes a part")


def _fixed(operand: Operand) -> bool:
    return isinstance(operand.state, Shared)


def _windows(op: Op, data: Operand, index: int) -> dict[int, range]:
    """The indices that are taken, by axis, at one of the batch sizes."""
    starts, ends = (_bounds(op, place, index) for place in (1, 2))
    axes = _bounds(op, 3, index) or tuple(range(len(starts)))
    steps = _bounds(op, 4, index) or (1,) * len(starts)
    shape = data.shapes[index]
    return {
        data.resolve(axis): range(*slice(start, end, step).indices(shape[axis]))
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True)
    }


def _bounds(op: Op, place: int, index: int) -> tuple[int, ...]:
    """An operand's elements at one batch size; an attribute before opset 10."""
    if op.version < 10:
        return op.integers(("", "starts", "ends", "axes", "steps")[place]) or ()
    operand = op.optional(place)
    if operand is None or operand.values is None:
        return ()
    return tuple(np.ravel(operand.values[index]).tolist())
