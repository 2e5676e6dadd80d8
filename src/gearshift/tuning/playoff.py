"""Has whole plans of the sets of programs that look best run by turns, to see which is quickest.

The last part of a measurement. First play the sets that look best (`finalists`); then, as long as
there is time, also what differs from the quickest by one program, and the same programs with those
plans that ran quicker. All play the same numbers of rows in the same order, a few at a time and one
set after the other, so that what disturbs this machine for a while disturbs all of them alike.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from gearshift.gears.build import Build, Through
from gearshift.options import Budget
from gearshift.tuning.choose import choose
from gearshift.tuning.contestant import Contestant, player_of
from gearshift.tuning.finalists import Finalists, Members
from gearshift.tuning.played import standings
from gearshift.tuning.table import CostTable, Played
from gearshift.tuning.tally import Found, Player, Tally
from gearshift.tuning.weigh import spread_sizes

Run = Callable[[Members, Sequence[int], Through], Sequence[float]]
"""Takes the programs of a set, numbers of rows, and whose plans are taken; gives the seconds of a
call of each number."""

COUNTS: Final = {16: 4, 8: 2}
"""How many numbers of rows are played, by how many sets there has to be the time for."""
_MARGIN: Final = 1.2
"""Plans take longer than they are expected to, and a pass that is not ended tells nothing."""
_FIELD: Final = 5
"""Sets that play against the first at a time."""
_OUT_AT_LEAST: Final = 0.01
_OUT: Final = 0.08
"""Who is behind by more than chance explains is out; not by less than the first of these parts, and
by more than the second whatever chance explains."""
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
        self._known: dict[Player, Contestant] = {}
        self._waiting: list[Contestant] = []
        self._invite(finalists.sets)
        self._first = self._waiting.pop(0)
        if not self._waiting:
            self._invite(finalists.neighbours(self._first.members, []))
        self._in_play: list[Contestant] = []
        self._out: list[Contestant] = []
        self._tally, self._turn = Tally(), 0
        whole = self._first.expected(sizes, len(sizes) // 2)
        self._repeats = max(1, min(_REPEATS, int(min(_PASS, left() / 2) / whole)))
        self._per_turn = max(2, round(_TURN / (whole / len(sizes))))
        self._took, self._was_expected = 0.0, 0.0

    def play(self) -> tuple[Played, ...]:
        """Plays until the time is over, or nobody is left to play against."""
        with contextlib.suppress(EngineGoneError):
            while self._let_in() and self._play_pass():
                self._let_go()
        if not self._first.ran:
            return ()
        enough = min(_ENOUGH, self._first.ran)
        rivals = [*(each for each in self._in_play if each.ran >= enough), *self._out]
        return self._told([self._first, *rivals]) if rivals else ()

    def _told(self, contestants: Sequence[Contestant]) -> tuple[Played, ...]:
        """Each set as it was quickest."""
        found = self._tally.found()
        records = [each.record(found) for each in contestants]
        scores = standings(records, self._weights).tolist()
        told: dict[tuple[Build, ...], Played] = {each.builds: each for each in records}
        for _, record in sorted(zip(scores, records, strict=True), key=lambda each: -each[0]):
            told[record.builds] = record
        return tuple(told.values())

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

    def _time_of(self, field: Iterable[Contestant], sizes: Sequence[int], turns: int = 1) -> float:
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

    def _play_turn(self, field: Sequence[Contestant], sizes: Sequence[int]) -> None:
        for each in random.sample(field, len(field)):
            times = self._run(each.members, sizes, each.through)
            for rows, seconds in zip(sizes, times, strict=True):
                each.note(self._tally, self._turn, rows, seconds)
        self._turn += 1

    def _let_go(self) -> None:
        """Who is too far behind is out, and the leader's neighbours come next."""
        found = self._tally.found()
        field = [self._first, *self._in_play]
        scores = standings([each.record(found) for each in field], self._weights)
        leader = field[int(scores.argmin())]
        for each, behind in zip(field, scores / scores.min() - 1, strict=True):
            by_chance = found.by_chance(each.player, leader.player)
            if each in self._in_play and behind > min(max(by_chance, _OUT_AT_LEAST), _OUT):
                self._in_play.remove(each)
                self._out.append(each)
        self._invite(self._finalists.neighbours(leader.members, self._members_known()))
        self._invite_improved(found, field, leader)

    def _invite_improved(
        self, found: Found, field: Sequence[Contestant], leader: Contestant
    ) -> None:
        """The same programs with better plans, one such at a time, where these may be enough."""
        there = Counter(each.builds for each in (*field, *self._waiting))
        for each in field:
            one = each.improved(found, [*field, *self._out])
            records = [leader.record(found), one.record(found, like=each)]
            best, expected = standings(records, self._weights)
            is_new = one.player not in self._known and there[each.builds] == 1
            if is_new and expected <= best * (1 + _OUT_AT_LEAST):
                self._known[one.player] = one
                self._waiting.insert(0, one)

    def _members_known(self) -> set[Members]:
        return {each.members for each in self._known.values()}

    def _invite(self, sets: Iterable[Members]) -> None:
        """Those that were not yet there, before all others."""
        new = [
            Contestant(members, self._sizes)
            for members in sets
            if player_of(members, {}) not in self._known
        ]
        self._known |= {each.player: each for each in new}
        self._waiting = [*new, *self._waiting]


def _sizes_to_play(members: Members, sizes: Sequence[int], seconds: float) -> tuple[int, ...]:
    """As many of them as sets can play in so many seconds, from the least to the largest."""
    for count, sets in COUNTS.items():
        places = np.linspace(0, len(sizes) - 1, num=min(count, len(sizes))).round()
        some = tuple(sizes[int(place)] for place in places)
        if Contestant(members, some).expected(some, len(some) // 2) * sets <= seconds:
            return some
    return ()


def _chunks(sizes: Sequence[int], count: int) -> Iterator[list[int]]:
    """All of them in a random order, so many at a time and never one alone."""
    order = random.sample(sizes, len(sizes))
    parts = max(1, len(order) // count)
    return (order[part::parts] for part in range(parts))
