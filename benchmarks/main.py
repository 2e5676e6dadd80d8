"""The benchmark as a command: batches of every size, cold starts and memory, preprocessing.

Every contender runs in a process of its own. See docs/benchmarking.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from examples.ocr.models import DemoError
from rich.console import Console

import gearshift
from benchmarks import acl_calls, host, plots, record, tables
from benchmarks.batch import PROTOCOLS, DisagreementError, Sheet, run_model
from benchmarks.contender import Contender
from benchmarks.contenders import STARTED, TIMED
from benchmarks.limits import Machine, measure_machine, work_of
from benchmarks.prepare import prepare
from benchmarks.preprocessing import STEPS, Preprocessed, run_preprocessing
from benchmarks.screen import OnProgress, steps
from benchmarks.starting import StartError, Starts, run_starts
from benchmarks.worker import WorkerError
from benchmarks.zoo.catalogue import NAMES, Model, ZooError, catalogue
from gearshift.placing import usable_cores
from gearshift.tuning.seconds import read_seconds

PARTS: Final = ("batch", "starts", "aipp", "acl")
QUICK_CYCLES: Final = 1000
_MOST: Final = 1024
_REFUSALS: Final = (
    *(DemoError, ZooError, WorkerError, StartError, DisagreementError),
    gearshift.GearshiftError,
)


@dataclass(frozen=True)
class Options:
    """What the command line asked for.

    Attributes:
        words: the same as it was written.
        models: names of the models.
        contenders: names of those who are timed in batches.
        parts: which of `PARTS`.
        seconds: how long each model and protocol is timed.
        tune_seconds: how long gearshift measures each model beforehand.
        repetitions: timed starts of each contender.
        threads: threads of one run.
        folder: where models, records and pictures go.
        is_quick: whether fewer cycles of loading do.
    """

    words: tuple[str, ...]
    models: tuple[str, ...]
    contenders: tuple[str, ...]
    parts: tuple[str, ...]
    seconds: float
    tune_seconds: float
    repetitions: int
    threads: int
    folder: Path
    is_quick: bool = False

    @property
    def settings(self) -> dict[str, object]:
        """What figures depend on, for the record."""
        return {**asdict(self), "folder": str(self.folder)}

    @property
    def timed(self) -> tuple[Contender, ...]:
        """Those who are timed in batches."""
        return tuple(each for each in TIMED if each.name in self.contenders)


class Run:
    """One run of the benchmark, and what it has found so far."""

    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._console = console
        self._sheets: list[Sheet] = []
        self._starts: list[Starts] = []
        self._preprocessed: Preprocessed | None = None
        self._acl_calls: tuple[acl_calls.AclCalls, ...] = ()
        threads, described = options.threads, host.describe()
        self._record = record.about((*options.timed, *STARTED), threads, described)
        self._record["settings"] = options.settings
        self._record["models"] = {}

    def play(self) -> None:
        """Every part on every model."""
        options = self._options
        os.environ["GEARSHIFT_CACHE_DIR"] = str(options.folder / "cache")  # workers inherit it
        models = catalogue(options.folder, options.models)
        per_model = 1 + (1 + len(PROTOCOLS)) * ("batch" in options.parts)
        has_models = bool({"batch", "starts"} & set(options.parts))
        total = 1 + has_models * len(models) * (per_model + ("starts" in options.parts))
        total += STEPS * ("aipp" in options.parts) + acl_calls.STEPS * ("acl" in options.parts)
        with steps(self._console, total) as on_progress:
            on_progress("measuring the machine", 0.0)
            machine = measure_machine(options.folder, options.threads)
            self._record["machine"] = record.of_machine(machine)
            timed = options.timed if "batch" in options.parts else ()
            tables.print_header(self._console, timed, options.threads, machine)
            for model in models if has_models else ():
                self._play_model(model, machine, on_progress)
            if "aipp" in options.parts:
                self._play_preprocessing(on_progress)
            if "acl" in options.parts:
                self._play_acl(on_progress)

    def _play_model(self, model: Model, machine: Machine, on_progress: OnProgress) -> None:
        options = self._options
        work = work_of(model)
        on_progress(f"{model.name}: compiling and measuring it", 0.0)
        ready = prepare(model, options.folder, options.threads, options.tune_seconds)
        self._record["models"][model.name] = record.of_model(ready, work)
        when = f"while gearshift measured {model.name}, so that it may plan badly"
        tables.warn_of(self._console, ready.bystanders, when)
        if "batch" in options.parts:
            sheets = run_model(ready, options.timed, options.seconds, on_progress)
            self._sheets += sheets
            for sheet in sheets:
                tables.print_sheet(self._console, sheet, work, machine)
        if "starts" in options.parts:
            starts = run_starts(ready, STARTED, options.repetitions, on_progress)
            self._starts += starts
            tables.print_starts(self._console, starts)

    def _play_preprocessing(self, on_progress: OnProgress) -> None:
        options = self._options
        found = run_preprocessing(options.folder, options.threads, options.seconds, on_progress)
        self._preprocessed = found
        tables.print_preprocessed(self._console, found)

    def _play_acl(self, on_progress: OnProgress) -> None:
        options = self._options
        cycles = QUICK_CYCLES if options.is_quick else acl_calls.CYCLES
        self._acl_calls = acl_calls.run_acl_calls(
            options.folder, options.threads, on_progress, cycles
        )
        tables.print_acl_calls(self._console, self._acl_calls)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was finished."""
        found = (self._sheets, self._starts, self._preprocessed, self._acl_calls)
        return not any(found)

    def conclude(self) -> None:
        """Prints what it all comes to; writes the record and the pictures."""
        folder = self._options.folder
        if self._sheets:
            tables.print_summary(self._console, self._sheets)
            self._record["batch"] = record.of_sheets(self._sheets)
        if self._starts:
            self._record["starts"] = record.of_starts(self._starts)
        if self._preprocessed is not None:
            self._record["aipp"] = record.of_preprocessed(self._preprocessed)
        if self._acl_calls:
            self._record["acl"] = [asdict(each) for each in self._acl_calls]
        files = [record.write(folder, self._record)]
        if plots.can_draw():
            files += plots.draw_ratios(self._sheets, folder)
            files += plots.draw_memory(self._starts, folder)
        else:
            self._console.print("no pictures: matplotlib is not installed; make bench installs it")
        for file in files:
            self._console.print(f"written: {file}", soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The benchmark; its exit status."""
    options = _parse(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else tables.WIDTH, highlight=False)
    run = Run(options, console)
    status = 0
    try:
        run.play()
    except KeyboardInterrupt:
        console.print("stopped by Ctrl-C; what was finished:")
        status = 130
    except _REFUSALS as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        status = 1
        if run.is_empty:
            return status
        console.print("what was finished before that:")
    run.conclude()
    return status


def _parse(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="cls and det, shorter: about 3 minutes")
    _add_names(add, "--models", NAMES, "which models")
    _add_names(add, "--contenders", tuple(each.name for each in TIMED), "who is timed in batches")
    _add_names(add, "--parts", PARTS, "which parts")
    add("--seconds", type=_seconds, help="per model and protocol (15; quick 8)")
    add("--tune-seconds", type=_seconds, help="gearshift's measuring, per model (20; quick 5)")
    add("--repetitions", type=_count, help="timed starts of each contender (5; quick 2)")
    add("--threads", type=_count, default=usable_cores(), help="of one run (%(default)s)")
    add("--folder", type=Path, default=Path("build", "bench"), help="for its files (%(default)s)")
    given = parser.parse_args(arguments)
    words = tuple(sys.argv[1:] if arguments is None else arguments)
    seconds, tune_seconds, repetitions = (8.0, 5.0, 2) if given.quick else (15.0, 20.0, 5)
    return Options(
        words=words,
        models=given.models or (("cls", "det") if given.quick else NAMES),
        contenders=given.contenders or tuple(each.name for each in TIMED),
        parts=given.parts or PARTS,
        seconds=_or(given.seconds, seconds),
        tune_seconds=_or(given.tune_seconds, tune_seconds),
        repetitions=_or(given.repetitions, repetitions),
        threads=given.threads,
        folder=given.folder.resolve(),
        is_quick=given.quick,
    )


def _add_names(add: Callable[..., Any], flag: str, known: tuple[str, ...], what: str) -> None:
    def names(text: str) -> tuple[str, ...]:
        given = tuple(part.strip() for part in text.split(","))
        for name in given:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return given

    add(flag, type=names, metavar="NAME,...", help=f"{what}, of {', '.join(known)}")


def _seconds(text: str) -> float:
    seconds = read_seconds(text)
    if seconds is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, such as 2.5")
    return seconds


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= _MOST):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to {_MOST}")
    return int(text)


def _or(given: float | None, default: float) -> Any:
    return default if given is None else given
