"""One engine that is measured: its child process, its builds, and what they take."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Final

import numpy as np

from gearshift.artifact.reader import Artifact
from gearshift.gears.build import OPEN, Build, Measured, Through, Timing
from gearshift.opening import gear_set
from gearshift.tuning.candidates import candidate_builds, candidate_rows, in_trying_order
from gearshift.tuning.child import A, Child, ProbeEndedError
from gearshift.tuning.messages import Candidate, Export, Made, Make, Round, RunPlans, Times

_QUANTILE: Final = 0.25
"""Of a candidate's samples: neighbours only ever make them longer, and one is no measure."""
_FEW: Final = 3
"""Of fewer samples the least counts, and what was seen at first is one of them."""
_LOOKS: Final = 2

_LOG = logging.getLogger("gearshift")


class Trial:
    """An engine in a process of its own. A context manager, which ends the process.

    Attributes:
        builds: what may be tried on it, what matters most first.
        dropped: what was ruled out, and why.
    """

    def __init__(
        self,
        artifact: Artifact,
        engine: str,
        threads: int,
        sizes: Sequence[int],
        frame: int = 0,
    ) -> None:
        """Starts the process and waits until the engine is ready.

        Raises:
            ProbeEndedError: it ended, and so did another one that took its place.
            EngineError: the engine failed.
        """
        self._sizes = sizes
        self._separable = artifact.manifest.proof.separable
        self._start = partial(Child, artifact, engine, threads, frame)
        self._is_second = False
        self._child = self._started()
        fixed = self._child.opened.fixed_programs
        builds = candidate_builds(engine, fixed, sizes, threads, self._separable)
        gears = gear_set(artifact.manifest)
        if gears.mode == "range":
            # It is timed on the smallest input and runs the largest: one thread would look good.
            builds = tuple(build for build in builds if not build.threads)
        if not gears.frames[frame].has_rows:
            # One shape, one program: open or not is the same.
            builds = tuple(build for build in builds if (build.rows == OPEN) != fixed)
        self.builds = builds
        self.dropped: dict[Build, str] = {}
        self._rows: dict[Build, tuple[int, ...]] = {}  # of those that were made
        self._nbytes: dict[Build, int] = {}
        self._first: dict[Candidate, float] = {}  # how long each took when it was made
        self._samples: dict[Candidate, list[float]] = {}

    @property
    def nbytes(self) -> int:
        """What the engine takes before any program."""
        return self._child.opened.nbytes

    @property
    def pending(self) -> list[Build]:
        """What was neither made nor ruled out."""
        return [
            build for build in self.builds if build not in self._rows and build not in self.dropped
        ]

    def is_needed(self, build: Build) -> bool:
        """Whether without it there may be rows that no program runs."""
        runs = {rows for made, each in self._rows.items() if made.lanes == 1 for rows in each}
        if build.lanes > 1 or build.threads or (runs and self._separable):
            return False
        return not runs.issuperset(candidate_rows(build, self._sizes, self._separable))

    def make(self, build: Build, seconds: float) -> None:
        """Has a build made and tried; an open one at what can be tried in so many seconds.

        It is tried for one row in any case; where rows are not independent, at every gear.
        """
        sizes = in_trying_order(candidate_rows(build, self._sizes, self._separable))
        least = 1 if self._separable else len(sizes)
        made = self._ask(Make(build, sizes, least, max(0.0, seconds)), Made)
        if made.reason:
            self.dropped[build] = made.reason
            return
        self._nbytes[build] = made.nbytes
        tried = dict(zip(sizes, made.seconds, strict=False))
        self._rows[build] = tuple(sorted(tried))
        for rows, taken in tried.items():
            self._first[Candidate(build, rows, build.lanes)] = taken

    def look_again(self, candidates: Sequence[Candidate]) -> None:
        """Has those timed again that were made; the least time of each counts."""
        again = tuple(candidates) * _LOOKS
        times = self._ask(Round(again), Times)
        for candidate, seconds in zip(again, times.seconds, strict=True):
            self._first[candidate] = min(seconds, self._first[candidate])

    def candidates(self) -> tuple[Candidate, ...]:
        """Every way to run what was made."""
        return tuple(
            Candidate(build, rows, lanes)
            for build, sizes in self._rows.items()
            for rows in sizes
            for lanes in sorted({1, build.lanes})
        )

    def play(self, candidates: Iterable[Candidate]) -> None:
        """Has those timed once, in a random order."""
        order = list(candidates)
        random.shuffle(order)
        times = self._ask(Round(tuple(order)), Times)
        for candidate, seconds in zip(order, times.seconds, strict=True):
            self._samples.setdefault(candidate, []).append(seconds)

    def run_plans(
        self, members: Sequence[Measured], rows: Sequence[int], through: Through
    ) -> tuple[float, ...]:
        """Seconds of calls of so many rows with plans of those builds, or of some of them."""
        plans = tuple((each, tuple(sorted(builds))) for each, builds in sorted(through.items()))
        return self._ask(RunPlans(tuple(members), tuple(rows), plans), Times).seconds

    def costs(self) -> dict[Candidate, float]:
        """Seconds of each candidate that ran so far."""
        return self._first | {candidate: self._cost(candidate) for candidate in self._samples}

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

    def export(self, build: Build) -> bytes:
        """What makes a build again more quickly; nothing if there is no such thing."""
        return self._child.export(Export(build))

    def _ask(self, request: Make | Round | RunPlans, kind: type[A]) -> A:
        """The answer, of another process if this one ends: what ended it may be over by then."""
        try:
            return self._child.ask(request, kind)
        except ProbeEndedError as error:
            self._begin_again(error)
        return self._child.ask(request, kind)

    def _started(self) -> Child:
        try:
            return self._start()
        except ProbeEndedError as error:
            self._note_end(error)
        return self._start()

    def _begin_again(self, error: ProbeEndedError) -> None:
        """Has another process make what the one that ended had made."""
        self._note_end(error)
        self._child.kill()
        self._child = self._start()
        for build, sizes in self._rows.items():
            made = self._child.ask(Make(build, sizes[:1]), Made)
            if made.reason:
                raise ProbeEndedError(f"{error}; when {build} was made again: {made.reason}")

    def _note_end(self, error: ProbeEndedError) -> None:
        """Says that it begins again. Raises the error if it did so before."""
        if self._is_second:
            raise error
        self._is_second = True
        _LOG.warning("%s; it is started once more", error)

    def _cost(self, candidate: Candidate) -> float:
        samples = self._samples[candidate]
        if len(samples) < _FEW:
            return min(*samples, self._first.get(candidate, samples[0]))
        return float(np.quantile(samples, _QUANTILE, method="lower"))

    def __enter__(self) -> Trial:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.__exit__(kind, error, trace)
