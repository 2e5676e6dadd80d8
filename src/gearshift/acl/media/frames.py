"""From what a decoder gives to the picture of a description."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.media.descs import PictureDesc
from gearshift.acl.media.memory import aligned, picture
from gearshift.acl.media.pictures import LAYOUTS, NEUTRAL, NV12, Layout, Planes, converted, part

# Of a decoder's formats: the pixels across and down that share their chroma.
_SHARED: Final = {
    "gray": (1, 1), "yuvj444p": (1, 1), "yuvj422p": (2, 1), "yuvj420p": (2, 2),
    "yuvj440p": (1, 2), "yuvj411p": (4, 1), "yuv444p": (1, 1), "yuv422p": (2, 1),
    "yuv420p": (2, 2), "yuv440p": (1, 2), "yuv411p": (4, 1),
}  # fmt: skip


def frame_planes(frame: Any) -> tuple[Planes, Layout]:
    """The planes of a decoded frame, with chroma of both kinds in one, and how it is shared."""
    shared = _SHARED.get(frame.format.name)
    if shared is None:
        raise Refusal(Code.INVALID_PARAM, f"it decodes to {frame.format.name}, not to 8-bit YUV")
    luma, *chroma = (
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in frame.planes
    )
    both = np.dstack(chroma) if chroma else np.full((*luma.shape, 2), NEUTRAL, np.uint8)
    return (luma, both), Layout(-1, frame.format.name, ("y", "uv"), *shared)


def place(
    desc: PictureDesc,
    planes: Planes,
    source: Layout,
    smallest: tuple[int, int] = (1, 1),
    steps: tuple[int, int] = (16, 2),
) -> None:
    """Writes a decoded picture where a description says, and tells it what it was.

    Args:
        desc: of where it goes; a size or stride of 0 is filled in.
        planes: the picture.
        source: its format.
        smallest: width and height of the smallest that will do.
        steps: of what the bytes of a row and the number of rows are multiples, where filled in.
    """
    height, width = planes[0].shape[:2]
    given = (desc.width or width, desc.height or height)
    if (given[0] // 2, given[1] // 2) != (width // 2, height // 2):
        raise Refusal(
            Code.INVALID_PARAM,
            f"a picture of {width} x {height}, and a description of {given[0]} x {given[1]}",
        )
    desc.width, desc.height = width, height
    pixel = LAYOUTS.get(desc.format, NV12).row_factor
    desc.width_stride = desc.width_stride or aligned(width, steps[0]) * pixel
    desc.height_stride = desc.height_stride or aligned(height, steps[1])
    target = picture(desc, smallest=smallest)
    target.write(converted(part(planes, source, target.area), source, target.layout))
    desc.width, desc.height = target.width, target.height
