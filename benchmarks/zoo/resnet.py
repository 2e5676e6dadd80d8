"""ResNet-50 v1.5: the stride lies on the 3x3 convolution of a bottleneck, batch norm is folded."""

from __future__ import annotations

from typing import Final

import onnx
from onnx import TensorProto

from benchmarks.zoo.graphs import GraphBuilder

INPUT: Final = "input"
ROW: Final = (3, 224, 224)
_CLASSES: Final = 1000
_STAGES: Final = ((64, 3), (128, 4), (256, 6), (512, 3))  # width of a bottleneck, how many of them
_EXPANSION: Final = 4
_BLOCKS: Final = sum(count for _, count in _STAGES)


def build() -> onnx.ModelProto:
    """The model, with the same weights each time."""
    graph = GraphBuilder("resnet50", seed=50)
    value = graph.conv("conv1", INPUT, (3, 64), kernel=7, stride=2)
    value = graph.node("Relu", "relu", [value])
    value = graph.node(
        "MaxPool", "maxpool", [value], kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2]
    )
    channels = 64
    for stage, (width, count) in enumerate(_STAGES, start=1):
        for block in range(count):
            stride = 2 if stage > 1 and block == 0 else 1
            value = _bottleneck(graph, f"layer{stage}.{block}", value, (channels, width), stride)
            channels = width * _EXPANSION
    logits = graph.classify(value, channels, _CLASSES)
    return graph.model({INPUT: (TensorProto.FLOAT, ROW)}, {"logits": (logits, [_CLASSES])})


def _bottleneck(
    graph: GraphBuilder, name: str, source: str, channels: tuple[int, int], stride: int
) -> str:
    entering, width = channels
    leaving = width * _EXPANSION
    value = graph.conv(f"{name}.conv1", source, (entering, width))
    value = graph.node("Relu", f"{name}.relu1", [value])
    value = graph.conv(f"{name}.conv2", value, (width, width), kernel=3, stride=stride)
    value = graph.node("Relu", f"{name}.relu2", [value])
    # Sixteen sums in a row: each adds a share, or the last would be the largest by far.
    value = graph.conv(f"{name}.conv3", value, (width, leaving), gain=2 / _BLOCKS)
    if entering != leaving:
        source = graph.conv(f"{name}.downsample", source, (entering, leaving), stride=stride)
    total = graph.node("Add", f"{name}.add", [value, source])
    return graph.node("Relu", f"{name}.relu3", [total])
