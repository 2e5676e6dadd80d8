"""Why each program that was measured is used or not, for people to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gearshift.gears.build import Build, Measured
from gearshift.options import Budget
from gearshift.tuning.choose import SECOND_ENGINE, Chooser
from gearshift.tuning.played import longer, record_of
from gearshift.tuning.table import CostTable
from gearshift.tuning.weigh import Sets


@dataclass(frozen=True)
class Explained:
    """One program, what it costs, and why it is used or not.

    Attributes:
        build: the program.
        milliseconds: (rows, time of one execution with all lanes busy); none if it was dropped.
        nbytes: resident memory it adds; 0 if it was dropped.
        used: whether it was chosen.
        reason: half a sentence.
    """

    build: Build
    milliseconds: tuple[tuple[int, float], ...]
    nbytes: int
    used: bool
    reason: str


def explain(
    table: CostTable,
    chosen: Sequence[Measured],
    budget: Budget | int,
    gears: Sequence[int],
    *,
    exact: bool = False,
    weights: Mapping[int, float] | None = None,
) -> tuple[Explained, ...]:
    """Every build of the table: first those measured, then those dropped.

    Args:
        table: what was measured.
        chosen: what `choose` made of it.
        budget: as for `choose`, and the same for all that follow.
        gears: the declared batch sizes.
        exact: whether the model is not separable.
        weights: how often each number of rows is expected.
    """
    chooser = Chooser(table, gears, exact, weights)
    reasons = _Reasons(chooser, chosen, chooser.limit(budget), table)
    used = {each.build for each in chosen}
    measured = [
        Explained(
            each.build,
            tuple((timing.rows, timing.seconds * 1e3) for timing in each.timings),
            each.nbytes,
            each.build in used,
            reasons.why(each) if each.build in used else reasons.why_not(each),
        )
        for each in table.measured
    ]
    dropped = [
        Explained(each.build, (), 0, False, f"dropped: {each.reason}") for each in table.dropped
    ]
    return (*measured, *dropped)


class _Reasons:
    """Compares the chosen set with those that have one build more or less."""

    def __init__(
        self, chooser: Chooser, chosen: Sequence[Measured], limit: int, table: CostTable
    ) -> None:
        builds = {each.build for each in chosen}
        self._chooser = chooser
        self._scales = scales = chooser.scales
        self._limit = limit
        self._table = table
        self._place = {each.build: index for index, each in enumerate(scales.measured)}
        self._chosen = np.array([each.build in builds for each in scales.measured])
        self._lanes = max((build.lanes for build in builds), default=1)

    def why(self, measured: Measured) -> str:
        """What would be lost without a build that is used."""
        others = self._with(measured, False)
        if not others.any():
            return "runs everything by itself"
        if not self._scales.runs(others[np.newaxis])[0]:
            return "runs what no other that is used can"
        ran = self._ran(others, self._chosen)
        if ran and ran[0] > 0:
            mean, worst = map(_percent, ran)
            return f"without it whole plans took {mean} longer, at worst {worst}"
        average, most = self._scales.longer(others, self._lanes, self._chosen, self._lanes)
        return f"without it plans take {_percent(average)} longer, at worst {_percent(most)}"

    def why_not(self, measured: Measured) -> str:
        """What speaks against a build that is not used."""
        lanes = measured.build.lanes
        if measured.build not in self._place:
            return "this model's rows cannot be shared out over lanes"
        if lanes > 1 and self._lanes not in (1, lanes):
            return f"runs in {lanes} lanes, and those used in {self._lanes}"
        more, lanes = self._with(measured, True), max(lanes, self._lanes)
        longer, most = self._scales.longer(self._chosen, self._lanes, more, lanes)
        if most <= _ROUNDING:
            return "never quicker than those used"
        win = f"without it plans take {_percent(longer)} longer, at worst {_percent(most)}"
        ran = self._ran(more, self._chosen)
        if ran and ran[0] > 0:
            return f"{win}, by single times; with it whole plans took {_percent(ran[0])} longer"
        if self._worth(self._chosen, self._lanes) <= self._worth(more, lanes):
            return f"{win}: {self._too_little(more)}"
        nbytes = int(self._scales.nbytes(more[np.newaxis])[0])
        if nbytes <= self._limit and self._ran(self._chosen, self._chosen):
            return f"{win}, by single times; whole plans ran best with those used"
        if nbytes <= self._limit:
            return win
        added = nbytes - int(self._scales.nbytes(self._chosen[np.newaxis])[0])
        over = nbytes - self._limit
        return f"{win}, but it takes {_megabytes(added)}, {_megabytes(over)} over the budget"

    def _with(self, measured: Measured, used: bool) -> Sets:
        changed = self._chosen.copy()
        changed[self._place[measured.build]] = used
        return changed

    def _ran(self, one: Sets, other: Sets) -> tuple[float, float] | None:
        """How much longer whole plans of one set took than those of another, if both ran."""
        mine, theirs = (record_of(self._table, self._members(each)) for each in (one, other))
        return longer(mine, theirs, self._chooser.expected) if mine and theirs else None

    def _members(self, one: Sets) -> list[Measured]:
        return [each for each, used in zip(self._scales.measured, one, strict=True) if used]

    def _worth(self, one: Sets, lanes: int) -> float:
        return float(self._chooser.worth(one[np.newaxis], lanes)[0])

    def _too_little(self, more: Sets) -> str:
        now, then = self._scales.engine_counts(np.array([self._chosen, more])).tolist()
        if then > now:
            return f"too little, since engines that share the cores are taken to cost {_MIXING}"
        return "less than one more costs the others"


_ROUNDING = 1e-6
_MIXING = f"{100 * SECOND_ENGINE:g} %"


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %"


def _megabytes(nbytes: int) -> str:
    return f"{nbytes / 1e6:.0f} MB" if nbytes >= 10_000_000 else f"{nbytes / 1e6:.1f} MB"
