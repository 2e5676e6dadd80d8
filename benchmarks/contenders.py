"""Ways to run a model at any number of rows. One contender is open per process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

import gearshift
from gearshift.tensors import Array


@dataclass(frozen=True)
class Setup:
    """What every contender is given, and nothing else.

    Attributes:
        onnx: the model as it came.
        artifact: the same model, compiled for gears.
        rows: an ``.npy`` file with real rows to time on; more of them than are ever timed at once.
        threads: threads of one run.
    """

    onnx: Path
    artifact: Path
    rows: Path
    threads: int


@dataclass(frozen=True)
class Runner:
    """An opened contender.

    Attributes:
        run: rows in, the first output's rows out.
        plan: the gears that it would take for so many rows; empty if it has none.
        prepare: what it does once, before it is timed, on a machine that is otherwise idle.
    """

    run: Callable[[Array], Array]
    plan: Callable[[int], str] = lambda rows: ""
    prepare: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Contender:
    """A way to run a model.

    Attributes:
        name: short, for a table's head.
        how: what it does, in one line.
        open: opens it; called in the contender's own process.
    """

    name: str
    how: str
    open: Callable[[Setup], AbstractContextManager[Runner]]


def short_plan(plan: gearshift.Plan) -> str:
    """``4x2+2(1)``: gear 4 twice, then gear 2 with 1 row."""
    parts = []
    for piece, same in groupby(plan.pieces):
        times = len(list(same))
        filled = "" if piece.rows == piece.gear else f"({piece.rows})"
        parts.append(f"{piece.gear}{filled}" + (f"x{times}" if times > 1 else ""))
    return "+".join(parts)


@contextmanager
def _gears(setup: Setup, *, tune: bool) -> Iterator[Runner]:
    with gearshift.load(setup.artifact, threads=setup.threads) as model:
        feed, fetch = model.inputs[0].name, model.outputs[0].name
        yield Runner(
            run=lambda rows: model.run({feed: rows})[fetch],
            plan=lambda rows: short_plan(model.plan(rows)),
            prepare=model.tune if tune else lambda: None,
        )


def _tuned(setup: Setup) -> AbstractContextManager[Runner]:
    return _gears(setup, tune=True)


def _default(setup: Setup) -> AbstractContextManager[Runner]:
    return _gears(setup, tune=False)


@contextmanager
def _one_gear(setup: Setup, choose: Callable[[Sequence[int]], int]) -> Iterator[Runner]:
    with gearshift.load(setup.artifact, threads=setup.threads) as model:
        feed, fetch = model.inputs[0].name, model.outputs[0].name
        gear = choose(model.gears)

        def run(rows: Array) -> Array:
            pieces = [
                model.run({feed: rows[start : start + gear]}, gear=gear)[fetch]
                for start in range(0, len(rows), gear)
            ]
            return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

        yield Runner(run)


def _largest(setup: Setup) -> AbstractContextManager[Runner]:
    return _one_gear(setup, max)


def _single_rows(setup: Setup) -> AbstractContextManager[Runner]:
    return _one_gear(setup, min)


@contextmanager
def _onnxruntime(setup: Setup) -> Iterator[Runner]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = setup.threads
    options.inter_op_num_threads = 1
    # Threads that spin between runs would be timed in the other contenders' processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(str(setup.onnx), options, ["CPUExecutionProvider"])
    feed = session.get_inputs()[0].name

    def run(rows: Array) -> Array:
        return np.asarray(session.run(None, {feed: rows})[0])

    yield Runner(run)


@contextmanager
def _openvino(setup: Setup) -> Iterator[Runner]:
    import openvino as ov

    core = ov.Core()
    model = core.read_model(setup.onnx)
    row_shape = np.load(setup.rows, mmap_mode="r").shape[1:]
    model.reshape(ov.PartialShape([-1, *row_shape]))
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": setup.threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request: Any = core.compile_model(model, "CPU", settings).create_infer_request()

    def run(rows: Array) -> Array:
        request.set_input_tensor(ov.Tensor(rows, shared_memory=True))
        request.infer()
        return np.array(request.get_output_tensor(0).data)

    yield Runner(run)


TUNED = Contender("gearshift", "gearshift after tune(): plans follow measured costs", _tuned)
DEFAULT = Contender("untuned", "gearshift on its stated cost model, nothing measured", _default)
LARGEST = Contender("always largest", "every call padded to the largest gear", _largest)
ROW_BY_ROW = Contender("row by row", "gear 1, once per row", _single_rows)
ONNX_RUNTIME = Contender("ONNX Runtime", "its own dynamic batch, spinning off", _onnxruntime)
OPENVINO = Contender("OpenVINO", "its own dynamic batch, hint LATENCY", _openvino)
