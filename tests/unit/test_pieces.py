"""What pieces of a call read and where their results go, against the whole call at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_dispatch import cost_tables

from gearshift.gears.dispatch import Piece, Plan, Planner, row_by_row
from gearshift.results import Outlet, Results
from gearshift.rows import cut
from gearshift.tensors import Array, RowLayout, TensorSpec, dtype_named

FLOAT = dtype_named("float32")
X = TensorSpec("x", FLOAT, (-1, 3))
SCALE = TensorSpec("scale", FLOAT, ())
OUTLETS = (
    Outlet(RowLayout(), TensorSpec("along", FLOAT, (-1, 3))),
    Outlet(RowLayout(0, 2), TensorSpec("twice", FLOAT, (-1, 3))),
    Outlet(RowLayout(1), TensorSpec("across", FLOAT, (3, -1))),
    Outlet(None, TensorSpec("same", FLOAT, ())),
)


def compute(x: Array, scale: Array) -> list[Array]:
    """One output of each layout, as `OUTLETS` has them."""
    along = x * scale
    return [along, np.repeat(along, 2, axis=0), np.ascontiguousarray(along.T), scale]


def run(plan: Plan, feeds: list[Array]) -> list[Array]:
    results = Results(OUTLETS, plan, np.empty)
    start = 0
    for number, piece in enumerate(plan.pieces):
        made = compute(*cut((X, SCALE), feeds, start, piece))
        assert len(made[0]) == piece.gear
        for target, array in zip(results.targets(start, piece), made, strict=True):
            if target is not None:
                target[...] = array
        results.add(number, start, piece, made)
        start += piece.rows
    return results.finish()


@given(cost_tables(), cost_tables(), st.integers(1, 3), st.integers(1, 60), st.data())
def test_rows_of_all_pieces_are_those_of_the_call(
    wide: dict[int, float], side: dict[int, float], lanes: int, rows: int, data: st.DataObject
) -> None:
    whole = Planner(wide, side, lanes).plan(rows)
    kept = data.draw(st.integers(1, rows))
    for plan in (whole, whole.first(kept), row_by_row(kept, min(wide), 1.0, lanes)):
        x = np.arange(plan.rows * 3, dtype=np.float32).reshape(plan.rows, 3)
        scale = np.asarray(2, np.float32)
        for got, want in zip(run(plan, [x, scale]), compute(x, scale), strict=True):
            np.testing.assert_array_equal(got, want)


@given(cost_tables(), cost_tables(), st.integers(1, 3), st.integers(1, 60), st.data())
def test_a_piece_begins_before_its_rows_wherever_there_are_enough(
    wide: dict[int, float], side: dict[int, float], lanes: int, rows: int, data: st.DataObject
) -> None:
    plan = Planner(wide, side, lanes).plan(rows)
    plan = data.draw(st.sampled_from([plan, plan.first(data.draw(st.integers(0, rows)))]))
    start = 0
    for piece in plan.pieces:
        spare = piece.gear - piece.rows
        assert piece.before == (spare if spare <= start else 0)
        start += piece.rows


@pytest.mark.parametrize(
    ("piece", "start", "read"),
    [
        (Piece(4, 4), 2, [2, 3, 4, 5]),
        (Piece(4, 2, before=2), 5, [3, 4, 5, 6]),
        (Piece(4, 0, before=4), 7, [3, 4, 5, 6]),
    ],
)
def test_nothing_is_copied_where_rows_of_the_call_fill_the_gear(
    piece: Piece, start: int, read: list[int]
) -> None:
    x = np.repeat(np.arange(7, dtype=np.float32), 3).reshape(7, 3)
    (fed,) = cut([X], [x], start, piece)
    assert np.shares_memory(fed, x)
    assert fed[:, 0].tolist() == read


def test_what_cannot_begin_before_its_rows_is_padded_with_its_first() -> None:
    x = np.repeat(np.arange(7, dtype=np.float32), 3).reshape(7, 3)
    (fed,) = cut([X], [x], 1, Piece(4, 2))
    assert not np.shares_memory(fed, x)
    assert fed[:, 0].tolist() == [1, 2, 1, 1]


def test_rows_that_run_by_themselves_are_padded_with_nothing_but_copies() -> None:
    """Or their bits could depend on what came with them."""
    assert {piece.before for piece in row_by_row(9, 4, 1.0, lanes=2).pieces} == {0}
