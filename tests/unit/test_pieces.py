"""What pieces of a call read and where their results go, against the whole call at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_dispatch import cost_tables

from gearshift.engines.base import Executable
from gearshift.gears.dispatch import Piece, Plan, Planner, row_by_row
from gearshift.results import Results, outlets
from gearshift.rows import check_feeds, cut
from gearshift.tensors import Array, RowLayout, TensorSpec, dtype_named
from gearshift.verify.padrows import moved_output

FLOAT = dtype_named("float32")
X = TensorSpec("x", FLOAT, (-1, 3))
SCALE = TensorSpec("scale", FLOAT, ())
OUTLETS = outlets(
    (RowLayout(), RowLayout(0, 2), RowLayout(1), None),
    (
        TensorSpec("along", FLOAT, (-1, 3)),
        TensorSpec("twice", FLOAT, (-1, 3)),
        TensorSpec("across", FLOAT, (3, -1)),
        TensorSpec("same", FLOAT, ()),
    ),
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
def test_rows_of_the_call_fill_a_gear_wherever_there_are_enough(
    wide: dict[int, float], side: dict[int, float], lanes: int, rows: int, data: st.DataObject
) -> None:
    plan = Planner(wide, side, lanes).plan(rows)
    plan = data.draw(st.sampled_from([plan, plan.first(data.draw(st.integers(0, rows)))]))
    start = 0
    for piece in plan.pieces:
        if piece.is_full or piece.gear > plan.rows:
            assert piece.before is None
        else:
            assert piece.before is not None
            begin = start - piece.before
            assert 0 <= begin <= begin + piece.gear <= plan.rows
            assert piece.before + piece.rows <= piece.gear, "its own rows are among them"
        start += piece.rows


@pytest.mark.parametrize(
    ("piece", "start", "read"),
    [
        (Piece(4, 4), 2, [2, 3, 4, 5]),
        (Piece(4, 2, before=0), 1, [1, 2, 3, 4]),
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


@pytest.mark.parametrize(
    ("piece", "read"), [(Piece(4, 2), [1, 2, 1, 1]), (Piece(4, 0), [0, 0, 0, 0])]
)
def test_what_nothing_fills_is_padded_with_copies(piece: Piece, read: list[int]) -> None:
    x = np.repeat(np.arange(3, dtype=np.float32), 3).reshape(3, 3)
    (fed,) = cut([X], [x], 1, piece)
    assert not np.shares_memory(fed, x)
    assert fed[:, 0].tolist() == read


def test_rows_that_run_by_themselves_are_padded_with_nothing_but_copies() -> None:
    """Or their bits could depend on what came with them."""
    assert {piece.before for piece in row_by_row(9, 4, 1.0, lanes=2).pieces} == {None}


class Special(np.ndarray[tuple[int, ...], np.dtype[np.float32]]):
    """As a matrix is, for which slices and products mean something else."""


@pytest.mark.parametrize(
    "given",
    [
        np.ma.array(np.ones((2, 3), np.float32), mask=[[True] * 3, [False] * 3]),
        np.ones((2, 3), np.float32).view(Special),
        np.asfortranarray(np.ones((2, 3), np.float32)),
    ],
)
def test_what_is_more_than_an_array_is_taken_as_its_numbers(given: Array) -> None:
    (fed,) = check_feeds([X], {"x": given})
    assert type(fed) is np.ndarray
    assert fed.flags.c_contiguous
    np.testing.assert_array_equal(fed, np.ones((2, 3)))


class Computed(Executable):
    def __init__(self, function: Callable[[Array], Array]) -> None:
        self._function = function

    def run(self, feeds: Sequence[Array], into: Sequence[Array | None] = ()) -> list[Array]:
        return [self._function(feeds[0])]


@pytest.mark.parametrize(
    ("function", "moved"),
    [
        (lambda x: x * 2, None),
        (lambda x: np.cumsum(x, axis=0), 0),
        (lambda x: np.cumsum(x[::-1], axis=0)[::-1], 0),
        (lambda x: x / np.abs(x).max(), 0),
    ],
)
@pytest.mark.parametrize("gear", [2, 3, 8])
def test_pad_rows_are_tried_before_the_real_ones_and_behind(
    function: Callable[[Array], Array], moved: int | None, gear: int
) -> None:
    feeds, others = (np.random.default_rng(seed).normal(size=(gear, 3)) for seed in (1, 2))
    found = moved_output(
        Computed(function),
        [X],
        [RowLayout()],
        [feeds.astype(np.float32)],
        [others.astype(np.float32)],
    )
    assert found == moved
