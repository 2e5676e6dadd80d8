"""AIPP in numpy, to the letter: what the folded graph must equal, and what runs dynamic AIPP.

The stages, in order: `planes`, `crop`, `convert`, `select`, `normalise`, `pad`, `cast`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from gearshift.aipp.image import (
    colour_start,
    has_alpha,
    source_height,
    subsampling,
    swapped,
    used_planes,
)
from gearshift.aipp.spec import Crop, Csc, ImageFormat, Normalisation, Padding, StaticAipp, Triple
from gearshift.errors import InternalError
from gearshift.tensors import Array

Bytes = npt.NDArray[np.uint8]
Whole = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

_TWICE: Final = np.uint16(0x0101)


def preprocess(aipp: StaticAipp, images: Array, channels: int, dtype: str = "float32") -> Array:
    """What the model's input holds for these source images.

    Args:
        aipp: with every size that the images do not tell.
        images: shaped as `image.source_shape` says.
        channels: of the model's input.
        dtype: of the model's input.

    Returns:
        ``[N, channels, H, W]`` of that dtype.
    """
    pixels = planes(aipp.format, images, rbuv_swap=aipp.rbuv_swap, ax_swap=aipp.ax_swap)
    pixels = crop(aipp.crop, pixels)
    if aipp.csc is not None:
        pixels = convert(aipp.csc, aipp.format, pixels, ax_swap=aipp.ax_swap)
    pixels = select(aipp.format, pixels, channels, ax_swap=aipp.ax_swap)
    values = normalise(aipp.normalisation, pixels, dtype)
    return cast(pad(aipp.padding, values), dtype)


def planes(
    image_format: ImageFormat, images: Array, *, rbuv_swap: bool = False, ax_swap: bool = False
) -> Bytes:
    """One plane by channel, ``[N, C, H, W]``, in the order after the swaps.

    Chroma is repeated for every pixel that shares it.
    """
    if images.dtype != np.uint8:
        raise InternalError(f"source images are of uint8, not {images.dtype}")
    source: Bytes = images.astype(np.uint8, copy=False)
    order = swapped(image_format, rbuv_swap, ax_swap)
    if image_format is ImageFormat.YUV400_U8:
        return source[:, np.newaxis]
    if subsampling(image_format) == (1, 1):
        return np.stack([source[..., channel] for channel in order], axis=1)
    if image_format is ImageFormat.YUYV_U8:
        luma, chroma = source[..., 0], source[..., 1]
    else:
        height = source_height(image_format, source.shape)
        luma, chroma = source[:, :height], source[:, height:]
    spread = _spread(chroma, subsampling(image_format)[0])
    result = np.empty((len(source), 3, *luma.shape[1:]), np.uint8)
    for place, channel in enumerate(order):
        result[:, place] = luma if channel == 0 else spread[channel - 1]
    return result


def _spread(chroma: Bytes, down: int) -> tuple[Bytes, Bytes]:
    """U and V of every pixel, from ``[N, h, W]`` where they take turns."""
    u, v = (_twice(chroma[..., part::2]) for part in (0, 1))
    return (u, v) if down == 1 else (np.repeat(u, down, axis=1), np.repeat(v, down, axis=1))


def _twice(values: Bytes) -> Bytes:
    """Every byte twice along the last axis: a number of two bytes that are the same."""
    return (values.astype(np.uint16) * _TWICE).view(np.uint8)


def crop(area: Crop | None, pixels: Bytes) -> Bytes:
    """That part of ``[N, C, H, W]``; all of it for None."""
    if area is None:
        return pixels
    bottom, right = area.top + area.height, area.left + area.width
    return pixels[:, :, area.top : bottom, area.left : right]


def convert(csc: Csc, image_format: ImageFormat, pixels: Bytes, *, ax_swap: bool = False) -> Bytes:
    """Converts the colours of ``[N, C, H, W]``; alpha stays what and where it is."""
    start = colour_start(image_format, ax_swap)
    colours = pixels[:, start : start + 3].astype(np.int32)
    if colours.shape[1] != 3:
        raise InternalError(f"{image_format.name} has no colours that could be converted")
    if image_format.is_yuv:
        colours -= np.array(csc.input_bias, np.int32)[:, np.newaxis, np.newaxis]
    result = pixels.copy() if has_alpha(image_format) else np.empty(colours.shape, np.uint8)
    for row, weights in enumerate(csc.matrix):
        total = _weighted(colours, weights)
        total >>= 8
        if not image_format.is_yuv:
            total += csc.output_bias[row]
        np.clip(total, 0, 255, out=total)
        result[:, start + row] = total
    return result


def _weighted(colours: Whole, weights: Triple) -> Whole:
    total: Whole = colours[:, 0] * np.int32(weights[0])
    for channel, weight in enumerate(weights[1:], 1):
        if weight:
            total += colours[:, channel] * np.int32(weight)
    return total


def select(
    image_format: ImageFormat, pixels: Bytes, channels: int, *, ax_swap: bool = False
) -> Bytes:
    """The channels that a model of so many takes."""
    used = used_planes(image_format, ax_swap, channels)
    return pixels[:, used[0] : used[-1] + 1]


def normalise(normalisation: Normalisation, pixels: Bytes, dtype: str = "float32") -> Floats:
    """``(x - mean - minimum) * var_reci`` by channel; for models of whole numbers ``x - mean``."""
    values = pixels.astype(np.float32)
    values -= _by_channel(normalisation.mean, pixels)
    if np.issubdtype(np.dtype(dtype), np.floating):
        values -= _by_channel(normalisation.minimum, pixels)
        values *= _by_channel(normalisation.var_reci, pixels)
    return values


def _by_channel(numbers: tuple[float, ...], pixels: Bytes) -> Floats:
    constants = np.array(numbers[: pixels.shape[1]], np.float16).astype(np.float32)
    return constants[:, np.newaxis, np.newaxis]


def pad(around: Padding | None, values: Floats) -> Floats:
    """Pixels of one value around each image."""
    if around is None:
        return values
    pads = ((0, 0), (0, 0), (around.top, around.bottom), (around.left, around.right))
    return np.pad(values, pads, constant_values=around.value)


def cast(values: Floats, dtype: str) -> Array:
    """As the model takes it: whole numbers stop at the ends of their range, rounded to zero."""
    wanted = np.dtype(dtype)
    if wanted == values.dtype:
        return values
    if np.issubdtype(wanted, np.integer):
        ends = np.iinfo(wanted)
        return np.clip(values, ends.min, ends.max).astype(wanted)
    with np.errstate(over="ignore"):  # more than a float16 can hold becomes infinite
        return values.astype(wanted)
