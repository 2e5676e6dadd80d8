"""All that a caller declares about the inputs, taken together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gearshift.errors import OptionError, OptionErrors
from gearshift.gears.declared import (
    check_declared,
    check_gears,
    check_inputs,
    check_model_inputs,
    check_range_list,
    match_ranges,
)
from gearshift.gears.shape_range import parse_open_shape, parse_shape_range, read_inputs
from gearshift.options import CompileOptions
from gearshift.tensors import Range, Shape

BATCH = (1, 2, 4)
IMAGES = ((416, 416), (832, 832))
DIMS = ((1, 320), (2, 640))
RANGES = (("x", ((1, 8), (3, 3))),)


def codes(errors: Sequence[OptionError]) -> list[str | None]:
    return [error.code for error in errors]


def declared(**values: Any) -> CompileOptions:
    return CompileOptions(model=Path("m.onnx"), output=Path("m"), **values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"input_shape": {"x": (1, 3)}}, []),
        ({"input_shape": {"x": (-1, 3)}}, ["E10011"]),
        ({"dynamic_batch_size": BATCH}, []),
        ({"dynamic_batch_size": BATCH, "input_shape": {"x": (-1, 3)}}, []),
        ({"dynamic_batch_size": BATCH, "input_shape": {"x": (1, -1)}}, ["E10031"]),
        ({"dynamic_batch_size": (1,), "input_shape": {"x": (1, 3)}}, ["E10031", "E10035"]),
        ({"dynamic_batch_size": BATCH, "aipp": "text", "input_format": "NHWC"}, []),
        ({"dynamic_image_size": IMAGES}, []),
        ({"dynamic_image_size": IMAGES, "input_shape": {"x": (1, 3, -1, -1)}}, []),
        ({"dynamic_image_size": IMAGES, "input_shape": {"x": (1, -1, -1, 3)}}, ["E10019"]),
        (
            {
                "dynamic_image_size": IMAGES,
                "input_shape": {"x": (1, -1, -1, 3)},
                "input_format": "NHWC",
                "aipp": "text",
            },
            [],
        ),
        ({"dynamic_image_size": ((4, 4, 4), (5, 5, 5))}, ["E10046"]),
        ({"dynamic_image_size": ((4,), (5, 5))}, ["E10037"]),
        ({"dynamic_dims": DIMS}, []),
        ({"dynamic_dims": DIMS, "input_shape": {"x": (-1, 3, -1)}}, []),
        ({"dynamic_dims": DIMS, "input_shape": {"x": (-1,), "y": (4, -1)}}, []),
        ({"dynamic_dims": DIMS, "input_shape": {"x": (-1, 3)}}, ["E10045"]),
        ({"dynamic_dims": DIMS, "input_shape": {"x": (4, 3)}}, ["E10001"]),
        (
            {"dynamic_dims": DIMS, "input_shape": {"x": (-1, -1)}, "input_format": "NCHW"},
            ["E10001"],
        ),
        ({"dynamic_dims": DIMS, "aipp": "text"}, ["E10001"]),
        ({"dynamic_batch_size": BATCH, "dynamic_dims": DIMS}, ["E10009"]),
        ({"dynamic_batch_size": BATCH, "dynamic_image_size": IMAGES}, ["E10009"]),
        ({"dynamic_image_size": IMAGES, "dynamic_dims": DIMS, "aipp": "a"}, ["E10009", "E10001"]),
        ({"input_shape_range": RANGES}, []),
        ({"input_shape_range": RANGES, "aipp": "text"}, []),
        ({"input_shape_range": {"x": [(0, 0)]}}, ["E10011"]),
        ({"input_shape_range": [("x", ((1, 2),)), ("", ((1, 2),))]}, ["E10048"]),
        ({"input_shape_range": RANGES, "dynamic_batch_size": BATCH}, ["E10047"]),
        ({"input_shape_range": RANGES, "dynamic_image_size": IMAGES}, ["E10047"]),
        ({"input_shape_range": RANGES, "dynamic_dims": DIMS}, ["E10047"]),
    ],
)
def test_options_are_judged_together(values: dict[str, Any], expected: list[str]) -> None:
    assert codes(check_declared(declared(**values))) == expected


def test_messages_name_both_options_and_the_way_out() -> None:
    (both,) = check_declared(declared(dynamic_batch_size=BATCH, dynamic_dims=DIMS))
    assert "dynamic_batch_size and dynamic_dims are set together" in both.message
    (ranged,) = check_declared(declared(dynamic_batch_size=BATCH, input_shape_range=RANGES))
    assert "Drop input_shape_range" in ranged.message


def test_what_the_model_says_itself_is_judged_by_the_same_rules() -> None:
    inputs = [("x", (-1, 3, -1, -1)), ("y", (4,))]
    assert codes(check_inputs("dynamic_batch_size", inputs, "")) == ["E10018", "E10031"]
    assert codes(check_inputs("dynamic_image_size", inputs, "")) == ["E10019"]
    assert codes(check_inputs("dynamic_dims", inputs, "")) == []
    assert codes(check_inputs("", inputs, "")) == ["E10011"]
    assert codes(check_gears("dynamic_dims", [(1, 2, 3), (4, 5, 6)], inputs)) == []
    assert codes(check_gears("dynamic_dims", [(1, 2), (4, 5)], inputs)) == ["E10045"]


@pytest.mark.parametrize(
    ("option", "shapes", "listed", "expected"),
    [
        ("", {"x": (1, 3), "s": ()}, [], []),
        ("", {"x": (-1, 3), "y": (-1,)}, [], ["E10001", "E10001"]),
        ("", {"x": (-1, 3), "y": (-1,)}, ["x"], ["E10001"]),
        ("", {"x": (-1, 3)}, ["x"], ["E10011"]),
        ("dynamic_batch_size", {"x": (-1, 3), "y": (4,), "s": ()}, [], []),
        ("dynamic_batch_size", {"x": (-1, 3), "y": (4, -1)}, ["x"], ["E10018"]),
        ("dynamic_batch_size", {"x": (1, 3)}, [], ["E10031"]),
        ("dynamic_image_size", {"x": (1, 3, -1, -1), "y": (4,)}, [], []),
        ("dynamic_image_size", {"x": (1, 3, -1, -1), "y": (-1,)}, ["x"], ["E10019"]),
        ("dynamic_dims", {"x": (1, 3, -1), "y": (-1,), "z": (1, 1, 1, 1, 1)}, [], []),
        ("dynamic_dims", {"x": (1, 3, -1), "y": (-1,)}, ["x", "y"], []),
        ("dynamic_dims", {"x": (1, 3, -1), "y": (-1,)}, ["x"], ["E10001"]),
        ("dynamic_dims", {"x": (1, 3)}, [], ["E10001"]),
    ],
)
def test_the_models_inputs_once_shapes_are_bound(
    option: str, shapes: dict[str, Shape], listed: list[str], expected: list[str]
) -> None:
    assert codes(check_model_inputs(option, tuple(shapes.items()), listed, "")) == expected


def test_an_input_without_a_size_is_named_with_a_sample() -> None:
    (error,) = check_model_inputs("", [("x", (-1, 3))], (), "")
    assert "'x'" in error.message
    assert "x:1,3." in error.message
    (error,) = check_model_inputs("dynamic_dims", [("x", (-1,)), ("y", (-1, 3))], ["x"], "")
    assert "y:-1,3." in error.message


MODEL = [("x", (-1, 3, 48, -1)), ("info", (-1, 4)), ("scalar", ())]


@pytest.mark.parametrize(
    ("text", "matched"),
    [
        ("info:[1~8,4]", {"info": ((1, 8), (4, 4))}),
        ("[1~8,3,-1,-1]", {"x": ((1, 8), (3, 3), (1, -1), (1, -1))}),
        ("[1,3,48,5],[1~2,1~4],[]", {
            "x": ((1, 1), (3, 3), (48, 48), (5, 5)), "info": ((1, 2), (1, 4)), "scalar": (),
        }),
    ],
)  # fmt: skip
def test_ranges_find_their_inputs(text: str, matched: dict[str, tuple[Range, ...]]) -> None:
    assert match_ranges(MODEL, parse_shape_range(text)) == matched


@pytest.mark.parametrize(
    ("text", "expected", "word"),
    [
        ("inf:[1,4]", ["E10016"], "Did you mean 'info'?"),
        ("[1,3,48,5],[1,4],[],[1]", ["E10048"], "4 inputs"),
        ("info:[1~8]", ["E10049"], "2 dims, but 1 ranges"),
        ("[],[1,4]", ["E10049"], "'x'"),
        ("info:[1~8,5~6]", ["E10050"], "dim 1, 4, is not within 5~6"),
        ("info:[1,1~3];x:[1,2,47,1]", ["E10050"] * 3, "1~3"),
    ],
)
def test_ranges_that_the_model_cannot_have(text: str, expected: list[str], word: str) -> None:
    with pytest.raises(OptionErrors) as caught:
        match_ranges(MODEL, parse_shape_range(text))
    assert codes(caught.value.errors) == expected
    assert word in caught.value.errors[0].message


@given(st.data())
def test_a_range_matches_exactly_when_each_fixed_dim_lies_in_it(data: st.DataObject) -> None:
    dims = st.tuples(st.integers(0, 4), st.sampled_from([-1, 1, 2, 3, 4]))
    shape: Shape = data.draw(st.lists(st.sampled_from([-1, 1, 2, 3]), max_size=3).map(tuple))
    ranges = tuple(data.draw(st.lists(dims, min_size=len(shape), max_size=len(shape))))
    fits = all(
        dim == -1 or dim in range(low, 99 if high == -1 else high + 1)
        for dim, (low, high) in zip(shape, ranges, strict=True)
    )
    try:
        found: object = match_ranges([("x", shape)], [("x", ranges)])
    except OptionErrors as errors:
        found = {error.code for error in errors.errors}
    assert found == ({"x": ranges} if fits else {"E10050"})


@pytest.mark.parametrize(
    ("shape", "ranges", "gears", "expected"),
    [
        ("", "", False, ({}, ())),
        ("", "", True, ({}, ())),
        ("x:-1,3", "", True, ({"x": (-1, 3)}, ())),
        ("x:2,3;y:4", "", False, ({"x": (2, 3), "y": (4,)}, ())),
        ("x:-1,3;y:4", "", False, ({}, (("x", ((1, -1), (3, 3))), ("y", ((4, 4),))))),
        ("x:1~8;y:4~4", "", False, ({}, (("x", ((1, 8),)), ("y", ((4, 4),))))),
        ("y:4~4", "", False, ({"y": (4,)}, ())),
        ("", "x:[1~8]", False, ({}, (("x", ((1, 8),)),))),
        ("x:4;y:5", "x:[1~8]", False, ({"y": (5,)}, (("x", ((1, 8),)),))),
        ("x:4", "[1~8]", False, ({"x": (4,)}, (("", ((1, 8),)),))),
    ],
)
def test_shapes_and_ranges_of_a_command_line(
    shape: str, ranges: str, gears: bool, expected: object
) -> None:
    assert read_inputs(shape, ranges, gears=gears) == expected


NAMES = st.text(min_size=1).filter(lambda name: ";" not in name and name == name.strip())
DIM_RANGES = st.one_of(
    st.just((1, -1)),
    st.integers(1, 2**63 - 1).map(lambda size: (size, size)),
    st.tuples(st.integers(0, 99), st.integers(100, 2**63 - 1)),
)


def written(bounds: Range) -> str:
    low, high = bounds
    return "-1" if high == -1 else str(low) if low == high else f"{low}~{high}"


@given(
    st.dictionaries(NAMES, st.lists(DIM_RANGES, min_size=1, max_size=4), min_size=1, max_size=4),
    st.sampled_from(["{}:{}", " {} : {} ", "{}:[{}]"]),
)
def test_open_shapes_read_back(ranges: dict[str, list[Range]], form: str) -> None:
    items = ((name, ",".join(map(written, dims))) for name, dims in ranges.items())
    text = ";".join(form.format(name, dims) for name, dims in items)
    expected = tuple((name, tuple(dims)) for name, dims in ranges.items())
    assert parse_open_shape(text) == expected
    assert check_range_list(expected) == []


@given(st.dictionaries(st.sampled_from("abcd"), st.lists(DIM_RANGES, max_size=4), min_size=1))
def test_the_named_and_the_positional_form_mean_the_same(ranges: dict[str, list[Range]]) -> None:
    dims = [",".join(map(written, each)) for each in ranges.values()]
    positional = parse_shape_range(",".join(f"[{each}]" for each in dims))
    assert positional == tuple(("", tuple(each)) for each in ranges.values())
    shapes = [(name, (-1,) * len(each)) for name, each in ranges.items()]
    assert match_ranges(shapes, positional) == {k: tuple(v) for k, v in ranges.items()}
    if all(ranges.values()):
        named = ";".join(f"{name}:[{each}]" for name, each in zip(ranges, dims, strict=True))
        assert match_ranges(shapes, parse_shape_range(named)) == match_ranges(shapes, positional)


@given(st.text("0123456789,;:~[]- +.xa，～") | st.text(), st.text("0123456789,;:~[]- x"))
def test_any_two_texts_are_read_or_refused_with_a_code(shape: str, ranges: str) -> None:
    for gears in (True, False):
        code: str | None = "E10"
        try:
            read_inputs(shape, ranges, gears=gears)
        except OptionError as error:
            code = error.code
        assert code is not None
        assert code.startswith("E10")
