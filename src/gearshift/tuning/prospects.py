"""What is still worth measuring, judged by what was measured so far. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from gearshift.gears.build import OPEN, Build
from gearshift.gears.dispatch import Planner
from gearshift.tuning.messages import Candidate

_SMALL: Final = 4
"""Programs for so few rows are always tried: they cost little, and the others are held to them."""
_LONG_FOR_ONE_THREAD: Final = 2e-3
"""Seconds. Waking threads and waiting for them takes up to a few tenths of a millisecond."""
_WORSE: Final = 1.1
"""A size that takes so many times what smaller ones take together does not pay."""

Costs = Mapping[Candidate, float]
"""Seconds of one execution of each candidate, in every lane at once."""


def best_cost(costs: Costs, rows: int) -> float:
    """Seconds of the best plan for that many rows; infinite if there is none.

    A plan has one number of lanes, as a session does.
    """
    return min(_best_cost(costs, rows, lanes) for lanes in _lane_counts(costs))


def unpromising(build: Build, costs: Costs) -> str | None:
    """Why a program need not even be built; None if it is to be.

    One on a single thread need not if what that may save, which is to wake the others, is little of
    the whole. A larger one need not if the next two smaller ones of its kind both take clearly
    longer than what is smaller still does for as many rows: making batches larger does not pay on
    this model.
    """
    if build.threads == 1:
        shared = best_cost(
            {each: cost for each, cost in costs.items() if not each.build.threads}, build.rows
        )
        if _LONG_FOR_ONE_THREAD < shared < math.inf:
            return f"not promising: on all threads as many rows take {shared * 1e3:.1f} ms"
    last = next_smaller(build, costs)
    if build.rows <= _SMALL or len(last) < 2:
        return None
    ratios = [_ratio_to_smaller(candidate, costs) for candidate in last]
    if min(ratios) <= _WORSE:
        return None
    sizes = " and ".join(str(candidate.rows) for candidate in last)
    return (
        f"not promising: programs for {sizes} rows take {ratios[0]:.2f} and {ratios[1]:.2f} times "
        "what smaller ones take for as many"
    )


def next_smaller(build: Build, costs: Costs) -> list[Candidate]:
    """The next two smaller programs of its kind, ascending; fewer if there are no more."""
    kind = (
        candidate
        for candidate in costs
        if replace(candidate.build, rows=build.rows) == build
        and candidate.lanes == build.lanes
        and OPEN != candidate.build.rows < build.rows
    )
    return sorted(kind, key=lambda candidate: candidate.rows)[-2:]


def hopeless(costs: Costs, quicker: float) -> set[Candidate]:
    """Those that would be in no plan even if they took so much less, 0.25 for a quarter.

    One would be in none if the other candidates of any session that has it, each with its number
    of lanes, run as many rows for no more: they could take its place in any plan.
    """
    counts = _lane_counts(costs)
    alone = [candidate for candidate in costs if candidate.lanes == 1]
    planners = {lanes: _planner(costs, lanes) for lanes in counts | {each.lanes for each in costs}}

    def is_hopeless(candidate: Candidate, cost: float) -> bool:
        rows = candidate.rows * candidate.lanes
        for lanes in counts if candidate.lanes == 1 else (candidate.lanes,):
            planner = planners[lanes]
            best = math.inf if planner is None else planner.plan(rows).cost
            # A plan that takes less than the candidate does is one without it.
            if best >= cost or best > cost * (1 - quicker):
                return False
        return True

    return {
        candidate
        for candidate, cost in costs.items()
        if [candidate] != alone and is_hopeless(candidate, cost)  # no session is without one
    }


def _ratio_to_smaller(candidate: Candidate, costs: Costs) -> float:
    smaller = {other: cost for other, cost in costs.items() if other.rows < candidate.rows}
    return costs[candidate] / best_cost(smaller, candidate.rows * candidate.lanes)


def _lane_counts(costs: Costs) -> set[int]:
    """The numbers of lanes that sessions may have."""
    return {candidate.lanes for candidate in costs if candidate.lanes > 1} or {1}


def _best_cost(costs: Costs, rows: int, lanes: int) -> float:
    planner = _planner(costs, lanes)
    return math.inf if planner is None else planner.plan(rows).cost


def _planner(costs: Costs, lanes: int) -> Planner | None:
    """Plans of a session with so many lanes; None if nothing has the machine to itself."""
    wide = _quickest(costs, 1)
    side = _quickest(costs, lanes) if lanes > 1 else None
    return Planner(wide, side, lanes) if wide else None


def _quickest(costs: Costs, lanes: int) -> dict[int, float]:
    """By rows, the least of the candidates that run in so many lanes."""
    found: dict[int, float] = {}
    for candidate, cost in costs.items():
        if candidate.lanes == lanes:
            found[candidate.rows] = min(cost, found.get(candidate.rows, math.inf))
    return found
