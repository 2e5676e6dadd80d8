"""Which of the programs that were measured to use, under a memory budget.

A set of programs is worth what `weigh.Scales` says; each program in it has to make it better by
more than what one more costs the others, and each engine beyond the first by more than what
engines in one process cost each other. Where the best set by these rules is one of those that ran
whole when the table was made, the quickest of them takes its place (`played`). What it may take:

- ``"speed"``: any amount.
- ``"memory"``: what the leanest set that can run everything takes.
- ``"balanced"``: a fifth more than the engine's own dynamic batch takes, library and network
  included, or 64 MiB more if that is more. The engine is OpenVINO if its dynamic batch was
  measured, else the first one of which it was; if it was of none, two of the smallest programs are
  what stands for it.
- a number: as many bytes.

Where ``"balanced"`` would allow nothing at all, it allows the leanest set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import Final

import numpy as np

from gearshift.engines.registry import PREFERRED
from gearshift.errors import OptionError, TableError
from gearshift.gears.build import Measured
from gearshift.options import Budget
from gearshift.tuning.played import best_played
from gearshift.tuning.table import CostTable
from gearshift.tuning.weigh import (
    Floats,
    Scales,
    Sets,
    all_sets,
    is_open,
    single_sets,
    small_sets,
    spread_sizes,
)

EACH_PROGRAM: Final = 0.015
"""A program must make plans better by more than this part.

Programs are measured by themselves, and each one more has its own copy of the weights, and its own
memory to compute in, that come to the caches in turns. With another number of rows at each call, a
third program made all calls together 0.2 to 7.6 % longer, 3.5 on average (four networks, two
cores); where the number of rows stays the same it costs nothing.
"""
SECOND_ENGINE: Final = 0.15
"""A second engine must make plans better by more than this part on top.

Each engine is measured in a process of its own, and in one they disturb each other: both want the
caches, and ONNX Runtime's threads, which are told not to spin on, have to be woken. By turns runs
took 1.0 to 1.3 times as long when calls followed closely, and ONNX Runtime's 1.06 to 2.2 times
after pauses of 60 ms (medians; three networks on two cores). Over networks, pauses and engines that
is 1.14 times; what it comes to depends on pauses that no table knows. Little is lost by asking for
as much: in tables of five networks a second engine made plans better by less than 1 %.
"""

_BALANCED: Final = 1.2
_SMALL_CHANGE: Final = 64 << 20
"""What "balanced" allows beyond the dynamic batch in any case: nobody saves on tiny networks."""
_LEAN: Final = 1.01
"""Sets that differ by less in memory are equally lean: it is not measured more finely."""
_ALL_SETS_UP_TO: Final = 10
"""Builds among which every set is weighed; among more, sets are improved step by step."""
_MOST_STARTS: Final = 4096
_SEARCHED: Final = 40
"""Builds among which sets are improved; of more, those are taken that look best one by one."""
_MOST_SWAPS: Final = 2048
_AT_ONCE: Final = 8
"""How many sets are improved side by side, since the best is not always next to the second best."""
_LOOKED_AT: Final = 5
"""So many of the builds that improve a set most are short-listed at a time."""
_ANY: Final = 1 << 62


def choose(
    table: CostTable,
    budget: Budget | int,
    gears: Sequence[int],
    *,
    exact: bool = False,
    weights: Mapping[int, float] | None = None,
) -> tuple[Measured, ...]:
    """The builds to use, in the table's order.

    Args:
        table: what was measured.
        budget: what they may take.
        gears: the declared batch sizes.
        exact: the model is not separable: each gear needs a program, and no other size runs.
        weights: how often each number of rows is expected; None for every number up to the
            largest gear, or every gear of a model that is not separable, equally often.

    Raises:
        OptionError: not even the leanest programs fit in a budget of so many bytes.
        TableError: no build that was measured runs one of the gears.
    """
    if weights:
        chooser = Chooser(table, gears, exact, weights)
        return chooser.choose(chooser.limit(budget))
    return _chosen(table, budget, tuple(gears), exact)


@lru_cache(maxsize=8)
def _chosen(
    table: CostTable, budget: Budget | int, gears: tuple[int, ...], exact: bool
) -> tuple[Measured, ...]:
    """Remembered, since a table is asked several times in a row: to keep, to use, to show."""
    chooser = Chooser(table, gears, exact)
    return chooser.choose(chooser.limit(budget))


@dataclass(frozen=True, order=True)
class _Pick:
    """A set of builds, the better one first."""

    worth: float
    nbytes: int
    members: tuple[bool, ...]


class Chooser:
    """The search for the best set of builds. See `choose`.

    Attributes:
        scales: weighs the sets.
        expected: number of rows -> how much it counts.
    """

    def __init__(
        self,
        table: CostTable,
        gears: Sequence[int],
        exact: bool = False,
        weights: Mapping[int, float] | None = None,
    ) -> None:
        self._table = table
        self._each_program = EACH_PROGRAM
        self.expected = _expected(gears, exact, weights or {})
        self.scales = Scales(table, self.expected, exact)
        everything = np.ones((1, len(self.scales.measured)), np.bool_)
        if not self.scales.measured or not self.scales.runs(everything)[0]:
            raise TableError(
                f"no program that was measured runs each of the gears {sorted(gears)}. "
                "Measure again: gearshift tune."
            )
        self._leanest = self._find_leanest(exact)

    @property
    def least(self) -> int:
        """Bytes of the leanest set that can run everything."""
        return self._nbytes(self._leanest)

    def limit(self, budget: Budget | int) -> int:
        """The budget in bytes.

        Raises:
            OptionError: not even the leanest programs fit in a budget of so many bytes.
        """
        if budget == "speed":
            return _ANY
        if budget == "memory":
            return int(self.least * _LEAN)
        if budget == "balanced":
            reference = self._reference()
            return max(self.least, int(reference * _BALANCED), reference + _SMALL_CHANGE)
        if budget < self.least:
            leanest = "; ".join(str(each.build) for each in self._members(self._leanest.tolist()))
            raise OptionError(
                f"memory_budget={budget}: the least that runs this model here takes {self.least} "
                f"bytes ({leanest}; engine included). Allow as many, or give 'memory'."
            )
        return budget

    def asking(self, each_program: float) -> Chooser:
        """The same, but each program has to make plans better by that part."""
        other = copy(self)
        other._each_program = each_program
        return other

    def choose(self, limit: int) -> tuple[Measured, ...]:
        """The best builds that fit in so many bytes; the leanest ones always do.

        If what looks best is among the sets whose whole plans ran, the quickest of them.
        """
        limit = max(limit, self.least)
        looks_best = min(self._best(lanes, limit) for lanes in self.scales.lanes)
        return best_played(self._table, self._members(looks_best.members), limit, self.expected)

    def worth(self, sets: Sets, lanes: int) -> Floats:
        """What sets are compared by, the least the best: their score and what they must make up."""
        builds, engines = sets.sum(axis=1), self.scales.engine_counts(sets)
        asked = (1 + self._each_program) ** builds * (1 + SECOND_ENGINE) ** (engines - 1)
        return np.asarray(self.scales.score(sets, lanes) * asked)

    def _best(self, lanes: int, limit: int) -> _Pick:
        """The best set with builds of one lane, and of that many lanes."""
        usable = self.scales.usable(lanes)
        if usable.sum() <= _ALL_SETS_UP_TO:
            return self._ranked(all_sets(usable), lanes, limit)[0]
        if usable.sum() > _SEARCHED:
            usable = self._shortlist(usable, lanes, limit)
        best = self._ranked(self._starts(usable), lanes, limit)
        while True:
            current = np.array([pick.members for pick in best])
            changed = [_neighbours(one, usable) for one in current]
            better = self._ranked(np.unique(np.vstack([current, *changed]), axis=0), lanes, limit)
            if better == best:
                return best[0]
            best = better

    def _shortlist(self, usable: Sets, lanes: int, limit: int) -> Sets:
        """What improves the leanest builds most, and what would be used of each engine alone."""
        engines = self._engines(usable)
        share = _SEARCHED // (1 + len(engines))
        listed = self._improving(self._leanest, usable, lanes, limit, share)
        for mine in engines:
            listed |= self._improving(np.zeros_like(usable), mine, lanes, limit, share)
        return np.asarray(listed & usable)

    def _improving(self, current: Sets, usable: Sets, lanes: int, limit: int, count: int) -> Sets:
        """The set, and at least so many builds that improve it most, one after the other.

        At each step the best few are taken, since the very best is not always next to the best.
        """
        listed, first = current.copy(), current
        while (listed & ~first).sum() < count and (usable & ~current).any():
            more = current | single_sets(len(usable))[usable & ~current]
            best = self._ranked(more, lanes, limit)[:_LOOKED_AT]
            if best[0].worth == np.inf:
                break  # nothing that fits runs everything
            listed |= np.array([pick.members for pick in best if pick.worth < np.inf]).any(axis=0)
            current = np.array(best[0].members)
        return listed

    def _engines(self, usable: Sets) -> list[Sets]:
        """The usable builds of each engine."""
        engines = np.array([each.build.engine for each in self.scales.measured])
        return [np.asarray(usable & (engines == name)) for name in sorted(set(engines))]

    def _starts(self, usable: Sets) -> Sets:
        """Every set of few builds, all builds of each engine, and all of all."""
        whole = np.array(self._engines(usable))
        size = next(size for size in (3, 2, 1) if comb(int(usable.sum()), size) <= _MOST_STARTS)
        sets = np.vstack([self._leanest, small_sets(usable, size), whole, usable])
        return np.asarray(sets[(~sets | usable).all(axis=1)])

    def _ranked(self, sets: Sets, lanes: int, limit: int) -> list[_Pick]:
        """The best few of the sets, those that do not fit last; the leaner of any as good first."""
        nbytes = self.scales.nbytes(sets)
        fits = nbytes <= limit
        worth = np.full(len(sets), np.inf)
        worth[fits] = self.worth(sets[fits], lanes)
        # Sums of floats in another order differ in their last bits; such sets are as good.
        worth = worth.round(9)
        return [
            _Pick(float(worth[place]), int(nbytes[place]), tuple(sets[place].tolist()))
            for place in np.lexsort((nbytes, worth))[:_AT_ONCE]
        ]

    def _find_leanest(self, exact: bool) -> Sets:
        count = len(self.scales.measured)
        if exact and count <= _ALL_SETS_UP_TO:
            sets = all_sets(np.ones(count, np.bool_))
        elif exact:
            sets = np.vstack([single_sets(count), self._lean_unions()])
        else:
            sets = single_sets(count)
        sets = sets[self.scales.runs(sets)]
        nbytes = self.scales.nbytes(sets)
        score = self.scales.score(sets, 1)
        # What a single thread needs less is no reason to do without the others.
        on_one = sets @ np.array([each.build.threads > 0 for each in self.scales.measured])
        return np.asarray(sets[np.lexsort((score, nbytes, on_one))[0]])

    def _lean_unions(self) -> Sets:
        """For all engines and for each by itself: of each gear the leanest build that runs it."""
        measured = self.scales.measured
        engines = {each.build.engine for each in measured}
        unions = []
        for allowed in (engines, *({name} for name in sorted(engines))):
            union = np.zeros(len(measured), np.bool_)
            leanest: dict[int, int] = {}
            for index, each in enumerate(measured):
                if each.build.engine not in allowed or each.build.threads:
                    continue
                for rows in {timing.rows for timing in each.timings} & self.scales.sizes:
                    rival = leanest.get(rows)
                    if rival is None or each.nbytes < measured[rival].nbytes:
                        leanest[rows] = index
            union[list(leanest.values())] = True
            unions.append(union)
        return np.array(unions)

    def _reference(self) -> int:
        """What "balanced" measures itself by."""
        measured = self.scales.measured
        dynamic = [index for index, each in enumerate(measured) if is_open(each)]
        singles = single_sets(len(measured))
        if dynamic:
            first = min(dynamic, key=lambda index: (self._rank(index), index))
            return self._nbytes(singles[first])
        two = np.lexsort(
            ([each.nbytes for each in measured], [each.build.threads for each in measured])
        )[:2]
        return self._nbytes(np.asarray(singles[two].any(axis=0)))

    def _rank(self, index: int) -> tuple[int, int]:
        build = self.scales.measured[index].build
        known = build.engine in PREFERRED
        return PREFERRED.index(build.engine) if known else len(PREFERRED), build.lanes

    def _nbytes(self, one: Sets) -> int:
        return int(self.scales.nbytes(one[np.newaxis])[0])

    def _members(self, one: Iterable[bool]) -> tuple[Measured, ...]:
        return tuple(each for each, used in zip(self.scales.measured, one, strict=True) if used)


def _expected(gears: Sequence[int], exact: bool, weights: Mapping[int, float]) -> dict[int, float]:
    """Number of rows -> how much it counts."""
    given = {
        rows: weight
        for rows, weight in weights.items()
        if rows > 0 and weight > 0 and (rows in gears or not exact)
    }
    if not exact:
        return given or spread_sizes(max(gears))
    # A gear that is said never to come is a gear all the same, and has to run.
    never = 1e-6 * sum(given.values()) or 1.0
    return dict.fromkeys(gears, never) | given


def _neighbours(current: Sets, usable: Sets) -> Sets:
    """The sets that differ from this one by a build added, dropped or swapped."""
    singles = single_sets(len(current))
    added, dropped = singles[usable & ~current], singles[current]
    changes = [added, dropped]
    if len(added) * len(dropped) <= _MOST_SWAPS:
        changes.append((added[:, np.newaxis] | dropped[np.newaxis]).reshape(-1, len(current)))
    return np.vstack([current ^ change for change in changes])
