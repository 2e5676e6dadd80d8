"""Gear sets taken apart into frames: gears of a frame differ in their number of rows only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gearshift.errors import GearError, InternalError
from gearshift.gears.gear import Gear, GearSet
from gearshift.tensors import TensorSpec, dtype_named

FLOAT = dtype_named("float32")
IDS = TensorSpec("ids", FLOAT, (-1, -1))
MASK = TensorSpec("mask", FLOAT, (-1, -1))
TABLE = TensorSpec("table", FLOAT, (5, 3))

sizes = st.integers(1, 9)
calls = st.lists(st.tuples(sizes, sizes), min_size=1, max_size=12, unique=True)


def dims(gears: list[tuple[int, int]]) -> GearSet:
    """Rows and length of two inputs that agree, and an input that never varies."""
    return GearSet(
        "dims",
        tuple(Gear((rows, length, rows, length)) for rows, length in gears),
        (IDS, TABLE, MASK),
        tuple(((rows, length), (5, 3), (rows, length)) for rows, length in gears),
    )


@given(calls)
def test_every_gear_is_in_the_frame_that_has_its_shapes(gears: list[tuple[int, int]]) -> None:
    made = dims(gears)
    assert len(made.frames) == len({length for _, length in gears})
    for gear, (rows, length) in zip(made, gears, strict=True):
        number, there = made.frame_of(gear)
        frame = made.frames[number]
        assert there == Gear((rows,))
        assert there in frame.gears
        assert [spec.shape for spec in frame.inputs] == [(-1, length), (5, 3), (-1, length)]
        assert frame.shapes_of(there.rows) == made.shapes(gear)
        assert made.of_values(gear.values) is not None
    assert sum(len(frame) for frame in made.frames) == len(gears)
    assert made.has_rows
    assert made.carriers == (True, False, True)


def test_frames_and_their_sizes_are_in_the_order_declared() -> None:
    made = dims([(4, 8), (1, 16), (1, 8), (2, 16)])
    assert [frame.sizes for frame in made.frames] == [(4, 1), (1, 2)]
    assert [frame.inputs[0].shape for frame in made.frames] == [(-1, 8), (-1, 16)]


def test_leading_dims_that_disagree_are_no_rows() -> None:
    made = GearSet(
        "dims", (Gear((3, 4)), Gear((4, 4))), (IDS, MASK), (((3, 1), (4, 1)), ((4, 1), (4, 1)))
    )
    assert not made.has_rows
    assert [frame.sizes for frame in made.frames] == [(1,), (1,)]
    assert made.frames[0].shapes_of(1) == {"ids": (3, 1), "mask": (4, 1)}


def test_batch_gears_are_one_frame_and_the_set_itself() -> None:
    made = GearSet("batch", (Gear((1,)), Gear((4,))), (TensorSpec("x", FLOAT, (-1, 3)), TABLE))
    assert made.frames == (made,)
    assert made.frame_of(Gear((4,))) == (0, Gear((4,)))
    assert made.shapes_of(0) == {"x": (-1, 3), "table": (5, 3)}


def test_image_gears_have_a_frame_each_and_no_rows() -> None:
    spec = TensorSpec("x", FLOAT, (2, 3, -1, -1))
    made = GearSet(
        "image", (Gear((8, 4)), Gear((4, 8))), (spec,), (((2, 3, 8, 4),), ((2, 3, 4, 8),))
    )
    assert [frame.inputs[0].shape for frame in made.frames] == [(2, 3, 8, 4), (2, 3, 4, 8)]
    assert made.frame_of(Gear((4, 8))) == (1, Gear((1,)))
    assert not made.has_rows


def test_a_range_is_one_frame_whose_dims_stay_open() -> None:
    spec = TensorSpec("x", FLOAT, (-1, 3))
    made = GearSet("range", (Gear((1, 3)),), (spec,), (((1, 3),),), (((1, 8), (3, 3)),))
    (frame,) = made.frames
    assert frame.shapes_of(1) == {"x": (-1, 3)}
    assert frame.row_inputs[0].shape == ()
    with pytest.raises(GearError, match="has no gears"):
        made.of_values((1, 3))


def test_gears_that_are_not_declared() -> None:
    with pytest.raises(GearError, match=r"2,2.*gears are 1,8,1,8; 4,8,4,8\. Ask"):
        dims([(1, 8), (4, 8)]).of_values((2, 2))
    with pytest.raises(InternalError):
        dims([(1, 8), (4, 8)]).shapes_of(1)
