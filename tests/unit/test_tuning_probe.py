"""The process that measures one engine: what it says, and when it ends."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from artifacts import X, null_artifact
from gearshift.artifact.manifest import InputRecord, Manifest, OutputRecord
from gearshift.artifact.reader import Artifact
from gearshift.engines import null
from gearshift.errors import EngineError
from gearshift.gears.build import OPEN, Build, Measured, Timing
from gearshift.lanes import Lanes, Task
from gearshift.tensors import Array
from gearshift.tuning import probe as probes
from gearshift.tuning.agreement import Agreement
from gearshift.tuning.child import Child
from gearshift.tuning.messages import (
    Blob,
    Candidate,
    Export,
    Made,
    Make,
    Opened,
    Round,
    RunPlans,
    Times,
    pack,
    unpack,
)
from gearshift.tuning.probe import Probe
from processes import probe_processes
from tables import fixed
from tables import opened as opened_at

Patch = Callable[[str], None]


@pytest.fixture
def artifact(tmp_path: Path) -> Iterator[Artifact]:
    with Artifact.open(null_artifact(tmp_path)) as artifact:
        yield artifact


def is_over(pid: int) -> bool:
    """Whether the process comes to its end within a while."""
    for _ in range(400):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def child_of(pid: int) -> psutil.Process:
    (child,) = probe_processes(pid)
    return child


@pytest.mark.parametrize(
    "message",
    [
        Opened(True, 12),
        Make(Build("null", 4, 2), (4,)),
        Made(5, (0.25, 1e-9), ""),
        Round((Candidate(Build("null", OPEN), 3, 1),)),
        RunPlans((Measured(Build("null", 4), (Timing(4, 1e-3, 1e-3),), 7),), (3, 1)),
        Times(()),
        Export(Build("null", OPEN, 2)),
        Blob(0),
    ],
)
def test_messages_come_through(
    message: Opened | Make | Made | Round | RunPlans | Times | Export | Blob,
) -> None:
    line = pack(message)
    assert line.count(b"\n") == 1
    assert unpack(line) == message
    assert unpack(b"half a line of an engine" + line) == message


@pytest.mark.parametrize("line", [b"", b"\n", b"[1, 2]\n", b'["Opened", {}]\n'])
def test_other_lines_are_no_messages(line: bytes) -> None:
    assert unpack(line) is None


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'["Other", {}]', b'["Opened", {"nbytes": 1}]'])
def test_damaged_messages_are_refused(text: bytes) -> None:
    with pytest.raises(EngineError, match="cannot be understood"):
        unpack(b"\x1e" + text + b"\n")


def test_a_conversation(artifact: Artifact) -> None:
    with Child(artifact, "null", 2) as child:
        assert child.opened.fixed_programs
        assert child.opened.nbytes >= 0
        made = child.ask(Make(Build("null", OPEN), (1, 2, 8)), Made)
        assert made.reason == ""
        assert len(made.seconds) == 3
        assert child.ask(Make(Build("null", 2, 2), (2,)), Made).reason == ""
        candidates = (
            Candidate(Build("null", OPEN), 8, 1),
            Candidate(Build("null", 2, 2), 2, 2),
            Candidate(Build("null", 2, 2), 2, 1),
        )
        times = child.ask(Round(candidates), Times)
        assert len(times.seconds) == 3
        assert min(times.seconds) > 0
        members = (fixed(2, 1e-3, engine="null", lanes=2), opened_at({1: 1e-3}, engine="null"))
        times = child.ask(RunPlans(members, (3, 1, 8)), Times)
        assert len(times.seconds) == 3
        assert min(times.seconds) > 0
        assert child.export(Export(Build("null", OPEN))) == b""


def test_what_others_print_is_no_answer(artifact: Artifact, in_children: Patch) -> None:
    in_children(
        "print('starting')\n"
        "print('half a line', end='', flush=True)\n"
        "import os\n"
        "from gearshift.engines import null\n"
        "run = null._RowSums.run\n"
        "def noisy(self, *args):\n"
        "    os.write(1, b'garbage\\n')\n"
        "    print('more', flush=True)\n"
        "    assert os.read(0, 10) == b'', 'an engine took the requests'\n"
        "    return run(self, *args)\n"
        "null._RowSums.run = noisy\n"
    )
    with Child(artifact, "null", 1) as child:
        assert child.ask(Make(Build("null", 1), (1,)), Made).reason == ""
        assert child.ask(Round(()), Times) == Times(())


def test_garbage_under_our_mark_is_an_engine_error(artifact: Artifact, in_children: Patch) -> None:
    in_children("print('\\x1e[garbage]', flush=True)")
    with pytest.raises(EngineError, match="cannot be understood"):
        Child(artifact, "null", 1)
    assert not probe_processes()


def test_the_last_words_of_a_process_that_ends(artifact: Artifact, in_children: Patch) -> None:
    in_children(
        "import os, sys\n"
        "from gearshift.engines import null\n"
        "def crash(self, *args):\n"
        "    print('first words', *range(9), sep='\\n', file=sys.stderr, flush=True)\n"
        "    print('it is on fire', file=sys.stderr, flush=True)\n"
        "    os._exit(3)\n"
        "null._RowSums.run = crash\n"
    )
    with pytest.raises(
        EngineError, match=r"null ended with exit code 3; (.|\n)*on fire$"
    ) as caught:
        Child(artifact, "null", 1)
    assert "first words" not in str(caught.value)


def test_a_process_that_is_killed(artifact: Artifact) -> None:
    with Child(artifact, "null", 1) as child:
        psutil.Process(child_of(os.getpid()).pid).kill()
        with pytest.raises(EngineError, match=r"signal 9 \(Killed\), without a word"):
            child.ask(Round(()), Times)


def test_a_stuck_process_is_ended(artifact: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    with Child(artifact, "null", 1) as child:
        child_of(os.getpid()).suspend()
        monkeypatch.setattr("gearshift.tuning.child._ANSWER_SECONDS", 0.2)
        with pytest.raises(EngineError, match="signal 9"):
            child.ask(Round(()), Times)


def test_it_ends_with_its_stdin_whatever_it_is_doing(
    artifact: Artifact, in_children: Patch, tmp_path: Path
) -> None:
    stuck = tmp_path / "stuck"
    in_children(
        "import pathlib, time\n"
        "from gearshift.engines import null\n"
        "run = null._RowSums.run\n"
        "def slow(self, feeds, into=()):\n"
        "    if len(feeds[0]) == 8:\n"
        f"        pathlib.Path({str(stuck)!r}).touch()\n"
        "        time.sleep(1000)\n"
        "    return run(self, feeds, into)\n"
        "null._RowSums.run = slow\n"
    )
    child = Child(artifact, "null", 1)
    pid = child_of(os.getpid()).pid
    child._stdin.write(pack(Make(Build("null", OPEN), (8,))))
    child._stdin.flush()
    while not stuck.exists():
        time.sleep(0.01)
    child._stdin.close()
    assert is_over(pid)
    child.close()


def test_it_ends_with_its_parent(artifact: Artifact) -> None:
    code = (
        "import sys\n"
        "from gearshift.artifact.reader import Artifact\n"
        "from gearshift.tuning.child import Child\n"
        "child = Child(Artifact.open(sys.argv[1]), 'null', 1)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(artifact.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        pid = child_of(parent.pid).pid
        parent.kill()
        assert is_over(pid)


@pytest.mark.skipif(os.name == "nt", reason="consoles of Windows send Ctrl-C another way")
def test_ctrl_c_is_none_of_its_business(artifact: Artifact) -> None:
    with Child(artifact, "null", 1) as child:
        child_of(os.getpid()).send_signal(signal.SIGINT)
        assert child.ask(Round(()), Times) == Times(())


def test_it_runs_from_anywhere(
    artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules come from where the parent has them, and never from the folder it works in."""
    (tmp_path / "json.py").write_text("raise SystemExit('took the wrong json')")
    monkeypatch.chdir(tmp_path)
    with Artifact.open(Path(artifact.path.name)) as here, Child(here, "null", 1) as child:
        assert child.ask(Round(()), Times) == Times(())


def test_another_file_than_the_one_loaded_is_refused(artifact: Artifact, tmp_path: Path) -> None:
    null_artifact(tmp_path, sizes=(1, 2))
    with pytest.raises(EngineError, match="not the file any more"):
        Child(artifact, "null", 1)
    artifact.path.unlink()
    with pytest.raises(EngineError, match="no such file"):
        Child(artifact, "null", 1)


def test_an_engine_that_the_artifact_is_not_for(artifact: Artifact) -> None:
    with pytest.raises(EngineError, match="was compiled for null"):
        Child(artifact, "reference", 1)


def test_a_program_without_an_interpreter(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(EngineError, match="needs a Python interpreter"):
        Child(artifact, "null", 1)


# In this process, where builds can be made to fail.


def test_plans_run_after_another_number_of_rows_and_after_the_same(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []
    run = null._RowSums.run

    def note(self: null._RowSums, feeds: list[Array], into: list[Array] = ()) -> list[Array]:
        ran.append(len(feeds[0]))
        return run(self, feeds, into)

    probe = opened(artifact)
    for build in (Build("null", 1), Build("null", 4)):
        probe.make(Make(build, (build.rows,)))
    monkeypatch.setattr(null._RowSums, "run", note)
    members = (fixed(1, 1.0, engine="null"), fixed(4, 2.0, engine="null"))
    assert len(probe.run_plans(RunPlans(members, (1, 5))).seconds) == 2
    assert ran == [4, 1, 1, 1, 4, 1, 4, 1]
    ran.clear()
    probe.run_plans(RunPlans(members, (1, 5), ((5, (Build("null", 1),)),)))
    assert ran == [1] * (5 + 2 + 10)


def opened(artifact: Artifact) -> Probe:
    probe = Probe(artifact, "null", 2)
    probe.open()
    return probe


@pytest.mark.parametrize("lanes", [2, 4])
def test_it_runs_in_as_many_lanes_as_a_session_would(
    artifact: Artifact, lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where lanes run depends on how many there are for the threads."""
    probe = Probe(artifact, "null", 4)
    probe.open()
    builds = Build("null", 1), Build("null", 1, lanes)
    counts: list[int] = []
    run = Lanes.run

    def note(self: Lanes, tasks: Sequence[Task]) -> None:
        counts.append(self.count)
        run(self, tasks)

    monkeypatch.setattr(Lanes, "run", note)
    for build in builds:
        probe.make(Make(build, (1,)))
    probe.time(Round((Candidate(builds[1], 1, lanes),)))
    members = fixed(1, 1.0, engine="null"), fixed(1, 1.0, engine="null", lanes=lanes)
    probe.run_plans(RunPlans(members, (2, lanes)))
    assert set(counts) == {lanes}


def test_a_build_is_tried_at_what_there_is_time_for(artifact: Artifact) -> None:
    probe = opened(artifact)
    sizes = (1, 8, 2, 3)
    assert len(probe.make(Make(Build("null", OPEN), sizes, 2, 0.0)).seconds) == 2
    assert len(probe.make(Make(Build("null", 2), (2,), 1, 0.0)).seconds) == 1
    assert len(probe.make(Make(Build("null", OPEN, 2), sizes, 2, 60.0)).seconds) == 4


def test_a_build_with_other_numbers_is_ruled_out(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = null._RowSums.run

    def wrong_at_four(
        self: null._RowSums, feeds: list[Array], into: list[Array] = ()
    ) -> list[Array]:
        outputs = run(self, feeds, into)
        if len(feeds[0]) == 4:
            outputs[0][3] += 0.1  # one row of four, by 3 %
        return outputs

    monkeypatch.setattr(null._RowSums, "run", wrong_at_four)
    probe = opened(artifact)
    assert probe.make(Make(Build("null", 2), (2,))).reason == ""
    made = probe.make(Make(Build("null", 4), (4,)))
    assert "'y' differs by 0.03" in made.reason
    assert "allowed 0.001" in made.reason
    assert "differs" in probe.make(Make(Build("null", OPEN), (1, 2, 4))).reason
    assert probe._programs.built == {Build("null", 2)}


def test_a_build_that_the_engine_refuses_is_ruled_out(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable = null._NullNetwork.executable

    def refuse_lanes(
        self: null._NullNetwork, shapes: object, lanes: int = 1, *rest: object
    ) -> object:
        if lanes > 1:
            raise EngineError("null has no lanes today")
        return executable(self, shapes, lanes, *rest)

    monkeypatch.setattr(null._NullNetwork, "executable", refuse_lanes)
    probe = opened(artifact)
    assert probe.make(Make(Build("null", 2, 2), (2,))).reason == "null has no lanes today"
    assert probe.make(Make(Build("null", 2), (2,))).reason == ""


def test_nothing_is_built_without_room(artifact: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    resident = itertools.count(0, 5_000_000)
    free = SimpleNamespace(available=11_000_000)
    monkeypatch.setattr(Probe, "_resident", lambda self: next(resident))
    monkeypatch.setattr(probes, "machine_memory", lambda: free)
    probe = opened(artifact)
    assert probe.make(Make(Build("null", 1), (1,))).nbytes == 5_000_000
    assert probe.make(Make(Build("null", 2), (2,))).reason == ""
    free.available = 9_000_000
    made = probe.make(Make(Build("null", 4), (4,)))
    assert made.reason == "not enough memory: 9 MB are free, and the build before it took 5 MB"


def manifest(path: Path, separable: bool = True) -> Manifest:
    with Artifact.open(null_artifact(path, separable=separable)) as found:
        return found.manifest


def test_agreement_of_independent_rows(tmp_path: Path) -> None:
    row = np.array([[1.0, 3.0]], np.float32)
    agreement = Agreement(manifest(tmp_path), 1e-3)
    agreement.check(2, [np.repeat(row, 2, axis=0)])
    agreement.check(5, [np.repeat(row, 5, axis=0) * np.float32(1.0009)])
    wrong = np.repeat(row, 5, axis=0)
    wrong[4, 0] += 0.01
    with pytest.raises(EngineError, match=r"'y' differs by 0\.00333"):
        agreement.check(5, [wrong])
    with pytest.raises(EngineError, match="differs by inf"):
        agreement.check(4, [np.repeat(row, 5, axis=0)])


def test_agreement_where_rows_lie_on_another_axis(tmp_path: Path) -> None:
    across = OutputRecord("z", "int64", (2, -1), row_axis=1, row_inner=2)
    agreement = Agreement(replace(manifest(tmp_path), outputs=(across,)), 1e-3)
    block = np.array([[1, 2], [3, 4]])
    agreement.check(1, [block])
    agreement.check(3, [np.tile(block, (1, 3))])
    with pytest.raises(EngineError, match="allowed 0"):
        agreement.check(2, [np.array([[1, 2, 2, 1], [3, 4, 3, 4]])])


def test_agreement_of_coupled_rows_is_by_size(tmp_path: Path) -> None:
    agreement = Agreement(manifest(tmp_path, separable=False), 1e-3)
    agreement.check(2, [np.full((2, 2), 2, np.float32)])
    agreement.check(4, [np.full((4, 2), 4, np.float32)])
    agreement.check(2, [np.full((2, 2), 2, np.float32)])
    with pytest.raises(EngineError, match="differs"):
        agreement.check(4, [np.full((4, 2), 2, np.float32)])


def test_the_tolerance_is_the_artifacts_own(tmp_path: Path) -> None:
    plain = manifest(tmp_path)
    assert probes._tolerance(plain, "null") == 1e-3
    assert probes._tolerance(replace(plain, options=(("tolerance", "0.25"),)), "null") == 0.25
    half = replace(plain.topologies[0], precision="f16")
    assert probes._tolerance(replace(plain, topologies=(half,)), "null") == 2e-2


def test_it_runs_with_inputs_that_carry_no_rows(tmp_path: Path) -> None:
    path = null_artifact(tmp_path, inputs=(X, InputRecord("scale", "int64", (3,))))
    with Artifact.open(path) as artifact:
        probe = opened(artifact)
        assert probe.make(Make(Build("null", 8), (8,))).reason == ""
        assert probe.make(Make(Build("null", 4, 2), (4,))).reason == ""


def test_short_runs_come_after_a_pause_and_long_ones_do_not(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = Probe(artifact, "null", 1)
    probe.open()
    build = Build("null", 2)
    took = {2: 0.001}
    pauses: list[float] = []

    def run(candidate: Candidate, times: int) -> list[Array]:
        nonlocal now
        now += took[candidate.rows] * times
        return []

    now = 0.0
    monkeypatch.setattr(probe, "_run", run)
    monkeypatch.setattr(probes.time, "perf_counter", lambda: now)
    monkeypatch.setattr(probes.time, "sleep", pauses.append)
    candidate = Candidate(build, 2, 1)
    probe._row_seconds[build] = 1.0  # the cold run: no pause is thought to be needed
    assert probe._time(candidate) == pytest.approx(0.001)
    assert len(pauses) == 1, "what proved to be short was timed once more, after a pause"
    assert probe._time(candidate) == pytest.approx(0.001)
    assert len(pauses) == 2
    took[2] = 0.5
    assert probe._time(candidate) == pytest.approx(0.5)
    assert len(pauses) == 3
    assert probe._time(candidate) == pytest.approx(0.5)
    assert len(pauses) == 3


@pytest.mark.parametrize(
    ("seconds", "gears", "runs"),
    [
        (0.001, (1, 16), [1, 2]),  # so short that waking threads counts
        (0.006, (1, 16), [1, 4]),
        (0.014, (1, 16), [1, 2]),
        (0.1, (1, 16), [1, 1]),
        (0.2, (1, 16), [1]),  # so long that others before it do not matter
        (0.006, (1, 2), [1, 3]),  # there are arrays for twice the largest call and the threads
    ],
)
def test_executions_in_a_row_come_after_one_that_is_not_timed(
    seconds: float,
    gears: tuple[int, ...],
    runs: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    probe = Probe(Artifact.open(null_artifact(tmp_path, sizes=gears)), "null", 1)
    probe.open()
    build, seen, now = Build("null", 2), [], 0.0

    def run(candidate: Candidate, times: int) -> list[Array]:
        nonlocal now
        seen.append(times)
        now += seconds * times
        return []

    monkeypatch.setattr(probe, "_run", run)
    monkeypatch.setattr(probes.time, "perf_counter", lambda: now)
    monkeypatch.setattr(probes.time, "sleep", lambda pause: None)
    probe._row_seconds[build] = seconds / 2
    assert probe._time(Candidate(build, 2, 1)) == pytest.approx(seconds)
    assert seen == runs


def test_results_that_are_kept_are_no_memory_of_programs(artifact: Artifact) -> None:
    probe = Probe(artifact, "null", 1)
    probe._recycler.take_back(np.empty(10, np.uint8))
    probe._resident()
    assert not probe._recycler._free
