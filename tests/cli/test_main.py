"""The `gearshift` command through its real entry point."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from graphs import rapidocr_model
from models import save_text

MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[N, 4] x) => (float[N, 3] y, float[N, 4] ab)
<float[4, 3] w = {1, 0, 2, 0, 1, 0, 3, 1, 0, 1, 1, 1}>
{ y = MatMul (x, w)
  ab = Relu (x) }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("文件 夹")
    save_text(MODEL, made / "m.onnx")
    done = gearshift(made, "compile", "m.onnx", "--gears", "1,2,4", "--engine", "onnxruntime")
    assert done.returncode == 0, done.stderr
    x = np.arange(20, dtype=np.float32).reshape(5, 4)
    np.save(made / "x.npy", x)
    np.save(made / "wrong.npy", x.astype(np.float64))
    (made / "text.npy").write_text("not an array")
    return made


def gearshift(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "utf8", "-m", "gearshift.cli.main", *arguments],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_compile_says_what_it_did(folder: Path) -> None:
    done = gearshift(folder, "compile", "m.onnx", "--gears", "1,2,4", "-o", "新 模型")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].split() == [
        "gear", "engine", "check", "difference", "relative", "memory", "build", "run",
    ]  # fmt: skip
    assert "rows are independent (proved)" in done.stdout
    assert "wrote 新 模型.om" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr, "no control characters in a log"
    assert "running every gear ..." in done.stderr
    assert (folder / "新 模型.om").exists()


def test_compile_as_json(folder: Path) -> None:
    done = gearshift(folder, "compile", "m.onnx", "--gears", "2,1", "-o", "j.om", "--json")
    said = json.loads(done.stdout)
    assert said["bytes"] == (folder / "j.om").stat().st_size
    assert [gear["values"] for gear in said["manifest"]["gears"]] == [[2], [1]]


def test_run_writes_one_file_per_output(folder: Path) -> None:
    done = gearshift(folder, "run", "m.om", "--input", "x.npy", "--output", "结果 1")
    assert done.returncode == 0, done.stderr
    x = np.load(folder / "x.npy")
    w = np.array([[1, 0, 2], [0, 1, 0], [3, 1, 0], [1, 1, 1]], np.float32)
    np.testing.assert_allclose(np.load(folder / "结果 1" / "y.npy"), x @ w)
    np.testing.assert_allclose(np.load(folder / "结果 1" / "ab.npy"), x)
    assert "gear 1 x 1, gear 4 x 1" in done.stdout


def test_run_as_json_at_one_gear(folder: Path) -> None:
    x = np.load(folder / "x.npy")[:3]
    np.save(folder / "three.npy", x)
    done = gearshift(folder, "run", "m.om", "-i", "x=three.npy", "--gear", "4", "--json")
    said = json.loads(done.stdout)
    assert said["runs"] == {"4": 1}
    assert said["shapes"] == {"y": [3, 3], "ab": [3, 4]}


def test_inspect_shows_everything(folder: Path) -> None:
    done = gearshift(folder, "inspect", "m.om")
    for words in (
        "gears      1, 2, 4",
        "rows are independent (proved)",
        "m.onnx, opset 17, sha256 ",
        "onnxruntime",
        "ascend_mbatch_shape_data  int32",
        "float32  [-1, 3]",
        "weights",
    ):
        assert words in done.stdout
    said = json.loads(gearshift(folder, "inspect", "m.om", "--json").stdout)
    assert said["manifest"]["proof"]["verdict"] == "proved"
    assert {part["name"] for part in said["parts"]} == {"onnxruntime", "weights"}


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["compile", "m.onnx", "--gears", "1,1"], 1, "error E10039"),
        (["compile", "m.onnx", "--gears", "1;2"], 1, "error E10003"),
        (
            ["compile", "no.onnx", "--gears", "1,2"],
            1,
            "error E10041: model 'no.onnx' does not exist",
        ),
        (["compile", "m.onnx", "--gears", "1,2", "--shape", "z:-1,4"], 1, "error E10016"),
        (["compile", "m.onnx"], 2, "-g/--gears"),
        (["run", "m.om", "-i", "wrong.npy"], 1, "is float64; the model takes float32"),
        (["run", "m.om", "-i", "no.npy"], 1, "no.npy does not exist"),
        (["run", "m.om", "-i", "text.npy"], 1, "is not a .npy file"),
        (["run", "m.om", "-i", "y=x.npy"], 1, "unknown: 'y'"),
        (["run", "m.om", "-i", "x=x.npy", "-i", "x=x.npy"], 1, "once"),
        (["run", "m.om", "-i", "x.npy", "--gear", "3"], 1, "its gears are 1, 2, 4"),
        (["run", "m.om", "-i", "x.npy", "--engine", "openvino"], 1, "compiled for onnxruntime"),
        (["run", "m.onnx", "-i", "x.npy"], 1, "not a gearshift artifact"),
        (["inspect", "no.om"], 1, "no.om"),
        (["inspect", "."], 1, "gearshift: error"),
        ([], 2, "COMMAND"),
        (["drive"], 2, "drive"),
    ],
)
def test_mistakes(folder: Path, arguments: list[str], status: int, words: str) -> None:
    done = gearshift(folder, *arguments)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_every_help_names_its_options(folder: Path) -> None:
    assert "inspect" in gearshift(folder, "--help").stdout
    for command, option in (("compile", "--gears"), ("run", "--input"), ("inspect", "--json")):
        done = gearshift(folder, command, "--help")
        assert done.returncode == 0
        assert option in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_ctrl_c_leaves_nothing_behind(folder: Path) -> None:
    output = folder / "interrupted.om"
    shape = "x:-1,3,48,320"
    with subprocess.Popen(
        [
            sys.executable, "-m", "gearshift.cli.main", "compile", str(rapidocr_model("rec")),
            "--shape", shape, "--gears", "8,16,32", "-o", str(output),
        ],
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if "running every gear" in line:
                break
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(timeout=60) == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert not output.exists()
    assert not list(folder.glob("*.tmp"))
