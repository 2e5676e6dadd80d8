"""An ONNX file as JSON: its own protobuf message, without the elements of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import onnx
import onnx.shape_inference

from gearshift.dump.values import Json, message_json
from gearshift.errors import ModelError
from gearshift.frontend.bind import bind_inputs
from gearshift.frontend.onnx import load_program
from gearshift.tensors import Shape

ELEMENTS: Final = frozenset(
    {
        "raw_data",
        "float_data",
        "double_data",
        "int32_data",
        "int64_data",
        "uint64_data",
        "string_data",
    }
)
"""Fields of a tensor that hold its elements; they are left out."""

_LARGEST_KEPT: Final = 4096
"""Bytes. Longer tensors decide no shape."""


def onnx_json(message: onnx.ModelProto) -> Json:
    """A file as it is."""
    return message_json(message, ELEMENTS)


def with_shapes(path: Path, message: onnx.ModelProto, shapes: Mapping[str, Shape]) -> Json:
    """The same, with the shape of every value that follows from those of the inputs.

    Args:
        path: the file.
        message: what is in it; its inputs are given the shapes.
        shapes: of inputs, by name; -1 for a dim that is left open.

    Raises:
        ModelError: the file is not valid ONNX, or its shapes contradict each other.
        OptionErrors: a shape is given for something that is no input.
    """
    bind_inputs(load_program(path), shapes)  # for the checks of both
    for value in message.graph.input:
        if value.name in shapes:
            _set_dims(value, shapes[value.name])
    for tensor in message.graph.initializer:
        if len(tensor.raw_data) > _LARGEST_KEPT:
            tensor.ClearField("raw_data")
    try:
        inferred = onnx.shape_inference.infer_shapes(message, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError) as error:
        raise ModelError(
            f"the shapes of model {str(path)!r} cannot be inferred: {str(error).strip()}. "
            "Check the shapes of its inputs.",
            code="E16005",
        ) from error
    return message_json(inferred, ELEMENTS)


def _set_dims(value: onnx.ValueInfoProto, shape: Shape) -> None:
    dims = value.type.tensor_type.shape.dim
    for dim, size in zip(dims, shape, strict=True):
        if size >= 0:
            dim.dim_value = size
