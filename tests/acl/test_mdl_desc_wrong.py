"""Names too long for structures, and descriptions, indices and handles that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from mdl_tools import HEAD, IMAGES, ROWS, Loaded, compiled, folder, started

import gearshift
from gearshift.acl import buffers
from gearshift.acl.codes import Code
from gearshift.acl.mdl import datasets
from gearshift.acl.mdl import desc as mdl_desc
from gearshift.acl.mdl import gears as mdl_gears
from gearshift.acl.mdl import tensors as mdl_tensors
from models import save_text

__all__ = ["folder", "started"]


@pytest.fixture(scope="module")
def models(folder: Path) -> dict[str, Path]:
    words = {"input_shape": {"x": (-1, 4)}, "dynamic_batch_size": [4, 1, 2]}
    return {
        "batch": compiled(ROWS, folder, "batch", **words),
        "fixed": compiled(IMAGES, folder, "fixed", input_shape="x:2,3,8,10"),
    }


def long_names(folder: Path) -> Path:
    """The first input and output have names of 127 characters, the second ones of 128."""
    a, b, c, d = "a" * 127, "b" * 128, "c" * 127, "d" * 128
    text = (
        f"{HEAD} long (float[N, 2] {a}, float[N, 2] {b}) => (float[N, 2] {c}, float[N, 2] {d}) "
        f"{{ {c} = Neg ({a})  {d} = Neg ({b}) }}"
    )
    onnx_file = save_text(text, folder / "long.onnx")
    shapes = {a: (-1, 2), b: (-1, 2)}
    return gearshift.compile(
        onnx_file, output=folder / "long.om", input_shape=shapes, dynamic_batch_size=[1, 2]
    ).output


def test_names_that_structures_have_no_room_for(folder: Path) -> None:
    with Loaded.of(long_names(folder)) as model:
        for role, short, long in (("input", "a", "b"), ("output", "c", "d")):
            dims_of = getattr(mdl_tensors, f"get_{role}_dims")
            name_of = getattr(mdl_tensors, f"get_{role}_name_by_index")
            index_of = getattr(mdl_tensors, f"get_{role}_index_by_name")
            assert dims_of(model.desc, 0)[0]["name"] == short * 127
            shown = dims_of(model.desc, 1)[0]["name"]
            assert shown.startswith(f"acl_modelId_{model.number}_{role}_1_")
            assert len(shown) <= 127
            assert name_of(model.desc, 1) == long * 128
            assert mdl_tensors.get_tensor_real_name(model.desc, shown) == long * 128
            assert mdl_tensors.get_tensor_real_name(model.desc, long * 128) == long * 128
            assert mdl_tensors.get_tensor_real_name(model.desc, short * 127) == short * 127
            for name in (shown, long * 128):
                assert index_of(model.desc, name) == (1, 0)
            assert dims_of(model.desc, 1)[0]["name"] == shown, "the same each time"
        assert mdl_tensors.get_cur_output_dims(model.desc, 1)[0]["name"].startswith("acl_modelId_")
        assert mdl_tensors.get_tensor_real_name(model.desc, "nothing") is None


@pytest.mark.parametrize("desc", [0, 7, 1 << 63, -1])
def test_no_description(desc: int) -> None:
    check_nothing(desc)
    assert mdl_desc.destroy_desc(desc) == Code.INVALID_PARAM
    assert mdl_desc.get_desc(desc, 1) == Code.INVALID_PARAM
    assert mdl_desc.get_desc_from_file(desc, "x.om") == Code.INVALID_PARAM
    assert mdl_desc.get_desc_from_mem(desc, 4096, 1) == Code.INVALID_PARAM


def check_nothing(desc: int) -> None:
    """Every question about nothing is answered, with a number that says no."""
    t, g, wrong = mdl_tensors, mdl_gears, Code.INVALID_PARAM
    assert (t.get_num_inputs(desc), t.get_num_outputs(desc)) == (0, 0)
    for call in (t.get_input_size_by_index, t.get_output_size_by_index):
        assert call(desc, 0) == 0
    for call in (t.get_input_data_type, t.get_output_data_type, t.get_input_format):
        assert call(desc, 0) == -1
    for call in (t.get_input_dims, t.get_input_dims_v2, t.get_output_dims, t.get_cur_output_dims):
        assert call(desc, 0) == ({}, wrong)
    for call in (t.get_input_name_by_index, t.get_output_name_by_index):
        assert call(desc, 0) == ""
    for call in (t.get_input_index_by_name, t.get_output_index_by_name):
        assert call(desc, "x") == (0, wrong)
    assert g.get_dynamic_batch(desc) == ({}, wrong)
    assert g.get_dynamic_hw(desc, -1) == ({}, wrong)
    assert g.get_input_dynamic_gear_count(desc, -1) == (0, wrong)
    assert g.get_input_dynamic_dims(desc, -1, 1) == ([], wrong)
    assert t.get_tensor_real_name(desc, "x") is None
    assert t.get_op_attr(desc, "x", "y") == ""


def test_an_empty_description_and_wrong_indices(models: dict[str, Path]) -> None:
    desc = mdl_desc.create_desc()
    check_nothing(desc)
    assert mdl_desc.get_desc(desc, 12345) == Code.GE_MODEL_ID_INVALID
    assert mdl_desc.get_desc_from_file(desc, "nowhere.om") == Code.GE_MODEL_PATH_INVALID
    check_nothing(desc)
    assert mdl_desc.destroy_desc(desc) == 0
    with Loaded.of(models["batch"]) as model:
        for at in (-1, 2, 1 << 31, 1 << 40):
            for name in ("input_dims", "input_dims_v2", "output_dims", "cur_output_dims"):
                call = getattr(mdl_tensors, f"get_{name}")
                assert call(model.desc, at) == ({}, Code.INVALID_PARAM)
            assert mdl_tensors.get_input_size_by_index(model.desc, at) == 0
            assert mdl_tensors.get_output_name_by_index(model.desc, at) == ""
        assert mdl_tensors.get_output_index_by_name(model.desc, "seen") == (1, 0)
        assert mdl_tensors.get_output_index_by_name(model.desc, "x")[1] == Code.INVALID_PARAM


def test_handles_of_other_kinds(models: dict[str, Path]) -> None:
    dataset, buffer = datasets.create_dataset(), buffers.create_data_buffer(4096, 1)
    with Loaded.of(models["fixed"]) as model:
        for handle in (dataset, buffer, model.number):
            check_nothing(handle)
        assert datasets.get_dataset_num_buffers(model.desc) == 0
        assert datasets.destroy_dataset(model.desc) == Code.INVALID_PARAM
        assert buffers.destroy_data_buffer(model.desc) == Code.INVALID_PARAM
    assert datasets.destroy_dataset(dataset) == 0
    assert buffers.destroy_data_buffer(buffer) == 0
