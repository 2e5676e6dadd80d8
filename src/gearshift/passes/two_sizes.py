"""One graph at two batch sizes: what is known at both, and where the rows lie."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx_ir as ir

from gearshift.analysis.facts import Walker
from gearshift.analysis.nodes import inner_nodes, output_names
from gearshift.tensors import Array, Shape

_SHAPE_ONLY: Final = frozenset({"Shape", "Size"})
_KEEP_ORDER: Final = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
"""Operators that regroup dims without moving an element."""


@dataclass(frozen=True)
class Rows:
    """Where the rows lie: axis `axis` has ``outer * batch * inner`` elements."""

    axis: int
    outer: int = 1

    def lead(self, shape: Shape) -> int:
        """How many times the batch is gone through, in memory order, in a tensor of that shape."""
        return math.prod(shape[: self.axis]) * self.outer


class TwoSizes:
    """A graph at the file's batch size (`old`) and at a multiple of it (`new`).

    Attributes:
        old: facts at the file's own size.
        new: facts at the other size, with repairs.
        batch: the file's size.
        factor: the other size, in multiples of it.
        opset: version of the standard operators.
    """

    def __init__(self, model: ir.Model, batch: int, factor: int) -> None:
        self.batch = batch
        self.factor = factor
        self.opset = model.opset_imports.get("", model.opset_imports.get("ai.onnx", 1))
        self._graph = model.graph
        self._old, self._new = Walker(model), Walker(model)
        self.old, self.new = self._old.facts, self._new.facts
        self._rows: dict[str, Rows | None] = {}
        self._coupled: set[str] = set()

    def start(self, old: Mapping[str, Shape], new: Mapping[str, Shape]) -> None:
        """Takes inputs and initializers."""
        self._old.learn_inputs(self._graph.inputs, old)
        self._new.learn_inputs(self._graph.inputs, new)
        self.take_initializers()
        self._rows.update({name: Rows(0) for name in old if old[name] != new[name]})

    def take_initializers(self) -> None:
        """Takes the initializers that were not there before."""
        self._old.learn_initializers(self._graph)
        self._new.learn_initializers(self._graph)

    def take_old(self, node: ir.Node) -> None:
        """Takes a node at the file's size."""
        self._old.learn(node)

    def take_new(self, node: ir.Node) -> None:
        """Takes a node at the other size, and notes where the rows lie in its outputs."""
        self._new.learn(node)
        if node.op_type in _SHAPE_ONLY:
            return
        read = {*_reads(node), *(name for inner in inner_nodes(node) for name in _reads(inner))}
        depends = any(name in self._rows or name in self._coupled for name in read)
        for name in output_names(node):
            old, new = self.old[name].shape, self.new[name].shape
            if old != new:
                self._rows[name] = self._locate(node, old, new)
            elif depends:
                self._coupled.add(name)

    def shape(self, value: ir.Value | None) -> Shape:
        """The value's shape at the file's size; () for an input left out."""
        return self.old[value.name].shape if value is not None and value.name else ()

    def constant(self, value: ir.Value | None) -> Array | None:
        """The value's elements if they are known and the same at both sizes."""
        if value is None or not value.name:
            return None
        old, new = self.old[value.name].value, self.new[value.name].value
        return old if old is not None and new is not None and np.array_equal(old, new) else None

    def rows(self, value: ir.Value | None) -> Rows | None:
        """Where the value's rows lie; None if it has none or it is not known where."""
        return self._rows.get(value.name) if value is not None and value.name else None

    def own_axis(self, value: ir.Value | None) -> int | None:
        """The axis that is the batch and nothing else."""
        rows = self.rows(value)
        return (
            rows.axis if rows is not None and self.shape(value)[rows.axis] == self.batch else None
        )

    def has_rows(self, value: ir.Value | None) -> bool:
        """Whether the value's shape follows the batch."""
        return value is not None and value.name in self._rows

    def is_shared(self, value: ir.Value | None) -> bool:
        """Whether the value is there and no row of any input has a say in it."""
        return (
            value is not None
            and bool(value.name)
            and value.name not in self._rows
            and value.name not in self._coupled
        )

    def _locate(self, node: ir.Node, old: Shape, new: Shape) -> Rows | None:
        if len(old) != len(new):
            return None
        grown = [axis for axis, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
        if len(grown) != 1 or new[grown[0]] != old[grown[0]] * self.factor:
            return None
        axis = grown[0]
        if node.op_type in _KEEP_ORDER:
            return self._locate_in_view(node, old, axis)
        if old[axis] == self.batch:
            return Rows(axis)
        # The batch shares the axis with something else, which goes on as it came.
        outers = {
            rows.outer
            for value in node.inputs
            if (rows := self.rows(value)) and self.shape(value)[rows.axis] == old[axis]
        }
        return Rows(axis, outers.pop()) if len(outers) == 1 else None

    def _locate_in_view(self, node: ir.Node, old: Shape, axis: int) -> Rows | None:
        rows = self.rows(node.inputs[0])
        if rows is None:
            return None
        outer, rest = divmod(rows.lead(self.shape(node.inputs[0])), math.prod(old[:axis]))
        fits = rest == 0 and outer > 0 and old[axis] % (outer * self.batch) == 0
        return Rows(axis, outer) if fits else None


def _reads(node: ir.Node) -> list[str]:
    return [value.name for value in node.inputs if value is not None and value.name]
