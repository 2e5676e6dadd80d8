"""Runs plans: their pieces one after the other, then their lanes at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from gearshift.engines.base import Executable
from gearshift.gears.dispatch import Piece, Plan
from gearshift.lanes import Lanes
from gearshift.networks import Runs
from gearshift.programs import Bound
from gearshift.recycling import Recycler
from gearshift.results import Outlet, Results
from gearshift.rows import cut
from gearshift.stats import StatsKeeper
from gearshift.tensors import Array, TensorSpec


@dataclass(frozen=True)
class _Call:
    """What runs each piece, and what all of them read and write."""

    executables: Sequence[Executable]
    feeds: Sequence[Array]
    results: Results


@dataclass(frozen=True)
class Executor:
    """What plans are run with."""

    inputs: Sequence[TensorSpec]
    outlets: Sequence[Outlet]
    runs: Runs
    lanes: Lanes
    stats: StatsKeeper
    recycler: Recycler

    def run(
        self, bound: Bound, feeds: Sequence[Array], into: Sequence[Array | None] = ()
    ) -> list[Array]:
        """The outputs of a plan of at least one piece.

        Those of `into` are written there where they can be, and are then what is returned.
        """
        with self.runs:
            results = Results(self.outlets, bound.plan, self.recycler.empty, into)
            return self._run(bound.plan, _Call(bound.executables, feeds, results))

    def _run(self, plan: Plan, call: _Call) -> list[Array]:
        self._run_pieces(call, plan.alone, 0, 0)
        if plan.lanes:
            index = len(plan.alone)
            start = sum(piece.rows for piece in plan.alone)
            tasks = []
            for lane in plan.lanes:
                tasks.append(partial(self._run_pieces, call, lane, index, start))
                index += len(lane)
                start += sum(piece.rows for piece in lane)
            self.lanes.run(tasks)
        return call.results.finish()

    def _run_pieces(self, call: _Call, pieces: Sequence[Piece], number: int, start: int) -> None:
        """Pieces one after the other; the first is that number of its plan, at row `start`."""
        for piece in pieces:
            feeds = cut(self.inputs, call.feeds, start, piece)
            targets = call.results.targets(start, piece)
            began = time.perf_counter()
            made = call.executables[number].run(feeds, targets)
            self.stats.count_piece(piece, time.perf_counter() - began)
            call.results.add(number, start, piece, made)
            number += 1
            start += piece.rows
