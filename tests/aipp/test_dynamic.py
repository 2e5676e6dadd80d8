"""Dynamic AIPP: each image by its own parameters, as the bytes of the block say it."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from aipp_images import aipp_parameters
from aipp_slowly import slowly
from hypothesis import given
from hypothesis import strategies as st

from gearshift.aipp import dynamic
from gearshift.aipp.block import pack
from gearshift.aipp.dynamic import apply, as_images
from gearshift.aipp.image import Layout, fitting_channels, source_shape
from gearshift.aipp.parameters import AippParameters, AippRow
from gearshift.aipp.spec import Crop, Csc, ImageFormat, Normalisation, Padding, StaticAipp
from gearshift.errors import InputError, OptionError
from gearshift.tensors import Array

RGB = ImageFormat.RGB888_U8


def said_of(block: bytes, row: int) -> StaticAipp:
    """What a block says of one row, read at the places where AscendCL has it."""

    def read(form: str, place: int) -> Any:
        return struct.unpack_from(form, block, place)

    image_format, csc, rbuv, ax, _ = read("B4b", 0)
    width, height = read("<2i", 8)
    m, out, into = read("<9h", 16), read("3B", 40), read("3B", 43)
    at = 64 + 96 * row
    crop, _, padding, _ = read("4b", at)
    top, bottom, left, right = read("<4i", at + 40)
    return StaticAipp(
        ImageFormat(image_format), width, height, bool(rbuv), bool(ax),
        Crop(*read("<4i", at + 8)) if crop else None,
        Csc((m[:3], m[3:6], m[6:]), into, out) if csc else None,
        Normalisation(read("<4h", at + 56), read("<4e", at + 64), read("<4e", at + 72)),
        Padding(left, right, top, bottom) if padding else None,
    )  # fmt: skip


def expected_of(parameters: AippParameters, images: Array, channels: int, dtype: str) -> Array:
    """``[N, C, H, W]``, one number at a time."""
    block = pack(parameters, parameters.count or len(images)).tobytes()
    return np.stack(
        [slowly(said_of(block, row), image, channels, dtype) for row, image in enumerate(images)]
    )


def source(parameters: AippParameters, rows: int, seed: int = 0) -> Array:
    shape = source_shape(parameters.format, rows, parameters.height, parameters.width)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@given(
    st.data(),
    st.sampled_from(["float32", "float16", "int8", "uint8"]),
    st.sampled_from(["NCHW", "NHWC"]),
    st.sampled_from([1, 16, 1 << 15]),
)
def test_each_image_by_its_own_record(
    data: st.DataObject, dtype: str, layout: Layout, pixels: int
) -> None:
    rows = data.draw(st.integers(1, 4))
    parameters = data.draw(aipp_parameters(rows + data.draw(st.integers(0, 1))))
    allowed = fitting_channels(parameters.format, converts=parameters.csc is not None)
    channels = data.draw(st.sampled_from(sorted(allowed)))
    images = source(parameters, rows, seed=data.draw(st.integers(0, 9)))
    expected = expected_of(parameters, images, channels, dtype)
    if layout == "NHWC":
        expected = expected.transpose(0, 2, 3, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamic, "_PIXELS", pixels)  # two lines at a time, some, or the whole image
        found = apply(parameters, images, channels, *parameters.size, dtype, layout)
    assert found.dtype == np.dtype(dtype)
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, expected)


def test_rows_that_share_a_record_and_rows_that_do_not() -> None:
    one, other = AippRow(mean=(1,)), AippRow(mean=(0, 9))
    parameters = AippParameters(RGB, 4, 2, rows=[one, other, one, one, other])
    images = source(parameters, 5)
    found = apply(parameters, images, 3, 2, 4)
    np.testing.assert_array_equal(found, expected_of(parameters, images, 3, "float32"))
    together = AippParameters(RGB, 4, 2, rows=one)
    np.testing.assert_array_equal(
        apply(together, images, 3, 2, 4), expected_of(together, images, 3, "float32")
    )


def test_no_images() -> None:
    parameters = AippParameters(RGB, 9, 9, rows=[AippRow(Crop(0, 0, 4, 2))])
    assert apply(parameters, np.empty((0, 9, 9, 3), np.uint8), 3, 2, 4).shape == (0, 3, 2, 4)
    flat = np.empty((0, 243), np.uint8)
    assert apply(parameters, flat, 3, 2, 4, "int8", "NHWC").shape == (0, 2, 4, 3)


@given(st.data(), st.integers(0, 3))
def test_images_may_be_flat(data: st.DataObject, rows: int) -> None:
    parameters = data.draw(aipp_parameters(1))
    images = source(parameters, rows)
    for given_so in (images, images.reshape(rows, parameters.image_bytes), images.reshape(-1)):
        np.testing.assert_array_equal(as_images(parameters, given_so), images)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 3, 8, 6), np.uint8), r"have the shape \[2, 3, 8, 6\]; RGB888_U8 of 6 x 8"),
        (np.zeros((2, 6, 8, 3), np.uint8), r"is \[-1, 8, 6, 3\], \[-1, 144\], or all of these"),
        (np.zeros((8, 6, 3), np.uint8), "have the shape"),
        (np.zeros(145, np.uint8), "have the shape"),
        (np.zeros((), np.uint8), "have the shape"),
        (np.zeros((2, 8, 6, 3), np.float32), "source images are float32; AIPP takes uint8"),
    ],
)
def test_images_of_another_shape(images: Array, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_images(AippParameters(RGB, width=6, height=8), images)


def test_what_does_not_come_to_the_models_input() -> None:
    parameters = AippParameters(RGB, 6, 8)
    images = source(parameters, 1)
    with pytest.raises(InputError, match="come to 6 x 8 pixels; the model takes 8 x 6"):
        apply(parameters, images, 3, 6, 8)
    with pytest.raises(InputError, match=r"RGB888_U8 gives 3 channels .* the model takes 1"):
        apply(parameters, images, 1, 8, 6)
    two = AippParameters(RGB, 6, 8, rows=[AippRow(), AippRow()])
    with pytest.raises(OptionError, match="it has 2 rows, and 3 are needed"):
        apply(two, source(two, 3), 3, 8, 6)
