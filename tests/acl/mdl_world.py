"""What acl.mdl must answer: a simple model of models, datasets, buffers and memory."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mdl_tools import ROWS, compiled

from gearshift.acl import buffers, memory, runtime, util
from gearshift.acl.blocks import BLOCKS
from gearshift.acl.codes import Code
from gearshift.acl.mdl import datasets
from gearshift.acl.mdl import desc as mdl_desc
from gearshift.acl.mdl import gears as mdl_gears
from gearshift.acl.mdl import load as mdl_load
from gearshift.acl.mdl import run as mdl_run
from gearshift.tensors import Array

BATCHES = (1, 2, 4)
WEIGHTS = np.array([[1, 2, 3], [-1, -2, -3], [0.5, 0, 1], [2, 2, -2]], np.float32)
WRONG, PARAM, MISSING = Code.INVALID_PARAM, Code.GE_PARAM_INVALID, Code.GE_MODEL_ID_INVALID
NO_GEAR, MEMORY = Code.GE_DYNAMIC_BATCH_SIZE_INVALID, Code.RT_PARAM_INVALID
INTS = (0, 1, 2, 3, -1, 7, 4096, 1 << 31, 1 << 47, (1 << 64) - 1)


_FOLDER = tempfile.TemporaryDirectory(prefix="gearshift-sequences-")


@functools.cache
def files() -> dict[str, Path]:
    """One model with gears and one without, kept for the whole process."""
    folder = Path(_FOLDER.name)
    words = {"engine": "onnxruntime"}
    return {
        "batch": compiled(
            ROWS, folder, "batch", input_shape="x:-1,4", dynamic_batch_size="1,4,2", **words
        ),
        "fixed": compiled(ROWS, folder, "fixed", input_shape="x:2,4", **words),
    }


@dataclass
class Loaded:
    """A loaded model, as it should be."""

    kind: str
    gear: int | None = None


@dataclass
class Set:
    """A dataset, as it should be."""

    role: str = ""
    buffers: list[int] = field(default_factory=list)
    gears: dict[int, int] = field(default_factory=dict)


class World:
    """What there is, as it should be; calls are made through it and their answers checked.

    Most are of what there is, so that many do what they are asked for: `one_of` picks among the
    living, and now and then something that was destroyed, is of another kind, or never was.
    """

    def __init__(self) -> None:
        super().__init__()
        if runtime.is_running():
            runtime.finalize()
        assert runtime.init() == 0
        assert runtime.set_device(0) == 0
        self.loaded: dict[int, Loaded] = {}
        self.every: dict[int, Loaded] = {}  # those that were unloaded as well
        self.described: dict[int, int | None] = {}
        self.datasets: dict[int, Set] = {}
        self.buffers: dict[int, tuple[int, int]] = {}
        self.memory: dict[int, int] = {}
        self.past = list(INTS)
        self.used = BLOCKS.used

    def teardown(self) -> None:
        runtime.synchronize_device()
        for number in self.loaded:
            assert mdl_load.unload(number) == 0
        for address in self.memory:
            assert memory.free(address) == 0
        for desc in self.described:
            assert mdl_desc.destroy_desc(desc) == 0
        for dataset in self.datasets:
            assert datasets.destroy_dataset(dataset) == 0
        for buffer in self.buffers:
            assert buffers.destroy_data_buffer(buffer) == 0
        assert BLOCKS.used == self.used
        runtime.finalize()
        runtime.reset_device_force(0)

    def one_of(self, living: Iterable[int], pick: int) -> int:
        """Mostly one of these, by a number."""
        there = list(living)
        if not there or pick % 10 == 0:
            there = self.past
        return there[pick // 10 % len(there)]

    def sets(self, role: str) -> list[int]:
        """The datasets that were made for that."""
        return [handle for handle, held in self.datasets.items() if held.role == role]

    def allocate(self, size: int) -> int:
        address, ret = memory.malloc(size, 0)
        assert ret == 0
        assert memory.memset(address, size, 0, size) == 0
        self.memory[address] = size
        return address

    def point_at(self, address: int, size: int) -> int:
        buffer = buffers.create_data_buffer(address, size)
        assert buffer not in self.buffers
        self.buffers[buffer] = (address, size)
        return buffer

    def dataset_of(self, role: str, sizes: list[int]) -> None:
        dataset = datasets.create_dataset()
        assert dataset not in self.datasets
        self.datasets[dataset] = Set(role)
        for size in sizes:
            buffer = self.point_at(self.allocate(size), size)
            assert datasets.add_dataset_buffer(dataset, buffer) == (dataset, 0)
            self.datasets[dataset].buffers.append(buffer)

    def sets_gear(self, model: int, dataset: int, index: int, batch: int) -> None:
        ret = mdl_gears.set_dynamic_batch_size(model, dataset, index, batch)
        assert ret == self._of_gear(model, dataset, index, batch)
        if not ret:
            self.loaded[model].gear = self.datasets[dataset].gears[model] = batch
            address, size = self.buffers[self.datasets[dataset].buffers[1]]
            width = 8 if size >= 8 else 4
            assert util.ptr_to_bytes(address, width) == batch.to_bytes(width, "little")

    def _of_gear(self, model: int, dataset: int, index: int, batch: int) -> int:
        """What setting a gear should answer."""
        if model not in self.loaded:
            return MISSING
        if dataset not in self.datasets:
            return WRONG
        if self.loaded[model].kind == "fixed":
            return NO_GEAR
        held = self.datasets[dataset].buffers
        if index != 1 or len(held) < 2 or held[1] not in self.buffers:
            return WRONG
        address, size = self.buffers[held[1]]
        if not address:
            return Code.GE_DYNAMIC_INPUT_ADDRESS_INVALID
        if size < 4:
            return Code.GE_DYNAMIC_INPUT_LENGTH_INVALID
        if batch not in BATCHES:
            return NO_GEAR
        return 0 if self._is_there(address, 8 if size >= 8 else 4) else MEMORY

    def _pieces(self, dataset: Set) -> list[tuple[int, int]]:
        return [self.buffers[buffer] for buffer in dataset.buffers]

    def _is_there(self, address: int, count: int) -> bool:
        return any(
            start <= address and address + count <= start + size
            for start, size in self.memory.items()
        )

    def executes(self, model: int, source: int, into: int, asynchronous: bool) -> None:
        wanted = self._of_execution(model, source, into)
        x = self._inputs(model, source) if not wanted else None
        if asynchronous:
            ret = mdl_run.execute_async(model, source, into, 0)
            ret = ret or runtime.synchronize_stream(0)
        else:
            ret = mdl_run.execute(model, source, into)
        assert ret == wanted
        if x is not None:
            self._check(x, into)

    def _of_execution(self, model: int, source: int, into: int) -> int:
        """What an execution should answer."""
        if model not in self.loaded:
            return MISSING
        if source not in self.datasets or into not in self.datasets:
            return WRONG
        kind = self.loaded[model].kind
        for held, count in ((source, 2 if kind == "batch" else 1), (into, 2)):
            handles = self.datasets[held].buffers
            if len(handles) != count:
                return PARAM
            for handle in handles:
                if handle not in self.buffers:
                    return WRONG
                if not self.buffers[handle][0]:
                    return PARAM
        rows = self._rows(model, source)
        if not rows:
            return NO_GEAR
        wanted = [16 * rows], [12 * rows, 16 * rows]
        for held, sizes in zip((source, into), wanted, strict=True):
            pieces = self._pieces(self.datasets[held])
            for (address, size), needed in zip(pieces, sizes, strict=False):
                if size < needed:
                    return PARAM
                if not self._is_there(address, needed):
                    return MEMORY
        return 0

    def _rows(self, model: int, source: int) -> int:
        if self.loaded[model].kind == "fixed":
            return 2
        return self.datasets[source].gears.get(model, self.loaded[model].gear or 0)

    def _inputs(self, model: int, source: int) -> Array:
        """Fills the input with other numbers each time; what it held when the run began."""
        rows = self._rows(model, source)
        x = np.random.default_rng(len(self.every) * 7 + rows).integers(-3, 4, (rows, 4))
        array = x.astype(np.float32)
        address, size = self._pieces(self.datasets[source])[0]
        assert memory.memcpy(address, size, array.ctypes.data, array.nbytes, 1) == 0
        return array

    def _check(self, x: Array, into: int) -> None:
        (first, _), (second, _) = self._pieces(self.datasets[into])
        sizes = [len(x) * 12, len(x) * 16]
        if first < second + sizes[1] and second < first + sizes[0]:
            return  # outputs on top of each other: one of them is what is there
        y = np.frombuffer(util.ptr_to_bytes(first, sizes[0]), np.float32).reshape(-1, 3)
        seen = np.frombuffer(util.ptr_to_bytes(second, sizes[1]), np.float32).reshape(-1, 4)
        np.testing.assert_allclose(y, x @ WEIGHTS, atol=1e-5)
        np.testing.assert_array_equal(seen, -x)
