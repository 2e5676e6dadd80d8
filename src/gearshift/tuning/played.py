"""Which set of programs was the quickest of those whose whole plans ran. Pure.

Programs that are timed one by one are quicker than they are in turns: each one more has weights and
memory of its own that come to the caches. So the sets that look best are run whole at the end of a
measurement (`playoff`), and where that was done it counts for more than any sum of single times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from gearshift.gears.build import Measured, Menu, make_menu
from gearshift.tuning.table import CostTable, Played
from gearshift.tuning.weigh import Floats, mean_and_worst

AS_GOOD: Final = 0.005
"""Of sets that differ by less than this part the one that takes least memory is used."""


def best_played(
    table: CostTable, predicted: Sequence[Measured], limit: int, weights: Mapping[int, float]
) -> tuple[Measured, ...]:
    """The quickest set that was played and takes no more than so many bytes, in the table's order.

    Sets that were played can only be told from each other. So if the predicted one, which looks
    best of all that fit, is none of them, it is what is used.

    Args:
        table: what was measured.
        predicted: what looks best by the times of single programs.
        limit: bytes that programs may take, with the engines they need.
        weights: how often each number of rows is expected.
    """
    if record_of(table, predicted) is None:
        return tuple(predicted)
    scores = standings(table.played, weights)
    sets = [played_members(table, each) for each in table.played]
    fitting = [
        (score, table.nbytes(some), some)
        for score, some in zip(scores.tolist(), sets, strict=True)
        if table.nbytes(some) <= limit
    ]
    least = min(score for score, _, _ in fitting)
    good = [each for each in fitting if each[0] <= least * (1 + AS_GOOD)]
    return min(good, key=lambda each: each[1])[2]


def record_of(table: CostTable, members: Sequence[Measured]) -> Played | None:
    """What was found when that set was played; None if it was not."""
    builds = {each.build for each in members}
    return next((each for each in table.played if builds == set(each.builds)), None)


def played_members(table: CostTable, played: Played) -> tuple[Measured, ...]:
    """What was measured of each of its programs, in the table's order."""
    return tuple(each for each in table.measured if each.build in played.builds)


def menu_of(table: CostTable, members: Sequence[Measured]) -> Menu:
    """What a session plans with that has these programs: as they ran, where they did."""
    record = record_of(table, members)
    if record is None or not any(time.through for time in record.plans):
        return make_menu(members)
    return make_menu(members, {time.rows: time.through or record.builds for time in record.plans})


def standings(played: Sequence[Played], weights: Mapping[int, float]) -> Floats:
    """How much longer each takes than the quickest of them does at each number of rows.

    Args:
        played: sets that were played for the same numbers of rows.
        weights: how often each number of rows is expected; each counts for the next one played.
    """
    shares = _shares(played[0], weights)
    seconds = np.array([_seconds(each) for each in played]).T[shares > 0]
    ratios = seconds / seconds.min(axis=1, keepdims=True)
    return mean_and_worst(ratios, shares[shares > 0])


def longer(one: Played, other: Played, weights: Mapping[int, float]) -> tuple[float, float]:
    """How much longer calls took with one set than with another: on average, and at most."""
    part = _seconds(one) / _seconds(other) - 1
    return float(_shares(one, weights) @ part), float(part.max())


def _seconds(played: Played) -> Floats:
    return np.array([time.seconds for time in played.plans])


def _shares(played: Played, weights: Mapping[int, float]) -> Floats:
    """How much each number of rows that was played counts."""
    rows = np.array([time.rows for time in played.plans])
    shares = np.zeros(len(rows))
    for expected, weight in weights.items():
        shares[np.abs(rows - expected).argmin()] += weight
    return np.asarray(shares / shares.sum())
