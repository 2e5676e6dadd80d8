"""Tensor descriptions: type, shape and format, which go beside a data buffer."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any, Final

from gearshift.acl.blocks import BLOCKS
from gearshift.acl.call import (
    ADDRESS,
    INT,
    LONG,
    SIZE,
    TEXT,
    Kind,
    Refusal,
    beside,
    fallback,
    public,
)  # fmt: skip
from gearshift.acl.codes import Code
from gearshift.acl.dtypes import ITEM_SIZES
from gearshift.acl.handles import Handles

UNDEFINED: Final = -1
MOST_DIMS: Final = 128


@dataclass
class TensorDesc:
    """One description.

    Attributes:
        dtype: AscendCL's number of its type.
        dims: its shape; -1 is not known yet.
        format: AscendCL's number of its layout.
        name: what the program called it.
        ranges: smallest and largest of each dim, where given.
        constant: its value, where given.
    """

    dtype: int
    dims: list[int]
    format: int
    name: str = ""
    ranges: list[list[int]] = field(default_factory=list)
    constant: bytes | None = None

    @property
    def elements(self) -> int:
        """How many elements there are; 0 while a dim is not known."""
        return prod(self.dims) if all(dim >= 0 for dim in self.dims) else 0

    @property
    def size(self) -> int:
        """Bytes of all elements."""
        return self.elements * ITEM_SIZES.get(self.dtype, 0)


def _dims(value: Any) -> list[int]:
    if not isinstance(value, list):
        raise TypeError("a list of whole numbers is wanted")
    return [LONG.read(dim) for dim in value]


def _ranges(value: Any) -> list[list[int]]:
    if not isinstance(value, list):
        raise TypeError("a list of pairs is wanted")
    pairs = [[LONG.read(end) for end in pair] for pair in value]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("a range is a smallest and a largest value")
    return pairs


DIMS: Final = Kind("list of int", _dims)
RANGES: Final = Kind("list of pairs", _ranges)
DESCS: Final[Handles[TensorDesc]] = Handles("tensor description")


def _check_dims(dims: list[int]) -> None:
    if len(dims) > MOST_DIMS or any(dim < -2 for dim in dims):
        raise Refusal(
            Code.INVALID_PARAM, f"dims {dims}; there are at most {MOST_DIMS}, none below -2"
        )


@public("acl.create_tensor_desc", INT, DIMS, INT, failed=fallback(0))
def create_tensor_desc(dtype: int, dims: list[int], layout: int) -> int:
    """Makes a tensor description.

    Args:
        dtype: AscendCL's number of the type.
        dims: the shape, a list.
        layout: AscendCL's number of the format.

    Returns:
        its handle; 0 for dims that no tensor has.
    """
    _check_dims(dims)
    return DESCS.add(TensorDesc(dtype, dims, layout))


@public("acl.destroy_tensor_desc", ADDRESS, failed=fallback(None))
def destroy_tensor_desc(desc: int) -> None:
    """Destroys a tensor description.

    Args:
        desc: its handle.

    Returns:
        None.
    """
    DESCS.remove(desc)


@public("acl.get_tensor_desc_type", ADDRESS, failed=fallback(UNDEFINED))
def get_tensor_desc_type(desc: int) -> int:
    """Type of a tensor.

    Args:
        desc: its handle.

    Returns:
        AscendCL's number; -1 if it is no description.
    """
    return DESCS.get(desc).dtype


@public("acl.get_tensor_desc_format", ADDRESS, failed=fallback(UNDEFINED))
def get_tensor_desc_format(desc: int) -> int:
    """Format of a tensor.

    Args:
        desc: its handle.

    Returns:
        AscendCL's number; -1 if it is no description.
    """
    return DESCS.get(desc).format


@public("acl.get_tensor_desc_size", ADDRESS, failed=fallback(0))
def get_tensor_desc_size(desc: int) -> int:
    """Bytes of a tensor.

    Args:
        desc: its handle.

    Returns:
        bytes; 0 if it is no description, or a dim or the type is not known.
    """
    return DESCS.get(desc).size


@public("acl.get_tensor_desc_element_count", ADDRESS, failed=fallback(0))
def get_tensor_desc_element_count(desc: int) -> int:
    """Elements of a tensor.

    Args:
        desc: its handle.

    Returns:
        their number; 0 if it is no description, or a dim is not known.
    """
    return DESCS.get(desc).elements


@public("acl.get_tensor_desc_num_dims", ADDRESS, failed=fallback(0))
def get_tensor_desc_num_dims(desc: int) -> int:
    """Rank of a tensor.

    Args:
        desc: its handle.

    Returns:
        how many dims there are; 0 if it is no description.
    """
    return len(DESCS.get(desc).dims)


@public("acl.get_tensor_desc_dim", ADDRESS, SIZE, failed=fallback(UNDEFINED))
def get_tensor_desc_dim(desc: int, index: int) -> int:
    """One dim of a tensor (`get_tensor_desc_dim_v2` tells a failure from a dim).

    Args:
        desc: its handle.
        index: from 0.

    Returns:
        the dim; -1 if there is none.
    """
    return _dim(desc, index)


@public("acl.get_tensor_desc_dim_v2", ADDRESS, SIZE, failed=beside(0))
def get_tensor_desc_dim_v2(desc: int, index: int) -> tuple[int, int]:
    """One dim of a tensor.

    Args:
        desc: its handle.
        index: from 0.

    Returns:
        (the dim, 0); 100000 if there is none.
    """
    return _dim(desc, index), 0


def _dim(desc: int, index: int) -> int:
    dims = DESCS.get(desc).dims
    if index >= len(dims):
        raise Refusal(Code.INVALID_PARAM, f"dim {index} of a tensor that has {len(dims)}")
    return dims[index]


@public("acl.get_tensor_desc_dim_range", ADDRESS, SIZE, failed=beside([]))
def get_tensor_desc_dim_range(desc: int, index: int) -> tuple[list[int], int]:
    """Smallest and largest value of one dim.

    Args:
        desc: its handle.
        index: from 0.

    Returns:
        ([smallest, largest], 0); 100000 if there is no such dim, or none were given.
    """
    ranges = DESCS.get(desc).ranges
    if index >= len(ranges):
        raise Refusal(Code.INVALID_PARAM, f"range {index} of a tensor that has {len(ranges)}")
    return list(ranges[index]), 0


@public("acl.set_tensor_shape_range", ADDRESS, RANGES)
def set_tensor_shape_range(desc: int, ranges: list[list[int]]) -> int:
    """Gives each dim a smallest and a largest value.

    Args:
        desc: its handle.
        ranges: a list of pairs, one for each dim.

    Returns:
        0; 100000 if it is no description, or there are not as many dims.
    """
    held = DESCS.get(desc)
    if len(ranges) != len(held.dims):
        raise Refusal(Code.INVALID_PARAM, f"{len(ranges)} ranges for {len(held.dims)} dims")
    held.ranges = ranges
    return 0


@public("acl.set_tensor_desc_name", ADDRESS, TEXT, failed=fallback(None))
def set_tensor_desc_name(desc: int, name: str) -> None:
    """Names a tensor.

    Args:
        desc: its handle.
        name: any.

    Returns:
        None.
    """
    DESCS.get(desc).name = name


@public("acl.get_tensor_desc_name", ADDRESS, failed=fallback(""))
def get_tensor_desc_name(desc: int) -> str:
    """Name of a tensor.

    Args:
        desc: its handle.

    Returns:
        the name; empty if it has none.
    """
    return DESCS.get(desc).name


@public("acl.set_tensor_const", ADDRESS, ADDRESS, SIZE)
def set_tensor_const(desc: int, ptr: int, size: int) -> int:
    """Gives a tensor a fixed value, of which it keeps a copy; null and 0 bytes take it back.

    Args:
        desc: its handle.
        ptr: where the value lies.
        size: bytes.

    Returns:
        0; 100000 if it is no description, or only one of address and size is 0; 107000 if the
        value cannot be read.
    """
    held = DESCS.get(desc)
    if bool(ptr) != bool(size):
        raise Refusal(Code.INVALID_PARAM, f"a value of {size} bytes at {ptr:#x}")
    held.constant = BLOCKS.read(ptr, size) if ptr else None
    return 0
