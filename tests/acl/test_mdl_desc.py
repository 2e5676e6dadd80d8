"""What descriptions say of models of every mode, against arithmetic done here."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from mdl_tools import (
    ENGINES,
    IMAGES,
    ITEM_SIZES,
    PAIRS,
    ROWS,
    Loaded,
    Memory,
    compiled,
    folder,
    joined,
    started,
)

from gearshift.acl import memory, runtime
from gearshift.acl.codes import Code
from gearshift.acl.mdl import desc as mdl_desc
from gearshift.acl.mdl import gears as mdl_gears
from gearshift.acl.mdl import load as mdl_load
from gearshift.acl.mdl import run as mdl_run
from gearshift.acl.mdl import tensors as mdl_tensors
from gearshift.tensors import MBATCH_INPUT, Shape

__all__ = ["folder", "started"]

INT32, FLOAT, ND, NCHW = 3, 0, 2, 0
SIZES = [(8, 8), (16, 12), (4, 6)]
BATCHES = (4, 1, 2)


@pytest.fixture(scope="module")
def models(folder: Path) -> dict[str, Path]:
    """One artifact of each mode."""
    return {
        "batch": compiled(
            ROWS, folder, "batch", input_shape={"x": (-1, 4)}, dynamic_batch_size=BATCHES
        ),
        "image": compiled(
            IMAGES, folder, "image", input_shape={"x": (2, 3, -1, -1)}, dynamic_image_size=SIZES
        ),
        "dims": compiled(
            PAIRS,
            folder,
            "dims",
            input_shape="k:-1,-1,4;q:-1,-1,4;bias:-1",
            dynamic_dims="2,5,2,3,2;1,2,1,6,1;3,2,3,1,3",
        ),
        "fixed": compiled(IMAGES, folder, "fixed", input_shape="x:2,3,8,10"),
        "range": compiled(IMAGES, folder, "range", input_shape_range="x:[1~8,3,8~32,-1]"),
    }


class Tensor(NamedTuple):
    """What a description says of one input or output."""

    name: str
    dims: tuple[int, ...]
    size: int
    dtype: int = FLOAT
    form: int = ND


def answers(desc: int, role: str) -> list[Tensor]:
    """Everything that can be asked of each input or output."""
    t = mdl_tensors
    if role == "input":
        count, calls = t.get_num_inputs(desc), (
            t.get_input_name_by_index, t.get_input_dims, t.get_input_size_by_index,
            t.get_input_data_type, t.get_input_format,
        )  # fmt: skip
    else:
        count, calls = t.get_num_outputs(desc), (
            t.get_output_name_by_index, t.get_output_dims, t.get_output_size_by_index,
            t.get_output_data_type, t.get_output_format,
        )  # fmt: skip
    made = []
    for at in range(count):
        name, (dims, ret), size, dtype, form = (call(desc, at) for call in calls)
        assert ret == 0
        assert (dims["name"], dims["dimCount"]) == (name, len(dims["dims"]))
        if role == "input":
            assert t.get_input_dims_v2(desc, at) == (dims, 0), "they differ for images alone"
        made.append(Tensor(name, tuple(dims["dims"]), size, dtype, form))
    return made


def test_batch(models: dict[str, Path]) -> None:
    with Loaded.of(models["batch"]) as model:
        assert answers(model.desc, "input") == [
            Tensor("x", (-1, 4), 4 * 4 * 4),
            Tensor(MBATCH_INPUT, (1,), 4, INT32),
        ]
        assert answers(model.desc, "output") == [
            Tensor("y", (4, 3), 4 * 3 * 4),
            Tensor("seen", (4, 4), 4 * 4 * 4),
        ]
        assert model.shape_index == 1
        assert mdl_gears.get_dynamic_batch(model.desc) == (
            {"batchCount": 3, "batch": [4, 1, 2]},
            0,
        ), "in the order declared"


def test_image_sizes(models: dict[str, Path]) -> None:
    with Loaded.of(models["image"]) as model:
        assert answers(model.desc, "input") == [
            Tensor("x", (2, 3, -1, -1), 2 * 3 * 16 * 12 * 4, form=NCHW),
            Tensor(MBATCH_INPUT, (2,), 8, INT32),
        ]
        assert answers(model.desc, "output") == [
            Tensor("map", (2, 2, 8, 6), 2 * 2 * 8 * 6 * 4, form=NCHW),
            Tensor("mean", (2, 2), 2 * 2 * 4),
        ]
        wanted = {"hwCount": 3, "hw": [[8, 8], [16, 12], [4, 6]]}
        assert mdl_gears.get_dynamic_hw(model.desc, -1) == (wanted, 0)
        assert mdl_gears.get_dynamic_hw(model.desc, model.shape_index) == (wanted, 0)
        assert mdl_gears.get_dynamic_hw(model.desc, 0) == ({}, Code.INVALID_PARAM)


def test_dims_are_joined_in_the_order_written(models: dict[str, Path]) -> None:
    with Loaded.of(models["dims"]) as model:
        inputs = answers(model.desc, "input")
        assert inputs == [
            Tensor("q", (-1, -1, 4), max(2 * 3, 1 * 6, 3 * 1) * 4 * 4),
            Tensor("bias", (-1,), 3 * 4, INT32),
            Tensor("k", (-1, -1, 4), max(2 * 5, 1 * 2, 3 * 2) * 4 * 4),
            Tensor(MBATCH_INPUT, (5,), 20, INT32),
        ], "the graph's order, and the gear last"
        assert answers(model.desc, "output") == [
            Tensor("p", (2, 3, 5), 2 * 3 * 5 * 4),
            Tensor("total", (3, 4), 3 * 4 * 4),
        ]
        assert mdl_gears.get_input_dynamic_gear_count(model.desc, -1) == (3, 0)
        structures, ret = mdl_gears.get_input_dynamic_dims(model.desc, -1, 3)
        assert ret == 0
        assert [each["dims"] for each in structures] == [
            [2, 5, 4, 2, 3, 4, 2],
            [1, 2, 4, 1, 6, 4, 1],
            [3, 2, 4, 3, 1, 4, 3],
        ], "k, then q, then bias"
        assert {each["dimCount"] for each in structures} == {7}
        assert mdl_gears.get_input_dynamic_dims(model.desc, -1, 9)[1] == 0
        assert mdl_gears.get_input_dynamic_dims(model.desc, -1, 2) == ([], Code.INVALID_PARAM)
        for wrong in (0, model.shape_index, 7):
            assert mdl_gears.get_input_dynamic_gear_count(model.desc, wrong) == (
                0,
                Code.INVALID_PARAM,
            )
            assert mdl_gears.get_input_dynamic_dims(model.desc, wrong, 3)[1] == Code.INVALID_PARAM
        with Memory(model.input_sizes()) as given:
            assert model.set_gear(given.dataset, joined((3, 2, 4), (3, 1, 4), (3,))) == 0
            assert model.current() == [[3, 1, 2], [3, 4]]


def test_the_example_of_the_documentation(folder: Path) -> None:
    """(1,1,40,-1),(1,-1),(-1,-1) with first gear 20,20,1,1 -> 1,1,40,20,1,20,1,1."""
    text = """
    three (float[1, 1, 40, A] a, float[1, B] b, float[C, D] c)
        => (float[1, 1, 40, A] x, float[1, B] y, float[C, D] z)
    { x = Neg (a)  y = Neg (b)  z = Neg (c) }
    """
    path = compiled(
        text,
        folder,
        "three",
        input_shape="a:1,1,40,-1;b:1,-1;c:-1,-1",
        dynamic_dims="20,20,1,1;40,40,2,2;80,60,4,4",
    )
    with Loaded.of(path) as model:
        structures, ret = mdl_gears.get_input_dynamic_dims(model.desc, -1, 3)
        assert ret == 0
        assert structures[0] == {"name": "", "dimCount": 8, "dims": [1, 1, 40, 20, 1, 20, 1, 1]}
        assert model.input_sizes() == [40 * 80 * 4, 60 * 4, 4 * 4 * 4, 4 * 4]


def test_fixed(models: dict[str, Path]) -> None:
    with Loaded.of(models["fixed"]) as model:
        assert answers(model.desc, "input") == [
            Tensor("x", (2, 3, 8, 10), 2 * 3 * 80 * 4, form=NCHW)
        ]
        assert answers(model.desc, "output") == [
            Tensor("map", (2, 2, 4, 5), 2 * 2 * 20 * 4, form=NCHW),
            Tensor("mean", (2, 2), 16),
        ]
        assert model.current() == [[2, 2, 4, 5], [2, 2]]
        index, ret = mdl_tensors.get_input_index_by_name(model.desc, MBATCH_INPUT)
        assert (index, ret) == (0, Code.INVALID_PARAM)


def test_ranges(models: dict[str, Path]) -> None:
    with Loaded.of(models["range"]) as model:
        assert answers(model.desc, "input") == [Tensor("x", (-1, 3, -1, -1), 0, form=NCHW)]
        outputs = answers(model.desc, "output")
        assert [each.dims for each in outputs] == [(-1, 2, -1, -1), (-1, 2)]
        assert [each.size for each in outputs] == [0, 0]
        ranges = [[1, 8], [3, 3], [8, 32]]
        got, ret = mdl_tensors.get_input_dims_range(model.desc, 0)
        assert ret == 0
        assert got["rangeCount"] == 4
        assert got["range"][:3] == ranges
        assert got["range"][3][1] == -1, "no end"
        empty = {"rangeCount": 0, "range": []}
        assert mdl_tensors.get_input_dims_range(model.desc, 1) == (empty, Code.INVALID_PARAM)
    with Loaded.of(models["batch"]) as other:
        assert mdl_tensors.get_input_dims_range(other.desc, 0) == (empty, 0)


@pytest.mark.parametrize("mode", ["batch", "image", "dims", "fixed"])
def test_sizes_are_those_of_the_dims(models: dict[str, Path], mode: str) -> None:
    """Programs shape what they copied back by these dims."""
    with Loaded.of(models[mode]) as model:
        for at, size in enumerate(model.output_sizes()):
            dims = mdl_tensors.get_output_dims(model.desc, at)[0]["dims"]
            number = mdl_tensors.get_output_data_type(model.desc, at)
            assert prod(dims) * ITEM_SIZES[number] == size > 0
            assert mdl_tensors.get_cur_output_dims(model.desc, at)[0]["dims"] == dims


@pytest.mark.parametrize("mode", ["batch", "image", "dims", "fixed", "range"])
def test_gears_of_other_kinds_are_none(models: dict[str, Path], mode: str) -> None:
    with Loaded.of(models[mode]) as model:
        if mode != "batch":
            assert mdl_gears.get_dynamic_batch(model.desc) == ({"batchCount": 0, "batch": []}, 0)
        if mode != "image":
            assert mdl_gears.get_dynamic_hw(model.desc, -1) == ({"hwCount": 0, "hw": []}, 0)
        if mode != "dims":
            assert mdl_gears.get_input_dynamic_gear_count(model.desc, -1) == (0, 0)
            assert mdl_gears.get_input_dynamic_dims(model.desc, -1, 0) == ([], 0)


def test_current_dims_through_the_life_of_a_model(models: dict[str, Path]) -> None:
    path = models["batch"]
    model = Loaded.of(path)
    assert model.current() == [[4, 3], [4, 4]]
    with Memory(model.input_sizes()) as given, Memory(model.output_sizes()) as taken:
        for batch in (1, 2, 4, 1):
            assert model.set_gear(given.dataset, (batch,)) == 0
            assert model.current() == [[batch, 3], [batch, 4]], "before it is executed"
            assert mdl_run.execute(model.number, given.dataset, taken.dataset) == 0
            assert model.current() == [[batch, 3], [batch, 4]]
            assert model.set_gear(given.dataset, (3,)) == Code.GE_DYNAMIC_BATCH_SIZE_INVALID
            assert model.current() == [[batch, 3], [batch, 4]], "a wrong gear changes nothing"
        later = mdl_desc.create_desc()
        assert mdl_desc.get_desc(later, model.number) == 0
        assert mdl_tensors.get_cur_output_dims(later, 0)[0]["dims"] == [1, 3]
    assert model.current() == [[1, 3], [1, 4]], "the datasets are gone"
    assert mdl_tensors.get_output_dims(model.desc, 0)[0]["dims"] == [4, 3], "still the largest"
    assert mdl_load.unload(model.number) == 0
    assert model.current() == [[1, 3], [1, 4]], "the model is gone"
    assert runtime.finalize() == 0
    assert model.current() == [[1, 3], [1, 4]], "the runtime is gone"
    for desc in (model.desc, later):
        assert mdl_desc.destroy_desc(desc) == 0
        assert mdl_desc.destroy_desc(desc) == Code.INVALID_PARAM


@pytest.mark.parametrize("mode", ["batch", "image", "dims", "fixed", "range"])
def test_from_a_file_and_from_memory(models: dict[str, Path], mode: str) -> None:
    content = models[mode].read_bytes()
    address, _ = memory.malloc(len(content), 0)
    held = bytearray(content)
    source = np.frombuffer(held, np.uint8)
    assert memory.memcpy(address, len(content), source.ctypes.data, len(content), 1) == 0
    by_file, by_memory = mdl_desc.create_desc(), mdl_desc.create_desc()
    assert mdl_desc.get_desc_from_file(by_file, str(models[mode])) == 0
    assert mdl_desc.get_desc_from_mem(by_memory, address, len(content)) == 0
    sizes = mdl_load.query_size_from_mem(address, len(content))
    assert memory.free(address) == 0
    assert mdl_desc.get_desc_from_mem(by_memory, address, 64) == Code.RT_PARAM_INVALID
    with Loaded.of(models[mode]) as model:
        for desc in (by_file, by_memory):
            for role in ("input", "output"):
                assert answers(desc, role) == answers(model.desc, role)
            assert mdl_desc.destroy_desc(desc) == 0
    assert mdl_load.query_size(str(models[mode])) == sizes
    work, weight, ret = sizes
    assert ret == 0
    assert work > 0
    assert weight > 0


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_model_takes(folder: Path, engine: str) -> None:
    """It takes more to run more rows; neither is ever 0, for programs allocate as much."""
    works = []
    for largest in (2, 64):
        path = compiled(
            ROWS, folder, f"q{largest}{engine}", input_shape={"x": (-1, 4)},
            dynamic_batch_size=[1, largest], engine=engine,
        )  # fmt: skip
        work, weight, ret = mdl_load.query_size(str(path))
        assert ret == 0
        assert weight > 0
        works.append(work)
    assert works[1] > works[0]


def test_a_description_is_filled_again(models: dict[str, Path]) -> None:
    with Loaded.of(models["batch"]) as one, Loaded.of(models["fixed"]) as two:
        assert mdl_desc.get_desc(one.desc, two.number) == 0
        assert one.current() == two.current()
        assert mdl_desc.get_desc_from_file(one.desc, str(models["image"])) == 0
        assert one.current() == [[2, 2, 8, 6], [2, 2]]
        assert mdl_desc.get_desc(one.desc, one.number) == 0


def test_layouts(folder: Path) -> None:
    text = "lying (float[N, H, W, 3] x, float[3] s) => (float[N, H, W, 3] y) { y = Mul (x, s) }"
    path = compiled(
        text, folder, "lying", input_shape="x:-1,4,6,3", dynamic_batch_size="1,2",
        input_format="NHWC",
    )  # fmt: skip
    shape: Shape = (2, 4, 6, 3)
    with Loaded.of(path) as model:
        inputs, outputs = answers(model.desc, "input"), answers(model.desc, "output")
        assert [each.form for each in inputs] == [1, ND, ND]
        assert outputs == [Tensor("y", shape, prod(shape) * 4, form=1)]
