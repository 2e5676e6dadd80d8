"""Plans against brute force and against the plain recursion."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gearshift.errors import InternalError
from gearshift.gears.dispatch import Piece, Plan, Planner, default_costs

SIZES = st.sets(st.integers(1, 12), min_size=1, max_size=4)
COST = st.floats(0.01, 100)


@st.composite
def cost_tables(draw: st.DrawFn) -> dict[int, float]:
    return {size: draw(COST) for size in draw(SIZES)}


def brute_force(costs: dict[int, float], rows: int) -> float:
    """The cheapest multiset of gears with room for all rows, by trying every one."""
    best = float("inf")
    counts = [range(-(-rows // size) + 1) for size in costs]
    for choice in itertools.product(*counts):
        room = sum(count * size for count, size in zip(choice, costs, strict=True))
        if room >= rows:
            cost = sum(count * c for count, c in zip(choice, costs.values(), strict=True))
            best = min(best, cost)
    return best


def recursion(costs: dict[int, float], rows: int) -> float:
    table = [0.0]
    for n in range(1, rows + 1):
        table.append(min(cost + table[max(0, n - gear)] for gear, cost in costs.items()))
    return table[rows]


@given(cost_tables(), st.integers(0, 20))
def test_no_choice_of_gears_is_cheaper(costs: dict[int, float], rows: int) -> None:
    assert Planner(costs).plan(rows).cost == pytest.approx(brute_force(costs, rows))


@given(cost_tables(), st.integers(0, 3000))
def test_many_rows_cost_what_the_recursion_says(costs: dict[int, float], rows: int) -> None:
    assert Planner(costs).plan(rows).cost == pytest.approx(recursion(costs, rows))


@given(cost_tables(), st.integers(0, 5000))
def test_pieces_hold_the_rows_and_add_up(costs: dict[int, float], rows: int) -> None:
    plan = Planner(costs).plan(rows)
    assert sum(piece.rows for piece in plan.pieces) == rows
    assert all(1 <= piece.rows <= piece.gear for piece in plan.pieces)
    assert all(piece.rows == piece.gear for piece in plan.pieces[:-1]), "only the last is padded"
    assert plan.cost == pytest.approx(sum(costs[piece.gear] for piece in plan.pieces))
    assert plan.padded_rows == sum(piece.gear for piece in plan.pieces) - rows


@given(cost_tables(), st.lists(st.integers(0, 300), max_size=8))
def test_the_order_of_questions_does_not_matter(costs: dict[int, float], asked: list[int]) -> None:
    planner = Planner(costs)
    assert [planner.plan(rows) for rows in asked] == [Planner(costs).plan(rows) for rows in asked]


def test_split_where_it_is_cheaper_and_pad_where_that_is() -> None:
    dear_calls = Planner({1: 10.0, 4: 11.0, 8: 12.0})
    assert dear_calls.plan(5).pieces == (Piece(8, 5),)
    dear_rows = Planner({1: 1.1, 4: 4.1, 8: 8.1})
    assert dear_rows.plan(5).pieces == (Piece(4, 4), Piece(1, 1))


def test_ties_go_to_fewer_pieces() -> None:
    assert Planner({1: 1.0, 2: 2.0, 4: 4.0}).plan(6).pieces == (Piece(4, 4), Piece(2, 2))


def test_a_million_rows_take_no_table_of_a_million() -> None:
    plan = Planner({1: 1.2, 2: 2.1, 8: 7.9}).plan(1_000_003)
    assert sum(piece.rows for piece in plan.pieces) == 1_000_003
    assert plan.pieces[-1] == Piece(1, 1)


def test_a_plan_reads_well() -> None:
    assert str(Planner({4: 1.0}).plan(7)) == "4 + 4(3 rows)"
    assert str(Planner({4: 1.0}).plan(5)) == "4 + 4(1 row)"
    assert str(Planner({4: 1.0}).plan(0)) == "nothing"
    assert Planner({4: 1.0}).plan(0).short == "nothing"


@pytest.mark.parametrize(
    ("costs", "rows", "expected"),
    [
        ({1: 1.0, 4: 3.5}, 11, "4x2 + 1x3"),
        ({1: 9.0, 4: 10.0}, 11, "4x2 + 4(3 rows)"),
        ({1: 1.0, 4: 3.0}, 5, "4 + 1"),
    ],
)
def test_a_plan_in_short(costs: dict[int, float], rows: int, expected: str) -> None:
    assert Planner(costs).plan(rows).short == expected


@pytest.mark.parametrize(
    ("rows", "expected"), [(1, "1"), (4, "[2 | 2]"), (8, "[2x2 | 2x2]"), (5, "1 + [2 | 2]")]
)
def test_a_plan_with_lanes_in_short(rows: int, expected: str) -> None:
    assert Planner({1: 1.0, 2: 2.0}, {2: 2.2}, lanes=2).plan(rows).short == expected


def test_what_is_remembered_is_bounded_in_bytes() -> None:
    planner = Planner({1: 1.0})
    assert planner.plan(64) is planner.plan(64)
    for rows in (65, 50_000, 50_001):
        planner.plan(rows)
    assert set(planner._plans) == {64}
    many = Planner({32: 1.0})
    for rows in range(1, 2049):
        many.plan(rows)
    assert 60_000 < sum(len(plan.pieces) for plan in many._plans.values()) <= 1 << 16
    assert not hasattr(Piece(1, 1), "__dict__")


@pytest.mark.parametrize("costs", [{}, {0: 1.0}, {1: 0.0}, {1: -1.0}, {1: float("nan")}])
def test_a_table_that_means_nothing_is_our_bug(costs: dict[int, float]) -> None:
    with pytest.raises(InternalError):
        Planner(costs)


def test_the_default_model_prefers_splitting() -> None:
    planner = Planner(default_costs((1, 2, 4, 8)))
    assert str(planner.plan(5)) == "4 + 1"
    assert str(planner.plan(8)) == "8"
    assert str(planner.plan(13)) == "8 + 4 + 1"


@given(cost_tables(), st.integers(0, 40), st.sampled_from([0.0, 0.03, 0.5]))
def test_several_pieces_have_to_win_more_than_the_margin(
    costs: dict[int, float], rows: int, margin: float
) -> None:
    best = Planner(costs).plan(rows)
    plan = Planner(costs, margin=lambda several: margin / max(1, several.rows)).plan(rows)
    if rows in costs and costs[rows] <= best.cost * (1 + margin / rows):
        assert plan == Plan(rows, (Piece(rows, rows),), costs[rows])
    else:
        assert plan == best
