"""Bytes of an element by AscendCL's number of its type."""

from __future__ import annotations

from typing import Final

from gearshift.tensors import DTYPE_NAMES, dtype_named

_COMPLEX_AND_BFLOAT: Final = {16: 8, 17: 16, 27: 2}
"""Types that no model takes here, but that have a size."""

ITEM_SIZES: Final = {
    dtype.acl: dtype.itemsize for dtype in map(dtype_named, DTYPE_NAMES)
} | _COMPLEX_AND_BFLOAT
