"""The option grammars: what they read, what they refuse, with which code."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gearshift.errors import OptionError
from gearshift.gears.parse import (
    parse_batch_sizes,
    parse_dims,
    parse_image_sizes,
    parse_input_shape,
)
from gearshift.gears.shape_range import parse_open_shape, parse_shape_range

NAMES = st.text(min_size=1).filter(lambda name: ";" not in name and name == name.strip())
DIMS = st.lists(st.integers(-(2**63 - 1), 2**63 - 1), min_size=1, max_size=6).map(tuple)
SIZES = st.integers(0, 2**31 - 1)


def refusal(call: Callable[..., object], *arguments: object) -> OptionError:
    with pytest.raises(OptionError) as caught:
        call(*arguments)
    return caught.value


def test_the_pages_example() -> None:
    assert parse_input_shape("data:-1,3,416,416;img_info:-1,4") == (
        ("data", (-1, 3, 416, 416)),
        ("img_info", (-1, 4)),
    )
    assert parse_batch_sizes("1,2,4,8") == (1, 2, 4, 8)


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("a:b:1,2", (("a:b", (1, 2)),)),
        (" x : 1 , -1 ", (("x", (1, -1)),)),
        ("0:1,3", (("0", (1, 3)),)),
        ("input/input_data:1;a.1:2", (("input/input_data", (1,)), ("a.1", (2,)))),
        ("图像:-1,007", (("图像", (-1, 7)),)),
        ("b:1;a:2", (("b", (1,)), ("a", (2,)))),
        ("x:-2,0", (("x", (-2, 0)),)),
        ("k:;x:1", (("k", ()), ("x", (1,)))),
        ("x:1; k : ", (("x", (1,)), ("k", ()))),
        (f"x:{2**63 - 1}", (("x", (2**63 - 1,)),)),
    ],
)
def test_input_shapes(text: str, shapes: object) -> None:
    assert parse_input_shape(text) == shapes


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("", "E10002", "empty item"),
        ("data", "E10002", "no ':'"),
        ("data:1,3;", "E10002", "none after the last"),
        ("data:1,3.0", "E10002", "'3.0'"),
        ("data:+1,3", "E10002", "'+1'"),
        ("data:1 2", "E10002", "'1 2'"),
        ("data:0x10", "E10002", "'0x10'"),
        ("data:1~8,3", "E10002", "dynamic_batch_size"),
        ("a:1;a:2", "E10002", "'a' is given twice"),
        (f"data:{2**63}", "E10013", "9223372036854775807"),
        ("data:" + "9" * 9000, "E10013", "too large"),
        ("data:1,", "E10014", "is empty"),
        ("data:,1", "E10014", "is empty"),
        ("data:--1", "E10014", "'--1'"),
        ("data:abc", "E10014", "'abc'"),
        ("data:[1,2]", "E10014", "input_shape_range"),
        ("data:-", "E10014", "'-'"),
        ("data:１,3", "E10014", "type '1'"),
        ("data：1,3", "E10002", "type ':'"),
        ('"data:1,3"', "E10002", "Quotes"),
        (":1,3", "E10016", "no input name"),
    ],
)
def test_input_shapes_refused(text: str, code: str, word: str) -> None:
    error = refusal(parse_input_shape, text)
    assert error.code == code
    assert word in error.message
    assert error.message.startswith("input_shape: ")


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("1,2", (1, 2)),
        ("8,1,4", (8, 1, 4)),
        ("1,2,", (1, 2)),
        ("1,,2", (1, 2)),
        (" 1 , 02 ", (1, 2)),
        (",", ()),
        ("", ()),
        ("0,1", (0, 1)),
        ("2147483647,1", (2147483647, 1)),
    ],
)
def test_batch_sizes(text: str, sizes: object) -> None:
    assert parse_batch_sizes(text) == sizes


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("1;2", "E10003", "';'"),
        ("-1,2", "E10003", "'-'"),
        ("1.5,2", "E10003", "'.'"),
        ("1，2", "E10003", "type ','"),
        ("1、2", "E10003", "type ','"),
        ("1,２", "E10003", "full-width digit: type '2'"),
        ('"1,2"', "E10003", "Quotes"),
        ("1,\t2", "E10003", "'\\t'"),
        ("1,2 3", "E10003", "two numbers without a comma"),
        ("1,2147483648", "E10003", "2147483647"),
        ("1," + "9" * 9000, "E10003", "too large"),
        ("1, ,2", "E10038", "blank where a number should be"),
        (" ", "E10038", "blank"),
        ("1,2, ", "E10038", "blank"),
    ],
)
def test_batch_sizes_refused(text: str, code: str, word: str) -> None:
    error = refusal(parse_batch_sizes, text)
    assert error.code == code
    assert word in error.message
    assert "1,2,4,8" in error.message or "2147483647" in error.message


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("416,416;832,832", ((416, 416), (832, 832))),
        ("140, 140;256,256;", ((140, 140), (256, 256))),
        ("416,;832,832", ((416,), (832, 832))),
    ],
)
def test_image_sizes(text: str, sizes: object) -> None:
    assert parse_image_sizes(text) == sizes


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("416x416", "E10003", "'x'"),
        ("416;832", "E10020", "'416'"),
        ("416,416;;832,832", "E10020", "''"),
        ("416,416,3;1,2", "E10020", "'416,416,3'"),
        (";", "E10020", "height and a width"),
        ("416, ;1,2", "E10038", "blank"),
        ("4 16,416;1,2", "E10003", "'4 16'"),
    ],
)
def test_image_sizes_refused(text: str, code: str, word: str) -> None:
    error = refusal(parse_image_sizes, text)
    assert error.code == code
    assert word in error.message
    assert "416,416;832,832" in error.message


def test_dims() -> None:
    assert parse_dims("20,20,1,1;40,40,2,2;80,60,4,4", 4) == (
        (20, 20, 1, 1),
        (40, 40, 2, 2),
        (80, 60, 4, 4),
    )
    assert parse_dims("1;2;", 1) == ((1,), (2,))
    assert parse_dims("20,;40,40", 2) == ((20,), (40, 40))


@pytest.mark.parametrize(
    ("text", "places", "code", "word"),
    [
        (";", 1, "E10001", "holds no gear"),
        (";".join(map(str, range(1, 102))), 1, "E10036", "101 gears"),
        ("1,2;3,4", 3, "E10003", "has 2 values but input_shape has 3"),
        ("1;;2", 2, "E10003", "has 1 values"),
        ("1, 2;3,4", 2, "E10001", "' 2'"),
        ("1,-2;3,4", 2, "E10001", "'-2'"),
        ("1,a;3,4", 2, "E10001", "'a'"),
        ("1,99999999999;3,4", 2, "E10003", "too large"),
    ],
)
def test_dims_refused(text: str, places: int, code: str, word: str) -> None:
    error = refusal(parse_dims, text, places)
    assert error.code == code
    assert word in error.message


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("in1:[1~20,3,3~6,-1]", (("in1", ((1, 20), (3, 3), (3, 6), (1, -1))),)),
        ("a:[1];b:0:[2~2]", (("a", ((1, 1),)), ("b:0", ((2, 2),)))),
        ("[1~2,3],[4]", (("", ((1, 2), (3, 3))), ("", ((4, 4),)))),
        ("[ 1 ~ 2 ] , [ ]", (("", ((1, 2),)), ("", ()))),
        ("[]", (("", ()),)),
        ("x:[-5]", (("x", ((1, -1),)),)),
    ],
)
def test_shape_ranges(text: str, ranges: object) -> None:
    assert parse_shape_range(text) == ranges


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "neither"),
        ("[", "neither"),
        ("1~2,3", "neither"),
        ("[1],2", "neither"),
        ("[1]2,[3]", "do not pair"),
        ("[1][2]", "do not pair"),
        ("x:[1];", "is not name:[ranges]"),
        (":[1]", "is not name:[ranges]"),
        ("x:1~2", "one pair of [ ]"),
        ("x:[1]]", "one pair of [ ]"),
        ("x:]1[", "one pair of [ ]"),
        ("x:[]", "are empty"),
        ("x:[1];x:[2]", "given twice"),
        ("x:[1~2~3]", "more than one '~'"),
        ("x:[1~-1]", "negative bound"),
        ("x:[8~1]", "begins above its end"),
        ("x:[1,]", "not a whole number"),
        ("x:[a]", "not a whole number"),
        ("x:[3abc]", "not a whole number"),
        ("x:[1～2]", "type '~'"),
        ("x:［1,2］", "type '['"),
        ("x:[99999999999999999999]", "too large"),
    ],
)
def test_shape_ranges_refused(text: str, word: str) -> None:
    error = refusal(parse_shape_range, text)
    assert error.code == "E10048"
    assert word in error.message


@given(st.dictionaries(NAMES, DIMS, min_size=1, max_size=4))
def test_printed_shapes_read_back(shapes: dict[str, tuple[int, ...]]) -> None:
    text = ";".join(f"{name}:{','.join(map(str, dims))}" for name, dims in shapes.items())
    assert parse_input_shape(text) == tuple(shapes.items())


@given(st.lists(SIZES, min_size=1), st.sampled_from([",", ", ", " ,", ",,"]))
def test_printed_batch_sizes_read_back(sizes: list[int], comma: str) -> None:
    assert parse_batch_sizes(comma.join(map(str, sizes))) == tuple(sizes)


@given(st.lists(st.tuples(SIZES, SIZES), min_size=1))
def test_printed_image_sizes_read_back(sizes: list[tuple[int, int]]) -> None:
    assert parse_image_sizes(";".join(f"{h},{w}" for h, w in sizes)) == tuple(sizes)


@given(st.integers(1, 6).flatmap(lambda n: st.lists(st.tuples(*[SIZES] * n), min_size=1)))
def test_printed_dims_read_back(gears: list[tuple[int, ...]]) -> None:
    text = ";".join(",".join(map(str, gear)) for gear in gears)
    assert parse_dims(text, len(gears[0])) == tuple(gears)


@given(
    st.dictionaries(
        NAMES, st.lists(st.tuples(SIZES, SIZES).map(sorted), min_size=1, max_size=4), min_size=1
    )
)
def test_printed_ranges_read_back(ranges: dict[str, list[list[int]]]) -> None:
    text = ";".join(
        f"{name}:[{','.join(f'{low}~{high}' for low, high in dims)}]"
        for name, dims in ranges.items()
    )
    assert parse_shape_range(text) == tuple(
        (name, tuple((low, high) for low, high in dims)) for name, dims in ranges.items()
    )


NEAR_MISSES = st.text("0123456789,;:~[]- +.xa，：１²\t\0\ud800") | st.text()


@pytest.mark.parametrize(
    "parse",
    [
        parse_input_shape,
        parse_open_shape,
        parse_batch_sizes,
        parse_image_sizes,
        parse_shape_range,
        lambda text: parse_dims(text, 2),
    ],
)
@given(text=NEAR_MISSES)
def test_any_text_is_read_or_refused_with_a_code(
    parse: Callable[[str], tuple[object, ...]], text: str
) -> None:
    code = ""
    try:
        parse(text)
    except OptionError as error:
        code = error.code or "no code"
    assert code == "" or code.startswith("E10")


@given(st.text("0123456789, ;"))
def test_no_image_size_is_ever_misread(text: str) -> None:
    try:
        sizes = parse_image_sizes(text)
    except OptionError:
        return
    runs = text.replace(",", " ").replace(";", " ").split()
    assert [value for size in sizes for value in size] == [int(run) for run in runs]
    assert len(sizes) == len(text.removesuffix(";").split(";"))


@given(st.text("0123456789,;"), st.integers(1, 3))
def test_no_gear_of_dims_is_ever_misread(text: str, places: int) -> None:
    try:
        gears = parse_dims(text, places)
    except OptionError:
        return
    groups = text.removesuffix(";").split(";")
    assert gears == tuple(tuple(int(v) for v in group.split(",") if v) for group in groups)
    assert all(group.count(",") == places - 1 for group in groups)


@given(st.from_regex(r"x ?:( ?-?[0-9]{1,2},){0,3}(-1|[0-9]{1,3})(;y:(-1|[0-9]))?", fullmatch=True))
def test_open_shapes_without_anything_open_are_the_shapes_of_gears(text: str) -> None:
    """Where both grammars read a text, they read the same."""
    try:
        opened, plain = parse_open_shape(text), parse_input_shape(text)
    except OptionError:
        return
    assert [name for name, _ in opened] == [name for name, _ in plain]
    for (_, ranges), (_, dims) in zip(opened, plain, strict=True):
        assert ranges == tuple((1, -1) if dim == -1 else (dim, dim) for dim in dims)


@given(st.text("0123456789, "))
def test_no_number_is_ever_misread(text: str) -> None:
    """Whatever batch sizes come out are the runs of digits that were written, in their order."""
    try:
        sizes = parse_batch_sizes(text)
    except OptionError:
        return
    assert sizes == tuple(int(run) for run in text.replace(",", " ").split())
