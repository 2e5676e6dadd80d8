"""An ONNX file as the protobuf message it is, before anything is asked of the model in it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from gearshift.errors import ModelError
from gearshift.tensors import dtype_of_onnx

_TYPED: Final = ("float_data", "double_data", "int32_data", "int64_data", "uint64_data")


def read_message(path: Path) -> onnx.ModelProto:
    """Reads a file whatever its name ends in; its external data stays where it is.

    Raises:
        ModelError: it cannot be read (E10041) or is not an ONNX file (E16005).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"model {str(path)!r} cannot be read: {error.strerror}. Check its name and "
            "permissions.",
            code="E10041",
        ) from error
    message = onnx.ModelProto()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise _not_onnx(path, len(data)) from error
    if not message.graph.node and not message.graph.output:  # most short files parse as nothing
        raise _not_onnx(path, len(data))
    return message


def not_text(message: Message) -> bytes | None:
    """The first name or other text in a message that is not UTF-8; None if all of it is."""
    for field, value in message.ListFields():
        if field.type not in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE):
            continue
        for item in (value,) if isinstance(value, (str, bytes, Message)) else value:
            # What does not decode comes as it is.
            found = not_text(item) if isinstance(item, Message) else item
            if isinstance(found, bytes):
                return found
    return None


def overfull(message: onnx.ModelProto) -> str | None:
    """The name of a tensor whose data are not those of its shape; None if there is none.

    ONNX's checker finds those that are too short; longer ones it lets pass.
    """
    nodes = (node for function in message.functions for node in function.node)
    for tensor in (*_tensors(message.graph), *_tensors_at(nodes)):
        dtype = dtype_of_onnx(tensor.data_type)
        if dtype is None or tensor.data_location == onnx.TensorProto.EXTERNAL:
            continue
        count = math.prod(tensor.dims)
        if tensor.raw_data:
            fits = len(tensor.raw_data) == count * dtype.itemsize
        else:
            fits = sum(len(getattr(tensor, field)) for field in _TYPED) == count
        if not fits:
            return tensor.name
    return None


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    yield from _tensors_at(graph.node)


def _tensors_at(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def _not_onnx(path: Path, size: int) -> ModelError:
    return ModelError(
        f"model {str(path)!r} is not an ONNX file: its {size} bytes do not parse as a model with a "
        "graph. Check that it is the right file and that it was copied whole.",
        code="E16005",
    )
