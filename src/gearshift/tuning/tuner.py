"""Measures an artifact on this host: the time and the memory that each possible program takes.

Each engine has a child process (`child`, `probe`), which builds its candidates one by one while the
others wait. Then rounds are played: every candidate once, in a random order, engine after engine,
so that what disturbs this machine for a while disturbs all of them alike.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from gearshift.artifact.reader import Artifact
from gearshift.errors import EngineError, OptionError
from gearshift.gears.build import OPEN, Build, Measured, Timing
from gearshift.opening import gear_set
from gearshift.tuning.candidates import candidate_builds, candidate_rows, candidate_sizes
from gearshift.tuning.child import Child
from gearshift.tuning.messages import Candidate, Export, Made, Make, Round, Times
from gearshift.tuning.prospects import hopeless, next_smaller, unpromising
from gearshift.tuning.table import (
    TABLE_VERSION,
    CostTable,
    Dropped,
    EngineBytes,
    this_host,
    timestamp,
)

DEFAULT_SECONDS: Final = 10.0
"""How long to measure if nobody says anything."""
MIN_ROUNDS: Final = 3

_QUANTILE: Final = 0.25
"""Of a candidate's samples: neighbours only ever make them longer, and one is no measure."""
_MARGINS: Final = (1.0, 0.5, 0.4, 0.25)
"""By round: a candidate that would be in no plan if it took so much less is not timed any longer.
The more is known of it the less is left to doubt; in the first round everything is timed."""
_LOOKS: Final = 2
_BUILDING: Final = 0.5
"""Share of the way that building is, for those who watch."""

_LOG = logging.getLogger("gearshift")

Progress = Callable[[str, float], None]
"""Takes what is being done, and how much of everything is done, 0 to 1."""


def tune(
    artifact: Artifact,
    *,
    engines: Sequence[str],
    threads: int,
    seconds: float = DEFAULT_SECONDS,
    on_progress: Progress | None = None,
    frame: int = 0,
    wanted: Callable[[CostTable], Iterable[Build]] | None = None,
    keep_blob: Callable[[CostTable, Build, bytes], object] | None = None,
) -> CostTable:
    """Measures an artifact on this host.

    An engine that is not installed, refuses the network or ends its process is left out; the others
    go on. Whatever happens, Ctrl-C included, no child process is left.

    Args:
        artifact: open, and from a file that is still there.
        engines: names of those to try.
        threads: threads of one run.
        seconds: how long all of it may take, building included. At least three rounds are played
            however long they take; with 0 it is these three.
        on_progress: told what is being done.
        frame: number of the frame whose programs are measured.
        wanted: which builds are worth keeping what makes them again more quickly, once all is
            measured.
        keep_blob: takes that of each of those builds whose engine has such a thing.

    Raises:
        OptionError: no engine is named.
        EngineError: none of the engines could be measured.
    """
    if not engines:
        raise OptionError("no engine is named to measure on; name one or more.")
    start = time.perf_counter()
    watch = _Watch(on_progress, start + seconds)
    with contextlib.ExitStack() as children:
        tuning = _Tuning(artifact, frame, threads, watch, children)
        names = tuple(dict.fromkeys(engines))
        for number, name in enumerate(names):
            tuning.build(name, number / len(names), 1 / len(names))
        tuning.play_rounds()
        table = tuning.table(names, time.perf_counter() - start)
        if wanted is not None and keep_blob is not None:
            for build in wanted(table):
                watch.tell(f"keeping {build}", 1.0)
                data = tuning.export(build)
                if data:
                    keep_blob(table, build, data)
    watch.tell("measured", 1.0)
    return table


class _Watch:
    """The clock, and whoever looks on."""

    def __init__(self, on_progress: Progress | None, end: float) -> None:
        self._on_progress = on_progress
        self._end = end
        self._done = 0.0

    @property
    def left(self) -> float:
        """Seconds until the time is over; less than 0 afterwards."""
        return self._end - time.perf_counter()

    def tell(self, text: str, done: float) -> None:
        """Says what is being done; how much is done never goes back."""
        self._done = min(1.0, max(self._done, done))
        if self._on_progress is not None:
            self._on_progress(text, self._done)


class _Engine:
    """One engine's child, its builds, and what was measured of them."""

    def __init__(
        self, child: Child, builds: Sequence[Build], sizes: Sequence[int], separable: bool
    ) -> None:
        self.child = child
        self.builds = builds
        self.dropped: dict[Build, str] = {}
        self._rows = {build: candidate_rows(build, sizes, separable) for build in builds}
        self._nbytes: dict[Build, int] = {}
        self._first: dict[Candidate, float] = {}  # how long each took when it was made
        self._samples: dict[Candidate, list[float]] = {}

    def make(self, build: Build) -> None:
        """Has a build made and tried."""
        sizes = self._rows[build]
        made = self.child.ask(Make(build, sizes), Made)
        if made.reason:
            self.dropped[build] = made.reason
            return
        self._nbytes[build] = made.nbytes
        for rows, seconds in zip(sizes, made.seconds, strict=True):
            self._first[Candidate(build, rows, build.lanes)] = seconds

    def look_again(self, candidates: Sequence[Candidate]) -> None:
        """Has those timed again that were made; the least time of each counts."""
        again = tuple(candidates) * _LOOKS
        times = self.child.ask(Round(again), Times)
        for candidate, seconds in zip(again, times.seconds, strict=True):
            self._first[candidate] = min(seconds, self._first[candidate])

    def candidates(self) -> tuple[Candidate, ...]:
        """Every way to run what was made."""
        return tuple(
            Candidate(build, rows, lanes)
            for build in self._nbytes
            for rows in self._rows[build]
            for lanes in sorted({1, build.lanes})
        )

    def play(self, candidates: Iterable[Candidate]) -> None:
        """Has those timed once, in a random order."""
        order = list(candidates)
        random.shuffle(order)
        times = self.child.ask(Round(tuple(order)), Times)
        for candidate, seconds in zip(order, times.seconds, strict=True):
            self._samples.setdefault(candidate, []).append(seconds)

    def costs(self) -> dict[Candidate, float]:
        """Seconds of each candidate that ran so far."""
        return self._first | {
            candidate: float(np.quantile(samples, _QUANTILE, method="lower"))
            for candidate, samples in self._samples.items()
        }

    def measured(self) -> tuple[Measured, ...]:
        """What is known of each build that was made."""
        costs = self.costs()
        return tuple(
            Measured(
                build,
                tuple(
                    Timing(
                        rows,
                        seconds=costs[Candidate(build, rows, build.lanes)],
                        alone=costs[Candidate(build, rows, 1)],
                    )
                    for rows in self._rows[build]
                ),
                nbytes,
            )
            for build, nbytes in self._nbytes.items()
        )


class _Tuning:
    """The engines that are measured side by side."""

    def __init__(
        self,
        artifact: Artifact,
        frame: int,
        threads: int,
        watch: _Watch,
        children: contextlib.ExitStack,
    ) -> None:
        self._artifact = artifact
        self._threads = threads
        self._watch = watch
        self._children = children
        self._separable = artifact.manifest.proof.separable
        self._number = frame
        self._frame = gear_set(artifact.manifest).frames[frame]
        self._sizes = candidate_sizes(self._frame.sizes, self._separable)
        self._engines: dict[str, _Engine] = {}
        self._left_out: list[Dropped] = []

    def build(self, name: str, begin: float, share: float) -> None:
        """Opens an engine and builds its candidates, which is that share of all building."""
        self._watch.tell(f"opening {name}", begin * _BUILDING)
        with self._leaving_out(name):
            child = self._children.enter_context(
                Child(self._artifact, name, self._threads, self._number)
            )
            fixed = child.opened.fixed_programs
            builds = candidate_builds(name, fixed, self._sizes, self._threads, self._separable)
            if not self._frame.has_rows:
                builds = builds[-1:]  # one shape, one program: open or not is the same
            engine = self._engines[name] = _Engine(child, builds, self._sizes, self._separable)
            for number, build in enumerate(builds):
                done = begin + share * number / len(builds)
                self._watch.tell(f"building {build}", done * _BUILDING)
                self._make(engine, build)

    def play_rounds(self) -> None:
        """Times everything, round after round, until the time is over."""
        time_left = self._watch.left
        took = 0.0
        for number in itertools.count():
            # A round that would end further beyond the time than it began before it is none.
            if number >= MIN_ROUNDS and self._watch.left < took / 2:
                return
            passed = 1 - self._watch.left / time_left if time_left > 0 else 1.0
            done = _BUILDING + (1 - _BUILDING) * min(number / MIN_ROUNDS, passed)
            self._watch.tell(f"timing, round {number + 1}", done)
            begin = time.perf_counter()
            self._play_round(_MARGINS[min(number, len(_MARGINS) - 1)])
            took = time.perf_counter() - begin

    def table(self, names: Sequence[str], seconds: float) -> CostTable:
        """What was found. Raises EngineError if that is nothing."""
        measured = tuple(each for engine in self._engines.values() for each in engine.measured())
        dropped = self._dropped()
        if not measured:
            reasons = "; ".join(dict.fromkeys(f"{each.reason}" for each in dropped))
            raise EngineError(
                f"{self._artifact.path.name} could not be measured on {', '.join(names)}: {reasons}"
            )
        host = this_host(names, self._threads)
        installed = {each.name for each in host.engines}
        precisions = {each.engine: each.precision for each in self._artifact.manifest.topologies}
        return CostTable(
            version=TABLE_VERSION,
            frame=self._number,
            artifact=self._artifact.identity,
            host=host,
            precision=precisions[measured[0].build.engine],
            seconds=seconds,
            made=timestamp(),
            measured=measured,
            dropped=tuple(each for each in dropped if each.build.engine in installed),
            engines=tuple(
                EngineBytes(name, engine.child.opened.nbytes)
                for name, engine in self._engines.items()
            ),
        )

    def export(self, build: Build) -> bytes:
        """What makes a build again more quickly; nothing if there is no such thing."""
        engine = self._engines.get(build.engine)
        if engine is None:
            return b""
        try:
            return engine.child.export(Export(build))
        except EngineError as error:
            # All is measured by now, and whoever wants the build can make it from the artifact.
            _LOG.warning("nothing can be kept of %s: %s", build, error)
            return b""

    def _make(self, engine: _Engine, build: Build) -> None:
        if unpromising(build, self._costs()):
            # A neighbour may have made it look so: no build is ruled out on one glance.
            engine.look_again(next_smaller(build, self._costs()))
        reason = unpromising(build, self._costs())
        if reason is None:
            engine.make(build)
        else:
            engine.dropped[build] = reason

    def _play_round(self, margin: float) -> None:
        costs = self._costs()
        for name, engine in list(self._engines.items()):
            with self._leaving_out(name):
                engine.play(
                    candidate
                    for candidate in engine.candidates()
                    if not hopeless(candidate, costs, margin)
                )

    def _costs(self) -> dict[Candidate, float]:
        return {
            candidate: cost
            for engine in self._engines.values()
            for candidate, cost in engine.costs().items()
        }

    def _dropped(self) -> list[Dropped]:
        return self._left_out + [
            Dropped(build, reason)
            for engine in self._engines.values()
            for build, reason in engine.dropped.items()
        ]

    @contextlib.contextmanager
    def _leaving_out(self, name: str) -> Iterator[None]:
        """Goes on without an engine that fails."""
        try:
            yield
        except EngineError as error:
            _LOG.warning("%s is left out of the measurement: %s", name, error)
            engine = self._engines.pop(name, None)
            builds = engine.builds if engine else [Build(name, OPEN)]
            reasons = engine.dropped if engine else {}
            self._left_out += [Dropped(build, reasons.get(build, str(error))) for build in builds]
