"""Dynamic AIPP on the host: source images and the parameters of a call -> a model's input."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from gearshift.aipp.image import Layout, fitting_channels, lines_of, source_shape
from gearshift.aipp.parameters import AippParameters, AippRow
from gearshift.aipp.reference import preprocess
from gearshift.aipp.spec import Crop
from gearshift.errors import InputError
from gearshift.tensors import Array, format_shape

_PIXELS: Final = 32768
"""About how much of a source image is looked at in one go."""


def apply(
    parameters: AippParameters,
    images: Array,
    channels: int,
    height: int,
    width: int,
    dtype: str = "float32",
    layout: Layout = "NCHW",
) -> Array:
    """What a model's input holds for those source images.

    Args:
        parameters: at least as many rows as there are images.
        images: in any shape that `as_images` takes.
        channels: of the model's input.
        height: of the model's input.
        width: of the model's input.
        dtype: of the model's input.
        layout: how the model's input lies.

    Returns:
        One row for each image.

    Raises:
        InputError: the images are not what the parameters say, or do not come to what the model
            takes.
        OptionError: there are fewer rows of parameters than images.
    """
    images = as_images(parameters, images)
    _check_fit(parameters, channels, height, width)
    shape = (channels, height, width) if layout == "NCHW" else (height, width, channels)
    result: Array = np.empty((len(images), *shape), dtype)
    for place, row in enumerate(parameters.first(len(images))):
        own = result[place] if layout == "NCHW" else result[place].transpose(2, 0, 1)
        _make(parameters, row, images[place], own)
    return result


def _make(parameters: AippParameters, row: AippRow, image: Array, result: Array) -> None:
    """Writes what becomes of one image: ``[C, H, W]``.

    Some lines at a time: what is made on the way then stays in the processor's cache, and in
    memory that the allocator keeps. A whole image at once took four times as long.
    """
    area = row.crop or Crop(0, 0, parameters.width, parameters.height)
    inside = result
    if row.padding is not None:
        result[...] = 0
        top, left = row.padding.top, row.padding.left
        inside = result[:, top : top + area.height, left : left + area.width]
    most = max(_PIXELS // parameters.width // 2 * 2, 2)
    for start in range(0, area.height, most):
        lines = min(most, area.height - start)
        crop = Crop(area.left, 0, area.width, lines)
        aipp = replace(parameters.static(row), height=lines, crop=crop, padding=None)
        part = lines_of(parameters.format, image, parameters.height, area.top + start, lines)
        made = preprocess(aipp, part[np.newaxis], len(result), result.dtype.name)
        inside[:, start : start + lines] = made[0]


def as_images(parameters: AippParameters, images: Array) -> Array:
    """The images in the shape that their format has.

    They may have it already, or be flat: ``[rows, bytes of an image]``, or all bytes in a row.

    Raises:
        InputError: they are not of uint8, or of another shape.
    """
    if images.dtype != np.uint8:
        raise InputError(
            f"source images are {images.dtype}; AIPP takes uint8: the bytes as they come from the "
            "camera or decoder."
        )
    shape = source_shape(parameters.format, -1, parameters.height, parameters.width)
    flat = parameters.image_bytes
    if images.shape[1:] in (shape[1:], (flat,)):
        return images.reshape(len(images), *shape[1:])
    if images.ndim == 1 and images.size % flat == 0:
        return images.reshape(images.size // flat, *shape[1:])
    raise InputError(
        f"source images have the shape {format_shape(images.shape)}; {parameters.format.name} of "
        f"{parameters.width} x {parameters.height} pixels is {format_shape(shape)}, "
        f"{format_shape((-1, flat))}, or all of these bytes in a row."
    )


def _check_fit(parameters: AippParameters, channels: int, height: int, width: int) -> None:
    if parameters.size != (height, width):
        made = " x ".join(map(str, reversed(parameters.size)))
        raise InputError(
            f"with these AIPP parameters images come to {made} pixels; the model takes {width} x "
            f"{height}. Change crop, padding or the size of the source."
        )
    allowed = fitting_channels(parameters.format, converts=parameters.csc is not None)
    if channels not in allowed:
        numbers = " or ".join(map(str, sorted(allowed)))
        raise InputError(
            f"{parameters.format.name} gives {numbers} channels with these AIPP parameters; the "
            f"model takes {channels}. Choose a format that fits."
        )
