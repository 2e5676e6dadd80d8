"""What a tensor is to gearshift: one dtype table, TensorSpec, and how rows lie in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from gearshift.errors import OptionError

Shape = tuple[int, ...]
Range = tuple[int, int]
"""Lower and upper bound of a dim; an upper bound of -1 means there is none."""
Array = npt.NDArray[np.generic]

MBATCH_INPUT: Final = "ascend_mbatch_shape_data"
"""The extra input that carries the gear (``ACL_DYNAMIC_TENSOR_NAME`` in acl_mdl.h)."""


@dataclass(frozen=True)
class DType:
    """One element type under each of the names it goes by.

    Attributes:
        name: numpy's name, which is also ours.
        onnx: ``onnx.TensorProto.DataType`` number.
        acl: ``aclDataType`` number.
        itemsize: bytes per element.
    """

    name: str
    onnx: int
    acl: int
    itemsize: int

    @cached_property
    def numpy(self) -> np.dtype[np.generic]:
        """The numpy dtype, little-endian as on every machine the engines run on."""
        return np.dtype(self.name)


_TABLE: Final = (
    DType("float32", onnx=1, acl=0, itemsize=4),
    DType("uint8", onnx=2, acl=4, itemsize=1),
    DType("int8", onnx=3, acl=2, itemsize=1),
    DType("uint16", onnx=4, acl=7, itemsize=2),
    DType("int16", onnx=5, acl=6, itemsize=2),
    DType("int32", onnx=6, acl=3, itemsize=4),
    DType("int64", onnx=7, acl=9, itemsize=8),
    DType("bool", onnx=9, acl=12, itemsize=1),
    DType("float16", onnx=10, acl=1, itemsize=2),
    DType("float64", onnx=11, acl=11, itemsize=8),
    DType("uint32", onnx=12, acl=8, itemsize=4),
    DType("uint64", onnx=13, acl=10, itemsize=8),
)
_BY_NAME: Final = {dtype.name: dtype for dtype in _TABLE}
_BY_ONNX: Final = {dtype.onnx: dtype for dtype in _TABLE}
DTYPE_NAMES: Final = tuple(_BY_NAME)


def dtype_named(name: str) -> DType:
    """The dtype of that numpy name. Raises OptionError for a name not in the table."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise OptionError(
            f"dtype {name!r} is not one that gearshift can pass in or out; "
            f"allowed: {', '.join(DTYPE_NAMES)}. Add a Cast at the model's edge."
        ) from None


def dtype_of_onnx(number: int) -> DType | None:
    """The dtype of an ONNX type number, or None for one that cannot cross the model's edge."""
    return _BY_ONNX.get(number)


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a model: its name, dtype and shape.

    Attributes:
        name: as the model spells it.
        dtype: element type.
        shape: dims; -1 where the gear decides.
    """

    name: str
    dtype: DType
    shape: Shape

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype.name}{format_shape(self.shape)}"

    def nbytes(self, shape: Shape) -> int:
        """Bytes of a tensor of this dtype at the given (fully known) shape."""
        return math.prod(shape) * self.dtype.itemsize


@dataclass(frozen=True)
class RowLayout:
    """Where row ``i`` of the batch lies in a tensor.

    Row ``i`` is indices ``i * inner`` to ``(i + 1) * inner`` along `axis`; with `inner` 1, the
    usual case, it is simply index ``i``. A tensor that is the same for every row has no RowLayout.
    """

    axis: int = 0
    inner: int = 1


def format_shape(shape: Sequence[int]) -> str:
    """``[-1, 3, 48, 320]``, the way shapes are written in every message."""
    return "[" + ", ".join(str(dim) for dim in shape) + "]"
