"""One frame of a session: its strategy, its programs, and how its rows are planned and run."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from gearshift.artifact.manifest import ProofRecord
from gearshift.artifact.reader import Artifact
from gearshift.engines.base import thread_count
from gearshift.errors import EngineError, GearError
from gearshift.execution import Executor
from gearshift.gears.build import Build, Menu
from gearshift.gears.dispatch import SMALL, Plan, row_by_row
from gearshift.gears.gear import Gear, GearSet
from gearshift.lanes import Lanes
from gearshift.memory import ProgramMemory, program_memory
from gearshift.networks import Networks
from gearshift.opening import frame_outputs, gear_set, ones, row_layouts
from gearshift.options import SessionOptions
from gearshift.programs import Bound, Programs
from gearshift.recycling import Recycler
from gearshift.results import outlets
from gearshift.stats import StatsKeeper
from gearshift.strategy import Strategy, find_strategy, measure
from gearshift.tensors import Array, RowLayout, TensorSpec
from gearshift.tuning.table import CostTable

_REMEMBERED: Final = 256
"""Plans with their programs; traffic has few distinct sizes."""


class Track:
    """Runs calls whose shapes fit one frame. Safe to use from several threads.

    Attributes:
        frame: the gears that differ in their number of rows only.
        stats: what was run.
    """

    def __init__(
        self,
        artifact: Artifact,
        networks: Networks,
        number: int,
        options: SessionOptions,
        recycler: Recycler,
    ) -> None:
        self._gears = gear_set(artifact.manifest)
        self.frame: GearSet = self._gears.frames[number]
        self.stats = StatsKeeper()
        self._artifact = artifact
        self._number = number
        self._options = options
        self._recycler = recycler
        self._proof: ProofRecord = artifact.manifest.proof
        self._outputs = frame_outputs(artifact.manifest, number)
        self._layouts: list[RowLayout | None] = row_layouts(artifact.manifest)
        self._programs = Programs(networks, self.frame)
        self._adopt(find_strategy(artifact, number, options))

    @property
    def menu(self) -> Menu:
        """What it plans with."""
        return self.strategy.menu

    def tune(self, seconds: float | None) -> CostTable:
        """Measures on this host and plans by that from now on. Raises what `measure` raises."""
        strategy = measure(self._artifact, self._number, self._options, seconds)
        self._adopt(strategy)
        assert strategy.table is not None, "what was measured has a table"
        return strategy.table

    def memory(self) -> tuple[ProgramMemory, ...]:
        """What each program takes, and which of them are built."""
        return program_memory(self.strategy.nbytes, self._programs.built, self._number)

    def preload(self, gears: Sequence[int] | None) -> None:
        """Builds the programs for the plans of those gears, or all of them."""
        wanted = set(self.menu.builds) if gears is None else set()
        for gear in gears or ():
            self.frame.of_rows(gear)
            wanted |= self.menu.at(gear).builds_of(self.plan(gear))
        for build in sorted(wanted):
            self._programs.get(build)

    def cost(self, rows: int) -> float:
        """What the plan for that many rows costs; infinite if there is none."""
        try:
            return self.plan(rows).cost
        except GearError:
            return math.inf

    def plan(self, rows: int) -> Plan:
        """The pieces for that many rows, once their programs are built. Raises GearError."""
        return self._plan(rows, self.menu.at(rows))

    def run(
        self,
        feeds: list[Array],
        rows: int,
        gear: int | None,
        into: Sequence[Array | None] = (),
    ) -> list[Array]:
        """All outputs for arrays of so many rows that fit the frame; as in `Executor.run`.

        Raises:
            GearError: the number of rows cannot be run, or not at that gear.
            EngineError: the engine failed.
        """
        if gear is not None:
            self._check_gear(gear, rows)
        try:
            if rows:
                results = self._executor.run(self._bound(rows, gear), feeds, into)
            else:
                results = self._run_nothing(feeds, gear)
        finally:
            self._programs.tend()
        self.stats.count_call(rows)
        return results

    def close(self) -> None:
        """Gives everything back, once what is being built is built."""
        self._programs.close()
        self._executor.lanes.close()

    def _adopt(self, strategy: Strategy) -> None:
        """Plans by it from now on; calls under way end on what they began with."""
        self.strategy = strategy
        # Few programs come and go, so that what is left of the menu is worth remembering.
        self._ready_menu: Callable[[frozenset[Build]], Menu] = lru_cache(16)(strategy.menu.only)
        self._programs.use(strategy.nbytes, strategy.limit, strategy.find_blob)
        lanes = Lanes(strategy.menu.lanes, thread_count(self._options.threads))
        self._executor = Executor(
            self.frame.row_inputs,
            outlets(self._layouts, self._outputs),
            self._programs.runs,
            lanes,
            self.stats,
            self._recycler,
        )

    def _bound(self, rows: int, gear: int | None) -> Bound:
        """What runs so many rows for now: not all programs may have been built yet."""
        return self._programs.known.get((rows, gear)) or self._bind(rows, gear)

    def _bind(self, rows: int, gear: int | None) -> Bound:
        """Finds it, and remembers it if it is for longer and no program is to be told of its use.

        A program that was let go of meanwhile is not remembered: `known` is another one then.
        """
        known = self._programs.known
        with self._programs.runs:
            plan, menu = self._within_reach(gear or rows)
            bound = self._programs.bind(plan if gear is None else plan.first(rows), menu)
        is_small = len(known) < _REMEMBERED and len(plan.pieces) <= SMALL
        is_settled = menu is self.menu.at(gear or rows)
        if is_settled and is_small and not self._programs.is_limited:
            known[rows, gear] = bound
        return bound

    def _within_reach(self, rows: int) -> tuple[Plan, Menu]:
        """The plan for now, and the menu it is over.

        While better programs are being built, those that are there answer, be it row by row.
        """
        strategy = self.strategy
        menu = strategy.menu.at(rows)
        plan = self._plan(rows, menu)
        missing = [build for build in menu.builds_of(plan) if not self._programs.has(build)]
        if not missing or not strategy.may_split:
            return plan, menu
        if not self._programs.built and not self._start(strategy.menu.starter):
            return plan, menu
        self._programs.want(missing)
        ready = self._ready_menu(self._programs.built).at(rows)
        return (self._plan(rows, ready), ready) if ready.wide else (plan, menu)

    def _start(self, build: Build) -> bool:
        """Has the first program built; if that fails, those of the plan may do."""
        if self._programs.failed(build):
            return False
        try:
            self._programs.get(build)
        except EngineError:
            return False
        return True

    def _plan(self, rows: int, menu: Menu) -> Plan:
        if not self._proof.separable:
            return self._exact_plan(rows, menu)
        if self._options.batch_invariant:
            return row_by_row(rows, *menu.single_size, menu.lanes)
        return menu.planner.plan(rows)

    def _exact_plan(self, rows: int, menu: Menu) -> Plan:
        if rows not in self.frame.sizes:
            if not self.frame.has_rows:
                raise GearError(
                    f"{rows} rows cannot be planned: the batch of this model is not dealt by "
                    "gears, and every call is one run, whatever it holds. Plan 1."
                )
            declared = ", ".join(str(size) for size in self.frame.sizes)
            raise GearError(
                f"{rows} rows cannot be padded, split or merged: the rows of this model are not "
                f"known to be independent ({self._proof.reason}). It runs exactly {declared} rows."
            )
        return menu.exact_plan(rows)

    def _run_nothing(self, feeds: list[Array], gear: int | None) -> list[Array]:
        """Outputs for no rows: empty where they carry rows, else what any rows would give."""
        if gear is None:
            self.plan(0)  # refused if the rows are not independent
        rows = min(self.frame.sizes)
        given = [
            one if carries else feed
            for carries, one, feed in zip(
                self.frame.carriers, ones(self._gears, self._number, rows), feeds, strict=True
            )
        ]
        shared: list[Array] = []
        if None in self._layouts:
            shared = self._executor.run(self._bound(0, rows), given)
        return [
            shared[index] if layout is None else _no_rows(layout, spec)
            for index, (layout, spec) in enumerate(zip(self._layouts, self._outputs, strict=True))
        ]

    def _check_gear(self, gear: int, rows: int) -> None:
        self.frame.of_rows(gear)
        if rows > gear or not (rows == gear or self._proof.separable):
            raise GearError(
                f"gear={self._declared(gear)} was asked for with {rows} rows; "
                + (
                    "a gear takes as many rows as its size at most. Leave gear= out to have "
                    "the rows split."
                    if rows > gear
                    else f"this model takes exactly {gear}, because its rows are not known to be "
                    f"independent ({self._proof.reason})."
                )
            )

    def _declared(self, rows: int) -> Gear:
        """The gear of that many rows under the name it was declared by."""
        members = self._gears.members(self._number)
        return next(gear for gear, there in members if there.rows == rows)


def _no_rows(layout: RowLayout, spec: TensorSpec) -> Array:
    dims = list(spec.shape)
    dims[layout.axis] = 0
    return np.zeros(dims, spec.dtype.numpy)
