"""What calls took with sets of programs that ran by turns, apart from what disturbed them. Pure.

What a call takes is taken to be a product: of what its way of running takes (so many rows, on these
programs), of what the set's other programs cost it, of how slow the machine was in that turn, and
of chance. Sets have many of their ways in common, and each way is known from all that run it, so
that no set looks quick by a few lucky calls. The factors are found by a regression of logarithms
that outliers do not move far (Huber's).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log1p
from typing import Final, TypeVar

import numpy as np

from gearshift.gears.build import Build
from gearshift.tuning.choose import EACH_PROGRAM
from gearshift.tuning.table import PlanTime, Played
from gearshift.tuning.weigh import Floats, Ints

Builds = frozenset[Build]
Way = tuple[int, Hashable]
"""Rows of a call, and what runs them: programs and pieces."""

_SPREAD: Final = 0.03
"""What programs cost each other is `EACH_PROGRAM` for each of them, give or take so much, until
calls have told (ADR 7 has what was seen)."""
_DRIFT: Final = 1.0
"""And the machine may be slower or quicker by any factor, about."""
_MOST_TURNS: Final = 256
"""That are told apart; of more, some that follow each other count as one."""
_MOST_ROUNDS: Final = 30
_SETTLED: Final = 1e-4
"""Factors that change by a smaller part have been found."""
_HUBER: Final = 1.345
"""Standard deviations. What is further off counts the less the further."""
_NORMAL: Final = 1.2533
"""A standard deviation over the mean distance from the middle."""
_FIRST_CHANCE: Final = 0.1
_LEAST_CHANCE: Final = 1e-4

_T = TypeVar("_T", bound=Hashable)


@dataclass(frozen=True)
class Found:
    """What the samples of a tally say.

    Attributes:
        records: of each set, what its calls take.
        chance: by what part a call takes longer or less than that; a standard deviation.
        counts: of each set, the number of samples.
    """

    records: Mapping[Builds, Played]
    chance: float
    counts: Mapping[Builds, int]

    def error(self, one: Builds, other: Builds) -> float:
        """By what part calls of two sets may be further apart than was found: a standard error."""
        return self.chance * float((1 / self.counts[one] + 1 / self.counts[other]) ** 0.5)


class Tally:
    """Samples of sets that run by turns."""

    def __init__(self) -> None:
        self._samples: list[tuple[Way, Builds, int, float]] = []

    def add(self, turn: int, builds: Builds, way: Way, seconds: float) -> None:
        """Takes what a call of a set took in that turn; turns are numbered from 0 on."""
        self._samples.append((way, builds, turn, seconds))

    def found(self) -> Found:
        """What is known by now; there has to be a sample."""
        way, builds, turn, seconds = zip(*self._samples, strict=True)
        at_once = 1 + max(turn) // _MOST_TURNS
        (ways, way_of), (sets, set_of) = _grouped(way), _grouped(builds)
        _, turn_of = _grouped(each // at_once for each in turn)
        believed = np.array([len(builds) * log1p(EACH_PROGRAM) for builds in sets])
        factors = _factors(np.log(seconds), (way_of, set_of, turn_of), believed)
        plans: dict[Builds, list[PlanTime]] = defaultdict(list)
        for place, one in set(zip(way_of.tolist(), set_of.tolist(), strict=True)):
            plans[sets[one]].append(PlanTime(ways[place][0], factors.seconds(place, one)))
        records = {
            one: Played(tuple(sorted(one)), tuple(sorted(times, key=lambda each: each.rows)))
            for one, times in plans.items()
        }
        return Found(records, factors.chance, Counter(builds))


@dataclass(frozen=True)
class _Factors:
    """As logarithms. What is left is chance, and `chance` how large it is."""

    ways: Floats
    sets: Floats
    turns: Floats
    chance: float

    def seconds(self, way: int, one: int) -> float:
        """Of a call of that set, run that way, in a usual turn."""
        return float(np.exp(self.ways[way] + self.sets[one] + np.median(self.turns)))


def _factors(logs: Floats, numbers: Sequence[Ints], believed: Floats) -> _Factors:
    """Those that samples are most likely of, as far as they tell; else what is believed.

    Args:
        logs: of the samples.
        numbers: of each sample's way, of its set and of its turn, from 0 on.
        believed: of the sets.
    """
    counts = [int(each.max()) + 1 for each in numbers]
    known = max(1, len(logs) - sum(counts))
    ends = np.cumsum(counts)
    places = np.asarray(np.stack(numbers) + (ends - counts)[:, np.newaxis], np.int64)
    expected = np.concatenate([np.zeros(counts[0]), believed, np.zeros(counts[2])])
    sure = np.repeat([0.0, 1 / _SPREAD**2, 1 / _DRIFT**2], counts)
    factors, weights, chance = expected, np.ones(len(logs)), _FIRST_CHANCE
    for _ in range(_MOST_ROUNDS):
        before = factors
        factors = _solved(logs, places, weights / chance**2, expected, sure)
        rest = np.abs(logs - factors[places].sum(axis=0))
        chance = max(_LEAST_CHANCE, float(_NORMAL * rest.mean() * (len(logs) / known) ** 0.5))
        weights = np.minimum(1, _HUBER * chance / np.maximum(rest, _LEAST_CHANCE**2))
        if np.abs(factors - before).max() < _SETTLED:
            break
    ways, sets, turns = np.split(factors, ends[:-1])
    return _Factors(ways, sets, turns, chance)


def _solved(logs: Floats, places: Ints, weights: Floats, expected: Floats, sure: Floats) -> Floats:
    """Least squares, each sample being a sum of factors, one at each of its places."""
    count = len(sure)
    pairs = (places[:, np.newaxis] * count + places).reshape(-1, len(logs))
    normal = sum(np.bincount(pair, weights, count * count) for pair in pairs)
    right = sum(np.bincount(place, weights * logs, count) for place in places)
    matrix = np.reshape(normal, (count, count)) + np.diag(sure)
    return np.linalg.solve(matrix, right + sure * expected)


def _grouped(values: Iterable[_T]) -> tuple[list[_T], Ints]:
    """The different values, and of each one the number of its own among them."""
    numbers: dict[_T, int] = {}
    places = [numbers.setdefault(value, len(numbers)) for value in values]
    return list(numbers), np.array(places, np.int64)
