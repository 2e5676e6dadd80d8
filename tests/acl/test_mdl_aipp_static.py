"""Static AIPP: what descriptions and `get_first_aipp_info` say, and images through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mdl_tools import (
    ENGINES,
    IMAGES,
    KERNEL,
    Loaded,
    Memory,
    compiled,
    expected,
    folder,
    started,
)

from gearshift.acl.codes import Code
from gearshift.acl.mdl import aipp as mdl_aipp
from gearshift.acl.mdl import aipp_info as mdl_aipp_info
from gearshift.acl.mdl import run as mdl_run
from gearshift.acl.mdl import tensors as mdl_tensors
from gearshift.aipp.config import parse_aipp
from gearshift.aipp.reference import preprocess
from gearshift.aipp.spec import StaticAipp

__all__ = ["folder", "started"]

UINT8, NHWC, NCHW, NOWHERE = 4, 1, 0, 0xFFFFFFFF
NORM = """
    mean_chn_0: 104 mean_chn_1: 117 mean_chn_2: 123
    min_chn_0: 0.5 min_chn_2: 0.25
    var_reci_chn_0: 0.015625 var_reci_chn_1: 0.0234375 var_reci_chn_2: 0.03125
"""
CSC = """
    csc_switch: true
    matrix_r0c0: 298 matrix_r0c1: 0 matrix_r0c2: 409
    matrix_r1c0: 298 matrix_r1c1: -100 matrix_r1c2: -208
    matrix_r2c0: 298 matrix_r2c1: 516 matrix_r2c2: 0
    input_bias_0: 16 input_bias_1: 128 input_bias_2: 128
"""
GREY = IMAGES.replace("images (float[N, 3,", "grey (float[N, 1,").replace(
    f"<float[2, 3, 3, 3] kernel = {{{KERNEL}}}>",
    "<float[2, 1, 3, 3] kernel = {1, 2, -1, 0, 3, -2, 1, 1, 2, 0, 1, -1, 2, 5, 0, 1, -3, 2}>",
)


@dataclass(frozen=True)
class Kind:
    """A format of source images, and what memory they take."""

    config: str
    channels: int
    values: int  # of a pixel, as dims show it
    numerator: int  # bytes of so many pixels ...
    denominator: int  # ... are these
    text: str = IMAGES

    def size(self, rows: int, height: int, width: int) -> int:
        return rows * height * width * self.numerator // self.denominator


KINDS = {
    "NV12": Kind(f"input_format: YUV420SP_U8 rbuv_swap_switch: false {CSC} {NORM}", 3, 3, 3, 2),
    "NV21": Kind(f"input_format: YUV420SP_U8 rbuv_swap_switch: true {CSC}", 3, 3, 3, 2),
    "RGB": Kind(f"input_format: RGB888_U8 {NORM}", 3, 3, 3, 1),
    "XRGB": Kind(f"input_format: XRGB8888_U8 ax_swap_switch: true {NORM}", 3, 4, 4, 1),
    "grey": Kind("input_format: YUV400_U8 mean_chn_0: 7", 1, 1, 1, 1, GREY),
}
SIZES = ((8, 12), (4, 6), (16, 10))
BATCHES = (2, 1, 4)
MODES = ("batch", "image", "fixed")


def made(folder: Path, name: str, mode: str, engine: str = "onnxruntime") -> Path:
    kind = KINDS[name]
    config = folder / f"{name}.cfg"
    config.write_text(f"aipp_op {{ aipp_mode: static {kind.config} }}")
    sizes = ";".join(f"{height},{width}" for height, width in SIZES)
    words = {
        "batch": {"input_shape": f"x:-1,{kind.channels},8,12", "dynamic_batch_size": "2,1,4"},
        "image": {"input_shape": f"x:2,{kind.channels},-1,-1", "dynamic_image_size": sizes},
        "fixed": {"input_shape": f"x:2,{kind.channels},8,12"},
    }[mode]
    path = folder / f"{name}{mode}{engine}.om"
    if path.exists():
        return path
    return compiled(kind.text, folder, path.stem, aipp=config, engine=engine, **words)


def gears(mode: str) -> list[tuple[tuple[int, ...] | None, tuple[int, int, int]]]:
    """Each gear, with rows, height and width at it."""
    if mode == "batch":
        return [((batch,), (batch, 8, 12)) for batch in BATCHES]
    if mode == "image":
        return [(size, (2, *size)) for size in SIZES]
    return [(None, (2, 8, 12))]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", KINDS)
def test_descriptions(folder: Path, name: str, mode: str) -> None:
    kind, t = KINDS[name], mdl_tensors
    with Loaded.of(made(folder, name, mode)) as model:
        dims, ret = t.get_input_dims(model.desc, 0)
        assert ret == 0
        wanted = {
            "batch": [-1, 8, 12, kind.values],
            "image": [2, -1, -1, kind.values],
            "fixed": [2, 8, 12, kind.values],
        }[mode]
        assert dims == {"name": "x", "dimCount": 4, "dims": wanted}
        assert t.get_input_format(model.desc, 0) == NHWC
        assert t.get_input_data_type(model.desc, 0) == UINT8
        assert model.input_sizes()[0] == max(kind.size(*at) for _, at in gears(mode))
        memory, ret = t.get_input_dims_v2(model.desc, 0)
        assert ret == 0
        assert memory["dimCount"] == 4
        if mode == "fixed":
            assert prod(memory["dims"]) == kind.size(2, 8, 12), "the product is what it takes"
        else:
            opened = [at for at, dim in enumerate(memory["dims"]) if dim == -1]
            assert opened == ([0] if mode == "batch" else [1, 2])
        assert model.input_sizes()[1:] == {"batch": [4], "image": [8], "fixed": []}[mode]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", KINDS)
def test_the_information_of_every_gear(folder: Path, name: str, mode: str) -> None:
    kind = KINDS[name]
    with Loaded.of(made(folder, name, mode)) as model:
        info, ret = mdl_aipp_info.get_first_aipp_info(model.number, 0)
        assert ret == 0
        at = gears(mode)
        assert info["shapeCount"] == len(info["outDims"]) == len(at)
        for said, (_, (rows, height, width)) in zip(info["outDims"], at, strict=True):
            own = [rows, kind.channels, height, width]
            assert said["srcDims"]["dims"] == [rows, height, width, kind.values]
            assert said["srcSize"] == kind.size(rows, height, width)
            assert said["aippOutdims"]["dims"] == own
            assert said["aippOutSize"] == 4 * prod(own)
        assert (info["srcFormat"], info["srcDatatype"], info["srcDimNum"]) == (NCHW, 0, 4)
        assert mdl_aipp_info.get_aipp_type(model.number, 0) == (1, NOWHERE, 0)


def test_the_information_is_what_the_configuration_says(folder: Path) -> None:
    with Loaded.of(made(folder, "NV21", "fixed")) as model:
        info, ret = mdl_aipp_info.get_first_aipp_info(model.number, 0)
    assert ret == 0
    assert (info["inputFormat"], info["cscSwitch"], info["rbuvSwapSwitch"]) == (1, 1, 1)
    matrix = [info[f"matrixR{row}C{column}"] for row in range(3) for column in range(3)]
    assert matrix == [298, 0, 409, 298, -100, -208, 298, 516, 0]
    assert [info[f"inputBias{at}"] for at in range(3)] == [16, 128, 128]
    assert [info[f"varReciChn{at}"] for at in range(4)] == [1.0] * 4
    with Loaded.of(made(folder, "RGB", "fixed")) as model:
        info, _ = mdl_aipp_info.get_first_aipp_info(model.number, 0)
    assert [info[f"meanChn{at}"] for at in range(4)] == [104, 117, 123, 0]
    assert [info[f"minChn{at}"] for at in range(4)] == [0.5, 0.0, 0.25, 0.0]
    assert [info[f"varReciChn{at}"] for at in range(4)] == [0.015625, 0.0234375, 0.03125, 1.0]
    switches = ("crop", "resize", "padding", "csc", "rbuvSwap", "axSwap")
    assert [info[f"{switch}Switch"] for switch in switches] == [0] * 6
    with Loaded.of(made(folder, "XRGB", "fixed")) as model:
        info, _ = mdl_aipp_info.get_first_aipp_info(model.number, 0)
    assert (info["inputFormat"], info["axSwapSwitch"]) == (2, 1)


def test_crop_and_padding(folder: Path) -> None:
    """Images of 40 x 30; 10 x 6 pixels of them, and 2 columns and 2 lines of padding around."""
    config = folder / "crop.cfg"
    config.write_text("""aipp_op { aipp_mode: static input_format: RGB888_U8
        src_image_size_w: 40 src_image_size_h: 30
        crop: true load_start_pos_w: 7 load_start_pos_h: 9 crop_size_w: 10 crop_size_h: 6
        padding: true left_padding_size: 1 right_padding_size: 1 top_padding_size: 2 }""")
    path = compiled(
        IMAGES, folder, "crop", input_shape="x:-1,3,8,12", dynamic_batch_size="1,3", aipp=config
    )
    with Loaded.of(path) as model:
        info, ret = mdl_aipp_info.get_first_aipp_info(model.number, 0)
        assert ret == 0
        keys = """srcImageSizeW srcImageSizeH cropSwitch loadStartPosW loadStartPosH cropSizeW
            cropSizeH paddingSwitch leftPaddingSize rightPaddingSize topPaddingSize
            bottomPaddingSize"""
        said = [info[key] for key in keys.split()]
        assert said == [40, 30, 1, 7, 9, 10, 6, 1, 1, 1, 2, 0]
        assert [each["srcDims"]["dims"] for each in info["outDims"]] == [
            [1, 30, 40, 3],
            [3, 30, 40, 3],
        ]
        assert [each["aippOutSize"] for each in info["outDims"]] == [3 * 96 * 4, 9 * 96 * 4]
        assert model.input_sizes() == [3 * 30 * 40 * 3, 4]
        ran(model, IMAGES, folder, config, (3,), (3, 30, 40, 3), 3)


def ran(
    model: Loaded, text: str, folder: Path, config: Path, gear: Sequence[int] | None,
    shape: tuple[int, ...], channels: int,
) -> None:  # fmt: skip
    """Source images of that shape give what numpy's preprocessing and ONNX Runtime give."""
    (block,) = parse_aipp(config.read_text())
    assert isinstance(block.aipp, StaticAipp)
    images = np.random.default_rng(prod(shape)).integers(0, 256, shape, np.uint8)
    wanted = expected(text, folder, {"x": preprocess(block.aipp, images, channels)})
    sizes = [images.nbytes, *model.input_sizes()[1:]]
    with Memory(sizes) as given, Memory(model.output_sizes()) as taken:
        given.put(0, images)
        if gear is not None:
            assert model.set_gear(given.dataset, gear) == 0
        assert mdl_run.execute(model.number, given.dataset, taken.dataset) == 0
        for at, array in enumerate(wanted):
            np.testing.assert_allclose(taken.get(at, array), array, atol=2e-3, rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", KINDS)
def test_images_run(folder: Path, name: str, mode: str, engine: str) -> None:
    kind = KINDS[name]
    with Loaded.of(made(folder, name, mode, engine)) as model:
        for gear, (rows, height, width) in gears(mode):
            shape: tuple[int, ...] = (rows, height, width, kind.values)
            if kind.denominator == 2:
                shape = (rows, height * 3 // 2, width)
            elif kind.values == 1:
                shape = (rows, height, width)
            ran(model, kind.text, folder, folder / f"{name}.cfg", gear, shape, kind.channels)


def test_inputs_without(folder: Path) -> None:
    text = """
    both (float[N, 3, 4, 6] x, float[N, 2] how) => (float[N, 3, 4, 6] y, float[N, 2] z)
    { y = Neg (x)  z = Neg (how) }
    """
    config = folder / "both.cfg"
    config.write_text("aipp_op { aipp_mode: static input_format: RGB888_U8 }")
    words: dict[str, Any] = {"input_shape": "x:-1,3,4,6;how:-1,2", "dynamic_batch_size": "1,2"}
    path = compiled(text, folder, "both", aipp=config, **words)
    kind_of, info_of = mdl_aipp_info.get_aipp_type, mdl_aipp_info.get_first_aipp_info
    with Loaded.of(path) as model, Memory(model.input_sizes()) as given:
        assert [kind_of(model.number, at) for at in range(3)] == [
            (1, NOWHERE, 0),
            (0, NOWHERE, 0),
            (0, NOWHERE, 0),
        ]
        for at in (3, -1, 1 << 40):
            assert kind_of(model.number, at) == (0, NOWHERE, Code.GE_PARAM_INVALID)
            assert info_of(model.number, at) == ({}, Code.GE_PARAM_INVALID)
        for at in (1, 2):
            assert info_of(model.number, at) == ({}, Code.NOT_STATIC_AIPP)
        aipp = mdl_aipp.create_aipp(2)
        assert mdl_aipp.set_aipp_input_format(aipp, 3) == 0
        assert mdl_aipp.set_aipp_src_image_size(aipp, 6, 4) == 0
        for at in range(3):
            for call in (mdl_aipp.set_input_aipp, mdl_aipp.set_aipp_by_input_index):
                ret = call(model.number, given.dataset, at, aipp)
                assert ret == Code.GE_AIPP_NOT_EXIST
        assert mdl_aipp.destroy_aipp(aipp) == 0
    for number in (0, 12345, -1):
        assert kind_of(number, 0) == (0, NOWHERE, Code.GE_MODEL_ID_INVALID)
        assert info_of(number, 0) == ({}, Code.GE_MODEL_ID_INVALID)
