"""Has whole plans of the sets of programs that look best run by turns, to see which is quickest.

The last part of a measurement. First play the sets that look best (`finalists`); then, as long as
there is time, also what differs from the quickest by one program. All play the same numbers of rows
in the same order, a few at a time and one set after the other, so that what disturbs this machine
for a while disturbs all of them alike.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from gearshift.gears.build import Build, make_menu
from gearshift.options import Budget
from gearshift.tuning.choose import choose
from gearshift.tuning.finalists import Finalists, Members
from gearshift.tuning.messages import PAUSE, RUNS, SHORT
from gearshift.tuning.played import standings
from gearshift.tuning.table import CostTable, PlanTime, Played
from gearshift.tuning.weigh import spread_sizes

Run = Callable[[Members, Sequence[int]], Sequence[float]]
"""Takes the programs of a set and numbers of rows; gives the seconds of a call of each."""

COUNTS: Final = {16: 4, 8: 2}
"""How many numbers of rows are played, by how many sets there has to be the time for."""
_MARGIN: Final = 1.2
"""Plans take longer than they are expected to, and a pass that is not ended tells nothing."""
_FIELD: Final = 5
"""Sets that play against the first at a time."""
_OUT: Final = 0.08
_OUT_AT_LEAST: Final = 0.01
"""Who is behind by more than the first of these, divided by how often it ran, is out."""
_ENOUGH: Final = 2
"""Runs that tell a set from others: of many that ran once one looks best by chance."""
_TURN: Final = 0.25
"""Seconds that a set's turn takes about; two numbers of rows at least."""
_PASS: Final = 1.0
_REPEATS: Final = 4
"""A set's pass takes about so many seconds, with each number of rows once, or up to so often."""


class EngineGoneError(Exception):
    """What was to run is left out; what ran before stands."""


def play_off(
    table: CostTable,
    gears: Sequence[int],
    budget: Budget | int,
    run: Run,
    left: Callable[[], float],
) -> tuple[Played, ...]:
    """What was found out by running sets whole; nothing if there is no time or nothing to compare.

    Args:
        table: what was measured, of rows that are independent.
        gears: the declared batch sizes.
        budget: what programs may take; other budgets are thought of as well.
        run: runs plans of a set, or raises `EngineGoneError`.
        left: seconds until the time is over.
    """
    first = choose(table, "balanced", gears)
    sizes = _sizes_to_play(first, sorted(spread_sizes(max(gears))), left())
    if not sizes:
        return ()
    finalists = Finalists(table, gears, budget)
    return _Playoff(finalists, gears, sizes, run, left).play() if finalists.sets else ()


class _Contestant:
    """A set, and what its calls took by number of rows, drift of the machine taken out."""

    def __init__(self, members: Members, sizes: Sequence[int]) -> None:
        self.members = members
        self.builds = frozenset(each.build for each in members)
        menu = make_menu(members)
        plans = {rows: menu.planner.plan(rows) for rows in sizes}
        self._planned = {rows: plan.cost for rows, plan in plans.items()}
        self._runs = {
            rows: tuple((menu.build(piece), piece) for piece in plan.pieces)
            for rows, plan in plans.items()
        }
        self._samples: dict[int, list[float]] = {rows: [] for rows in sizes}

    @property
    def ran(self) -> int:
        """How often it ran each number of rows."""
        return min(map(len, self._samples.values()))

    def seconds(self, rows: int) -> float:
        """Of a call, by what is known so far: the median, or what is planned."""
        samples = self._samples[rows]
        return float(np.median(samples)) if samples else self._planned[rows]

    def add(self, rows: int, seconds: float) -> None:
        self._samples[rows].append(seconds)

    def expected(self, sizes: Iterable[int], turns: int = 1) -> float:
        """Seconds of so many turns: what a probe does, with a call in each that is not timed."""
        costs = [self._planned[rows] for rows in sizes]
        pauses = sum(PAUSE for cost in costs if cost < SHORT)
        return sum(costs) * (RUNS + turns / len(costs)) + pauses

    def record(self, others: Iterable[_Contestant] = ()) -> Played:
        """What was found, held to what was found of others.

        Nothing gets quicker by programs that it does not run. So at a number of rows that a set
        runs as a smaller one does, it takes as long at least: less is chance, unless that one ran
        so much less often that its own time may be.
        """
        smaller = [
            each for each in others if each.builds < self.builds and 2 * each.ran >= self.ran
        ]
        plans = []
        for rows, runs in self._runs.items():
            alike = (each.seconds(rows) for each in smaller if each._runs[rows] == runs)
            plans.append(PlanTime(rows, max([self.seconds(rows), *alike])))
        return Played(tuple(sorted(self.builds)), tuple(plans))


class _Playoff:
    def __init__(
        self,
        finalists: Finalists,
        gears: Sequence[int],
        sizes: Sequence[int],
        run: Run,
        left: Callable[[], float],
    ) -> None:
        self._finalists = finalists
        self._sizes = sizes
        self._run, self._left = run, left
        self._weights = spread_sizes(max(gears))
        self._known: dict[frozenset[Build], Members] = {}
        self._first, *self._waiting = self._newcomers(finalists.sets)
        if not self._waiting:
            self._invite_neighbours(self._first)
        self._in_play: list[_Contestant] = []
        self._out: list[_Contestant] = []
        whole = self._first.expected(sizes, len(sizes) // 2)
        self._repeats = max(1, min(_REPEATS, int(min(_PASS, left() / 2) / whole)))
        self._per_turn = max(2, round(_TURN / (whole / len(sizes))))
        self._took, self._was_expected = 0.0, 0.0

    def play(self) -> tuple[Played, ...]:
        """Plays until the time is over, or nobody is left to play against."""
        with contextlib.suppress(EngineGoneError):
            while self._let_in() and self._play_pass():
                self._let_go()
        enough = max(1, min(_ENOUGH, self._first.ran))
        rivals = [*(each for each in self._in_play if each.ran >= enough), *self._out]
        told = [self._first, *rivals]
        return tuple(each.record(told) for each in told) if rivals else ()

    def _let_in(self) -> bool:
        """As many as there is time for to tell them from others; whether anybody is there."""
        passes = -(-_ENOUGH // self._repeats) if self._first.ran else 1
        for each in list(self._waiting):
            if len(self._in_play) >= _FIELD:
                break
            field = [self._first, *self._in_play, each]
            turns = max(1, len(self._sizes) // self._per_turn)
            once = self._time_of(field, self._sizes, turns)
            if once * self._repeats * passes * _MARGIN <= self._left():
                self._waiting.remove(each)
                self._in_play.append(each)
        return bool(self._in_play)

    def _time_of(self, field: Iterable[_Contestant], sizes: Sequence[int], turns: int = 1) -> float:
        """Seconds of everybody's turns, by how much longer than expected turns took so far."""
        pace = self._took / self._was_expected if self._was_expected else 1.0
        return pace * sum(each.expected(sizes, turns) for each in field)

    def _play_pass(self) -> bool:
        """Every number of rows, a few at a time; whether there was time for it."""
        field = [self._first, *self._in_play]
        for _ in range(self._repeats):
            for sizes in _chunks(self._sizes, self._per_turn):
                if self._time_of(field, sizes) > self._left():
                    return False
                begin = self._left()
                self._play_turn(field, sizes)
                self._took += begin - self._left()
                self._was_expected += sum(each.expected(sizes) for each in field)
        return True

    def _play_turn(self, field: Sequence[_Contestant], sizes: Sequence[int]) -> None:
        """Runs everyone, and takes out how much slower the machine was than it used to be.

        Those that ran before tell: what plans of newcomers were expected to take is another scale.
        """
        times = {
            each: dict(zip(sizes, self._run(each.members, sizes), strict=True))
            for each in random.sample(field, len(field))
        }
        known = [each for each in field if each.ran] or field
        slower = [times[each][rows] / each.seconds(rows) for each in known for rows in sizes]
        drift = float(np.median(slower))
        for each in field:
            for rows in sizes:
                each.add(rows, times[each][rows] / drift)

    def _let_go(self) -> None:
        """Who is too far behind is out, and the leader's neighbours come next."""
        field = [self._first, *self._in_play]
        scores = standings([each.record() for each in field], self._weights)
        behind = dict(zip(field, scores / scores.min() - 1, strict=True))
        out = {each for each in self._in_play if behind[each] > _margin(each.ran)}
        self._in_play = [each for each in self._in_play if each not in out]
        self._out += out
        self._invite_neighbours(field[int(scores.argmin())])

    def _invite_neighbours(self, leader: _Contestant) -> None:
        near = self._finalists.neighbours(leader.members, self._known.values())
        self._waiting = [*self._newcomers(near), *self._waiting]

    def _newcomers(self, sets: Iterable[Members]) -> list[_Contestant]:
        """Those that were not yet there."""
        builds = {frozenset(each.build for each in members): members for members in sets}
        new = {key: members for key, members in builds.items() if key not in self._known}
        self._known |= new
        return [_Contestant(members, self._sizes) for members in new.values()]


def _margin(ran: int) -> float:
    return max(_OUT / ran, _OUT_AT_LEAST)


def _sizes_to_play(members: Members, sizes: Sequence[int], seconds: float) -> tuple[int, ...]:
    """As many of them as sets can play in so many seconds, from the least to the largest."""
    for count, sets in COUNTS.items():
        places = np.linspace(0, len(sizes) - 1, num=min(count, len(sizes))).round()
        some = tuple(sizes[int(place)] for place in places)
        if _Contestant(members, some).expected(some, len(some) // 2) * sets <= seconds:
            return some
    return ()


def _chunks(sizes: Sequence[int], count: int) -> Iterator[list[int]]:
    """All of them in a random order, so many at a time and never one alone."""
    order = random.sample(sizes, len(sizes))
    parts = max(1, len(order) // count)
    return (order[part::parts] for part in range(parts))
