"""Finding the text lines of a page: the detector's map of text, boxes round it, crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from cv2.typing import MatLike

from examples.ocr.pages import Pixels

Floats = npt.NDArray[np.float32]

_TEXT = 0.3  # probability from which a pixel is text
_SURE = 0.5  # mean probability from which a blob is a line
_GROW = 1.6  # the network learns shrunken lines; area * _GROW / perimeter undoes it
_SMALLEST = 4.0  # pixels; less is dirt


@dataclass(frozen=True)
class Box:
    """A line of text on a page: corners clockwise from the top left, and how sure it is."""

    corners: Floats
    score: float

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the box: x, y."""
        x, y = self.corners.mean(axis=0)
        return float(x), float(y)


def detector_input(pages: Sequence[Pixels]) -> Floats:
    """Pages of one size as the detector wants them: one row each, -1..1."""
    batch = np.stack(pages).astype(np.float32).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(batch / 127.5 - 1.0, dtype=np.float32)


def find_boxes(probability: Floats) -> list[Box]:
    """Boxes of one page (its row of the detector's output, without the channel), top to bottom."""
    mask = (probability > _TEXT).astype(np.uint8)
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    boxes = [box for outline in outlines if (box := _box(outline, probability)) is not None]
    return sorted(boxes, key=lambda box: box.centre[1])


def _box(outline: MatLike, probability: Floats) -> Box | None:
    centre, (width, height), angle = cv2.minAreaRect(outline)
    if min(width, height) < _SMALLEST:
        return None
    inside = np.zeros(probability.shape, np.uint8)
    cv2.fillPoly(inside, [outline], 1)
    score = float(probability[inside == 1].mean())
    if score < _SURE:
        return None
    grow = width * height * _GROW / (width + height)  # twice area / perimeter: for both sides
    corners = cv2.boxPoints((centre, (width + grow, height + grow), angle))
    return Box(_clockwise(np.asarray(corners, np.float32)), score)


def _clockwise(corners: Floats) -> Floats:
    across = corners.sum(axis=1)
    along = corners[:, 1] - corners[:, 0]
    order = [across.argmin(), along.argmin(), across.argmax(), along.argmax()]
    return np.asarray(corners[order], np.float32)


def cut_out(page: Pixels, box: Box) -> Pixels:
    """The box's part of the page, set upright."""
    top_left, top_right, _, bottom_left = box.corners
    width = max(1, round(float(np.linalg.norm(top_right - top_left))))
    height = max(1, round(float(np.linalg.norm(bottom_left - top_left))))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    warp = cv2.getPerspectiveTransform(box.corners, target)
    crop = cv2.warpPerspective(page, warp, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)


def outline_boxes(page: Pixels, boxes: Sequence[Box]) -> Pixels:
    """A copy of the page with its boxes drawn in."""
    shown = page.copy()
    for box in boxes:
        cv2.polylines(shown, [box.corners.round().astype(np.int32)], True, (60, 60, 220), 2)
    return shown
