"""How much memory a gear is predicted to take, and whether this machine has it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from gearshift.analysis.facts import Facts
from gearshift.analysis.machine import MachineMemory, machine_memory
from gearshift.analysis.nodes import inner_nodes
from gearshift.errors import MemoryLimitError
from gearshift.gears.gear import Gear
from gearshift.program import Program
from gearshift.tensors import Shape

_VIEWS = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
"""Operators whose output is the input's bytes under another shape; engines do not copy them."""


@dataclass(frozen=True)
class GearMemory:
    """Memory that one run of a gear is predicted to take besides the weights.

    Attributes:
        gear: the gear.
        run_bytes: see `predict_run_bytes`.
        expected_bytes: the reference's outputs, which lie beside a run that is verified.
    """

    gear: Gear
    run_bytes: int
    expected_bytes: int = 0


def predict_run_bytes(program: Program, facts: Facts) -> int:
    """The most bytes that inputs, outputs and activations of one run hold at one time.

    It is what an ideal allocator needs that runs the nodes in the file's order and frees a tensor
    after its last reader. Engines need less where they fuse nodes or write in place, and more for
    scratch (unrolled convolutions, repacked weights) and fragmentation, so this is an estimate
    for telling gears that fit from gears that cannot; it is not a bound.
    """
    graph = program.model.graph
    storage = _Storage(graph, facts)
    live = peak = storage.take(value.name or "" for value in graph.inputs)
    for index, node in enumerate(graph):
        live += storage.take(value.name for value in node.outputs if value.name)
        peak = max(peak, live + storage.inside(node))
        live -= storage.release(index)
    return peak


def output_bytes(program: Program, facts: Facts) -> int:
    """Bytes of all outputs of one run."""
    found = [facts[value.name or ""] for value in program.model.graph.outputs]
    return sum(tensor_bytes(fact.dtype, fact.shape) for fact in found)


def weight_bytes(program: Program) -> int:
    """Bytes of the program's constants: initializers and Constant nodes, each counted once."""
    graph = program.model.graph
    tensors = [value.const_value for value in graph.initializers.values()]
    for node in ir.traversal.RecursiveGraphIterator(graph):
        attribute = node.attributes.get("value")
        if node.op_type == "Constant" and attribute is not None:
            tensors.append(attribute.as_tensor())
    return sum(tensor_bytes(t.dtype, tuple(t.shape.numpy())) for t in tensors if t is not None)


def tensor_bytes(dtype: ir.DataType, shape: Shape) -> int:
    """Bytes of a tensor; a string counts as the pointer to it."""
    bits = 64 if dtype == ir.DataType.STRING else dtype.bitwidth
    return (math.prod(shape) * bits + 7) // 8


def check_memory(
    gears: Sequence[GearMemory],
    weights: int,
    *,
    limit: int | None = None,
    machine: MachineMemory | None = None,
) -> tuple[str, ...]:
    """Refuses gears that cannot fit. Call it before anything large is built.

    Args:
        gears: the prediction for each gear.
        weights: bytes that the weights take on top, whatever the gear is.
        limit: bytes a gear may take, weights included; None means what the machine has available,
            where the gears are to be verified, too.
        machine: the machine to fit; None means this one.

    Returns:
        Warnings about gears that fit the limit but would reach into swap.

    Raises:
        MemoryLimitError: names every gear that does not fit, in one message.
    """
    machine = machine_memory() if machine is None else machine
    allowed = machine.available if limit is None else limit
    needs = [
        (entry.gear, entry.run_bytes + weights + (entry.expected_bytes if limit is None else 0))
        for entry in gears
    ]
    too_large = [(gear, need) for gear, need in needs if need > allowed]
    if too_large:
        raise MemoryLimitError(_refusal(too_large, limit, machine))
    swapping = [(gear, need) for gear, need in needs if need > machine.available]
    if not swapping or not machine.swap:
        return ()
    listed = ", ".join(f"{gear} (about {_size(need)})" for gear, need in swapping)
    return (
        f"gear {listed} would reach into swap: {_size(machine.available)} of memory are free. "
        f"{_swap_advice(machine)}",
    )


def _refusal(
    too_large: Sequence[tuple[Gear, int]], limit: int | None, machine: MachineMemory
) -> str:
    if limit is None:
        have = f"this machine has {_size(machine.available)} free of {_size(machine.total)}"
    else:
        have = f"the memory limit is {_size(limit)}"
    several = len(too_large) > 1
    needs = ", ".join(f"gear {gear} needs about {_size(need)}" for gear, need in too_large)
    todo = "drop them or lower them" if several else "drop it or lower it"
    advice = f" {_swap_advice(machine)}" if machine.swap else ""
    return f"{needs}, {have}: {todo}.{advice}"


def _swap_advice(machine: MachineMemory) -> str:
    how = "with `swapoff -a`" if sys.platform.startswith("linux") else "in the system's settings"
    return (
        f"Swap is on ({_size(machine.swap)}): a run that spills into it becomes extremely slow, so "
        f"turn swap off {how} on the machine that runs large gears."
    )


def _size(count: int) -> str:
    """``93 GB``, ``1.5 GB``, ``240 MB``."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= scale:
            number = count / scale
            return f"{number:.0f} {unit}" if number >= 10 else f"{number:.1f} {unit}"
    return f"{count} bytes"


class _Storage:
    """Which bytes hold which values, and the last node that reads each."""

    def __init__(self, graph: ir.Graph, facts: Facts) -> None:
        self._facts = facts
        self._owner = _owners(graph)
        self._constants = {
            *graph.initializers,
            *(n.outputs[0].name for n in graph if n.op_type == "Constant"),
        }
        self._held: dict[str, int] = {}
        self._dies_at = self._deaths(graph)

    def take(self, names: Iterable[str]) -> int:
        """Bytes that come to life with those values."""
        fresh = 0
        for name in names:
            if self._owner.get(name, name) == name and name not in self._constants:
                fact = self._facts[name]
                self._held[name] = tensor_bytes(fact.dtype, fact.shape)
                fresh += self._held[name]
        return fresh

    def release(self, index: int) -> int:
        """Bytes that nothing after node `index` reads."""
        return sum(self._held.pop(name, 0) for name in self._dies_at.get(index, ()))

    def inside(self, node: ir.Node) -> int:
        """Bytes of the values of the node's own subgraphs, as far as they are known."""
        inner = [
            value.name
            for inner_node in inner_nodes(node)
            for value in inner_node.outputs
            if value.name in self._facts
        ]
        facts = [self._facts[name] for name in inner if name]
        return sum(tensor_bytes(fact.dtype, fact.shape) for fact in facts)

    def _deaths(self, graph: ir.Graph) -> Mapping[int, list[str]]:
        last: dict[str, int] = {}
        for index, node in enumerate(graph):
            for name in (*_reads(node), *(v.name for v in node.outputs if v.name)):
                last[self._owner.get(name, name)] = index
        # Callers own inputs and outputs for the whole run.
        kept = {value.name for value in (*graph.inputs, *graph.outputs)}
        kept |= {self._owner.get(name or "", name) for name in kept}
        dies: dict[int, list[str]] = {}
        for name, index in last.items():
            if name not in kept:
                dies.setdefault(index, []).append(name)
        return dies


def _owners(graph: ir.Graph) -> dict[str, str]:
    """Of each view: the value whose bytes it shows."""
    owner: dict[str, str] = {}
    for node in graph:
        source = node.inputs[0] if node.inputs else None
        if node.op_type in _VIEWS and source is not None and source.name:
            owner[node.outputs[0].name or ""] = owner.get(source.name, source.name)
    return owner


def _reads(node: ir.Node) -> list[str]:
    """Every name the node reads, those its subgraphs read included."""
    nodes = [node, *inner_nodes(node)]
    return [value.name for n in nodes for value in n.inputs if value is not None and value.name]
