"""Measures an artifact on this host: the time and the memory that each possible program takes.

Each engine has a child process (`child`, `probe`), which builds its candidates one by one while the
others wait. Then rounds are played: every candidate once, in a random order, engine after engine,
so that what disturbs this machine for a while disturbs all of them alike. Last, whole plans of the
sets of programs that look best run by turns (`playoff`).
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from gearshift.artifact.reader import Artifact
from gearshift.errors import EngineError, OptionError
from gearshift.gears.build import OPEN, Build, Measured, Through
from gearshift.opening import gear_set
from gearshift.options import Budget
from gearshift.tuning.bystanders import Bystanders
from gearshift.tuning.candidates import candidate_sizes
from gearshift.tuning.child import ProbeEndedError
from gearshift.tuning.messages import Candidate
from gearshift.tuning.playoff import EngineGoneError, play_off
from gearshift.tuning.prospects import hopeless, next_smaller, unpromising
from gearshift.tuning.table import (
    TABLE_VERSION,
    CostTable,
    Dropped,
    EngineBytes,
    Played,
    this_host,
    timestamp,
)
from gearshift.tuning.trial import Trial
from gearshift.tuning.watch import Progress, Watch

__all__ = ["DEFAULT_SECONDS", "Progress", "tune"]

DEFAULT_SECONDS: Final = 10.0
"""How long to measure if nobody says anything."""

_MARGINS: Final = (1.0, 0.5, 0.4, 0.25)
"""By round: a candidate that would be in no plan if it took so much less is not timed any longer.
The more is known of it the less is left to doubt; in the first round everything is timed."""
_BUILDING: Final = 0.5
"""Share of the time that goes into building; and of the way that it is, for those who watch."""
_ROUNDS: Final = 0.6
"""When that part of the time is over, whole plans are run, if there are any to compare."""
_ALL_SIZES: Final = 3
"""An open build may take this part of what is left for building to be tried at every size."""
_TELLING: Final = 1.0
"""Seconds. In less, the system counts too coarsely to tell what others took."""
_NO_TIME: Final = "no time was left to build it"

_LOG = logging.getLogger("gearshift")


def tune(
    artifact: Artifact,
    *,
    engines: Sequence[str],
    threads: int,
    seconds: float = DEFAULT_SECONDS,
    on_progress: Progress | None = None,
    frame: int = 0,
    budget: Budget | int = "balanced",
    wanted: Callable[[CostTable], Iterable[Build]] | None = None,
    keep_blob: Callable[[CostTable, Build, bytes], object] | None = None,
) -> CostTable:
    """Measures an artifact on this host.

    An engine that is not installed or refuses the network is left out; the others go on. So is one
    whose process ends twice, and the table says so. Whatever happens, Ctrl-C included, no child
    process is left.

    Args:
        artifact: open, and from a file that is still there.
        engines: names of those to try.
        threads: threads of one run.
        seconds: how long all of it may take. Building is begun in the first half, whole plans run
            in the last two fifths. However few they are, of each engine so much is built that
            everything can be run, and one round is played.
        on_progress: told what is being done.
        frame: number of the frame whose programs are measured.
        budget: what programs may take: sets that look best under it, and under others, are run
            whole at the end.
        wanted: which builds are worth keeping what makes them again more quickly, once all is
            measured.
        keep_blob: takes that of each of those builds whose engine has such a thing.

    Raises:
        OptionError: no engine is named.
        EngineError: none of the engines could be measured.
    """
    if not engines:
        raise OptionError("no engine is named to measure on; name one or more.")
    watch, others = Watch(seconds, on_progress), Bystanders()
    with contextlib.ExitStack() as children:
        tuning = _Tuning(artifact, frame, threads, watch, children)
        names = tuple(dict.fromkeys(engines))
        tuning.build(names)
        tuning.play_rounds(_ROUNDS)
        if not tuning.play_off(names, budget):
            tuning.play_rounds(1.0)
        table = replace(tuning.table(names), others=others.share())
        if wanted is not None and keep_blob is not None:
            for build in wanted(table):
                watch.tell(f"keeping {build}", 1.0)
                data = tuning.export(build)
                if data:
                    keep_blob(table, build, data)
    watch.tell("measured", 1.0)
    if table.seconds >= _TELLING and table.is_of_a_busy_machine:
        _LOG.warning(
            "other programs took %.0f %% of this machine while %s was measured, so that plans may "
            "be bad ones; measure again when it is quiet: gearshift tune",
            100 * (table.others or 0.0),
            artifact.path.name,
        )
    return table


class _Tuning:
    """The engines that are measured side by side."""

    def __init__(
        self,
        artifact: Artifact,
        number: int,
        threads: int,
        watch: Watch,
        children: contextlib.ExitStack,
    ) -> None:
        self._artifact = artifact
        self._threads = threads
        self._watch = watch
        self._children = children
        frame = gear_set(artifact.manifest).frames[number]
        self._number = number
        self._gears = frame.sizes
        self._has_plans = frame.has_rows and artifact.manifest.proof.separable
        self._sizes = candidate_sizes(frame.sizes, artifact.manifest.proof.separable)
        self._trials: dict[str, Trial] = {}
        self._left_out: list[Dropped] = []
        self._failures: dict[str, EngineError] = {}  # by engine that was left out
        self._rounds = 0
        self._round_took = 0.0
        self._played: tuple[Played, ...] = ()

    def build(self, names: Sequence[str]) -> None:
        """Opens the engines, and builds on them what there is time for."""
        for number, name in enumerate(names):
            self._watch.tell(f"opening {name}", _BUILDING * number / len(names))
            with self._leaving_out(name):
                trial = Trial(self._artifact, name, self._threads, self._sizes, self._number)
                self._trials[name] = self._children.enter_context(trial)
                self._make_pending(trial, _BUILDING * (number + 1) / len(names))
        for name, trial in list(self._trials.items()):  # what one engine left of its share
            with self._leaving_out(name):
                self._make_pending(trial, _BUILDING)
            trial.dropped |= dict.fromkeys(trial.pending, _NO_TIME)

    def play_rounds(self, part: float) -> None:
        """Times everything, round after round, until that part of the time is over."""
        while any(trial.candidates() for trial in self._trials.values()):
            # A round that would end further beyond the time than it began before it is none.
            if self._rounds and self._watch.left(part) < self._round_took / 2:
                return
            done = max(_BUILDING, self._watch.passed) if self._rounds else _BUILDING
            self._watch.tell(f"timing, round {self._rounds + 1}", done)
            begin = time.perf_counter()
            self._play_round(_MARGINS[min(self._rounds, len(_MARGINS) - 1)])
            self._rounds, self._round_took = self._rounds + 1, time.perf_counter() - begin

    def play_off(self, names: Sequence[str], budget: Budget | int) -> bool:
        """Runs whole plans, where rows are independent and there is time; whether it did.

        Nothing may be timed afterwards: what looks best would be another set than those that ran.
        """
        if not self._has_plans or not self._trials or self._watch.left() <= 0:
            return False
        self._watch.tell("running whole plans", self._watch.passed)
        table = self.table(names)
        played = play_off(table, self._gears, budget, self._run_plans, self._watch.left)
        self._played = tuple(each for each in played if each.builds[0].engine in self._trials)
        return bool(self._played)

    def _run_plans(
        self, members: Sequence[Measured], rows: Sequence[int], through: Through
    ) -> Sequence[float]:
        name = members[0].build.engine
        self._watch.tell("running whole plans", self._watch.passed)
        with self._leaving_out(name):
            return self._trials[name].run_plans(members, rows, through)
        raise EngineGoneError

    def table(self, names: Sequence[str]) -> CostTable:
        """What was found. Raises EngineError if that is nothing."""
        measured = tuple(each for trial in self._trials.values() for each in trial.measured())
        dropped = self._dropped()
        if not measured:
            reasons = [str(error) for error in self._failures.values()]
            reasons += [
                reason for trial in self._trials.values() for reason in trial.dropped.values()
            ]
            raise EngineError(
                f"{self._artifact.path.name} could not be measured on {', '.join(names)}: "
                f"{'; '.join(dict.fromkeys(reasons))}"
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
            seconds=self._watch.elapsed,
            made=timestamp(),
            measured=measured,
            dropped=tuple(each for each in dropped if each.build.engine in installed),
            engines=tuple(EngineBytes(name, trial.nbytes) for name, trial in self._trials.items()),
            ended=tuple(
                name
                for name, error in self._failures.items()
                if name in installed and isinstance(error, ProbeEndedError)
            ),
            played=self._played,
        )

    def export(self, build: Build) -> bytes:
        """What makes a build again more quickly; nothing if there is no such thing."""
        trial = self._trials.get(build.engine)
        if trial is None:
            return b""
        try:
            return trial.export(build)
        except EngineError as error:
            # All is measured by now, and whoever wants the build can make it from the artifact.
            _LOG.warning("nothing can be kept of %s: %s", build, error)
            return b""

    def _make_pending(self, trial: Trial, part: float) -> None:
        """Has builds made until that part of the time is over, and what is needed in any case."""
        for build in trial.pending:
            if self._watch.passed < part or trial.is_needed(build):
                self._watch.tell(f"building {build}", min(part, self._watch.passed))
                self._make(trial, build, self._watch.left(part) / _ALL_SIZES)

    def _make(self, trial: Trial, build: Build, seconds: float) -> None:
        if not build.threads and unpromising(build, self._costs()):
            # A neighbour may have made it look so: none is ruled out on one glance.
            trial.look_again(next_smaller(build, self._costs()))
        reason = unpromising(build, self._costs())
        if reason is None:
            trial.make(build, seconds)
        else:
            trial.dropped[build] = reason

    def _play_round(self, margin: float) -> None:
        given_up = hopeless(self._costs(), margin)
        for name, trial in list(self._trials.items()):
            with self._leaving_out(name):
                trial.play(each for each in trial.candidates() if each not in given_up)

    def _costs(self) -> dict[Candidate, float]:
        return {
            candidate: cost
            for trial in self._trials.values()
            for candidate, cost in trial.costs().items()
        }

    def _dropped(self) -> list[Dropped]:
        return self._left_out + [
            Dropped(build, reason)
            for trial in self._trials.values()
            for build, reason in trial.dropped.items()
        ]

    @contextlib.contextmanager
    def _leaving_out(self, name: str) -> Iterator[None]:
        """Goes on without an engine that fails."""
        try:
            yield
        except EngineError as error:
            _LOG.warning("%s is left out of the measurement: %s", name, error)
            self._failures[name] = error
            trial = self._trials.pop(name, None)
            builds = trial.builds if trial else (Build(name, OPEN),)
            reasons = trial.dropped if trial else {}
            self._left_out += [Dropped(build, reasons.get(build, str(error))) for build in builds]
