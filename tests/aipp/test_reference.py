"""AIPP in numpy, against the stated arithmetic done one number at a time."""

from __future__ import annotations

import numpy as np
import pytest
from aipp_images import BT601, FORMATS, TO_YUV, channel_counts, images_for, static_aipps
from aipp_slowly import slowly
from hypothesis import given
from hypothesis import strategies as st

from gearshift.aipp import reference
from gearshift.aipp.image import source_bytes, source_height, source_shape
from gearshift.aipp.spec import ImageFormat, Padding, StaticAipp
from gearshift.errors import InternalError

DTYPES = ("float32", "float16", "int8", "uint8")


@given(st.data(), static_aipps(), st.integers(1, 2), st.sampled_from(DTYPES))
def test_every_stage_is_the_stated_arithmetic(
    data: st.DataObject, aipp: StaticAipp, rows: int, dtype: str
) -> None:
    channels = data.draw(channel_counts(aipp.format))
    images = images_for(aipp, rows, seed=data.draw(st.integers(0, 9)))
    found = reference.preprocess(aipp, images, channels, dtype)
    expected = np.stack([slowly(aipp, image, channels, dtype) for image in images])
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


# BT.601 video: black is 16, white 235.
@pytest.mark.parametrize(
    ("yuv", "rgb"),
    [
        ((16, 128, 128), (0, 0, 0)),
        ((235, 128, 128), (254, 254, 254)),  # 298 * 219 / 256 = 254.9
        ((126, 128, 128), (128, 128, 128)),
        ((81, 90, 240), (254, 0, 0)),  # red
        ((145, 54, 34), (0, 255, 1)),  # green
        ((41, 240, 110), (0, 0, 254)),  # blue
        ((0, 0, 0), (0, 135, 0)),  # below black: held at 0
        ((255, 255, 255), (255, 125, 255)),  # beyond white: held at 255
    ],
)
def test_bt601_of_known_colours(yuv: tuple[int, int, int], rgb: tuple[int, int, int]) -> None:
    frame = np.array([[[yuv[0]] * 2, [yuv[0]] * 2, yuv[1:]]], np.uint8)
    found = reference.preprocess(StaticAipp(ImageFormat.YUV420SP_U8, 2, 2, csc=BT601), frame, 3)
    assert (found == np.array(rgb).reshape(3, 1, 1)).all()


@pytest.mark.parametrize(
    ("rgb", "yuv"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((255, 0, 0), (81, 90, 239)),
        ((0, 255, 0), (144, 54, 34)),
        ((0, 0, 255), (40, 239, 110)),
    ],
)
def test_yuv_of_known_colours(rgb: tuple[int, int, int], yuv: tuple[int, int, int]) -> None:
    """The fraction is cut off downwards, also below zero."""
    image = np.array(rgb, np.uint8).reshape(1, 1, 1, 3)
    found = reference.preprocess(StaticAipp(ImageFormat.RGB888_U8, 1, 1, csc=TO_YUV), image, 3)
    assert found.ravel().tolist() == list(yuv)


def test_nv21_is_nv12_with_the_swap() -> None:
    nv12 = images_for(StaticAipp(ImageFormat.YUV420SP_U8, 8, 4), 2)
    nv21 = nv12.copy()
    nv21[:, 4:, 0::2], nv21[:, 4:, 1::2] = nv12[:, 4:, 1::2], nv12[:, 4:, 0::2]
    plain = StaticAipp(ImageFormat.YUV420SP_U8, 8, 4, csc=BT601)
    swap = StaticAipp(ImageFormat.YUV420SP_U8, 8, 4, csc=BT601, rbuv_swap=True)
    first, second = (reference.preprocess(aipp, i, 3) for aipp, i in ((plain, nv12), (swap, nv21)))
    np.testing.assert_array_equal(first, second)


def test_rows_are_by_themselves() -> None:
    aipp = StaticAipp(ImageFormat.YUYV_U8, 6, 3, csc=BT601, padding=Padding(1, 2, 3, 4, 5.0))
    images = images_for(aipp, 3)
    together = reference.preprocess(aipp, images, 3)
    for row in range(3):
        np.testing.assert_array_equal(
            together[row : row + 1], reference.preprocess(aipp, images[row : row + 1], 3)
        )


@pytest.mark.parametrize("image_format", FORMATS)
def test_shape_bytes_and_height_agree(image_format: ImageFormat) -> None:
    shape = source_shape(image_format, 4, 6, 10)
    assert source_bytes(image_format, 6, 10) == np.empty(shape, np.uint8).nbytes // 4
    assert source_height(image_format, shape) == 6
    open_shape = source_shape(image_format, -1, -1, -1)
    assert len(open_shape) == len(shape)
    assert open_shape[:3] == (-1, -1, -1)
    assert open_shape[3:] == shape[3:]


@pytest.mark.parametrize(
    ("image_format", "size"),
    [("YUV420SP_U8", 1.5), ("YUV400_U8", 1), ("RGB888_U8", 3), ("XRGB8888_U8", 4),
     ("ARGB8888_U8", 4), ("AYUV444_U8", 4), ("YUYV_U8", 2), ("YUV422SP_U8", 2)],
)  # fmt: skip
def test_bytes_of_an_image(image_format: str, size: float) -> None:
    assert source_bytes(ImageFormat[image_format], 480, 640) == 480 * 640 * size


def test_what_cannot_be_is_refused() -> None:
    grey = StaticAipp(ImageFormat.YUV400_U8, 2, 2, csc=BT601)
    with pytest.raises(InternalError, match="YUV400_U8 has no colours"):
        reference.preprocess(grey, np.zeros((1, 2, 2), np.uint8), 1)
    with pytest.raises(InternalError, match="not float32"):
        reference.planes(ImageFormat.YUV400_U8, np.zeros((1, 2, 2), np.float32))
