"""Which sets of programs are worth running whole (`playoff`). Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from gearshift.gears.build import OPEN, Build, Measured
from gearshift.options import Budget
from gearshift.tuning.choose import EACH_PROGRAM, Chooser
from gearshift.tuning.table import CostTable

Members = tuple[Measured, ...]
"""A set of programs, in the table's order."""

_OPINIONS: Final = (EACH_PROGRAM / 3, EACH_PROGRAM, 2 * EACH_PROGRAM, 4 * EACH_PROGRAM)
"""What one more program may be taken to cost the others."""
_BEHIND: Final = 0.15
"""Sets that look worse than the best by more than this part are not worth a try."""


class Finalists:
    """Sets of a table's programs by how good they look.

    Attributes:
        sets: those to begin with, all of one engine each. First comes what looks best under
            ``"balanced"``, then under other budgets and on each engine, then the smallest ones,
            however they look, then the others. There is none where what looks best takes several
            engines: no process that measures has them.
    """

    def __init__(self, table: CostTable, gears: Sequence[int], budget: Budget | int) -> None:
        """Finds them.

        Args:
            table: what was measured, of rows that are independent.
            gears: the declared batch sizes.
            budget: what programs may take.
        """
        self._table = table
        self._whole = Chooser(table, gears)
        limits = self._limits(budget)
        looked_for = [self._whole.choose(limit) for limit in limits]
        self._best = self._looks(looked_for[0])
        found: list[Members] = []
        for among in _narrowed(table):
            chooser = Chooser(among, gears)
            for opinion in map(chooser.asking, _OPINIONS):
                found += [opinion.choose(limit) for limit in limits]
        promising = self._promising(found)
        engines = {each[0].build.engine: each for each in reversed(promising)}
        ranked = dict.fromkeys([*looked_for, *engines.values(), *_smallest(table), *promising])
        is_alone = len(_engines(looked_for[0])) == 1
        self.sets = [each for each in ranked if is_alone and len(_engines(each)) == 1]

    def neighbours(self, leader: Members, others: Iterable[Members]) -> list[Members]:
        """The leader without one of its programs, or with one more of those of other sets.

        What looks best comes first, and what looks hopeless not at all.
        """
        ours = {each.build for each in leader}
        more = {each.build for members in others for each in members} - ours
        sets = [*(ours - {build} for build in ours), *(ours | {build} for build in more)]
        return self._promising(
            tuple(each for each in self._table.measured if each.build in builds)
            for builds in filter(_goes_together, sets)
        )

    def _limits(self, budget: Budget | int) -> list[int]:
        """In bytes, each once: that everything fits is one limit, however large."""
        everything = self._table.nbytes(self._table.measured)
        budgets: list[Budget | int] = ["balanced", "speed"]
        if not isinstance(budget, int) or budget >= self._whole.least:
            budgets.insert(1, budget)
        return list(dict.fromkeys(min(everything, self._whole.limit(each)) for each in budgets))

    def _promising(self, sets: Iterable[Members]) -> list[Members]:
        looks = {members: self._looks(members) for members in sets}
        ranked = sorted(looks, key=looks.__getitem__)
        return [each for each in ranked if looks[each] <= self._best * (1 + _BEHIND)]

    def _looks(self, members: Members) -> float:
        """What a set is worth by the times of its programs, the least the best."""
        builds = {each.build for each in members}
        one = np.array([each.build in builds for each in self._whole.scales.measured])
        lanes = max(build.lanes for build in builds)
        return float(self._whole.worth(one[np.newaxis], lanes)[0])


def _narrowed(table: CostTable) -> Iterator[CostTable]:
    """The table of each engine, and that without its own dynamic batch.

    That one runs any number of rows for the price of one program, and is slow at each change.
    """
    for engine in sorted({each.build.engine for each in table.measured}):
        mine = tuple(each for each in table.measured if each.build.engine == engine)
        fixed = tuple(each for each in mine if each.build.rows != OPEN)
        for some in filter(None, dict.fromkeys((mine, fixed))):
            yield replace(table, measured=some)


def _smallest(table: CostTable) -> Iterator[Members]:
    """Of each engine and number of lanes the smallest program, beside the smallest of one lane.

    Few programs are quicker in turns than they look, and these two waste no row.
    """
    fixed = [each for each in table.measured if each.build.rows != OPEN and not each.build.threads]
    kinds: dict[tuple[str, int], Measured] = {}
    for each in sorted(fixed, key=lambda each: each.build.rows):
        kinds.setdefault((each.build.engine, each.build.lanes), each)
    for (engine, lanes), each in kinds.items():
        if lanes > 1 and (engine, 1) in kinds:
            pair = kinds[engine, 1], each
            yield tuple(each for each in table.measured if each in pair)


def _goes_together(builds: Collection[Build]) -> bool:
    """Whether one process can run them: of one engine, and of one number of lanes at most."""
    lanes = {build.lanes for build in builds} - {1}
    return len(lanes) <= 1 and len({build.engine for build in builds}) == 1


def _engines(members: Members) -> set[str]:
    return {each.build.engine for each in members}
