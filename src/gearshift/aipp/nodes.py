"""Nodes in front of a model's input, with names that tell what they are of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from gearshift.tensors import Array, dtype_named


def opset_of(model: ir.Model) -> int:
    """Version of the default operator set, by either of its names."""
    return model.opset_imports.get("", model.opset_imports.get("ai.onnx", 0))


class Ops:
    """Makes nodes whose names tell what they are of; `nodes` holds them in order."""

    def __init__(self, model: ir.Model, input_name: str) -> None:
        self.nodes: list[ir.Node] = []
        self._graph = model.graph
        self._opset = opset_of(model)
        self._base = f"{input_name}_aipp"
        nodes = list(ir.traversal.RecursiveGraphIterator(model.graph))
        values = [value for node in nodes for value in (*node.inputs, *node.outputs) if value]
        self._taken = {value.name for value in values} | {node.name for node in nodes}
        self._taken |= {*model.graph.initializers, *(each.name for each in model.graph.inputs)}

    def __call__(self, op_type: str, *inputs: ir.Value, **attributes: Any) -> ir.Value:
        """A new node; its output."""
        name = self._fresh(op_type.lower())
        node = ir.node(op_type, list(inputs), attributes, name=name)
        node.outputs[0].name = self._fresh(f"{op_type.lower()}_out")
        self.nodes.append(node)
        return node.outputs[0]

    def constant(self, numbers: Any, dtype: Any = np.float32) -> ir.Value:
        """A new initializer."""
        array = np.ascontiguousarray(numbers, dtype).reshape(np.shape(numbers))
        name = self._fresh("constant")
        value = ir.Value(
            name=name,
            shape=ir.Shape(array.shape),
            type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
            const_value=ir.tensor(array, name=name),
        )
        self._graph.register_initializer(value)
        return value

    def by_channel(
        self, op_type: str, values: ir.Value, numbers: Array, form: Sequence[int]
    ) -> ir.Value:
        """Add, Sub or Mul with numbers by channel; nothing where they change nothing."""
        if (numbers == (1 if op_type == "Mul" else 0)).all():
            return values
        if (numbers == numbers.flat[0]).all():
            return self(op_type, values, self.constant(numbers.flat[0]))
        return self(op_type, values, self.constant(np.reshape(numbers, form)))

    def slice(
        self,
        values: ir.Value,
        starts: Sequence[int] | ir.Value,
        ends: Sequence[int] | ir.Value,
        axes: Sequence[int],
    ) -> ir.Value:
        """A part along some axes."""
        bounds = [
            bound if isinstance(bound, ir.Value) else self.constant(bound, np.int64)
            for bound in (starts, ends, axes)
        ]
        return self("Slice", values, *bounds)

    def picked(self, values: ir.Value, places: Sequence[int], axis: int) -> ir.Value:
        """Those entries along an axis, in that order."""
        if not _is_turned(places):
            return self("Gather", values, self.constant(places, np.int64), axis=axis)
        # OpenVINO 2026.4 moves a Gather of channels into the convolution behind it, but the wrong
        # way round, which shows where the order is not its own inverse.
        parts = [self.slice(values, (place,), (place + 1,), (axis,)) for place in places]
        return self("Concat", *parts, axis=axis)

    def unsqueezed(self, values: ir.Value) -> ir.Value:
        """With a new axis 1."""
        if self._opset < 13:
            return self("Unsqueeze", values, axes=(1,))
        return self("Unsqueeze", values, self.constant((1,), np.int64))

    def padded(self, values: ir.Value, pads: Sequence[int], fill: float) -> ir.Value:
        """With more entries of one value; nothing where there are none to add."""
        if not any(pads):
            return values
        return self("Pad", values, self.constant(pads, np.int64), self.constant(fill))

    def cast(self, values: ir.Value, dtype: str) -> ir.Value:
        """Of another dtype."""
        return self("Cast", values, to=dtype_named(dtype).onnx)

    def _fresh(self, what: str) -> str:
        name, number = f"{self._base}_{what}", 1
        while name in self._taken:
            number += 1
            name = f"{self._base}_{what}_{number}"
        self._taken.add(name)
        return name


def _is_turned(places: Sequence[int]) -> bool:
    """Whether all are there, in an order that undoing would make another."""
    everything = sorted(places) == list(range(len(places)))
    return everything and any(places[place] != at for at, place in enumerate(places))
