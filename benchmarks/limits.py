"""What no program can beat on this machine: its arithmetic and its memory, as measured."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper

from benchmarks.contender import Contender, Setup
from benchmarks.contenders import ONNX_RUNTIME, OPENVINO
from benchmarks.worker import open_workers
from benchmarks.zoo.catalogue import Model
from benchmarks.zoo.flops import flops_per_row
from gearshift.frontend.onnx import load_program
from gearshift.tensors import Array

_SIDE: Final = 1024
_COPY_BYTES: Final = 1 << 29  # beyond every cache
_REPEATS: Final = 8
_MULTIPLYING: Final = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


@dataclass(frozen=True)
class Machine:
    """The most that was seen of this machine.

    Attributes:
        flops: float32 operations per second.
        bandwidth: bytes per second to and from memory.
    """

    flops: float
    bandwidth: float

    @property
    def how(self) -> str:
        """Both figures, and what they were taken from."""
        product = f"float32 product of {_SIDE}x{_SIDE} matrices, best of both engines"
        copied = f"copying {_COPY_BYTES >> 20} MiB, read and written"
        return (
            f"{self.flops / 1e9:.0f} GFLOP/s ({product}); "
            f"{self.bandwidth / 1e9:.1f} GB/s ({copied})"
        )


@dataclass(frozen=True)
class Work:
    """What a model asks of a machine.

    Attributes:
        flops: operations of one row.
        weight_bytes: what its matrix products and convolutions read, however few the rows.
    """

    flops: int
    weight_bytes: int

    def least_seconds(self, rows: int, machine: Machine) -> float:
        """No program that does this arithmetic in full takes less for so many rows."""
        return rows * self.flops / machine.flops

    def weight_seconds(self, machine: Machine) -> float:
        """What reading the weights once takes, if they do not lie in a cache."""
        return self.weight_bytes / machine.bandwidth


def work_of(model: Model) -> Work:
    """Counted from the graph."""
    return Work(flops_per_row(model), _weight_bytes(model.onnx))


def _weight_bytes(path: Path) -> int:
    found: dict[str, int] = {}
    for node in load_program(path).model.graph:
        if node.op_type not in _MULTIPLYING:
            continue
        for value in node.inputs:
            constant = None if value is None else ir.convenience.get_const_tensor(value)
            if value is not None and value.name and constant is not None:
                found[value.name] = constant.nbytes
    return sum(found.values())


def measure_machine(folder: Path, threads: int) -> Machine:
    """Takes a few seconds; leave the machine alone meanwhile."""
    return Machine(_flops(_product(folder, threads)), _bandwidth(threads))


def _product(folder: Path, threads: int) -> Setup:
    """A matrix product as a model of rows."""
    dice = np.random.default_rng(3)
    weights = dice.uniform(-1, 1, (_SIDE, _SIDE)).astype(np.float32)
    path, rows = folder / "product.onnx", folder / "product.npz"
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", _SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", _SIDE])],
        [numpy_helper.from_array(weights, "w")],
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), str(path))
    np.savez(rows, x=weights)
    return Setup(path, path, rows, threads, gears=(_SIDE,), row_shapes={"x": (_SIDE,)})


def _flops(product: Setup) -> float:
    contenders: tuple[Contender, ...] = (ONNX_RUNTIME, OPENVINO)
    samples: list[float] = []
    with open_workers(contenders, product) as workers:
        for _ in range(_REPEATS):
            for worker in workers:
                samples += worker.seconds([_SIDE] * _REPEATS)
                time.sleep(worker.contender.cools)
    return 2.0 * _SIDE**3 / min(samples)


def _bandwidth(threads: int) -> float:
    """Each thread copies its part; what is read counts and what is written, too."""
    source = np.ones(_COPY_BYTES, np.uint8)
    target = np.zeros_like(source)
    parts = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))
    times = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(_REPEATS):
            began = time.perf_counter()
            list(pool.map(_copy, parts))
            times.append(time.perf_counter() - began)
    return 2.0 * _COPY_BYTES / min(times)


def _copy(part: tuple[Array, Array]) -> None:
    np.copyto(part[1], part[0])
