"""Which set of programs was the quickest of those whose whole plans ran. Pure.

Programs that are timed one by one are quicker than they are in turns: each one more has weights and
memory of its own that come to the caches. So the sets that look best are run whole at the end of a
measurement (`playoff`), and where that was done it counts for more than any sum of single times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from gearshift.gears.build import Measured
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
    looks_best = {each.build for each in predicted}
    if not any(set(each.builds) == looks_best for each in table.played):
        return tuple(predicted)
    sizes = {played: _nbytes(table, played) for played in table.played}
    fitting = [played for played, nbytes in sizes.items() if nbytes <= limit]
    scores = standings(fitting, weights)
    good = [
        played
        for played, score in zip(fitting, scores.tolist(), strict=True)
        if score <= scores.min() * (1 + AS_GOOD)
    ]
    return members(table, min(good, key=sizes.__getitem__))


def standings(played: Sequence[Played], weights: Mapping[int, float]) -> Floats:
    """How much longer each takes than the middle one of them does at each number of rows.

    The quickest would be no measure: the least of many is the one that chance was kindest to.

    Args:
        played: sets that were played for the same numbers of rows.
        weights: how often each number of rows is expected; each counts for the next one played.
    """
    seconds = _seconds(played)
    ratios = seconds / np.median(seconds, axis=1, keepdims=True)
    return mean_and_worst(ratios, _shares(played[0], weights))


def longer(one: Played, other: Played, weights: Mapping[int, float]) -> tuple[float, float]:
    """How much longer calls took with one set than with another: on average, and at most."""
    mine, theirs = _seconds([one, other]).T
    part = mine / theirs - 1
    return float(_shares(one, weights) @ part), float(part.max())


def members(table: CostTable, played: Played) -> tuple[Measured, ...]:
    """What was measured of each of its programs, in the table's order."""
    return tuple(each for each in table.measured if each.build in played.builds)


def _seconds(played: Sequence[Played]) -> Floats:
    """One row for each number of rows, one column for each set."""
    return np.array([[time.seconds for time in each.plans] for each in played]).T


def _shares(played: Played, weights: Mapping[int, float]) -> Floats:
    """How much each number of rows that was played counts."""
    rows = np.array([time.rows for time in played.plans])
    shares = np.zeros(len(rows))
    for expected, weight in weights.items():
        shares[np.abs(rows - expected).argmin()] += weight
    return np.asarray(shares / shares.sum())


def _nbytes(table: CostTable, played: Played) -> int:
    engines = {build.engine for build in played.builds}
    return sum(each.nbytes for each in members(table, played)) + sum(
        map(table.engine_nbytes, engines)
    )
