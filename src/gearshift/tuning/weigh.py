"""What a set of programs would be worth: the time of its best plans, and its memory.

Hundreds of sets are weighed to find the one to use, so it is done for many at once: the recurrences
of `gears.dispatch`, with a column of numpy arrays for each set.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from gearshift.gears.build import OPEN, Measured, Timing
from gearshift.tuning.table import CostTable

Sets = npt.NDArray[np.bool_]
"""Sets of builds: one row for each set, one column for each build that was measured."""
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_STEPS: Final = 128
"""How finely numbers of rows are told apart: more rows than these are counted in larger units."""
_FEW: Final = 64
"""Up to here every number of rows counts, beyond about as many that are spread out."""
_WORST_MAY_LOSE: Final = 0.03
_WORST_WEIGHT: Final = 0.25


def spread_sizes(largest: int) -> dict[int, float]:
    """Numbers of rows from 1 to `largest` and their weights: all the same where they are few.

    Where they are many, the larger of two neighbours is a fixed part larger than the other.
    """
    if largest <= _FEW:
        return dict.fromkeys(range(1, largest + 1), 1.0)
    spread = np.geomspace(1, largest, num=_FEW + _FEW // 2)
    return dict.fromkeys((int(rows) for rows in np.unique(spread.round())), 1.0)


class Scales:
    """Weighs sets of the builds that were measured.

    Attributes:
        measured: the builds that may be used; a set says of each whether it is in.
        lanes: numbers of lanes to choose from; a set can use builds of one of them.
        sizes: the numbers of rows that count.
    """

    def __init__(self, table: CostTable, sizes: Mapping[int, float], exact: bool) -> None:
        """Takes how much each number of rows counts.

        Args:
            table: what was measured.
            sizes: number of rows -> weight.
            exact: rows can be neither padded nor split: each of the sizes needs a program.
        """
        self.measured = tuple(each for each in table.measured if each.build.lanes == 1 or not exact)
        self._lanes_of = np.array([each.build.lanes for each in self.measured], np.int64)
        self.lanes = tuple(sorted({int(k) for k in self._lanes_of if k > 1})) or (1,)
        self.sizes = frozenset(sizes)
        self._exact = exact
        self._sizes = np.array(sorted(sizes), np.int64)
        self._units = np.array([_unit(rows) for rows in sorted(sizes)], np.int64)
        weights = np.array([sizes[int(rows)] for rows in self._sizes], np.float64)
        self._weights = weights / weights.sum()
        self._rows = np.array(
            sorted({timing.rows for each in self.measured for timing in self._timings(each)}),
            np.int64,
        )
        self._wide, self._side = self._offers()
        self._nbytes = np.array([each.nbytes for each in self.measured], np.int64)
        engines = sorted({each.build.engine for each in self.measured})
        self._engine_of = np.array(
            [[each.build.engine == name for name in engines] for each in self.measured], np.int64
        ).reshape(len(self.measured), len(engines))
        self._engine_nbytes = np.array([table.engine_nbytes(name) for name in engines], np.int64)

    def usable(self, lanes: int) -> Sets:
        """The set of all builds that can be used beside ones of that many lanes."""
        return np.asarray(np.isin(self._lanes_of, (1, lanes)))

    def nbytes(self, sets: Sets) -> Ints:
        """Bytes that each set takes, the engines it needs included."""
        engines = self._engines(sets) @ self._engine_nbytes
        return np.asarray(sets @ self._nbytes + engines, np.int64)

    def engine_counts(self, sets: Sets) -> Ints:
        """How many engines each set needs."""
        return np.asarray(self._engines(sets).sum(axis=1), np.int64)

    def score(self, sets: Sets, lanes: int) -> Floats:
        """How much longer each set takes than all builds would: 1 is the best, inf cannot run."""
        return mean_and_worst(self.plans(sets, lanes) / self._best[:, np.newaxis], self._weights)

    def longer(self, one: Sets, lanes: int, other: Sets, other_lanes: int) -> tuple[float, float]:
        """How much longer plans of one set take than those of another: on average, and at most."""
        mine, theirs = (
            self.plans(one[np.newaxis], lanes),
            self.plans(other[np.newaxis], other_lanes),
        )
        part = (mine / theirs)[:, 0] - 1
        return float(self._weights @ part), float(part.max())

    def plans(self, sets: Sets, lanes: int) -> Floats:
        """Seconds of the best plan; one row for each size, one column for each set.

        The margins that a session's plans have for whole programs (`SPLITTING`, `SPLITTING_OPEN`)
        are left out: by them sets would look better without these, or a program better for being
        there at all.
        """
        wide = _least(sets, self._wide)
        if self._exact:
            return self._exactly(wide)
        side = _least(sets & (self._lanes_of == lanes), self._side)
        plans = np.empty((len(self._sizes), len(sets)))
        for unit in np.unique(self._units):
            here = self._units == unit
            plans[here] = self._in_units(int(unit), self._sizes[here], wide, side, lanes)
        return plans

    def runs(self, sets: Sets) -> Sets:
        """Whether each set has a program for each size."""
        return np.asarray(np.isfinite(self.plans(sets, 1)).all(axis=0))

    @cached_property
    def _best(self) -> Floats:
        """Seconds of the best plan of each size, with every build."""
        plans = [self.plans(self.usable(k)[np.newaxis], k)[:, 0] for k in self.lanes]
        return np.asarray(np.min(plans, axis=0))

    def _timings(self, measured: Measured) -> tuple[Timing, ...]:
        return measured.timings if self._exact else measured.offers

    def _engines(self, sets: Sets) -> Sets:
        """Which engines each set needs."""
        return np.asarray(sets @ self._engine_of > 0)

    def _offers(self) -> tuple[Floats, Floats]:
        """Seconds by build and rows: by itself, and with each of its lanes busy."""
        wide = np.full((len(self.measured), len(self._rows)), np.inf)
        side = wide.copy()
        for index, each in enumerate(self.measured):
            offers = self._timings(each)
            places = np.searchsorted(self._rows, [timing.rows for timing in offers])
            wide[index, places] = [timing.alone for timing in offers]
            if each.build.lanes > 1:
                side[index, places] = [timing.seconds for timing in offers]
        return wide, side

    def _in_units(self, unit: int, sizes: Ints, wide: Floats, side: Floats, lanes: int) -> Floats:
        """Seconds of the best plan of each size, with rows counted in units."""
        rows, repeats = np.maximum(self._rows // unit, 1), -(-unit // self._rows)[:, np.newaxis]
        sizes = -(-sizes // unit)
        alone = _in_a_row(wide * repeats, rows, int(sizes[-1]))
        if lanes == 1:
            return alone[sizes]
        beside = _in_a_row(side * repeats, rows, -(-int(sizes[-1]) // lanes))
        return np.array([_shared(alone, beside, int(size), lanes) for size in sizes])

    def _exactly(self, wide: Floats) -> Floats:
        plans = np.full((len(self._sizes), wide.shape[1]), np.inf)
        known = np.isin(self._sizes, self._rows)
        plans[known] = wide[np.searchsorted(self._rows, self._sizes[known])]
        return plans


def mean_and_worst(ratios: Floats, weights: Floats) -> Floats:
    """The mean of each column; losing more than 3 % at any size counts by a quarter on top.

    So no size pays for all others.

    Args:
        ratios: to the best; one row for each size, one column for each set.
        weights: of the sizes; they add up to 1.
    """
    excess = np.maximum(ratios.max(axis=0) - 1 - _WORST_MAY_LOSE, 0)
    return np.asarray(weights @ ratios + _WORST_WEIGHT * excess, np.float64)


def single_sets(count: int) -> Sets:
    """Every set of one build."""
    return np.eye(count, dtype=np.bool_)


def all_sets(usable: Sets) -> Sets:
    """Every set of usable builds but the empty one."""
    places = np.flatnonzero(usable)
    numbers = np.arange(1, 1 << len(places))
    sets = np.zeros((len(numbers), len(usable)), np.bool_)
    sets[:, places] = numbers[:, np.newaxis] >> np.arange(len(places)) & 1
    return sets


def small_sets(usable: Sets, largest: int) -> Sets:
    """Every set of 1 to `largest` usable builds."""
    places = np.flatnonzero(usable)
    members = [
        group for size in range(1, largest + 1) for group in combinations(places.tolist(), size)
    ]
    sets = np.zeros((len(members), len(usable)), np.bool_)
    for row, group in zip(sets, members, strict=True):
        row[list(group)] = True
    return sets


def is_open(measured: Measured) -> bool:
    """Whether it is an engine's own dynamic batch."""
    return measured.build.rows == OPEN


def _unit(rows: int) -> int:
    """The power of two in which so many rows are counted."""
    return 1 << max(0, (-(-rows // _STEPS) - 1).bit_length())


def _least(sets: Sets, offers: Floats) -> Floats:
    """The quickest offer for each number of rows (one row each) in each set (one column each)."""
    least = np.full((offers.shape[1], len(sets)), np.inf)
    for build, offer in enumerate(offers):  # one by one: all of all at once take gigabytes
        timed = np.flatnonzero(np.isfinite(offer))
        costs = np.where(sets[:, build], offer[timed, np.newaxis], np.inf)
        least[timed] = np.minimum(least[timed], costs)
    return least


def _in_a_row(costs: Floats, rows: Ints, largest: int) -> Floats:
    """f(n) = min over rows of cost + f(n - rows), for n from 0 to `largest`."""
    best = np.zeros((largest + 1, costs.shape[1]))
    for n in range(1, largest + 1):
        best[n] = (costs + best[np.maximum(n - rows, 0)]).min(axis=0)
    return best


def _shared(alone: Floats, beside: Floats, rows: int, lanes: int) -> Floats:
    """The best way to run some of the rows in lanes, evenly shared out, and the others before."""
    in_lanes = np.append(np.arange(0, rows, lanes), rows)
    return np.asarray((alone[rows - in_lanes] + beside[-(-in_lanes // lanes)]).min(axis=0))
