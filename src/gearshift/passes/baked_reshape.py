"""Reshape and Flatten with the batch size written into them."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from gearshift.passes.baked_edit import Editor
from gearshift.passes.two_sizes import Rows
from gearshift.tensors import Array, Shape


def flatten(edit: Editor, node: ir.Node) -> None:
    """``axis=0`` at batch 1 gives the shape that ``axis=1`` gives, and only that keeps rows."""
    if edit.at.batch == 1 and edit.at.own_axis(node.inputs[0]) == 0:
        rank = len(edit.at.shape(node.inputs[0]))
        if node.attributes.get_int("axis", 1) in (0, -rank):
            edit.set_attribute(node, "axis", 1, str(node.attributes.get_int("axis", 1)))


def reshape(edit: Editor, node: ir.Node) -> None:
    """A constant target with the batch size as one of its numbers.

    The rows are followed through memory: a Reshape moves no element, so they can only go to a dim
    before which the output has as many elements as the input has before its rows. If there is a dim
    of exactly the batch size it is that one; else the batch is merged into a dim.
    """
    data, output = node.inputs[0], node.outputs[0]
    rows, target = edit.at.rows(data), edit.at.constant(node.inputs[1])
    if rows is None or target is None:
        return
    source, shape = edit.at.shape(data), edit.at.shape(output)
    fits = _places(rows.lead(source), shape, edit.at.batch)
    own = [axis for axis in fits if shape[axis] == edit.at.batch]
    if _open_axis(edit, node, target) in (own or fits):
        return  # it was exported with the batch open
    by_row = None if own else _axis_moved_to(edit, node)
    if by_row is not None:
        _reshape_by_row(edit, node, by_row)
    elif fits:
        axis = min(own or fits, key=lambda axis: _dislike(axis, rows, source, shape))
        edit.set_constant(node, 1, _open_target(node, target, axis, edit))
    else:
        raise edit.refuse(node, "It moves elements from row to row at any other batch size.")


def _places(lead: int, shape: Shape, batch: int) -> list[int]:
    """Axes that can hold rows which are gone through `lead` times in memory order."""
    fits = []
    for axis, dim in enumerate(shape):
        outer, rest = divmod(lead, math.prod(shape[:axis]))
        if rest == 0 and outer > 0 and dim % (outer * batch) == 0:
            fits.append(axis)
    return fits


def _open_axis(edit: Editor, node: ir.Node, target: Array) -> int | None:
    """The axis that grows with the batch if the target stays as it is; None if not just one."""
    source = edit.at.new[_name(node.inputs[0])].shape
    old = edit.at.shape(node.outputs[0])
    copies = node.attributes.get_int("allowzero", 0) == 0
    dims = [source[axis] if dim == 0 and copies else int(dim) for axis, dim in enumerate(target)]
    if -1 in dims:
        known = math.prod(dim for dim in dims if dim != -1)
        dims[dims.index(-1)] = math.prod(source) // known if known else 0
    if math.prod(dims) != math.prod(source):
        return None
    grown = [axis for axis, dim in enumerate(dims) if dim != old[axis]]
    return grown[0] if len(grown) == 1 else None


def _dislike(axis: int, rows: Rows, source: Shape, shape: Shape) -> tuple[bool, bool, bool]:
    """Orders the axes the rows may go to: their own place first, the features last."""
    outer = rows.lead(source) // math.prod(shape[:axis])
    return axis == len(shape) - 1, outer != 1, axis != rows.axis


def _open_target(node: ir.Node, target: Array, axis: int, edit: Editor) -> Array:
    """The target with its batch open: 0 (as in the data) where that says it, -1 elsewhere."""
    source, shape = edit.at.shape(node.inputs[0]), edit.at.shape(node.outputs[0])
    rows = edit.at.rows(node.inputs[0])
    copies = node.attributes.get_int("allowzero", 0) == 0
    same = rows is not None and axis == rows.axis and source[axis] == shape[axis]
    if copies and same and target[axis] > 0:
        changed = target.copy()
        changed[axis] = 0
        return changed
    return np.array(_with_open(shape, axis), dtype=np.int64)


def _axis_moved_to(edit: Editor, node: ir.Node) -> int | None:
    """Where a Reshape at batch 1 moves the batch to, as a Transpose would."""
    shape = edit.at.shape(node.outputs[0])
    if edit.at.batch != 1 or edit.at.own_axis(node.inputs[0]) is None:
        return None
    ones = [axis for axis, dim in enumerate(shape[:-1]) if dim == 1]
    return ones[0] if len(ones) == 1 else None


def _reshape_by_row(edit: Editor, node: ir.Node, axis: int) -> None:
    """Brings the batch to the front, reshapes each row, and brings it to `axis`.

    At batch 1 the transposes move nothing, so all is as it was.
    """
    data, target = node.inputs[0], node.inputs[1]
    own, shape = edit.at.own_axis(data), edit.at.shape(node.outputs[0])
    assert data is not None
    assert own is not None
    rank = len(edit.at.shape(data))
    if own != 0:
        front = [own, *(other for other in range(rank) if other != own)]
        data = edit.insert(node, "Transpose", [data], {"perm": front})
    if axis != 0:
        rest = [*shape[:axis], *shape[axis + 1 :]]
        rows = edit.constant(np.array([-1, *rest], dtype=np.int64), _name(target))
        data = edit.insert(node, "Reshape", [data, rows])
        there = [*range(1, axis + 1), 0, *range(axis + 1, len(shape))]
        data = edit.insert(node, "Transpose", [data], {"perm": there})
    node.replace_input_with(0, data)
    edit.set_constant(node, 1, np.array(_with_open(shape, axis), dtype=np.int64))


def _with_open(shape: Shape, axis: int) -> list[int]:
    return [*shape[:axis], -1, *shape[axis + 1 :]]


def _name(value: ir.Value | None) -> str:
    return value.name or "" if value is not None else ""
