"""Preprocessing as a part of the model against preprocessing before the call.

Camera frames in NV12, 640 x 480, go into a detector: folded in by static AIPP; by numpy; by OpenCV;
and, to see what all of that costs, the detector alone on frames that were prepared beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, cast

import cv2
import numpy as np
from examples.detector.by_hand import to_rgb
from examples.detector.demo import CONFIG
from examples.detector.frames import HEIGHT, WIDTH, camera_frames

import gearshift
from benchmarks.batch import DisagreementError
from benchmarks.contender import Contender, Runner, Setup
from benchmarks.contenders import ONNX_RUNTIME
from benchmarks.ratios import Ratio, best_over_ours
from benchmarks.rounds import Times, changing_count, measure
from benchmarks.screen import OnProgress
from benchmarks.worker import Worker, open_workers
from benchmarks.zoo.catalogue import catalogue
from gearshift.aipp.config import parse_aipp
from gearshift.aipp.reference import preprocess
from gearshift.aipp.spec import StaticAipp
from gearshift.tensors import Array

ENGINES: Final = ("openvino", "onnxruntime")
COUNTS: Final = (1, 2, 4)
"""Frames of one call, and the gears: each call is one run."""
STEPS: Final = 3
"""Steps that are reported: preparing, comparing, timing."""

_INPUT: Final = "images"
_CHANNELS: Final = 3
_ONE_LEVEL: Final = 1.01 / 255
"""OpenCV's colours are at most one level above those of the conversion in whole numbers."""

Prepare = Callable[[Array], Array]
"""Frames as the camera gives them to what the session takes."""


@dataclass(frozen=True)
class Cell:
    """One number of frames on one engine.

    Attributes:
        engine: that runs the detector.
        rows: frames of each call.
        times: by way.
        ratios: each other way over the folded one.
    """

    engine: str
    rows: int
    times: Mapping[str, Times]
    ratios: Mapping[str, Ratio]


@dataclass(frozen=True)
class Preprocessed:
    """What was measured.

    Attributes:
        rounds: rounds that were played to their end.
        bystanders: share of the machine that other programs took meanwhile, 0..1.
        cells: by engine and number of frames.
    """

    rounds: int
    bystanders: float
    cells: tuple[Cell, ...]


def _folded(setup: Setup) -> Prepare:
    return lambda frames: frames


def _numpy(setup: Setup) -> Prepare:
    return partial(preprocess, _aipp(), channels=_CHANNELS)


def _opencv(setup: Setup) -> Prepare:
    cv2.setNumThreads(setup.threads)
    return opencv_input


def _ready(setup: Setup) -> Prepare:
    made = preprocess(_aipp(), setup.read_rows()[_INPUT], _CHANNELS)
    return lambda frames: made[: len(frames)]


WAYS: Final[Mapping[str, tuple[str, Callable[[Setup], Prepare]]]] = {
    "folded": ("NV12 into the model, colours and scale are a part of it", _folded),
    "numpy": ("numpy converts and scales before the call", _numpy),
    "opencv": ("cv2.cvtColor and cv2.dnn.blobFromImages before the call", _opencv),
    "ready": ("the model alone: its input was prepared and is not timed", _ready),
}
"""Who takes part, on each engine."""


def contenders() -> tuple[Contender, ...]:
    """Every way on every engine."""
    return tuple(
        Contender(
            f"{engine} {way}",
            f"gearshift on {engine}: {how}",
            partial(_opened, engine=engine, way=way),
            imports=("gearshift.session",),
            cools=ONNX_RUNTIME.cools if engine == "onnxruntime" else 0.02,
        )
        for engine in ENGINES
        for way, (how, _) in WAYS.items()
    )


@contextmanager
def _opened(setup: Setup, *, engine: str, way: str) -> Iterator[Runner]:
    prepare = WAYS[way][1](setup)
    artifact = _with_aipp(setup.artifact) if way == "folded" else setup.artifact
    with gearshift.load(
        artifact, engine=engine, threads=setup.threads, tune=0, preload=True
    ) as model:
        yield Runner(
            lambda feeds: list(
                model.run({_INPUT: prepare(feeds[_INPUT])}, gear=len(feeds[_INPUT])).values()
            )
        )


def run_preprocessing(
    folder: Path, threads: int, seconds: float, on_progress: OnProgress
) -> Preprocessed:
    """Times every way on every engine, one process each, taking turns.

    Raises:
        DisagreementError: a way computes something else.
        GearshiftError: the detector does not compile.
        DemoError: the package that carries the photograph is not installed.
        ZooError: the same for the detector.
        WorkerError: a contender's process ended.
    """
    on_progress("aipp: compiling the detector with and without it", 0.0)
    setup, reference = _prepared(folder, threads)
    with open_workers(contenders(), setup) as workers:
        on_progress("aipp: comparing outputs", 0.0)
        _check(workers, reference)
        board = measure(
            workers,
            changing_count(COUNTS),
            seconds=seconds,
            on_progress=lambda elapsed: on_progress("aipp: timing", elapsed / max(seconds, 1e-9)),
        )
    cells = [_cell(engine, rows, board.times) for engine in ENGINES for rows in COUNTS]
    return Preprocessed(board.rounds, board.bystanders, tuple(cells))


def _cell(engine: str, rows: int, times_of: Callable[[str, int], Times]) -> Cell:
    times = {way: times_of(f"{engine} {way}", rows) for way in WAYS}
    others = [way for way in WAYS if way != "folded"]
    ratios = {way: best_over_ours(times["folded"], [times[way]]) for way in others}
    return Cell(engine, rows, times, ratios)


def opencv_input(frames: Array) -> Array:
    """Frames as the detector takes them, in OpenCV's colours."""
    rgb = to_rgb(frames.astype(np.uint8, copy=False))
    return np.asarray(cv2.dnn.blobFromImages(list(rgb), 1 / 255))


def _aipp() -> StaticAipp:
    (block,) = parse_aipp(CONFIG.read_text(encoding="utf-8"))
    return cast(StaticAipp, block.aipp)


def _with_aipp(artifact: Path) -> Path:
    return artifact.with_name("detector-aipp.om")


def _prepared(folder: Path, threads: int) -> tuple[Setup, Path]:
    """Both artifacts, the frames, and ONNX Runtime's outputs for what numpy makes of them."""
    (model,) = catalogue(folder, ["nudenet"])
    artifact = folder / "detector.om"
    frames = camera_frames()[: max(COUNTS)]
    made = preprocess(_aipp(), frames, _CHANNELS)
    apart = float(np.abs(np.subtract(opencv_input(frames), made)).max())
    if apart > _ONE_LEVEL:
        raise DisagreementError(
            f"OpenCV's colours are {apart * 255:.1f} levels from the conversion in whole numbers, "
            "and at most one is explained; nothing was timed."
        )
    for output, samples, aipp in (
        (artifact, made, None),
        (_with_aipp(artifact), frames, CONFIG),
    ):
        gearshift.compile(
            model.onnx,
            output=output,
            input_shape={_INPUT: (-1, _CHANNELS, HEIGHT, WIDTH)},
            dynamic_batch_size=COUNTS,
            aipp=aipp,
            sample_inputs={_INPUT: samples[:1]},
        )
    rows, inputs = folder / "detector-frames.npz", folder / "detector-inputs.npz"
    np.savez(rows, **{_INPUT: frames})  # type: ignore[arg-type]
    np.savez(inputs, **{_INPUT: made})  # type: ignore[arg-type]
    shape = {_INPUT: (_CHANNELS, HEIGHT, WIDTH)}
    reference = folder / "detector-reference.npz"
    plain = Setup(model.onnx, artifact, inputs, threads, COUNTS, shape)
    with open_workers([ONNX_RUNTIME], plain) as (peer,):
        np.savez(reference, *peer.run({_INPUT: made}))
    return Setup(model.onnx, artifact, rows, threads, COUNTS, shape), reference


def _check(workers: list[Worker], reference: Path) -> None:
    """Those with the same colours must give the same numbers."""
    for worker in workers:
        misfit, rows = worker.misfit(reference, COUNTS)
        is_exact = not worker.contender.name.endswith("opencv")
        if is_exact and not misfit <= 1:
            raise DisagreementError(
                f"aipp: outputs of {worker.contender.name!r} for {rows} frames differ from ONNX "
                f"Runtime's by {misfit:.3g} times what is allowed; nothing was timed."
            )
