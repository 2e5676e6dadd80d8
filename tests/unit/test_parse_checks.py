"""What inputs and gears must satisfy together, as the command line and the Python API ask it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gearshift.errors import OptionError
from gearshift.gears.checks import (
    advise_batch_sizes,
    check_batch_inputs,
    check_dims_inputs,
    check_gear_length,
    check_gear_list,
    check_image_inputs,
    check_static_inputs,
    count_open_dims,
)
from gearshift.tensors import Shape


def codes(errors: Sequence[OptionError]) -> list[str | None]:
    return [error.code for error in errors]


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ({"data": (-1, 3, 416, 416), "img_info": (-1, 4)}, []),
        ({"data": (-1, 3), "fixed": (2, 3)}, []),
        ({"x": (-1,)}, []),
        ({"data": (-1, 3), "scalar": ()}, []),
        ({"scalar": ()}, ["E10031"]),
        ({"data": (-1, -1, 3)}, ["E10018", "E10031"]),
        ({"data": (-1, 0)}, ["E10018", "E10031"]),
        ({"a": (-1, 3), "b": (-1, -1)}, ["E10018"]),
        # ATC lets this one pass and gives b's -1 the batch size; the page forbids it.
        ({"a": (-1, 3), "b": (1, -1)}, ["E10018"]),
        ({"b": (1, -1)}, ["E10031"]),
        ({"data": (1, 3)}, ["E10031"]),
        ({}, ["E10031"]),
        ({"a": (-1, 3), "b": (0, 3)}, ["E10011"]),
        ({"a": (-1, 3), "b": (-2, 3)}, ["E10011"]),
        ({"a": (-1, 1.5)}, ["E10014", "E10031"]),
        ({"a": (True, 3), "b": (-1, 3)}, ["E10014"]),
    ],
)
def test_batch_inputs(shapes: dict[str, Shape], expected: list[str]) -> None:
    assert codes(check_batch_inputs(shapes)) == expected
    assert codes(check_batch_inputs(tuple(shapes.items()))) == expected


def test_batch_input_errors_say_where_and_what_to_do() -> None:
    message = check_batch_inputs({"a": (-1, 3), "b": (1, 2, -1)})[0].message
    assert "'b'" in message
    assert "[1, 2, -1]" in message
    assert "dim 2 is -1" in message
    assert "data:-1,3,416,416" in message
    none = check_batch_inputs({"b": (1, -1)})[0].message
    assert "b [1, -1]" in none
    assert "put -1 first" in none


@given(st.dictionaries(st.text(), st.lists(st.integers(-3, 4), max_size=4).map(tuple), max_size=4))
def test_batch_inputs_pass_exactly_when_the_page_allows_them(shapes: dict[str, Shape]) -> None:
    def fits(shape: Shape) -> bool:
        return min((*shape[1:], 1)) >= 1 and (shape[:1] in ((), (-1,)) or shape[0] >= 1)

    allowed = all(map(fits, shapes.values())) and any(-1 in shape for shape in shapes.values())
    assert (check_batch_inputs(shapes) == []) == allowed


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ({"x": (1, 3)}, []),
        ({"x": (1, 3), "s": ()}, []),
        ({"x": (-1, 3)}, ["E10011"]),
        ({"x": (0, 3), "y": (1, -1)}, ["E10011", "E10011"]),
    ],
)
def test_static_inputs(shapes: dict[str, Shape], expected: list[str]) -> None:
    assert codes(check_static_inputs(shapes)) == expected


@pytest.mark.parametrize(
    ("shapes", "form", "expected"),
    [
        ({"data": (8, 3, -1, -1), "img_info": (8, 4, -1, -1)}, "NCHW", []),
        ({"data": (1, -1, -1, 3), "im_info": (1, 3)}, "NHWC", []),
        ({"data": (1, -1, -1, 3)}, "NCHW", ["E10019"]),
        ({"data": (-1, 3, -1, -1)}, "NCHW", ["E10019"]),
        ({"data": (1, 3, -1, 4)}, "NCHW", ["E10019"]),
        ({"data": (3, -1, -1)}, "NCHW", ["E10019"]),
        ({"data": (1, 3, 4, 4)}, "NCHW", ["E10019"]),
        ({"data": (1, 3, -1, -1), "b": (1, -1)}, "NCHW", ["E10019"]),
        ({"data": (1, 3, -1, -1)}, "ND", ["E10019"]),
        ({"data": (1, 0, -1, -1)}, "NCHW", ["E10011"]),
        ({"data": (1, 3, -1, -1)}, "FOO", ["E10003"]),
    ],
)
def test_image_inputs(shapes: dict[str, Shape], form: str, expected: list[str]) -> None:
    assert codes(check_image_inputs(shapes, form)) == expected


@pytest.mark.parametrize(
    ("shapes", "form", "expected"),
    [
        ({"data": (1, 1, 40, -1), "label": (1, -1), "mask": (-1, -1)}, "ND", []),
        ({"data": (1, -1)}, "NCHW", ["E10001"]),
        ({"data": (1, 2, 3, 4, -1)}, "ND", ["E10001"]),
        ({"data": (-1, 1), "s": ()}, "ND", []),
        ({"s": ()}, "ND", ["E10001"]),
        ({"data": (1, 2)}, "ND", ["E10001"]),
        ({"data": (-2, -1)}, "ND", ["E10011"]),
    ],
)
def test_dims_inputs(shapes: dict[str, Shape], form: str, expected: list[str]) -> None:
    assert codes(check_dims_inputs(shapes, form)) == expected


def test_open_dims_are_counted_over_all_inputs() -> None:
    assert count_open_dims({"data": (1, -1), "label": (3,), "mask": (-1, -1)}) == 3


@pytest.mark.parametrize(
    ("gears", "expected"),
    [
        ([1, 2, 4, 8], []),
        ([8, 1], []),
        (list(range(1, 101)), []),
        ([4096, 1], []),
        (list(np.array([1, 2])), []),
        ([], ["E10035"]),
        ([4], ["E10035"]),
        (list(range(1, 102)), ["E10036"]),
        ([[1, 2], [3]], ["E10037"]),
        ([0, 1], ["E10038"]),
        ([1, -4], ["E10038"]),
        ([1, 2, 1], ["E10039"]),
        ([[1, 2], [2, 1]], []),
        ([[1, 2], [1, 2]], ["E10039"]),
        ([1, 1.5], ["E10003"]),
        ([True, 2], ["E10003"]),
        (["1", "2"], ["E10003"]),
        ([1, 2**31], ["E10003"]),
        ([0], ["E10035", "E10038"]),
        ([0, 0], ["E10038", "E10039"]),
    ],
)
def test_gear_list(gears: list[int], expected: list[str]) -> None:
    assert codes(check_gear_list(gears)) == expected


def test_gear_list_errors_show_the_values_and_the_option() -> None:
    message = check_gear_list([1, 2, 2, 1, 4])[0].message
    assert message.startswith("dynamic_batch_size: gear 1,2 is declared more than once")
    assert "1,2,2,1,4" in message
    image = check_gear_list([(4, 4), (4, 0)], "dynamic_image_size")[0].message
    assert image.startswith("dynamic_image_size: ")
    assert "4,4;4,0" in image
    assert "only 4" in check_gear_list([4])[0].message
    assert "101" in check_gear_list(list(range(1, 102)))[0].message


@given(st.lists(st.integers(-2, 120), max_size=110))
def test_a_gear_list_passes_exactly_when_it_is_2_to_100_different_positive_numbers(
    gears: list[int],
) -> None:
    allowed = 2 <= len(gears) <= 100 and len(set(gears)) == len(gears) and min(gears) > 0
    assert (check_gear_list(gears) == []) == allowed


def test_gears_must_be_as_long_as_the_dims_they_fill() -> None:
    assert check_gear_length([(1, 2), (3, 4)], 2, "dynamic_dims") == []
    assert codes(check_gear_length([(1,), (3,)], 2, "dynamic_dims")) == ["E10045"]
    assert codes(check_gear_length([(1,), (3,)], 2, "dynamic_image_size")) == ["E10046"]


def test_advice_beyond_2048_only() -> None:
    assert advise_batch_sizes([1, 16, 2048]) == []
    (advice,) = advise_batch_sizes([1, 2049, 4096])
    assert "2049, 4096" in advice
    assert "1 to 2048" in advice
