"""Executions in streams: in order, as they were asked for, and what becomes of those that fail."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from mdl_tools import (
    ENGINES,
    IMAGES,
    ROWS,
    Loaded,
    Memory,
    agree,
    compiled,
    dataset_over,
    expected,
    folder,
    numbers,
    started,
)

from gearshift.acl import buffers, callbacks, events, memory, runtime, util
from gearshift.acl.codes import Code
from gearshift.acl.mdl import datasets
from gearshift.acl.mdl import load as mdl_load
from gearshift.acl.mdl import run as mdl_run
from gearshift.tensors import Array

__all__ = ["folder", "started"]


@pytest.fixture(scope="module", params=ENGINES)
def path(folder: Path, request: pytest.FixtureRequest) -> Path:
    words = {"input_shape": "x:-1,4", "dynamic_batch_size": "4,1,2", "engine": request.param}
    return compiled(ROWS, folder, f"batch{request.param}", **words)


class Held:
    """A stream that stands still until it is let go."""

    def __init__(self) -> None:
        self.stream, ret = runtime.create_stream()
        assert ret == 0
        self._gate = threading.Event()
        runtime.stream_at(self.stream).submit(self._wait)

    def _wait(self) -> None:
        assert self._gate.wait(20)

    def go(self) -> int:
        """What `synchronize_stream` says once it has done everything."""
        self._gate.set()
        return runtime.synchronize_stream(self.stream)

    def end(self) -> None:
        assert runtime.destroy_stream(self.stream) == 0


def feeds_of(batch: int, seed: int = 0) -> dict[str, Array]:
    return {"x": numbers(seed + batch, (batch, 4))}


def test_the_gear_and_the_addresses_are_those_of_when_it_was_asked_for(
    path: Path, folder: Path
) -> None:
    stream = Held()
    with Loaded.of(path) as model, Memory([64, 4]) as given:
        takens = []
        for batch in (2, 4, 1):
            taken = Memory([48, 64]).__enter__()
            takens.append((batch, taken))
            assert model.set_gear(given.dataset, (batch,)) == 0
            ret = mdl_run.execute_async(
                model.number, given.dataset, taken.dataset, stream.stream
            )  # fmt: skip
            assert ret == 0
            # The dataset and the data buffers may go, or point elsewhere: the memory counts.
            for handle in taken.handles:
                assert buffers.update_data_buffer(handle, 8, 1) == 0
                assert buffers.destroy_data_buffer(handle) == 0
            assert datasets.destroy_dataset(taken.dataset) == 0
        content = numbers(9, (4, 4))  # what lies there when it runs
        given.put(0, content)
        assert stream.go() == 0
        for batch, taken in takens:
            wanted = expected(ROWS, folder, {"x": content[:batch]})
            for at, array in enumerate(wanted):
                agree(taken.get(at, array), array)
            taken.__exit__()
        stream.end()


def test_in_order_with_copies(path: Path, folder: Path) -> None:
    """Copy in, execute, copy out, again and again in one stream, and nothing in between waits."""
    stream = Held()
    sources = [feeds_of(1 + seed % 2, seed)["x"] for seed in range(12)]
    results = [[np.zeros((len(x), 3), np.float32), np.zeros((len(x), 4), np.float32)]
               for x in sources]  # fmt: skip
    with Loaded.of(path) as model, Memory([64, 4]) as given, Memory([48, 64]) as taken:
        for x, result in zip(sources, results, strict=True):
            assert model.set_gear(given.dataset, (len(x),)) == 0
            into, out_of = given.addresses[0], taken.addresses
            copy, where = memory.memcpy_async, stream.stream
            assert copy(into, 64, x.ctypes.data, x.nbytes, 1, where) == 0
            ret = mdl_run.execute_async(model.number, given.dataset, taken.dataset, where)
            assert ret == 0
            for at, array in enumerate(result):
                ret = copy(array.ctypes.data, array.nbytes, out_of[at], array.nbytes, 2, where)
                assert ret == 0
        assert stream.go() == 0
    for x, result in zip(sources, results, strict=True):
        for given_array, wanted in zip(result, expected(ROWS, folder, {"x": x}), strict=True):
            agree(given_array, wanted)
    stream.end()


def test_errors_come_with_the_wait_and_later_tasks_still_run(path: Path, folder: Path) -> None:
    stream, feeds = Held(), feeds_of(2)
    y, _ = expected(ROWS, folder, feeds)
    with Loaded.of(path) as model, Memory([64, 4]) as given, Memory([48, 64]) as taken:
        given.put(0, feeds["x"])
        assert model.set_gear(given.dataset, (2,)) == 0
        run, number, where = mdl_run.execute_async, model.number, stream.stream
        first = (taken.addresses[0], 48)
        short = dataset_over(first, (taken.addresses[1], 31))
        freed_address, _ = memory.malloc(64, 0)
        freed = dataset_over(first, (freed_address, 64))
        assert run(number, given.dataset, short, where) == 0
        assert run(number, given.dataset, freed, where) == 0
        assert run(number, given.dataset, taken.dataset, where) == 0
        assert memory.free(freed_address) == 0, "while it waits for its turn"
        # What can be seen at once is answered at once, and is no task of the stream.
        assert run(number, given.dataset, 0, where) == Code.INVALID_PARAM
        assert run(99999, given.dataset, taken.dataset, where) == Code.GE_MODEL_ID_INVALID
        assert stream.go() == Code.GE_PARAM_INVALID, "the first that failed"
        assert runtime.synchronize_stream(where) == 0
        agree(taken.get(0, y), y)
        assert run(number, given.dataset, freed, where) == 0
        assert runtime.synchronize_stream(where) == Code.RT_PARAM_INVALID
    stream.end()


def test_unloaded_before_its_turn(path: Path) -> None:
    stream = Held()
    model = Loaded.of(path)
    with Memory([64, 4]) as given, Memory([48, 64]) as taken, model:
        assert model.set_gear(given.dataset, (2,)) == 0
        run = mdl_run.execute_async
        assert run(model.number, given.dataset, taken.dataset, stream.stream) == 0
        assert mdl_load.unload(model.number) == 0
        assert stream.go() == Code.GE_MODEL_ID_INVALID
        assert set(taken.bytes_of(0)) == {taken.fill}
    stream.end()


def test_unloading_waits_for_what_runs(folder: Path) -> None:
    """An execution under way comes to its end, whenever the model is unloaded."""
    path = compiled(IMAGES, folder, "wide", input_shape="x:4,3,200,200")
    feeds = {"x": numbers(1, (4, 3, 200, 200))}
    wanted = expected(IMAGES, folder, feeds)
    for _ in range(5):
        model = Loaded.of(path)
        with Memory(model.input_sizes()) as given, Memory(model.output_sizes()) as taken, model:
            given.put(0, feeds["x"])
            stream, _ = runtime.create_stream()
            assert mdl_run.execute_async(model.number, given.dataset, taken.dataset, stream) == 0
            assert mdl_load.unload(model.number) == 0
            ret = runtime.synchronize_stream(stream)
            assert ret in (0, Code.GE_MODEL_ID_INVALID)
            if not ret:
                np.testing.assert_allclose(taken.get(0, wanted[0]), wanted[0], atol=1e-3)
            assert runtime.destroy_stream(stream) == 0


def test_streams_side_by_side_and_events(path: Path, folder: Path) -> None:
    """Two streams on one model; the second waits for an event of the first and uses its output."""
    one, two, feeds = Held(), Held(), feeds_of(4)
    _, seen = expected(ROWS, folder, feeds)
    y, again = expected(ROWS, folder, {"x": seen})
    event, _ = events.create_event()
    with Loaded.of(path) as model, Memory([64, 4]) as given, Memory([48, 64]) as middle:
        given.put(0, feeds["x"])
        chained = dataset_over((middle.addresses[1], 64), (given.addresses[1], 4))
        with Memory([48, 64]) as taken:
            assert model.set_gear(given.dataset, (4,)) == 0
            assert model.set_gear(chained, (4,)) == 0
            assert (
                mdl_run.execute_async(model.number, given.dataset, middle.dataset, one.stream) == 0
            )
            assert events.record_event(event, one.stream) == 0
            assert events.stream_wait_event(two.stream, event) == 0
            assert mdl_run.execute_async(model.number, chained, taken.dataset, two.stream) == 0
            two._gate.set()
            assert one.go() == 0
            assert two.go() == 0
            agree(taken.get(0, y), y)
            agree(taken.get(1, again), again)
    assert events.destroy_event(event) == 0
    one.end()
    two.end()


def test_a_callback_behind_an_execution(path: Path, folder: Path) -> None:
    """It runs in the thread that takes reports, once the output is there."""
    feeds = feeds_of(2)
    y, _ = expected(ROWS, folder, feeds)
    got: list[Array] = []
    stream, _ = runtime.create_stream()
    me = threading.get_ident()
    with Loaded.of(path) as model, Memory([64, 4]) as given, Memory([48, 64]) as taken:
        given.put(0, feeds["x"])
        assert model.set_gear(given.dataset, (2,)) == 0
        assert callbacks.subscribe_report(me, stream) == 0
        assert mdl_run.execute_async(model.number, given.dataset, taken.dataset, stream) == 0
        assert callbacks.launch_callback(lambda at: got.append(taken.get(at, y)), 0, 1, stream) == 0
        assert callbacks.process_report(20000) == 0
        agree(got[0], y)
        assert runtime.synchronize_stream(stream) == 0
        assert callbacks.unsubscribe_report(me, stream) == 0
    assert runtime.destroy_stream(stream) == 0


def test_wrong_streams(path: Path) -> None:
    with Loaded.of(path) as model, Memory([64, 4]) as given, Memory([48, 64]) as taken:
        assert model.set_gear(given.dataset, (2,)) == 0
        words = (model.number, given.dataset, taken.dataset)
        for wrong in (7, -1, given.dataset, model.number):
            assert mdl_run.execute_async(*words, wrong) == Code.RT_PARAM_INVALID
        stream, _ = runtime.create_stream()
        codes: list[int] = []
        mine, _ = runtime.get_context()
        context, _ = runtime.create_context(0)
        assert mdl_run.execute_async(*words, stream) == Code.RT_STREAM_CONTEXT
        assert runtime.set_context(mine) == 0
        assert runtime.destroy_context(context) == 0
        thread, _ = util.start_thread(
            lambda _: codes.append(mdl_run.execute_async(*words, stream)), []
        )
        assert util.stop_thread(thread) == 0
        assert codes == [Code.RT_CONTEXT_NULL]
        assert mdl_run.execute_async(*words, 0) == 0
        assert runtime.synchronize_device() == 0
        assert runtime.destroy_stream(stream) == 0
        assert mdl_run.execute_async(*words, stream) == Code.RT_PARAM_INVALID
