"""What calls took with sets of programs that ran by turns, apart from what disturbed them. Pure.

What a call takes is taken to be a product: of what its way of running takes (so many rows, on these
programs), of what the set's other programs cost it, of how slow the machine was in that turn, and
of chance. Sets have many of their ways in common, and each way is known from all that run it, so
that no set looks quick by a few lucky calls. The factors are found by a regression of logarithms
that outliers do not move far (Huber's).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log1p
from typing import Final, TypeVar

import numpy as np

from gearshift.gears.build import Build
from gearshift.gears.dispatch import Piece
from gearshift.tuning.choose import EACH_PROGRAM
from gearshift.tuning.weigh import Floats, Ints

Way = tuple[int, tuple[tuple[Build, Piece], ...]]
"""Rows of a call, and what runs them."""
Player = tuple[frozenset[Build], Hashable]
"""A set of programs; and what tells it from others of the same programs."""

_SPREAD: Final = 0.03
"""What programs cost each other is `EACH_PROGRAM` for each of them, give or take so much, until
calls have told (ADR 7 has what was seen)."""
_UNLIKE: Final = 0.15
"""What a plan takes is the sum of what its programs take by themselves, give or take so much."""
_DRIFT: Final = 1.0
"""And the machine may be slower or quicker by any factor, about."""
_MOST_TURNS: Final = 256
"""That are told apart; of more, some that follow each other count as one."""
_MOST_ROUNDS: Final = 30
_SETTLED: Final = 1e-4
"""Factors that change by a smaller part have been found."""
_SURE: Final = 2.0
"""Standard errors."""
_HUBER: Final = 1.345
"""Standard deviations. What is further off counts the less the further."""
_NORMAL: Final = 1.2533
"""A standard deviation over the mean distance from the middle."""
_FIRST_CHANCE: Final = 0.1
_LEAST_CHANCE: Final = 1e-4

_T = TypeVar("_T", bound=Hashable)


@dataclass(frozen=True)
class Found:
    """What the samples of a tally say. Factors are logarithms.

    Attributes:
        ways: what calls take that run in each of these ways.
        players: what calls take longer for the programs that each of these has.
        chance: a standard deviation of what a call takes more or less than that.
        counts: how many samples there are of a way, or of a player.
    """

    ways: Mapping[Way, float]
    players: Mapping[Player, float]
    chance: float
    counts: Mapping[Way | Player, int]

    def seconds(self, player: Player, way: Way) -> float:
        """Of a call of that player's, run that way, when the machine is as it usually was."""
        return exp(self.ways[way] + self.players[player])

    def by_chance(self, one: Way | Player, other: Way | Player) -> float:
        """The part by which one may look quicker than the other: two standard errors."""
        return _SURE * self.chance * float((1 / self.counts[one] + 1 / self.counts[other]) ** 0.5)


class Tally:
    """Samples of sets that run by turns."""

    def __init__(self) -> None:
        self._samples: list[tuple[Way, Player, int, float]] = []
        self._planned: dict[Way, float] = {}

    def add(self, turn: int, player: Player, way: Way, planned: float, seconds: float) -> None:
        """Takes a sample.

        Args:
            turn: when it was; they are numbered from 0 on.
            player: whose call it was.
            way: how that was run.
            planned: seconds that it should take by the times of single programs.
            seconds: that it took.
        """
        self._samples.append((way, player, turn, seconds))
        self._planned[way] = planned

    def found(self) -> Found:
        """What is known by now; there has to be a sample."""
        way, player, turn, seconds = zip(*self._samples, strict=True)
        at_once = 1 + max(turn) // _MOST_TURNS
        (ways, way_of), (players, player_of) = _grouped(way), _grouped(player)
        _, turn_of = _grouped(each // at_once for each in turn)
        planned = np.log([self._planned[each] for each in ways])
        believed = np.array([len(builds) * log1p(EACH_PROGRAM) for builds, _ in players])
        factors = _factors(np.log(seconds), (way_of, player_of, turn_of), planned, believed)
        usual = float(np.median(factors.turns))
        return Found(
            dict(zip(ways, (factors.ways + usual).tolist(), strict=True)),
            dict(zip(players, factors.players.tolist(), strict=True)),
            factors.chance,
            Counter(way) + Counter(player),
        )


@dataclass(frozen=True)
class _Factors:
    ways: Floats
    players: Floats
    turns: Floats
    chance: float


def _factors(logs: Floats, numbers: Sequence[Ints], planned: Floats, believed: Floats) -> _Factors:
    """Those that samples are most likely of, as far as they tell; else what is believed.

    Args:
        logs: of the samples.
        numbers: of each sample's way, of its player and of its turn, from 0 on.
        planned: what is believed of the ways.
        believed: of the players.
    """
    counts = [int(each.max()) + 1 for each in numbers]
    known = max(1, len(logs) - sum(counts))
    ends = np.cumsum(counts)
    places = np.asarray(np.stack(numbers) + (ends - counts)[:, np.newaxis], np.int64)
    expected = np.concatenate([planned, believed, np.zeros(counts[2])])
    sure = np.repeat([1 / _UNLIKE**2, 1 / _SPREAD**2, 1 / _DRIFT**2], counts)
    factors, weights, chance = expected, np.ones(len(logs)), _FIRST_CHANCE
    for _ in range(_MOST_ROUNDS):
        before = factors
        factors = _solved(logs, places, weights / chance**2, expected, sure)
        rest = np.abs(logs - factors[places].sum(axis=0))
        chance = max(_LEAST_CHANCE, float(_NORMAL * rest.mean() * (len(logs) / known) ** 0.5))
        weights = np.minimum(1, _HUBER * chance / np.maximum(rest, _LEAST_CHANCE**2))
        if np.abs(factors - before).max() < _SETTLED:
            break
    ways, players, turns = np.split(factors, ends[:-1])
    return _Factors(ways, players, turns, chance)


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
