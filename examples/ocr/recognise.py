"""Crops in, text out: what stands before and after the classifier and the recogniser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

import cv2
import numpy as np

from examples.ocr.detect import Floats
from examples.ocr.pages import Pixels

RECOGNISER_SHAPE = (3, 48, 320)
CLASSIFIER_SHAPE = (3, 48, 192)
_TURNED = 0.9  # how sure the classifier must be that a line stands on its head


def crop_batch(crops: Sequence[Pixels], shape: tuple[int, int, int]) -> Floats:
    """One row per crop, scaled to the shape's height and filled up with grey on the right."""
    channels, height, width = shape
    batch = np.zeros((len(crops), channels, height, width), np.float32)
    for row, crop in zip(batch, crops, strict=True):
        scaled = min(width, math.ceil(height * crop.shape[1] / crop.shape[0]))
        image = cv2.resize(crop, (scaled, height)).astype(np.float32)
        row[:, :, :scaled] = (image / 127.5 - 1.0).transpose(2, 0, 1)
    return batch


def is_upside_down(probabilities: Floats) -> bool:
    """Whether the classifier says so of most of a page's lines. Columns: upright, turned."""
    turned = probabilities[:, 1] > _TURNED
    return bool(turned.sum() * 2 > len(turned))


def decode(scores: Floats, characters: Sequence[str]) -> str:
    """Greedy CTC: the best class of each step, repeats dropped, then blanks dropped."""
    best = scores.argmax(axis=-1)
    return "".join(characters[int(cls)] for cls, _ in groupby(best)).strip()
