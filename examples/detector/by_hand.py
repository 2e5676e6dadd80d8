"""The same without gearshift: OpenCV converts the colours, ONNX Runtime runs the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

from examples.detector.boxes import Floats, Shift, find_boxes, shift
from examples.detector.frames import Pixels

_DRAWS = 3

Run = Callable[[Pixels], Floats]
"""RGB frames, ``[N, H, W, 3]``, to the detector's output."""


def to_rgb(frames: Pixels) -> Pixels:
    """NV12 frames as OpenCV converts them."""
    return np.stack(
        [np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_NV12), np.uint8) for frame in frames]
    )


def to_input(rgb: Pixels) -> Floats:
    """What the detector takes: channels first, 0 to 1."""
    scaled = rgb.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(scaled)


def open_detector(model: Path, threads: int) -> Run:
    """The model as it came in ONNX Runtime."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(model), options, ["CPUExecutionProvider"])

    def run(rgb: Pixels) -> Floats:
        (output,) = session.run(None, {"images": to_input(rgb)})
        return np.asarray(output, np.float32)

    return run


def largest_shift(run: Run, rgb: Pixels, output: Floats) -> Shift:
    """How far the boxes move if each number of each pixel is lowered by 0 or 1, at random.

    That is by how much the conversion in whole numbers differs from OpenCV's.
    """
    dice = np.random.default_rng(8)
    worst = Shift(0.0, 0.0)
    for _ in range(_DRAWS):
        lower = np.minimum(rgb, dice.integers(0, 2, rgb.shape, np.uint8))
        worst = worst_of(worst, shifts(output, run(rgb - lower)))
    return worst


def shifts(output: Floats, other: Floats) -> Shift:
    """The farthest that boxes of any frame lie from where another output has them."""
    worst = Shift(0.0, 0.0)
    for row, moved in zip(output, other, strict=True):
        worst = worst_of(worst, shift(find_boxes(row), moved))
    return worst


def worst_of(one: Shift, other: Shift) -> Shift:
    """The larger of each number."""
    return Shift(max(one.pixels, other.pixels), max(one.score, other.score))
