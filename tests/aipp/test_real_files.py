"""Configurations as people write them, reduced to what is peculiar about each."""

from __future__ import annotations

import pytest

from gearshift.aipp.checks import settle
from gearshift.aipp.config import parse_aipp, write_aipp
from gearshift.aipp.spec import AippBlock, Crop, Csc, DynamicAipp, ImageFormat, StaticAipp
from gearshift.aipp.textformat import decode
from gearshift.errors import OptionError

IMAGENET_MIN = (123.6875, 116.25, 103.5, 0.0)
JPEG = ((256, 0, 359), (256, -88, -183), (256, 454, 0))


def block_of(text: str | bytes) -> AippBlock:
    """The one block of a file, which survives being written and read again."""
    blocks = parse_aipp(decode(text) if isinstance(text, bytes) else text)
    assert parse_aipp(write_aipp(blocks)) == blocks
    (block,) = blocks
    return block


def static_of(text: str | bytes) -> StaticAipp:
    aipp = block_of(text).aipp
    assert isinstance(aipp, StaticAipp)
    return aipp


def test_no_blank_before_the_brace_and_blanks_before_colons() -> None:
    aipp = static_of(
        """aipp_op{
            aipp_mode:static
            input_format : RGB888_U8
            src_image_size_w : 288
            src_image_size_h :288

            csc_switch : false
            min_chn_0 : 123.675
            min_chn_1 : 116.28
            min_chn_2 : 103.53
            var_reci_chn_0: 0.0171247538316637
        }"""
    )
    assert (aipp.format, aipp.width, aipp.height) == (ImageFormat.RGB888_U8, 288, 288)
    assert aipp.normalisation.minimum == IMAGENET_MIN
    assert aipp.normalisation.var_reci == (0.017120361328125, 1.0, 1.0, 1.0)


def test_windows_lines_with_tabs_and_trailing_comments() -> None:
    aipp = static_of(
        b"aipp_op{\r\n\taipp_mode : static\r\n\t\r\n\tinput_format : RGB888_U8\r\n"
        b"\tsrc_image_size_h : 1200   # rows of the picture\r\n"
        b"\tsrc_image_size_w : 1920\t# columns: {not a message}\r\n}\r\n\r\n"
    )
    assert (aipp.width, aipp.height) == (1920, 1200)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_chinese_comments_in_any_encoding(encoding: str) -> None:
    text = (
        "aipp_op {\n  aipp_mode : static   # 静态模式：不变\n  input_format : RGB888_U8 # 图片\n}"
    )
    assert static_of(text.encode(encoding)) == StaticAipp(ImageFormat.RGB888_U8)


def test_comments_that_another_program_has_mangled() -> None:
    broken = "模式".encode("gbk")[:3] + b"\xef\xbf\xbd"
    text = b"aipp_op { aipp_mode : static #" + broken + b"\n input_format : RGB888_U8 }"
    assert static_of(text) == StaticAipp(ImageFormat.RGB888_U8)


def test_numbers_of_a_crop_that_is_off() -> None:
    """Files keep them round, with crop switched off or not mentioned at all."""
    numbers = "load_start_pos_h : 16 load_start_pos_w : 16 crop_size_w : 224 crop_size_h: 224"
    head = "aipp_mode: static input_format: RGB888_U8 src_image_size_w: 224 src_image_size_h: 224"
    for switch in ("crop: false", ""):
        aipp = static_of(f"aipp_op {{ {head} {switch} {numbers} }}")
        assert aipp.crop is None
        assert settle(aipp, "data", 3, 224, 224) == aipp


def test_nv21_with_crop_and_the_jpeg_matrix() -> None:
    """The commonest YUV file: 256 pixels, 224 out of their middle, converted to RGB."""
    names = [f"matrix_r{row}c{column}" for row in range(3) for column in range(3)]
    flat = [number for row in JPEG for number in row]
    matrix = "\n".join(f"    {name}: {number}" for name, number in zip(names, flat, strict=True))
    aipp = static_of(
        f"""aipp_op{{
        aipp_mode:static
        input_format : YUV420SP_U8
        src_image_size_w : 256
        src_image_size_h : 256
        crop: true
        load_start_pos_h : 16
        load_start_pos_w : 16
        crop_size_w : 224
        crop_size_h: 224
        csc_switch : true
        rbuv_swap_switch : true
    {matrix}
        input_bias_0: 0
        input_bias_1: 128
        input_bias_2: 128
    }}"""
    )
    assert aipp.crop == Crop(16, 16, 224, 224)
    # The bias of the other direction has its default, which has no effect here.
    assert aipp.csc == Csc(JPEG, input_bias=(0, 128, 128), output_bias=(16, 128, 128))
    assert aipp.rbuv_swap
    assert settle(aipp, "data", 3, 224, 224) == aipp


def test_a_crop_without_a_size_is_the_model_s() -> None:
    aipp = static_of(
        "aipp_op { aipp_mode: static input_format: YUV420SP_U8 src_image_size_w: 250 "
        "src_image_size_h: 250 crop: true load_start_pos_h: 0 load_start_pos_w: 0 }"
    )
    assert aipp.crop == Crop(0, 0, 0, 0)
    assert settle(aipp, "data", 3, 224, 224).crop == Crop(0, 0, 224, 224)


def test_no_sizes_or_sizes_of_zero() -> None:
    short = "aipp_op { aipp_mode: static input_format: RGB888_U8 rbuv_swap_switch: true }"
    zeros = short.replace("}", "src_image_size_h : 0 src_image_size_w : 0 }")
    assert static_of(short) == static_of(zeros)
    settled = settle(static_of(zeros), "data", 3, 48, 320)
    assert (settled.height, settled.width) == (48, 320)
    assert settle(static_of(zeros), "data", 3, -1, -1, gears=True) == static_of(short)


@pytest.mark.parametrize(
    ("image_format", "matrix"),
    [("RGB888_U8", (76, 150, 30)), ("YUV420SP_U8", (256, 0, 0))],
)
def test_grey_out_of_colour_for_a_model_of_one_channel(
    image_format: str, matrix: tuple[int, int, int]
) -> None:
    """Text recognisers: the first row of the matrix makes grey, the others are zero."""
    names = [f"matrix_r{row}c{column}" for row in range(3) for column in range(3)]
    numbers = [*matrix, 0, 0, 0, 0, 0, 0]
    lines = "".join(f"{name} : {number}\n" for name, number in zip(names, numbers, strict=True))
    aipp = static_of(
        f"aipp_op {{ aipp_mode: static input_format: {image_format} csc_switch: true\n{lines}"
        "output_bias_0 : 0 output_bias_1 : 0 output_bias_2 : 0 input_bias_0 : 0 }"
    )
    assert aipp.csc is not None
    assert aipp.csc.matrix == (matrix, (0, 0, 0), (0, 0, 0))
    assert settle(aipp, "the_input", 1, 32, 100).width == 100


def test_whole_numbers_where_fractions_are_meant() -> None:
    aipp = static_of(
        "aipp_op { aipp_mode: static input_format: RGB888_U8 mean_chn_0: 104 mean_chn_1: 117\n"
        "min_chn_1 : 114 var_reci_chn_0: 1 var_reci_chn_1 : 1.0 var_reci_chn_2:0.0000671558973791 }"
    )
    assert aipp.normalisation.mean == (104, 117, 0, 0)
    assert aipp.normalisation.minimum == (0.0, 114.0, 0.0, 0.0)
    # So small a number has few digits left in float16.
    assert aipp.normalisation.var_reci == (1.0, 1.0, 6.717443466186523e-05, 1.0)


def test_padding_with_a_value() -> None:
    aipp = static_of(
        "aipp_op { aipp_mode: static input_format: RGB888_U8 src_image_size_w: 189\n"
        "src_image_size_h: 189 padding: true left_padding_size: 20 right_padding_size: 15\n"
        "top_padding_size: 20 bottom_padding_size: 15 padding_value: 0 }"
    )
    assert settle(aipp, "data", 3, 224, 224) == aipp


def test_dynamic_files() -> None:
    block = block_of(
        "aipp_op { \naipp_mode : dynamic\nrelated_input_rank : 0\nmax_src_image_size: 26000\n"
        "support_rotation: false\n}\n"
    )
    assert block == AippBlock(DynamicAipp(26000))


def test_a_file_for_two_inputs() -> None:
    blocks = parse_aipp(
        "aipp_op { aipp_mode: static related_input_rank: 0 input_format: RGB888_U8 }\n"
        "aipp_op { aipp_mode: static related_input_rank: 1 input_format: YUV420SP_U8 }\n"
    )
    assert [block.input_rank for block in blocks] == [0, 1]


def test_full_width_colons_are_named() -> None:
    with pytest.raises(OptionError) as caught:
        parse_aipp("aipp_op {\n  aipp_mode: static\n  crop ： false\n}")
    assert caught.value.code == "E19018"
    assert "line 3, column 8: '：'" in caught.value.message
    assert "type ':'" in caught.value.message
