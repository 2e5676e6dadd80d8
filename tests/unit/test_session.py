"""Sessions on the null engine: which rows go where, what is refused, what is counted."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError  # a class of its own in 3.10
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gearshift
from artifacts import X, null_artifact
from gearshift.artifact.manifest import InputRecord, OutputRecord
from gearshift.engines.base import EngineOptions, Executable, LoadedNetwork, Network
from gearshift.engines.null import NullEngine
from gearshift.errors import ClosedError, GearError, InputError, OptionError
from gearshift.tensors import Array, Shape


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> gearshift.Session:
    return gearshift.load(null_artifact(tmp_path_factory.mktemp("null")), preload=True)


def rows(count: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(-99, 99, (count, 3)).astype(np.float32)


def sums(x: Array) -> Array:
    """What the null engine gives: the sum of each row, twice."""
    return np.repeat(x.sum(axis=1, keepdims=True), 2, axis=1)


@given(count=st.integers(0, 40))
@settings(deadline=None)
def test_any_number_of_rows_in_order(model: gearshift.Session, count: int) -> None:
    x = rows(count, seed=count)
    np.testing.assert_array_equal(model.run({"x": x})["y"], sums(x))


@pytest.mark.parametrize("gear", [1, 2, 4, 8])
def test_a_gear_by_name_takes_up_to_its_size(model: gearshift.Session, gear: int) -> None:
    for count in range(gear + 1):
        x = rows(count)
        np.testing.assert_array_equal(model.run({"x": x}, gear=gear)["y"], sums(x))


def test_the_extra_input_is_another_spelling_of_gear(model: gearshift.Session) -> None:
    before = model.stats().gears.get(8, gearshift.GearStats()).runs
    x = rows(3)
    for spelling in (8, np.int32(8), np.array([8], np.int32), [8]):
        y = model.run({"x": x, "ascend_mbatch_shape_data": spelling})["y"]
        np.testing.assert_array_equal(y, sums(x))
    assert model.stats().gears[8].runs == before + 4


@pytest.mark.parametrize("value", [[1, 2], 1.5, "8", []])
def test_the_extra_input_takes_one_whole_number(model: gearshift.Session, value: object) -> None:
    with pytest.raises(InputError, match="one whole number"):
        model.run({"x": rows(1), "ascend_mbatch_shape_data": value})


def test_two_gears_at_once_are_refused(model: gearshift.Session) -> None:
    with pytest.raises(GearError, match="differ"):
        model.run({"x": rows(1), "ascend_mbatch_shape_data": 4}, gear=8)


def test_a_gear_that_was_not_compiled(model: gearshift.Session) -> None:
    with pytest.raises(GearError, match="its gears are 1, 2, 4, 8") as raised:
        model.run({"x": rows(3)}, gear=3)
    assert raised.value.acl_code == 145013


def test_more_rows_than_the_gear_asked_for(model: gearshift.Session) -> None:
    with pytest.raises(GearError, match="gear=4 was asked for with 5 rows"):
        model.run({"x": rows(5)}, gear=4)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "missing: 'x'"),
        ({"x": rows(1), "z": rows(1)}, "unknown: 'z'"),
        ({"x": rows(2).astype(np.float64)}, "is float64; the model takes float32"),
        ({"x": rows(2).astype(">f4")}, "the model takes float32"),
        ({"x": rows(2)[:, :2]}, r"has shape \[2, 2\]; the model takes \[-1, 3\]"),
        ({"x": rows(2)[0]}, r"has shape \[3\]"),
        ({"x": np.float32(1)}, r"has shape \[\]"),
        ({"x": [[1, 2, 3], [4]]}, "is not an array"),
        ({"x": None}, "is object"),
        (None, "takes a mapping"),
        (rows(1), "takes a mapping of input name to array, got ndarray"),
    ],
)
def test_what_does_not_fit_is_named(
    model: gearshift.Session, inputs: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        model.run(inputs)


@pytest.mark.parametrize("gear", [8.0, "8", [8, 4], None])
def test_a_gear_is_a_whole_number(model: gearshift.Session, gear: object) -> None:
    if gear is None:
        assert model.run({"x": rows(3)}, gear=np.int64(8))["y"].shape == (3, 2)  # type: ignore
        assert all(type(size) is int for size in model.stats().gears)
        return
    with pytest.raises(InputError, match="one whole number"):
        model.run({"x": rows(3)}, gear=gear)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="one whole number"):
        model.plan(gear)  # type: ignore[arg-type]


def test_strided_and_read_only_arrays_are_fine(model: gearshift.Session) -> None:
    wide = np.random.default_rng(1).random((6, 6), np.float32)
    x = wide[::2, ::2]
    x.flags.writeable = False
    np.testing.assert_array_equal(model.run({"x": x})["y"], sums(x))


def test_the_callers_arrays_stay_as_they_are(model: gearshift.Session) -> None:
    x = rows(5)
    copy = x.copy()
    model.run({"x": x})
    np.testing.assert_array_equal(x, copy)


def test_what_is_returned_belongs_to_the_caller(model: gearshift.Session) -> None:
    x = rows(3)
    first = model.run({"x": x})["y"]
    first[...] = -1
    np.testing.assert_array_equal(model.run({"x": x})["y"], sums(x))
    assert first.base is None


def test_edge_of_the_model(model: gearshift.Session) -> None:
    assert model.gears == (1, 2, 4, 8)
    assert [str(spec) for spec in model.inputs] == [
        "x: float32[-1, 3]",
        "ascend_mbatch_shape_data: int32[1]",
    ]
    assert [str(spec) for spec in model.outputs] == ["y: float32[-1, 2]"]
    assert str(model.plan(13)) == "8 + 4 + 1"


def test_stats_count_calls_rows_and_padding(tmp_path: Path) -> None:
    with gearshift.load(null_artifact(tmp_path), preload=True) as model:
        for count in (0, 1, 5):
            model.run({"x": rows(count)})
        model.run({"x": rows(3)}, gear=8)
        stats = model.stats()
    assert (stats.calls, stats.rows, stats.padded_rows) == (4, 9, 5)
    assert {gear: (s.runs, s.rows, s.padded_rows) for gear, s in stats.gears.items()} == {
        1: (2, 2, 0),
        4: (1, 4, 0),
        8: (1, 3, 5),
    }


def test_costs_given_decide_the_plan(tmp_path: Path) -> None:
    path = null_artifact(tmp_path)
    with gearshift.load(path, costs={1: 5.0, 2: 5.0, 4: 5.0, 8: 5.0}) as model:
        assert str(model.plan(5)) == "8(5 rows)"
    with pytest.raises(OptionError, match="Give one number for each"):
        gearshift.load(path, costs={1: 1.0})
    with pytest.raises(OptionError, match="positive"):
        gearshift.load(path, costs={1: 0.0, 2: 1.0, 4: 1.0, 8: 1.0})


def test_a_coupled_model_runs_exactly_its_gears(tmp_path: Path) -> None:
    with gearshift.load(null_artifact(tmp_path, separable=False)) as model:
        np.testing.assert_array_equal(model.run({"x": rows(4)})["y"], sums(rows(4)))
        for count in (0, 3, 9):
            with pytest.raises(GearError, match="averages over the rows"):
                model.run({"x": rows(count)})
        with pytest.raises(GearError, match="exactly 4"):
            model.run({"x": rows(3)}, gear=4)
        with pytest.raises(GearError, match="exactly"):
            model.plan(3)


def test_a_side_input_without_rows_reaches_every_piece(tmp_path: Path) -> None:
    scale = InputRecord("scale", "float32", ())
    table = InputRecord("table", "int64", (5, 2))
    path = null_artifact(tmp_path, inputs=(scale, X, table))
    with gearshift.load(path) as model:
        x = rows(11)
        side = {"scale": np.float32(2), "table": np.zeros((5, 2), np.int64)}
        np.testing.assert_array_equal(model.run({"x": x, **side})["y"], sums(x))
        with pytest.raises(InputError, match="scale"):
            model.run({"x": x, **side, "scale": np.ones(11, np.float32)})


def test_inputs_that_disagree_on_the_number_of_rows(tmp_path: Path) -> None:
    other = InputRecord("other", "float32", (-1, 1))
    with (
        gearshift.load(null_artifact(tmp_path, inputs=(X, other))) as model,
        pytest.raises(InputError, match="'x' has 3, 'other' has 4"),
    ):
        model.run({"x": rows(3), "other": np.zeros((4, 1), np.float32)})


def test_rows_on_another_axis_and_outputs_without_rows(tmp_path: Path) -> None:
    outputs = (
        OutputRecord("across", "float32", (2, -1), row_axis=1, row_inner=1),
        OutputRecord("constant", "float32", (4,), row_axis=None, row_inner=1),
    )
    with gearshift.load(null_artifact(tmp_path, outputs=outputs)) as model:
        for count in (0, 3, 11):
            x = rows(count)
            result = model.run({"x": x})
            np.testing.assert_array_equal(result["across"], sums(x).T)
            np.testing.assert_array_equal(result["constant"], np.zeros(4, np.float32))


def test_gears_that_leave_out_one(tmp_path: Path) -> None:
    with gearshift.load(null_artifact(tmp_path, sizes=(16, 3))) as model:
        for count in range(40):
            x = rows(count)
            np.testing.assert_array_equal(model.run({"x": x})["y"], sums(x))


def test_many_threads_share_one_session(model: gearshift.Session) -> None:
    barrier = threading.Barrier(8)

    def work(seed: int) -> bool:
        barrier.wait()
        for count in range(20):
            x = rows(count, seed)
            if not np.array_equal(model.run({"x": x})["y"], sums(x)):
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_run_async_gives_futures_in_order(model: gearshift.Session) -> None:
    futures = [model.run_async({"x": rows(count)}) for count in range(12)]
    for count, future in enumerate(futures):
        np.testing.assert_array_equal(future.result(timeout=10)["y"], sums(rows(count)))
    with pytest.raises(InputError):
        model.run_async({}).result(timeout=10)


def test_closed_is_closed(tmp_path: Path) -> None:
    model = gearshift.load(null_artifact(tmp_path), preload=(2,))
    future = model.run_async({"x": rows(3)})
    model.close()
    model.close()
    assert future.result(timeout=10)["y"].shape == (3, 2)
    for call in (lambda: model.run({"x": rows(1)}), lambda: model.run({"x": rows(0)})):
        with pytest.raises(ClosedError, match="load the model again"):
            call()
    with pytest.raises(ClosedError):
        model.run_async({"x": rows(1)})
    assert "closed" in repr(model)


class Slow(NullEngine):
    """A null engine whose runs wait for a word."""

    started, go = threading.Event(), threading.Event()

    def load(self, network: Network, options: EngineOptions) -> LoadedNetwork:
        loaded = super().load(network, options)

        class Waiting(LoadedNetwork):
            def executable(
                self,
                shapes: Mapping[str, Shape],
                lanes: int = 1,
                blob: bytes | None = None,
                threads: int = 0,
            ) -> Executable:
                executable = loaded.executable(shapes, lanes, blob, threads)
                run = executable.run

                def slow(feeds: Sequence[Array], into: Sequence[Array | None] = ()) -> list[Array]:
                    Slow.started.set()
                    assert Slow.go.wait(10)
                    return run(feeds, into)

                executable.run = slow  # type: ignore[method-assign]
                return executable

        return Waiting()


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> gearshift.Session:
    monkeypatch.setattr("gearshift.opening.get_engine", lambda _: Slow())
    Slow.started.clear()
    Slow.go.clear()
    return gearshift.load(null_artifact(tmp_path))


def test_closing_waits_for_a_run_in_another_thread(slow: gearshift.Session) -> None:
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(slow.run, {"x": rows(20)})  # several pieces
        assert Slow.started.wait(10)
        closing = pool.submit(slow.close)
        with pytest.raises(FutureTimeoutError):
            closing.result(timeout=0.05)
        Slow.go.set()
        np.testing.assert_array_equal(running.result(timeout=10)["y"], sums(rows(20)))
        closing.result(timeout=10)
    with pytest.raises(ClosedError):
        slow.run({"x": rows(1)})


def test_closing_from_a_callback_and_after_a_cancel(slow: gearshift.Session) -> None:
    first = slow.run_async({"x": rows(1)})
    second = slow.run_async({"x": rows(2)})
    third = slow.run_async({"x": rows(3)})
    closed: list[None] = []
    first.add_done_callback(lambda _: closed.append(slow.close()))  # type: ignore[func-returns-value]
    assert Slow.started.wait(10)
    assert second.cancel()
    Slow.go.set()
    np.testing.assert_array_equal(third.result(timeout=10)["y"], sums(rows(3)))
    slow.close()
    assert closed == [None]  # what a callback raises is only written to a log
    with pytest.raises(ClosedError):
        slow.run_async({"x": rows(1)})


@pytest.mark.skipif(sys.platform == "win32", reason="this system sends no such signal")
def test_closing_in_a_signals_handler_lets_the_call_end_that_it_interrupts(
    slow: gearshift.Session,
) -> None:
    def close(_number: int, _frame: FrameType | None) -> None:
        slow.close()
        with pytest.raises(ClosedError):
            slow.run({"x": rows(1)})
        handled.append(True)

    def send() -> None:
        assert Slow.started.wait(10)
        while not handled:  # what comes just before a thread falls asleep does not wake it
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            time.sleep(0.05)
        Slow.go.set()

    handled: list[bool] = []
    before = signal.signal(signal.SIGUSR1, close)
    try:
        with ThreadPoolExecutor(1) as pool:
            sent = pool.submit(send)
            np.testing.assert_array_equal(slow.run({"x": rows(3)})["y"], sums(rows(3)))
            sent.result(10)
    finally:
        signal.signal(signal.SIGUSR1, before)
    slow.close()  # waits like any other


def test_a_session_that_nobody_closes_goes_also_after_asynchronous_calls(tmp_path: Path) -> None:
    model = gearshift.load(null_artifact(tmp_path))
    model.run_async({"x": rows(1)}).result(10)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_preload_names_must_be_gears(tmp_path: Path) -> None:
    with pytest.raises(GearError, match="gear 3"):
        gearshift.load(null_artifact(tmp_path), preload=(3,))


def test_an_engine_it_was_not_compiled_for(tmp_path: Path) -> None:
    path = null_artifact(tmp_path)
    with pytest.raises(OptionError, match="it was compiled for null"):
        gearshift.load(path, engine="onnxruntime")
    with pytest.raises(OptionError, match="Did you mean 'openvino'"):
        gearshift.load(path, engine="openvno")
