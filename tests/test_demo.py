"""The demo's own arithmetic, and the whole demo as a log sees it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where examples and benchmarks are

from examples.ocr import demo, detect, pages, recognise
from examples.ocr.models import characters, find_models
from examples.ocr.reader import Reading
from examples.ocr.show import Show

ROOT = Path(__file__).resolve().parents[1]
CHARACTERS = ("", "a", "b", "c", " ")


def scores_of(steps: list[int]) -> np.ndarray:
    return np.eye(len(CHARACTERS), dtype=np.float32)[steps]


def spelled_out(steps: list[int]) -> str:
    """Greedy CTC by its definition: a step counts if it is no blank and differs from the last."""
    kept = [now for before, now in pairwise([0, *steps]) if now not in (0, before)]
    return "".join(CHARACTERS[step] for step in kept).strip()


@given(st.lists(st.integers(0, len(CHARACTERS) - 1), min_size=1, max_size=30))
def test_decode_follows_the_definition_of_ctc(steps: list[int]) -> None:
    assert recognise.decode(scores_of(steps), CHARACTERS) == spelled_out(steps)


def test_a_blank_between_equal_letters_keeps_both() -> None:
    assert recognise.decode(scores_of([1, 1, 0, 1, 2]), CHARACTERS) == "aab"


@pytest.mark.parametrize("angle", [0.0, 3.0, -5.0])
def test_a_shrunken_blob_grows_into_one_box(angle: float) -> None:
    blob = ((300.0, 200.0), (180.0, 20.0), angle)
    probability = np.zeros((400, 600), np.float32)
    cv2.fillPoly(probability, [cv2.boxPoints(blob).round().astype(np.int32)], 0.9)
    (box,) = detect.find_boxes(probability)
    assert box.centre == pytest.approx((300, 200), abs=1.5)
    assert box.score == pytest.approx(0.9, abs=0.01)
    grown = 180 * 20 * 1.6 / (180 + 20)
    width = np.linalg.norm(box.corners[1] - box.corners[0])
    height = np.linalg.norm(box.corners[3] - box.corners[0])
    assert (width, height) == pytest.approx((180 + grown, 20 + grown), abs=4)
    slope = np.degrees(np.arctan2(*(box.corners[1] - box.corners[0])[::-1]))
    assert slope == pytest.approx(angle, abs=1)


def test_faint_and_tiny_blobs_are_no_text() -> None:
    probability = np.zeros((200, 200), np.float32)
    probability[20:40, 20:120] = 0.4  # above the mask's limit, below a line's
    probability[100:102, 50:150] = 0.9  # two pixels high
    assert detect.find_boxes(probability) == []


def test_a_crop_is_set_upright() -> None:
    page = np.full((200, 300, 3), 255, np.uint8)
    page[50:70, 100:200] = (10, 20, 30)
    corners = np.array([[100, 50], [200, 50], [200, 70], [100, 70]], np.float32)
    crop = detect.cut_out(page, detect.Box(corners, 1.0))
    assert crop.shape == (20, 100, 3)
    assert (crop[1:-1, 1:-1] == (10, 20, 30)).all()


def test_crops_are_scaled_to_the_height_and_filled_up() -> None:
    white, wide = np.full((24, 60, 3), 255, np.uint8), np.zeros((10, 500, 3), np.uint8)
    batch = recognise.crop_batch([white, wide], recognise.RECOGNISER_SHAPE)
    assert batch.shape == (2, 3, 48, 320)
    assert (batch[0, :, :, :120] == 1).all()
    assert (batch[0, :, :, 120:] == 0).all()
    assert (batch[1] == -1).all()  # too long a line is squeezed, not cut


def test_no_crops_make_an_empty_batch() -> None:
    assert recognise.crop_batch([], recognise.RECOGNISER_SHAPE).shape == (0, 3, 48, 320)
    assert not recognise.is_upside_down(np.zeros((0, 2), np.float32))


def test_pages_differ_in_how_many_lines_they_have() -> None:
    counts = [len(page.lines) for page in pages.story()]
    assert sorted(counts) == [0, 1, 3, 5, 7, 11, 16, 23]


def test_every_drawn_character_is_one_the_recogniser_knows() -> None:
    known = set(characters(find_models().recogniser))
    drawn = {letter for page in pages.story() for line in page.lines for letter in line}
    assert drawn <= known


def _readings() -> list[Reading]:
    nothing = np.zeros((0, 1), np.float32)
    return [Reading(page.lines, (), False, nothing, nothing, "", 0.0) for page in pages.story()]


def _verdict(readings: list[Reading], difference: float) -> bool:
    return demo.judge(readings, difference, Path("anywhere"), Show())


def test_the_demo_passes_only_if_texts_and_numbers_are_right() -> None:
    right = _readings()
    assert _verdict(right, difference=1e-6)
    assert not _verdict(right, difference=0.01)
    unread = [replace(right[0], texts=()), *right[1:]]
    assert not _verdict(unread, difference=0.0)
    garbled = [*right[:-1], replace(right[-1], texts=("?",) * 23)]
    assert not _verdict(garbled, difference=0.0)


def test_the_demo_reads_every_page_and_logs_plainly(tmp_path: Path) -> None:
    script = str(ROOT / "examples" / "ocr" / "demo.py")
    done = subprocess.run(
        [sys.executable, script, "--quick", "--folder", str(tmp_path)],
        capture_output=True,
        encoding="utf-8",
        timeout=110,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "of 66 lines read exactly as drawn, 66 found" in done.stdout
    assert "plan nothing" in done.stdout  # the blank sheet
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.stdout)
    own_lines = done.stdout.replace(str(tmp_path), "").splitlines()
    assert max(map(len, own_lines)) <= 120
