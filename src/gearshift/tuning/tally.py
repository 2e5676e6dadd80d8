"""What calls took with sets of programs that ran by turns, apart from what disturbed them. Pure.

What a call takes is taken to be a product: of what its way of running takes (so many rows, on these
programs), of what the set's other programs cost it, of how slow the machine was in that turn, and
of chance. Sets have many of their ways in common, and each way is known from all that run it, so
that no set looks quick by a few lucky calls. What a way takes beyond what it should by the times of
single programs it has in common with other ways on the same programs, but for a little of its own:
so where there are others one call that was disturbed does not make its way slow. The factors are
found by a regression of logarithms that outliers do not move far (Huber's).
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

_UNLIKE: Final = 0.15
"""What a plan takes is the sum of what its programs take by themselves, give or take so much, which
plans on the same programs have in common. This and the next four are standard deviations, and what
is believed until calls have told."""
_ODD: Final = 0.06
"""And each plan give or take so much of its own: the fewer its calls, the less more is believed."""
_SPREAD: Final = 0.03
"""What the programs of a set cost it is `EACH_PROGRAM` for each, all of it give or take so much
(ADR 7 has what was seen)."""
_DRIFT: Final = 1.0
"""In a turn the machine is as quick as usual, but for any factor, about."""
_CHANCE: Final = 0.05
_CHANCE_COUNTS: Final = 8
"""How large chance is; and so many samples that nothing else is found from tell as much."""
_MOST_TURNS: Final = 256
"""That are told apart; of more, some that follow each other count as one."""
_MOST_ROUNDS: Final = 30
_SETTLED: Final = 1e-4
"""Factors that change by a smaller part have been found."""
_SURE: Final = 2.0
"""Standard errors."""
_HUBER: Final = 1.345
"""Standard deviations. What is further off counts the less the further."""
_WITHIN: Final = 0.71
"""Variance of a normal distribution whose values stop at so many deviations."""
_TINY: Final = 1e-9

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
        _, kind_of = _grouped(frozenset(build for build, _ in pieces) for _, pieces in ways)
        planned = np.log([self._planned[each] for each in ways])
        believed = np.array([len(builds) * log1p(EACH_PROGRAM) for builds, _ in players])
        numbers = way_of, kind_of[way_of], player_of, turn_of
        factors = _factors(np.log(seconds), numbers, planned, believed)
        taken = factors.ways + factors.kinds[kind_of] + np.median(factors.turns)
        return Found(
            dict(zip(ways, taken.tolist(), strict=True)),
            dict(zip(players, factors.players.tolist(), strict=True)),
            factors.chance,
            Counter(way) + Counter(player),
        )


@dataclass(frozen=True)
class _Factors:
    ways: Floats  # without what their kinds have in common
    kinds: Floats
    players: Floats
    turns: Floats
    chance: float


def _factors(logs: Floats, numbers: Sequence[Ints], planned: Floats, believed: Floats) -> _Factors:
    """Those that samples are most likely of, as far as they tell; else what is believed.

    Args:
        logs: of the samples.
        numbers: of each sample's way, of the kind that way is of (those on the same programs), of
            its player and of its turn, from 0 on.
        planned: what is believed of the ways, but for a factor that all have in common.
        believed: of the players.
    """
    counts = [int(each.max()) + 1 for each in numbers]
    ends = np.cumsum(counts)
    places = np.asarray(np.stack(numbers) + (ends - counts)[:, np.newaxis], np.int64)
    usual = np.median(logs - planned[numbers[0]])
    expected = np.concatenate([planned + usual, np.zeros(counts[1]), believed, np.zeros(counts[3])])
    sure = np.repeat([1 / unlike**2 for unlike in (_ODD, _UNLIKE, _SPREAD, _DRIFT)], counts)
    factors, weights, chance = expected, np.ones(len(logs)), _CHANCE
    for _ in range(_MOST_ROUNDS):
        before = np.append(factors, chance)
        factors, used = _solved(logs, places, weights / chance**2, expected, sure)
        rest = np.abs(logs - factors[places].sum(axis=0))
        chance = _chance(rest, chance, len(logs) - used)
        weights = np.minimum(1, _HUBER * chance / np.maximum(rest, _TINY))
        if np.abs(np.append(factors, chance) - before).max() < _SETTLED:
            break
    ways, kinds, players, turns = np.split(factors, ends[:-1])
    return _Factors(ways, kinds, players, turns, chance)


def _solved(
    logs: Floats, places: Ints, weights: Floats, expected: Floats, sure: Floats
) -> tuple[Floats, float]:
    """Least squares, each sample being a sum of factors, one at each of its places.

    Also how many samples the factors used up: one each, but for what was believed of them.
    """
    count = len(sure)
    pairs = (places[:, np.newaxis] * count + places).reshape(-1, len(logs))
    normal = sum(np.bincount(pair, weights, count * count) for pair in pairs)
    right = sum(np.bincount(place, weights * logs, count) for place in places)
    inverse = np.linalg.inv(np.reshape(normal, (count, count)) + np.diag(sure))
    return inverse @ (right + sure * expected), count - float(inverse.diagonal() @ sure)


def _chance(rest: Floats, chance: float, left: float) -> float:
    """How far samples are off, by so many that tell; what is far off counts as not so far."""
    within = np.minimum(rest, _HUBER * chance) ** 2
    total = within.sum() / _WITHIN + _CHANCE_COUNTS * _CHANCE**2
    return float(np.sqrt(total / (max(0.0, left) + _CHANCE_COUNTS)))


def _grouped(values: Iterable[_T]) -> tuple[list[_T], Ints]:
    """The different values, and of each one the number of its own among them."""
    numbers: dict[_T, int] = {}
    places = [numbers.setdefault(value, len(numbers)) for value in values]
    return list(numbers), np.array(places, np.int64)
