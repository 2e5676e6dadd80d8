"""The engines by themselves, as somebody who knows them would call them.

Inputs are handed over without a copy; every output is copied out once, or not at all where the
engine makes a new array of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from benchmarks.contender import Feeds, Runner, Setup
from gearshift.tensors import Array

Cut = Callable[[Setup, int], int]
"""Rows of the program that so many rows are given to, piece by piece."""


def exactly(setup: Setup, rows: int) -> int:
    """A program for each number of rows."""
    return rows


def always_largest(setup: Setup, rows: int) -> int:
    """One program, for the most rows."""
    return max(setup.gears)


def row_by_row(setup: Setup, rows: int) -> int:
    """One program, for one row."""
    return 1


def next_gear(setup: Setup, rows: int) -> int:
    """The smallest gear that holds them all, or the largest there is."""
    return min((gear for gear in setup.gears if gear >= rows), default=max(setup.gears))


@contextmanager
def onnxruntime_dynamic(setup: Setup) -> Iterator[Runner]:
    """One session, its batch dim open, all settings but the threads left as they come.

    Its `run` reads the given arrays where they are and returns new ones; binding inputs and
    outputs oneself measures the same or slower.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = setup.threads
    session = ort.InferenceSession(str(setup.onnx), options, ["CPUExecutionProvider"])
    yield Runner(run=lambda feeds: session.run(None, dict(feeds)))


@contextmanager
def openvino_dynamic(setup: Setup) -> Iterator[Runner]:
    """One program with an open batch dim; every other dim is fixed, which is to its advantage."""
    yield Runner(_openvino_factory(setup)(-1))  # the model as it was read is let go of


@contextmanager
def openvino_static(setup: Setup, *, cut: Cut) -> Iterator[Runner]:
    """Programs for fixed numbers of rows, each built when it is first called for."""
    make = _openvino_factory(setup)
    programs: dict[int, Callable[[Feeds], list[Array]]] = {}

    def run(feeds: Feeds) -> list[Array]:
        rows = len(next(iter(feeds.values())))
        size = cut(setup, rows)
        if size not in programs:
            programs[size] = make(size)
        pieces = [
            programs[size](
                {name: _filled(array[start : start + size], size) for name, array in feeds.items()}
            )
            for start in range(0, rows, size)
        ]
        return [_joined(parts, rows) for parts in zip(*pieces, strict=True)]

    yield Runner(run)


def _openvino_factory(setup: Setup) -> Callable[[int], Callable[[Feeds], list[Array]]]:
    """Reads the model; what is returned compiles it for so many rows (-1: any)."""
    import openvino as ov

    core = ov.Core()
    model = core.read_model(setup.onnx)
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": setup.threads,
        "PERFORMANCE_HINT": "LATENCY",
    }

    def make(rows: int) -> Callable[[Feeds], list[Array]]:
        shaped = model.clone()
        shaped.reshape(
            {name: ov.PartialShape([rows, *row]) for name, row in setup.row_shapes.items()}
        )
        compiled = core.compile_model(shaped, "CPU", settings)
        return _openvino_call(ov, compiled, tuple(setup.row_shapes))

    return make


def _openvino_call(
    ov: Any, compiled: Any, names: tuple[str, ...]
) -> Callable[[Feeds], list[Array]]:
    request = compiled.create_infer_request()
    indices = {
        name: index for index, port in enumerate(compiled.inputs) for name in port.get_names()
    }
    inputs = [(name, indices[name]) for name in names]
    outputs = range(len(compiled.outputs))

    def call(feeds: Feeds) -> list[Array]:
        for name, index in inputs:
            request.set_input_tensor(index, ov.Tensor(feeds[name], shared_memory=True))
        request.infer()
        return [np.array(request.get_output_tensor(index).data) for index in outputs]

    return call


def _filled(rows: Array, size: int) -> Array:
    if len(rows) == size:
        return rows
    filled = np.empty((size, *rows.shape[1:]), rows.dtype)
    filled[: len(rows)] = rows
    filled[len(rows) :] = rows[0]
    return filled


def _joined(parts: tuple[Array, ...], rows: int) -> Array:
    return parts[0][:rows] if len(parts) == 1 else np.concatenate(parts)[:rows]
