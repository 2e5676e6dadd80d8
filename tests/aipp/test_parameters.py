"""Parameters of dynamic AIPP: what they may be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gearshift
from gearshift import AippParameters, AippRow, Crop, Csc, ImageFormat, Padding
from gearshift.aipp.spec import Normalisation
from gearshift.errors import OptionError

UNIT = Csc(((256, 0, 0), (0, 256, 0), (0, 0, 256)), (0, 0, 0), (0, 0, 0))
RGB, NV12 = ImageFormat.RGB888_U8, ImageFormat.YUV420SP_U8


def parameters(**values: Any) -> AippParameters:
    return AippParameters(**{"format": RGB, "width": 40, "height": 30, **values})


def test_defaults_change_nothing() -> None:
    row = AippRow()
    assert row.normalisation == Normalisation()
    assert parameters().rows == row
    assert parameters().count is None
    assert parameters().size == (30, 40)
    assert parameters(rows=[row]).count == 1


def test_numbers_of_any_kind_become_float16_and_whole() -> None:
    row = AippRow(
        mean=np.array([1, 2], np.int64), minimum=np.float32([0.1]), var_reci=[1 / 255, 1, 2.5]
    )
    assert row.mean == (1, 2, 0, 0)
    assert row.minimum == (float(np.float16(0.1)), 0, 0, 0)
    assert row.var_reci == (float(np.float16(1 / 255)), 1, 2.5, 1)
    assert {type(number) for number in (*row.mean, *row.var_reci)} == {int, float}
    assert hash(row) == hash(AippRow(mean=[1, 2], minimum=[0.1], var_reci=[1 / 255, 1, 2.5]))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mean": [1, 2, 3, 4, 5]}, "mean has 5 numbers; give one for each channel, up to 4"),
        ({"mean": [256]}, r"mean\[0\] is 256; allowed: 0 to 255"),
        ({"mean": [0, -1]}, r"mean\[1\] is -1"),
        ({"mean": [0.5]}, r"mean\[0\] is 0.5; it takes a whole number"),
        ({"minimum": [255.5]}, r"minimum\[0\] is 255.5"),
        ({"minimum": ["many"]}, r"minimum\[0\] is 'many'; it takes a number"),
        ({"var_reci": [65505]}, r"var_reci\[0\] is 65505; allowed: -65504 to 65504"),
        ({"var_reci": [float("nan")]}, r"var_reci\[0\] is nan"),
        ({"crop": Crop(-1, 0, 4, 4)}, "crop.left is -1; allowed: 0 to 4095"),
        ({"crop": Crop(0, 4096, 4, 4)}, "crop.top is 4096"),
        ({"crop": Crop(0, 0, 0, 4)}, "crop.width is 0; allowed: 1 to 4096"),
        ({"crop": Crop(0, 0, 4, 4097)}, "crop.height is 4097"),
        ({"padding": Padding(33, 0, 0, 0)}, "padding.left is 33; allowed: 0 to 32"),
        ({"padding": Padding(0, 0, 0, -1)}, "padding.bottom is -1"),
        ({"padding": Padding(1, value=3)}, "padding.value is 3; dynamic AIPP pads with 0 alone"),
    ],
)
def test_rows_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        AippRow(**values)
    assert caught.value.acl_code == 100000


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": "RGB888_U8"}, "format is 'RGB888_U8'; allowed: gearshift.ImageFormat's YUV4"),
        ({"width": 1}, "width is 1; allowed: 2 to 4096"),
        ({"width": 4097}, "width is 4097"),
        ({"height": 0}, "height is 0; allowed: 1 to 4096"),
        ({"height": 30.0}, "height is 30.0; it takes a whole number"),
        ({"format": NV12, "width": 41}, "width is 41; for this format it must be even"),
        ({"format": NV12, "height": 29}, "height is 29; for this format it must be even"),
        ({"format": ImageFormat.YUYV_U8, "width": 41}, "width is 41; for this format"),
        ({"rows": []}, "it has no rows"),
        ({"rows": [AippRow(), AippRow(Crop(0, 0, 4, 4))]}, r"sizes \(4 x 4, 30 x 40\)"),
        ({"rows": AippRow(Crop(1, 0, 40, 4))}, "which is 40 pixels wide"),
        ({"rows": AippRow(Crop(0, 1, 40, 30))}, "which is 30 pixels high"),
        ({"format": NV12, "rows": AippRow(Crop(1, 0, 4, 4))}, "YUV420SP_U8 takes even ones"),
        ({"format": NV12, "rows": AippRow(Crop(0, 0, 4, 3))}, "YUV420SP_U8 takes even ones"),
        (
            {"width": 1060, "rows": AippRow(padding=Padding(10, 11))},
            "1081 pixels wide; with padding: up to 1080",
        ),
        ({"format": ImageFormat.YUV400_U8, "csc": UNIT}, "has no colours to convert"),
        ({"csc": Csc(((0, 0, 32768),) * 3, (0,) * 3, (0,) * 3)}, "csc.matrix is 32768"),
        ({"csc": Csc(UNIT.matrix, (0, 0, 256), (0, 0, 0))}, "a bias of csc is 256"),
        ({"csc": Csc(UNIT.matrix, (0, 0, 0), (-1, 0, 0))}, "a bias of csc is -1"),
    ],
)
def test_parameters_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        parameters(**values)
    assert caught.value.acl_code == 100000


def test_what_just_fits() -> None:
    most = AippRow(Crop(0, 0, 1016, 4), Padding(32, 32, 32, 32), (255,) * 4, (255,) * 4, (-65504,))
    made = parameters(width=4096, height=4096, rows=[most])
    assert made.size == (68, 1080)
    assert made.image_bytes == 4096 * 4096 * 3


def test_public_names() -> None:
    for name in ("AippParameters", "AippRow", "Crop", "Csc", "ImageFormat", "Padding"):
        assert name in gearshift.__all__
