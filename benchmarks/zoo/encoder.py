"""A sentence encoder of MiniLM-L6's size, in the operators that BERT exporters write."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto

from benchmarks.zoo.graphs import GraphBuilder

IDS: Final = "input_ids"
MASK: Final = "attention_mask"
TOKENS: Final = 64
VOCABULARY: Final = 30522
_HIDDEN: Final = 384
_HEADS: Final = 12
_FEED_FORWARD: Final = 1536
_LAYERS: Final = 6
_POSITIONS: Final = 512
_TYPES: Final = 2


def build() -> onnx.ModelProto:
    """The model, with the same weights each time."""
    graph = GraphBuilder("encoder", seed=6)
    value, barrier = _embed(graph), _barrier(graph)
    for layer in range(_LAYERS):
        value = _layer(graph, f"layer.{layer}", value, barrier)
    return graph.model(
        {name: (TensorProto.INT64, [TOKENS]) for name in (IDS, MASK)},
        {
            "last_hidden_state": (value, [TOKENS, _HIDDEN]),
            "sentence_embedding": (_mean(graph, value), [_HIDDEN]),
        },
    )


def _embed(graph: GraphBuilder) -> str:
    """Sum of what stands for the word, its place, and the (only) segment."""
    words = graph.random("embeddings.word", (VOCABULARY, _HIDDEN), 1.0)
    places = graph.random("embeddings.position", (_POSITIONS, _HIDDEN), 0.3)
    types = graph.random("embeddings.type", (_TYPES, _HIDDEN), 0.3)
    place_ids = graph.constant("position_ids", np.arange(TOKENS)[np.newaxis])
    type_ids = graph.constant("type_ids", np.zeros((1, TOKENS), np.int64))
    word = graph.node("Gather", "embeddings.word_lookup", [words, IDS])
    place = graph.node("Gather", "embeddings.position_lookup", [places, place_ids])
    type_ = graph.node("Gather", "embeddings.type_lookup", [types, type_ids])
    value = graph.node("Add", "embeddings.add_type", [word, type_])
    return _norm(graph, "embeddings", graph.node("Add", "embeddings.add_place", [value, place]))


def _barrier(graph: GraphBuilder) -> str:
    """0 where a token may be looked at and -10000 where not, shaped to be added to the scores."""
    axes = graph.constant("mask.axes", np.array([1, 2]))
    mask = graph.node("Unsqueeze", "mask.unsqueeze", [MASK, axes])
    mask = graph.node("Cast", "mask.cast", [mask], to=TensorProto.FLOAT)
    hidden = graph.node("Sub", "mask.sub", [_scalar(graph, "one", 1), mask])
    return graph.node("Mul", "mask.mul", [hidden, _scalar(graph, "barrier", -10000)])


def _layer(graph: GraphBuilder, name: str, source: str, barrier: str) -> str:
    attended = _attention(graph, f"{name}.attention", source, barrier)
    value = graph.node("Add", f"{name}.attention.add", [attended, source])
    value = _norm(graph, f"{name}.attention", value)
    wide = _linear(graph, f"{name}.intermediate", value, (_HIDDEN, _FEED_FORWARD))
    wide = _gelu(graph, f"{name}.gelu", wide)
    narrow = _linear(graph, f"{name}.output", wide, (_FEED_FORWARD, _HIDDEN))
    return _norm(graph, f"{name}.output", graph.node("Add", f"{name}.add", [narrow, value]))


def _attention(graph: GraphBuilder, name: str, source: str, barrier: str) -> str:
    query = _heads(graph, f"{name}.query", source, [0, 2, 1, 3])
    key = _heads(graph, f"{name}.key", source, [0, 2, 3, 1])
    value = _heads(graph, f"{name}.value", source, [0, 2, 1, 3])
    scores = graph.node("MatMul", f"{name}.scores", [query, key])
    root = _scalar(graph, "head_size_root", math.sqrt(_HIDDEN / _HEADS))
    scores = graph.node("Div", f"{name}.scale", [scores, root])
    scores = graph.node("Add", f"{name}.mask", [scores, barrier])
    shares = graph.node("Softmax", f"{name}.softmax", [scores], axis=-1)
    mixed = graph.node("MatMul", f"{name}.mix", [shares, value])
    mixed = graph.node("Transpose", f"{name}.transpose", [mixed], perm=[0, 2, 1, 3])
    joined = graph.constant("joined_shape", np.array([0, 0, _HIDDEN]))
    mixed = graph.node("Reshape", f"{name}.join", [mixed, joined])
    return _linear(graph, f"{name}.dense", mixed, (_HIDDEN, _HIDDEN))


def _heads(graph: GraphBuilder, name: str, source: str, perm: list[int]) -> str:
    value = _linear(graph, name, source, (_HIDDEN, _HIDDEN))
    split = graph.constant("split_shape", np.array([0, 0, _HEADS, _HIDDEN // _HEADS]))
    value = graph.node("Reshape", f"{name}.split", [value, split])
    return graph.node("Transpose", f"{name}.transpose", [value], perm=perm)


def _mean(graph: GraphBuilder, source: str) -> str:
    """The mean over the tokens that the mask lets through."""
    last, middle = (graph.constant(f"axis_{axis}", np.array([axis])) for axis in (-1, 1))
    mask = graph.node("Unsqueeze", "pool.unsqueeze", [MASK, last])
    mask = graph.node("Cast", "pool.cast", [mask], to=TensorProto.FLOAT)
    kept = graph.node("Mul", "pool.mul", [source, mask])
    total = graph.node("ReduceSum", "pool.sum", [kept, middle], keepdims=0)
    count = graph.node("ReduceSum", "pool.count", [mask, middle], keepdims=0)
    count = graph.node("Clip", "pool.clip", [count, _scalar(graph, "least_count", 1e-9)])
    return graph.node("Div", "pool.div", [total, count])


def _linear(graph: GraphBuilder, name: str, source: str, sizes: tuple[int, int]) -> str:
    weight = graph.random(f"{name}.weight", sizes, math.sqrt(1 / sizes[0]))
    bias = graph.random(f"{name}.bias", sizes[1:], 0.1)
    product = graph.node("MatMul", f"{name}.matmul", [source, weight])
    return graph.node("Add", f"{name}.bias_add", [bias, product])


def _gelu(graph: GraphBuilder, name: str, source: str) -> str:
    """Half of x * (erf(x / sqrt 2) + 1): what exporters write that know no Gelu."""
    value = graph.node("Div", f"{name}.div", [source, _scalar(graph, "root_two", math.sqrt(2))])
    value = graph.node("Erf", f"{name}.erf", [value])
    value = graph.node("Add", f"{name}.add", [value, _scalar(graph, "one", 1)])
    value = graph.node("Mul", f"{name}.mul", [source, value])
    return graph.node("Mul", f"{name}.half", [value, _scalar(graph, "half", 0.5)])


def _norm(graph: GraphBuilder, name: str, source: str) -> str:
    scale = graph.constant(f"{name}.norm.weight", np.ones(_HIDDEN, np.float32))
    bias = graph.random(f"{name}.norm.bias", (_HIDDEN,), 0.1)
    return graph.node(
        "LayerNormalization", f"{name}.norm", [source, scale, bias], axis=-1, epsilon=1e-12
    )


def _scalar(graph: GraphBuilder, name: str, value: float) -> str:
    return graph.constant(name, np.array(value, np.float32))
