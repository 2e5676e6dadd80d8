"""Model files for tests, made by script, and ONNX Runtime as the one to agree with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from gearshift.tensors import Array


def save_text(text: str, path: Path) -> Path:
    """Writes a model given in the syntax of `onnx.parser`."""
    onnx.save(onnx.parser.parse_model(text), str(path))
    return path


def detector(path: Path) -> Path:
    """The two inputs of ATC's own example: data [N, 3, 416, 416] and img_info [N, 4].

    A strided convolution, a pooled head, and boxes scaled by what img_info says of each image.
    """
    random = np.random.default_rng(0)
    weights = {
        "kernel": random.standard_normal((8, 3, 8, 8)).astype(np.float32) / 8,
        "head": random.standard_normal((8 * 13 * 13, 20)).astype(np.float32) / 40,
        "ratio": np.array([0.5, 2, 1, 0.25], np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["data", "kernel"], ["c"], "conv", strides=[8, 8]),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("AveragePool", ["r"], ["p"], "pool", kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Flatten", ["p"], ["f"], "flatten"),
        helper.make_node("MatMul", ["f", "head"], ["h"], "head"),
        helper.make_node("Mul", ["img_info", "ratio"], ["s"], "scale"),
        helper.make_node("Concat", ["h", "s"], ["boxes"], "boxes", axis=1),
        helper.make_node("Softmax", ["h"], ["scores"], "scores", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "detector",
        [
            helper.make_tensor_value_info("data", TensorProto.FLOAT, ["N", 3, 416, 416]),
            helper.make_tensor_value_info("img_info", TensorProto.FLOAT, ["N", 4]),
        ],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", 24]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 20]),
        ],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def run_onnxruntime(path: Path, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """What ONNX Runtime gives for a file, by output name."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(feeds)), strict=True))
