"""The recogniser against its peers: every contender in its own process, in one run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from benchmarks import contenders
from benchmarks.contender import Setup
from benchmarks.rounds import Board, changing_count, measure
from benchmarks.worker import Worker, open_workers

from examples.ocr.build import GEARS
from examples.ocr.models import OcrModels
from examples.ocr.reader import Reading
from examples.ocr.recognise import RECOGNISER_SHAPE
from examples.ocr.show import Show

CROP_COUNTS = (1, 2, 3, 4, 5, 6, 7, 8, 11, 16, 20)
CONTENDERS = (
    contenders.GEARSHIFT,
    contenders.LARGEST,
    contenders.ONNX_RUNTIME,
    contenders.OPENVINO,
)


def save_rows(models: OcrModels, readings: Sequence[Reading], threads: int) -> Setup:
    """Puts the crops that were read where the contenders' processes find them."""
    path = models.recogniser.with_name("crops.npz")
    np.savez(path, x=np.concatenate([reading.crops for reading in readings]))
    artifact, shapes = models.recogniser.with_suffix(".om"), {"x": RECOGNISER_SHAPE}
    return Setup(models.recogniser, artifact, path, threads, GEARS, shapes)


def compare_with_reference(setup: Setup, readings: Sequence[Reading]) -> float:
    """The largest difference between the recogniser's outputs and ONNX Runtime's."""
    with open_workers([contenders.ONNX_RUNTIME], setup) as (reference,):
        return max(
            float(np.abs(np.subtract(reading.scores, reference.run({"x": reading.crops})[0])).max())
            for reading in readings
            if len(reading.crops)
        )


def time_contenders(setup: Setup, seconds: float, show: Show) -> None:
    """Times every number of crops on every contender and shows the table."""
    with open_workers(CONTENDERS, setup) as workers:
        for worker in workers:
            worker.seconds(CROP_COUNTS)  # builds what is built at first use
        board = _measure(workers, seconds, show)
        plans = {count: workers[0].plan(count) for count in CROP_COUNTS}
    show.times(board, plans, [each.name for each in CONTENDERS])
    show.line(
        f"How: one process per contender, {setup.threads} threads and float32 each, taking turns; "
        f"{board.rounds} rounds of every number of crops in a new random order. Times are medians "
        "± half the quartile distance; 1.50x means it took 1.5 times as long as gearshift. "
        "A plan of 4x2+2(1) runs gear 4 twice and gear 2 with 1 row."
    )
    if board.bystanders > 0.05:
        show.line(
            f"Other programs took {board.bystanders:.0%} of the machine meanwhile: "
            "for figures to go by, repeat it on a quiet one.",
            "bold yellow",
        )


def _measure(workers: Sequence[Worker], seconds: float, show: Show) -> Board:
    with show.progress(f"timing for about {seconds:.0f} s", seconds) as advance:
        return measure(workers, changing_count(CROP_COUNTS), seconds=seconds, on_progress=advance)
