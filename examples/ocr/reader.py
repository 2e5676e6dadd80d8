"""The pipeline: a page goes in, its lines of text come out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

import gearshift
from examples.ocr import detect, recognise
from examples.ocr.detect import Box, Floats
from examples.ocr.models import OcrModels
from examples.ocr.pages import Pixels, half_turn


@dataclass(frozen=True)
class Reading:
    """What came out of one page.

    Attributes:
        texts: the lines, top to bottom as a person reads them.
        boxes: where they are on the page as it was scanned.
        upside_down: the classifier found the page on its head.
        crops: the recogniser's input, one row per line.
        scores: the recogniser's output.
        plan: the gears the recogniser ran.
        seconds: from the detector's map to the texts.
    """

    texts: tuple[str, ...]
    boxes: tuple[Box, ...]
    upside_down: bool
    crops: Floats
    scores: Floats
    plan: str
    seconds: float


@dataclass(frozen=True)
class Reader:
    """Detector, angle classifier and recogniser, each compiled for gears."""

    detector: gearshift.Session
    classifier: gearshift.Session
    recogniser: gearshift.Session
    characters: Sequence[str]

    def find(self, pages: Sequence[Pixels]) -> Floats:
        """The detector's map of text, one per page; all pages at once."""
        maps = _only_output(self.detector, detect.detector_input(pages))
        return maps[:, 0]

    def detector_plan(self, pages: Sequence[Pixels]) -> str:
        """The gears that `find` takes for those pages."""
        return str(self.detector.plan(len(pages)))

    def read(self, page: Pixels, text_map: Floats) -> Reading:
        """The page's text. However many crops it has, each model is called once."""
        start = time.perf_counter()
        boxes = detect.find_boxes(text_map)
        crops = [detect.cut_out(page, box) for box in boxes]
        angles = _only_output(
            self.classifier, recognise.crop_batch(crops, recognise.CLASSIFIER_SHAPE)
        )
        upside_down = recognise.is_upside_down(angles)
        if upside_down:
            crops = [half_turn(crop) for crop in reversed(crops)]
        batch = recognise.crop_batch(crops, recognise.RECOGNISER_SHAPE)
        scores = _only_output(self.recogniser, batch)
        texts = tuple(recognise.decode(row, self.characters) for row in scores)
        seconds = time.perf_counter() - start
        plan = str(self.recogniser.plan(len(batch)))
        return Reading(texts, tuple(boxes), upside_down, batch, scores, plan, seconds)


@contextmanager
def open_reader(
    models: OcrModels, threads: int, characters: Sequence[str], measure: float
) -> Iterator[Reader]:
    """The pipeline over the compiled models that lie beside the ONNX files.

    Args:
        models: the ONNX files.
        threads: of one run.
        characters: what the recogniser's classes mean.
        measure: seconds to find out what runs the recogniser best, unless it is known; 0 for none.
    """
    with ExitStack() as stack:

        def opened(model: Path, tune: float) -> gearshift.Session:
            path = model.with_suffix(".om")
            session = gearshift.load(path, threads=threads, tune=tune, preload=True)
            return stack.enter_context(session)

        # Only the recogniser is measured, so that the demo stays short.
        detector, classifier = opened(models.detector, 0), opened(models.classifier, 0)
        yield Reader(detector, classifier, opened(models.recogniser, measure), characters)


def save_picture(path: Path, page: Pixels, reading: Reading) -> None:
    """Writes the page with its boxes as an image."""
    cv2.imwrite(str(path), detect.outline_boxes(page, reading.boxes))


def _only_output(model: gearshift.Session, rows: Floats) -> Floats:
    (feed, *_), (fetch,) = model.inputs, model.outputs
    return np.asarray(model.run({feed.name: rows})[fetch.name], np.float32)
