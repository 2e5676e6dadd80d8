"""Which programs a session builds, when, and what answers meanwhile."""

from __future__ import annotations

import contextlib
import gc
import logging
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from test_session import rows, sums
from test_session_states import MENUS, strategy

import gearshift
from artifacts import Y, null_artifact
from gearshift import networks
from gearshift.artifact.manifest import OutputRecord
from gearshift.engines.base import EngineOptions, Executable, LoadedNetwork, Network
from gearshift.engines.null import NullEngine
from gearshift.errors import EngineError, OptionError
from gearshift.gears.build import Build
from gearshift.networks import Room
from gearshift.programs import Programs
from gearshift.tensors import Array, Shape
from threads import threads_allowed


class Watched(NullEngine):
    """A null engine that tells what it builds, and waits with all but one row until it may."""

    built: list[tuple[int, int]]
    threads: list[int]
    may_build: threading.Event
    refuses: int | None

    def load(self, network: Network, options: EngineOptions) -> LoadedNetwork:
        loaded, watched = super().load(network, options), self

        class Waiting(LoadedNetwork):
            def executable(
                self,
                shapes: Mapping[str, Shape],
                lanes: int = 1,
                blob: bytes | None = None,
                threads: int = 0,
            ) -> Executable:
                size = shapes["x"][0]
                if size == watched.refuses:
                    raise EngineError(f"no {size}")
                if size > 1:
                    assert watched.may_build.wait(10)
                watched.built.append((size, lanes))
                watched.threads.append(threads)
                return loaded.executable(shapes, lanes, blob, threads)

        return Waiting()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    engine = Watched()
    engine.built, engine.threads, engine.refuses = [], [], None
    engine.may_build = threading.Event()
    monkeypatch.setattr("gearshift.opening.get_engine", lambda _: engine)
    yield engine
    engine.may_build.set()


def wait_for(condition: object) -> None:
    assert callable(condition)
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never happened")


def test_what_is_there_answers_while_better_is_being_built(engine: Watched, tmp_path: Path) -> None:
    with gearshift.load(null_artifact(tmp_path)) as model:
        assert engine.built == [], "loading builds nothing"
        x = rows(8)
        np.testing.assert_array_equal(model.run({"x": x})["y"], sums(x))
        assert engine.built == [(1, 1)], "the smallest answers, the one for 8 has to wait"
        assert model.stats().gears[1].runs == 8
        engine.may_build.set()
        wait_for(
            lambda: any(each.built and each.build.rows == 8 for each in model.memory().programs)
        )
        np.testing.assert_array_equal(model.run({"x": x})["y"], sums(x))
        assert model.stats().gears[8].runs == 1
        assert engine.built == [(1, 1), (8, 1)], "what no call wants is not built"


@contextlib.contextmanager
def a_run_under_way(model: gearshift.Session) -> Iterator[None]:
    """In another thread, since those of one thread follow each other."""
    runs = model._tracks[0]._programs.runs
    with ThreadPoolExecutor(1) as other:
        other.submit(runs.__enter__).result(10)
        yield
        other.submit(runs.__exit__).result(10)


@pytest.mark.parametrize("patience", [0.1, 3600])
def test_building_waits_for_a_pause_but_not_for_ever(
    engine: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    monkeypatch.setattr("gearshift.networks._LONGEST_WAIT", patience)
    engine.may_build.set()
    with gearshift.load(null_artifact(tmp_path)) as model:
        with a_run_under_way(model):
            model.run({"x": rows(8)})
            if patience == 0.1:
                wait_for(lambda: (8, 1) in engine.built)
            else:
                threading.Event().wait(0.1)  # several pauses long
                assert engine.built == [(1, 1)]
        wait_for(lambda: (8, 1) in engine.built)


def test_building_waits_longer_where_calls_are_few(
    engine: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gearshift.networks._LONG_WAIT", 0.05)
    monkeypatch.setattr("gearshift.networks._LONGEST_WAIT", 3600)
    engine.may_build.set()
    with gearshift.load(null_artifact(tmp_path)) as model, a_run_under_way(model):
        model.run({"x": rows(8)})
        threading.Event().wait(0.2)
        assert engine.built == [(1, 1)]
        for _ in range(networks._MANY):
            model.run({"x": rows(8)})
        wait_for(lambda: (8, 1) in engine.built)


def test_preloading_builds_all_or_what_a_gear_takes(engine: Watched, tmp_path: Path) -> None:
    engine.may_build.set()
    path = null_artifact(tmp_path)
    with gearshift.load(path, preload=True) as model:
        assert sorted(engine.built) == [(1, 1), (2, 1), (4, 1), (8, 1)]
        assert all(program.built for program in model.memory().programs)
    engine.built.clear()
    with gearshift.load(path, preload=(4,)):
        assert engine.built == [(4, 1)]


def test_a_program_that_cannot_be_built_is_done_without(
    engine: Watched, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine.may_build.set()
    engine.refuses = 8
    with (
        caplog.at_level(logging.WARNING, "gearshift"),
        gearshift.load(null_artifact(tmp_path)) as model,
    ):
        for _ in range(3):
            x = rows(8)
            np.testing.assert_array_equal(model.run({"x": x})["y"], sums(x))
            wait_for(lambda: "null, 8 rows cannot be built" in caplog.text)
        assert caplog.text.count("cannot be built") == 1
    with pytest.raises(EngineError, match="no 8"):
        gearshift.load(null_artifact(tmp_path), preload=True)


def test_closing_while_something_is_being_built(engine: Watched, tmp_path: Path) -> None:
    model = gearshift.load(null_artifact(tmp_path))
    model.run({"x": rows(8)})
    threading.Timer(0.05, engine.may_build.set).start()
    model.close()
    assert all(not program.built for program in model.memory().programs)


def test_exact_models_wait_for_their_gear(engine: Watched, tmp_path: Path) -> None:
    threading.Timer(0.05, engine.may_build.set).start()
    with gearshift.load(null_artifact(tmp_path, separable=False)) as model:
        np.testing.assert_array_equal(model.run({"x": rows(8)})["y"], sums(rows(8)))
        assert engine.built == [(8, 1)]


def test_a_limit_evicts_what_was_not_used_for_longest(engine: Watched, tmp_path: Path) -> None:
    engine.may_build.set()
    with gearshift.load(null_artifact(tmp_path)) as model:
        model._tracks[0]._adopt(strategy((1, 1), (2, 1), (4, 1), limit=200))
        for size in (1, 2, 4):
            model._tracks[0]._programs.get(Build("null", size))
        assert {build.rows for build in model._tracks[0]._programs.built} == {2, 4}
        model._tracks[0]._programs.get(Build("null", 2))
        model._tracks[0]._programs.get(Build("null", 1))
        assert {build.rows for build in model._tracks[0]._programs.built} == {1, 2}
        assert model.memory().built == 200 == model.memory().limit


@pytest.mark.parametrize("name", sorted(MENUS))
def test_rows_in_lanes_come_back_in_order(name: str, tmp_path: Path) -> None:
    across = OutputRecord("across", "float32", (2, -1), row_axis=1, row_inner=1)
    with gearshift.load(null_artifact(tmp_path, sizes=(2, 3, 8), outputs=(Y, across))) as model:
        model._tracks[0]._adopt(MENUS[name])
        model._preload(True)
        for count in range(40):
            x = rows(count)
            result = model.run({"x": x})
            np.testing.assert_array_equal(result["y"], sums(x))
            np.testing.assert_array_equal(result["across"], sums(x).T)


@pytest.mark.parametrize(("gear", "count"), [(8, 3), (8, 8), (3, 1), (2, 0)])
def test_a_gear_by_name_computes_its_rows_on_any_programs(
    gear: int, count: int, tmp_path: Path
) -> None:
    with gearshift.load(null_artifact(tmp_path, sizes=(2, 3, 8))) as model:
        model._tracks[0]._adopt(MENUS["both"])
        model._preload(True)
        x = rows(count)
        np.testing.assert_array_equal(model.run({"x": x}, gear=gear)["y"], sums(x))
        stats = model.stats()
        assert stats.rows == count
        assert stats.rows + stats.padded_rows >= (gear if count else 0)


def test_a_failing_lane_fails_the_call_and_no_other(tmp_path: Path) -> None:
    with gearshift.load(null_artifact(tmp_path)) as model:
        model._tracks[0]._adopt(strategy((1, 1), (1, 2)))
        model._preload(True)
        executable = model._tracks[0]._programs.get(Build("null", 1, 2))
        honest = executable.run

        def fail(feeds: Sequence[Array], into: Sequence[Array | None] = ()) -> list[Array]:
            if feeds[0][0, 0] == 99:
                raise EngineError("row 99")
            return honest(feeds, into)

        executable.run = fail  # type: ignore[method-assign]
        bad = rows(4)
        bad[3, 0] = 99
        with pytest.raises(EngineError, match="row 99"):
            model.run({"x": bad})
        np.testing.assert_array_equal(model.run({"x": rows(4)})["y"], sums(rows(4)))


class TestBatchInvariant:
    def test_every_row_runs_by_itself(self, tmp_path: Path) -> None:
        with gearshift.load(null_artifact(tmp_path), batch_invariant=True) as model:
            x = rows(5)
            np.testing.assert_array_equal(model.run({"x": x})["y"], sums(x))
            assert {gear: s.runs for gear, s in model.stats().gears.items()} == {1: 5}

    def test_without_a_gear_of_one_row_copies_of_the_row_keep_it_company(
        self, tmp_path: Path
    ) -> None:
        path = null_artifact(tmp_path, sizes=(4, 8))
        with gearshift.load(path, batch_invariant=True) as model:
            np.testing.assert_array_equal(model.run({"x": rows(5)})["y"], sums(rows(5)))
            assert model.stats().gears[4].padded_rows == 15

    def test_rows_that_depend_on_each_other_have_no_such_thing(self, tmp_path: Path) -> None:
        path = null_artifact(tmp_path, separable=False)
        with pytest.raises(OptionError, match="averages over the rows"):
            gearshift.load(path, batch_invariant=True)


@pytest.mark.parametrize(("budget", "limit"), [("balanced", None), ("speed", None), (1000, 1000)])
def test_budgets_where_nothing_was_measured(
    budget: str | int, limit: int | None, tmp_path: Path
) -> None:
    with gearshift.load(null_artifact(tmp_path), memory_budget=budget) as model:  # type: ignore[arg-type]
        report = model.memory()
        assert (report.limit, report.measured, report.built) == (limit, False, 0)
        assert report.resident > 1_000_000


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_the_variable_for_tuning_takes_seconds(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEARSHIFT_TUNE_SECONDS", text)
    with pytest.raises(OptionError, match="GEARSHIFT_TUNE_SECONDS"):
        gearshift.load(null_artifact(tmp_path))


def test_any_failure_in_the_background_is_logged_once(
    engine: Watched,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine.may_build.set()
    tried: list[Build] = []

    def fail(self: Programs, build: Build) -> Executable:
        if build.rows != 8:
            return make(self, build)
        tried.append(build)
        raise MemoryError("no room")

    make = Programs._make
    monkeypatch.setattr(Programs, "_make", fail)
    with (
        caplog.at_level(logging.WARNING, "gearshift"),
        gearshift.load(null_artifact(tmp_path)) as m,
    ):
        for _ in range(3):
            np.testing.assert_array_equal(m.run({"x": rows(8)})["y"], sums(rows(8)))
            wait_for(lambda: "cannot be built and will not be used: no room" in caplog.text)
    assert len(tried) == 1


def test_a_first_program_that_fails_is_passed_over(engine: Watched, tmp_path: Path) -> None:
    engine.may_build.set()
    engine.refuses = 1
    with gearshift.load(null_artifact(tmp_path)) as model:
        np.testing.assert_array_equal(model.run({"x": rows(8)})["y"], sums(rows(8)))
        assert engine.built == [(8, 1)]


def test_a_call_holds_its_programs_while_the_strategy_changes(
    engine: Watched, tmp_path: Path
) -> None:
    """A call of many pieces must not build anew for each of them what others let go of."""
    engine.may_build.set()
    with gearshift.load(null_artifact(tmp_path), preload=True) as model:
        engine.built.clear()
        track = model._tracks[0]
        executable = track._programs.get(Build("null", 8))
        run = executable.run
        calls: list[int] = []

        def change(feeds: Sequence[Array], into: Sequence[Array | None] = ()) -> list[Array]:
            if not calls:
                track._adopt(strategy((1, 1)))
            calls.append(len(feeds[0]))
            return run(feeds, into)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(executable, "run", change)
            x = rows(80)
            np.testing.assert_array_equal(model.run({"x": x})["y"], sums(x))
        assert calls == [8] * 10
        assert engine.built == []


def test_what_is_let_go_of_before_a_run_is_built_once_for_it(
    engine: Watched, tmp_path: Path
) -> None:
    engine.may_build.set()
    with gearshift.load(null_artifact(tmp_path), preload=True) as model:
        track = model._tracks[0]
        plan, menu = track.plan(80), track.menu
        track._adopt(strategy((1, 1)))
        engine.built.clear()
        track._executor.run(track._programs.bind(plan, menu), [rows(80)])
        assert engine.built == [(8, 1)]


def test_a_plan_is_looked_up_once_until_programs_come_or_go(
    engine: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.may_build.set()
    bound: list[int] = []
    bind = Programs.bind
    with gearshift.load(null_artifact(tmp_path), preload=True) as model:
        track = model._tracks[0]
        monkeypatch.setattr(
            Programs, "bind", lambda *args: (bound.append(args[1].rows), bind(*args))[1]
        )
        for _ in range(3):
            for count in (9, 80):
                np.testing.assert_array_equal(model.run({"x": rows(count)})["y"], sums(rows(count)))
        assert bound == [9, 80]
        (one, *_) = track.menu.builds
        track._programs.drop(one)
        model.run({"x": rows(9)})
        model.run({"x": rows(9)})
        assert bound[2] == 9
        assert bound.count(9) <= 4, "once more meanwhile, and once when it was built again"


def test_plans_that_are_known_keep_no_program_that_was_let_go_of(
    engine: Watched, tmp_path: Path
) -> None:
    engine.may_build.set()
    with gearshift.load(null_artifact(tmp_path), preload=True) as model:
        track = model._tracks[0]
        for count in range(1, 20):
            model.run({"x": rows(count)})
        assert track._programs.known
        executables = [weakref.ref(each) for each in track._programs._built.values()]
        track._programs.forget({build.engine for build in track.menu.builds})
        gc.collect()
        assert not [each for each in executables if each() is not None]


def test_programs_under_a_limit_are_told_of_each_use(
    engine: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.may_build.set()
    used: list[Build] = []
    monkeypatch.setattr(Room, "used", lambda *args: used.append(args[2]))
    with gearshift.load(null_artifact(tmp_path), memory_budget="memory", preload=True) as model:
        track = model._tracks[0]
        for _ in range(3):
            used.clear()
            model.run({"x": rows(3)})
            assert set(used) == track.menu.builds_of(track.plan(3))
        assert not track._programs.known


_LEAVE = """
import sys, time
import numpy as np
import gearshift
from gearshift.engines import null
from gearshift.gears.build import Build

slow = null._NullNetwork.executable
def executable(self, shapes, lanes=1, blob=None, threads=0):
    time.sleep(0.3)
    print("built", flush=True)
    return slow(self, shapes, lanes, blob, threads)
null._NullNetwork.executable = executable
model = gearshift.load(sys.argv[1])
model._tracks[0]._programs.want([Build("null", size) for size in (1, 2, 4, 8)])
time.sleep(0.1)
print("leaving", flush=True)
"""


def test_a_process_that_ends_without_closing_builds_no_more(tmp_path: Path) -> None:
    path = null_artifact(tmp_path)
    words = [sys.executable, "-c", _LEAVE, str(path)]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
    said = done.stdout.split()
    assert "leaving" in said
    assert said.count("built") <= 2, "the one under way may come to its end"


def test_a_program_is_built_for_its_threads(engine: Watched, tmp_path: Path) -> None:
    engine.may_build.set()
    with gearshift.load(null_artifact(tmp_path)) as model:
        programs = model._tracks[0]._programs
        programs.get(Build("null", 1))
        programs.get(Build("null", 1, threads=1))
        programs.use({Build("null", 2, threads=1): 0}, None, lambda build: b"made before")
        programs.get(Build("null", 2, threads=1))
    assert engine.threads == [0, 1, 1]


def test_calls_go_on_where_no_thread_can_be_started(engine: Watched, tmp_path: Path) -> None:
    engine.may_build.set()
    with gearshift.load(null_artifact(tmp_path)) as model:
        with threads_allowed(0):
            for _ in range(2):
                np.testing.assert_array_equal(model.run({"x": rows(8)})["y"], sums(rows(8)))
        model.run({"x": rows(8)})
        wait_for(lambda: Build("null", 8) in model._tracks[0]._programs.built)
