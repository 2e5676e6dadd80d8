"""Plans with lanes against every way to deal the rows out."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_dispatch import COST, brute_force, cost_tables, recursion

from gearshift.gears.build import OPEN, Build, Measured, Offer, Timing, make_menu
from gearshift.gears.dispatch import Piece, Plan, Planner, row_by_row

LANES = st.integers(2, 4)


def every_deal(wide: dict[int, float], side: dict[int, float], lanes: int, rows: int) -> float:
    """The least makespan over every way to give each lane, and nobody, its rows."""
    alone = [brute_force(wide, n) for n in range(rows + 1)]
    lane = [brute_force(side, n) for n in range(rows + 1)]
    return min(
        alone[rows - sum(deal)] + max(lane[n] for n in deal)
        for deal in itertools.product(range(rows + 1), repeat=lanes)
        if sum(deal) <= rows
    )


def makespan(plan: Plan, wide: dict[int, float], side: dict[int, float]) -> float:
    """What a plan costs, added up piece by piece."""
    lanes = [sum(side[piece.gear] for piece in lane) for lane in plan.lanes]
    return sum(wide[piece.gear] for piece in plan.alone) + max(lanes, default=0.0)


@given(cost_tables(), cost_tables(), st.integers(2, 3), st.integers(0, 9))
def test_no_deal_is_cheaper(
    wide: dict[int, float], side: dict[int, float], lanes: int, rows: int
) -> None:
    best = every_deal(wide, side, lanes, rows)
    assert Planner(wide, side, lanes).plan(rows).cost == pytest.approx(best)


@given(cost_tables(), cost_tables(), LANES, st.integers(0, 3000))
def test_many_rows_cost_what_sharing_them_out_says(
    wide: dict[int, float], side: dict[int, float], lanes: int, rows: int
) -> None:
    recursion_table = _table(wide, rows)
    lane_table = _table(side, rows)
    best = min(
        recursion_table[rows - shared] + lane_table[-(-shared // lanes)]
        for shared in range(rows + 1)
    )
    assert Planner(wide, side, lanes).plan(rows).cost == pytest.approx(best)
    assert recursion_table[rows] == pytest.approx(recursion(wide, rows))


def _table(costs: dict[int, float], rows: int) -> list[float]:
    table = [0.0]
    for n in range(1, rows + 1):
        table.append(min(cost + table[max(0, n - gear)] for gear, cost in costs.items()))
    return table


@given(cost_tables(), cost_tables(), LANES, st.integers(0, 5000))
def test_pieces_hold_the_rows_and_add_up(
    wide: dict[int, float], side: dict[int, float], lanes: int, rows: int
) -> None:
    plan = Planner(wide, side, lanes).plan(rows)
    assert sum(piece.rows for piece in plan.pieces) == rows
    assert all(1 <= piece.rows <= piece.gear for piece in plan.pieces)
    assert len(plan.lanes) <= lanes
    assert plan.pieces == (*plan.alone, *itertools.chain(*plan.lanes)), "in row order"
    assert makespan(plan, wide, side) == pytest.approx(plan.cost)


@given(cost_tables(), cost_tables(), LANES, st.integers(1, 60), st.data())
def test_the_first_rows_of_a_plan(
    wide: dict[int, float], side: dict[int, float], lanes: int, rows: int, data: st.DataObject
) -> None:
    whole = Planner(wide, side, lanes).plan(rows)
    kept = data.draw(st.integers(0, rows))
    plan = whole.first(kept)
    assert [piece.gear for piece in plan.pieces] == [piece.gear for piece in whole.pieces]
    assert (plan.rows, sum(piece.rows for piece in plan.pieces)) == (kept, kept)
    assert plan.cost == whole.cost


def test_what_lanes_are_for() -> None:
    planner = Planner({1: 8.0, 8: 61.0}, {1: 14.4}, lanes=2)
    assert str(planner.plan(1)) == "1"
    assert str(planner.plan(4)) == "[1 + 1 | 1 + 1]"
    assert str(planner.plan(5)) == "1 + [1 + 1 | 1 + 1]"
    assert planner.plan(4).pieces == (
        *(Piece(1, 1, 0), Piece(1, 1, 0)),
        *(Piece(1, 1, 1), Piece(1, 1, 1)),
    )


def test_one_lane_is_none() -> None:
    assert Planner({2: 3.0}, {1: 0.1}, lanes=1).plan(4) == Planner({2: 3.0}).plan(4)


@given(st.integers(0, 40), st.integers(1, 5), st.integers(1, 4), COST)
def test_row_by_row_gives_each_row_a_piece(rows: int, gear: int, lanes: int, cost: float) -> None:
    plan = row_by_row(rows, gear, cost, lanes)
    assert [(piece.gear, piece.rows) for piece in plan.pieces] == [(gear, 1)] * rows
    busiest = max((len(lane) for lane in plan.lanes), default=rows if lanes == 1 else 0)
    assert busiest == -(-rows // lanes)
    assert plan.cost == pytest.approx(cost * busiest)


SMALL = Measured(Build("a", 1), (Timing(1, 2.0, 2.0),), 10)
PAIR = Measured(Build("a", 1, lanes=2), (Timing(1, 3.0, 1.5),), 20)
ANY = Measured(Build("b", 0), (Timing(1, 4.0, 4.0), Timing(8, 5.0, 5.0)), 30)


def test_a_menu_offers_the_quickest_of_each_size() -> None:
    menu = make_menu([SMALL, PAIR, ANY])
    between = {rows: Offer(ANY.build, 4 + (rows - 1) / 7) for rows in range(2, 8)}
    assert menu.wide == pytest.approx(
        {1: Offer(PAIR.build, 1.5), **between, 8: Offer(ANY.build, 5.0)}
    )
    assert (menu.side, menu.lanes) == ({1: Offer(PAIR.build, 3.0)}, 2)
    assert menu.builds == (PAIR.build, ANY.build)
    assert menu.starter == PAIR.build
    assert menu.build(Piece(1, 1, lane=1)) == PAIR.build
    left = menu.only({ANY.build})
    assert (left.wide, left.side, left.lanes) == ({**between, 8: Offer(ANY.build, 5.0)}, {}, 1)
    plan = Planner({8: 5.0}, {1: 3.0}, 2).plan(10)
    assert menu.planner.plan(2).cost == 3.0
    assert menu.builds_of(plan) == {PAIR.build, ANY.build}


def test_an_open_build_is_offered_for_the_rows_between_those_it_was_timed_at() -> None:
    timings = (Timing(1, 4.0, 2.0), Timing(3, 6.0, 5.0), Timing(12, 15.0, 14.0))
    offers = {
        each.rows: (each.seconds, each.alone)
        for each in Measured(Build("b", 0, 2), (*timings, Timing(64, 67.0, 66.0)), 1).offers
    }
    assert [*offers] == [*range(1, 17), 64]
    assert all(offers[each.rows] == (each.seconds, each.alone) for each in timings)
    assert offers[2] == (5.0, 3.5)
    assert offers[15] == (18.0, 17.0)
    fixed = Measured(Build("b", 3), timings[1:2], 1)
    assert fixed.offers == fixed.timings


def test_an_open_build_has_to_lose_more_before_it_runs_in_pieces() -> None:
    """To it each piece is another number of rows; to what runs in its stead none is."""
    for per_row, *expected in (
        (1.02, "4", "4", "4"),
        (1.12, "4", "2x2", "2x2"),
        (1.2, "2x2", "2x2", "2x2"),
    ):
        timings = Timing(2, 2.0, 2.0), Timing(4, 4.0 * per_row, 4.0 * per_row)
        opened = Measured(Build("openvino", OPEN), timings, 1)
        two, four = (Measured(Build("openvino", each.rows), (each,), 1) for each in timings)
        quicker = Measured(two.build, (Timing(2, 1.999, 1.999),), 1)
        plans = [
            make_menu(some).planner.plan(4).short
            for some in ([opened], [two, four], [opened, quicker])
        ]
        assert plans == expected


def test_a_plan_through_some_of_the_builds() -> None:
    """It goes for the numbers of rows around as well, up to where another one is as near."""
    whole, small = make_menu([SMALL, PAIR, ANY]), make_menu([SMALL])
    everything = [SMALL.build, PAIR.build, ANY.build]
    through = {1: everything, 5: [SMALL.build], 8: everything}
    menu = make_menu([SMALL, PAIR, ANY], through)
    for rows in range(40):
        wanted = small if 4 <= rows <= 6 else whole
        assert menu.at(rows).planner.plan(rows) == wanted.planner.plan(rows)
    plan = menu.at(5).planner.plan(5)
    assert plan.short == "1x5" != whole.planner.plan(5).short
    assert menu.at(5).builds_of(plan) == {SMALL.build}  # which beside PAIR runs no row by itself
    assert menu.at(8) is menu.at(100) is menu
    assert SMALL.build in menu.builds
    assert SMALL.build not in whole.builds
    beyond = make_menu([SMALL, PAIR, ANY], {1: everything, 5: [SMALL.build]})
    assert beyond.at(1000).planner.plan(1000).short == "1x1000"


def test_fewer_builds_that_are_not_all_there_plan_nothing() -> None:
    menu = make_menu([SMALL, PAIR, ANY], {5: [SMALL.build], 8: [PAIR.build, ANY.build]})
    left = menu.only({SMALL.build, PAIR.build})
    assert left.at(5).builds == (SMALL.build,)
    assert left.at(8) is left
    assert left.builds == (SMALL.build, PAIR.build)


def test_a_build_says_what_it_is() -> None:
    assert str(PAIR.build) == "a, 1 row in 2 lanes"
    assert str(ANY.build) == "b, any rows"
    assert str(Build("c", 4)) == "c, 4 rows"
