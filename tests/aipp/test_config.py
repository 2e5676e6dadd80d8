"""The AIPP configuration: what is read, what is refused and with which code, and writing it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from aipp_protos import message_class
from gearshift.aipp.config import parse_aipp, write_aipp
from gearshift.aipp.spec import (
    AippBlock,
    Crop,
    Csc,
    DynamicAipp,
    ImageFormat,
    Normalisation,
    Padding,
    StaticAipp,
)
from gearshift.errors import OptionError, OptionErrors

STATIC = "aipp_mode: static input_format: RGB888_U8 "

# The message as protobuf would have it, written down apart from the code under test.
MODES = {"undefined": 0, "static": 1, "dynamic": 2}
FORMATS = [
    "UNDEFINED", "YUV420SP_U8", "XRGB8888_U8", "RGB888_U8", "YUV400_U8", "NC1HWC0DI_FP16",
    "NC1HWC0DI_S8", "ARGB8888_U8", "YUYV_U8", "YUV422SP_U8", "AYUV444_U8", "RAW10", "RAW12",
    "RAW16", "RAW24", "RGB16", "RGB20", "RGB24", "RGB8_IR", "RGB16_IR", "RGB24_IR",
]  # fmt: skip
BOOLS = [
    "support_rotation", "csc_switch", "rbuv_swap_switch", "ax_swap_switch", "single_line_mode",
    "crop", "resize", "padding",
]  # fmt: skip
INTS = [
    "src_image_size_w", "src_image_size_h", "load_start_pos_w", "load_start_pos_h", "crop_size_w",
    "crop_size_h", "resize_output_w", "resize_output_h", "left_padding_size", "right_padding_size",
    "top_padding_size", "bottom_padding_size", *(f"mean_chn_{i}" for i in range(4)),
]  # fmt: skip
INT_LISTS = [
    *(f"matrix_r{row}c{column}" for row in range(3) for column in range(3)),
    *(f"{side}_bias_{i}" for side in ("input", "output") for i in range(3)),
]
UINTS = ["related_input_rank", "max_src_image_size", "rotation_angle", "raw_rgbir_to_f16_n"]
FLOATS = ["cpadding_value", "padding_value", *(f"min_chn_{i}" for i in range(4))]
FLOAT_LISTS = [f"var_reci_chn_{i}" for i in range(4)]
SCHEMA = [
    ("aipp_mode", "Mode", False),
    ("input_format", "Format", False),
    ("related_input_name", "string", False),
    ("input_edge_idx", "uint32", True),
    *((name, "bool", False) for name in BOOLS),
    *((name, "int32", False) for name in INTS),
    *((name, "int32", True) for name in INT_LISTS),
    *((name, "uint32", False) for name in UINTS),
    *((name, "float", False) for name in FLOATS),
    *((name, "float", True) for name in FLOAT_LISTS),
]
InsertNewOps = message_class(
    "InsertNewOps",
    [("aipp_op", "AippOp", True), ("multi_shape_op", "AippOp", True)],
    messages={"AippOp": SCHEMA},
    enums={"Mode": MODES, "Format": {name: number for number, name in enumerate(FORMATS)}},
)


def refused(text: str) -> list[tuple[str | None, str]]:
    """Code and message of each error."""
    with pytest.raises((OptionError, OptionErrors)) as caught:
        parse_aipp(text)
    errors = caught.value.errors if isinstance(caught.value, OptionErrors) else (caught.value,)
    return [(error.code, error.message.removeprefix("insert_op_conf: ")) for error in errors]


def static(inside: str, head: str = STATIC) -> StaticAipp:
    (block,) = parse_aipp(f"aipp_op {{ {head} {inside} }}")
    assert isinstance(block.aipp, StaticAipp)
    return block.aipp


# --- defaults -----------------------------------------------------------------------------------


def test_what_is_not_written_has_its_default() -> None:
    assert parse_aipp("aipp_op { aipp_mode: static input_format: RGB888_U8 }") == (
        AippBlock(StaticAipp(ImageFormat.RGB888_U8), input_rank=0, input_name=None),
    )
    aipp = static("")
    assert (aipp.width, aipp.height, aipp.crop, aipp.csc, aipp.padding) == (0, 0, None, None, None)
    assert aipp.normalisation.mean == (0, 0, 0, 0)
    assert aipp.normalisation.minimum == (0.0, 0.0, 0.0, 0.0)
    assert aipp.normalisation.var_reci == (1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize("name", ["YUV420SP_U8", "YUYV_U8", "YUV422SP_U8", "AYUV444_U8"])
def test_yuv_becomes_bgr_by_default(name: str) -> None:
    aipp = static("csc_switch: true", f"aipp_mode: static input_format: {name}")
    assert aipp.csc == Csc(
        matrix=((298, 516, 0), (298, -100, -208), (298, 0, 409)),
        input_bias=(16, 128, 128),
        output_bias=(16, 128, 128),
    )


@pytest.mark.parametrize("name", ["RGB888_U8", "XRGB8888_U8", "ARGB8888_U8"])
def test_rgb_becomes_yuv_by_default(name: str) -> None:
    aipp = static("csc_switch: true", f"aipp_mode: static input_format: {name}")
    assert aipp.csc == Csc(
        matrix=((66, 129, 25), (-38, -74, 112), (112, -94, -18)),
        input_bias=(16, 128, 128),
        output_bias=(16, 128, 128),
    )


def test_each_number_of_the_conversion_has_its_own_default() -> None:
    csc = static("csc_switch: true matrix_r1c1: 7 output_bias_2: 9").csc
    assert csc is not None
    assert csc.matrix == ((66, 129, 25), (-38, 7, 112), (112, -94, -18))
    assert csc.output_bias == (16, 128, 9)


def test_numbers_of_what_is_off_have_no_effect_and_are_not_judged() -> None:
    aipp = static(
        "crop: false load_start_pos_w: -10 crop_size_h: 99999 padding: false "
        "left_padding_size: 77 csc_switch: false matrix_r0c0: 40000 input_bias_0: 900 "
        "resize_output_w: 5 max_src_image_size: 0"
    )
    assert aipp == static("")


def test_constants_are_rounded_to_float16() -> None:
    aipp = static(
        "min_chn_0: 123.675 var_reci_chn_1: 0.0171247538316637 cpadding_value: 0.1 "
        "padding: true padding_value: -1.0009"
    )
    assert aipp.normalisation.minimum[0] == float(np.float16(123.675)) == 123.6875
    assert aipp.normalisation.var_reci[1] == 0.017120361328125
    assert aipp.channel_fill == float(np.float16(0.1))
    assert aipp.padding == Padding(value=float(np.float16(-1.0009)))


def test_dynamic_mode() -> None:
    (block,) = parse_aipp(
        "aipp_op { aipp_mode: dynamic related_input_rank: 2 max_src_image_size: 4000000 "
        "input_format: RAW10 resize: true }"
    )
    assert block == AippBlock(DynamicAipp(4_000_000), input_rank=2)


def test_a_name_is_taken_before_a_rank() -> None:
    (block,) = parse_aipp(
        f'aipp_op {{ {STATIC} related_input_name: "im:0" related_input_rank: 3 }}'
    )
    assert (block.input_name, block.input_rank) == ("im:0", 0)
    (block,) = parse_aipp(f'aipp_op {{ {STATIC} related_input_name: "" related_input_rank: 3 }}')
    assert (block.input_name, block.input_rank) == (None, 3)


def test_every_field_at_the_value_of_the_documented_template() -> None:
    zeros = "".join(f"{name}: 0\n" for name in [*INTS, *FLOATS, "rotation_angle"])
    switches = "".join(f"{name}: false\n" for name in BOOLS)
    ones = "".join(f"{name}: 1.0\n" for name in FLOAT_LISTS)
    text = f"{zeros}{switches}{ones} input_edge_idx: 0 raw_rgbir_to_f16_n: 8"
    assert static(text) == static("")


# --- against protobuf ---------------------------------------------------------------------------

numbers = st.one_of(st.integers(-3, 300), st.sampled_from([-(2**31) - 1, 2**31, 2**32, 4096]))
halves = st.floats(-300, 300, width=32)
RIGHT = {
    "bool": st.sampled_from(["true", "false", "t", "0", "1"]),
    "int32": numbers.map(str),
    "uint32": numbers.map(str),
    "float": st.one_of(halves.map(repr), numbers.map(str), st.just("1.5f")),
    "string": st.sampled_from(['""', "'in'", "'a' \"b\""]),
    "Mode": st.sampled_from([*MODES, "1", "2"]),
    "Format": st.sampled_from([*FORMATS, "3", "1"]),
}
any_value = st.one_of(*RIGHT.values(), st.sampled_from(["{ }", "[]", "[1]", "[1, 2]", "None"]))


@st.composite
def op_texts(draw: st.DrawFn, *, mixed: bool) -> str:
    chosen = draw(st.lists(st.sampled_from(SCHEMA), max_size=8, unique=True))
    lines = [f"{name}: {draw(any_value if mixed else RIGHT[kind])}" for name, kind, _ in chosen]
    if draw(st.booleans()):
        lines.append(draw(st.sampled_from(["unknown: 1", "Crop: true", "1: 2", "aipp_op { }"])))
    return "aipp_op { " + " ".join(lines) + " }"


@settings(max_examples=600, deadline=None)
@given(st.one_of(op_texts(mixed=False), op_texts(mixed=True)))
def test_e19018_is_just_what_protobuf_refuses(text: str) -> None:
    try:
        text_format.Parse(text, InsertNewOps())
        accepted = True
    except (text_format.ParseError, ValueError):
        accepted = False
    try:
        parse_aipp(text)
        codes = set()
    except OptionError as error:
        codes = {error.code}
    except OptionErrors as errors:
        codes = {error.code for error in errors.errors}
    assert ("E19018" not in codes) == accepted
    assert codes <= {"E19018", "E10052"}


RANGES = {
    **dict.fromkeys(("load_start_pos_w", "load_start_pos_h"), (0, 4095)),
    **dict.fromkeys(("crop_size_w", "crop_size_h"), (0, 4096)),
    **{f"{side}_padding_size": (0, 32) for side in ("left", "right", "top", "bottom")},
    **{name: (0, 255) for name in INTS if name.startswith("mean")},
    **{name: (0, 255) for name in INT_LISTS if "bias" in name},
    **{name: (-32768, 32767) for name in INT_LISTS if "matrix" in name},
    "src_image_size_w": (2, 4096),
    "src_image_size_h": (1, 4096),
}
FLOAT_RANGES = {
    **{name: (0.0, 255.0) for name in FLOATS if name.startswith("min")},
    **dict.fromkeys((*FLOAT_LISTS, "cpadding_value", "padding_value"), (-65504.0, 65504.0)),
}


WITHIN = {
    **{name: st.integers(*ends) for name, ends in RANGES.items()},
    **{name: st.floats(*ends, width=32) for name, ends in FLOAT_RANGES.items()},
}


@st.composite
def right_texts(draw: st.DrawFn) -> str:
    names = draw(st.lists(st.sampled_from([*WITHIN]), max_size=20, unique=True))
    lines = [f"{name}: {draw(WITHIN[name])}" for name in names]
    switches = ("csc_switch", "rbuv_swap_switch", "ax_swap_switch", "crop", "padding")
    lines += [f"{name}: true" for name in draw(st.sets(st.sampled_from(switches)))]
    name = draw(st.sampled_from([known.name for known in ImageFormat]))
    lines += [f"related_input_rank: {draw(st.integers(0, 2**32 - 1))}", f"input_format: {name}"]
    return "aipp_op { aipp_mode: static\n" + "\n".join(draw(st.permutations(lines))) + "\n}"


def by_the_book(text: str) -> AippBlock:
    """What protobuf reads, with the defaults of the documentation: another way to the same."""
    op: Any = text_format.Parse(text, InsertNewOps()).aipp_op[0]
    image_format = ImageFormat(op.input_format)
    yuv = "YUV" in image_format.name or "YUYV" in image_format.name
    matrix = [298, 516, 0, 298, -100, -208, 298, 0, 409]
    if not yuv:
        matrix = [66, 129, 25, -38, -74, 112, 112, -94, -18]
    flat = [_first(op, f"matrix_r{i // 3}c{i % 3}", matrix[i]) for i in range(9)]
    biases = {
        side: tuple(_first(op, f"{side}_bias_{i}", (16, 128, 128)[i]) for i in range(3))
        for side in ("input", "output")
    }
    rows = (tuple(flat[:3]), tuple(flat[3:6]), tuple(flat[6:]))
    fours = {
        "mean": tuple(getattr(op, f"mean_chn_{i}") for i in range(4)),
        "minimum": tuple(_half(getattr(op, f"min_chn_{i}")) for i in range(4)),
        "var_reci": tuple(_half(_first(op, f"var_reci_chn_{i}", 1.0)) for i in range(4)),
    }
    crop = (op.load_start_pos_w, op.load_start_pos_h, op.crop_size_w, op.crop_size_h)
    sides = (getattr(op, f"{side}_padding_size") for side in ("left", "right", "top", "bottom"))
    aipp = StaticAipp(
        format=image_format,
        width=op.src_image_size_w,
        height=op.src_image_size_h,
        rbuv_swap=op.rbuv_swap_switch,
        ax_swap=op.ax_swap_switch,
        crop=Crop(*crop) if op.crop else None,
        csc=Csc(rows, biases["input"], biases["output"]) if op.csc_switch else None,  # type: ignore[arg-type]
        normalisation=Normalisation(**fours),
        padding=Padding(*sides, value=_half(op.padding_value)) if op.padding else None,
        channel_fill=_half(op.cpadding_value),
    )
    return AippBlock(aipp, input_rank=op.related_input_rank)


def _first(op: Any, name: str, default: float) -> Any:
    return (list(getattr(op, name)) or [default])[0]


def _half(value: float) -> float:
    return float(np.float16(np.float32(value)))


@settings(max_examples=150, deadline=None)
@given(right_texts())
def test_right_blocks_say_what_protobuf_and_the_documentation_say(text: str) -> None:
    assert parse_aipp(text) == (by_the_book(text),)


# --- ranges -------------------------------------------------------------------------------------

ON = "crop: true padding: true csc_switch: true "


@pytest.mark.parametrize(("name", "ends"), RANGES.items())
def test_whole_numbers_have_ranges(name: str, ends: tuple[int, int]) -> None:
    low, high = ends
    zero = ", or 0" if name.startswith("src") else ""
    for value in (low, high):
        static(f"{ON} {name}: {value}")
    for value in (low - 1, high + 1):
        if value == 0 and zero:
            continue
        ((code, message),) = refused(f"aipp_op {{ {STATIC} {ON} {name}: {value} }}")
        assert code == "E10052"
        assert message.endswith(f"{name} is {value}; allowed: {low} to {high}{zero}.")


@pytest.mark.parametrize(("name", "ends"), FLOAT_RANGES.items())
def test_numbers_have_ranges(name: str, ends: tuple[float, float]) -> None:
    low, high = ends
    for value in (low, high):
        static(f"{ON} {name}: {value}")
    for written in (f"{low - 0.5}", f"{high + 0.5}", "inf", "-inf", "nan", "1e999"):
        ((code, message),) = refused(f"aipp_op {{ {STATIC} {ON} {name}: {written} }}")
        assert code == "E10052"
        assert f"allowed: {low:g} to {high:g}." in message


def test_sizes_may_be_zero_or_one_high_but_not_one_wide() -> None:
    assert static("src_image_size_w: 0 src_image_size_h: 1").height == 1
    assert (
        "allowed: 2 to 4096, or 0" in refused(f"aipp_op {{ {STATIC} src_image_size_w: 1 }}")[0][1]
    )


# --- refusals -----------------------------------------------------------------------------------

SUPPORTED = (
    "YUV420SP_U8, XRGB8888_U8, RGB888_U8, YUV400_U8, ARGB8888_U8, YUYV_U8, YUV422SP_U8, AYUV444_U8"
)
ELSEWHERE = [name for name in FORMATS[1:] if name not in ImageFormat.__members__]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_formats_of_other_targets_are_refused_by_name(name: str) -> None:
    number = FORMATS.index(name)
    for written in (name, str(number)):
        ((code, message),) = refused(f"aipp_op {{ aipp_mode: static input_format: {written} }}")
        assert code == "E10052"
        assert message.endswith(
            f"input_format {name} is not supported on these targets; allowed: {SUPPORTED}."
        )


@pytest.mark.parametrize(
    ("inside", "code", "message"),
    [
        ("", "E10052", "line 1, column 9: aipp_mode is undefined; write aipp_mode: static or "
         "dynamic."),
        ("aipp_mode: undefined", "E10052", "line 1, column 22: aipp_mode is undefined; write "
         "aipp_mode: static or dynamic."),
        ("aipp_mode: 7", "E10052", "line 1, column 22: aipp_mode is undefined; write aipp_mode: "
         "static or dynamic."),
        ("aipp_mode: Static", "E19018", "line 1, column 22: aipp_mode is Static; it takes one of "
         "static, dynamic. Did you mean 'static'?"),
        ("aipp_mode: static", "E10052", "line 1, column 9: input_format is missing or UNDEFINED; "
         f"allowed: {SUPPORTED}."),
        ("aipp_mode: static input_format: UNDEFINED", "E10052", "line 1, column 43: input_format "
         f"is missing or UNDEFINED; allowed: {SUPPORTED}."),
        ("aipp_mode: static input_format: 99", "E10052", "line 1, column 43: input_format 99 is "
         f"not supported on these targets; allowed: {SUPPORTED}."),
        ("aipp_mode: static input_format: RGB88_U8", "E19018", "line 1, column 43: input_format is "
         f"RGB88_U8; it takes one of {SUPPORTED}. Did you mean 'RGB888_U8'?"),
        (f"{STATIC} resize: true", "E10052", "line 1, column 62: resize is not supported on these "
         "targets; remove it or set it to false."),
        (f"{STATIC} single_line_mode: 1", "E10052", "line 1, column 72: single_line_mode is not "
         "supported on these targets; remove it or set it to false."),
        (f"{STATIC} rotation_angle: 2", "E10052", "line 1, column 70: rotation_angle is not "
         "supported on these targets; remove it or set it to 0."),
        (f"{STATIC} var_reci_chn_0: 1 var_reci_chn_0: 2", "E10052", "line 1, column 88: "
         "var_reci_chn_0 has a value already, at line 1, column 70; keep one."),
        (f"{STATIC} matrix_r0c0: [1, 2]", "E10052", "line 1, column 71: matrix_r0c0 has a value "
         "already, at line 1, column 68; keep one."),
        (f"{STATIC} crop: false crop: true", "E19018", "line 1, column 72: crop has a value "
         "already, at line 1, column 60; keep one."),
        (f"{STATIC} crop: [true]", "E19018", "line 1, column 54: crop takes one value, not a "
         "list."),
        (f"{STATIC} crop {{ }}", "E19018", "line 1, column 59: crop takes a value, not a message "
         "in brackets."),
        (f"{STATIC} crop: 2", "E19018", "line 1, column 60: crop is 2; it takes true or false."),
        (f"{STATIC} crop: 'true'", "E19018", "line 1, column 60: crop is 'true'; it takes true or "
         "false."),
        (f"{STATIC} mean_chn_0: 1.5", "E19018", "line 1, column 66: mean_chn_0 is 1.5; it takes a "
         "whole number."),
        (f"{STATIC} mean_chn_0: 2147483648", "E19018", "line 1, column 66: mean_chn_0 is "
         "2147483648; it takes whole numbers from -2147483648 to 2147483647."),
        (f"{STATIC} min_chn_0: 0x10", "E19018", "line 1, column 65: min_chn_0 is 0x10; it takes a "
         "decimal number such as 1, 0.5 or 1e-3."),
        (f"{STATIC} related_input_rank: -1", "E19018", "line 1, column 74: related_input_rank is "
         "-1; it takes whole numbers from 0 to 4294967295."),
        (f"{STATIC} related_input_name: data", "E19018", "line 1, column 74: related_input_name is "
         'data; it takes a string in quotes: "data".'),
        (f"{STATIC} crop_size: 4", "E19018", "line 1, column 54: aipp_op has no field crop_size. "
         "Did you mean 'crop_size_w'?"),
        (f"{STATIC} input_edge_idx: 1", "E10052", "line 1, column 70: input_edge_idx is 1; AIPP "
         "applies to an input as a whole, for all that read it; write 0 alone or leave it out."),
        (f"{STATIC} input_edge_idx: [0, 1]", "E10052", "line 1, column 74: input_edge_idx has a "
         "value already, at line 1, column 71; AIPP applies to an input as a whole, for all that "
         "read it; write 0 alone or leave it out."),
        ("aipp_mode: dynamic", "E10052", "line 1, column 9: max_src_image_size is 0 or missing; "
         "dynamic AIPP needs the bytes of the largest source images of one call: rows x width x "
         "height x bytes per pixel."),
    ],
)  # fmt: skip
def test_refusals_of_a_block(inside: str, code: str, message: str) -> None:
    assert refused(f"aipp_op {{ {inside} }}") == [(code, message)]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("", "E10052", "there is no aipp_op in it; write one: aipp_op { aipp_mode: ... }."),
        ("# nothing", "E10052", "there is no aipp_op in it; write one: aipp_op { aipp_mode: ... "
         "}."),
        ("aipp_op []", "E10052", "there is no aipp_op in it; write one: aipp_op { aipp_mode: ... "
         "}."),
        ("aipp_ops { }", "E19018", "line 1, column 1: there is no message aipp_ops. Did you mean "
         "'aipp_op'?"),
        ("crop: true", "E19018", "line 1, column 1: there is no message crop. It belongs inside "
         "aipp_op { }."),
        ("aipp_op: 5", "E19018", "line 1, column 10: aipp_op takes a message: { ... }."),
        ("multi_shape_op { mode: batch }", "E10052", "line 1, column 1: multi_shape_op is not "
         "supported; declare gears with dynamic_batch_size or dynamic_image_size."),
        ("aipp_op { aipp_mode： static }", "E19018", "line 1, column 20: '：' stands where ':' "
         "after aipp_mode is expected. '：' is a full-width character: type ':'."),
    ],
)  # fmt: skip
def test_refusals_of_a_file(text: str, code: str, message: str) -> None:
    assert refused(text) == [(code, message)]


def block(inside: str) -> str:
    return f"aipp_op {{ {STATIC} {inside} }}\n"


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("", "related_input_rank: 0", "2 aipp_op apply to the input of related_input_rank 0; "
         "write one for each input."),
        ("related_input_name: 'a'", "related_input_name: 'a'", "2 aipp_op apply to the input of "
         "related_input_name 'a'; write one for each input."),
        ("related_input_name: 'a'", "related_input_rank: 1", "some aipp_op name their input "
         "(related_input_name) and others give its place (related_input_rank); use one of the two "
         "throughout."),
    ],
)  # fmt: skip
def test_blocks_must_not_meet(first: str, second: str, message: str) -> None:
    assert refused(block(first) + block(second)) == [("E10052", message)]
    for names in ("'a'", "'b'"), ("1", "0"):
        field = "related_input_name" if "'" in names[0] else "related_input_rank"
        assert len(parse_aipp("".join(block(f"{field}: {name}") for name in names))) == 2


def test_all_that_is_wrong_is_said_at_once() -> None:
    text = """
    aipp_op {
      aipp_mode: static
      input_formt: RGB888_U8
      input_format: RAW10
      mean_chn_0: 300
      crop: yes
      resize: true
      var_reci_chn_0: nan
    }
    aipp_op { aipp_mode: dynamic related_input_rank: 1 }
    """
    found = refused(text)
    assert [code for code, _ in found] == ["E19018"] * 2 + ["E10052"] * 5
    for name in ("input_formt", "crop is yes", "RAW10", "resize", "mean_chn_0 is 300", "is nan",
                 "max_src_image_size"):  # fmt: skip
        assert sum(name in message for _, message in found) == 1


# --- writing ------------------------------------------------------------------------------------

bytes_ = st.integers(0, 255)
triples = st.tuples(bytes_, bytes_, bytes_)
rows = st.tuples(*[st.integers(-32768, 32767)] * 3)
halves_all = st.floats(-65504, 65504, width=16)
sizes = st.integers(0, 4096)
pads = st.integers(0, 32)
statics = st.builds(
    StaticAipp,
    format=st.sampled_from(ImageFormat),
    width=sizes.filter(lambda size: size != 1),
    height=sizes,
    rbuv_swap=st.booleans(),
    ax_swap=st.booleans(),
    crop=st.none() | st.builds(Crop, st.integers(0, 4095), st.integers(0, 4095), sizes, sizes),
    csc=st.none() | st.builds(Csc, st.tuples(rows, rows, rows), triples, triples),
    normalisation=st.builds(
        Normalisation,
        mean=st.tuples(*[bytes_] * 4),
        minimum=st.tuples(*[st.floats(0, 255, width=16)] * 4),
        var_reci=st.tuples(*[halves_all] * 4),
    ),
    padding=st.none() | st.builds(Padding, pads, pads, pads, pads, halves_all),
    channel_fill=halves_all,
)
dynamics = st.builds(DynamicAipp, st.integers(1, 2**32 - 1), st.booleans())
names = st.text(st.characters(codec="utf-8"), min_size=1)
configurations = st.one_of(
    st.lists(
        st.builds(AippBlock, statics | dynamics, input_rank=st.integers(0, 2**32 - 1)),
        min_size=1, max_size=3, unique_by=lambda made: made.input_rank,
    ),
    st.lists(
        st.builds(AippBlock, statics | dynamics, input_name=names),
        min_size=1, max_size=3, unique_by=lambda made: made.input_name,
    ),
).map(tuple)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(configurations)
def test_what_is_written_is_read_back(blocks: tuple[AippBlock, ...]) -> None:
    text = write_aipp(blocks)
    assert parse_aipp(text) == blocks
    assert write_aipp(parse_aipp(text)) == text
    assert len(text_format.Parse(text, InsertNewOps()).aipp_op) == len(blocks)


@settings(max_examples=100, deadline=None)
@given(right_texts())
def test_what_was_read_can_be_written(text: str) -> None:
    blocks = parse_aipp(text)
    assert parse_aipp(write_aipp(blocks)) == blocks


def test_the_written_form() -> None:
    text = """
    aipp_op: < padding: t; right_padding_size: 02, crop: 1 crop_size_w: 0x20 csc_switch: f
      input_format: 3 aipp_mode: static related_input_name: 'a' "\\"b" min_chn_1: 1e1 >
    aipp_op { aipp_mode: dynamic max_src_image_size: 5 related_input_name: "d" }
    """
    assert write_aipp(parse_aipp(text)) == (
        "aipp_op {\n"
        "  aipp_mode: static\n"
        '  related_input_name: "a\\"b"\n'
        "  input_format: RGB888_U8\n"
        "  crop: true\n"
        "  crop_size_w: 32\n"
        "  min_chn_1: 10.0\n"
        "  padding: true\n"
        "  right_padding_size: 2\n"
        "}\n"
        "aipp_op {\n"
        "  aipp_mode: dynamic\n"
        '  related_input_name: "d"\n'
        "  max_src_image_size: 5\n"
        "}\n"
    )
