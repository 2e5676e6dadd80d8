"""External data: tensors whose bytes lie in files beside the model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import onnx_ir as ir

from gearshift.errors import ModelError


def external_tensors(model: ir.Model) -> Iterator[ir.ExternalTensor]:
    """Every tensor of the model, in branches, loops and attributes too, that lies outside it."""
    for tensor in _tensors(model):
        if isinstance(tensor, ir.ExternalTensor):
            yield tensor


def check_external(path: Path, model: ir.Model) -> None:
    """Holds what the model says of its external data against the files, before any is mapped.

    Raises:
        ModelError: a file cannot be read, or ends before a tensor's data do (E16005).
    """
    for tensor in external_tensors(model):
        if tensor.dtype is ir.DataType.STRING:
            continue  # has no size that could be told; text takes no part in any gear
        fault = _fault(tensor)
        if fault:
            raise ModelError(
                f"model {str(path)!r} keeps tensor {tensor.name!r} in the file "
                f"{str(tensor.path)!r}, {fault}. Copy both files again, whole and together, or "
                "export the model again.",
                code="E16005",
            )


def _fault(tensor: ir.ExternalTensor) -> str | None:
    start, length = tensor.offset or 0, tensor.length
    if length is not None and length < tensor.nbytes:
        return f"as {length} bytes, but {tensor.dtype}{tensor.shape} takes {tensor.nbytes}"
    end = start + max(length or 0, tensor.nbytes)
    try:
        with open(tensor.path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
    except OSError as error:
        return f"which cannot be read: {error.strerror}"
    if start < 0 or end > size:
        return f"bytes {start} to {end}, but that file has only {size} bytes"
    return None


def _tensors(model: ir.Model) -> Iterator[ir.TensorProtocol | None]:
    for graph in model.graphs():
        yield from (value.const_value for value in graph.initializers.values())
    bodies: list[ir.Graph | ir.Function] = [model.graph, *model.functions.values()]
    for body in bodies:
        for node in ir.traversal.RecursiveGraphIterator(body):
            for attribute in node.attributes.values():
                if attribute.type is ir.AttributeType.TENSOR and not attribute.is_ref():
                    yield attribute.as_tensor()
                elif attribute.type is ir.AttributeType.TENSORS and not attribute.is_ref():
                    yield from attribute.as_tensors()
