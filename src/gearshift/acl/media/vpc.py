"""Resizing, cropping, pasting and converting pictures: `dvpp_vpc_*`.

Every operation is the same three steps: take an area, bring it into the other format, and resize it
into an area of the other picture. Resizing is bilinear as OpenCV has it, which is what the vendor
states for the Ascend 310P, and each plane is resized for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index as whole
from typing import Any, Final

from gearshift.acl.call import ADDRESS, Kind, Refusal, beside, public
from gearshift.acl.codes import Code
from gearshift.acl.media.channels import submit
from gearshift.acl.media.configs import RESIZES, ROIS, Resize, area
from gearshift.acl.media.descs import BATCHES, MOST_IN_BATCH, PICTURES, PictureDesc
from gearshift.acl.media.library import RESIZING, needed
from gearshift.acl.media.memory import Picture, picture
from gearshift.acl.media.pictures import LAYOUTS, RGBA, Area, converted, part, scaled

VPC: Final = tuple(layout for layout in LAYOUTS.values() if layout is not RGBA)
"""The formats that are taken and given here."""
_PASTE_STEP: Final = 16
"""The left offset of what is pasted is a multiple of this."""


def _numbers(value: Any) -> list[int]:
    if not isinstance(value, list):
        raise TypeError("a list of whole numbers is wanted")
    if not 1 <= len(value) <= MOST_IN_BATCH:
        raise ValueError(f"there are from 1 to {MOST_IN_BATCH} areas")
    return [whole(number) for number in value]


NUMBERS: Final = Kind("list of 1 to 256 int", _numbers)


@dataclass(frozen=True)
class Move:
    """What becomes of a picture.

    Attributes:
        source: from which.
        target: into which.
        cut: what is taken.
        into: where it goes.
        nearest: whether pixels are taken as they are when it is resized.
    """

    source: Picture
    target: Picture
    cut: Area
    into: Area
    nearest: bool

    def run(self) -> None:
        """Does it."""
        layout = self.target.layout
        planes = part(self.source.planes(), self.source.layout, self.cut)
        planes = converted(planes, self.source.layout, layout)
        planes = scaled(planes, layout, (self.into.width, self.into.height), self.nearest)
        for place, plane in zip(part(self.target.planes(), layout, self.into), planes, strict=True):
            place[...] = plane


def _move(
    source: PictureDesc,
    target: PictureDesc,
    crop: int | None = None,
    paste: int | None = None,
    resize: Resize | None = None,
) -> Move:
    """From two descriptions, and handles of areas; without one it is the whole picture."""
    needed(RESIZING)
    before, after = picture(source, VPC), picture(target, VPC)
    return Move(
        before,
        after,
        before.area if crop is None else area(ROIS.get(crop), before),
        after.area if paste is None else area(ROIS.get(paste), after, _PASTE_STEP),
        resize is not None and resize.nearest,
    )


@public("acl.media.dvpp_vpc_resize_async", *[ADDRESS] * 5)
def dvpp_vpc_resize_async(channel: int, source: int, target: int, config: int, stream: int) -> int:
    """Resizes a picture to the size of another, when a stream comes to it.

    Args:
        channel: handle of a channel description whose channel is there.
        source: picture description of what is resized.
        target: picture description of where it goes.
        config: resize configuration.
        stream: its handle; 0 is the default one of the context.

    Returns:
        0; 100000 for a wrong handle or picture, 107000 for memory that was freed or is not of the
        device, 107002 and 107003 as `acl.rt.synchronize_stream`, 200006 without OpenCV.
    """
    out = PICTURES.get(target)
    move = _move(PICTURES.get(source), out, resize=RESIZES.get(config))
    submit(channel, stream, out, move.run)
    return 0


@public("acl.media.dvpp_vpc_crop_async", *[ADDRESS] * 5)
def dvpp_vpc_crop_async(channel: int, source: int, target: int, crop: int, stream: int) -> int:
    """Takes an area out of a picture, in the size of another, when a stream comes to it.

    Args:
        channel: handle of a channel description whose channel is there.
        source: picture description of what is cropped.
        target: picture description of where it goes.
        crop: area configuration: what is taken.
        stream: its handle; 0 is the default one of the context.

    Returns:
        as `dvpp_vpc_resize_async`; 100000 also for an area that leaves the picture or is not whole
        in its chroma.
    """
    out = PICTURES.get(target)
    submit(channel, stream, out, _move(PICTURES.get(source), out, crop).run)
    return 0


@public("acl.media.dvpp_vpc_crop_resize_async", *[ADDRESS] * 6)
def dvpp_vpc_crop_resize_async(
    channel: int, source: int, target: int, crop: int, config: int, stream: int
) -> int:
    """Takes an area out of a picture, resized as configured, when a stream comes to it.

    Args:
        channel: handle of a channel description whose channel is there.
        source: picture description of what is cropped.
        target: picture description of where it goes.
        crop: area configuration: what is taken.
        config: resize configuration.
        stream: its handle; 0 is the default one of the context.

    Returns:
        as `dvpp_vpc_crop_async`.
    """
    out = PICTURES.get(target)
    move = _move(PICTURES.get(source), out, crop, resize=RESIZES.get(config))
    submit(channel, stream, out, move.run)
    return 0


@public("acl.media.dvpp_vpc_crop_and_paste_async", *[ADDRESS] * 6)
def dvpp_vpc_crop_and_paste_async(
    channel: int, source: int, target: int, crop: int, paste: int, stream: int
) -> int:
    """Puts an area of a picture into an area of another, when a stream comes to it.

    Args:
        channel: handle of a channel description whose channel is there.
        source: picture description of what is cropped.
        target: picture description of where it is pasted; what lies around stays.
        crop: area configuration: what is taken.
        paste: area configuration: where it goes; its left offset is a multiple of 16.
        stream: its handle; 0 is the default one of the context.

    Returns:
        as `dvpp_vpc_crop_async`.
    """
    out = PICTURES.get(target)
    submit(channel, stream, out, _move(PICTURES.get(source), out, crop, paste).run)
    return 0


@public("acl.media.dvpp_vpc_convert_color_async", *[ADDRESS] * 4)
def dvpp_vpc_convert_color_async(channel: int, source: int, target: int, stream: int) -> int:
    """Brings a picture into another format, when a stream comes to it.

    Colour follows BT.601 in full range: the vendor's default, and the rule of JPEG files.

    Args:
        channel: handle of a channel description whose channel is there.
        source: picture description of what is converted.
        target: picture description of where it goes; a size of 0 is that of the source.
        stream: its handle; 0 is the default one of the context.

    Returns:
        as `dvpp_vpc_resize_async`; 100000 also for pictures of different sizes.
    """
    needed(RESIZING)
    out = PICTURES.get(target)
    before = picture(PICTURES.get(source), VPC)
    after = picture(out, VPC, size=(before.width, before.height))
    cut = Area(0, after.width - 1, 0, after.height - 1)
    if abs(before.width - after.width) > 1 or abs(before.height - after.height) > 1:
        raise Refusal(
            Code.INVALID_PARAM,
            f"{before.width} x {before.height} into {after.width} x {after.height}: colour is "
            "converted between pictures of one size",
        )
    submit(channel, stream, out, Move(before, after, cut, after.area, nearest=False).run)
    return 0


@public(
    "acl.media.dvpp_vpc_batch_crop_async",
    ADDRESS, ADDRESS, NUMBERS, ADDRESS, NUMBERS, ADDRESS,
    failed=beside(0),
)  # fmt: skip
def dvpp_vpc_batch_crop_async(
    channel: int, sources: int, counts: list[int], targets: int, crops: list[int], stream: int
) -> tuple[int, int]:
    """Takes areas out of pictures, when a stream comes to it.

    Args:
        channel: handle of a channel description whose channel is there.
        sources: batch of the pictures that are cropped.
        counts: a list: how many areas of each picture.
        targets: batch of the pictures that come out, one for each area.
        crops: a list: area configurations, in order of the pictures.
        stream: its handle; 0 is the default one of the context.

    Returns:
        (the batch that comes out, 0); codes as `dvpp_vpc_crop_async`, 100000 also for numbers that
        do not fit.
    """
    _batch(channel, sources, counts, targets, crops, [None] * len(crops), stream)
    return targets, 0


@public(
    "acl.media.dvpp_vpc_batch_crop_and_paste_async",
    ADDRESS, ADDRESS, NUMBERS, ADDRESS, NUMBERS, NUMBERS, ADDRESS,
    failed=beside(0),
)  # fmt: skip
def dvpp_vpc_batch_crop_and_paste_async(
    channel: int,
    sources: int,
    counts: list[int],
    targets: int,
    crops: list[int],
    pastes: list[int],
    stream: int,
) -> tuple[int, int]:
    """Puts areas of pictures into areas of others, when a stream comes to it.

    Args:
        channel: handle of a channel description whose channel is there.
        sources: batch of the pictures that are cropped.
        counts: a list: how many areas of each picture.
        targets: batch of the pictures that come out, one for each area.
        crops: a list: area configurations of what is taken, in order of the pictures.
        pastes: a list: area configurations of where it goes.
        stream: its handle; 0 is the default one of the context.

    Returns:
        (the batch that comes out, 0); codes as `dvpp_vpc_batch_crop_async`.
    """
    _batch(channel, sources, counts, targets, crops, pastes, stream)
    return targets, 0


def _batch(
    channel: int,
    sources: int,
    counts: list[int],
    targets: int,
    crops: list[int],
    pastes: Sequence[int | None],
    stream: int,
) -> None:
    inputs, outputs = BATCHES.get(sources), BATCHES.get(targets)
    if len(counts) != len(inputs) or min(counts) < 0:
        raise Refusal(Code.INVALID_PARAM, f"counts {counts} for {len(inputs)} pictures")
    if not sum(counts) == len(crops) == len(pastes) == len(outputs):
        raise Refusal(
            Code.INVALID_PARAM,
            f"{sum(counts)} areas counted, {len(crops)} to crop, {len(pastes)} to paste into, "
            f"{len(outputs)} pictures to come out: these are one number",
        )
    origins = [each for each, count in zip(inputs, counts, strict=True) for _ in range(count)]
    moves = [
        (PICTURES.get(out), _move(PICTURES.get(origin), PICTURES.get(out), crop, paste))
        for origin, out, crop, paste in zip(origins, outputs, crops, pastes, strict=True)
    ]
    for desc, move in moves:  # all of them are known to be right before the first one starts
        submit(channel, stream, desc, move.run)
