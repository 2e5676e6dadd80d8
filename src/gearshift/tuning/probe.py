"""The child process that measures one engine: ``python -m gearshift.tuning.probe``.

Candidates are built and timed here and not where the model is used, so that those that lose leave
nothing behind, memory is measured cleanly, and engines do not disturb each other. Requests come in
on stdin, answers go out on stdout (`messages`); when stdin ends, so does the process.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import IO, Final, cast

import psutil

from gearshift.analysis.machine import machine_memory
from gearshift.artifact.manifest import Manifest
from gearshift.artifact.reader import Artifact
from gearshift.engines.memory import give_back_memory
from gearshift.engines.registry import get_engine
from gearshift.errors import ArtifactError, EngineError, GearshiftError, InternalError
from gearshift.execution import Executor
from gearshift.gears.build import OPEN, Build, Menu, Offer, make_menu
from gearshift.gears.dispatch import Piece, Plan
from gearshift.lanes import Lanes
from gearshift.networks import Networks
from gearshift.opening import frame_outputs, gear_set, ones, row_layouts
from gearshift.options import Precision
from gearshift.programs import Bound, Programs
from gearshift.recycling import Recycler
from gearshift.results import outlets
from gearshift.stats import StatsKeeper
from gearshift.tensors import Array
from gearshift.tuning.agreement import Agreement
from gearshift.tuning.candidates import lane_counts
from gearshift.tuning.messages import (
    PAUSE,
    RUNS,
    SHORT,
    Blob,
    Candidate,
    Export,
    Failed,
    Made,
    Make,
    Message,
    Opened,
    Round,
    RunPlans,
    Times,
    pack,
    unpack,
)
from gearshift.verify.equivalence import TOLERANCES

_WARM: Final = 0.15
"""Seconds. What runs longer takes so long by itself that coming after others is little of it."""
_ENOUGH: Final = 0.03
"""Seconds that executions in a row take about, if they are not more than so many:"""
_MOST: Final = 4
"""Where an execution is `SHORT`:"""
_FEW: Final = 2
_LONG: Final = 0.1
"""Seconds that glances at one build may take together."""
_GLANCES: Final = 3
"""A quick execution is glanced at so many times: builds are ruled out by what is seen."""
_ROOM: Final = 2
"""So many times what the last build took has to be free for another one to be begun."""


class Probe:
    """An artifact on one engine, and the builds made of it so far."""

    def __init__(self, artifact: Artifact, engine: str, threads: int, frame: int = 0) -> None:
        """Opens nothing yet."""
        manifest = artifact.manifest
        self._artifact = artifact
        self._engine = engine
        gears = gear_set(manifest)
        self._gears = gears.frames[frame]
        self._most_rows = 2 * (max(self._gears.sizes) + threads)
        self._feeds = ones(gears, frame, self._most_rows)
        networks = Networks(artifact, threads)
        self._pages = networks.pages
        self._programs = Programs(networks, self._gears)
        self._recycler = Recycler(len(manifest.outputs))
        # A session has as many lanes as its plans take, and where they run depends on that.
        self._executors = {
            count: Executor(
                self._gears.row_inputs,
                outlets(row_layouts(manifest), frame_outputs(manifest, frame)),
                self._programs.runs,
                Lanes(count, threads),
                StatsKeeper(),
                self._recycler,
            )
            for count in (1, *lane_counts(threads))
        }
        self._agreement = Agreement(manifest, _tolerance(manifest, engine))
        self._kept: list[Build] = []
        self._seconds: dict[Candidate, float] = {}  # of the last execution
        self._row_seconds: dict[Build, float] = {}
        self._last_nbytes = 0

    def open(self) -> Opened:
        """Opens the engine and says what it takes by itself.

        A program is built for that, and let go of: what stays behind belongs to no program. It is
        one that was verified when the artifact was made, and the others are held to it.

        Raises:
            EngineError: the engine is not installed, or failed.
        """
        before = self._resident()
        fixed = get_engine(self._engine).fixed_programs
        rows = min(self._gears.sizes)
        build = Build(self._engine, rows if fixed else OPEN)
        self._hold([build])
        self._agreement.check(rows, self._run(Candidate(build, rows, 1), 1))
        self._pages.merge()
        self._hold([])
        return Opened(fixed, max(0, self._resident() - before))

    def make(self, request: Make) -> Made:
        """Makes a build, runs every lane of it, and keeps it unless it is ruled out."""
        build = request.build
        free = machine_memory().available
        if free < _ROOM * self._last_nbytes:
            return _ruled_out(
                f"not enough memory: {_megabytes(free)} are free, and the build before it took "
                f"{_megabytes(self._last_nbytes)}"
            )
        before = self._resident()
        self._hold([*self._kept, build])
        try:
            seconds = self._try_sizes(request)
        except EngineError as error:
            self._hold(self._kept)
            return _ruled_out(str(error))
        self._last_nbytes = max(0, self._resident() - before)
        self._kept.append(build)
        return Made(self._last_nbytes, seconds, "")

    def time(self, request: Round) -> Times:
        """Times each candidate."""
        return Times(tuple(self._time(each) for each in request.candidates))

    def run_plans(self, request: RunPlans) -> Times:
        """Times calls of a set of builds: each after another number of rows, and once more.

        Quick ones come after a pause the first time, as in `_time`, and closely the second.
        """
        menu = make_menu(request.members, dict(request.through))
        plans = [
            self._programs.bind(each.planner.plan(rows), each)
            for rows, each in ((rows, menu.at(rows)) for rows in request.rows)
        ]
        executor = self._executors[menu.lanes]
        executor.run(plans[-1], self._feeds)
        return Times(tuple(self._plan_seconds(executor, bound) for bound in plans))

    def blob(self, build: Build) -> bytes:
        """What makes the build again more quickly; nothing if the engine has no such thing."""
        return self._programs.get(build).blob() or b""

    def _plan_seconds(self, executor: Executor, bound: Bound) -> float:
        if bound.plan.cost < SHORT:
            time.sleep(PAUSE)
        start = time.perf_counter()
        for _ in range(RUNS):
            executor.run(bound, self._feeds)
        return (time.perf_counter() - start) / RUNS

    def _try_sizes(self, request: Make) -> tuple[float, ...]:
        end = time.perf_counter() + request.seconds
        seconds: list[float] = []
        for rows in request.sizes:
            if len(seconds) >= request.least and time.perf_counter() >= end:
                break
            seconds.append(self._try(Candidate(request.build, rows, request.build.lanes)))
        return tuple(seconds)

    def _try(self, candidate: Candidate) -> float:
        """Runs it once for the outputs, which have to be right, and then for a first glance.

        The open build needs no glance: it is not ruled out by its times, and has many sizes to try.
        """
        self._programs.get(candidate.build)  # what building takes is no guess at a run
        start = time.perf_counter()
        outputs = self._run(candidate, 1)
        first = time.perf_counter() - start
        self._pages.merge()  # as a session does in its pauses
        self._agreement.check(candidate.rows * candidate.lanes, outputs)
        self._row_seconds[candidate.build] = first / candidate.rows
        if candidate.build.rows == OPEN:
            return first
        glances = [self._time(candidate)]
        while len(glances) < _GLANCES and sum(glances) < _LONG:
            glances.append(self._time(candidate))
        return min(glances)

    def _time(self, candidate: Candidate) -> float:
        """Seconds of one of several executions in a row, after one that is not timed.

        In a session the same few programs run all the time, and here any of dozens ran before: what
        it costs to come after others is charged where programs are chosen.
        """
        while True:
            expected = self._expected(candidate)
            if expected < _WARM:
                self._run(candidate, 1)
            is_short = expected < SHORT
            if is_short:
                time.sleep(PAUSE)
            times = self._times(candidate, expected)
            start = time.perf_counter()
            self._run(candidate, times)
            seconds = (time.perf_counter() - start) / times
            self._seconds[candidate] = seconds
            self._row_seconds[candidate.build] = seconds / candidate.rows
            if is_short or seconds >= SHORT:  # else it should have had a pause
                return seconds

    def _times(self, candidate: Candidate, expected: float) -> int:
        """How many executions in a row: up to four, so that pieces of a plan are like them."""
        # What waking threads costs is paid once a call, be it of few pieces.
        most = _FEW if expected < SHORT else _MOST
        fitting = self._most_rows // (candidate.rows * candidate.lanes)
        return max(1, min(round(_ENOUGH / expected), most, fitting))

    def _run(self, candidate: Candidate, times: int) -> list[Array]:
        """Runs it as a session would, so many times in each lane."""
        rows, lanes = candidate.rows, candidate.lanes
        numbers = [None] if lanes == 1 else range(lanes)
        pieces = tuple(Piece(rows, rows, lane) for lane in numbers for _ in range(times))
        offers = {rows: Offer(candidate.build, 0.0)}
        menu = Menu(offers, offers if lanes > 1 else {}, lanes)
        plan = Plan(rows * len(pieces), pieces, 0.0)
        return self._executors[lanes].run(self._programs.bind(plan, menu), self._feeds)

    def _expected(self, candidate: Candidate) -> float:
        """Seconds that an execution will take, by the last one, or by one of another size."""
        guess = self._row_seconds[candidate.build] * candidate.rows
        return self._seconds.get(candidate, guess)

    def _hold(self, builds: Sequence[Build]) -> None:
        """Those may be built and stay; others are let go of."""
        self._programs.use(dict.fromkeys(builds, 0), None, lambda build: None)

    def _resident(self) -> int:
        self._recycler.let_go()
        give_back_memory(self._artifact.pool)
        return int(psutil.Process().memory_info().rss)


def main() -> None:
    """Runs a probe; arguments: artifact, its identity, engine, threads, frame."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tuner, which ends this process
    requests, answers = _private_streams()
    path, identity, engine, threads, frame = sys.argv[1:]
    try:
        probe = Probe(_opened(path, identity), engine, int(threads), int(frame))
        _serve(probe, requests, answers)
    except GearshiftError as error:
        _say(answers, Failed(str(error)))
        # Engines' threads are left where they are: taking them down is slow and saves nothing.
        os._exit(error.exit_code)


def _opened(path: str, identity: str) -> Artifact:
    artifact = Artifact.open(path)
    if artifact.identity != identity:
        raise ArtifactError(f"{path} is not the file any more that was loaded; load it again.")
    return artifact


def _serve(probe: Probe, requests: IO[bytes], answers: IO[bytes]) -> None:
    inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, inbox), daemon=True).start()
    _say(answers, probe.open())
    while True:
        request = inbox.get()
        if isinstance(request, Make):
            _say(answers, probe.make(request))
        elif isinstance(request, Round):
            _say(answers, probe.time(request))
        elif isinstance(request, RunPlans):
            _say(answers, probe.run_plans(request))
        elif isinstance(request, Export):
            data = probe.blob(request.build)
            _say(answers, Blob(len(data)), data)
        else:
            raise InternalError(f"a probe cannot answer {request}")


def _listen(requests: IO[bytes], inbox: queue.SimpleQueue[Message]) -> None:
    """Ends the process with its stdin, in the middle of whatever it does: nobody waits for it."""
    for line in requests:
        message = unpack(line)
        if message is not None:
            inbox.put(message)
    os._exit(0)


def _say(answers: IO[bytes], message: Message, data: bytes = b"") -> None:
    answers.write(pack(message) + data)
    answers.flush()


def _private_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Stdin and stdout under other numbers; engines print, and what they print goes to stderr."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _tolerance(manifest: Manifest, engine: str) -> float:
    """The tolerance that the artifact's gears were held to."""
    given = dict(manifest.options).get("tolerance")
    if given is not None:
        return float(given)
    precisions = {record.engine: record.precision for record in manifest.topologies}
    return TOLERANCES[cast(Precision, precisions.get(engine, "f32"))]


def _ruled_out(reason: str) -> Made:
    return Made(0, (), reason)


def _megabytes(nbytes: int) -> str:
    return f"{nbytes / 1e6:.0f} MB"


if __name__ == "__main__":
    main()
