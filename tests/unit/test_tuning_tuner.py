"""A whole measurement: what it gives, and what it leaves behind. No test looks at the times."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import gearshift
from artifacts import null_artifact
from gearshift.artifact.reader import Artifact
from gearshift.errors import EngineError, OptionError, TableError
from gearshift.gears.build import OPEN, Build
from gearshift.tuning import tuner
from gearshift.tuning.bystanders import Bystanders
from gearshift.tuning.cache import find_table, keep_table
from gearshift.tuning.candidates import candidate_builds, candidate_rows, candidate_sizes
from gearshift.tuning.child import Child, ProbeEndedError
from gearshift.tuning.choose import choose
from gearshift.tuning.embedded import embed_table
from gearshift.tuning.table import CostTable, read_table, table_bytes, this_host
from gearshift.tuning.tuner import tune
from models import save_text
from processes import probe_processes

Patch = Callable[[str], None]

MOMENT = 1e-3
"""Seconds in which one round is played."""

MLP = """
<ir_version: 8, opset_import: ["": 17]>
mlp (float[N, 8] x) => (float[N, 4] y)
<float[8, 4] w = {WEIGHTS}>
{
    h = MatMul(x, w)
    y = Relu(h)
}
"""


@pytest.fixture
def null(tmp_path: Path) -> Iterator[Artifact]:
    with Artifact.open(null_artifact(tmp_path)) as artifact:
        yield artifact
    assert not probe_processes()


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network for OpenVINO and ONNX Runtime."""
    folder = tmp_path_factory.mktemp("mlp")
    weights = ", ".join(str(index / 32 - 0.4) for index in range(32))
    save_text(MLP.replace("WEIGHTS", weights), folder / "mlp.onnx")
    gearshift.compile(folder / "mlp.onnx", output=folder / "mlp", dynamic_batch_size=[2, 3])
    return folder / "mlp.om"


@pytest.fixture
def real(compiled: Path) -> Iterator[Artifact]:
    with Artifact.open(compiled) as artifact:
        yield artifact
    assert not probe_processes()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All is built, however long it takes."""
    monkeypatch.setattr(tuner, "_BUILDING", 1e9)


def probe_of(engine: str) -> psutil.Process:
    (probe,) = (child for child in probe_processes() if engine in child.cmdline())
    return probe


def check_whole(table: CostTable, expected: dict[Build, tuple[int, ...]]) -> None:
    """Every build is measured at its sizes or dropped, and the table is a sound one."""
    assert read_table(table_bytes(table)) == table
    found = {each.build: tuple(t.rows for t in each.timings) for each in table.measured}
    dropped = {each.build for each in table.dropped}
    assert found.keys() | dropped == expected.keys()
    assert found.items() <= expected.items()


@pytest.mark.usefixtures("patient")
def test_a_null_network_is_measured(null: Artifact) -> None:
    table = tune(null, engines=["null"], threads=2, seconds=MOMENT)
    sizes = candidate_sizes((1, 2, 4, 8), True)
    builds = candidate_builds("null", True, sizes, 2, True)
    check_whole(table, {build: candidate_rows(build, sizes, True) for build in builds})
    assert table.artifact == null.identity
    assert table.host == this_host(["null"], 2)
    assert table.precision == "f32"
    assert [each.engine for each in table.engines] == ["null"]
    for each in table.measured:
        if each.build.lanes == 1:
            assert all(timing.seconds == timing.alone for timing in each.timings)


@pytest.mark.usefixtures("patient")
def test_coupled_rows_are_measured_at_the_gears_alone(tmp_path: Path) -> None:
    path = null_artifact(tmp_path, sizes=(6, 3), separable=False)
    with Artifact.open(path) as artifact:
        table = tune(artifact, engines=["null"], threads=4, seconds=MOMENT)
    check_whole(
        table, {Build("null", OPEN): (3, 6), Build("null", 3): (3,), Build("null", 6): (6,)}
    )
    assert not table.dropped


@pytest.mark.usefixtures("patient")
def test_two_engines_are_measured_side_by_side(real: Artifact) -> None:
    table = tune(real, engines=["openvino", "onnxruntime", "openvino"], threads=2, seconds=MOMENT)
    sizes = candidate_sizes((2, 3), True)
    builds = (
        *candidate_builds("openvino", True, sizes, 2, True),
        *candidate_builds("onnxruntime", False, sizes, 2, True),
    )
    check_whole(table, {build: candidate_rows(build, sizes, True) for build in builds})
    assert not table.dropped
    assert {each.engine for each in table.engines} == {"openvino", "onnxruntime"}
    assert min(each.nbytes for each in table.engines) > 1_000_000  # a library weighs that much


def test_whole_plans_are_run_and_what_ran_is_used(real: Artifact) -> None:
    told: list[str] = []
    table = tune(
        real,
        engines=["openvino", "onnxruntime"],
        threads=2,
        seconds=6,
        on_progress=lambda text, _: told.append(text),
    )
    assert read_table(table_bytes(table)) == table
    assert len(table.played) > 1
    assert [time.rows for time in table.played[0].plans] == [1, 2, 3]
    looks_best = choose(replace(table, played=()), "balanced", (2, 3))
    assert {each.build for each in looks_best} == set(table.played[0].builds)
    used = {each.build for each in choose(table, "balanced", (2, 3))}
    assert used in [set(each.builds) for each in table.played]
    # Nothing is timed after them: another set could look best then.
    first = told.index("running whole plans")
    assert not [text for text in told[first:] if text.startswith("timing")]


def test_coupled_rows_have_no_plans_to_run(tmp_path: Path) -> None:
    path = null_artifact(tmp_path, sizes=(6, 3), separable=False)
    with Artifact.open(path) as artifact:
        assert tune(artifact, engines=["null"], threads=2, seconds=2).played == ()


@pytest.mark.parametrize("times", [1, 2])
def test_a_process_that_ends_while_whole_plans_run(
    real: Artifact, in_children: Patch, tmp_path: Path, times: int
) -> None:
    in_children(
        "import os, pathlib, sys\n"
        "from gearshift.tuning import probe\n"
        "healthy = probe.Probe.run_plans\n"
        "def end(self, *args):\n"
        f"    marks = [pathlib.Path({str(tmp_path)!r}, str(n)) for n in range({times})]\n"
        "    left = [mark for mark in marks if not mark.exists()]\n"
        "    if 'openvino' in sys.orig_argv and left:\n"
        "        left[0].touch()\n"
        "        os._exit(9)\n"
        "    return healthy(self, *args)\n"
        "probe.Probe.run_plans = end\n"
        "if 'onnxruntime' in sys.orig_argv:  # slower than any chance, or its plans may look best\n"
        "    import time\n"
        "    from gearshift.engines.onnxruntime import _SessionView as view\n"
        "    quick = view.run\n"
        "    view.run = lambda self, *args: (time.sleep(0.005), quick(self, *args))[1]\n"
    )
    table = tune(real, engines=["openvino", "onnxruntime"], threads=2, seconds=6)
    assert (tmp_path / "0").exists()
    assert read_table(table_bytes(table)) == table
    engines = {each.build.engine for each in table.measured}
    slowed = [
        time
        for each in table.measured
        if each.build.engine == "onnxruntime"
        for time in each.timings
    ]
    assert min(time.seconds for time in slowed) >= 0.005
    if times == 1:
        assert engines == {"openvino", "onnxruntime"}
        assert table.played
    else:
        assert engines == {"onnxruntime"}
        assert table.ended == ("openvino",)
        assert not table.played


def test_one_round_at_least_and_more_while_there_is_time(null: Artifact) -> None:
    told: list[str] = []
    tune(
        null, engines=["null"], threads=1, seconds=0, on_progress=lambda text, _: told.append(text)
    )
    assert [text for text in told if text.startswith("timing")] == ["timing, round 1"]

    def stop(text: str, done: float) -> None:
        if text == "timing, round 20":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        tune(null, engines=["null"], threads=1, seconds=3600, on_progress=stop)


SLOW_TO_BUILD = """
import time
from gearshift.engines import null
executable = null._NullNetwork.executable
def slow(self, shapes, *rest):
    time.sleep(0.1)
    return executable(self, shapes, *rest)
null._NullNetwork.executable = slow
"""


def test_building_takes_half_the_time_and_what_matters_least_is_left_out(
    tmp_path: Path, in_children: Patch
) -> None:
    in_children(SLOW_TO_BUILD)
    gears = tuple(range(1, 101))
    with Artifact.open(null_artifact(tmp_path, sizes=gears)) as artifact:
        table = tune(artifact, engines=["null"], threads=2, seconds=4)
    builds = candidate_builds("null", True, gears, 2, True)
    assert {each.reason for each in table.dropped} >= {"no time was left to build it"}
    late = [each.build for each in table.dropped if each.reason.startswith("no time")]
    assert tuple(late) == builds[-len(late) :], "in the order of their worth"
    assert len(table.measured) <= 20, "0.1 s each, in 2 s"
    assert table.seconds < 8, "all of them would take 15 s to build"


@pytest.mark.parametrize("separable", [True, False])
def test_without_any_time_everything_can_be_run(
    tmp_path: Path, in_children: Patch, separable: bool
) -> None:
    path = null_artifact(tmp_path, sizes=(3, 4, 6), separable=separable)
    with Artifact.open(path) as artifact:
        table = tune(artifact, engines=["null"], threads=2, seconds=0)
        timed = {each.build: [t.rows for t in each.timings] for each in table.measured}
        assert timed == {Build("null", OPEN): [1] if separable else [3, 4, 6]}
        in_children(
            "from gearshift.engines import null\n"
            "from gearshift.errors import EngineError\n"
            "executable = null._NullNetwork.executable\n"
            "def refuse(self, shapes, *rest):\n"
            "    if -1 in next(iter(shapes.values())):\n"
            "        raise EngineError('all dims have to be known')\n"
            "    return executable(self, shapes, *rest)\n"
            "null._NullNetwork.executable = refuse\n"
        )
        table = tune(artifact, engines=["null"], threads=2, seconds=0)
    needed = [1] if separable else [3, 4, 6]
    assert sorted(each.build.rows for each in table.measured) == needed


def test_progress_goes_from_nothing_to_everything(null: Artifact) -> None:
    told: list[tuple[str, float]] = []
    tune(
        null,
        engines=["null"],
        threads=2,
        seconds=3,
        on_progress=lambda text, done: told.append((text, done)),
    )
    shares = [done for _, done in told]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    texts = [text for text, _ in told]
    assert texts[0] == "opening null"
    assert "building null, 4 rows in 2 lanes" in texts
    assert "timing, round 2" in texts


@pytest.mark.usefixtures("patient")
def test_blobs_of_the_builds_that_are_wanted(null: Artifact, in_children: Patch) -> None:
    in_children(
        "from gearshift.engines import null\n"
        "def blob(self):\n"
        "    rows = self._shapes[0][0]\n"
        "    return bytes(range(256)) * 4000 if rows == 4 else b'' if rows == 2 else None\n"
        "null._RowSums.blob = blob\n"
    )
    asked: list[CostTable] = []
    kept: dict[Build, bytes] = {}

    def wanted(table: CostTable) -> list[Build]:
        asked.append(table)
        return [Build("null", 1), Build("null", 2), Build("null", 4), Build("gone", 4)]

    def keep(table: CostTable, build: Build, data: bytes) -> None:
        assert table == asked[0]
        kept[build] = data

    table = tune(null, engines=["null"], threads=1, seconds=MOMENT, wanted=wanted, keep_blob=keep)
    assert asked == [table]
    assert kept == {Build("null", 4): bytes(range(256)) * 4000}


@pytest.mark.usefixtures("patient")
def test_what_cannot_be_exported_is_not_kept(
    null: Artifact, in_children: Patch, caplog: pytest.LogCaptureFixture
) -> None:
    in_children(
        "from gearshift.engines import null\n"
        "from gearshift.errors import EngineError\n"
        "def blob(self):\n"
        "    raise EngineError('no room on the shelf')\n"
        "null._RowSums.blob = blob\n"
    )
    kept: list[Build] = []
    table = tune(
        null,
        engines=["null"],
        threads=1,
        seconds=MOMENT,
        wanted=lambda table: [Build("null", 1), Build("null", 2)],
        keep_blob=lambda table, build, data: kept.append(build),
    )
    assert len(table.measured) > 2
    assert kept == []
    assert "nothing can be kept of null, 1 row: no room on the shelf" in caplog.text


@pytest.mark.usefixtures("patient")
def test_an_engine_whose_process_is_killed_gets_another_one(
    real: Artifact, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    def kill_once(text: str, done: float) -> None:
        if text in ("building openvino, 2 rows", "timing, round 1") and not told:
            probe_of("openvino").kill()
            told.append(text)

    table = tune(
        real, engines=["openvino", "onnxruntime"], threads=2, seconds=MOMENT, on_progress=kill_once
    )
    assert told
    assert {each.build.engine for each in table.measured} == {"onnxruntime", "openvino"}
    assert not table.dropped
    assert not table.ended
    assert not table.why_not_kept
    assert "signal 9 (Killed), without a word; it is started once more" in caplog.text


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("when", ["opening openvino", "timing, round 1"])
def test_an_engine_whose_process_ends_twice_is_left_out_for_now(
    real: Artifact, in_children: Patch, caplog: pytest.LogCaptureFixture, when: str
) -> None:
    method = "open" if when.startswith("opening") else "time"
    in_children(
        "import os, sys\n"
        "from gearshift.tuning import probe\n"
        f"healthy = probe.Probe.{method}\n"
        "def end(self, *args):\n"
        "    if 'openvino' in sys.orig_argv: os._exit(9)\n"
        "    return healthy(self, *args)\n"
        f"probe.Probe.{method} = end\n"
    )
    table = tune(real, engines=["openvino", "onnxruntime"], threads=2, seconds=MOMENT)
    assert {each.build.engine for each in table.measured} == {"onnxruntime"}
    tried = candidate_builds("openvino", True, (1, 2, 3), 2, True)
    dropped = {each.build: each.reason for each in table.dropped}
    assert set(dropped) == set(tried if method == "time" else tried[:1])
    assert all("exit code 9" in reason for reason in dropped.values())
    assert [each.engine for each in table.engines] == ["onnxruntime"]
    assert "openvino is left out" in caplog.text
    assert table.ended == ("openvino",)
    assert read_table(table_bytes(table)) == table
    assert "openvino ended twice" in table.why_not_kept
    assert keep_table(table) is None
    assert find_table(table.artifact, table.host) is None
    with pytest.raises(TableError, match="openvino ended twice"):
        embed_table(real.path, table)


def test_when_all_engines_are_gone_it_is_over(
    null: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpromising(build: Build, costs: object) -> str | None:
        return "not promising" if build.rows > 1 else None

    def kill(text: str, done: float) -> None:
        if text.startswith("timing"):
            assert text == "timing, round 1", "there is nothing to time"
            monkeypatch.setattr(Child, "ask", lambda *_: killed())

    def killed() -> None:
        raise ProbeEndedError("it was killed")

    monkeypatch.setattr(tuner, "unpromising", unpromising)
    with pytest.raises(
        EngineError, match=r"null\.om could not be measured on null: it was killed$"
    ):
        tune(null, engines=["null"], threads=1, seconds=3, on_progress=kill)


@pytest.mark.skipif(os.name == "nt", reason="Windows suspends no process")
def test_a_stuck_process_does_not_hold_up_who_leaves(null: Artifact) -> None:
    left: list[float] = []

    def suspend(text: str, done: float) -> None:
        if text == "timing, round 1":
            probe_of("null").suspend()
            left.append(time.perf_counter())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(null, engines=["null"], threads=1, seconds=60, on_progress=suspend)
    assert time.perf_counter() - left[0] < 4


def test_an_engine_that_is_not_installed_is_left_out(real: Artifact, in_children: Patch) -> None:
    in_children("import sys; sys.modules['openvino'] = None")
    table = tune(real, engines=["openvino", "onnxruntime"], threads=1, seconds=0)
    assert {each.build.engine for each in table.measured} == {"onnxruntime"}
    (dropped,) = table.dropped
    assert dropped.build == Build("openvino", OPEN)
    assert "not installed" in dropped.reason
    with pytest.raises(EngineError, match=r"mlp\.om could not be measured on openvino: .*not inst"):
        tune(real, engines=["openvino"], threads=1, seconds=0)


@pytest.mark.usefixtures("patient")
def test_builds_that_fail_are_dropped_and_the_others_go_on(
    null: Artifact, in_children: Patch
) -> None:
    in_children(
        "from gearshift.engines import null\n"
        "from gearshift.errors import EngineError\n"
        "run = null._RowSums.run\n"
        "def refuse(self, feeds, into=()):\n"
        "    if self._shapes[0][0] == 4:\n"
        "        raise EngineError('four is too many')\n"
        "    return run(self, feeds, into)\n"
        "null._RowSums.run = refuse\n"
    )
    table = tune(null, engines=["null"], threads=1, seconds=MOMENT)
    assert [(each.build, each.reason) for each in table.dropped if each.build.rows == 4] == [
        (Build("null", 4), "four is too many")
    ]
    assert Build("null", 2) in {each.build for each in table.measured}


def test_an_engine_that_fails_while_it_is_timed_is_left_out(
    null: Artifact, in_children: Patch
) -> None:
    in_children(
        "from gearshift.engines import null\n"
        "from gearshift.errors import EngineError\n"
        "from gearshift.tuning import probe\n"
        "def fail(self, request):\n"
        "    raise EngineError('out of breath')\n"
        "probe.Probe.time = fail\n"
    )
    with pytest.raises(EngineError, match=r"null\.om could not be measured on null: out of breath"):
        tune(null, engines=["null"], threads=1, seconds=0)


@pytest.mark.parametrize(("share", "is_busy"), [(0.05, False), (0.3, True)])
def test_it_says_how_busy_the_machine_was(
    null: Artifact,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    share: float,
    is_busy: bool,
) -> None:
    monkeypatch.setattr(Bystanders, "share", lambda self: share)
    table = tune(null, engines=["null"], threads=1, seconds=1.2)
    assert table.others == share
    assert read_table(table_bytes(table)) == table
    assert ("other programs took 30 % of this machine" in caplog.text) == is_busy


def test_no_engine_is_an_error(null: Artifact) -> None:
    with pytest.raises(OptionError, match="no engine"):
        tune(null, engines=[], threads=1, seconds=0)


@pytest.mark.parametrize("when", ["opening null", "building null, 2 rows", "timing, round 2"])
def test_whoever_watches_may_stop_it(null: Artifact, when: str) -> None:
    def stop(text: str, done: float) -> None:
        if text == when:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(null, engines=["null"], threads=1, seconds=60, on_progress=stop)
    # The fixture sees that no process is left.


@pytest.mark.skipif(os.name == "nt", reason="Windows raises no SIGINT on demand")
def test_ctrl_c_while_it_waits_for_an_answer(
    null: Artifact, in_children: Patch, tmp_path: Path
) -> None:
    in_children(
        "import time\n"
        "from gearshift.tuning import probe\n"
        "probe.Probe.make = lambda self, request: time.sleep(1000)\n"
    )

    def later(text: str, done: float) -> None:
        if text.startswith("building"):
            threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()

    with pytest.raises(KeyboardInterrupt):
        tune(null, engines=["null"], threads=1, seconds=60, on_progress=later)
