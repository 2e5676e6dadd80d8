"""Dynamic AIPP: parameters that setters fill, row by row, and images through them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mdl_tools import (
    ENGINES,
    IMAGES,
    Loaded,
    Memory,
    compiled,
    dataset_over,
    expected,
    folder,
    started,
)

from gearshift.acl import (
    mdl_aipp,
    mdl_aipp_info,
    mdl_load,
    mdl_run,
    mdl_tensors,
    memory,
    runtime,
    util,
)
from gearshift.acl.codes import Code
from gearshift.aipp.block import DYNAMIC_AIPP_INPUT, pack
from gearshift.aipp.image import source_shape
from gearshift.aipp.parameters import AippParameters, AippRow
from gearshift.aipp.reference import preprocess
from gearshift.aipp.spec import Crop, Csc, ImageFormat, Padding
from gearshift.tensors import Array

__all__ = ["folder", "started"]

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


def test_descriptions(batch: Path) -> None:
    t = mdl_tensors
    with Loaded.of(batch) as model:
        assert t.get_num_inputs(model.desc) == 3
        assert (model.shape_index, parameter_index(model)) == (1, 2), "gear, then parameters"
        assert model.input_sizes() == [MOST, 4, 64 + 96 * LARGEST]
        assert t.get_input_dims(model.desc, 0)[0]["dims"] == [-1, -1, -1, -1]
        assert t.get_input_dims(model.desc, 2)[0]["dims"] == [64 + 96 * LARGEST]
        assert [t.get_input_data_type(model.desc, at) for at in range(3)] == [4, 3, 4]
        assert [t.get_input_format(model.desc, at) for at in (1, 2)] == [2, 2]
        assert mdl_aipp.get_aipp_data_size(LARGEST) == (model.input_sizes()[2], 0)
        types = [mdl_aipp_info.get_aipp_type(model.number, at) for at in range(3)]
        assert types == [(2, 2, 0), (0, NOWHERE, 0), (3, NOWHERE, 0)]
        for at in range(3):
            info = mdl_aipp_info.get_first_aipp_info(model.number, at)
            assert info == ({}, Code.NOT_STATIC_AIPP)


@pytest.mark.parametrize("image_format", [NV12, RGB, XRGB])
@pytest.mark.parametrize("by_image", [False, True])
def test_each_row_by_its_own_parameters(
    batch: Path, folder: Path, image_format: ImageFormat, by_image: bool
) -> None:
    """Parameters are for the largest gear; smaller ones use the first of them."""
    parameters = several(image_format)
    aipp = handle_of(parameters, LARGEST)
    with Loaded.of(batch) as model, Memory(model.input_sizes()) as given:
        for rows in (4, 1, 2):
            images = images_of(parameters, rows, seed=rows)
            given.put(0, images)
            assert model.set_gear(given.dataset, (rows,)) == 0
            call = mdl_aipp.set_aipp_by_input_index if by_image else mdl_aipp.set_input_aipp
            index = 0 if by_image else parameter_index(model)
            assert call(model.number, given.dataset, index, aipp) == 0
            assert given.bytes_of(2) == pack(parameters, LARGEST).tobytes()
            for sizes in ([4 * 2 * 4 * 6 * 4, 4 * 2 * 4], [rows * 2 * 4 * 6 * 4, rows * 2 * 4]):
                with Memory(sizes) as taken:
                    assert mdl_run.execute(model.number, given.dataset, taken.dataset) == 0
                    check_outputs(taken, own_of(parameters, images), folder)
    assert mdl_aipp.destroy_aipp(aipp) == 0


def test_parameters_stay_what_they_were_when_they_were_written(batch: Path, folder: Path) -> None:
    """The object may change or go; an asynchronous run takes what lies there when it runs."""
    first, second = several(NV12), replace(several(NV12), rbuv_swap=False)
    one, two = handle_of(first, LARGEST), handle_of(second, LARGEST)
    images = images_of(first, 2)
    with (
        Loaded.of(batch) as model,
        Memory(model.input_sizes()) as given,
        Memory(model.output_sizes()) as taken,
    ):
        number, source = model.number, given.dataset
        given.put(0, images)
        assert model.set_gear(source, (2,)) == 0
        assert mdl_aipp.set_input_aipp(number, source, 2, one) == 0
        assert mdl_aipp.set_aipp_rbuv_swap_switch(one, 0) == 0
        assert mdl_aipp.destroy_aipp(one) == 0
        assert mdl_run.execute(number, source, taken.dataset) == 0
        check_outputs(taken, own_of(first, images), folder)
        assert mdl_aipp.set_input_aipp(number, source, 2, two) == 0
        assert mdl_run.execute_async(number, source, taken.dataset, 0) == 0
        assert runtime.synchronize_stream(0) == 0
        check_outputs(taken, own_of(second, images), folder)
    assert mdl_aipp.destroy_aipp(two) == 0
    assert mdl_aipp.destroy_aipp(two) == Code.INVALID_PARAM


def test_images_of_exactly_the_bytes_they_take(batch: Path, folder: Path) -> None:
    """Of the gear's rows, in an array, at an odd address; one byte less is too small."""
    parameters = several(RGB)
    images = images_of(parameters, 2)
    flat = np.concatenate([np.zeros(1, np.uint8), images.reshape(-1)])
    aipp = handle_of(parameters, LARGEST)
    with Loaded.of(batch) as model, Memory([4, 64 + 96 * 4]) as given:
        shape_buffer, block = zip(given.addresses, given.sizes, strict=True)
        for size, code in ((images.nbytes, 0), (images.nbytes - 1, Code.GE_PARAM_INVALID)):
            source = dataset_over((flat.ctypes.data + 1, size), shape_buffer, block)
            assert model.set_gear(source, (2,)) == 0
            assert mdl_aipp.set_input_aipp(model.number, source, 2, aipp) == 0
            with Memory(model.output_sizes()) as taken:
                assert mdl_run.execute(model.number, source, taken.dataset) == code
                if not code:
                    check_outputs(taken, own_of(parameters, images), folder)
    assert mdl_aipp.destroy_aipp(aipp) == 0


def test_where_parameters_cannot_go(batch: Path) -> None:
    aipp = handle_of(several(RGB), LARGEST)
    into, by = mdl_aipp.set_input_aipp, mdl_aipp.set_aipp_by_input_index
    with Loaded.of(batch) as model, Memory(model.input_sizes()) as given:
        number, source = model.number, given.dataset
        for call, right in ((into, 2), (by, 0)):
            for wrong in {0, 1, 2, 3, -1, 1 << 40} - {right}:
                assert call(number, source, wrong, aipp) == Code.GE_AIPP_NOT_EXIST
            for handle in (0, 7, source, number):
                assert call(number, source, right, handle) == Code.INVALID_PARAM
            for dataset in (0, 7, aipp, number):
                assert call(number, dataset, right, aipp) == Code.INVALID_PARAM
            assert call(99999, source, right, aipp) == Code.GE_MODEL_ID_INVALID
            ones = [(given.addresses[0], 4)] * 2
            for piece, code in (
                ((0, 448), Code.GE_DYNAMIC_INPUT_ADDRESS_INVALID),
                ((given.addresses[2], 447), Code.GE_DYNAMIC_INPUT_LENGTH_INVALID),
                ((given.addresses[2], 0), Code.GE_DYNAMIC_INPUT_LENGTH_INVALID),
                ((8, 448), Code.RT_PARAM_INVALID),
            ):
                assert call(number, dataset_over(*ones, piece), right, aipp) == code
            assert call(number, dataset_over(*ones), right, aipp) == Code.INVALID_PARAM
        assert set(given.bytes_of(2)) == {given.fill}, "nothing was written"
        more = handle_of(several(RGB, 5), 5)
        assert into(number, source, 2, more) == Code.GE_DYNAMIC_INPUT_LENGTH_INVALID
        unfinished = mdl_aipp.create_aipp(LARGEST)
        assert into(number, source, 2, unfinished) == Code.INVALID_PARAM
        for handle in (aipp, more, unfinished):
            assert mdl_aipp.destroy_aipp(handle) == 0
        assert mdl_load.unload(number) == 0
        assert into(number, source, 2, aipp) == Code.GE_MODEL_ID_INVALID


def test_executed_with_parameters_that_are_wrong(batch: Path) -> None:
    """Written by hand or not at all: each is refused, and says so."""
    parameters = several(RGB)
    images = images_of(parameters, LARGEST)
    block = pack(parameters, LARGEST)
    short = pack(replace(parameters, rows=list(parameters.first(1))), 1)
    with Loaded.of(batch) as model, Memory(model.input_sizes(), fill=0) as given:
        given.put(0, images)
        assert model.set_gear(given.dataset, (2,)) == 0

        def executed(*changes: tuple[int, int], content: Array = block) -> int:
            changed = content.copy()
            for at, value in changes:
                changed[at] = value
            assert memory.memset(given.addresses[2], 448, 0, 448) == 0
            given.put(2, changed)
            with Memory(model.output_sizes()) as taken:
                ret = mdl_run.execute(model.number, given.dataset, taken.dataset)
                if ret:
                    assert set(taken.bytes_of(0)) == {taken.fill}
                return ret

        assert executed() == 0
        assert executed((4, 0)) == Code.GE_AIPP_BATCH_EMPTY
        assert executed((4, 0x80)) == Code.GE_AIPP_BATCH_EMPTY, "fewer than none"
        assert executed((4, 5)) == Code.GE_DYNAMIC_INPUT_LENGTH_INVALID
        assert executed(content=np.zeros(448, np.uint8)) == Code.GE_AIPP_BATCH_EMPTY
        assert executed(content=short) == Code.GE_DYNAMIC_INPUT_LENGTH_INVALID, "for one row"
        for change in ((0, 0), (0, 5), (1, 2), (64, 7), (65, 1), (67, 1), (9, 255), (72, 200)):
            assert executed(change) == Code.INVALID_PARAM
        assert executed((64 + 16, 10)) == Code.INVALID_PARAM, "rows of different sizes"
        assert executed(*[(64 + 96 * row + 16, 10) for row in range(4)]) == NOT_MATCH
        # What is behind the rows of the gear is looked at as well: they are parameters.
        assert executed((64 + 96 * 3 + 1, 1)) == Code.INVALID_PARAM


def test_images_larger_than_the_model_was_compiled_for(folder: Path) -> None:
    path = compiled(IMAGES, folder, "small", **words(folder, "fixed", 4 * 8 * 12 * 3))
    plain = AippParameters(RGB, 12, 8, [AippRow()] * 4)
    larger = replace(plain, width=14, rows=[AippRow(Crop(0, 0, 12, 8))] * 4)
    with Loaded.of(path) as model, Memory([1 << 12, *model.input_sizes()[1:]]) as given:
        assert model.input_sizes() == [4 * 8 * 12 * 3, 448]
        for parameters, code in ((plain, 0), (larger, Code.GE_PARAM_INVALID)):
            aipp = handle_of(parameters, 4)
            assert mdl_aipp.set_aipp_by_input_index(model.number, given.dataset, 0, aipp) == 0
            images = images_of(parameters, 4)
            given.put(0, images)
            with Memory(model.output_sizes()) as taken:
                assert mdl_run.execute(model.number, given.dataset, taken.dataset) == code
                if not code:
                    check_outputs(taken, own_of(parameters, images), folder)
            assert mdl_aipp.destroy_aipp(aipp) == 0


def test_image_gears_take_the_largest_alone(folder: Path) -> None:
    """On a card AIPP works before the gear is looked at."""
    path = compiled(IMAGES, folder, "image", **words(folder, "image"))
    largest = AippParameters(RGB, 12, 16, [AippRow(mean=(9,))] * 2)
    images = images_of(largest, 2)
    with Loaded.of(path) as model, Memory(model.input_sizes()) as given:
        assert model.input_sizes() == [MOST, 8, 64 + 96 * 2]
        assert (model.shape_index, parameter_index(model)) == (1, 2)
        given.put(0, images)
        for parameters, gear, works in (
            (largest, (16, 12), True),
            (largest, (8, 8), False),
            (replace(largest, width=8, height=8), (8, 8), False),
            (replace(largest, rows=[AippRow(Crop(0, 0, 12, 16))] * 2), (16, 12), False),
        ):
            aipp = handle_of(parameters, 2)
            assert mdl_aipp.set_input_aipp(model.number, given.dataset, 2, aipp) == 0
            assert mdl_aipp.destroy_aipp(aipp) == 0
            assert model.set_gear(given.dataset, gear) == 0
            with Memory(model.output_sizes()) as taken:
                ret = mdl_run.execute(model.number, given.dataset, taken.dataset)
                assert (ret == 0) == works
                if works:
                    check_outputs(taken, own_of(parameters, images), folder)


TWO = """
two (float[N, 3, 4, 6] left, float[N, 2] how, float[N, 1, 4, 6] right)
    => (float[N, 3, 4, 6] a, float[N, 2] b, float[N, 1, 4, 6] c)
{ a = Neg (left)  b = Neg (how)  c = Neg (right) }
"""


def test_two_inputs_of_images(folder: Path) -> None:
    """Each has parameters of its own, of which the second is found by its longer name."""
    config = folder / "two.cfg"
    config.write_text(
        "".join(
            f'aipp_op {{ aipp_mode: dynamic related_input_name: "{name}" max_src_image_size: 999 }}'
            for name in ("left", "right")
        )
    )
    shapes = "left:-1,3,4,6;how:-1,2;right:-1,1,4,6"
    path = compiled(TWO, folder, "two", aipp=config, input_shape=shapes, dynamic_batch_size="1,2")
    colour = AippParameters(RGB, 6, 4, [AippRow(mean=(1,)), AippRow(mean=(2,))])
    grey = AippParameters(ImageFormat.YUV400_U8, 6, 4, [AippRow(mean=(3,)), AippRow(mean=(4,))])
    with Loaded.of(path) as model, Memory(model.input_sizes()) as given:
        names = [mdl_tensors.get_input_name_by_index(model.desc, at) for at in range(6)]
        assert names == [
            *("left", "how", "right", "ascend_mbatch_shape_data", DYNAMIC_AIPP_INPUT),
            f"{DYNAMIC_AIPP_INPUT}_right_0_huawei_aipp",
        ]
        types = [mdl_aipp_info.get_aipp_type(model.number, at)[:2] for at in range(6)]
        none = (0, NOWHERE)
        assert types == [(2, 4), none, (2, 5), none, (3, NOWHERE), (3, NOWHERE)]
        left, right = images_of(colour, 2), images_of(grey, 2, seed=1)
        how = np.array([[1, 2], [3, 4]], np.float32)
        for at, array in enumerate((left, how, right)):
            given.put(at, array)
        for at, parameters in ((0, colour), (2, grey)):
            aipp = handle_of(parameters, 2)
            assert mdl_aipp.set_aipp_by_input_index(model.number, given.dataset, at, aipp) == 0
            assert mdl_aipp.destroy_aipp(aipp) == 0
        assert model.set_gear(given.dataset, (2,)) == 0
        with Memory(model.output_sizes()) as taken:
            assert mdl_run.execute(model.number, given.dataset, taken.dataset) == 0
            wanted = (-own_of(colour, left), -how, -own_of(grey, right, 1))
            for at, array in enumerate(wanted):
                np.testing.assert_array_equal(taken.get(at, array), array)


def test_no_crash_when_memory_goes(batch: Path) -> None:
    """Parameters or images that were freed are refused like any other memory."""
    aipp = handle_of(several(RGB), LARGEST)
    with Loaded.of(batch) as model, Memory(model.input_sizes()) as given:
        assert model.set_gear(given.dataset, (1,)) == 0
        assert mdl_aipp.set_input_aipp(model.number, given.dataset, 2, aipp) == 0
        freed, _ = memory.malloc(4096, 0)
        assert memory.free(freed) == 0
        good = list(zip(given.addresses, given.sizes, strict=True))
        with Memory(model.output_sizes()) as taken:
            for at in (0, 2):
                pieces = [*good[:at], (freed, good[at][1]), *good[at + 1 :]]
                source = dataset_over(*pieces)
                ret = mdl_run.execute(model.number, source, taken.dataset)
                assert ret == Code.RT_PARAM_INVALID
        assert util.ptr_to_bytes(given.addresses[2], 4) is not None
    assert mdl_aipp.destroy_aipp(aipp) == 0
