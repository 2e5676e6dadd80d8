"""Dynamic AIPP on the host: source images and the parameters of a call -> a model's input."""

from __future__ import annotations

import numpy as np

from gearshift.aipp.image import Layout, fitting_channels, source_shape
from gearshift.aipp.parameters import AippParameters
from gearshift.aipp.reference import preprocess
from gearshift.errors import InputError
from gearshift.tensors import Array, format_shape


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
    result: Array = np.empty((len(images), channels, height, width), dtype)
    # One by one even where all are alike: what is made on the way stays in the processor's cache.
    for place, row in enumerate(parameters.first(len(images))):
        image = images[place : place + 1]
        result[place] = preprocess(parameters.static(row), image, channels, dtype)[0]
    return result if layout == "NCHW" else np.ascontiguousarray(result.transpose(0, 2, 3, 1))


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
