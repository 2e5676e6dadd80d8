"""Configurations of operations: areas, ways to resize, quality of JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gearshift.acl.call import ADDRESS, UINT, Refusal, public
from gearshift.acl.codes import Code
from gearshift.acl.handles import Handles
from gearshift.acl.media.fields import NOTHING, Family
from gearshift.acl.media.memory import Picture
from gearshift.acl.media.pictures import Area, Layout

_OFFSETS: Final = range(1 << 16)
_SMALLEST: Final = (10, 6)


@dataclass(eq=False)
class Roi:
    """An area as a program says it; the last column and row are in it.

    Attributes:
        left: its first column.
        right: its last column.
        top: its first row.
        bottom: its last row.
    """

    left: int
    right: int
    top: int
    bottom: int


@dataclass(eq=False)
class Resize:
    """How to resize.

    Attributes:
        interpolation: 0, 1 and 3 bilinear, 2 and 4 nearest neighbour.
    """

    interpolation: int = 0

    @property
    def nearest(self) -> bool:
        """Whether pixels are taken as they are."""
        return self.interpolation in (2, 4)


@dataclass(eq=False)
class Jpege:
    """How to encode a JPEG.

    Attributes:
        level: its quality.
    """

    level: int = 100


ROIS: Final[Handles[Roi]] = Handles("area configuration")
RESIZES: Final[Handles[Resize]] = Handles("resize configuration")
JPEGES: Final[Handles[Jpege]] = Handles("JPEG encoding configuration")

_roi: Final = Family("acl.media.dvpp_{}_roi_config", ROIS, "an area configuration")
_roi.destroyed()
_roi.set("left", UINT, "the first column; below 65536", _OFFSETS)
_roi.set("right", UINT, "the last column; below 65536", _OFFSETS)
_roi.set("top", UINT, "the first row; below 65536", _OFFSETS)
_roi.set("bottom", UINT, "the last row; below 65536", _OFFSETS)

_resize: Final = Family("acl.media.dvpp_{}_resize_config", RESIZES, "a resize configuration")
_resize.made(Resize)
_resize.value("interpolation", UINT, "the way; 0, 1, 3 bilinear, 2, 4 nearest neighbour", range(5))

_jpege: Final = Family("acl.media.dvpp_{}_jpege_config", JPEGES, "a JPEG encoding configuration")
_jpege.made(Jpege)
_jpege.value("level", UINT, "the quality; from 1 to 100, the best, and 0 is 100", range(101))


@public("acl.media.dvpp_create_roi_config", UINT, UINT, UINT, UINT, failed=NOTHING)
def dvpp_create_roi_config(left: int, right: int, top: int, bottom: int) -> int:
    """Makes an area configuration; it is held against a picture when it is used.

    Args:
        left: its first column.
        right: its last column.
        top: its first row.
        bottom: its last row.

    Returns:
        its handle; 0 if an offset is 65536 or more.
    """
    return ROIS.add(_checked(left, right, top, bottom))


@public("acl.media.dvpp_set_roi_config", ADDRESS, UINT, UINT, UINT, UINT)
def dvpp_set_roi_config(config: int, left: int, right: int, top: int, bottom: int) -> int:
    """Sets all of an area configuration.

    Args:
        config: its handle.
        left: its first column.
        right: its last column.
        top: its first row.
        bottom: its last row.

    Returns:
        0; 100000 if the handle is of none, or an offset is 65536 or more.
    """
    held = ROIS.get(config)
    vars(held).update(vars(_checked(left, right, top, bottom)))
    return 0


def _checked(*offsets: int) -> Roi:
    if any(offset not in _OFFSETS for offset in offsets):
        raise Refusal(Code.INVALID_PARAM, f"offsets {offsets}; they are from 0 to 65535")
    return Roi(*offsets)


def area(roi: Roi, within: Picture, step: int = 1) -> Area:
    """An area of a picture, checked.

    Args:
        roi: as the program says it.
        within: the picture.
        step: of what its left offset is a multiple.
    """
    made = Area(roi.left, roi.right, roi.top, roi.bottom)
    place = f"the area from ({made.left}, {made.top}) to ({made.right}, {made.bottom})"
    if made.width < _SMALLEST[0] or made.height < _SMALLEST[1]:
        raise Refusal(
            Code.INVALID_PARAM,
            f"{place} is {made.width} x {made.height}; {_SMALLEST[0]} x {_SMALLEST[1]} is smallest",
        )
    if made.right >= within.width or made.bottom >= within.height:
        raise Refusal(
            Code.INVALID_PARAM, f"{place} leaves the picture of {within.width} x {within.height}"
        )
    _check_parity(made, within.layout, place)
    if made.left % step:
        raise Refusal(Code.INVALID_PARAM, f"{place}: its left offset is a multiple of {step}")
    return made


def _check_parity(made: Area, layout: Layout, place: str) -> None:
    across = made.left % layout.across or made.width % layout.across
    down = made.top % layout.down or made.height % layout.down
    if across or down:
        raise Refusal(
            Code.INVALID_PARAM,
            f"{place} cuts through chroma of {layout.name}: "
            + ("left is even and right odd" if across else "top is even and bottom odd"),
        )
