"""The static proof that row i of every output depends on row i of the inputs only.

Rows are followed through the graph, node by node, by one rule per operator (`verify.rules`). What
a rule answers is held against the shapes at every batch size before it is believed. What the proof
says and what it rests on is written down in docs/separability.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import onnx_ir as ir

from gearshift.analysis.facts import Facts
from gearshift.errors import InternalError
from gearshift.gears.gear import Gear, GearSet
from gearshift.program import Program
from gearshift.tensors import RowLayout
from gearshift.verify.rules.apply import judge_node, worst
from gearshift.verify.rules.op import Op, Operand, Tensor
from gearshift.verify.rules.state import Addresses, Poison, Rows, Shared, Sized, State, Verdict


@dataclass(frozen=True)
class Proof:
    """What could be said of a model.

    Attributes:
        verdict: "proved": rows may be padded, split and merged; "refuted": some output mixes rows,
            or depends on the batch size; "unknown": neither could be shown.
        reason: one sentence; for "proved" what it rests on, else what stands in the way.
        node: name of the culprit, "" if proved (or if the node has no name).
        op_type: its operator, "" if proved.
        path: tensor names from an input to the tensor that the culprit gives; empty if proved.
        outputs: how rows lie in each output of which this was proved; None where the output is the
            same for every row.
    """

    verdict: Literal["proved", "refuted", "unknown"]
    reason: str
    node: str
    op_type: str
    path: tuple[str, ...]
    outputs: Mapping[str, RowLayout | None]


def prove(program: Program, gears: GearSet, facts: Mapping[Gear, Facts]) -> Proof:
    """Whether rows are independent of each other, of their place, and of the batch size.

    Args:
        program: the program.
        gears: the declared gears; inputs with a -1 carry rows, the others are shared.
        facts: of every gear. Facts at further batch sizes may be added; the proof then holds for
            those too.
    """
    missing = [gear for gear in gears if gear not in facts]
    if missing or len({gear.rows for gear in facts}) < 2:
        raise InternalError(f"a proof needs facts of all gears, two at least; lacks {missing}")
    prover = _Prover(program, facts)
    prover.learn_inputs(gears)
    prover.learn_nodes(program.model.graph)
    return prover.conclude(gears)


class _Prover:
    """The state of one proof: what is known of each tensor, and which operand it comes from."""

    def __init__(self, program: Program, facts: Mapping[Gear, Facts]) -> None:
        self._graph = program.model.graph
        self._opsets = program.model.opset_imports
        self._sizes = tuple(gear.rows for gear in facts)
        self._facts = tuple(facts.values())
        self._states: dict[str, State] = {}
        self._parents: dict[str, str | None] = {}
        self._nodes = 0

    def learn_inputs(self, gears: GearSet) -> None:
        """Takes the model's inputs."""
        for spec in gears.inputs:
            if -1 in spec.shape[1:]:
                raise InternalError(f"input {spec} has a -1 elsewhere than in front")
            self._states[spec.name] = Rows(0) if -1 in spec.shape else Shared()

    def learn_nodes(self, graph: ir.Graph) -> None:
        """Takes the nodes of a graph in order."""
        for name in graph.initializers:
            self._states.setdefault(name, Shared())
        for node in graph:
            self._nodes += 1
            self._learn(node)

    def conclude(self, gears: GearSet) -> Proof:
        """The proof, from the states of the outputs."""
        finals = {_name(value): self._final(value) for value in self._graph.outputs}
        poisons = [state for state in finals.values() if isinstance(state, Poison)]
        layouts = {
            name: RowLayout(state.axis, state.inner) if isinstance(state, Rows) else None
            for name, state in finals.items()
            if not isinstance(state, Poison)
        }
        if poisons:
            found = worst(poisons)
            path = self._path(found.tensor)
            return Proof(found.verdict, found.reason, found.node, found.op_type, path, layouts)
        carriers = " and ".join(f"'{spec.name}'" for spec in gears.inputs if -1 in spec.shape)
        sizes = ", ".join(str(size) for size in self._sizes)
        reason = (
            f"rows of {carriers} were followed through {self._nodes} nodes, "
            f"each of which keeps them apart at batch sizes {sizes}"
        )
        return Proof("proved", reason, "", "", (), layouts)

    def _learn(self, node: ir.Node) -> None:
        outputs = tuple(self._tensor(value) for value in node.outputs)
        operands = tuple(self._operand(value) for value in node.inputs)
        aliases = ("", "ai.onnx") if node.domain in ("", "ai.onnx") else (node.domain,)
        version = next((self._opsets[name] for name in aliases if name in self._opsets), 0)
        op = Op(node, version, self._sizes, operands, outputs, self._branch)
        for index, state in enumerate(judge_node(op)):
            output = outputs[index]
            if output is not None:
                self._states[output.name] = state
                self._parents[output.name] = self._parent(op, index, state)

    def _branch(self, graph: ir.Graph) -> tuple[State, ...]:
        self.learn_nodes(graph)
        return tuple(self._state(_name(value)) for value in graph.outputs)

    def _tensor(self, value: ir.Value | None) -> Tensor | None:
        if value is None or not value.name:
            return None
        found = [facts.get(value.name) for facts in self._facts]
        facts_here = [fact for fact in found if fact is not None]
        if len(facts_here) < len(found):
            raise InternalError(f"nothing is known of the shape of '{value.name}'")
        values = [fact.value for fact in facts_here if fact.value is not None]
        return Tensor(
            name=value.name,
            dtype=facts_here[0].dtype,
            shapes=tuple(fact.shape for fact in facts_here),
            values=tuple(values) if len(values) == len(found) else None,
        )

    def _operand(self, value: ir.Value | None) -> Operand | None:
        tensor = self._tensor(value)
        if tensor is None:
            return None
        state = self._state(tensor.name)
        return Operand(tensor.name, tensor.dtype, tensor.shapes, tensor.values, state)

    def _state(self, name: str) -> State:
        if name not in self._states:
            raise InternalError(f"nothing gives '{name}' before it is used")
        return self._states[name]

    def _final(self, value: ir.Value) -> State:
        """The state of an output, poisoned if its rows cannot be told apart by a RowLayout."""
        name = _name(value)
        state = self._state(name)
        if isinstance(state, Rows) and state.outer > 1:
            why = f"holds each row in {state.outer} places that lie apart along axis {state.axis}"
            return _poisoned_output(value, "unknown", why)
        if isinstance(state, Sized | Addresses):
            return _poisoned_output(value, "refuted", "depends on the batch size or on the place")
        return state

    def _parent(self, op: Op, index: int, state: State) -> str | None:
        """The tensor through which a path to the output goes."""
        names = [operand.name for operand in op.given()]
        for attribute in op.node.attributes.values():
            if attribute.type == ir.AttributeType.GRAPH:
                outputs = attribute.as_graph().outputs
                names += [_name(outputs[index])] if index < len(outputs) else []
        known = [name for name in names if name in self._states]
        return min(known, key=lambda name: _prefer(self._states[name], state), default=None)

    def _path(self, tensor: str) -> tuple[str, ...]:
        path = [tensor]
        while (parent := self._parents.get(path[-1])) is not None:
            path.append(parent)
        return tuple(reversed(path))


def _prefer(operand: State, output: State) -> int:
    """Operands whose state is the output's poison first, then those with rows, shared ones last."""
    if operand == output:
        return 0
    return (Rows, Addresses, Sized, Poison, Shared).index(type(operand)) + 1


def _poisoned_output(value: ir.Value, verdict: Verdict, why: str) -> Poison:
    node = value.producer()
    name = node.name or "" if node is not None else ""
    op_type = node.op_type if node is not None else ""
    return Poison(verdict, f"output '{value.name}' {why}", name, op_type, _name(value))


def _name(value: ir.Value) -> str:
    if not value.name:
        raise InternalError("a value of the graph has no name")
    return value.name
