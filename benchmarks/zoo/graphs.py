"""Writing an inference graph node by node, the way exporters lay one out."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gearshift.tensors import Array

OPSET: Final = 17
ROWS: Final = "N"
"""Name of the dim that holds the rows."""


class GraphBuilder:
    """A graph that grows by one node at a time; every value is named after the node giving it."""

    def __init__(self, name: str, seed: int) -> None:
        self._name = name
        self._dice = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, Array] = {}

    def node(self, op: str, name: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Adds a node with one output; gives the output's name."""
        output = f"{name}_out"
        self._nodes.append(helper.make_node(op, list(inputs), [output], name, **attributes))
        return output

    def constant(self, name: str, array: Array) -> str:
        """Adds an initializer, or takes the one already there under that name."""
        self._weights.setdefault(name, array)
        return name

    def random(self, name: str, shape: Sequence[int], deviation: float) -> str:
        """Adds an initializer of normally distributed weights."""
        weights = self._dice.standard_normal(tuple(shape), np.float32)
        return self.constant(name, weights * np.float32(deviation))

    def conv(
        self,
        name: str,
        source: str,
        channels: tuple[int, int],
        *,
        kernel: int = 1,
        stride: int = 1,
        group: int = 1,
        gain: float = 2.0,
    ) -> str:
        """Adds a convolution that keeps the size (but for its stride), batch norm folded into it.

        Args:
            name: of the node.
            source: the value it reads.
            channels: how many go in and how many come out.
            kernel: its side.
            stride: along both sides.
            group: as in ONNX.
            gain: variance of what comes out over the mean square of what goes in; 2 makes up for a
                ReLU before it.
        """
        entering, leaving = channels
        shape = (leaving, entering // group, kernel, kernel)
        fan_in = math.prod(shape[1:])
        weight = self.random(f"{name}.weight", shape, math.sqrt(gain / fan_in))
        bias = self.random(f"{name}.bias", (leaving,), 0.1)
        return self.node(
            "Conv",
            name,
            [source, weight, bias],
            dilations=[1, 1],
            group=group,
            kernel_shape=[kernel, kernel],
            pads=[kernel // 2] * 4,
            strides=[stride, stride],
        )

    def classify(self, source: str, features: int, classes: int) -> str:
        """Adds what ends an image classifier: the mean over the image, then a linear layer."""
        pooled = self.node("GlobalAveragePool", "avgpool", [source])
        flat = self.node("Flatten", "flatten", [pooled], axis=1)
        weight = self.random("fc.weight", (classes, features), math.sqrt(1 / features))
        bias = self.random("fc.bias", (classes,), 0.1)
        return self.node("Gemm", "fc", [flat, weight, bias], alpha=1.0, beta=1.0, transB=1)

    def model(
        self,
        inputs: Mapping[str, tuple[int, Sequence[int]]],
        outputs: Mapping[str, tuple[str, Sequence[int]]],
    ) -> onnx.ModelProto:
        """The finished model, checked.

        Args:
            inputs: element type and row shape by name.
            outputs: the float value to give out and its row shape, by name.
        """
        for name, (value, _) in outputs.items():
            self._nodes.append(helper.make_node("Identity", [value], [name], f"{name}_identity"))
        graph = helper.make_graph(
            self._nodes,
            self._name,
            [
                helper.make_tensor_value_info(name, dtype, [ROWS, *row])
                for name, (dtype, row) in inputs.items()
            ],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [ROWS, *row])
                for name, (_, row) in outputs.items()
            ],
            [numpy_helper.from_array(array, name) for name, array in self._weights.items()],
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=8,
            producer_name="gearshift benchmarks",
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def save(model: onnx.ModelProto, path: Path) -> None:
    """Writes the file in one go, so that whoever finds it finds all of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        onnx.save(model, str(scratch))
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
