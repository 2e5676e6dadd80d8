"""Source images: how each format lies in memory, and which channels it has."""

from __future__ import annotations

import math
from typing import Final, Literal

import numpy as np

from gearshift.aipp.spec import ImageFormat
from gearshift.tensors import Array, Shape

Layout = Literal["NCHW", "NHWC"]

_PLANES_RANK: Final = 2
_SUBSAMPLING: Final = {
    ImageFormat.YUV420SP_U8: (2, 2),
    ImageFormat.YUV422SP_U8: (1, 2),
    ImageFormat.YUYV_U8: (1, 2),
}
_PACKED: Final = {
    ImageFormat.RGB888_U8: 3,
    ImageFormat.XRGB8888_U8: 4,
    ImageFormat.ARGB8888_U8: 4,
    ImageFormat.AYUV444_U8: 4,
    ImageFormat.YUYV_U8: 2,
}
_FOUR: Final = {ImageFormat.XRGB8888_U8, ImageFormat.ARGB8888_U8, ImageFormat.AYUV444_U8}


def axes(layout: Layout) -> tuple[int, int, int]:
    """Where an input that lies so has channels, height and width, counted from its end."""
    return (-3, -2, -1) if layout == "NCHW" else (-1, -3, -2)


def subsampling(image_format: ImageFormat) -> tuple[int, int]:
    """How many pixels share their chroma, down and across; heights and widths are multiples."""
    return _SUBSAMPLING.get(image_format, (1, 1))


def has_alpha(image_format: ImageFormat) -> bool:
    """Whether there is a fourth value by pixel (A or X), in front of the colours in memory."""
    return image_format in _FOUR


def plane_count(image_format: ImageFormat) -> int:
    """Channels of an image once its chroma is spread over the pixels that share it."""
    if image_format is ImageFormat.YUV400_U8:
        return 1
    return 4 if has_alpha(image_format) else 3


def fitting_channels(image_format: ImageFormat, *, converts: bool) -> frozenset[int]:
    """How many channels a model that takes such images may have."""
    fitting = {plane_count(image_format)}
    if has_alpha(image_format):
        fitting.add(3)  # without alpha
    if converts:
        fitting.add(1)  # grey: what the first row of the matrix gives
    return frozenset(fitting)


def source_shape(image_format: ImageFormat, rows: int, height: int, width: int) -> Shape:
    """Shape of `rows` images as a caller gives them; where a size is -1, so is what follows it.

    Packed formats have the values of a pixel last; the others are planes on top of each other: all
    of Y, then U and V in turns.
    """
    values = _PACKED.get(image_format)
    if values is not None:
        return rows, height, width, values
    down = subsampling(image_format)[0]
    if image_format is ImageFormat.YUV400_U8 or height < 0:
        return rows, height, width
    return rows, height + height // down, width


def source_height(image_format: ImageFormat, shape: Shape) -> int:
    """The height in pixels of images of that (fully known) shape."""
    if image_format is ImageFormat.YUV420SP_U8:
        return shape[1] * 2 // 3
    if image_format is ImageFormat.YUV422SP_U8:
        return shape[1] // 2
    return shape[1]


def lines_of(image_format: ImageFormat, image: Array, height: int, top: int, lines: int) -> Array:
    """So many lines of one image of that height, as an image; both numbers fit its chroma."""
    luma = image[top : top + lines]
    if image.ndim > _PLANES_RANK or image_format is ImageFormat.YUV400_U8:
        return luma
    down = subsampling(image_format)[0]
    chroma = image[height + top // down : height + (top + lines) // down]
    return np.concatenate((luma, chroma))


def source_bytes(image_format: ImageFormat, height: int, width: int) -> int:
    """Bytes of one image."""
    return math.prod(source_shape(image_format, 1, height, width))


def swapped(image_format: ImageFormat, rbuv_swap: bool, ax_swap: bool) -> tuple[int, ...]:
    """Where in memory's order (Y U V, or X R G B) each channel comes from after the swaps.

    A format ignores a swap of what it does not have.
    """
    if image_format is ImageFormat.YUV400_U8:
        return (0,)
    alpha = 1 if has_alpha(image_format) else 0
    colours = (alpha, alpha + 1, alpha + 2)
    if rbuv_swap:
        y_or_r, u_or_g, v_or_b = colours
        colours = (y_or_r, v_or_b, u_or_g) if image_format.is_yuv else (v_or_b, u_or_g, y_or_r)
    if not alpha:
        return colours
    return (*colours, 0) if ax_swap else (0, *colours)


def colour_start(image_format: ImageFormat, ax_swap: bool) -> int:
    """The first of the three channels of colour, after the swaps."""
    return 1 if has_alpha(image_format) and not ax_swap else 0


def used_planes(image_format: ImageFormat, ax_swap: bool, channels: int) -> tuple[int, ...]:
    """Which channels, as they are after the swaps, a model of so many channels takes.

    A model of fewer than four takes none of alpha: it lies in none of its channels.
    """
    count = plane_count(image_format)
    if count <= channels:
        return tuple(range(count))
    start = colour_start(image_format, ax_swap)
    return tuple(range(start, start + min(channels, 3)))
