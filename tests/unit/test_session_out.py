"""Outputs written into arrays that the caller gives; gears prepared before they run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gearshift
from artifacts import null_artifact
from gearshift.errors import GearError, InputError
from gearshift.tensors import Array
from models import run_onnxruntime, save_text

TEXT = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N,3] x) => (float[N,2] y, float[3,N] turned, float[2] shared)
<float[3,2] w = {1,2,3,4,5,6}, float[2] c = {7,8}>
{ y = MatMul(x, w)  turned = Transpose<perm=[1,0]>(x)  shared = Neg(c) }"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_text(TEXT, tmp_path_factory.mktemp("out") / "m.onnx")


@pytest.fixture(scope="module", params=["openvino", "onnxruntime"])
def model(request: pytest.FixtureRequest, source: Path) -> gearshift.Session:
    path = source.with_suffix(".om")
    if not path.exists():
        gearshift.compile(
            source, output=path, input_shape={"x": (-1, 3)}, dynamic_batch_size=[1, 2, 4]
        )
    return gearshift.load(path, engine=request.param, tune=0)


@pytest.fixture(scope="module")
def null(tmp_path_factory: pytest.TempPathFactory) -> gearshift.Session:
    return gearshift.load(null_artifact(tmp_path_factory.mktemp("null")))


def targets(rows: int) -> dict[str, Array]:
    return {
        "y": np.full((rows, 2), 9, np.float32),
        "turned": np.full((3, rows), 9, np.float32),
        "shared": np.full(2, 9, np.float32),
    }


@given(rows=st.integers(0, 11), seed=st.integers(0, 99), wanted=st.sets(st.sampled_from("yts")))
@settings(max_examples=40, deadline=None)
def test_outputs_land_where_they_are_wanted(
    model: gearshift.Session, source: Path, rows: int, seed: int, wanted: set[str]
) -> None:
    x = np.random.default_rng(seed).standard_normal((rows, 3)).astype(np.float32)
    out = {name: array for name, array in targets(rows).items() if name[0] in wanted}
    made = model.run({"x": x}, out=out)
    for name, array in out.items():
        assert made[name] is array
    expected = run_onnxruntime(source, {"x": x})
    assert made.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(made[name], array, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("gear", [1, 2, 4])
def test_a_gear_into_arrays_of_other_layouts(
    model: gearshift.Session, source: Path, gear: int
) -> None:
    x = np.random.default_rng(gear).standard_normal((gear, 3)).astype(np.float32)
    wide = np.zeros((gear, 4), np.float32)
    out = {"y": wide[:, ::2], "turned": np.zeros((gear, 3), np.float32).T}
    model.run_async({"x": x}, gear=gear, out=out).result(30)
    expected = run_onnxruntime(source, {"x": x})
    for name, array in out.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-6)
    assert not wide[:, 1::2].any()


def test_an_output_in_place_of_an_input(model: gearshift.Session, source: Path) -> None:
    memory = np.arange(12, dtype=np.float32)
    expected = run_onnxruntime(source, {"x": memory.reshape(4, 3).copy()})
    out = {"turned": memory.reshape(3, 4), "y": memory[:8].reshape(4, 2)}
    made = model.run({"x": memory.reshape(4, 3)}, out={"turned": out["turned"]})
    np.testing.assert_allclose(memory.reshape(3, 4), expected["turned"])
    np.testing.assert_allclose(made["y"], expected["y"])


def test_arrays_that_do_not_fit(null: gearshift.Session) -> None:
    x = np.zeros((3, 3), np.float32)
    read_only = np.zeros((3, 2), np.float32)
    read_only.flags.writeable = False
    for out, said in (
        ({"z": np.zeros((3, 2), np.float32)}, "'z'"),
        ({"y": [[0.0, 0.0]] * 3}, "list"),
        ({"y": np.zeros((3, 2))}, "float64"),
        ({"y": np.zeros((4, 2), np.float32)}, "[4, 2]"),
        ({"y": np.zeros(6, np.float32)}, "[6]"),
        ({"y": read_only}, "read-only"),
    ):
        with pytest.raises(InputError) as caught:
            null.run({"x": x}, out=out)
        assert said in caught.value.message


def test_a_gear_is_prepared(source: Path) -> None:
    model = gearshift.load(source.with_suffix(".om"), engine="openvino", tune=0)
    model.prepare(4)
    assert [each.build.rows for each in model.memory().programs if each.built] == [4]
    for wrong in (3, (1, 2), 0):
        with pytest.raises((GearError, InputError)):
            model.prepare(wrong)
