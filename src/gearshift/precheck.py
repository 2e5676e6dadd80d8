"""Every node that stands in the way of a compile, found at once: what ``atc --mode=3`` reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import onnx_ir as ir

from gearshift.analysis.facts import Walker
from gearshift.analysis.infer import Inference
from gearshift.analysis.nodes import UNSUPPORTED, inner_nodes, subgraphs
from gearshift.declaring import declare_gears, input_shapes
from gearshift.errors import ModelError, OptionError, OptionErrors, UnsupportedModelError
from gearshift.frontend.bind import bind_inputs
from gearshift.frontend.message import not_text, read_message
from gearshift.frontend.nodes import NodeChecker, nodes_of
from gearshift.frontend.onnx import load_program
from gearshift.gears.checks import check_batch_inputs
from gearshift.gears.deal import deal_gear
from gearshift.options import CompileOptions
from gearshift.passes import run_passes
from gearshift.passes.baked_batch import repair_baked_batch
from gearshift.program import Program
from gearshift.tensors import Shape

REPEATED: Final = "E19009"
"""ATC's code for a node name that another node bears."""
WRONG: Final = "E19014"
"""ATC's code for a node that is not as its operator wants it."""


@dataclass(frozen=True)
class Cause:
    """One thing that is wrong with a node."""

    code: str
    message: str


@dataclass
class CheckedOp:
    """One node of the file.

    Attributes:
        name: as the file has it.
        type: operator, with its domain if it is none of ONNX's own.
        causes: what is wrong with it; nothing if it passes. One for each code.
    """

    name: str
    type: str
    causes: list[Cause] = field(default_factory=list)

    def blame(self, code: str, message: str) -> None:
        """Adds a cause, unless there is one with that code: the first gear speaks for all."""
        if all(cause.code != code for cause in self.causes):
            self.causes.append(Cause(code, message))


@dataclass(frozen=True)
class PreCheck:
    """What was found.

    Attributes:
        name: of the graph, or of the file if it has none.
        ops: in the file's order, those inside a node after it.
    """

    name: str
    ops: tuple[CheckedOp, ...]

    @property
    def failed(self) -> tuple[CheckedOp, ...]:
        """Those with a cause."""
        return tuple(op for op in self.ops if op.causes)


def precheck(options: CompileOptions) -> PreCheck:
    """Looks at every node of a model as a compile would, and goes on after each fault.

    Raises:
        OptionErrors: the options do not fit the model.
        ModelError: the file is no model, or something is wrong with it that is not one node's.
    """
    message = read_message(options.model)
    if (wrong := not_text(message)) is not None:
        raise ModelError(
            f"model {str(options.model)!r} holds the name {wrong!r}, which is not UTF-8. Export it "
            "again with other names.",
            code="E16005",
        )
    checker = NodeChecker(message)
    ops: list[CheckedOp] = []
    names: Counter[tuple[str, str]] = Counter()
    for place, node in nodes_of(message.graph):
        op = CheckedOp(node.name, _type(node.domain, node.op_type))
        ops.append(op)
        if fault := checker.fault(node):
            code = WRONG if checker.has_schema(node) else UNSUPPORTED
            op.blame(code, f"node {node.name!r} ({op.type}): {fault}.")
        names[place, node.name] += 1
        if node.name and names[place, node.name] > 1:
            op.blame(
                REPEATED,
                f"a node before it is called {node.name!r} as well, which engines refuse; "
                "give each node a name of its own, or none.",
            )
    name = message.graph.name or options.model.stem
    try:
        program = load_program(options.model)
    except ModelError:
        if any(cause.code != REPEATED for op in ops for cause in op.causes):
            return PreCheck(name, tuple(ops))
        raise
    blamed = _Blamed(program.model, ops)
    _look_at_shapes(program, options, blamed)
    return PreCheck(name, tuple(ops))


class _Blamed:
    """Finds the file's op of a node, even after passes have renamed it."""

    def __init__(self, model: ir.Model, ops: list[CheckedOp]) -> None:
        self._ops = ops
        self._by_node = dict(zip(_nodes(model.graph), ops, strict=True))

    @contextmanager
    def noting(self, graph: ir.Graph) -> Iterator[None]:
        """Notes a refusal at the node it names; one that names none of the graph's goes on."""
        try:
            yield
        except UnsupportedModelError as error:
            node = next((n for n in _nodes(graph) if error.node and n.name == error.node), None)
            if node is None:
                raise
            self._blame(node, error)

    def _blame(self, node: ir.Node, error: UnsupportedModelError) -> None:
        if node not in self._by_node:  # out of the body of a function of the model's own
            self._by_node[node] = CheckedOp(error.node, _type(node.domain, node.op_type))
            self._ops.append(self._by_node[node])
        self._by_node[node].blame(error.code or WRONG, error.message)


def _look_at_shapes(program: Program, options: CompileOptions, blamed: _Blamed) -> None:
    program = run_passes(program)
    graph = program.model.graph
    inference = Inference(dict(program.model.opset_imports), program.model.ir_version)
    for node in _nodes(graph):
        with blamed.noting(graph):
            inference.check_known(node)
    own = {spec.name: tuple(max(dim, 1) for dim in spec.shape) for spec in program.inputs}
    fits = False
    with blamed.noting(graph):
        repair_baked_batch(program, options.input_shape)
        fits = True
    program = bind_inputs(program, input_shapes(program, options))
    # What is baked in and stays so fits at the file's own size alone.
    for shapes in _shapes_of_gears(program, options) if fits else (own,):
        _walk(program, shapes, blamed)


def _walk(program: Program, shapes: Mapping[str, Shape], blamed: _Blamed) -> None:
    """Learns node by node; what reads something that could not be learnt is passed over."""
    graph = program.model.graph
    walker = Walker(program.model)
    walker.learn_inputs(graph.inputs, shapes)
    walker.learn_initializers(graph)
    unknown: set[str | None] = set()
    for node in graph:
        read = {value.name for at in (node, *inner_nodes(node)) for value in at.inputs if value}
        if read & unknown:
            unknown.update(value.name for value in node.outputs)
            continue
        with blamed.noting(graph):
            walker.learn(node)
        unknown.update(value.name for value in node.outputs if value.name not in walker.facts)


def _shapes_of_gears(program: Program, options: CompileOptions) -> Iterator[dict[str, Shape]]:
    """The inputs' shapes at each gear; nothing where nothing was said of an open shape.

    Whether the gears make a good list is for the compile to say.
    """
    if options.input_shape_range:
        ends = declare_gears(program, options)
        yield from (ends.shapes(gear) for gear in ends)
        return
    # Values are dealt in the order in which the user listed the inputs.
    listed = {name: place for place, name in enumerate(options.input_shape)}
    specs = sorted(program.inputs, key=lambda spec: listed.get(spec.name, len(listed)))
    names = [spec.name for spec in specs]
    shapes = [spec.shape for spec in specs]
    gears: tuple[tuple[int, ...], ...] = options.dynamic_image_size or options.dynamic_dims
    if options.dynamic_batch_size:
        if errors := check_batch_inputs(zip(names, shapes, strict=True)):
            raise OptionErrors(errors)
        gears = tuple((size,) for size in options.dynamic_batch_size)
    for gear in dict.fromkeys(gear for gear in gears if min(gear, default=0) > 0):
        with suppress(OptionError):
            yield dict(zip(names, deal_gear(shapes, gear), strict=True))
    if not gears and all(dim >= 0 for shape in shapes for dim in shape):
        yield dict(zip(names, shapes, strict=True))


def _nodes(graph: ir.Graph) -> Iterator[ir.Node]:
    """Every node; those inside a node follow it, as in `nodes_of`."""
    for node in graph:
        yield node
        for inner in subgraphs(node):
            yield from _nodes(inner)


def _type(domain: str, op_type: str) -> str:
    return op_type if domain in ("", "ai.onnx") else f"{domain}::{op_type}"
