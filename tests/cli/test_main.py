"""The `gearshift` command through its real entry point."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gearshift.cli import arguments
from gearshift.cli.commands import save_outputs
from graphs import rapidocr_model
from models import save_text

COMMANDS = (print,) * 6
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
    (made / "short.npy").write_bytes((made / "x.npy").read_bytes()[:-1])
    np.savez(made / "x.npz", x=x)
    np.save(made / "objects.npy", np.array([{}, None]), allow_pickle=True)
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


def test_compile_into_a_folder_with_the_words_of_atc(folder: Path) -> None:
    (folder / "into").mkdir()
    gears = ("--dynamic_batch_size", "1,2", "--input_shape", "x:-1,4")
    limits = ("--memory-limit", "10GB", "--sample", "x.npy")
    done = gearshift(folder, "compile", "m.onnx", *gears, "-o", "into/", *limits)
    assert done.returncode == 0, done.stderr
    assert [file.name for file in (folder / "into").iterdir()] == ["m.om"]
    assert "--dynamic_batch_size" not in gearshift(folder, "compile", "--help").stdout


def test_names_out_of_a_model_cannot_steer_the_terminal(folder: Path) -> None:
    evil = "\x1b[31mred"
    model = onnx.load(folder / "m.onnx")
    model.graph.input[0].name = model.graph.node[0].input[0] = evil
    model.graph.node[1].input[0] = evil
    model.graph.output[1].name = model.graph.node[1].output[0] = "\x1b[2J\nout"
    onnx.save(model, folder / "evil.onnx")
    words = ("-g", "1,2", "--engine", "onnxruntime")
    said = [
        gearshift(folder, "compile", "evil.onnx", *words),
        gearshift(folder, "inspect", "evil.om"),
        gearshift(folder, "run", "evil.om", "-i", "x.npy", "-o", "evil"),
        gearshift(folder, "run", "evil.om", "-i", "wrong.npy"),
    ]
    assert [done.returncode for done in said] == [0, 0, 0, 1]
    for done in said:
        assert "\x1b" not in done.stdout + done.stderr
    assert "\\x1b[2J\\nout" in said[1].stdout
    assert "\\x1b[31mred" in said[3].stderr


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10GB", 10**10), ("2GiB", 2**31), ("1.5 kB", 1500), ("7mb", 7 * 10**6), ("3MiB", 3 << 20),
        ("1kiB", 1024), ("12", 12), ("12B", 12),
    ],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    words = ["compile", "m", "-g1,2", "--memory-limit", text]
    assert arguments.parse(words, COMMANDS).memory_limit == size


@given(
    st.lists(
        st.sampled_from(["a/b", "a_b", "a:b", "A_B", "a_b_2", "", "..", "输出", "output_0"])
        | st.text(st.characters(exclude_categories=["Cs"]))
        | st.text("长/", min_size=100, max_size=120),
        unique=True,
        max_size=8,
    )
)
def test_every_output_has_its_own_file(names: list[str]) -> None:
    outputs = {name: np.array([index]) for index, name in enumerate(names)}
    with tempfile.TemporaryDirectory() as folder:
        files = save_outputs(outputs, Path(folder, "o"))
        assert {name: np.load(file) for name, file in files.items()} == outputs
        assert all(Path(file).parent == Path(folder, "o") for file in files.values())
    assert len({file.casefold() for file in files.values()}) == len(names)


def test_outputs_with_plain_names_keep_them(tmp_path: Path) -> None:
    names = ["a/b", "a_b", "a:b", "y", "Y", "输出", ".."]
    files = save_outputs({name: np.zeros(1) for name in names}, tmp_path)
    bare = ["a_b", "a_b_2", "a_b_3", "y", "Y_2", "输出", "output_6"]
    assert [Path(file).stem for file in files.values()] == bare


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
        (["compile", "m.onnx"], 1, "error E10"),
        (["compile", "m.onnx", "-g", ""], 2, "got ''; write a value"),
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
        (["compile", "m.onnx", "-g", "1,2", "-o", ""], 1, "--output '' names no file"),
        (["compile", "m.onnx", "-g", "1,2", "-o", "."], 1, "--output '.' names no file"),
        (["compile", "m.onnx", "-g", "1,2", "-o", ".."], 1, "--output '..' names no file"),
        (["compile", "m.onnx", "-g", "1,2", "-o", "/"], 1, "--output '/' names no file"),
        (["compile", "m.onnx", "-g", "1,2", "-o", "new/"], 1, "there is no such folder"),
        (["compile", ".", "-g", "1,2"], 1, "'.' is a folder"),
        (["compile", "..", "-g", "1,2"], 1, "'..' is a folder"),
        (["compile", "m.onnx", "-g", "1,2", "-s", "-1,4"], 1, "error E10002"),
        (["compile", "m.onnx", "-g", "-1,4"], 1, "error E10003"),
        (["compile", "m.onnx", "-g", "1,2", "--threads", "x"], 2, "got 'x'; allowed: a whole"),
        (["compile", "m.onnx", "-g", "1,2", "--memory-limit", "10XB"], 2, "got '10XB'; allowed"),
        (["compile", "m.onnx", "-g", "1,2", "--memory-limit", "0"], 2, "got '0'; allowed"),
        (["compile", "m.onnx", "-g", "1,2", "--memory-limit", "5B"], 1, "gear"),
        (["compile", "m.onnx", "-g", "1,2", "--sample", "x=no.npy"], 1, "no.npy does not exist"),
        (
            ["compile", "m.onnx", "-g", "1,2", "--sample", "x.npy", "--sample", "x.npy"],
            1,
            "--sample has to name each array once; this model takes x.",
        ),
        (["run", "m.om", "-i", "x.npz"], 1, "is an archive (.npz?)"),
        (["run", "m.om", "-i", "objects.npy"], 1, "holds Python objects"),
        (["run", "m.om", "-i", "short.npy"], 1, "cut off"),
        (["run", "m.om", "-i", "."], 1, "Is a directory"),
        ([], 2, "COMMAND"),
        (["drive"], 2, "drive"),
    ],
)
def test_mistakes(folder: Path, arguments: list[str], status: int, words: str) -> None:
    done = gearshift(folder, *arguments)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "allow_pickle" not in done.stderr


def test_every_help_names_its_options(folder: Path) -> None:
    assert "inspect" in gearshift(folder, "--help").stdout
    options = {"compile": "--gears", "run": "--tune", "inspect": "--json", "tune": "--embed"}
    for command, option in {**options, "cache": "--clear"}.items():
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
