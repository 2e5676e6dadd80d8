"""A picture as an operation sees it: what its description says, checked, and its memory."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Final

import numpy as np

from gearshift.acl.blocks import BLOCKS
from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.media.descs import PictureDesc
from gearshift.acl.media.pictures import LAYOUTS, Area, Layout, Pixels, Planes, on_memory

WIDEST: Final = 16384
_ALIGNMENT: Final = 16
_WIDE: Final = 4096


@dataclass(frozen=True)
class Picture:
    """A picture as its description stood when an operation was asked for.

    Attributes:
        layout: its format.
        address: where it lies.
        width: pixels of a row, as many as the format can have.
        height: rows, as many as the format can have.
        row_bytes: bytes of a row in memory.
        rows: rows in memory.
    """

    layout: Layout
    address: int
    width: int
    height: int
    row_bytes: int
    rows: int

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return self.layout.size(self.row_bytes, self.rows)

    @property
    def area(self) -> Area:
        """All of it."""
        return Area(0, self.width - 1, 0, self.height - 1)

    def planes(self) -> Planes:
        """Arrays on its memory; refused if it is not there (any more)."""
        memory = bytes_at(self.address, self.size, "picture")
        return on_memory(
            memory, self.layout, (self.width, self.height), (self.row_bytes, self.rows)
        )

    def write(self, planes: Planes) -> None:
        """Puts pixels into its memory, and leaves what lies beside the picture."""
        for into, plane in zip(self.planes(), planes, strict=True):
            into[...] = plane


def bytes_at(address: int, size: int, role: str) -> Pixels:
    """Memory that was allocated here, as an array; refused if it is other memory."""
    if not BLOCKS.check(address, size, role):
        raise Refusal(
            Code.RT_PARAM_INVALID,
            f"the {role} at {address:#x} is not in memory of the device: acl.media.dvpp_malloc",
        )
    return np.frombuffer(memoryview((ctypes.c_uint8 * size).from_address(address)), np.uint8)


def layout_of(number: int, allowed: tuple[Layout, ...] = ()) -> Layout:
    """A format by its number; refused if there is no such, or it is not allowed here."""
    choice = allowed or tuple(LAYOUTS.values())
    layout = LAYOUTS.get(number)
    if layout not in choice:
        names = ", ".join(f"{each.number} ({each.name})" for each in choice)
        raise Refusal(Code.INVALID_PARAM, f"format {number}; {names} are known here")
    return layout


def aligned(value: int, to: int) -> int:
    """The next multiple."""
    return -(-value // to) * to


def picture(
    desc: PictureDesc,
    allowed: tuple[Layout, ...] = (),
    smallest: tuple[int, int] = (10, 6),
    size: tuple[int, int] = (0, 0),
) -> Picture:
    """What a description says, checked.

    Args:
        desc: the description.
        allowed: the formats that will do; all if not given.
        smallest: width and height of the smallest picture that will do.
        size: width and height of a picture whose description leaves them at 0.
    """
    layout = layout_of(desc.format, allowed)
    width, height = desc.width or size[0], desc.height or size[1]
    if not (smallest[0] <= width <= WIDEST and smallest[1] <= height <= WIDEST):
        raise Refusal(
            Code.INVALID_PARAM,
            f"a picture of {width} x {height}; it is from {smallest[0]} x {smallest[1]} to "
            f"{WIDEST} x {WIDEST}",
        )
    row_bytes = desc.width_stride or aligned(width * layout.row_factor, _ALIGNMENT)
    rows = desc.height_stride or aligned(height, 2)
    _check_strides(layout, (width, height), row_bytes, rows)
    whole = (width - width % layout.across, height - height % layout.down)
    made = Picture(layout, desc.data, *whole, row_bytes, rows)
    _check_memory(made, desc.size)
    return made


def _check_strides(layout: Layout, size: tuple[int, int], row_bytes: int, rows: int) -> None:
    width, height = size
    step = 2 if width > _WIDE else _ALIGNMENT
    if row_bytes < width * layout.row_factor or row_bytes % step:
        raise Refusal(
            Code.INVALID_PARAM,
            f"a width stride of {row_bytes} for {width} pixels of {layout.name}; it is a multiple "
            f"of {step}, and {width * layout.row_factor} or more",
        )
    if rows < height or rows % layout.down:
        raise Refusal(
            Code.INVALID_PARAM,
            f"a height stride of {rows} for {height} rows of {layout.name}; it is a multiple of "
            f"{layout.down}, and {height} or more",
        )


def _check_memory(made: Picture, size: int) -> None:
    if not made.address:
        raise Refusal(Code.INVALID_PARAM, "the picture description has no data")
    if size < made.size:
        raise Refusal(
            Code.INVALID_PARAM,
            f"{size} bytes for a picture of {made.size}: {made.layout.name} with strides of "
            f"{made.row_bytes} bytes and {made.rows} rows",
        )
    bytes_at(made.address, made.size, "picture")
