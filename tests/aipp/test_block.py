"""The block of parameters: every byte where AscendCL has it, and nothing believed unseen."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
from aipp_images import aipp_parameters
from hypothesis import given
from hypothesis import strategies as st

from gearshift.aipp.block import DYNAMIC_AIPP_INPUT, MOST_ROWS, block_bytes, pack, unpack
from gearshift.aipp.parameters import AippParameters, AippRow
from gearshift.aipp.spec import Crop, Csc, ImageFormat, Padding
from gearshift.errors import GearshiftError, InputError, OptionError

FULL = AippParameters(
    ImageFormat.YUV420SP_U8,
    width=640,
    height=480,
    csc=Csc(((298, -1, 2), (-100, 516, -208), (0, 409, 32767)), (1, 2, 3), (4, 5, 255)),
    rbuv_swap=True,
    ax_swap=True,
    rows=[
        AippRow(
            Crop(left=2, top=4, width=300, height=200),
            Padding(left=9, right=11, top=7, bottom=13),
            mean=(104, 117, 123, 255),
            minimum=(1, 2.5, 3, 4),
            var_reci=(0.5, -2, 65504, 1),
        ),
        AippRow(Crop(0, 0, 320, 220)),
    ],
)

# Name, offset, form, value.
HEADER = [
    ("inputFormat", 0, "B", (1,)),
    ("cscSwitch", 1, "b", (1,)),
    ("rbuvSwapSwitch", 2, "b", (1,)),
    ("axSwapSwitch", 3, "b", (1,)),
    ("batchNum", 4, "b", (2,)),
    ("srcImageSizeW", 8, "<i", (640,)),
    ("srcImageSizeH", 12, "<i", (480,)),
    ("cscMatrix", 16, "<9h", (298, -1, 2, -100, 516, -208, 0, 409, 32767)),
    ("cscOutputBias", 40, "3B", (4, 5, 255)),
    ("cscInputBias", 43, "3B", (1, 2, 3)),
]
FIRST = [
    ("cropSwitch", 0, "b", (1,)),
    ("scfSwitch", 1, "b", (0,)),
    ("paddingSwitch", 2, "b", (1,)),
    ("rotateSwitch", 3, "b", (0,)),
    ("cropStartPosW", 8, "<i", (2,)),
    ("cropStartPosH", 12, "<i", (4,)),
    ("cropSizeW", 16, "<i", (300,)),
    ("cropSizeH", 20, "<i", (200,)),
    ("paddingSizeTop", 40, "<i", (7,)),
    ("paddingSizeBottom", 44, "<i", (13,)),
    ("paddingSizeLeft", 48, "<i", (9,)),
    ("paddingSizeRight", 52, "<i", (11,)),
    ("dtcPixelMean", 56, "<4h", (104, 117, 123, 255)),
    ("dtcPixelMin", 64, "<4e", (1, 2.5, 3, 4)),
    ("dtcPixelVarReci", 72, "<4e", (0.5, -2, 65504, 1)),
]
SECOND = [
    ("cropSwitch", 0, "b", (1,)),
    ("cropSizeW", 16, "<i", (320,)),
    ("cropSizeH", 20, "<i", (220,)),
    ("dtcPixelVarReci", 72, "<4e", (1, 1, 1, 1)),
]


def test_every_byte_of_a_block() -> None:
    expected = bytearray(64 + 2 * 96)
    for start, fields in ((0, HEADER), (64, FIRST), (64 + 96, SECOND)):
        for _, offset, form, values in fields:
            struct.pack_into(form, expected, start + offset, *values)
    assert pack(FULL).tobytes() == bytes(expected)
    assert unpack(np.frombuffer(bytes(expected), np.uint8)) == FULL


def test_names_and_sizes() -> None:
    assert DYNAMIC_AIPP_INPUT == "ascend_dynamic_aipp_data"
    assert [block_bytes(rows) for rows in (1, 2, 8)] == [160, 256, 832]


@given(aipp_parameters())
def test_what_is_written_is_read_again(parameters: AippParameters) -> None:
    block = pack(parameters)
    assert len(block) == 64 + 96 * len(parameters.first(parameters.count or 0))
    assert unpack(block) == parameters


def test_one_row_for_all_is_written_as_often_as_asked() -> None:
    parameters = AippParameters(ImageFormat.RGB888_U8, 8, 8, AippRow(mean=(1, 2, 3)))
    assert unpack(pack(parameters, 3)).rows == (AippRow(mean=(1, 2, 3)),) * 3
    assert unpack(pack(FULL, 1)).rows == FULL.first(1)


@pytest.mark.parametrize("rows", [None, 0, -1, MOST_ROWS + 1])
def test_rows_that_no_block_has(rows: int | None) -> None:
    with pytest.raises(OptionError, match=f"from 1 to {MOST_ROWS}"):
        pack(AippParameters(ImageFormat.RGB888_U8, 8, 8), rows)


def test_more_rows_than_there_are() -> None:
    with pytest.raises(OptionError, match="it has 2 rows, and 3 are needed"):
        pack(FULL, 3)


def test_what_is_behind_the_last_row_is_not_looked_at() -> None:
    assert unpack(np.append(pack(FULL), np.full(200, 255, np.uint8))) == FULL


def test_numbers_of_what_is_off_may_be_anything() -> None:
    parameters = AippParameters(ImageFormat.RGB888_U8, 8, 8, [AippRow()])
    block = pack(parameters)
    for start, stop in ((16, 46), (64 + 8, 64 + 24), (64 + 24, 64 + 56)):
        block[start:stop] = 255
    assert unpack(block) == parameters


def changed(offset: int, form: str, value: float) -> Callable[[bytearray], None]:
    return lambda block: struct.pack_into(form, block, offset, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(0, "B", 5), "inputFormat is 5; supported: 1 YUV420SP_U8, 2 XRGB8888_U8"),
        (changed(0, "B", 0), "inputFormat is 0"),
        (changed(1, "b", 2), "cscSwitch is 2; allowed: 0 or 1"),
        (changed(2, "b", -1), "rbuvSwapSwitch is -1"),
        (changed(3, "b", 9), "axSwapSwitch is 9"),
        (changed(8, "<i", 0), "width is 0; allowed: 2 to 4096"),
        (changed(8, "<i", 639), "width is 639; for this format it must be even"),
        (changed(12, "<i", -480), "height is -480; allowed: 1 to 4096"),
        (changed(64, "b", 2), "cropSwitch is 2"),
        (changed(65, "b", 1), "scfSwitch is 1; it is not supported"),
        (changed(66, "b", 2), "paddingSwitch is 2"),
        (changed(67, "b", 3), "rotateSwitch is 3; it is not supported"),
        (changed(72, "<i", 3), "takes even ones"),
        (changed(72, "<i", 400), "goes beyond the source image, which is 640 pixels wide"),
        (changed(84, "<i", 4097), "crop.height is 4097"),
        (changed(104, "<i", 33), "padding.top is 33; allowed: 0 to 32"),
        (changed(104, "<i", 8), "different sizes"),
        (changed(120, "<h", 256), r"mean\[0\] is 256; allowed: 0 to 255"),
        (changed(128, "<e", -1), r"minimum\[0\] is -1.0"),
        (changed(136, "<e", float("nan")), r"var_reci\[0\] is nan"),
        (changed(136, "<e", float("inf")), r"var_reci\[0\] is inf"),
    ],
)
def test_values_that_are_refused(change: Callable[[bytearray], None], message: str) -> None:
    block = bytearray(pack(FULL).tobytes())
    change(block)
    with pytest.raises(OptionError, match=message) as caught:
        unpack(np.frombuffer(bytes(block), np.uint8))
    assert caught.value.acl_code == 100000


@pytest.mark.parametrize(
    ("block", "message", "acl_code"),
    [
        (np.zeros(0, np.uint8), "has 0 bytes; its header takes 64", 145012),
        (np.zeros(63, np.uint8), "has 63 bytes", 145012),
        (np.zeros(64, np.uint8), "is for 0 rows", 145014),
        (np.full(64, 255, np.uint8), "is for -1 rows", 145014),
        (pack(FULL)[:-1], "has 255 bytes; for the 2 rows that it says it takes 256", 145012),
        (pack(FULL)[np.newaxis], "takes an AippParameters, or its block", 100017),
        (pack(FULL).astype(np.int8), "is int8", 100017),
        (np.array(None), "is object", 100017),
    ],
)
def test_what_is_no_block(block: np.ndarray, message: str, acl_code: int) -> None:
    with pytest.raises(InputError, match=message) as caught:
        unpack(block)
    assert caught.value.acl_code == acl_code


@given(st.binary(min_size=0, max_size=64 + 96 * 3), st.integers(0, 3))
def test_any_bytes_are_parameters_or_refused(content: bytes, rows: int) -> None:
    block = np.frombuffer(content, np.uint8).copy()
    if len(block) > 4:
        block[4] = rows
    try:
        parameters = unpack(block)
    except GearshiftError:
        return
    assert unpack(pack(parameters)) == parameters


def test_a_block_of_every_other_byte() -> None:
    spread = np.repeat(pack(FULL), 2)
    assert unpack(spread[::2]) == FULL
