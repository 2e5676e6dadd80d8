"""From the detector's output to boxes: one row has four numbers and a score by kind per place."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnx

Floats = npt.NDArray[np.float32]

_SURE = 0.4
_SAME = 0.45  # share of two boxes' area that is common from which they are one thing


@dataclass(frozen=True)
class Box:
    """Something that was found.

    Attributes:
        kind: what it is, by number.
        score: how sure the model is.
        place: of all places that the model looks at, the one that it was seen from.
        edges: left, top, right and bottom in pixels of the frame.
    """

    kind: int
    score: float
    place: int
    edges: tuple[float, float, float, float]


def kinds_of(model: Path) -> Mapping[int, str]:
    """What the detector tells apart: its file carries the names."""
    entries = onnx.load(str(model), load_external_data=False).metadata_props
    names = next(entry.value for entry in entries if entry.key == "names")
    read: dict[int, str] = ast.literal_eval(names)
    return {number: name.replace("_", " ").lower() for number, name in read.items()}


def written(box: Box, kinds: Mapping[int, str]) -> str:
    """A box for people to read."""
    edges = ", ".join(f"{edge:.0f}" for edge in box.edges)
    return f"{kinds[box.kind]} {box.score:.2f} at {edges}"


def find_boxes(row: Floats) -> list[Box]:
    """Boxes of one frame, the surest first."""
    centre, size, scores = row[:2], row[2:4], row[4:]
    kinds, best = scores.argmax(axis=0), scores.max(axis=0)
    corners = np.concatenate([centre - size / 2, size]).T
    kept = cv2.dnn.NMSBoxesBatched(
        corners.astype(float).tolist(), best.tolist(), kinds.tolist(), _SURE, _SAME
    )
    return [_box(row, int(kinds[place]), int(place)) for place in kept]


def box_at(row: Floats, box: Box) -> Box:
    """What another output says of the same place and kind."""
    return _box(row, box.kind, box.place)


def _box(row: Floats, kind: int, place: int) -> Box:
    x, y, width, height = (float(number) for number in row[:4, place])
    edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return Box(kind, float(row[4 + kind, place]), place, edges)


@dataclass(frozen=True)
class Shift:
    """How far boxes lie apart: pixels of the frame, and score."""

    pixels: float
    score: float


def shift(boxes: Sequence[Box], row: Floats) -> Shift:
    """The farthest that another output's boxes are from these, place by place."""
    others = [box_at(row, box) for box in boxes]
    pixels = [
        abs(edge - other)
        for box, moved in zip(boxes, others, strict=True)
        for edge, other in zip(box.edges, moved.edges, strict=True)
    ]
    scores = [abs(box.score - moved.score) for box, moved in zip(boxes, others, strict=True)]
    return Shift(max(pixels, default=0.0), max(scores, default=0.0))
