"""`InferSession` as programs written for ais_bench use it, held to ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench_models import (
    batch_model,
    dims_model,
    fixed_model,
    image_model,
    range_model,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gearshift.ais import DataType, InferSession, MemorySummary, MultiDeviceSession
from gearshift.errors import ClosedError, GearError, InputError, OptionError
from gearshift.tensors import Array
from models import run_onnxruntime


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sessions")
    for make in (batch_model, fixed_model, image_model, dims_model, range_model):
        make(made)
    return made


def session(folder: Path, name: str, **options: int) -> InferSession:
    return InferSession(0, str(folder / f"{name}.om"), **options)


def feeds(rows: int) -> list[Array]:
    random = np.random.default_rng(rows)
    return [random.random((rows, 4), np.float32), random.integers(-9, 9, (rows, 1))]


def check(folder: Path, name: str, arrays: list[Array], outputs: list[Array]) -> None:
    names = ("x", "k")[: len(arrays)]
    wanted = run_onnxruntime(folder / f"{name}.onnx", dict(zip(names, arrays, strict=True)))
    assert len(outputs) == len(wanted)
    for output, array in zip(outputs, wanted.values(), strict=True):
        assert output.dtype == array.dtype
        np.testing.assert_allclose(output, array, rtol=1e-6)


def test_static(folder: Path) -> None:
    model = session(folder, "fixed")
    check(folder, "fixed", feeds(2), model.infer(feeds(2)))
    flat = [np.frombuffer(array.tobytes(), np.int8) for array in feeds(2)]
    check(folder, "fixed", feeds(2), model.infer(flat))
    zeros = [np.frombuffer(bytearray(each.realsize)) for each in model.get_inputs()]
    assert not model.infer(zeros)[0].any(), "whatever type a flat buffer has, its bytes count"
    assert len(model.summary().exec_time_list) == 3
    model.free_resource()


def test_what_is_told_of_inputs_and_outputs(folder: Path) -> None:
    model = session(folder, "batch")
    x, k = model.get_inputs()
    assert (x.name, x.datatype, x.format, x.shape) == ("x", DataType.float32, "ND", [-1, 4])
    assert (x.size, x.realsize, k.size) == (64, 0, 32)
    assert str(k.datatype) == "dtype.int64"
    assert [each.size for each in model.get_outputs()] == [48, 32]
    model.set_dynamic_batchsize(2)
    assert [each.realsize for each in model.get_inputs()] == [32, 16]
    assert [each.realsize for each in model.get_outputs()] == [24, 16]
    images = session(folder, "image").get_inputs()[0]
    assert (images.format, images.shape, images.size) == ("NCHW", [1, 3, -1, -1], 768)
    fixed = session(folder, "fixed")
    assert [each.realsize for each in fixed.get_outputs()] == [24, 16]
    assert session(folder, "range").get_inputs()[0].size == 0, "there is no largest"


@given(st.lists(st.sampled_from([1, 2, 4]), min_size=1, max_size=6))
@settings(max_examples=10)
def test_gears_in_any_order(folder: Path, sizes: list[int]) -> None:
    model = session(folder, "batch")
    for rows in sizes:
        check(folder, "batch", feeds(rows), model.infer(feeds(rows), mode="dymbatch"))
        model.set_dynamic_batchsize(rows)
        tensors = [model.create_tensor_from_arrays_to_device(array) for array in feeds(rows)]
        given_ = model.run(tensors)
        model.convert_tensors_to_host(given_)
        check(folder, "batch", feeds(rows), model.convert_tensors_to_arrays(given_))
    assert len(model.sumary().exec_time_list) == 2 * len(sizes)
    assert min(model.sumary().exec_time_list) > 0
    model.reset_summaryinfo()
    assert model.summary().exec_time_list == []
    model.free_resource()


@pytest.mark.parametrize(
    ("name", "mode", "shapes"),
    [
        ("image", "dymhw", [(1, 3, 8, 8), (1, 3, 4, 6)]),
        ("dims", "dymdims", [(2, 3), (1, 3), (2, 5)]),
        ("range", "dymshape", [(1, 2), (4, 9)]),
    ],
)
def test_other_modes(folder: Path, name: str, mode: str, shapes: list[tuple[int, ...]]) -> None:
    model = session(folder, name, loop=2)
    for shape in shapes:
        array = np.random.default_rng(0).random(shape, np.float32)
        check(folder, name, [array], model.infer([array], mode, custom_sizes=1000))
        assert model.get_inputs()[0].realsize == array.nbytes
    assert len(model.summary().exec_time_list) == 2 * len(shapes)


def test_what_a_session_can_be_set_to(folder: Path) -> None:
    images, dims, ranges = (session(folder, name) for name in ("image", "dims", "range"))
    images.set_dynamic_hw(4, 6)
    (out,) = images.run([np.ones(72, np.float32)], out_array=True)
    assert out.shape == (1, 3, 4, 6)
    dims.set_dynamic_dims("x:2,5")
    (out,) = dims.run([np.ones((2, 5), np.float32)], out_array=True)
    assert out.shape == (2, 5)
    ranges.set_dynamic_shape("x:3,7")
    ranges.set_custom_outsize([100])
    (out,) = ranges.run([np.ones((3, 7), np.float32)], out_array=True)
    assert out.shape == (3, 7)


def test_iterations_and_pipelines(folder: Path) -> None:
    model = session(folder, "batch")
    x, k = feeds(2)
    out, doubled = model.infer_iteration([x, k], [-1, 1], 5, "dymbatch")
    np.testing.assert_array_equal(doubled, k * 32)
    np.testing.assert_allclose(out, model.infer([x, k], "dymbatch")[0])
    several = model.infer_pipeline([feeds(1), feeds(4)], "dymbatch")
    for rows, outputs in zip((1, 4), several, strict=True):
        check(folder, "batch", feeds(rows), outputs)
    with pytest.raises(OptionError, match="there are 2 outputs"):
        model.infer_iteration([x, k], [-1, 2], 2, "dymbatch")
    with pytest.raises(OptionError, match="one number for each input"):
        model.infer_iteration([x, k], [1], 2, "dymbatch")


def test_several_devices(folder: Path) -> None:
    model = MultiDeviceSession(str(folder / "batch.om"))
    made = model.infer({0: [feeds(1), feeds(2)], 3: [feeds(4)]}, mode="dymbatch")
    assert sorted(made) == [0, 3]
    check(folder, "batch", feeds(2), made[0][1])
    check(folder, "batch", feeds(4), made[3][0])
    assert MemorySummary.get_h2d_time_list() == MemorySummary.get_d2h_time_list() == []


def test_what_is_wrong(folder: Path) -> None:
    model = session(folder, "batch")
    with pytest.raises(GearError, match="no gear takes x"):
        model.infer(feeds(3), mode="dymbatch")
    with pytest.raises(GearError, match="gear 3 was not compiled"):
        model.set_dynamic_batchsize(3)
    with pytest.raises(OptionError, match="give mode='dymbatch'"):
        model.infer(feeds(2), mode="dymhw")
    with pytest.raises(OptionError, match=r"has to be set first.*mode='dymbatch'"):
        model.infer(feeds(2))
    with pytest.raises(OptionError, match="allowed are static"):
        model.infer(feeds(2), mode="dynamic")
    with pytest.raises(InputError, match="got 1 for the inputs"):
        model.infer(feeds(2)[:1], mode="dymbatch")
    model.set_dynamic_batchsize(2)
    with pytest.raises(InputError, match=r"expected 32 bytes; got float32\[3, 4\], which is 48"):
        model.run(feeds(3))
    with pytest.raises(InputError, match="is int32; the model takes float32"):
        model.run([np.ones((2, 4), np.int32), feeds(2)[1]])
    with pytest.raises(OptionError, match="loop=0"):
        session(folder, "batch", loop=0)
    model.free_resource()
    model.free_resource()
    with pytest.raises(ClosedError, match="make a new InferSession"):
        model.run(feeds(2))
