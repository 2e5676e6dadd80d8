"""The run line: artifact -> strategy -> dispatch -> programs -> outputs.

with gearshift.load("rec.om") as model:
    outputs = model.run({"x": crops})
"""

from __future__ import annotations

import operator
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, cast

import numpy as np

from gearshift.artifact.manifest import Manifest
from gearshift.artifact.reader import Artifact
from gearshift.engines.base import usable_cores
from gearshift.errors import ClosedError, GearError, InputError
from gearshift.execution import Executor
from gearshift.gears.build import Build, Menu
from gearshift.gears.dispatch import Plan, row_by_row
from gearshift.lanes import Lanes
from gearshift.memory import MemoryReport, report_memory
from gearshift.opening import gear_set, ones, output_specs, row_layouts
from gearshift.options import Budget, SessionOptions
from gearshift.programs import Programs
from gearshift.rows import check_feeds, count_rows
from gearshift.stats import Stats, StatsKeeper
from gearshift.strategy import Strategy, find_strategy, measure
from gearshift.tensors import MBATCH_INPUT, Array, RowLayout, Shape, TensorSpec, dtype_named
from gearshift.tuning.table import CostTable

_WORKER: Final = "gearshift-session"


def load(
    path: str | os.PathLike[str],
    *,
    engine: str | None = None,
    threads: int | None = None,
    preload: bool | int | Sequence[int] = False,
    costs: Mapping[int, float] | None = None,
    tune: float | None = None,
    memory_budget: Budget | int = "balanced",
    batch_invariant: bool = False,
) -> Session:
    """Opens a compiled model.

    Args:
        path: the ``.om`` file.
        engine: ``"openvino"`` or ``"onnxruntime"``; None takes what was measured to be quickest,
            of those that the artifact was compiled for.
        threads: threads of one run; None means every core this process may use.
        preload: gears to build the programs of now instead of when they are wanted; True for all.
        costs: cost of one run of each gear, in any one unit, instead of what was measured.
        tune: seconds to measure for, once, if this model was not measured on this host yet; 0 runs
            it on a stated default cost model. None means ``GEARSHIFT_TUNE_SECONDS``, or ten.
        memory_budget: what the programs may take. "balanced": about what the engine's own dynamic
            batch would; "speed": whatever helps; "memory": as little as can be; or bytes.
        batch_invariant: run every row through the same program by itself, so that its results have
            the same bits however many rows come with it.

    Raises:
        ArtifactError: the file cannot be used; its subclasses say why.
        OptionError: an argument is wrong.
        EngineError: the engine is missing or refused the network.
    """
    options = SessionOptions(
        engine=engine,
        threads=threads,
        preload=cast("bool | tuple[int, ...]", preload),  # made so by SessionOptions
        costs=costs,
        tune=tune,
        memory_budget=memory_budget,
        batch_invariant=batch_invariant,
    )
    artifact = Artifact.open(path)
    try:
        return Session(artifact, options)
    except BaseException:
        artifact.close()
        raise


class Session:
    """A loaded model that runs any number of rows. Safe to use from several threads.

    Attributes:
        manifest: everything the artifact says of itself.
    """

    def __init__(self, artifact: Artifact, options: SessionOptions) -> None:
        self.manifest: Manifest = artifact.manifest
        self._artifact = artifact
        self._gears = gear_set(self.manifest)
        self._outputs = output_specs(self.manifest)
        self._layouts = row_layouts(self.manifest)
        self._options = replace(options, threads=options.threads or usable_cores())
        self._programs = Programs(artifact, self._gears, self._options.threads)
        self._stats = StatsKeeper()
        self._lock = threading.Condition()
        self._calls = 0  # made and not yet come to their end
        self._worker: ThreadPoolExecutor | None = None
        self._closing = False
        self._adopt(find_strategy(artifact, self._gears, self._options))
        self._preload(options.preload)

    @property
    def gears(self) -> tuple[int, ...]:
        """The batch sizes the model was compiled for, in the order declared."""
        return self._gears.sizes

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Every input in order; -1 where the gear decides. The last one carries the gear."""
        return (*self._gears.inputs, TensorSpec(MBATCH_INPUT, dtype_named("int32"), (1,)))

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Every output in order; -1 where the gear decides."""
        return self._outputs

    @property
    def engines(self) -> tuple[str, ...]:
        """Names of the engines that run it."""
        return tuple(sorted({build.engine for build in self._strategy.menu.builds}))

    def plan(self, rows: int) -> Plan:
        """The pieces that `run` would use for that many rows, once their programs are built.

        Raises:
            GearError: the model is not separable and `rows` is not one of its gears.
        """
        rows = _whole(rows, "a number of rows")
        if rows < 0:
            raise InputError(f"cannot plan {rows} rows: give 0 or more.")
        return self._plan(rows, self._strategy.menu)

    def run(self, inputs: Mapping[str, Any], *, gear: int | None = None) -> dict[str, Array]:
        """Runs any number of rows, 0 included.

        Args:
            inputs: one array per input, by name, of the input's dtype; inputs that carry rows have
                them at axis 0. ``ascend_mbatch_shape_data`` may be given as one more key and
                means the same as `gear`.
            gear: compute exactly this gear's rows, padded if fewer are given; None plans. What is
                quickest for that many rows runs, in pieces if need be.

        Returns:
            One array per output, by name; rows in the order given.

        Raises:
            InputError: an input is missing, unknown, or of another dtype or shape.
            GearError: the gear, or the number of rows, is not one that was compiled.
            EngineError: the engine failed.
            ClosedError: the session is closed.
        """
        self._begin()
        try:
            return self._run(inputs, gear)
        finally:
            self._end()

    def run_async(
        self, inputs: Mapping[str, Any], *, gear: int | None = None
    ) -> Future[dict[str, Array]]:
        """`run` on a worker; calls run one after the other, in the order they were made.

        The arrays are not copied: leave them as they are until the future is done.
        """
        with self._lock:
            self._begin()
            if self._worker is None:
                # One worker: a run already takes all of the session's threads.
                self._worker = ThreadPoolExecutor(1, thread_name_prefix=_WORKER)
            future = self._worker.submit(self._run, inputs, gear)
        # Whichever way it ends, cancelled included, it is a call that has come to its end.
        future.add_done_callback(lambda _: self._end())
        return future

    def _run(self, inputs: Mapping[str, Any], gear: int | None) -> dict[str, Array]:
        if not isinstance(inputs, Mapping):
            raise InputError(
                f"run takes a mapping of input name to array, got {type(inputs).__name__}; "
                f"give {{{self._gears.inputs[0].name!r}: array}}."
            )
        inputs = dict(inputs)
        gear = _one_gear(gear, inputs.pop(MBATCH_INPUT, None))
        feeds = check_feeds(self._gears.inputs, inputs)
        rows = count_rows(self._gears.inputs, feeds)
        if gear is not None:
            self._check_gear(gear, rows)
        results = self._run_rows(rows, gear, feeds) if rows else self._run_nothing(feeds, gear)
        self._stats.count_call()
        return {spec.name: result for spec, result in zip(self._outputs, results, strict=True)}

    def tune(self, seconds: float | None = None) -> CostTable:
        """Measures what runs quickest on this host, plans by it from now on, and keeps it.

        Candidates (each engine, one after the other or in lanes, at each size) are timed in
        processes of their own. Later sessions on this host find what was measured.

        Args:
            seconds: about how long to measure, building included, but at least three times
                each. None means ``GEARSHIFT_TUNE_SECONDS``, or ten.

        Raises:
            EngineError: no engine could be measured.
        """
        self._begin()
        try:
            strategy = measure(self._artifact, self._gears, self._options, seconds)
            self._adopt(strategy)
        finally:
            self._end()
        assert strategy.table is not None, "what was measured has a table"
        return strategy.table

    def memory(self) -> MemoryReport:
        """What each program takes, and which of them are built."""
        return report_memory(
            self._strategy.nbytes,
            self._programs.built,
            measured=self._strategy.table is not None,
            limit=self._strategy.limit,
            mapped=self._artifact.size,
        )

    def stats(self) -> Stats:
        """What was run so far, in all and per gear."""
        return self._stats.snapshot()

    def close(self) -> None:
        """Gives everything back. Calls already made come to their end first; later ones fail.

        From a future's own callback it returns at once, and the last call gives everything back.
        """
        with self._lock:
            self._closing = True
            if self._worker is not None:
                self._worker.shutdown(wait=False)
            if not threading.current_thread().name.startswith(_WORKER):
                self._lock.wait_for(lambda: self._calls == 0)
            if self._calls == 0:
                self._release()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closing else "+".join(self.engines)
        return f"<gearshift.Session {self.manifest.source.file} gears={self.gears} {state}>"

    def _begin(self) -> None:
        with self._lock:
            if self._closing:
                raise ClosedError("the session is closed; load the model again to run it.")
            self._calls += 1

    def _end(self) -> None:
        with self._lock:
            self._calls -= 1
            self._lock.notify_all()
            if self._closing and self._calls == 0:
                self._release()

    def _release(self) -> None:
        self._programs.close()
        self._executor.lanes.close()
        self._artifact.close()

    def _adopt(self, strategy: Strategy) -> None:
        """Plans by it from now on; calls under way end on what they began with."""
        self._strategy = strategy
        self._programs.use(strategy.nbytes, strategy.limit, strategy.find_blob)
        lanes = Lanes(strategy.menu.lanes)
        self._executor = Executor(
            self._gears.inputs, self._outputs, self._layouts, self._programs, lanes, self._stats
        )

    def _preload(self, gears: bool | tuple[int, ...]) -> None:
        menu = self._strategy.menu
        wanted = set(menu.builds) if gears is True else set()
        for gear in gears if isinstance(gears, tuple) else ():
            self._gears.of_rows(gear)
            wanted |= menu.builds_of(self._plan(gear, menu))
        for build in sorted(wanted):
            self._programs.get(build)

    def _run_rows(self, rows: int, gear: int | None, feeds: list[Array]) -> list[Array]:
        plan, menu = self._within_reach(gear or rows)
        return self._executor.run(plan if gear is None else plan.first(rows), menu, feeds)

    def _within_reach(self, rows: int) -> tuple[Plan, Menu]:
        """The plan for now, and the menu it is over: not all programs may have been built yet.

        While better ones are being built, those that are there answer, be it row by row.
        """
        strategy = self._strategy
        menu = strategy.menu
        plan = self._plan(rows, menu)
        missing = [build for build in menu.builds_of(plan) if not self._programs.has(build)]
        if not missing or not strategy.may_split:
            return plan, menu
        if not self._programs.built:
            self._programs.get(menu.starter)
        self._programs.want(missing)
        ready = _menu_of(menu, self._programs.built)
        return (self._plan(rows, ready), ready) if ready.wide else (plan, menu)

    def _plan(self, rows: int, menu: Menu) -> Plan:
        if not self.manifest.proof.separable:
            return self._exact_plan(rows, menu)
        if self._options.batch_invariant:
            return row_by_row(rows, *menu.single_size, menu.lanes)
        return menu.planner.plan(rows)

    def _exact_plan(self, rows: int, menu: Menu) -> Plan:
        if rows not in self.gears:
            declared = ", ".join(str(size) for size in self.gears)
            raise GearError(
                f"{rows} rows cannot be padded, split or merged: the rows of this model are not "
                f"known to be independent ({self.manifest.proof.reason}). It runs exactly "
                f"{declared} rows."
            )
        return menu.exact_plan(rows)

    def _run_nothing(self, feeds: list[Array], gear: int | None) -> list[Array]:
        """Outputs for no rows: empty where they carry rows, else what any rows would give."""
        if gear is None:
            self.plan(0)  # refused if the rows are not independent
        smallest = min(self._gears, key=lambda each: each.rows)
        shapes = self.manifest.gears[self._gears.gears.index(smallest)].outputs
        shared: list[Array] = []
        if None in self._layouts:
            given = [
                one if -1 in spec.shape else feed
                for spec, one, feed in zip(
                    self._gears.inputs, ones(self._gears, smallest.rows), feeds, strict=True
                )
            ]
            shared = self._run_rows(smallest.rows, None, given)
        return [
            shared[index] if layout is None else _no_rows(shapes[index], layout, spec)
            for index, (layout, spec) in enumerate(zip(self._layouts, self._outputs, strict=True))
        ]

    def _check_gear(self, gear: int, rows: int) -> None:
        self._gears.of_rows(gear)
        if rows > gear or not (rows == gear or self.manifest.proof.separable):
            raise GearError(
                f"gear={gear} was asked for with {rows} rows; "
                + (
                    "a gear takes as many rows as its size at most. Leave gear= out to have "
                    "the rows split."
                    if rows > gear
                    else f"this model takes exactly {gear}, because its rows are not known to be "
                    f"independent ({self.manifest.proof.reason})."
                )
            )


@lru_cache(maxsize=16)
def _menu_of(menu: Menu, built: frozenset[Build]) -> Menu:
    """What is left of it; remembered with all its plans, because few programs come and go."""
    return menu.only(built)


def _no_rows(shape: Shape, layout: RowLayout, spec: TensorSpec) -> Array:
    dims = list(shape)
    dims[layout.axis] = 0
    return np.zeros(dims, spec.dtype.numpy)


def _one_gear(gear: object, shape_data: object) -> int | None:
    """The gear asked for, in either of its two spellings."""
    asked = None if gear is None else _whole(gear, "a gear")
    if shape_data is None:
        return asked
    try:
        (value,) = np.asarray(shape_data).reshape(-1)
    except ValueError:
        value = shape_data
    fed = _whole(value, f"one value of {MBATCH_INPUT}")
    if asked not in (None, fed):
        raise GearError(f"gear={asked} and {MBATCH_INPUT}={fed} differ: give one.")
    return fed


def _whole(value: object, what: str) -> int:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{value!r} is not {what}, which is one whole number.") from None
