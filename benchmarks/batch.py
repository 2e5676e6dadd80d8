"""The batch benchmark: PP-OCR's classifier and recogniser at 1 to 16 rows, six ways, two protocols.

Protocol "same": each number of rows several times in a row, every way at its kindest.
Protocol "changing": another number of rows in each call, in random order, as in real use.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from examples.ocr.models import find_models
from examples.ocr.recognise import CLASSIFIER_SHAPE, RECOGNISER_SHAPE
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import gearshift
from benchmarks import contenders, host
from benchmarks.contenders import Setup
from benchmarks.rounds import Blocks, Board, changing_count, measure, same_count, warm_up
from benchmarks.worker import open_workers

GEARS = (1, 2, 4, 8, 16)
CONTENDERS = (
    contenders.TUNED,
    contenders.DEFAULT,
    contenders.LARGEST,
    contenders.ROW_BY_ROW,
    contenders.ONNX_RUNTIME,
    contenders.OPENVINO,
)
NAMES = tuple(each.name for each in CONTENDERS)


@dataclass(frozen=True)
class Options:
    """What the command line asked for.

    Attributes:
        quick: one protocol and a few row counts only.
        seconds: about how long each model and protocol is timed.
        threads: threads of one run.
        folder: where the compiled models and the record go.
    """

    quick: bool
    seconds: float
    threads: int
    folder: Path

    @property
    def counts(self) -> tuple[int, ...]:
        """Numbers of rows to time."""
        return (1, 3, 6, 11, 16) if self.quick else tuple(range(1, 17))


def main(arguments: Sequence[str] | None = None) -> int:
    """The benchmark as a command; its exit status."""
    options = _parse(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    console = Console(width=120, highlight=False)
    found = find_models()
    record: dict[str, object] = {
        "host": host.describe(),
        "threads": options.threads,
        "precision": "f32",
        "gears": GEARS,
        "contenders": {each.name: each.how for each in CONTENDERS},
        "models": {
            "cls": _model("cls", found.classifier, CLASSIFIER_SHAPE, options, console),
            "rec": _model("rec", found.recogniser, RECOGNISER_SHAPE, options, console),
        },
    }
    path = options.folder / f"batch-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    console.print(f"every sample is in {path}")
    return 0


def _parse(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one protocol, few row counts: 30 s")
    parser.add_argument("--seconds", type=float, help="per model and protocol (60; quick 4)")
    parser.add_argument("--threads", type=int, default=host.usable_cores(), help="of one run")
    parser.add_argument("--folder", type=Path, default=Path("build", "bench"), help="for its files")
    given = parser.parse_args(arguments)
    seconds = given.seconds or (4.0 if given.quick else 60.0)
    return Options(given.quick, seconds, given.threads, given.folder)


def _model(
    name: str, onnx: Path, shape: tuple[int, ...], options: Options, console: Console
) -> dict[str, object]:
    """Both protocols on one model; prints the tables, returns every sample."""
    setup = _prepare(name, onnx, shape, options)
    protocols: dict[str, Blocks] = {"changing": changing_count(options.counts)}
    if not options.quick:
        protocols["same"] = same_count(options.counts)
    samples: dict[str, object] = {}
    with open_workers(CONTENDERS, setup) as workers:
        warm_up(workers, options.counts)
        plans = {count: workers[0].plan(count) for count in options.counts}
        for protocol, blocks in protocols.items():
            board = measure(workers, blocks, seconds=options.seconds)
            console.print(_table(f"{name}, {protocol} number of rows", board, plans))
            samples[protocol] = {
                "bystanders": board.bystanders,
                "seconds": _samples(board, options.counts),
            }
    return {"plans": plans, **samples}


def _prepare(name: str, onnx: Path, shape: tuple[int, ...], options: Options) -> Setup:
    artifact, rows = options.folder / f"{name}.om", options.folder / f"{name}.npy"
    gearshift.compile(
        onnx, output=artifact, input_shape={"x": (-1, *shape)}, dynamic_batch_size=GEARS
    )
    dice = np.random.default_rng(7)
    np.save(rows, dice.uniform(-1, 1, (max(options.counts), *shape)).astype(np.float32))
    return Setup(onnx, artifact, rows, options.threads)


def _table(title: str, board: Board, plans: dict[int, str]) -> Table:
    """Medians with their spread, in ms; then how many times as long as the first."""
    table = Table(
        title=f"{title}: median ms ±half quartile distance; {board.rounds} rounds; "
        f"other programs took {board.bystanders:.0%} of the machine",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("rows", justify="right")
    table.add_column("tuned plan")
    for name in NAMES:
        table.add_column(name, justify="right")
    for count, plan in plans.items():
        times = [board.times(name, count) for name in NAMES]
        table.add_row(
            str(count), plan, *(f"{each.median * 1e3:.2f} ±{each.spread:.0%}" for each in times)
        )
    totals = [sum(board.times(name, count).median for count in plans) for name in NAMES]
    table.add_section()
    table.add_row("all", "", *(f"{total * 1e3:.1f}" for total in totals))
    table.add_row("", "against it", *(f"{total / totals[0]:.2f}x" for total in totals))
    return table


def _samples(board: Board, counts: Sequence[int]) -> dict[str, dict[int, tuple[float, ...]]]:
    return {name: {count: board.times(name, count).samples for count in counts} for name in NAMES}
