"""Operators as tests call them: numpy arrays in, numpy arrays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gearshift.acl import buffers, descs, memory, runtime, util
from gearshift.acl.op import attrs as op_attrs
from gearshift.acl.op import run as op_run

NUMBERS = {
    "float32": 0, "float16": 1, "int8": 2, "int32": 3, "uint8": 4, "int16": 6, "uint16": 7,
    "uint32": 8, "int64": 9, "uint64": 10, "float64": 11, "bool": 12, "complex64": 16,
    "complex128": 17,
}  # fmt: skip
ND = 2


def attributes(values: Mapping[str, Any]) -> int:
    """A set of attributes, each set by the function for its type."""
    attr = op_attrs.create_attr()
    for name, value in values.items():
        kind = type(value).__name__
        if isinstance(value, list):
            kind = f"list_{type(value[0]).__name__ if value else 'int'}"
        kind = {"str": "string"}.get(kind, kind)
        assert getattr(op_attrs, f"set_attr_{kind}")(attr, name, value) == 0
    return attr


class Tensor:
    """Memory with a description and a data buffer."""

    def __init__(self, array: np.ndarray, number: int | None = None, layout: int = ND) -> None:
        self.array = array
        self.desc = descs.create_tensor_desc(
            NUMBERS[str(array.dtype)] if number is None else number, list(array.shape), layout
        )
        self.address, ret = memory.malloc(max(array.nbytes, 1), 0)
        assert ret == 0
        inline = np.ascontiguousarray(array)
        if array.nbytes:
            source = inline.ctypes.data
            assert memory.memcpy(self.address, array.nbytes, source, array.nbytes, 1) == 0
        self.buffer = buffers.create_data_buffer(self.address, array.nbytes)

    def read(self) -> np.ndarray:
        if not self.array.nbytes:
            return self.array
        data = util.ptr_to_bytes(self.address, self.array.nbytes)
        return np.frombuffer(data, self.array.dtype).reshape(self.array.shape)

    def free(self) -> None:
        descs.destroy_tensor_desc(self.desc)
        assert buffers.destroy_data_buffer(self.buffer) == 0
        assert memory.free(self.address) == 0


def run(
    name: str,
    inputs: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    layout: int = ND,
    **values: Any,
) -> tuple[int, list[np.ndarray]]:
    """The code of the call, or of the stream behind it, and the outputs."""
    given = [Tensor(array, layout=layout) for array in inputs]
    made = [Tensor(array, layout=layout) for array in outputs]
    attr = attributes(values)
    ret = op_run.execute_v2(
        name,
        [tensor.desc for tensor in given],
        [tensor.buffer for tensor in given],
        [tensor.desc for tensor in made],
        [tensor.buffer for tensor in made],
        attr,
        0,
    )
    ret = ret or runtime.synchronize_stream(0)
    results = [tensor.read() for tensor in made]
    op_attrs.destroy_attr(attr)
    for tensor in (*given, *made):
        tensor.free()
    return ret, results
