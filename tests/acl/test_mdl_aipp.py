"""Dynamic AIPP: parameters that setters fill, row by row, and images through them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mdl_aipp_tools import (
    LARGEST,
    MOST,
    NOWHERE,
    NV12,
    RGB,
    XRGB,
    batch,
    check_outputs,
    handle_of,
    images_of,
    own_of,
    parameter_index,
    several,
    words,
)
from mdl_tools import (
    IMAGES,
    Loaded,
    Memory,
    compiled,
    dataset_over,
    folder,
    started,
)

from gearshift.acl import runtime
from gearshift.acl.codes import Code
from gearshift.acl.mdl import aipp as mdl_aipp
from gearshift.acl.mdl import aipp_info as mdl_aipp_info
from gearshift.acl.mdl import run as mdl_run
from gearshift.acl.mdl import tensors as mdl_tensors
from gearshift.aipp.block import DYNAMIC_AIPP_INPUT, pack
from gearshift.aipp.parameters import AippParameters, AippRow
from gearshift.aipp.spec import Crop, ImageFormat

__all__ = ["batch", "folder", "started"]


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
