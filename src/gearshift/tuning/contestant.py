"""A set of programs that plays against others, and how it runs each number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gearshift.gears.build import Build, Through, make_menu
from gearshift.tuning.finalists import Members
from gearshift.tuning.messages import PAUSE, RUNS, SHORT
from gearshift.tuning.table import PlanTime, Played
from gearshift.tuning.tally import Found, Player, Tally, Way

_QUICKER: Final = 0.02
_LUCK: Final = 1.5
"""By more than this part, and by more than so many times what chance explains, has another plan to
be quicker than that which costs say: of many plans one looks quicker by chance."""


class Contestant:
    """A set, and how it runs each number of rows.

    Attributes:
        members: its programs.
        builds: what they are.
        through: whose plans it takes; empty for those of all its programs.
        ways: how it runs each number of rows.
        player: what tells it from all others.
    """

    def __init__(
        self, members: Members, sizes: Sequence[int], through: Through | None = None
    ) -> None:
        self.members = members
        self.builds = frozenset(each.build for each in members)
        self.through = {rows: frozenset(builds) for rows, builds in (through or {}).items()}
        self.player = player_of(members, self.through)
        menu = make_menu(members, self.through)
        menus = {rows: menu.at(rows) for rows in sizes}
        plans = {rows: each.planner.plan(rows) for rows, each in menus.items()}
        self.ways: Mapping[int, Way] = {
            rows: (rows, tuple((menus[rows].build(piece), piece) for piece in plan.pieces))
            for rows, plan in plans.items()
        }
        self._planned = {rows: plan.cost for rows, plan in plans.items()}
        self._times = dict.fromkeys(sizes, 0)

    @property
    def ran(self) -> int:
        """How often it ran each number of rows."""
        return min(self._times.values())

    def note(self, tally: Tally, turn: int, rows: int, seconds: float) -> None:
        """What a call of so many rows took in that turn."""
        self._times[rows] += 1
        tally.add(turn, self.player, self.ways[rows], self._planned[rows], seconds)

    def expected(self, sizes: Iterable[int], turns: int = 1) -> float:
        """Seconds of so many turns: what a probe does, with a call in each that is not timed."""
        costs = [self._planned[rows] for rows in sizes]
        pauses = sum(PAUSE for cost in costs if cost < SHORT)
        return sum(costs) * (RUNS + turns / len(costs)) + pauses

    def record(self, found: Found, like: Contestant | None = None) -> Played:
        """What its calls take; with what programs cost each other as for one that is like it."""
        player = (like or self).player
        return Played(
            tuple(sorted(self.builds)),
            tuple(
                PlanTime(rows, found.seconds(player, way), self._fewer(rows))
                for rows, way in self.ways.items()
            ),
        )

    def improved(self, found: Found, others: Iterable[Contestant]) -> Contestant:
        """The same programs, with plans of others that have no more, where those ran quicker.

        What costs say is of programs one by one: what it takes to come from one to the next, and
        what a program loses beside others, shows where plans ran.
        """
        smaller = [each for each in others if each.builds <= self.builds]
        through: dict[int, frozenset[Build]] = {}
        for rows, way in self.ways.items():
            rivals = [each for each in smaller if each.ways[rows] in found.ways]
            best = min([self, *rivals], key=lambda each: found.ways[each.ways[rows]])
            quicker = found.ways[way] - found.ways[best.ways[rows]]
            is_quicker = quicker > max(_LUCK * found.by_chance(way, best.ways[rows]), _QUICKER)
            source = best if is_quicker else self
            through[rows] = source.through.get(rows, source.builds)
        is_plain = all(builds == self.builds for builds in through.values())
        return Contestant(self.members, list(self.ways), {} if is_plain else through)

    def _fewer(self, rows: int) -> tuple[Build, ...]:
        """Whose plan it takes, if not that of all its programs."""
        builds = self.through.get(rows, self.builds)
        return tuple(sorted(builds)) if builds < self.builds else ()


def player_of(members: Members, through: Through) -> Player:
    """What tells a set that takes those plans from all others."""
    plans = frozenset((rows, frozenset(builds)) for rows, builds in through.items())
    return frozenset(each.build for each in members), plans
