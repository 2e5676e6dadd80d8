"""How much arithmetic a row takes, counted from the graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import onnx_ir as ir

from benchmarks.zoo.catalogue import Model
from gearshift.analysis.facts import walk
from gearshift.frontend.bind import bind_inputs
from gearshift.frontend.onnx import load_program
from gearshift.tensors import Shape

_Count = Callable[[ir.Node, Sequence[Shape], Shape], int]
"""Multiply-adds of a node, given the shapes of its inputs and of its output."""


class UncountedError(Exception):
    """The graph holds arithmetic that is not counted, so that a total would be too low."""


def flops_per_row(model: Model) -> int:
    """Floating-point operations of one row, a multiply-add being two.

    Convolutions and matrix products are counted; what is done once per element is left out, as it
    is by those who publish such figures.

    Raises:
        UncountedError: an operator multiplies matrices in a way that is not counted here.
    """
    one_row = {name: (1, *row) for name, row in model.inputs.items()}
    program = bind_inputs(load_program(model.onnx), one_row)
    facts = walk(program, one_row)
    shapes = {name: fact.shape for name, fact in facts.items()}
    return 2 * sum(_multiply_adds(node, shapes) for node in program.model.graph)


def _multiply_adds(node: ir.Node, shapes: Mapping[str, Shape]) -> int:
    if node.op_type in _UNCOUNTED or any(
        attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)
        for attribute in node.attributes.values()
    ):
        raise UncountedError(
            f"node {node.name!r} is a {node.op_type}, whose arithmetic is not counted; counted are "
            f"{', '.join(_COUNTS)}. Add it to benchmarks/zoo/flops.py."
        )
    count = _COUNTS.get(node.op_type)
    if count is None:
        return 0
    inputs = [shapes[value.name] for value in node.inputs if value is not None and value.name]
    return count(node, inputs, shapes[node.outputs[0].name or ""])


def _conv(_: ir.Node, inputs: Sequence[Shape], output: Shape) -> int:
    """Each output element takes one product per element of a filter."""
    return math.prod(output) * math.prod(inputs[1][1:])


def _conv_transpose(_: ir.Node, inputs: Sequence[Shape], output: Shape) -> int:
    """Each input element is spread over one filter of each output channel of its group."""
    return math.prod(inputs[0]) * math.prod(inputs[1][1:])


def _matmul(_: ir.Node, inputs: Sequence[Shape], output: Shape) -> int:
    return math.prod(output) * inputs[0][-1]


def _gemm(node: ir.Node, inputs: Sequence[Shape], output: Shape) -> int:
    return math.prod(output) * inputs[0][0 if node.attributes.get_int("transA", 0) else 1]


_COUNTS: Final[Mapping[str, _Count]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
}
_UNCOUNTED: Final = frozenset(
    {
        *("Attention", "ConvInteger", "DeformConv", "Einsum", "GRU", "LSTM", "MatMulInteger"),
        *("QLinearConv", "QLinearMatMul", "RNN"),
    }
)
