"""Runs jobs and times them, from the engine's side and from the caller's."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gearshift.bench.jobs import Job
from gearshift.bench.latency import Latency, Sample
from gearshift.bench.outputs import PURE_STEM, Format, Stems, save_run
from gearshift.bench.setting import Setting
from gearshift.gears.gear import GearSet
from gearshift.opening import gear_set
from gearshift.session import Session
from gearshift.stats import Stats
from gearshift.tensors import Array

_SETTLING_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Saving:
    """Where outputs go.

    Attributes:
        folder: there already.
        how: the format.
        axis: along which the outputs of joined files are cut.
    """

    folder: Path
    how: Format = "BIN"
    axis: int = 0


@dataclass
class Record:
    """What was run so far.

    Attributes:
        samples: how long each run took, in order.
        settings: what each of these ran at.
        files: for each input file (or generated input) its own and its outputs' paths.
    """

    samples: list[Sample] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    files: list[tuple[list[str], list[str]]] = field(default_factory=list)

    @property
    def engine(self) -> Latency:
        """Time in the engine."""
        return Latency.of([sample.engine for sample in self.samples])

    @property
    def caller(self) -> Latency:
        """Time that the caller waited."""
        return Latency.of([sample.caller for sample in self.samples])

    @property
    def rows(self) -> float:
        """Rows of a run, on average."""
        return sum(setting.rows for setting in self.settings) / max(1, len(self.settings))

    def by_setting(self) -> list[tuple[Setting, list[Sample]]]:
        """The samples of each setting, in the order in which settings came."""
        found: dict[str, tuple[Setting, list[Sample]]] = {}
        for setting, sample in zip(self.settings, self.samples, strict=True):
            found.setdefault(str(setting), (setting, []))[1].append(sample)
        return list(found.values())


@dataclass
class Runner:
    """Runs jobs on one session, which nobody else may be running.

    Attributes:
        model: the session.
        loop: how often each job runs.
        warmup: how often a setting runs untimed before it is timed first.
        saving: where outputs go; None for nowhere.
        record: what was run so far, interrupted or not.
    """

    model: Session
    loop: int = 1
    warmup: int = 1
    saving: Saving | None = None
    record: Record = field(default_factory=Record)

    def __post_init__(self) -> None:
        self._gears: GearSet = gear_set(self.model.manifest)
        self._warm: set[str] = set()
        self._stems = Stems()

    def run(self, jobs: Sequence[Job], on_progress: Callable[[str, float], None]) -> Record:
        """Runs them all, each as often as `loop` says, and keeps the outputs of the last time.

        Raises:
            InputError: a file does not do.
            OptionError: outputs cannot be written.
            EngineError: the engine failed.
        """
        total = len(jobs) * self.loop
        for index, job in enumerate(jobs):
            feeds = job.feeds()
            on_progress("warming up", index / len(jobs))
            self._warm_up(job.setting, feeds)
            outputs: dict[str, Array] = {}
            for again in range(self.loop):
                outputs, sample = time_run(self.model, feeds, job.setting.gear)
                self.record.samples.append(sample)
                self.record.settings.append(job.setting)
                done = index * self.loop + again + 1
                on_progress(f"run {done} of {total}", done / total)
            self._save(job, list(outputs.values()))
        return self.record

    def _warm_up(self, setting: Setting, feeds: Mapping[str, Any]) -> None:
        """Untimed runs, at least until what runs is what the plan for this setting says."""
        if str(setting) in self._warm or not self.warmup:
            return
        self._warm.add(str(setting))
        until = time.monotonic() + _SETTLING_SECONDS
        runs = 0
        is_settled = not self._gears.has_rows
        while runs < self.warmup or (not is_settled and time.monotonic() < until):
            before = self.model.stats()
            self.model.run(feeds, gear=setting.gear)
            ran = _ran(before, self.model.stats())
            is_settled = is_settled or ran == self._planned(setting)
            runs += 1

    def _planned(self, setting: Setting) -> Counter[int]:
        # Shapes of source images are not the model's own; with dynamic AIPP there is one frame.
        shapes = setting.shapes if len(self._gears.frames) > 1 else None
        plan = self.model.plan(setting.rows, shapes)
        return Counter(piece.gear for piece in plan.pieces)

    def _save(self, job: Job, outputs: Sequence[Array]) -> None:
        group = job.group
        names = [Path(PURE_STEM)] if group is None else group.names
        count = 1 if group is None else len(group.files[0])
        stems = self._stems.of(names)
        written: list[list[str]] = [[] for _ in stems]
        if self.saving is not None:
            saving = self.saving
            written = save_run(saving.folder, stems, count, outputs, saving.how, saving.axis)
        for index, (name, files) in enumerate(zip(names, written, strict=True)):
            others = (
                []
                if group is None
                else [str(paths[index]) for paths in group.files[1:] if len(paths) == count]
            )
            self.record.files.append(([str(name), *others], files))


def time_run(
    model: Session, feeds: Mapping[str, Any], gear: tuple[int, ...] | None
) -> tuple[dict[str, Array], Sample]:
    """Runs once, and tells how long it took. The session must run nothing else meanwhile."""
    before = _engine_seconds(model.stats())
    began = time.perf_counter()
    outputs = model.run(feeds, gear=gear)
    seconds = time.perf_counter() - began
    engine = _engine_seconds(model.stats()) - before
    return outputs, Sample(1000 * engine, 1000 * seconds)


def _engine_seconds(stats: Stats) -> float:
    return sum(gear.seconds for gear in stats.gears.values())


def _ran(before: Stats, after: Stats) -> Counter[int]:
    """How often each size ran between the two."""
    return Counter(
        {
            size: count
            for size, gear in after.gears.items()
            if (count := gear.runs - (before.gears[size].runs if size in before.gears else 0))
        }
    )
