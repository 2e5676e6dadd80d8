"""Models executed at every gear, in memory of every kind, against ONNX Runtime."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mdl_tools import (
    ENGINES,
    IMAGES,
    PAIRS,
    ROWS,
    Loaded,
    Memory,
    agree,
    compiled,
    dataset_over,
    expected,
    folder,
    joined,
    numbers,
    pairs_feeds,
    started,
)

from gearshift.acl import buffers, memory, runtime, util
from gearshift.acl.codes import Code
from gearshift.acl.mdl import datasets
from gearshift.acl.mdl import load as mdl_load
from gearshift.acl.mdl import run as mdl_run
from gearshift.tensors import Array

__all__ = ["folder", "started"]

TEXTS = {"batch": ROWS, "image": IMAGES, "dims": PAIRS, "fixed": IMAGES}
MODES = tuple(TEXTS)
FILL = 0xA5
Gear = Sequence[int] | Mapping[str, Any] | None


def cases(mode: str) -> Iterator[tuple[Gear, dict[str, Array]]]:
    """Every gear, and feeds for it."""
    if mode == "batch":
        for batch in (1, 4, 2, 1):
            yield (batch,), {"x": numbers(batch, (batch, 4))}
    elif mode == "image":
        for height, width in ((8, 8), (16, 12), (4, 6)):
            yield (height, width), {"x": numbers(height, (2, 3, height, width))}
    elif mode == "fixed":
        yield None, {"x": numbers(3, (2, 3, 8, 10))}
    else:
        for rows, of_q, of_k in ((2, 3, 5), (1, 6, 2), (3, 1, 2)):
            gear = joined((rows, of_k, 4), (rows, of_q, 4), (rows,))
            yield gear, pairs_feeds(rows, of_q, of_k, seed=rows)


@pytest.fixture(scope="module", params=ENGINES)
def models(folder: Path, request: pytest.FixtureRequest) -> dict[str, Path]:
    engine = request.param
    words: dict[str, dict[str, Any]] = {
        "batch": {"input_shape": "x:-1,4", "dynamic_batch_size": "4,1,2"},
        "image": {"input_shape": "x:2,3,-1,-1", "dynamic_image_size": "8,8;16,12;4,6"},
        "dims": {
            "input_shape": "k:-1,-1,4;q:-1,-1,4;bias:-1",
            "dynamic_dims": "2,5,2,3,2;1,2,1,6,1;3,2,3,1,3",
        },
        "fixed": {"input_shape": "x:2,3,8,10"},
    }
    return {
        mode: compiled(TEXTS[mode], folder, mode + engine, engine=engine, **words[mode])
        for mode in MODES
    }


class Places:
    """Memory of one kind, that keeps what it handed out alive."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.kept: list[Any] = []
        self.ours: list[int] = []

    def take(self, size: int) -> int:
        """Address of so many bytes, which hold the fill."""
        odd = 1 if self.kind.startswith("odd") else 0
        wanted = size + odd
        if self.kind in ("device", "odd device"):
            address, ret = memory.malloc(wanted, 0)
            self.ours.append(address)
        elif self.kind == "host":
            address, ret = memory.malloc_host(wanted)
            self.ours.append(address)
        else:
            ret = 0
            address = self._foreign(wanted)
        assert ret == 0
        assert memory.memset(address, wanted, FILL, wanted) == 0
        return address + odd

    def _foreign(self, size: int) -> int:
        if self.kind == "bytes":
            content = bytes([size % 251]) * max(size, 2)  # no bytes object that others share
            self.kept.append(content)
            return util.bytes_to_ptr(content)
        if self.kind == "ctypes":
            self.kept.append(ctypes.create_string_buffer(size))
            return ctypes.addressof(self.kept[-1])
        self.kept.append(np.empty(size, np.uint8))
        return util.numpy_contiguous_to_ptr(self.kept[-1])[0]

    def free(self) -> None:
        free = memory.free_host if self.kind == "host" else memory.free
        for address in self.ours:
            assert free(address) == 0


execute_now = mdl_run.execute


def execute_later(model: int, source: int, target: int) -> int:
    """In the default stream, and waits for it."""
    return mdl_run.execute_async(model, source, target, 0) or runtime.synchronize_stream(0)


KINDS = ("device", "host", "numpy", "bytes", "ctypes", "odd device", "odd numpy")


@contextmanager
def places(kind: str) -> Iterator[Places]:
    made = Places(kind)
    try:
        yield made
    finally:
        made.free()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size_of", ["gear", "largest"])
@pytest.mark.parametrize("mode", MODES)
def test_every_gear_in_memory_of_every_kind(
    models: dict[str, Path], folder: Path, mode: str, size_of: str, kind: str
) -> None:
    with Loaded.of(models[mode]) as model, places(kind) as there:
        for gear, feeds in cases(mode):
            wanted = expected(TEXTS[mode], folder, feeds)
            input_sizes, output_sizes = model.input_sizes(), model.output_sizes()
            if size_of == "gear":
                input_sizes[: len(feeds)] = [array.nbytes for array in feeds.values()]
                output_sizes = [array.nbytes for array in wanted]
            given = [(there.take(size), size) for size in input_sizes]
            taken = [(there.take(size), size) for size in output_sizes]
            for (address, size), array in zip(given, feeds.values(), strict=False):
                assert memory.memcpy(address, size, array.ctypes.data, array.nbytes, 1) == 0
            source, target = dataset_over(*given), dataset_over(*taken)
            if gear is not None:
                assert model.set_gear(source, gear) == 0
            for runs in (execute_now, execute_later):
                assert runs(model.number, source, target) == 0
                for (address, size), array in zip(taken, wanted, strict=True):
                    held = util.ptr_to_bytes(address, size)
                    agree(np.frombuffer(held[: array.nbytes], array.dtype), array.reshape(-1))
                    assert set(held[array.nbytes :]) <= {FILL}, "no more than the gear's elements"
                    assert memory.memset(address, size, FILL, size) == 0
            for (address, size), array in zip(given, feeds.values(), strict=False):
                held = util.ptr_to_bytes(address, size)
                assert held[: array.nbytes] == array.tobytes(), "inputs stay what they are"
            for dataset in (source, target):
                assert datasets.destroy_dataset(dataset) == 0


@pytest.mark.parametrize("host", [False, True])
@pytest.mark.parametrize("shift", [0, 16, 4, 2, -4])
def test_inputs_and_outputs_in_the_same_memory(
    models: dict[str, Path], folder: Path, host: bool, shift: int
) -> None:
    """Outputs on top of the input, and on top of a part of it."""
    feeds = {"x": numbers(5, (4, 4))}
    y, seen = expected(ROWS, folder, feeds)
    with Loaded.of(models["batch"]) as model, Memory([256, 4], host=host) as given:
        start = given.addresses[0] + 64
        assert memory.memcpy(start, 64, feeds["x"].ctypes.data, 64, 1) == 0
        far = given.addresses[0] + 160
        for first, second in ((start + shift, far), (far, start + shift)):
            assert memory.memcpy(start, 64, feeds["x"].ctypes.data, 64, 1) == 0
            source = dataset_over((start, 64), (given.addresses[1], 4))
            target = dataset_over((first, 48), (second, 64))
            assert model.set_gear(source, (4,)) == 0
            assert mdl_run.execute(model.number, source, target) == 0
            agree(np.frombuffer(util.ptr_to_bytes(first, 48), np.float32).reshape(4, 3), y)
            agree(np.frombuffer(util.ptr_to_bytes(second, 64), np.float32).reshape(4, 4), seen)
            for dataset in (source, target):
                assert datasets.destroy_dataset(dataset) == 0


def test_one_buffer_for_several_inputs(models: dict[str, Path], folder: Path) -> None:
    """A data buffer may be in a dataset twice, and in two datasets."""
    gear = joined((1, 2, 4), (1, 6, 4), (1,))
    shared = numbers(9, (1, 6, 4))
    bias = np.frombuffer(shared.tobytes()[:4], np.int32)
    wanted = expected(PAIRS, folder, {"q": shared, "bias": bias, "k": shared[:, :2]})
    with Loaded.of(models["dims"]) as model, Memory([512]) as memory_of_all:
        memory_of_all.put(0, shared)
        source = datasets.create_dataset()
        (handle,) = memory_of_all.handles
        shape_buffer = buffers.create_data_buffer(memory_of_all.addresses[0] + 256, 20)
        for each in (handle, handle, handle, shape_buffer):
            assert datasets.add_dataset_buffer(source, each) == (source, 0)
        with Memory([48, 16]) as taken:
            assert model.set_gear(source, gear) == 0
            assert mdl_run.execute(model.number, source, taken.dataset) == 0
            agree(taken.get(0, wanted[0]), wanted[0])
            agree(taken.get(1, wanted[1]), wanted[1])
        assert datasets.destroy_dataset(source) == 0
        assert buffers.destroy_data_buffer(shape_buffer) == 0


def test_a_model_out_of_memory_that_is_freed_at_once(models: dict[str, Path], folder: Path) -> None:
    content = models["batch"].read_bytes()
    source = np.frombuffer(content, np.uint8)
    address, _ = memory.malloc(len(content), 0)
    assert memory.memcpy(address, len(content), source.ctypes.data, len(content), 1) == 0
    number, ret = mdl_load.load_from_mem(address, len(content))
    assert ret == 0
    assert memory.memset(address, len(content), 0, len(content)) == 0
    assert memory.free(address) == 0
    feeds = {"x": numbers(1, (2, 4))}
    wanted = expected(ROWS, folder, feeds)
    with Loaded(number) as model, Memory([64, 4]) as given, Memory([48, 64]) as taken:
        given.put(0, feeds["x"])
        assert model.set_gear(given.dataset, (2,)) == 0
        assert mdl_run.execute(number, given.dataset, taken.dataset) == 0
        agree(taken.get(0, wanted[0]), wanted[0])


def test_a_thread_of_its_own_context(models: dict[str, Path], folder: Path) -> None:
    """Execution needs a context, any one; loading and running may be in different threads."""
    feeds = {"x": numbers(3, (2, 3, 8, 10))}
    wanted = expected(IMAGES, folder, feeds)
    codes: list[int] = []

    def work(_: object) -> None:
        codes.append(mdl_run.execute(model.number, given.dataset, taken.dataset))
        context, _ = runtime.create_context(1)
        codes.append(mdl_run.execute(model.number, given.dataset, taken.dataset))
        assert runtime.destroy_context(context) == 0

    with Loaded.of(models["fixed"]) as model, Memory(model.input_sizes()) as given:
        given.put(0, feeds["x"])
        with Memory([array.nbytes for array in wanted]) as taken:
            thread, _ = util.start_thread(work, [])
            assert util.stop_thread(thread) == 0
            assert codes == [Code.RT_CONTEXT_NULL, 0]
            agree(taken.get(0, wanted[0]), wanted[0])


def test_outputs_of_every_type(folder: Path) -> None:
    """Elements of one to eight bytes, in and out, and one without dims."""
    text = """
    types (float[N, 3] f, int64[N, 3] l, bool[N, 3] b, uint8[N, 3] u, float16[N, 3] h, double s)
        => (float[N, 3] f2, int64[N, 3] l2, bool[N, 3] b2, uint8[N, 3] u2, float16[N, 3] h2,
            double s2)
    { f2 = Neg (f)  l2 = Neg (l)  b2 = Not (b)  u2 = Identity (u)  h2 = Neg (h)  s2 = Neg (s) }
    """
    shapes = "f:-1,3;l:-1,3;b:-1,3;u:-1,3;h:-1,3"
    path = compiled(text, folder, "types", input_shape=shapes, dynamic_batch_size="1,5")
    feeds = {
        name: numbers(at, (5, 3)).astype(dtype)
        for at, (name, dtype) in enumerate(
            {"f": "f4", "l": "i8", "b": "?", "u": "u1", "h": "f2"}.items()
        )
    } | {"s": np.float64(2.5)}
    wanted = expected(text, folder, {**feeds, "s": np.array(2.5)})
    with Loaded.of(path) as model, Memory(model.input_sizes()) as given:
        assert model.input_sizes() == [60, 120, 15, 15, 30, 8, 4]
        assert model.output_sizes() == [array.nbytes for array in wanted]
        for at, array in enumerate(feeds.values()):
            given.put(at, np.asarray(array))
        with Memory(model.output_sizes()) as taken:
            assert model.set_gear(given.dataset, (5,)) == 0
            assert mdl_run.execute(model.number, given.dataset, taken.dataset) == 0
            for at, array in enumerate(wanted):
                agree(taken.get(at, np.asarray(array)), array)
            assert prod(model.current()[0]) == 15
