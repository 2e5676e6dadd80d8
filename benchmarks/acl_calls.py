"""What `acl` costs: a call of `acl.mdl.execute` beside the engine's own, and memory over cycles.

Each engine is a process of its own (this module as a program). The two calls take turns on the same
small network: the engine's own one as somebody writes it who knows the engine, over arrays that
are bound or handed over where they lie.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import psutil
from onnx import TensorProto, helper, numpy_helper

import gearshift
from benchmarks.screen import OnProgress

ENGINES: Final = ("openvino", "onnxruntime")
ROWS: Final = 4
"""Rows of every call, and the gear."""
WIDTH: Final = 8
CYCLES: Final = 10_000
FIRST: Final = 100
"""Cycles after which memory is looked at first."""
STEPS: Final = 2
_GEARS: Final = (1, 2, 4, 8)
_ROUNDS: Final = 400
_CALLS: Final = 5
_ROW_BYTES: Final = 4 * WIDTH


@dataclass(frozen=True)
class AclCalls:
    """What was measured on one engine.

    Attributes:
        engine: its name.
        execute: microseconds of a call of `acl.mdl.execute`: lower quartile, median, upper one.
        own: of the engine's own call.
        cycles: how often a model was loaded, executed and unloaded in the end.
        early: resident bytes after `FIRST` cycles.
        late: resident bytes after all of them.
    """

    engine: str
    execute: tuple[float, float, float]
    own: tuple[float, float, float]
    cycles: int
    early: int
    late: int

    @property
    def overhead(self) -> float:
        """Microseconds of a call over the engine's own, by their medians."""
        return self.execute[1] - self.own[1]

    @property
    def growth(self) -> float:
        """Resident memory in the end over that of the beginning, less 1."""
        return self.late / self.early - 1


def run_acl_calls(
    folder: Path, threads: int, on_progress: OnProgress, cycles: int = CYCLES
) -> tuple[AclCalls, ...]:
    """Measures every engine in a process of its own."""
    source = folder / "acl-small.onnx"
    onnx.save(_network(), str(source))
    found = []
    for engine in ENGINES:
        on_progress(f"acl.mdl.execute on {engine}, {cycles} cycles", 0.0)
        gearshift.compile(
            source,
            output=folder / f"acl-{engine}.om",
            input_shape={"x": (-1, WIDTH)},
            dynamic_batch_size=_GEARS,
            engine=engine,
        )
        command = [sys.executable, "-m", "benchmarks.acl_calls", engine, str(folder)]
        done = subprocess.run(
            [*command, str(threads), str(cycles)], capture_output=True, text=True, check=True
        )
        found.append(AclCalls(engine, **_tuples(json.loads(done.stdout))))
    return tuple(found)


def _tuples(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in record.items()
    }


def _network() -> onnx.ModelProto:
    weights = np.random.default_rng(0).standard_normal((WIDTH, WIDTH)).astype(np.float32)
    shape: tuple[str, int] = ("N", WIDTH)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weights, "w")],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8)


class _Loaded:
    """A model that a program loaded, with its datasets, set to the gear."""

    def __init__(self, path: Path) -> None:
        import acl

        self.acl = acl
        self.number, code = acl.mdl.load_from_file(str(path))
        _check(code)
        self.datasets = (acl.mdl.create_dataset(), acl.mdl.create_dataset())
        self.buffers: list[tuple[int, int]] = []
        for dataset, sizes in zip(
            self.datasets, ((_GEARS[-1] * _ROW_BYTES, 4), (_GEARS[-1] * _ROW_BYTES,)), strict=True
        ):
            for size in sizes:
                address, code = acl.rt.malloc(size, 0)
                _check(code)
                self.buffers.append((address, acl.create_data_buffer(address, size)))
                acl.mdl.add_dataset_buffer(dataset, self.buffers[-1][1])
        _check(acl.mdl.set_dynamic_batch_size(self.number, self.datasets[0], 1, ROWS))

    def execute(self) -> None:
        _check(self.acl.mdl.execute(self.number, *self.datasets))

    def unload(self) -> None:
        for address, buffer in self.buffers:
            _check(self.acl.destroy_data_buffer(buffer))
            _check(self.acl.rt.free(address))
        for dataset in self.datasets:
            _check(self.acl.mdl.destroy_dataset(dataset))
        _check(self.acl.mdl.unload(self.number))


def _check(code: int) -> None:
    if code:
        raise RuntimeError(f"a call of acl answered {code}")


def _own_call(engine: str, source: Path, threads: int) -> Callable[[], object]:
    x = np.ones((ROWS, WIDTH), np.float32)
    if engine == "openvino":
        import openvino

        model = openvino.Core().read_model(source)
        model.reshape([ROWS, WIDTH])
        settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        request = openvino.compile_model(model, "CPU", settings).create_infer_request()
        request.set_input_tensor(0, openvino.Tensor(x, shared_memory=True))
        return lambda: request.infer(share_outputs=True)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x})


def _quartiles(seconds: list[float]) -> tuple[float, ...]:
    return tuple(round(1e6 * each, 1) for each in statistics.quantiles(seconds, n=4))


def _measure(engine: str, folder: Path, threads: int, cycles: int) -> dict[str, Any]:
    import acl

    _check(acl.init())
    _check(acl.rt.set_device(0))
    path = folder / f"acl-{engine}.om"
    resident = {}
    for cycle in range(1, cycles + 1):
        once = _Loaded(path)
        once.execute()
        once.unload()
        if cycle in (min(FIRST, cycles), cycles):
            resident[cycle] = psutil.Process().memory_info().rss
    loaded = _Loaded(path)
    calls = {
        "execute": loaded.execute,
        "own": _own_call(engine, folder / "acl-small.onnx", threads),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(_ROUNDS):
        for name, call in calls.items():
            call()
            for _ in range(_CALLS):
                began = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - began)
    return {
        **{name: _quartiles(seconds) for name, seconds in times.items()},
        "cycles": cycles,
        "early": resident[min(FIRST, cycles)],
        "late": resident[cycles],
    }


if __name__ == "__main__":
    name, place, threads, cycles = sys.argv[1:]
    print(json.dumps(_measure(name, Path(place), int(threads), int(cycles))))
