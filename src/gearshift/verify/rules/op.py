"""What a rule sees of one node: its operands with their states, its attributes, its outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx_ir as ir

from gearshift.analysis.nodes import INTEGERS, describe
from gearshift.tensors import Array, Shape
from gearshift.verify.rules.state import Poison, Rows, Shared, State, Stop, Verdict

_COUNTS: Final = INTEGERS | {ir.DataType.BOOL}


@dataclass(frozen=True)
class Tensor:
    """A tensor at each batch size.

    Attributes:
        name: as the graph spells it.
        dtype: element type.
        shapes: one per batch size.
        values: its elements per batch size, where all of them are known at compile time.
    """

    name: str
    dtype: ir.DataType
    shapes: tuple[Shape, ...]
    values: tuple[Array, ...] | None

    @property
    def rank(self) -> int:
        """Number of dims (the same at every batch size for whatever reaches a rule)."""
        return len(self.shapes[0])

    @property
    def counts(self) -> bool:
        """Whether the elements may serve as indices or sizes rather than as data."""
        return self.dtype in _COUNTS

    def dims(self, axis: int) -> tuple[int, ...]:
        """That dim at each batch size."""
        return tuple(shape[axis] for shape in self.shapes)

    def resolve(self, axis: int) -> int:
        """The axis, counted from the front."""
        return axis + self.rank if axis < 0 else axis


@dataclass(frozen=True)
class Operand(Tensor):
    """An input of a node: a tensor and what is known of it."""

    state: State

    @property
    def rows(self) -> Rows | None:
        """How its rows lie, if it has rows."""
        return self.state if isinstance(self.state, Rows) else None


@dataclass(frozen=True)
class Op:
    """One node under a rule.

    Attributes:
        node: the node.
        version: of its operator set.
        sizes: the batch sizes, in the order of `Tensor.shapes`.
        operands: its inputs; None for one left out.
        outputs: its outputs; None for one left out.
        branch: states of a subgraph's outputs.
    """

    node: ir.Node
    version: int
    sizes: tuple[int, ...]
    operands: tuple[Operand | None, ...]
    outputs: tuple[Tensor | None, ...]
    branch: Callable[[ir.Graph], tuple[State, ...]]

    @property
    def result(self) -> Tensor:
        """The first output in use."""
        return next(output for output in self.outputs if output is not None)

    def operand(self, index: int) -> Operand:
        """An input that the operator cannot do without."""
        found = self.optional(index)
        if found is None:
            raise self.unclear(f"lacks its input {index}")
        return found

    def optional(self, index: int) -> Operand | None:
        """An input, or None if it is left out."""
        return self.operands[index] if index < len(self.operands) else None

    def given(self) -> Iterator[Operand]:
        """Every input that is not left out."""
        return (operand for operand in self.operands if operand is not None)

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        found = self.node.attributes.get_int(name, default)
        return default if found is None else int(found)

    def integers(self, name: str) -> tuple[int, ...] | None:
        """A list attribute, or None if it is not set."""
        found = self.node.attributes.get_ints(name, None)
        return None if found is None else tuple(int(number) for number in found)

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        found = self.node.attributes.get_string(name, default)
        return default if found is None else str(found)

    def constant(self, index: int) -> Array | None:
        """Elements of an input that have to be the same at every batch size; None if left out."""
        operand = self.optional(index)
        if operand is None:
            return None
        if operand.values is None:
            raise self.unclear(f"takes '{operand.name}' from data instead of from a constant")
        if not isinstance(operand.state, Shared):
            raise self.place_dependent(operand)
        return operand.values[0]

    def axes(self, name: str, index: int) -> tuple[int, ...] | None:
        """Axes written as an attribute or, in newer operator sets, as an input."""
        value = self.constant(index)
        return self.integers(name) if value is None else tuple(np.ravel(value).tolist())

    def shares(self, *operands: Operand | None) -> None:
        """Demands that the operands given are the same for every row."""
        for operand in operands:
            if operand is not None and not isinstance(operand.state, Shared):
                raise self.unclear(f"takes '{operand.name}' from the rows, which no rule covers")

    def keeps_clear(self, operand: Operand, axes: Sequence[int], verb: str) -> None:
        """Stops if the rows lie along one of the axes, which the operator mixes."""
        rows = operand.rows
        if rows is not None and rows.axis in {operand.resolve(axis) for axis in axes}:
            raise self.mixes(f"{verb} axis {rows.axis} of '{operand.name}', which carries the rows")

    def mixes(self, why: str) -> Stop:
        """Rows mix here; `why` continues "node 'x' (Op) ..."."""
        return Stop(self._poison("refuted", why))

    def unclear(self, why: str) -> Stop:
        """No rule covers the case; `why` continues "node 'x' (Op) ..."."""
        return Stop(self._poison("unknown", why))

    def place_dependent(self, operand: Operand) -> Stop:
        """An operand changes with the batch size or with the place of a row in the batch.

        Whole numbers may be on their way to address something; only a rule for that could tell.
        """
        why = f"uses '{operand.name}', which depends on the batch size or the place in the batch"
        if self.result.counts:
            return self.unclear(f"{why}; no rule covers what is computed from it")
        return self.mixes(f"{why}, so that a row does not give the same result everywhere")

    def _poison(self, verdict: Verdict, why: str) -> Poison:
        reason = f"{describe(self.node)} {why}"
        return Poison(verdict, reason, self.node.name or "", self.node.op_type, self.result.name)
