"""Dynamic AIPP for tests: models, parameters that differ by row, and what becomes of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mdl_tools import ENGINES, IMAGES, Loaded, Memory, compiled, expected

from gearshift.acl.codes import Code
from gearshift.acl.mdl import aipp as mdl_aipp
from gearshift.acl.mdl import tensors as mdl_tensors
from gearshift.aipp.block import DYNAMIC_AIPP_INPUT
from gearshift.aipp.image import source_shape
from gearshift.aipp.parameters import AippParameters, AippRow
from gearshift.aipp.reference import preprocess
from gearshift.aipp.spec import Crop, Csc, ImageFormat, Padding
from gearshift.tensors import Array

NOWHERE = 0xFFFFFFFF
NOT_MATCH = Code.MODEL_INPUT_NOT_MATCH
LARGEST = 4
MOST = 1 << 16  # bytes that the source images may take
NV12, RGB, XRGB = ImageFormat.YUV420SP_U8, ImageFormat.RGB888_U8, ImageFormat.XRGB8888_U8
CSC = Csc(((298, 516, 0), (298, -100, -208), (298, 0, 409)), (16, 128, 128), (0, 0, 0))


def words(folder: Path, mode: str, size: int = MOST) -> dict[str, Any]:
    config = folder / f"{mode}{size}.cfg"
    config.write_text(f"aipp_op {{ aipp_mode: dynamic max_src_image_size: {size} }}")
    return {"aipp": config} | {
        "batch": {"input_shape": "x:-1,3,8,12", "dynamic_batch_size": "2,4,1"},
        "image": {"input_shape": "x:2,3,-1,-1", "dynamic_image_size": "8,8;16,12"},
        "fixed": {"input_shape": "x:4,3,8,12"},
    }[mode]


@pytest.fixture(scope="module", params=ENGINES)
def batch(folder: Path, request: pytest.FixtureRequest) -> Path:
    """A model of batch gears behind dynamic AIPP, on each engine."""
    engine = request.param
    return compiled(IMAGES, folder, f"batch{engine}", engine=engine, **words(folder, "batch"))


def handle_of(parameters: AippParameters, rows: int) -> int:
    """The same parameters, as a program sets them."""
    aipp = mdl_aipp.create_aipp(rows)
    assert aipp
    a, p = mdl_aipp, parameters
    assert a.set_aipp_input_format(aipp, int(p.format)) == 0
    assert a.set_aipp_src_image_size(aipp, p.width, p.height) == 0
    assert a.set_aipp_rbuv_swap_switch(aipp, int(p.rbuv_swap)) == 0
    assert a.set_aipp_ax_swap_switch(aipp, int(p.ax_swap)) == 0
    if p.csc is not None:
        matrix = [factor for factors in p.csc.matrix for factor in factors]
        biases = (*p.csc.output_bias, *p.csc.input_bias)
        assert a.set_aipp_csc_params(aipp, 1, *matrix, *biases) == 0
    for at, row in enumerate(p.first(rows)):
        if row.crop is not None:
            c = row.crop
            ret = a.set_aipp_crop_params(aipp, 1, c.left, c.top, c.width, c.height, at)
            assert ret == 0
        if row.padding is not None:
            d = row.padding
            ret = a.set_aipp_padding_params(aipp, 1, d.top, d.bottom, d.left, d.right, at)
            assert ret == 0
        assert a.set_aipp_dtc_pixel_mean(aipp, *row.mean, at) == 0
        assert a.set_aipp_dtc_pixel_min(aipp, *row.minimum, at) == 0
        assert a.set_aipp_pixel_var_reci(aipp, *row.var_reci, at) == 0
    return aipp


def several(image_format: ImageFormat, rows: int = LARGEST) -> AippParameters:
    """Images of 20 x 16, of which each row takes another part, and does something else with it."""
    records = [
        AippRow(
            Crop(2 * at, 4 - 2 * (at % 2), 8, 6),
            Padding(left=at, right=4 - at, top=at % 3, bottom=2 - at % 3),
            mean=(at, 2 * at, 100, 0),
            minimum=(0.5 * at, 0.0, 3.0, 0.0),
            var_reci=(1 / (at + 1), 0.25, -1 / 3, 1.0),
        )
        for at in range(rows)
    ]
    csc = CSC if image_format is NV12 else None
    return AippParameters(image_format, 20, 16, records, csc, rbuv_swap=True)


def own_of(parameters: AippParameters, images: Array, channels: int = 3) -> Array:
    """The model's own input, by the arbiter of arithmetic, one row at a time."""
    return np.concatenate(
        [
            preprocess(parameters.static(row), images[at : at + 1], channels)
            for at, row in enumerate(parameters.first(len(images)))
        ]
    )


def images_of(parameters: AippParameters, rows: int, seed: int = 0) -> Array:
    shape = source_shape(parameters.format, rows, parameters.height, parameters.width)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def check_outputs(taken: Memory, own: Array, folder: Path) -> None:
    for at, array in enumerate(expected(IMAGES, folder, {"x": own})):
        np.testing.assert_allclose(taken.get(at, array), array, atol=2e-3, rtol=1e-5)


def parameter_index(model: Loaded, name: str = DYNAMIC_AIPP_INPUT) -> int:
    index, ret = mdl_tensors.get_input_index_by_name(model.desc, name)
    assert ret == 0
    return index
