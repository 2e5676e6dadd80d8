"""Operators that repeat, pad or fill."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gearshift.verify.rules.labels import follow
from gearshift.verify.rules.op import Op
from gearshift.verify.rules.registry import rule
from gearshift.verify.rules.state import Rows, Shared, State


@rule("Constant")
def constant(op: Op) -> State:
    """The same for every row."""
    return Shared()


@rule("ConstantOfShape", known=(0,))
def fill(op: Op) -> State:
    """One value throughout: any axis that follows the batch size carries the rows."""
    return _stretched(op, tuple(1 for _ in op.result.shapes[0]))


@rule("Expand", known=(1,))
def expand(op: Op) -> State:
    """Rows move with the alignment at the last axis; what is shared may be spread along them."""
    data = op.operand(0)
    ahead = op.result.rank - data.rank
    if data.rows is not None:
        return data.rows.moved(data.rows.axis + ahead)
    return _stretched(op, (1,) * ahead + data.shapes[0])


def _stretched(op: Op, dims: Sequence[int]) -> State:
    """State of shared data of those dims, repeated along axes where the output's dim differs."""
    growing = [axis for axis in range(op.result.rank) if len(set(op.result.dims(axis))) > 1]
    if not growing:
        return Shared()
    axis = growing[0]
    ratio, rest = divmod(op.result.shapes[0][axis], op.sizes[0])
    if len(growing) > 1 or dims[axis] != 1 or rest:
        raise op.unclear("spreads its data over more than the axis of the rows")
    return Rows(axis, 1, ratio)


@rule("Tile", known=(1,))
def tile(op: Op) -> State:
    """Rows repeated one after the other lie in more places; shared data becomes rows."""
    data = op.operand(0)
    repeats = [np.ravel(value).tolist() for value in op.operand(1).values or ()]
    if data.rows is not None:
        times = repeats[0][data.rows.axis]
        return Rows(data.rows.axis, times * data.rows.outer, data.rows.inner)
    growing = [axis for axis in range(data.rank) if len({each[axis] for each in repeats}) > 1]
    if not growing:
        return Shared()
    axis = growing[0]
    times, rest = divmod(repeats[0][axis], op.sizes[0])
    if len(growing) > 1 or rest:
        raise op.unclear("repeats its data along more than the axis of the rows")
    return Rows(axis, 1, times * data.shapes[0][axis])


@rule("Pad", known=(1, 3))
def pad(op: Op) -> State:
    """Nothing may be added along the axis of the rows, and the same everywhere else."""
    data = op.operand(0)
    op.shares(op.optional(2))
    axes = op.axes("axes", 3) or tuple(range(data.rank))
    for index in range(len(op.sizes)):
        pads = _pads(op, index)
        padded = {data.resolve(axes[i % len(axes)]) for i, count in enumerate(pads) if count}
        if data.rows is not None and data.rows.axis in padded:
            raise op.unclear(f"adds entries along axis {data.rows.axis}, which carries the rows")
        if pads != _pads(op, 0):
            raise op.place_dependent(op.operand(1))
    return data.state


def _pads(op: Op, index: int) -> tuple[int, ...]:
    if op.version < 11:
        return op.integers("pads") or ()
    values = op.operand(1).values
    return tuple(np.ravel(values[index]).tolist()) if values is not None else ()


@rule("OneHot", known=(1,))
def one_hot(op: Op) -> State:
    """A new axis among those of the indices."""
    indices = op.operand(0)
    op.shares(op.operand(2))
    labels = list(range(indices.rank))
    out: list[object] = list(labels)
    out.insert(op.result.resolve(op.integer("axis", -1)), "depth")
    return follow(op, [(indices, labels)], out)


@rule("Trilu", known=(1,))
def triangle(op: Op) -> State:
    """Keeps a triangle of the last two axes."""
    data = op.operand(0)
    op.constant(1)
    op.keeps_clear(data, (-2, -1), "cuts a triangle along")
    return data.state


@rule("EyeLike")
def eye_like(op: Op) -> State:
    """The shape of its input decides; a batch in it would make the places differ."""
    op.keeps_clear(op.operand(0), (0, 1), "counts places along")
    return Shared()


@rule("Range", "Shape", "Size")
def numbers(op: Op) -> State:
    """Worked out at compile time and judged by value; a rule is asked only where that failed."""
    raise op.unclear("gives numbers that were not worked out at compile time")
