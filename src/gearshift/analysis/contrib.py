"""Output types of operators for which ONNX has a schema without inference, or no schema at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import onnx_ir as ir

from gearshift.tensors import Shape

Type = tuple[ir.DataType, Shape]
Rule = Callable[[ir.Node, Sequence[Type | None]], list[Type]]
"""The node and its input types to the types of its outputs; ValueError if they do not fit."""


def _first(inputs: Sequence[Type | None]) -> Type:
    if not inputs or inputs[0] is None:
        raise ValueError("its first input is missing")
    return inputs[0]


def _like_first(node: ir.Node, inputs: Sequence[Type | None]) -> list[Type]:
    """Elementwise in the first input; further inputs only shift or scale it."""
    return [_first(inputs)]


def _broadcast_bool(node: ir.Node, inputs: Sequence[Type | None]) -> list[Type]:
    shapes = [entry[1] for entry in inputs if entry is not None]
    return [(ir.DataType.BOOL, np.broadcast_shapes(*shapes))]


def _skip_norm(node: ir.Node, inputs: Sequence[Type | None]) -> list[Type]:
    """Normalised sum, mean, inverse deviation, and the sum itself."""
    dtype, shape = _first(inputs)
    statistic = (ir.DataType.FLOAT, (*shape[:-1], 1))
    return [(dtype, shape), statistic, statistic, (dtype, shape)]


def _fused_matmul(node: ir.Node, inputs: Sequence[Type | None]) -> list[Type]:
    dtype, left = _first(inputs)
    if inputs[1] is None or len(left) < 2 or len(inputs[1][1]) < 2:
        raise ValueError("both operands need two dims or more")
    right = inputs[1][1]
    if node.attributes.get_int("transBatchA", 0) or node.attributes.get_int("transBatchB", 0):
        raise ValueError("transBatchA and transBatchB are not supported")
    if node.attributes.get_int("transA", 0):
        left = (*left[:-2], left[-1], left[-2])
    if node.attributes.get_int("transB", 0):
        right = (*right[:-2], right[-1], right[-2])
    if left[-1] != right[-2]:
        raise ValueError(f"inner dims {left[-1]} and {right[-2]} differ")
    batch = np.broadcast_shapes(left[:-2], right[:-2])
    return [(dtype, (*batch, left[-2], right[-1]))]


def _attention(node: ir.Node, inputs: Sequence[Type | None]) -> list[Type]:
    """Self-attention with one packed weight for queries, keys and values."""
    dtype, shape = _first(inputs)
    if len(inputs) < 2 or inputs[1] is None or "qkv_hidden_sizes" in node.attributes:
        raise ValueError("only the form with one packed weight of equal parts is supported")
    if sum(1 for value in node.outputs if value.name) > 1:
        raise ValueError("only the form with one output is supported")
    return [(dtype, (*shape[:-1], inputs[1][1][-1] // 3))]


UNINFERRED: Final[dict[str, Rule]] = {
    "GreaterOrEqual": _broadcast_bool,
    "LessOrEqual": _broadcast_bool,
    "GroupNormalization": _like_first,
    "MeanVarianceNormalization": _like_first,
}
"""Standard operators that some opset gives no inference for."""

STANDARD: Final[dict[tuple[str, str], str]] = {
    ("com.microsoft", "FusedConv"): "Conv",
    ("com.microsoft", "FusedGemm"): "Gemm",
}
"""Operators whose shapes are those of a standard one."""

RULES: Final[dict[tuple[str, str], Rule]] = {
    ("", "SimplifiedLayerNormalization"): _like_first,
    ("com.microsoft", "Attention"): _attention,
    ("com.microsoft", "BiasGelu"): _like_first,
    ("com.microsoft", "FastGelu"): _like_first,
    ("com.microsoft", "FusedMatMul"): _fused_matmul,
    ("com.microsoft", "Gelu"): _like_first,
    ("com.microsoft", "QuickGelu"): _like_first,
    ("com.microsoft", "SimplifiedLayerNormalization"): _like_first,
    ("com.microsoft", "SkipLayerNormalization"): _skip_norm,
    ("com.microsoft", "SkipSimplifiedLayerNormalization"): _skip_norm,
}
"""Operators of ONNX Runtime that exporters and optimizers leave in files."""
