"""Operators that move entries and change none: transposing, reshaping."""

from __future__ import annotations

import math

from gearshift.tensors import Shape, format_shape
from gearshift.verify.rules.labels import first_axis, follow
from gearshift.verify.rules.op import Op, Operand
from gearshift.verify.rules.registry import rule
from gearshift.verify.rules.state import Rows, State


@rule("Transpose")
def transpose(op: Op) -> State:
    """The rows' axis moves with the permutation."""
    data = op.operand(0)
    order = op.integers("perm") or tuple(reversed(range(data.rank)))
    return follow(op, [(data, tuple(range(data.rank)))], order)


@rule("Flatten", "Reshape", "Squeeze", "Unsqueeze", known=(1,))
def reshape(op: Op) -> State:
    """Follows the batch as a factor of the dims.

    Row-major, a tensor is ``[before, N, after]`` with before and after the same at every batch
    size. An axis of the output carries the rows if what lies in front of it divides `before` and
    what lies behind it divides `after`. For N > 1 at most one axis can.
    """
    data = op.operand(0)
    if data.rows is None:
        return data.state
    found = {
        _carrier(*_around(data, data.rows, index), op.result.shapes[index])
        for index, size in enumerate(op.sizes)
        if size > 1
    }
    carrier = found.pop() if len(found) == 1 else None
    if carrier is None:
        worst = max(range(len(op.sizes)), key=lambda index: op.sizes[index])
        seen, given = (format_shape(t.shapes[worst]) for t in (data, op.result))
        raise op.unclear(
            f"reshapes '{data.name}' from {seen} to {given} at batch size {op.sizes[worst]}, "
            "which leaves no axis that carries the rows"
        )
    return carrier


def _around(data: Operand, rows: Rows, index: int) -> tuple[int, int]:
    """Entries in front of the batch factor and behind it."""
    shape = data.shapes[index]
    before = math.prod(shape[: rows.axis]) * rows.outer
    return before, math.prod(shape[rows.axis + 1 :]) * rows.inner


def _carrier(before: int, after: int, shape: Shape) -> Rows | None:
    for axis in range(len(shape)):
        front, back = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        if front and back and before % front == 0 and after % back == 0:
            return Rows(axis, before // front, after // back)
    return None


@rule("DepthToSpace", "SpaceToDepth")
def between_depth_and_space(op: Op) -> State:
    """Moves entries between channels, rows and columns of an image."""
    return first_axis(op, [op.operand(0)])
