"""Padding beside the rows: declared, verified on real executions, and cut off again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import gearshift
from gearshift.errors import GearError, GearshiftError, OptionErrors, VerificationError

WORDS, WIDTH = 20, 8
GEARS = "1,4,1,4;4,4,4,4;1,8,1,8;4,8,4,8;1,16,1,16"
SHAPES = {"ids": (-1, -1), "mask": (-1, -1)}
PADS = {"ids": 0, "mask": 0}


@pytest.fixture(scope="module")
def attention(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One layer of attention under a mask; the second output is twice as long as the input."""
    rng = np.random.default_rng(5)
    words = rng.standard_normal((WORDS, WIDTH)).astype(np.float32)
    weights = (rng.standard_normal((WIDTH, WIDTH)) / 4).astype(np.float32)
    node = helper.make_node
    nodes = [
        node("Gather", ["words", "ids"], ["e"]),
        node("MatMul", ["e", "weights"], ["q"]),
        node("Transpose", ["e"], ["k"], perm=[0, 2, 1]),
        node("MatMul", ["q", "k"], ["s"]),
        node("Cast", ["mask"], ["m"], to=TensorProto.FLOAT),
        node("Sub", ["m", "one"], ["off"]),
        node("Mul", ["off", "far"], ["bias"]),
        node("Unsqueeze", ["bias", "axis"], ["b"]),
        node("Add", ["s", "b"], ["sb"]),
        node("Softmax", ["sb"], ["p"], axis=-1),
        node("MatMul", ["p", "e"], ["out"]),
        node("Concat", ["out", "out"], ["split"], axis=2),
        node("Reshape", ["split", "form"], ["long"]),
    ]
    constants: Mapping[str, Any] = {
        "words": words,
        "weights": weights,
        "one": np.float32(1),
        "far": np.float32(1e4),
        "axis": np.array([1]),
        "form": np.array([0, -1, WIDTH]),
    }
    ids = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "s"])
        for name in ("ids", "mask")
    ]
    outputs = [
        helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", "s", WIDTH]),
        helper.make_tensor_value_info("long", TensorProto.FLOAT, ["n", "s2", WIDTH]),
    ]
    graph = helper.make_graph(
        nodes, "attention", ids, outputs,
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    path = tmp_path_factory.mktemp("attention") / "attention.onnx"
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def feeds(rows: int, length: int, seed: int = 1) -> dict[str, Any]:
    ids = np.random.default_rng(seed).integers(0, WORDS, (rows, length))
    return {"ids": ids, "mask": np.ones((rows, length), np.int64)}


def build(model: Path, tmp_path: Path, **options: Any) -> gearshift.Session:
    given = {
        "input_shape": SHAPES,
        "dynamic_dims": GEARS,
        "input_format": "ND",
        "pad": PADS,
        "sample_inputs": feeds(4, 16),
    }
    gearshift.compile(model, output=tmp_path / "m.om", **(given | options))
    return gearshift.load(tmp_path / "m.om")


@pytest.fixture(scope="module", params=["openvino", "onnxruntime"])
def padded(
    request: pytest.FixtureRequest, attention: Path, tmp_path_factory: pytest.TempPathFactory
) -> gearshift.Session:
    return build(attention, tmp_path_factory.mktemp("padded"), engine=request.param)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.integers(1, 9), length=st.integers(1, 16), seed=st.integers(0, 99))
def test_any_length_up_to_the_longest_gives_the_models_own_numbers(
    padded: gearshift.Session, attention: Path, rows: int, length: int, seed: int
) -> None:
    given = feeds(rows, length, seed)
    made = padded.run(given)
    expected = onnxruntime.InferenceSession(attention).run(None, given)
    for got, want in zip(made.values(), expected, strict=True):
        assert got.shape == want.shape
        assert np.allclose(np.asarray(got, np.float32), want, rtol=1e-3, atol=1e-4)


def test_no_rows_of_any_length(padded: gearshift.Session) -> None:
    assert [made.shape for made in padded.run(feeds(0, 3)).values()] == [(0, 3, 8), (0, 6, 8)]


def test_what_fits_exactly_is_not_padded_and_what_is_too_long_is_refused(
    padded: gearshift.Session,
) -> None:
    padded.run(feeds(4, 8))
    with pytest.raises(GearError, match=r"no gear takes ids \[-1, 17\].*ids \[-1, 16\]"):
        padded.run(feeds(1, 17))
    with pytest.raises(GearError, match=r"gear 1,4,1,4 takes ids \[-1, 4\]"):
        padded.run(feeds(1, 5), gear=(1, 4, 1, 4))
    assert padded.run(feeds(1, 3), gear=(1, 4, 1, 4))["long"].shape == (1, 6, WIDTH)


def test_the_cheapest_frame_is_taken(attention: Path, tmp_path: Path) -> None:
    with build(attention, tmp_path) as model:
        model.run(feeds(3, 5))
        (ran,) = [program for program in model.memory().programs if program.built]
    assert ran.frame == 1, "eight long, and neither the four that are too few nor the sixteen"


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"pad": {"ids": 0.5, "mask": 0}}, OptionErrors, "no int64"),
        ({"pad": {"mast": 0}}, OptionErrors, "not an input.*mask"),
        ({"pad": {"ids": 0}}, VerificationError, "have to be padded together"),
        ({"pad": {"ids": 0, "mask": 1}}, VerificationError, "padding is not safe: ids"),
        (
            {"input_shape": {"ids": (-1, 4), "mask": (-1, 4)}, "dynamic_dims": "1,1;2,2"},
            OptionErrors,
            "no dim of it has gears",
        ),
    ],
)
def test_what_is_refused(
    attention: Path, tmp_path: Path, options: dict[str, Any], error: type[GearshiftError], says: str
) -> None:
    with pytest.raises(error, match=f"(?s){says}"):
        build(attention, tmp_path, **options)
    assert not (tmp_path / "m.om").exists()


def one_node(path: Path, node: onnx.NodeProto, form: list[int | str], out: list[Any]) -> Path:
    """A model of one node, x in and y out."""
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, form)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def test_height_and_width_are_cut_each_by_its_own(tmp_path: Path) -> None:
    """Square gears make both alike at every gear, which is no reason to take one for the other."""
    form: list[int | str] = [1, 3, "h", "w"]
    path = one_node(tmp_path / "relu.onnx", helper.make_node("Relu", ["x"], ["y"]), form, form)
    gearshift.compile(
        path,
        output=tmp_path / "m.om",
        input_shape={"x": (1, 3, -1, -1)},
        dynamic_image_size="16,16;32,32",
        pad={"x": 0},
    )
    x = np.random.default_rng(0).standard_normal((1, 3, 20, 28)).astype(np.float32)
    with gearshift.load(tmp_path / "m.om") as model:
        np.testing.assert_array_equal(model.run({"x": x})["y"], np.maximum(x, 0))


@pytest.mark.parametrize("op_type", ["ReduceMax", "ReduceMin", "ReduceMean"])
def test_what_looks_at_all_positions_is_found_out(tmp_path: Path, op_type: str) -> None:
    """Normal numbers have some above 0 and some below, which would hide a padding of 0."""
    node = helper.make_node(op_type, ["x"], ["y"], axes=[1], keepdims=0)
    path = one_node(tmp_path / "m.onnx", node, ["n", "s"], ["n"])
    with pytest.raises(VerificationError, match="padding is not safe"):
        gearshift.compile(
            path,
            output=tmp_path / "m.om",
            input_shape={"x": (-1, -1)},
            dynamic_dims="1,32;4,32;1,64",
            input_format="ND",
            pad={"x": 0},
        )


def test_what_cannot_be_compared_is_not_verified(tmp_path: Path) -> None:
    """Not a number on both sides is no agreement."""
    node = helper.make_node("Sqrt", ["x"], ["y"])
    path = one_node(tmp_path / "m.onnx", node, ["n", "s"], ["n", "s"])
    options: dict[str, Any] = {
        "input_shape": {"x": (-1, -1)},
        "dynamic_dims": "1,4;4,4;1,8",
        "input_format": "ND",
        "pad": {"x": 0},
    }
    x = -np.ones((2, 8), np.float32)
    with pytest.raises(VerificationError, match="could not be verified"):
        gearshift.compile(path, output=tmp_path / "m.om", sample_inputs={"x": x}, **options)
    gearshift.compile(path, output=tmp_path / "m.om", sample_inputs={"x": -x}, **options)
    del options["pad"]
    report = gearshift.compile(path, output=tmp_path / "m.om", sample_inputs={"x": x}, **options)
    assert [each for each in report.warnings if "'y' had no finite number" in each]


def test_dims_that_go_together_have_to_be_alike(
    padded: gearshift.Session,
) -> None:
    given = feeds(1, 7) | {"mask": np.ones((1, 3), np.int64)}
    with pytest.raises(GearError, match="no gear takes"):
        padded.run(given)


def test_a_frame_that_cannot_run_the_rows_is_passed_over(tmp_path: Path) -> None:
    """Rows that are mixed run at exact gears only: the other frame has one for this call."""
    node = helper.make_node("CumSum", ["x", "axis"], ["y"])
    graph = helper.make_graph(
        [node],
        "mixing",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "s"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "s"])],
        [numpy_helper.from_array(np.array(0), "axis")],
    )
    opsets = [helper.make_opsetid("", 17)]
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    gearshift.compile(
        path,
        output=tmp_path / "m.om",
        input_shape={"x": (-1, -1)},
        dynamic_dims="1,64;2,128;1,256;2,256",
        input_format="ND",
        pad={"x": 0},
    )
    with gearshift.load(tmp_path / "m.om") as model:
        for rows, length in ((1, 50), (2, 50), (1, 128), (2, 64)):
            x = np.ones((rows, length), np.float32)
            np.testing.assert_array_equal(model.run({"x": x})["y"], np.cumsum(x, 0))
        with pytest.raises(GearError, match="3 rows"):
            model.run({"x": np.ones((3, 64), np.float32)})
        assert model.plan(1, {"x": (1, 50)}).pieces[0].gear == 1


def test_images_behind_preprocessing_are_not_padded(tmp_path: Path) -> None:
    form: list[int | str] = [1, 3, "h", "w"]
    path = one_node(tmp_path / "relu.onnx", helper.make_node("Relu", ["x"], ["y"]), form, form)
    config = tmp_path / "aipp.cfg"
    config.write_text("aipp_op { aipp_mode: static input_format: RGB888_U8 }")
    with pytest.raises(GearshiftError, match="preprocessed"):
        gearshift.compile(
            path,
            output=tmp_path / "m.om",
            input_shape={"x": (1, 3, -1, -1)},
            dynamic_image_size="16,16;32,32",
            aipp=config,
            pad={"x": 0},
        )
