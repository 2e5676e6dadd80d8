"""Inputs, outputs and arrays as ais_bench's programs know them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

import numpy as np

from gearshift.errors import InputError
from gearshift.tensors import Array, Shape, TensorSpec, format_shape

_IMAGE_RANK: Final = 4


class DataType(IntEnum):
    """Element types by AscendCL's numbers, named as ``aclruntime.dtype`` names them."""

    float32 = 0
    float16 = 1
    int8 = 2
    int32 = 3
    uint8 = 4
    int16 = 6
    uint16 = 7
    uint32 = 8
    int64 = 9
    uint64 = 10
    float64 = 11
    bool = 12

    def __str__(self) -> str:
        return f"dtype.{self.name}"


@dataclass(frozen=True)
class TensorDesc:
    """An input or output.

    Attributes:
        name: as the model spells it.
        datatype: of its elements.
        format: "NCHW" or "NHWC" for images, else "ND".
        shape: -1 where the gear decides.
        size: bytes at the largest gear; 0 where a dim has no end.
        realsize: bytes at what the session is set to; 0 where that is not known.
    """

    name: str
    datatype: DataType
    format: str
    shape: list[int]
    size: int
    realsize: int


@dataclass
class Tensor:
    """An array where ais_bench has memory of a device."""

    array: Array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self.array, dtype)

    def to_host(self) -> None:
        """Does nothing: it is there already."""

    def to_device(self, device_id: int = 0) -> None:
        """Does nothing: there is one device, the CPU."""


@dataclass
class Summary:
    """How long runs took.

    Attributes:
        exec_time_list: milliseconds in the engine, one number per run.
    """

    exec_time_list: list[float] = field(default_factory=list)


def describe(
    spec: TensorSpec, layout: str, real: Shape | None, shapes: Sequence[Shape]
) -> TensorDesc:
    """What is told of an input or output.

    Args:
        spec: what it is.
        layout: how images lie.
        real: its shape at what the session is set to, if that is known.
        shapes: its shape at each gear.
    """
    sizes = [0 if min(shape, default=0) < 0 else spec.nbytes(shape) for shape in shapes]
    return TensorDesc(
        spec.name,
        DataType(spec.dtype.acl),
        layout if len(spec.shape) == _IMAGE_RANK else "ND",
        list(spec.shape),
        max(sizes, default=0),
        0 if real is None else spec.nbytes(real),
    )


def as_input(spec: TensorSpec, shape: Shape, array: Array) -> Array:
    """The array as the input takes it; flat ones are taken for its bytes, as on a card.

    Raises:
        InputError: it has not the input's bytes, or is of another dtype and not flat.
    """
    if array.dtype == spec.dtype.numpy and array.shape == shape:
        return array
    want = spec.nbytes(shape)
    if array.nbytes != want:
        raise InputError(
            f"input {spec.name!r} is {spec.dtype.name}{format_shape(shape)}, expected {want} "
            f"bytes; got {array.dtype}{format_shape(array.shape)}, which is {array.nbytes} bytes."
        )
    if array.dtype != spec.dtype.numpy and array.ndim > 1:
        raise InputError(
            f"input {spec.name!r} is {array.dtype}; the model takes {spec.dtype.name}. Convert "
            f"it with .astype(np.{spec.dtype.name}), or hand its bytes over as a flat array."
        )
    return np.ascontiguousarray(array).reshape(-1).view(spec.dtype.numpy).reshape(shape)
