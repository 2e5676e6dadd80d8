"""Edits that open a baked batch size and keep the graph's meaning at that size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from gearshift.analysis.nodes import describe, output_names
from gearshift.errors import UnsupportedModelError
from gearshift.passes.two_sizes import TwoSizes
from gearshift.tensors import Array, format_shape


@dataclass(frozen=True)
class Repair:
    """One place where a baked batch size was opened.

    Attributes:
        node: name of the node.
        op_type: its operator.
        tensor: the input or attribute that held the batch size.
        before: what it was.
        after: what it is now.
    """

    node: str
    op_type: str
    tensor: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.op_type} '{self.node}': '{self.tensor}' {self.before} -> {self.after}"


class Editor:
    """Edits one graph.

    Attributes:
        at: what is known at the two sizes.
        repairs: what was changed so far.
    """

    def __init__(self, model: ir.Model, at: TwoSizes, carrier: str) -> None:
        self.at = at
        self.repairs: list[Repair] = []
        self._graph = model.graph
        self._carrier = next(value for value in model.graph.inputs if value.name == carrier)
        self._count: ir.Value | None = None
        nodes = list(ir.traversal.RecursiveGraphIterator(model.graph))
        self._taken = {
            value.name for node in nodes for value in (*node.inputs, *node.outputs) if value
        }
        self._taken |= {*model.graph.initializers, *(node.name for node in nodes)}

    def set_input(
        self, node: ir.Node, index: int, value: ir.Value | None, before: str, after: str
    ) -> None:
        """Puts another value in the place of an input and notes it."""
        old = node.inputs[index]
        self.note(node, old.name or "" if old is not None else "", before, after)
        node.replace_input_with(index, value)

    def set_constant(self, node: ir.Node, index: int, array: Array) -> None:
        """Puts another constant in the place of an input and notes it."""
        old = node.inputs[index]
        assert old is not None
        before = self.at.constant(old)
        value = self.constant(array, old.name or "constant")
        self.set_input(node, index, value, _show(before), _show(array))

    def set_attribute(
        self, node: ir.Node, name: str, new: int | Sequence[int], before: str
    ) -> None:
        """Changes an attribute and notes it."""
        attribute = (
            ir.AttrInt64(name, new) if isinstance(new, int) else ir.AttrInt64s(name, list(new))
        )
        node.attributes[name] = attribute
        self.note(node, name, before, str(new))

    def note(self, node: ir.Node, tensor: str, before: str, after: str) -> None:
        """Notes a repair."""
        name = node.name or output_names(node)[0]
        self.repairs.append(Repair(name, node.op_type, tensor, before, after))

    def constant(self, array: Array, base: str) -> ir.Value:
        """A new initializer."""
        name = self._fresh(f"{base}_any_batch")
        value = ir.Value(
            name=name,
            shape=ir.Shape(array.shape),
            type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
            const_value=ir.tensor(array, name=name),
        )
        self._graph.register_initializer(value)
        self.at.take_initializers()
        return value

    def insert(
        self,
        before: ir.Node,
        op_type: str,
        inputs: Sequence[ir.Value],
        attributes: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
    ) -> ir.Value:
        """A new node before that one; its output."""
        base = name or f"{before.name or before.op_type}_{op_type.lower()}"
        node = ir.node(op_type, list(inputs), attributes, name=self._fresh(base))
        node.outputs[0].name = self._fresh(f"{base}_out")
        self._graph.insert_before(before, node)
        self.at.take_old(node)
        self.at.take_new(node)
        return node.outputs[0]

    def batch(self) -> ir.Value:
        """A vector of one element: the batch size of this run."""
        if self._count is None:
            first = self._graph[0]
            shape = self.insert(first, "Shape", [self._carrier], name="batch_shape")
            zero = self.constant(np.array([0], dtype=np.int64), "batch_axis")
            self._count = self.insert(first, "Gather", [shape, zero], {"axis": 0}, name="batch")
        return self._count

    def batch_within(self, node: ir.Node, before: Sequence[int], after: Sequence[int]) -> ir.Value:
        """A vector of int64: numbers, the batch size of this run, numbers."""
        parts = [self.batch()]
        if before:
            parts.insert(0, self.constant(np.array(before, dtype=np.int64), "dims"))
        if after:
            parts.append(self.constant(np.array(after, dtype=np.int64), "dims"))
        return parts[0] if len(parts) == 1 else self.insert(node, "Concat", parts, {"axis": 0})

    def refuse(self, node: ir.Node, why: str) -> UnsupportedModelError:
        """The error of a node that keeps the file's batch size."""
        values = [value for value in node.inputs if value is not None]
        held = [
            (value.name or "", array)
            for value in values
            if (array := self.at.constant(value)) is not None
        ]
        listed = ", ".join(f"'{name}' = {_show(array)}" for name, array in held)
        constants = f" (constants: {listed})" if listed else ""
        return UnsupportedModelError(
            f"{describe(node)} works at the exported batch size {self.at.batch} only{constants}: "
            f"it is baked into the graph where it cannot be repaired safely. {why} Export the "
            "model again with a dynamic batch axis, for example with "
            "torch.onnx.export(..., dynamic_shapes=...).",
            node=node.name or "",
            op_type=node.op_type,
            tensor=held[-1][0] if held else output_names(node)[0],
        )

    def _fresh(self, base: str) -> str:
        name, number = base, 1
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name


def _show(array: Array | None) -> str:
    """Short vectors in full, anything else by its shape."""
    if array is None:
        return "(computed)"
    if array.ndim <= 1 and array.size <= 8:
        return str(array.tolist())
    return f"constant {format_shape(array.shape)}"
