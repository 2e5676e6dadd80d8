"""Evaluate one node whose inputs are all known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from gearshift.analysis.nodes import output_names, subgraphs
from gearshift.tensors import Array, Shape, dtype_of_onnx

VALUE_LIMIT: Final = 1 << 20
"""Elements beyond which a value is not kept: what decides shapes is small, weights are not."""

_RANDOM: Final = frozenset(
    {
        "Bernoulli",
        "Dropout",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)
_SLOW: Final = frozenset(
    {
        "AveragePool",
        "Conv",
        "ConvTranspose",
        "DeformConv",
        "Erf",
        "GRU",
        "GatherElements",
        "GatherND",
        "GridSample",
        "LSTM",
        "MaxPool",
        "RNN",
        "Resize",
        "RoiAlign",
        "ScatterElements",
        "ScatterND",
        "Upsample",
    }
)
"""Operators that the reference implementation computes element by element in Python."""

_SLOW_LIMIT: Final = 1 << 12

# What the reference implementation raises on inputs it was not written for. A value it cannot
# give merely stays unknown.
_GAPS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def keeps_value(dtype: ir.DataType, shape: Shape) -> bool:
    """Whether the elements of such a tensor are worth knowing (and numpy can hold them)."""
    return dtype_of_onnx(dtype.value) is not None and math.prod(shape) <= VALUE_LIMIT


def shape_value(node: ir.Node, shape: Shape) -> Array | None:
    """What a Shape or Size node gives for an input of that shape; None for other nodes."""
    if node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type == "Size":
        return np.array(math.prod(shape), dtype=np.int64)
    if node.op_type != "Shape":
        return None
    start = node.attributes.get_int("start", 0)
    end = node.attributes.get_int("end", len(shape))
    return np.array(shape[start:end], dtype=np.int64)


def fold(
    node: ir.Node, operands: Sequence[Array | None], opsets: Mapping[str, int]
) -> list[Array] | None:
    """The node's outputs for those inputs (None: an optional input left out).

    Returns:
        One array per output in use, or None where the node cannot be evaluated.
    """
    if node.domain not in ("", "ai.onnx") or node.op_type in _RANDOM or subgraphs(node):
        return None
    if node.op_type == "Identity":
        return [value for value in operands if value is not None]
    if node.op_type in _SLOW and sum(v.size for v in operands if v is not None) > _SLOW_LIMIT:
        return None
    names = [v.name if v is not None and v.name else "" for v in node.inputs]
    feeds = {name: value for name, value in zip(names, operands, strict=True) if value is not None}
    model = _single_node(node, list(feeds), opsets)
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(None, feeds)
    except _GAPS:
        return None
    return [np.asarray(result) for result in results]


def _single_node(
    node: ir.Node, inputs: Iterable[str], opsets: Mapping[str, int]
) -> onnx.ModelProto:
    def untyped(name: str) -> onnx.ValueInfoProto:
        return onnx.helper.make_value_info(name, onnx.TypeProto())

    graph = onnx.helper.make_graph(
        [ir.to_proto(node)],
        "fold",
        [untyped(name) for name in inputs],
        [untyped(name) for name in output_names(node)],
    )
    imports = [onnx.helper.make_opsetid(name, version) for name, version in opsets.items()]
    return onnx.helper.make_model(graph, opset_imports=imports)
