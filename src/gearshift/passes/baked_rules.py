"""How each operator's baked batch size is opened. One function per kind of operator.

Every rule keeps the node's meaning at the file's own batch size. A rule that cannot tell leaves the
node alone; if the node then breaks at another size, the pass names it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import onnx_ir as ir

from gearshift.passes.baked_edit import Editor
from gearshift.passes.baked_reshape import flatten, reshape
from gearshift.tensors import Array, format_shape

Rule = Callable[[Editor, ir.Node], None]

_EXPAND_SINCE: Final = 8
_TO_THE_END: Final = int(np.iinfo(np.int64).max)


def _expand(edit: Editor, node: ir.Node) -> None:
    """A target that repeats the batch size: 1 means the same, as the data already has it."""
    data, target = node.inputs[0], edit.at.constant(node.inputs[1])
    axis = edit.at.own_axis(data)
    if axis is None or target is None or edit.at.batch == 1:
        return
    place = axis + len(target) - len(edit.at.shape(data))
    if place >= 0 and target[place] == edit.at.batch:
        edit.set_constant(node, 1, _with(target, place, 1))


def _slice(edit: Editor, node: ir.Node) -> None:
    """An end that is the batch size, where the whole axis is meant."""
    axis = edit.at.own_axis(node.inputs[0])
    if axis is None or edit.at.shape(node.outputs[0])[axis] != edit.at.batch:
        return
    if edit.at.opset < 10:
        _slice_by_attributes(edit, node, axis)
        return
    operands = [edit.at.constant(value) for value in node.inputs[1:]]
    if len(operands) < 2 or operands[0] is None or operands[1] is None:
        return
    ends = operands[1]
    axes = _axes(operands[2] if len(operands) > 2 else None, len(ends), node, edit)
    steps = operands[3] if len(operands) > 3 else None
    if axis in axes and (steps is None or steps[axes.index(axis)] == 1):
        place = axes.index(axis)
        if 0 < ends[place] < edit.at.batch * edit.at.factor:
            end = _TO_THE_END if ends.dtype == np.int64 else int(np.iinfo(np.int32).max)
            edit.set_constant(node, 2, _with(ends, place, end))


def _slice_by_attributes(edit: Editor, node: ir.Node, axis: int) -> None:
    ends = list(node.attributes.get_ints("ends", []))
    axes = list(node.attributes.get_ints("axes", range(len(ends))))
    if axis in axes and 0 < ends[axes.index(axis)] < edit.at.batch * edit.at.factor:
        before = str(ends)
        ends[axes.index(axis)] = _TO_THE_END
        edit.set_attribute(node, "ends", ends, before)


def _resize(edit: Editor, node: ir.Node) -> None:
    """Sizes that list the batch, which nobody wants resized."""
    if len(node.inputs) < 4:
        return
    axis, sizes = edit.at.own_axis(node.inputs[0]), edit.at.constant(node.inputs[3])
    if axis is None or sizes is None:
        return
    rank = len(edit.at.shape(node.inputs[0]))
    axes = [a % rank for a in node.attributes.get_ints("axes", range(rank))]
    if axis in axes and sizes[axes.index(axis)] == edit.at.batch:
        place = axes.index(axis)
        dims = [int(size) for size in sizes]
        value = edit.batch_within(node, dims[:place], dims[place + 1 :])
        after = [*dims[:place], -1, *dims[place + 1 :]]
        edit.set_input(node, 3, value, format_shape(dims), format_shape(after))


def _concat(edit: Editor, node: ir.Node) -> None:
    """A constant of one row beside the rows: a class token, a learnt query."""
    axes = {edit.at.own_axis(value) for value in node.inputs if edit.at.has_rows(value)}
    axis = axes.pop() if len(axes) == 1 else None
    if axis is None:
        return
    rank = len(edit.at.shape(node.outputs[0]))
    if node.attributes.get_int("axis", 0) % rank != axis:
        for index in range(len(node.inputs)):
            _spread(edit, node, index, axis)


def _recurrent(edit: Editor, node: ir.Node) -> None:
    """Initial states and lengths of the file's batch; zeros are what is taken if left out."""
    in_front = node.attributes.get_int("layout", 0) == 1
    if edit.at.own_axis(node.inputs[0]) != (0 if in_front else 1):
        return
    for index in range(4, min(7, len(node.inputs))):
        state = edit.at.constant(node.inputs[index])
        if index > 4 and state is not None and not state.any():
            edit.set_input(node, index, None, f"zeros {format_shape(state.shape)}", "left out")
        else:
            _spread(edit, node, index, 0 if in_front or index == 4 else 1)


def _beside_data(*indices: int) -> Rule:
    """Operands that must have the data's batch in front."""

    def rule(edit: Editor, node: ir.Node) -> None:
        axis = edit.at.own_axis(node.inputs[0])
        rank = len(edit.at.shape(node.inputs[0]))
        along = node.attributes.get_int("axis", 0) % rank if node.op_type != "GridSample" else -1
        if axis is None or axis == along:
            return
        for index in indices:
            _spread(edit, node, index, axis)

    return rule


def _gather_nd(edit: Editor, node: ir.Node) -> None:
    if node.attributes.get_int("batch_dims", 0) > 0 and edit.at.own_axis(node.inputs[0]) == 0:
        _spread(edit, node, 1, 0)


def _broadcast(edit: Editor, node: ir.Node) -> None:
    """Constants that repeat one row for the whole batch: one row broadcasts to any."""
    if edit.at.batch == 1:
        return
    rank = len(edit.at.shape(node.outputs[0]))
    places = {
        axis - len(edit.at.shape(value))
        for value in node.inputs
        if (axis := edit.at.own_axis(value)) is not None
    }
    place = places.pop() if len(places) == 1 else None
    if place is None:
        return
    for index, value in enumerate(node.inputs):
        shape, array = edit.at.shape(value), edit.at.constant(value)
        axis = place + len(shape)
        if array is not None and 0 <= axis < rank and shape[axis] == edit.at.batch:
            row = _one_row(array, axis)
            if row is not None:
                edit.set_constant(node, index, row)


def _gather(edit: Editor, node: ir.Node) -> None:
    rows, indices = edit.at.rows(node.inputs[0]), edit.at.constant(node.inputs[1])
    rank = len(edit.at.shape(node.inputs[0]))
    axis = node.attributes.get_int("axis", 0) % rank
    if rows is not None and indices is not None and axis == rows.axis:
        raise edit.refuse(node, "It picks rows of the batch by number.")


def _scatter_nd(edit: Editor, node: ir.Node) -> None:
    rows, indices = edit.at.rows(node.inputs[0]), edit.at.constant(node.inputs[1])
    if rows is not None and indices is not None and indices.shape[-1] > rows.axis:
        raise edit.refuse(node, "It writes to rows of the batch by number.")


def _spread(edit: Editor, node: ir.Node, index: int, axis: int) -> None:
    """Repeats a shared operand, which has one row (or equal rows), to the batch of the run."""
    value = node.inputs[index] if index < len(node.inputs) else None
    shape = edit.at.shape(value)
    if value is None or not edit.at.is_shared(value) or edit.at.opset < _EXPAND_SINCE:
        return
    if axis >= len(shape) or shape[axis] != edit.at.batch:
        return
    row: ir.Value = value
    if edit.at.batch > 1:
        array = edit.at.constant(value)
        one = _one_row(array, axis) if array is not None else None
        if one is None:
            return
        row = edit.constant(one, value.name or "row")
    rest = len(shape) - axis - 1
    target = edit.batch_within(node, [1] * axis, [1] * rest)
    after = [*shape[:axis], -1, *shape[axis + 1 :]]
    spread = edit.insert(node, "Expand", [row, target])
    edit.set_input(node, index, spread, format_shape(shape), format_shape(after))


def _one_row(array: Array, axis: int) -> Array | None:
    """The first row, if all are like it."""
    first = np.take(array, [0], axis=axis)
    return first if np.array_equal(np.broadcast_to(first, array.shape), array) else None


def _axes(axes: Array | None, count: int, node: ir.Node, edit: Editor) -> list[int]:
    rank = len(edit.at.shape(node.inputs[0]))
    return [int(axis) % rank for axis in axes] if axes is not None else list(range(count))


def _with(array: Array, place: int, number: int) -> Array:
    changed = array.copy()
    changed[place] = number
    return changed


_BROADCASTING: Final = (
    "Add",
    "And",
    "Div",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Max",
    "Mean",
    "Min",
    "Mod",
    "Mul",
    "Or",
    "PRelu",
    "Pow",
    "Sub",
    "Sum",
    "Where",
    "Xor",
)

RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(_BROADCASTING, _broadcast),
    "Concat": _concat,
    "Expand": _expand,
    "Flatten": flatten,
    "GRU": _recurrent,
    "Gather": _gather,
    "GatherElements": _beside_data(1),
    "GatherND": _gather_nd,
    "GridSample": _beside_data(1),
    "LSTM": _recurrent,
    "RNN": _recurrent,
    "Reshape": reshape,
    "Resize": _resize,
    "ScatterElements": _beside_data(1, 2),
    "ScatterND": _scatter_nd,
    "Slice": _slice,
}
