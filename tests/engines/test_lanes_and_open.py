"""Executables that leave the number of rows open, and those that several lanes run at once."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from networks import EXACT, MIXED, ROW_SUMS, TWINS, load, weighty, whole

from gearshift.engines import openvino
from gearshift.engines.base import EngineOptions, Executable
from gearshift.engines.registry import ENGINE_NAMES, get_engine
from gearshift.engines.requests import Requests
from gearshift.placing import usable_cores
from gearshift.tensors import Array


def normal(rows: int, seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal((rows, 96), np.float32)


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_open_rows_take_any_number(engine: str, tmp_path: Path) -> None:
    executable = load(engine, ROW_SUMS, tmp_path).executable({"x": (-1, 3)})
    results = []
    for size in (4, 1, 7, 4, 2, 32, 1):
        x = whole((size, 3), size)
        results.append((executable.run([x])[0], x))
    for y, x in results:  # looked at last: no run may write over what an earlier one gave
        np.testing.assert_array_equal(y, np.repeat(x.sum(1, keepdims=True), 2, 1))


@pytest.mark.parametrize("engine", EXACT)
def test_open_rows_give_what_fixed_rows_give(engine: str, tmp_path: Path) -> None:
    loaded = load(engine, MIXED, tmp_path)
    anyhow = loaded.executable({"x": (-1, 6), "scale": (1,), "ids": (-1,)})
    for size in (5, 1, 3, 8, 5):
        fixed = loaded.executable({"x": (size, 6), "scale": (1,), "ids": (size,)})
        feeds = [whole((size, 6), size), np.array([2], np.float32), np.arange(size)]
        for got, wanted in zip(anyhow.run(feeds), fixed.run(feeds), strict=True):
            assert got.dtype == wanted.dtype
            np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("engine", EXACT)
@pytest.mark.parametrize("given", ["all", "some", "none"])
def test_open_rows_write_where_they_are_wanted(engine: str, given: str, tmp_path: Path) -> None:
    executable = load(engine, TWINS, tmp_path).executable({"x": (-1, 3)})
    kept: list[tuple[Array, Array]] = []
    for size in (2, 5, 20_000, 1, 5):
        x = whole((size, 3), size)
        around = np.full((size + 2, 3), np.nan, np.float32)
        into: list[Array | None] = [around[1:-1], np.empty((size, 3), "f4"), None, None]
        if given == "all":
            into[2:] = [np.empty((size, 3), "f4"), np.empty(2, "f4")]
        outputs = executable.run([x], into if given != "none" else ())
        expected = (x, np.maximum(x, 0), np.maximum(x, 0), [-1, -2])
        for output, wanted in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(output, wanted)
            kept.append((output, np.array(wanted)))
        if given != "none":
            assert all(o is t for o, t in zip(outputs, into, strict=True) if t is not None)
            assert np.isnan(around[[0, -1]]).all(), "nothing is written beside it"
    for output, wanted in kept:
        np.testing.assert_array_equal(output, wanted, "a later run wrote into it")
        output[...] = 0  # it is the caller's own


@pytest.mark.parametrize("engine", EXACT)
def test_given_arrays_are_let_go_of(engine: str, tmp_path: Path) -> None:
    """A run that is given no arrays must not write into those of the run before."""
    executable = load(engine, ROW_SUMS, tmp_path).executable({"x": (-1, 3)})
    target = np.empty((4, 2), np.float32)
    executable.run([whole((4, 3), 1)], [target])
    kept = target.copy()
    (made,) = executable.run([whole((4, 3), 2)])
    assert not np.shares_memory(made, target)
    np.testing.assert_array_equal(target, kept)


def side_by_side(executable: Executable, batches: Sequence[Array], lanes: int) -> list[Array]:
    """Runs every batch, so many lanes at once, the lanes beginning together."""
    start = Barrier(lanes)

    def lane(first: int) -> list[Array]:
        start.wait(20)
        return [executable.run([x])[0] for x in batches[first::lanes]]

    with ThreadPoolExecutor(lanes) as pool:
        results = list(pool.map(lane, range(lanes)))
    return [results[index % lanes][index // lanes] for index in range(len(batches))]


@pytest.mark.parametrize("engine", EXACT)
@pytest.mark.parametrize("rows", [1, 3, -1])
@pytest.mark.parametrize("lanes", [2, 3])
def test_lanes_give_the_bits_of_a_run_alone(
    engine: str, rows: int, lanes: int, tmp_path: Path
) -> None:
    count = 12 if engine == "reference" else 120
    sizes = [rows if rows > 0 else 1 + index % 5 for index in range(count)]
    batches = [normal(size, index) for index, size in enumerate(sizes)]
    loaded = load(engine, weighty(), tmp_path, threads=4)
    executable = loaded.executable({"x": (rows, 96)}, lanes)
    alone = [executable.run([x])[0] for x in batches]
    assert not all((alone[0][0] == y[0]).all() for y in alone[1:]), "lanes have unlike work"
    for got, wanted in zip(side_by_side(executable, batches, lanes), alone, strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("engine", EXACT)
def test_lanes_agree_with_one_lane(engine: str, tmp_path: Path) -> None:
    loaded = load(engine, weighty(), tmp_path, threads=2)
    x = normal(4, 0)
    results = [loaded.executable({"x": (4, 96)}, lanes).run([x])[0] for lanes in (1, 2, 3)]
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("threads", "lanes", "share"), [(4, 1, 4), (4, 2, 2), (5, 2, 2), (2, 2, 1), (1, 3, 1)]
)
def test_lanes_share_the_threads(threads: int, lanes: int, share: int) -> None:
    assert EngineOptions(threads=threads).share(lanes) == share


def test_which_engines_gain_from_fixed_rows() -> None:
    fixed = {name: get_engine(name).fixed_programs for name in ENGINE_NAMES}
    assert fixed == {"openvino": True, "onnxruntime": False, "reference": True, "null": True}


def test_onnxruntime_keeps_one_session_per_number_of_threads(tmp_path: Path) -> None:
    loaded = load("onnxruntime", ROW_SUMS, tmp_path, threads=2)
    one, other = (loaded.executable({"x": (size, 3)}) for size in (1, 2))
    lanes = loaded.executable({"x": (1, 3)}, 2)
    assert one._session is other._session is not lanes._session  # type: ignore[attr-defined]
    assert sorted(loaded._sessions) == [1, 2]  # type: ignore[attr-defined]
    del one, other
    assert list(loaded._sessions) == [1], "unused, it gives back its memory"  # type: ignore[attr-defined]


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_one_thread_gives_the_same(engine: str, tmp_path: Path) -> None:
    loaded = load(engine, ROW_SUMS, tmp_path)
    x = whole((4, 3), 5)
    (y,) = loaded.executable({"x": (4, 3)}, threads=1).run([x])
    np.testing.assert_array_equal(y, np.repeat(x.sum(1, keepdims=True), 2, 1))


def test_onnxruntime_takes_as_many_threads_as_are_said(tmp_path: Path) -> None:
    loaded = load("onnxruntime", ROW_SUMS, tmp_path)
    one, other = (loaded.executable({"x": (4, 3)}, threads=threads) for threads in (1, 3))
    assert sorted(loaded._sessions) == [1, 3]  # type: ignore[attr-defined]
    x = whole((4, 3), 5)
    np.testing.assert_array_equal(one.run([x])[0], other.run([x])[0])


def test_openvino_takes_as_many_threads_as_are_said(tmp_path: Path) -> None:
    (one,) = compiled_of(load("openvino", ROW_SUMS, tmp_path).executable({"x": (4, 3)}, threads=1))
    assert one.get_property("INFERENCE_NUM_THREADS") == 1
    assert not one.get_property("ENABLE_CPU_PINNING"), "it is the caller's own thread"


def compiled_of(executable: Executable) -> list[Any]:
    return list(executable._compiled)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("most", "lanes", "copies"), [(1 << 20, 2, 2), (1 << 20, 3, 3), (0, 2, 1)])
def test_small_networks_of_openvino_run_in_the_threads_of_their_lanes(
    most: int, lanes: int, copies: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large ones share their weights, and OpenVINO's threads compute."""
    if copies == 1 and usable_cores() < lanes:
        pytest.skip("OpenVINO makes no more streams than there are cores")
    monkeypatch.setattr(openvino, "_MOST_ADDED", most)
    executable = load("openvino", weighty(), tmp_path, threads=lanes).executable(
        {"x": (4000, 96)}, lanes
    )
    compiled = compiled_of(executable)
    assert len(compiled) == copies
    assert all(one.get_property("NUM_STREAMS") == lanes // copies for one in compiled)
    shares = sorted(share_of_this_thread(executable) for _ in range(5))
    # Of time on processors, however busy the machine is; other threads may do something, too.
    assert (shares[-1] > 0.8) if copies > 1 else (shares[0] < 0.3)


def share_of_this_thread(executable: Executable) -> float:
    """How much of the process's time on processors is this thread's, while it runs that."""
    x = normal(4000, 0)
    executable.run([x])
    time.sleep(0.06)  # threads of ONNX Runtime that earlier tests left may spin on for 47 ms
    mine, everybodys = time.thread_time(), time.process_time()
    for _ in range(30):
        executable.run([x])
    return (time.thread_time() - mine) / (time.process_time() - everybodys)


@pytest.mark.parametrize("over", [0, -1])
def test_weights_of_all_lanes_but_one_decide_whether_there_are_copies(
    over: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load("openvino", weighty(), tmp_path, threads=3)
    weights = loaded._network.pool.nbytes  # type: ignore[attr-defined]
    monkeypatch.setattr(openvino, "_MOST_ADDED", 2 * weights + over)
    assert len(compiled_of(loaded.executable({"x": (1, 96)}, 3))) == (1 if over else 3)


def test_streams_are_pinned_where_they_take_all_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On fewer, every session and process would bind them to the same ones."""
    if sys.platform != "linux" or usable_cores() < 2:
        pytest.skip("OpenVINO makes no more streams than there are cores, and pins on Linux")
    monkeypatch.setattr(openvino, "_MOST_ADDED", -1)
    for cores, pinned in ((2, True), (3, False)):
        monkeypatch.setattr(openvino, "usable_cores", lambda cores=cores: cores)
        (tmp_path / str(cores)).mkdir()
        loaded = load("openvino", ROW_SUMS, tmp_path / str(cores), threads=2)
        (one,) = compiled_of(loaded.executable({"x": (4, 3)}, 2))
        assert one.get_property("ENABLE_CPU_PINNING") == pinned


class _Copy:
    """Stands for a compiled network."""

    def create_infer_request(self) -> object:
        return object()


def test_a_thread_gets_the_copy_it_had_last() -> None:
    """Or the other lane's weights would go through its core's cache."""
    requests = Requests([_Copy(), _Copy()])
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        mine, others = one.submit(requests.take).result(), other.submit(requests.take).result()
        assert mine[0] != others[0]
        for back in ([(one, mine), (other, others)], [(other, others), (one, mine)]):
            for thread, taken in back:
                thread.submit(requests.give_back, *taken).result()
            assert one.submit(requests.take).result() == mine
            assert other.submit(requests.take).result() == others


def test_threads_share_out_the_copies_whatever_was_before() -> None:
    """Two requests of one copy run one after the other."""
    requests = Requests([_Copy(), _Copy(), _Copy()])
    dice = random.Random(1)
    with ExitStack() as stack:
        threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(7)]
        for _ in range(200):
            busy = dice.sample(threads, dice.randint(1, len(threads)))
            taken = [thread.submit(requests.take).result() for thread in busy]
            assert len({id(request) for _, request in taken}) == len(taken)
            counts = [[copy for copy, _ in taken].count(copy) for copy in range(3)]
            assert max(counts) - min(counts) <= 1
            for thread, each in zip(busy, taken, strict=True):
                thread.submit(requests.give_back, *each).result()


def test_what_a_broken_off_run_left_goes_with_the_next() -> None:
    """Ctrl-C may come at any moment, and an engine may refuse to make a request."""
    requests = Requests([_Copy(), _Copy()])
    for _ in range(3):
        copy, _ = requests.take()  # and never given back
    requests.give_back(*requests.take())
    with ThreadPoolExecutor(1) as other:
        assert other.submit(requests.take).result()[0] == copy, "nobody runs there any more"
