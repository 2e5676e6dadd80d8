"""The tour: what gearshift is, in the order a newcomer meets it. Runs in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gearshift
from models import run_onnxruntime, save_text

CLASSIFIER = """
<ir_version: 8, opset_import: ["" : 17]>
classifier (float[N, 4] x) => (float[N, 3] probability)
<float[4, 3] w = {1, 0, 2, 0, 1, 0, 3, 1, 0, 1, 1, 1}>
{
  scores = MatMul (x, w)
  probability = Softmax <axis: int = 1> (scores)
}
"""


def test_compile_then_run_any_number_of_rows(tmp_path: Path) -> None:
    onnx_file = save_text(CLASSIFIER, tmp_path / "classifier.onnx")

    report = gearshift.compile(
        onnx_file,
        output=tmp_path / "classifier.om",
        input_shape={"x": (-1, 4)},
        dynamic_batch_size=[1, 2, 4, 8],
    )

    assert report.output == tmp_path / "classifier.om"
    assert report.manifest.proof.verdict == "proved"
    with gearshift.load(report.output) as model:
        assert model.gears == (1, 2, 4, 8)
        for rows in (0, 1, 3, 8, 13):
            x = np.random.default_rng(rows).standard_normal((rows, 4), np.float32)
            ours = model.run({"x": x})
            theirs = run_onnxruntime(onnx_file, {"x": x})
            np.testing.assert_allclose(ours["probability"], theirs["probability"], atol=1e-6)
        assert str(model.plan(13)) == "8 + 4 + 1"
        assert model.run({"x": x[:3]}, gear=8)["probability"].shape == (3, 3)


def test_a_model_whose_rows_are_coupled_is_never_padded(tmp_path: Path) -> None:
    text = CLASSIFIER.replace("<axis: int = 1>", "<axis: int = 0>")
    onnx_file = save_text(text, tmp_path / "coupled.onnx")

    report = gearshift.compile(
        onnx_file,
        output=tmp_path / "coupled.om",
        input_shape={"x": (-1, 4)},
        dynamic_batch_size=[2, 4],
    )

    assert report.manifest.proof.verdict == "refuted"
    assert report.manifest.proof.op_type == "Softmax"
    assert any("Softmax" in warning for warning in report.warnings)
    with gearshift.load(report.output) as model:
        x = np.ones((4, 4), np.float32)
        np.testing.assert_allclose(model.run({"x": x})["probability"], 0.25, atol=1e-6)
        with pytest.raises(gearshift.GearshiftError, match="exactly 2, 4 rows"):
            model.run({"x": x[:3]})


def test_a_mistake_says_what_to_do(tmp_path: Path) -> None:
    onnx_file = save_text(CLASSIFIER, tmp_path / "classifier.onnx")
    with pytest.raises(gearshift.GearshiftError) as raised:
        gearshift.compile(
            onnx_file,
            output=tmp_path / "classifier.om",
            input_shape={"y": (-1, 4)},
            dynamic_batch_size=[1, 2],
        )
    assert raised.value.code == "E10016"
    assert "'y'" in str(raised.value)
    assert "its inputs are x[-1, 4]" in str(raised.value)
    assert not (tmp_path / "classifier.om").exists()
