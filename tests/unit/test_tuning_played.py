"""Sets that ran whole: which one is used, and how they are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gearshift.gears.build import Build, Measured, make_menu
from gearshift.tuning.choose import choose
from gearshift.tuning.explain import explain
from gearshift.tuning.played import longer, menu_of, standings
from gearshift.tuning.table import CostTable, PlanTime, Played
from tables import MB, fixed, table_of

ONE, TWO, THREE = (fixed(1, 2.0), fixed(2, 3.0, 20), fixed(3, 4.0, 40))
"""The larger the better, by their own times."""
GEARS = (6,)


def played(members: Sequence[Measured], *seconds: float) -> Played:
    builds = tuple(sorted(each.build for each in members))
    return Played(builds, tuple(PlanTime(1 + place, each) for place, each in enumerate(seconds)))


def with_played(*sets: Played) -> CostTable:
    return replace(table_of([ONE, TWO, THREE]), played=sets)


LOOKS_BEST = choose(with_played(), "speed", GEARS)


def test_by_single_times_all_of_them_are_used() -> None:
    assert LOOKS_BEST == (ONE, TWO, THREE)


def test_the_quickest_that_ran_is_used() -> None:
    table = with_played(played(LOOKS_BEST, 2.0, 4.0), played([ONE, THREE], 2.0, 3.8))
    assert choose(table, "speed", GEARS) == (ONE, THREE)
    assert choose(with_played(*reversed(table.played)), "speed", GEARS) == (ONE, THREE)


def test_what_looks_best_and_did_not_run_is_used_all_the_same() -> None:
    table = with_played(played([ONE], 1.0), played([ONE, THREE], 0.1))
    assert choose(table, "speed", GEARS) == LOOKS_BEST


def test_what_does_not_fit_is_not_used() -> None:
    table = with_played(played([ONE, TWO], 2.0), played(LOOKS_BEST, 1.0))
    assert choose(table, "speed", GEARS) == LOOKS_BEST
    assert choose(table, 30 * MB, GEARS) == (ONE, TWO)
    quicker = with_played(played([ONE, TWO], 1.0), played(LOOKS_BEST, 2.0))
    assert choose(quicker, 100 * MB, GEARS) == (ONE, TWO)


def test_of_sets_as_good_the_leanest_is_used() -> None:
    lean, large = played([ONE], 2.0, 2.0, 2.0), played(LOOKS_BEST, 1.995, 1.995, 1.995)
    assert choose(with_played(large, lean), "speed", GEARS) == (ONE,)
    better = played(LOOKS_BEST, 1.95, 1.95, 1.95)
    assert choose(with_played(better, lean), "speed", GEARS) == LOOKS_BEST


def test_it_depends_on_what_comes() -> None:
    few, many = played([ONE], 1.0, 3.0, 7.0), played(LOOKS_BEST, 1.2, 2.9, 6.0)
    table = with_played(few, many)
    mostly_many, mostly_one = {1: 1.0, 2: 1.0, 6: 4.0}, {1: 4.0, 2: 1.0, 3: 1.0}
    for weights in (mostly_many, mostly_one):
        assert choose(with_played(), "speed", GEARS, weights=weights) == LOOKS_BEST
    assert choose(table, "speed", GEARS, weights=mostly_many) == LOOKS_BEST
    assert choose(table, "speed", GEARS, weights=mostly_one) == (ONE,)


def test_plans_are_as_they_ran() -> None:
    """2 and 5 rows ran as the smallest alone would run them, which costs are against."""
    alone = (ONE.build,)
    times = PlanTime(1, 2.0), PlanTime(2, 3.5, alone), PlanTime(3, 4.0), PlanTime(6, 9.0, alone)
    table = with_played(Played(tuple(each.build for each in LOOKS_BEST), times))
    menu = menu_of(table, choose(table, "speed", GEARS))
    plans = {rows: menu.at(rows).planner.plan(rows).short for rows in (1, 2, 3, 4, 5, 6, 9)}
    assert plans == {1: "1", 2: "1x2", 3: "3", 4: "3 + 1", 5: "1x5", 6: "1x6", 9: "1x9"}
    assert make_menu(LOOKS_BEST).planner.plan(2).short == "2"
    assert menu_of(with_played(), LOOKS_BEST).at(2).planner.plan(2).short == "2"


def test_no_size_pays_for_all_others() -> None:
    even = played([ONE, TWO], *[1.0] * 8)
    uneven = played(LOOKS_BEST, 1.5, *[0.94] * 7)
    plain = standings([even, uneven], {1: 1.0, 2: 7.0})
    assert plain[1] > plain[0]  # the mean of the uneven is less, its worst is 1.2 times the middle
    assert longer(uneven, even, dict.fromkeys(range(1, 9), 1.0)) == (
        pytest.approx((0.5 - 7 * 0.06) / 8),
        pytest.approx(0.5),
    )


def test_expected_rows_count_for_the_next_that_were_played() -> None:
    one = Played((ONE.build,), (PlanTime(1, 1.0), PlanTime(8, 8.0)))
    other = Played((TWO.build,), (PlanTime(1, 2.0), PlanTime(8, 8.0)))
    assert longer(other, one, {1: 1.0, 2: 1.0, 7: 1.0, 100: 1.0})[0] == pytest.approx(0.5)
    assert longer(one, other, {30: 5.0})[0] == 0


def reasons(table: CostTable) -> dict[Build, str]:
    chosen = choose(table, "speed", GEARS)
    return {each.build: each.reason for each in explain(table, chosen, "speed", GEARS)}


def test_what_ran_is_a_reason() -> None:
    found = reasons(with_played(played(LOOKS_BEST, 2.06, 4.1), played([ONE, THREE], 2.0, 4.0)))
    assert "with it whole plans took 2.6 % longer" in found[TWO.build]
    assert "whole" not in found[ONE.build]
    found = reasons(with_played(played([ONE, TWO], 2.12, 4.24), played(LOOKS_BEST, 2.0, 4.0)))
    assert found[THREE.build] == "without it whole plans took 6.0 % longer, at worst 6.0 %"
    found = reasons(with_played(played(LOOKS_BEST, 2.0, 4.2), played([ONE], 2.0, 4.0)))
    assert "whole plans ran best with those used" in found[THREE.build]
