"""The detector example: how far its colours are from OpenCV's, and the whole of it as a log."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where examples and benchmarks are

from examples.detector import boxes, by_hand, demo, frames

from gearshift.aipp.config import parse_aipp
from gearshift.aipp.reference import preprocess
from gearshift.aipp.spec import Normalisation, StaticAipp
from gearshift.tensors import Array

ROOT = Path(__file__).resolve().parents[1]
needs_photograph = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="the package matplotlib is not installed"
)
needs_detector = pytest.mark.skipif(
    importlib.util.find_spec("nudenet") is None, reason="the package nudenet is not installed"
)
ROUNDED = float(np.float16(1 / 255))
"""A factor of normalisation is a float16 number."""


def configured() -> StaticAipp:
    (block,) = parse_aipp(demo.CONFIG.read_text())
    assert isinstance(block.aipp, StaticAipp)
    return block.aipp


def whole(images: Array) -> Array:
    """What the configuration makes of the colours, before they are scaled: ``[N, H, W, 3]``."""
    aipp = replace(configured(), normalisation=Normalisation())
    return preprocess(aipp, images, 3).transpose(0, 2, 3, 1).astype(np.int32)


def every_colour(luma: int) -> Array:
    """An NV12 image with each pair of chroma values that video has, at one luma."""
    u, v = np.meshgrid(np.arange(16, 241, dtype=np.uint8), np.arange(16, 241, dtype=np.uint8))
    chroma = np.stack([u[:-1], v[:-1]], axis=-1).reshape(224, 450)
    return np.concatenate([np.full((448, 450), luma, np.uint8), chroma])


def test_the_conversion_is_opencvs_or_one_less() -> None:
    """The sum that is shifted by 8 rounds down, and 298 / 256 is a little less than 255 / 219.

    OpenCV rounds to the nearest. So what it gives is the same or one more, for every colour.
    """
    found = set()
    for luma in range(16, 236):
        image = every_colour(luma)
        difference = by_hand.to_rgb(image[None]).astype(np.int32) - whole(image[None])
        found |= set(np.unique(difference).tolist())
    assert found == {0, 1}


def test_what_is_darker_than_video_may_be_differs_more() -> None:
    """Below 16 OpenCV takes 16 for the luma; the formula of AIPP does not."""
    image = every_colour(0)
    difference = by_hand.to_rgb(image[None]).astype(np.int32) - whole(image[None])
    assert difference.max() > 1


@needs_photograph
def test_every_frame_is_within_that() -> None:
    images = frames.camera_frames()
    assert images.shape == (len(frames.SCENES), 720, 640)
    difference = by_hand.to_rgb(images).astype(np.int32) - whole(images)
    assert set(np.unique(difference).tolist()) <= {0, 1}
    assert 0.3 < difference.mean() < 0.7
    # And scaled: one in 255, and the rounding of the factor.
    apart = np.abs(by_hand.to_input(by_hand.to_rgb(images)) - preprocess(configured(), images, 3))
    assert apart.max() <= 1 / 255 + 255 * abs(ROUNDED - 1 / 255) + 1e-6


def test_nv12_is_luma_above_pairs_of_chroma() -> None:
    frame = np.zeros((4, 6, 3), np.uint8)
    frame[:, :2] = (255, 0, 0)
    image = frames.to_nv12(frame)
    assert image.shape == (6, 6)
    red = cv2.cvtColor(frame[:, :2], cv2.COLOR_RGB2YUV_I420)
    assert (image[:4, :2] == red[:4]).all()
    assert (image[4:, 0] == red[4, 0]).all()  # U
    assert (image[4:, 1] == red[5, 0]).all()  # V
    assert (image[4:, 2:] == 128).all()


def output_with(*places: tuple[float, float, float, float, int, float]) -> np.ndarray:
    row = np.zeros((6, 10), np.float32)  # two kinds, ten places
    for index, (x, y, width, height, kind, score) in enumerate(places):
        row[:4, index] = (x, y, width, height)
        row[4 + kind, index] = score
    return row


def test_boxes_are_found_once_and_followed_by_place() -> None:
    row = output_with(
        (50, 40, 20, 10, 1, 0.9), (51, 40, 20, 10, 1, 0.8), (90, 90, 4, 4, 0, 0.6),
        (20, 20, 4, 4, 0, 0.1),
    )  # fmt: skip
    found = boxes.find_boxes(row)
    assert [(box.kind, box.place) for box in found] == [(1, 0), (0, 2)]
    assert found[0].edges == (40, 35, 60, 45)
    moved = row.copy()
    moved[0, 0] += 0.5
    moved[4, 2] -= 0.25
    shift = boxes.shift(found, moved)
    assert (shift.pixels, shift.score) == (0.5, pytest.approx(0.25))
    assert boxes.shift([], row) == boxes.Shift(0.0, 0.0)
    assert boxes.written(found[0], {1: "cat"}) == "cat 0.90 at 40, 35, 60, 45"


@needs_photograph
@needs_detector
def test_the_boxes_are_those_of_opencv_and_onnxruntime(tmp_path: Path) -> None:
    script = str(ROOT / "examples" / "detector" / "demo.py")
    done = subprocess.run(
        [sys.executable, script, "--folder", str(tmp_path)],
        capture_output=True,
        encoding="utf-8",
        timeout=110,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for engine in ("openvino", "onnxruntime"):
        (pixels,) = re.findall(rf"{engine}: the same boxes, (\S+) pixels", done.stdout)
        assert float(pixels) <= 1.0
    faces = re.findall(r"^([a-z ]+): face female 0\.[678]\d at", done.stdout, re.MULTILINE)
    assert faces == [scene.title for scene in frames.SCENES]
    assert len(list(tmp_path.glob("frame*.png"))) == len(frames.SCENES)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.stdout)
