"""MobileNetV2 at width 1.0: inverted residuals, ReLU6 as a Clip, batch norm folded."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from onnx import TensorProto

from benchmarks.zoo.graphs import GraphBuilder

INPUT: Final = "input"
ROW: Final = (3, 224, 224)
_CLASSES: Final = 1000
_FEATURES: Final = 1280
_STAGES: Final = (  # expansion, channels, blocks, stride of the first
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def build() -> onnx.ModelProto:
    """The model, with the same weights each time."""
    graph = GraphBuilder("mobilenetv2", seed=2)
    channels = 32
    value = _relu6(graph, graph.conv("stem", INPUT, (3, channels), kernel=3, stride=2), "stem")
    for stage, (expansion, leaving, count, first) in enumerate(_STAGES, start=1):
        for block in range(count):
            name, stride = f"stage{stage}.{block}", first if block == 0 else 1
            value = _block(graph, name, value, (channels, leaving), expansion, stride)
            channels = leaving
    # The blocks end without a ReLU, so what reads them has no halved signal to make up for.
    value = _relu6(graph, graph.conv("head", value, (channels, _FEATURES), gain=1), "head")
    logits = graph.classify(value, _FEATURES, _CLASSES)
    return graph.model({INPUT: (TensorProto.FLOAT, ROW)}, {"logits": (logits, [_CLASSES])})


def _block(
    graph: GraphBuilder,
    name: str,
    source: str,
    channels: tuple[int, int],
    expansion: int,
    stride: int,
) -> str:
    entering, leaving = channels
    width = entering * expansion
    value = source
    if expansion > 1:
        value = graph.conv(f"{name}.expand", value, (entering, width), gain=1)
        value = _relu6(graph, value, f"{name}.expand")
    depthwise = graph.conv(
        f"{name}.depthwise", value, (width, width), kernel=3, stride=stride, group=width
    )
    value = _relu6(graph, depthwise, f"{name}.depthwise")
    value = graph.conv(f"{name}.project", value, (width, leaving))
    if stride == 1 and entering == leaving:
        value = graph.node("Add", f"{name}.add", [source, value])
    return value


def _relu6(graph: GraphBuilder, source: str, name: str) -> str:
    low = graph.constant("relu6.min", np.array(0, np.float32))
    high = graph.constant("relu6.max", np.array(6, np.float32))
    return graph.node("Clip", f"{name}.relu6", [source, low, high])
