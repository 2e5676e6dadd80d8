"""Models that a narrow engine would compute wrongly run on the other one, or with a warning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import gearshift
from gearshift.tensors import Array
from models import run_onnxruntime, save_text

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
WIDE = {
    "float64": (
        "m (double[N, 2] x, double[N, 2] y) => (double[N, 2] z) { z = Sub (x, y) }",
        {"x": np.array([[1.7e9, 1.7e9 + 1]]), "y": np.array([[1.7e9, 1.7e9]])},
    ),
    "int64": (
        "m (int64[N, 2] x) => (int64[N, 2] z) { z = Mul (x, x) }",
        {"x": np.array([[100_000, -3]])},
    ),
    "float to integer": (
        "m (float[N, 2] x) => (int64[N, 2] z) { z = Cast <to = 7> (x) }",
        {"x": np.array([[1e12, 5]], np.float32)},
    ),
    "integer sums": (
        "m (int32[N, 3] x) => (int32[N] z) <int64[1] axes = {1}>"
        "{ z = ReduceSum <keepdims = 0> (x, axes) }",
        {"x": np.array([[16777217, 1, 1]], np.int32)},
    ),
}


@pytest.mark.parametrize("name", WIDE)
def test_wide_arithmetic_goes_to_the_engine_that_has_it(name: str, tmp_path: Path) -> None:
    text, feeds = WIDE[name]
    path = save_text(HEAD + text, tmp_path / "m.onnx")
    report = gearshift.compile(path, output=tmp_path / "m.om", dynamic_batch_size=[1, 2])
    assert [topology.engine for topology in report.manifest.topologies] == ["onnxruntime"]
    assert any("in fewer bits" in warning for warning in report.warnings)
    with gearshift.load(report.output) as model:
        np.testing.assert_array_equal(model.run(feeds)["z"], run_onnxruntime(path, feeds)["z"])


def test_by_name_the_narrow_engine_is_taken_with_a_warning(tmp_path: Path) -> None:
    text, _ = WIDE["int64"]
    path = save_text(HEAD + text, tmp_path / "m.onnx")
    report = gearshift.compile(
        path, output=tmp_path / "m.om", dynamic_batch_size=[1, 2], engine="openvino"
    )
    assert any("check its numbers" in warning for warning in report.warnings)


def test_indices_masks_and_comparisons_stay_with_both_engines(tmp_path: Path) -> None:
    text = """
    m (int64[N, 3] ids, int64[N, 3] mask) => (float[N, 3, 2] z, int64[N] best)
    <float[5, 2] table = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, int64[1] last = {2}>
    {
      rows = Gather (table, ids)
      weight = Cast <to = 1> (mask)
      column = Unsqueeze (weight, last)
      z = Mul (rows, column)
      best = ArgMax <axis = 1, keepdims = 0> (weight)
    }
    """
    path = save_text(HEAD + text, tmp_path / "m.onnx")
    report = gearshift.compile(path, output=tmp_path / "m.om", dynamic_batch_size=[1, 2])
    assert len(report.manifest.topologies) == 2
    feeds: dict[str, Array] = {
        "ids": np.array([[0, 4, 2]] * 3),
        "mask": np.array([[0, 1, 1], [1, 0, 0], [1, 1, 1]]),
    }
    for engine in ("openvino", "onnxruntime"):
        with gearshift.load(report.output, engine=engine) as model:
            outputs = model.run(feeds)
        for name, expected in run_onnxruntime(path, feeds).items():
            np.testing.assert_array_equal(outputs[name], expected)


def test_int8_weights_do_not_quantise_the_activations(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights = random.integers(-127, 127, (256, 64)).astype(np.int8)
    graph = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", ["w8", "scale"], ["w"], "dq"),
            helper.make_node("MatMul", ["x", "w"], ["y"], "matmul"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 256])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 64])],
        [
            numpy_helper.from_array(weights, "w8"),
            numpy_helper.from_array(np.array(0.01, np.float32), "scale"),
        ],
    )
    opset = helper.make_opsetid("", 17)
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    report = gearshift.compile(
        path, output=tmp_path / "m.om", dynamic_batch_size=[1, 4], engine="openvino"
    )
    worst = max(d.relative for gear in report.manifest.gears for d in gear.differences)
    assert worst < 1e-5
