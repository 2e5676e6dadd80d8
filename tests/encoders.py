"""A transformer encoder of any number of sentences of any length, in exporters' operators."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gearshift.tensors import Array


class Encoder:
    """A transformer encoder of two layers: any number of sentences, any length up to 32."""

    HIDDEN, HEADS, WORDS, PLACES = 16, 2, 50, 32

    def __init__(self) -> None:
        self._dice = np.random.default_rng(11)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, Array] = {}

    def save(self, path: Path) -> Path:
        """Writes it."""
        value = self._embedded()
        for layer in range(2):
            value = self._layer(f"layer{layer}", value)
        self._node("Identity", [value], "hidden")
        self._node("Gather", ["hidden", self._whole("first", 0)], "sentence", axis=1)
        ids, mask = (
            helper.make_tensor_value_info(name, TensorProto.INT64, ["N", "T"])
            for name in ("input_ids", "attention_mask")
        )
        outputs = {"hidden": ["N", "T", self.HIDDEN], "sentence": ["N", self.HIDDEN]}
        graph = helper.make_graph(
            self._nodes,
            "encoder",
            [ids, mask],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in outputs.items()
            ],
            [numpy_helper.from_array(array, name) for name, array in self._weights.items()],
        )
        opset = helper.make_opsetid("", 17)
        onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), str(path))
        return path

    def _node(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        self._nodes.append(helper.make_node(op, inputs, [output], output, **attributes))
        return output

    def _weight(self, name: str, *shape: int) -> str:
        scale = np.float32(1 / math.sqrt(shape[0]))
        self._weights[name] = self._dice.standard_normal(shape, np.float32) * scale
        return name

    def _whole(self, name: str, value: object) -> str:
        self._weights[name] = np.array(value, np.int64)
        return name

    def _number(self, name: str, value: float) -> str:
        self._weights[name] = np.array(value, np.float32)
        return name

    def _embedded(self) -> str:
        """Words and places; as many places as there are words, as exporters write it."""
        words = self._weight("words", self.WORDS, self.HIDDEN)
        places = self._weight("places", self.PLACES, self.HIDDEN)
        word = self._node("Gather", [words, "input_ids"], "word")
        dims = self._node("Shape", ["input_ids"], "dims")
        length = self._node("Gather", [dims, self._whole("axis1", [1])], "length", axis=0)
        start = self._whole("zero", [0])
        place = self._node("Slice", [places, start, length, start], "place")
        mask = self._node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
        mask = self._node("Unsqueeze", [mask, self._whole("axes12", [1, 2])], "mask4")
        barred = self._node("Sub", [self._number("one", 1), mask], "barred")
        self._node("Mul", [barred, self._number("wall", -1e4)], "barrier")
        return self._node("Add", [word, place], "embedded")

    def _layer(self, name: str, value: str) -> str:
        size, heads = self.HIDDEN, self.HEADS
        split = self._whole("split", [0, 0, heads, size // heads])
        turned = {}
        for part, perm in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
            weight = self._weight(f"{name}.{part}.w", size, size)
            made = self._node("MatMul", [value, weight], f"{name}.{part}")
            made = self._node("Reshape", [made, split], f"{name}.{part}.split")
            turned[part] = self._node("Transpose", [made], f"{name}.{part}.turned", perm=perm)
        scores = self._node("MatMul", [turned["q"], turned["k"]], f"{name}.scores")
        scores = self._node("Add", [scores, "barrier"], f"{name}.barred")
        shares = self._node("Softmax", [scores], f"{name}.shares", axis=-1)
        mixed = self._node("MatMul", [shares, turned["v"]], f"{name}.mixed")
        mixed = self._node("Transpose", [mixed], f"{name}.back", perm=[0, 2, 1, 3])
        mixed = self._node("Reshape", [mixed, self._whole("join", [0, 0, size])], f"{name}.join")
        value = self._node("Add", [value, mixed], f"{name}.sum")
        wide = self._node("MatMul", [value, self._weight(f"{name}.up", size, 32)], f"{name}.wide")
        wide = self._node("Relu", [wide], f"{name}.relu")
        down = self._weight(f"{name}.down", 32, size)
        return self._node("MatMul", [wide, down], f"{name}.out")


def sentences(rows: int, length: int) -> dict[str, Array]:
    """Words of sentences that end at different places."""
    random = np.random.default_rng(rows * 100 + length)
    ends = random.integers(1, length, (rows, 1), endpoint=True)
    mask = (np.arange(length) < ends).astype(np.int64)
    return {
        "input_ids": random.integers(1, Encoder.WORDS, (rows, length)) * mask,
        "attention_mask": mask,
    }
