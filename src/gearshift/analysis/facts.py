"""Walk a graph at one gear: every value's shape, and every value that is already known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import onnx_ir as ir

from gearshift.analysis.fold import fold, keeps_value, shape_value
from gearshift.analysis.infer import Inference, OutputType
from gearshift.analysis.nodes import UNSUPPORTED, output_names, refusal, subgraphs
from gearshift.errors import InternalError, UnsupportedModelError
from gearshift.program import Program
from gearshift.tensors import Array, Shape, format_shape


@dataclass(frozen=True)
class Fact:
    """What is known of one value once the gear is set.

    Attributes:
        dtype: element type.
        shape: every dim known.
        value: its elements, where they are known at compile time (small initializers, and whatever
            follows from them and from shapes); None otherwise.
    """

    dtype: ir.DataType
    shape: Shape
    value: Array | None = None


Facts = Mapping[str, Fact]
"""Value name -> Fact, for every value of the main graph (inputs and initializers included).

Values inside the branch that an If takes are there too; a name is unique in the whole program.
"""


def walk(program: Program, shapes: Mapping[str, Shape]) -> Facts:
    """Everything that is known of the program at those input shapes.

    Args:
        program: the imported program.
        shapes: one fully known shape per input.

    Raises:
        UnsupportedModelError: a node's output shape is not fixed by the input shapes, or the shapes
            do not fit together; names the node, its operator and the tensor.
    """
    graph = program.model.graph
    walker = Walker(program.model)
    walker.learn_inputs(graph.inputs, shapes)
    walker.learn_initializers(graph)
    walker.learn_nodes(graph)
    return walker.facts


class Walker:
    """The state of one walk. Nodes may also be learnt one by one, in topological order."""

    def __init__(self, model: ir.Model) -> None:
        self.facts: dict[str, Fact] = {}
        self._opsets = dict(model.opset_imports)
        self._inference = Inference(self._opsets, model.ir_version)

    def learn_inputs(self, inputs: Iterable[ir.Value], shapes: Mapping[str, Shape]) -> None:
        """Takes the graph's inputs at those shapes."""
        for value in inputs:
            name = _name(value)
            if value.const_value is not None and name not in shapes:
                continue  # an initializer that an old file lists as an input with a default
            shape = shapes.get(name)
            if shape is None or any(dim < 0 for dim in shape):
                raise InternalError(
                    f"walk() needs a fully known shape for input '{name}', got "
                    f"{'none' if shape is None else format_shape(shape)}"
                )
            if value.dtype is None:
                raise UnsupportedModelError(
                    f"input '{name}' has no element type in the file; export the model again.",
                    tensor=name,
                )
            self.facts[name] = Fact(value.dtype, tuple(shape))

    def learn_initializers(self, graph: ir.Graph) -> None:
        """Takes the graph's constants; small ones with their elements."""
        for name, value in graph.initializers.items():
            if name not in self.facts and value.const_value is not None:
                self.facts[name] = _constant(value.const_value)

    def learn_nodes(self, nodes: Iterable[ir.Node]) -> None:
        """Takes nodes in topological order."""
        for node in nodes:
            self.learn(node)

    def learn(self, node: ir.Node) -> None:
        """Takes one node whose inputs were taken before."""
        if node.op_type == "Constant" and (tensor := _constant_of(node)) is not None:
            self.facts[output_names(node)[0]] = _constant(tensor)
            return
        self._check_order(node)
        if node.op_type == "If" and node.domain in _ONNX:
            self._learn_if(node)
            return
        types = self._inference.outputs(node, self.facts)
        values = self._values(node, types)
        for name in output_names(node):
            self.facts[name] = _fact(node, name, types.get(name), values.get(name))

    def _check_order(self, node: ir.Node) -> None:
        for value in node.inputs:
            if value is not None and value.name and value.name not in self.facts:
                raise refusal(
                    node,
                    f"reads '{value.name}', which nothing before it gives; the file's nodes are "
                    "out of order or one is missing. Check the file with onnx.checker.",
                    tensor=value.name,
                )

    def _values(self, node: ir.Node, types: Mapping[str, OutputType]) -> dict[str, Array]:
        operands = [self.facts[v.name] if v is not None and v.name else None for v in node.inputs]
        names = output_names(node)
        if len(operands) == 1 and operands[0] is not None:
            value = shape_value(node, operands[0].shape)
            if value is not None:
                return {names[0]: value}
        if any(operand is not None and operand.value is None for operand in operands):
            return {}
        if not all(_foldable(types.get(name)) for name in names):
            return {}
        arrays = [None if operand is None else operand.value for operand in operands]
        results = fold(node, arrays, self._opsets)
        return {} if results is None else dict(zip(names, results, strict=False))

    def _learn_if(self, node: ir.Node) -> None:
        condition = node.inputs[0]
        known = self.facts[_name(condition)].value if condition is not None else None
        branches = [node.attributes[name].as_graph() for name in ("then_branch", "else_branch")]
        if known is not None:
            branches = branches[:1] if known.reshape(-1)[0] else branches[1:]
        results = [self._learn_branch(branch) for branch in branches]
        for index, value in enumerate(node.outputs):
            facts = [result[index] for result in results]
            if any((f.dtype, f.shape) != (facts[0].dtype, facts[0].shape) for f in facts):
                seen = " or ".join(format_shape(fact.shape) for fact in facts)
                raise refusal(
                    node,
                    f"gives '{value.name}' with shape {seen}, depending on data; both branches "
                    "must agree. Export the model with that condition fixed.",
                    tensor=value.name,
                    code=UNSUPPORTED,
                )
            kept = facts[0] if len(facts) == 1 else Fact(facts[0].dtype, facts[0].shape)
            self.facts[_name(value)] = kept

    def _learn_branch(self, graph: ir.Graph) -> list[Fact]:
        self.learn_initializers(graph)
        self.learn_nodes(graph)
        return [self.facts[_name(value)] for value in graph.outputs]


_ONNX: Final = ("", "ai.onnx")


def _name(value: ir.Value | None) -> str:
    if value is None or not value.name:
        raise InternalError("a value of the graph has no name")
    return value.name


def _constant(tensor: ir.TensorProtocol) -> Fact:
    shape = tuple(tensor.shape.numpy())
    value = tensor.numpy() if keeps_value(tensor.dtype, shape) else None
    return Fact(tensor.dtype, shape, value)


def _constant_of(node: ir.Node) -> ir.TensorProtocol | None:
    """The tensor of a Constant node that is written as one, as nearly all are."""
    attribute = node.attributes.get("value")
    return attribute.as_tensor() if attribute is not None else None


def _foldable(type_: OutputType | None) -> bool:
    return type_ is None or type_.shape is None or keeps_value(type_.dtype, type_.shape)


def _fact(node: ir.Node, name: str, type_: OutputType | None, value: Array | None) -> Fact:
    dtype = type_.dtype if type_ is not None else ir.DataType.UNDEFINED
    shape = type_.shape if type_ is not None else None
    if value is not None:
        if shape is None:
            shape = tuple(value.shape)
            dtype = ir.DataType.from_numpy(value.dtype)
        elif tuple(value.shape) != shape or ir.DataType.from_numpy(value.dtype) != dtype:
            value = None  # the two disagree: the inference is what engines follow
        if value is not None and not keeps_value(dtype, shape):
            value = None
    if shape is None:
        cause = "depends on the data"
        if subgraphs(node):
            cause = "may change from one iteration to the next"
        raise refusal(
            node,
            f"gives tensor '{name}', whose shape {cause}; a model for gears needs "
            "every inner shape fixed once the gear is. Cut the model before this node, or move "
            "the node behind the model.",
            tensor=name,
            code=UNSUPPORTED,
        )
    return Fact(dtype, shape, value)
