"""AIPP by the stated arithmetic, one number at a time: slow, and nothing like how it is done."""

from __future__ import annotations

import math

import numpy as np

from gearshift.aipp.spec import Crop, Csc, ImageFormat, Normalisation, Padding, StaticAipp
from gearshift.tensors import Array


def pixel(aipp: StaticAipp, memory: bytes, y: int, x: int) -> list[int]:
    """The values of one pixel, from the bytes of its image, after the swaps."""
    w, h = aipp.width, aipp.height
    values: list[int]
    if aipp.format is ImageFormat.YUV400_U8:
        return [memory[y * w + x]]
    if aipp.format is ImageFormat.YUV420SP_U8:
        chroma = h * w + (y // 2) * w + x // 2 * 2
        values = [memory[y * w + x], memory[chroma], memory[chroma + 1]]
    elif aipp.format is ImageFormat.YUV422SP_U8:
        chroma = h * w + y * w + x // 2 * 2
        values = [memory[y * w + x], memory[chroma], memory[chroma + 1]]
    elif aipp.format is ImageFormat.YUYV_U8:
        pair = (y * w + x // 2 * 2) * 2  # Y U Y V
        values = [memory[(y * w + x) * 2], memory[pair + 1], memory[pair + 3]]
    else:
        count = 3 if aipp.format is ImageFormat.RGB888_U8 else 4
        values = list(memory[(y * w + x) * count :][:count])
    if aipp.rbuv_swap:
        other = -2 if aipp.format.is_yuv else -3
        values[other], values[-1] = values[-1], values[other]
    if aipp.ax_swap and len(values) == 4:
        values = [*values[1:], values[0]]
    return values


def converted(csc: Csc, is_yuv: bool, values: list[int]) -> list[int]:
    found = []
    for row in range(3):
        total = 0
        for weight, value, bias in zip(csc.matrix[row], values, csc.input_bias, strict=True):
            total += weight * (value - bias if is_yuv else value)
        number = math.floor(total / 256)  # all are whole and small: exact in float64
        if not is_yuv:
            number += csc.output_bias[row]
        found.append(min(255, max(0, number)))
    return found


def channels_of(aipp: StaticAipp, memory: bytes, y: int, x: int, channels: int) -> list[int]:
    """The values of one pixel that the model takes."""
    values = pixel(aipp, memory, y, x)
    alpha: int | None = None
    if len(values) == 4:
        alpha = values.pop(3 if aipp.ax_swap else 0)
    if aipp.csc is not None:
        values = converted(aipp.csc, aipp.format.is_yuv, values)
    if alpha is not None and channels >= 4:
        values.insert(3 if aipp.ax_swap else 0, alpha)
    return values[:channels]


def to_dtype(value: float, dtype: str) -> float | int:
    if dtype == "float32":
        return np.float32(value)
    if dtype == "float16":
        with np.errstate(over="ignore"):
            return np.float16(np.float32(value))
    ends = np.iinfo(dtype)
    return math.trunc(min(ends.max, max(ends.min, value)))


def normalised(number: int, channel: int, by: Normalisation, dtype: str) -> float:
    mean, low = by.mean[channel], np.float32(by.minimum[channel])
    if dtype in ("int8", "uint8"):
        return number - mean
    return (np.float32(number - mean) - low) * np.float32(by.var_reci[channel])


def slowly(aipp: StaticAipp, image: Array, channels: int, dtype: str) -> Array:
    """One image of the model's input, one number at a time."""
    memory = image.tobytes()
    area = aipp.crop or Crop(0, 0, aipp.width, aipp.height)
    around = aipp.padding or Padding()
    height = around.top + area.height + around.bottom
    width = around.left + area.width + around.right
    result = np.empty((channels, height, width), dtype)
    for row in range(height):
        for column in range(width):
            y, x = row - around.top, column - around.left
            inside = 0 <= y < area.height and 0 <= x < area.width
            source = (area.top + y, area.left + x) if inside else (0, 0)
            values = channels_of(aipp, memory, *source, channels)
            for channel in range(channels):
                value = around.value
                if inside:
                    value = normalised(values[channel], channel, aipp.normalisation, dtype)
                result[channel, row, column] = to_dtype(value, dtype)
    return result
