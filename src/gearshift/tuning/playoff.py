"""Has whole plans of the sets of programs that look best run by turns, to see which is quickest.

The last part of a measurement. First play the sets that look best (`finalists`); then, as long as
there is time, also what differs from the quickest by one program. All play the same numbers of rows
in the same order, a few at a time and one set after the other, so that what disturbs this machine
for a while disturbs all of them alike.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from gearshift.gears.build import Build, make_menu
from gearshift.tuning.finalists import Finalists, Members
from gearshift.tuning.messages import RUNS
from gearshift.tuning.played import standings
from gearshift.tuning.table import CostTable, PlanTime, Played
from gearshift.tuning.weigh import spread_sizes

Run = Callable[[Members, Sequence[int]], Sequence[float]]
"""Takes the programs of a set and numbers of rows; gives the seconds of a call of each."""

_SIZES: Final = (16, 8)
"""Numbers of rows that are played: the first of these for which there is time, with two sets."""
_FIELD: Final = 5
"""Sets that play against the first at a time."""
_OUT: Final = (0.04, 0.02, 0.01)
"""By passes played: who is behind by more than this part is out."""
_TURN: Final = 0.25
"""Seconds that a set's turn takes about; two numbers of rows at least."""
_PASS: Final = 1.0
_REPEATS: Final = 4
"""A set's pass takes about so many seconds, with each number of rows once, or up to so often."""


def play_off(
    table: CostTable, gears: Sequence[int], run: Run, left: Callable[[], float]
) -> tuple[Played, ...]:
    """What was found out by running sets whole; nothing if there is no time or nothing to compare.

    Args:
        table: what was measured, of rows that are independent.
        gears: the declared batch sizes.
        run: runs plans of a set.
        left: seconds until the time is over.
    """
    finalists = Finalists(table, gears)
    return _Playoff(finalists, gears, run, left).play() if finalists.sets else ()


class _Contestant:
    """A set, and what its calls took by number of rows, drift of the machine taken out."""

    def __init__(self, members: Members, sizes: Sequence[int]) -> None:
        self.members = members
        self.builds = frozenset(each.build for each in members)
        planner = make_menu(members).planner
        self._planned = {rows: planner.plan(rows).cost for rows in sizes}
        self._samples: dict[int, list[float]] = {rows: [] for rows in sizes}
        self.passes = 0
        self.expected = sum(self._planned.values()) * (RUNS + 1 / len(sizes))

    def seconds(self, rows: int) -> float:
        """Of a call, by what is known so far: the lower median, or what is planned."""
        samples = sorted(self._samples[rows])
        return samples[(len(samples) - 1) // 2] if samples else self._planned[rows]

    def add(self, rows: int, seconds: float) -> None:
        self._samples[rows].append(seconds)

    def record(self) -> Played:
        plans = (PlanTime(rows, self.seconds(rows)) for rows in self._samples)
        return Played(tuple(sorted(self.builds)), tuple(plans))


class _Playoff:
    def __init__(
        self, finalists: Finalists, gears: Sequence[int], run: Run, left: Callable[[], float]
    ) -> None:
        self._finalists = finalists
        self._run, self._left = run, left
        self._weights = spread_sizes(max(gears))
        self._sizes = _sizes(finalists.sets[0], sorted(self._weights), left() / 2)
        self._known: dict[frozenset[Build], Members] = {}
        self._first, *self._waiting = self._newcomers(finalists.sets)
        self._add_neighbours(self._first)
        self._in_play: list[_Contestant] = []
        self._out: list[_Contestant] = []
        fitting = min(_PASS, left() / 2) / self._first.expected
        self._repeats = max(1, min(_REPEATS, int(fitting)))
        self._took, self._was_expected = 0.0, 0.0

    def play(self) -> tuple[Played, ...]:
        """Plays until the time is over, or nobody is left to play against."""
        while self._let_in() and self._play_pass():
            self._let_go()
        field = [self._first, *self._in_play, *self._out]
        # Of many that played little one looks best by chance.
        least = max(1, self._first.passes / 2)
        return tuple(each.record() for each in field if each.passes >= least)

    def _let_in(self) -> bool:
        """As many as there is time for a whole pass of; whether there is anybody."""
        while self._waiting and len(self._in_play) < _FIELD:
            everyone = [self._first, *self._in_play, self._waiting[0]]
            if self._time_of(everyone, self._repeats) > self._left():
                break
            self._in_play.append(self._waiting.pop(0))
        return bool(self._in_play)

    def _time_of(self, field: Sequence[_Contestant], passes: float) -> float:
        """Seconds of so many passes, by how much longer than planned they took so far."""
        pace = self._took / self._was_expected if self._was_expected else 1.0
        return pace * passes * sum(each.expected for each in field)

    def _play_pass(self) -> bool:
        """Every number of rows, a few at a time; whether there was time for it."""
        field = [self._first, *self._in_play]
        is_known = all(each.passes for each in field)
        count = max(2, round(_TURN / self._time_of([self._first], 1 / len(self._sizes))))
        for _ in range(self._repeats):
            for sizes in _chunks(self._sizes, count):
                share = len(sizes) / len(self._sizes)
                if is_known and self._time_of(field, share) > self._left():
                    return False
                begin = self._left()
                self._play_turn(field, sizes)
                self._took += begin - self._left()
                self._was_expected += share * sum(each.expected for each in field)
        for each in field:
            each.passes += 1
        return True

    def _play_turn(self, field: Sequence[_Contestant], sizes: Sequence[int]) -> None:
        """Runs everyone, and takes out how much slower the machine was than it used to be."""
        times = {
            each: dict(zip(sizes, self._run(each.members, sizes), strict=True))
            for each in random.sample(field, len(field))
        }
        slower = [times[each][rows] / each.seconds(rows) for each in field for rows in sizes]
        drift = float(np.median(slower))
        for each in field:
            for rows in sizes:
                each.add(rows, times[each][rows] / drift)

    def _let_go(self) -> None:
        """Who is too far behind is out, and the leader's neighbours wait to be tried."""
        field = [self._first, *self._in_play]
        scores = standings([each.record() for each in field], self._weights)
        behind = dict(zip(field, scores / scores.min() - 1, strict=True))
        out = [each for each in self._in_play if behind[each] > _margin(each.passes)]
        self._in_play = [each for each in self._in_play if each not in out]
        self._out += out
        self._add_neighbours(field[int(scores.argmin())])

    def _add_neighbours(self, leader: _Contestant) -> None:
        near = self._finalists.neighbours(leader.members, self._known.values())
        self._waiting += self._newcomers(near)

    def _newcomers(self, sets: Iterable[Members]) -> list[_Contestant]:
        """Those that were not yet there."""
        found = [_Contestant(members, self._sizes) for members in sets]
        found = [each for each in found if each.builds not in self._known]
        self._known |= {each.builds: each.members for each in found}
        return found


def _margin(passes: int) -> float:
    return _OUT[min(passes, len(_OUT)) - 1]


def _sizes(members: Members, sizes: Sequence[int], seconds: float) -> tuple[int, ...]:
    """As many of them as a set can play in so many seconds, from the least to the largest."""
    for count in _SIZES:
        places = np.linspace(0, len(sizes) - 1, num=min(count, len(sizes))).round()
        some = tuple(sizes[int(place)] for place in places)
        if _Contestant(members, some).expected <= seconds:
            break
    return some


def _chunks(sizes: Sequence[int], count: int) -> Iterator[list[int]]:
    """All of them in a random order, so many at a time and never one alone."""
    order = random.sample(sizes, len(sizes))
    parts = max(1, len(order) // count)
    return (order[part::parts] for part in range(parts))
