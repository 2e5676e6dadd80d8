"""The dealing rule: which value of a gear goes into which -1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gearshift.errors import OptionError
from gearshift.gears.deal import deal_gear
from gearshift.tensors import Shape

Gear = tuple[int, ...]

SHAPES = st.lists(
    st.lists(st.sampled_from([-1, -1, 1, 3, 8]), max_size=4).map(tuple), min_size=1, max_size=4
)
VALUES = st.lists(st.integers(1, 99), max_size=5).map(tuple)


def by_the_book(shapes: list[Shape], values: Gear) -> tuple[Shape, ...] | str:
    """ATC's rule, input by input with a cursor, and the code where it stops."""
    cursor = 0
    dealt = []
    for shape in shapes:
        dims = list(shape)
        places = [axis for axis, dim in enumerate(dims) if dim < 0]
        if len(places) > len(values):
            return "E10046"
        taken = values if len(places) == len(values) else values[cursor : cursor + len(places)]
        if len(taken) < len(places):
            return "E10045"
        for axis, value in zip(places, taken, strict=True):
            dims[axis] = value
        cursor += len(places)
        dealt.append(tuple(dims))
    return tuple(dealt)


def test_the_manuals_example() -> None:
    shapes = [(1, 1, 40, -1), (1, -1), (-1, -1)]
    assert deal_gear(shapes, (20, 20, 1, 1)) == ((1, 1, 40, 20), (1, 20), (1, 1))
    assert deal_gear(shapes, (80, 60, 4, 4)) == ((1, 1, 40, 80), (1, 60), (4, 4))


@pytest.mark.parametrize(
    ("shapes", "values", "expected"),
    [
        ([(-1, 3, 4, 4), (-1, 4), (2, 3)], (8,), ((8, 3, 4, 4), (8, 4), (2, 3))),
        ([(1, 3, -1, -1), (1, -1, -1, 3)], (416, 832), ((1, 3, 416, 832), (1, 416, 832, 3))),
        ([(), (-1,)], (5,), ((), (5,))),
        ([(2, 3), ()], (), ((2, 3), ())),
        ([], (), ()),
        ([(-1, 3)], (-1,), ((-1, 3),)),
    ],
)
def test_whole_gears_and_fixed_shapes(
    shapes: list[Shape], values: Gear, expected: tuple[Shape, ...]
) -> None:
    assert deal_gear(shapes, values) == expected


@pytest.mark.parametrize(
    ("shapes", "values", "code"),
    [
        ([(-1, -1)], (1,), "E10046"),
        ([(-1,), (-1, -1, -1)], (1, 2), "E10046"),
        ([(-1,), (-1, -1)], (), "E10046"),
        ([(-1, -1), (-1,)], (1, 2), "E10045"),
        # ATC lets the second input take the whole gear, and its first value serves twice.
        ([(-1,), (-1, -1)], (1, 2), "E10045"),
        # ATC drops the third value.
        ([(-1,), (-1,)], (1, 2, 3), "E10003"),
        ([(1, 2)], (4,), "E10040"),
        ([], (4,), "E10040"),
    ],
)
def test_what_does_not_fit(shapes: list[Shape], values: Gear, code: str) -> None:
    with pytest.raises(OptionError) as caught:
        deal_gear(shapes, values)
    assert caught.value.code == code


@given(SHAPES, VALUES)
def test_whatever_is_dealt_is_what_atc_deals(shapes: list[Shape], values: Gear) -> None:
    book = by_the_book(shapes, values)
    counts = [shape.count(-1) for shape in shapes]
    try:
        dealt: object = deal_gear(shapes, values)
    except OptionError as error:
        dealt = error.code
    if isinstance(dealt, tuple):
        assert dealt == book
    elif isinstance(book, tuple):
        # Stricter than ATC: a value would be dropped, or serve twice.
        assert sum(counts) != len(values)
        assert {count for count in counts if count} != {len(values)}
    else:
        assert dealt in ("E10045", "E10046")


@given(SHAPES, st.data())
def test_as_many_values_as_open_dims_are_always_dealt_in_the_order_written(
    shapes: list[Shape], data: st.DataObject
) -> None:
    places = sum(shape.count(-1) for shape in shapes)
    values = data.draw(st.tuples(*[st.integers(1, 99)] * places))
    dealt = deal_gear(shapes, values)
    pairs = [pair for old, new in zip(shapes, dealt, strict=True) for pair in zip(old, new)]  # noqa: B905 - the ranks are compared below
    assert [len(shape) for shape in dealt] == [len(shape) for shape in shapes]
    assert tuple(new for old, new in pairs if old == -1) == values
    assert all(new == old for old, new in pairs if old != -1)


def test_the_input_that_does_not_fit_is_named() -> None:
    with pytest.raises(OptionError) as caught:
        deal_gear([(1, -1), (-1, -1)], (4, 5), ("a", "b"))
    assert caught.value.code == "E10045"
    assert caught.value.message.startswith("gear '4,5' has 2 values")
    assert "input 'b' [-1, -1]" in caught.value.message
