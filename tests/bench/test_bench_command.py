"""``gearshift bench`` through its real entry point, held to ONNX Runtime."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from bench_models import (
    batch_model,
    bench,
    dims_model,
    fixed_model,
    image_model,
    range_model,
    rows_of,
)

from gearshift.tensors import Array
from models import run_onnxruntime


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("基准 1")
    for make in (batch_model, fixed_model, image_model, dims_model, range_model):
        make(made)
    random = np.random.default_rng(3)
    x = random.random((6, 4), np.float32)
    k = random.integers(-9, 9, (6, 1))
    for name, array in (("x", x), ("k", k)):
        (made / name).mkdir()
        for index, row in enumerate(rows_of(array, 6)):
            # More than nine of them, so that the order of their numbers shows.
            row.tofile(made / name / f"r{index + 7}.bin")
        np.save(made / f"all_{name}.npy", array)
    return made


def expected(folder: Path, name: str, **feeds: Array) -> list[Array]:
    return list(run_onnxruntime(folder / f"{name}.onnx", feeds).values())


def test_files_are_joined_to_the_gear_and_outputs_are_cut_again(folder: Path) -> None:
    words = ("--dymBatch", "4", "--input", "x,k", "--outfmt", "NPY", "--loop", "2")
    done = bench(folder, "batch.om", *words, "--output", "out", "--output_dirname", "joined")
    assert done.returncode == 0, done.stderr
    wanted = expected(
        folder, "batch", x=np.load(folder / "all_x.npy"), k=np.load(folder / "all_k.npy")
    )
    made = folder / "out" / "joined"
    assert len(list(made.iterdir())) == 12
    for row in range(6):
        for output, array in enumerate(wanted):
            part = np.load(made / f"r{row + 7}_{output}.npy")
            np.testing.assert_allclose(part, array[row : row + 1], rtol=1e-6)
    summary = json.loads((folder / "out" / "joined_summary.json").read_text("utf-8"))
    assert set(summary) >= {
        "filesinfo", "args", "NPU_compute_time", "H2D_latency", "D2H_latency", "throughput",
        "npu_compute_time_list", "pid",
    }  # fmt: skip
    assert summary["filesinfo"]["5"] == {
        "infiles": [str(Path("x/r12.bin")), str(Path("k/r12.bin"))],
        "outfiles": [str(Path("out/joined/r12_0.npy")), str(Path("out/joined/r12_1.npy"))],
    }
    times = summary["npu_compute_time_list"]
    assert len(times) == 4
    figures = summary["NPU_compute_time"]
    assert figures["count"] == 4
    assert figures["mean"] == pytest.approx(sum(times) / 4)
    assert figures["percentile(99%)"] == pytest.approx(float(np.percentile(times, 99)))
    assert summary["throughput"] == pytest.approx(4000 / figures["mean"])
    assert summary["caller_time"]["mean"] >= figures["mean"]
    assert summary["args"]["dymBatch"] == 4
    assert re.search(r"throughput 1000\*batchsize.mean\(4\)/NPU_compute_time.mean\(", done.stdout)


def test_text_and_bytes_of_files_that_are_named(folder: Path) -> None:
    (folder / "two").mkdir()
    words = ("--model", "fixed.om", "-i", "x/r7.bin,x/r8.bin,k/r7.bin,k/r8.bin", "-o", "two")
    wanted = expected(
        folder, "fixed", x=np.load(folder / "all_x.npy")[:2], k=np.load(folder / "all_k.npy")[:2]
    )
    for how, read in (("TXT", np.loadtxt), ("BIN", lambda path: np.fromfile(path, np.float32))):
        done = bench(folder, *words, "-od", how, "--outfmt", how)
        assert done.returncode == 0, done.stderr
        for row in range(2):
            part = read(folder / "two" / how / f"r{row + 7}_0.{how.lower()}")
            np.testing.assert_allclose(part, wanted[0][row], rtol=1e-6)


def test_the_gear_from_each_array(folder: Path) -> None:
    (folder / "lengths").mkdir()
    arrays = {}
    for name, shape in (("a", (2, 3)), ("b", (1, 3)), ("c", (2, 5))):
        arrays[name] = np.random.default_rng(1).random(shape, np.float32)
        np.save(folder / "lengths" / f"{name}.npy", arrays[name])
    words = ("-i", "lengths", "-o", "auto", "-od", "o", "--outfmt", "NPY", "--json")
    done = bench(folder, "dims.om", "--auto_set_dymdims_mode", "1", *words)
    assert done.returncode == 0, done.stderr
    for name, array in arrays.items():
        np.testing.assert_array_equal(np.load(folder / "auto" / "o" / f"{name}_0.npy"), -array)
    said = json.loads(done.stdout)
    assert [setting["gear"] for setting in said["settings"]] == [[2, 3], [1, 3], [2, 5]]
    assert said["runs"] == 3
    assert said["files"][0] == {
        "inputs": [str(Path("lengths/a.npy"))],
        "outputs": [str(Path("auto/o/a_0.npy"))],
    }
    np.save(folder / "lengths" / "d.npy", np.zeros((1, 5), np.float32))
    done = bench(folder, "dims.om", "--auto-set-dymdims-mode", *words)
    assert done.returncode == 1
    assert "no gear takes x [1, 5]" in done.stderr
    assert "1,3; 2,3; 2,5" in done.stderr


@pytest.mark.parametrize(
    ("words", "shapes"),
    [
        (("image.om", "--dymHW", "8,8"), [[1, 3, 8, 8]]),
        (("image.om", "-dhw=4,6"), [[1, 3, 4, 6]]),
        (("dims.om", "--dymDims", "x:2,5"), [[2, 5]]),
        (("range.om", "--dymShape", "x:3,7;"), [[3, 7]]),
        (("range.om", "-dr", "x:1~3~2,2-9"), [[1, 2], [1, 9], [3, 2], [3, 9]]),
    ],
)
def test_each_mode_on_generated_data(
    folder: Path, words: tuple[str, ...], shapes: list[list[int]]
) -> None:
    done = bench(folder, *words, "--pure_data_type", "random", "--loop", "3", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [setting["shapes"]["x"] for setting in said["settings"]] == shapes
    assert [setting["caller_ms"]["count"] for setting in said["settings"]] == [3] * len(shapes)
    caller = said["caller_ms"]
    assert 0 < caller["min"] <= caller["median"] <= caller["p99"] <= caller["max"]
    assert said["caller_rows_per_second"] == pytest.approx(1000 * said["rows"] / caller["mean"])


def test_options_without_effect_are_told(folder: Path) -> None:
    words = ("-d", "0,1", "--outputSize", "100", "--no-debug", "--profiler", "0", "--run_mode=full")
    done = bench(folder, "fixed.om", *words, "--batchsize", "7", "-das")
    assert done.returncode == 0, done.stderr
    notes = re.findall(r"^note: --(\w+)", done.stderr, re.MULTILINE)
    assert notes == ["device", "outputSize", "run_mode"]
    assert "batchsize.mean(7)" in done.stdout
    assert "engine x [2, 4], k [2, 1]" in done.stdout


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("batch.om",), 1, "its gears are batch sizes: 1, 2, 4. Use --dymBatch"),
        (("batch.om", "-db", "3"), 1, "gear 3 was not compiled into this model; its gears are 1"),
        (("batch.om", "--dymHW", "1,2"), 1, "--dymHW does not go with this model"),
        (("fixed.om", "--dymBatch", "1"), 1, "every dim of it is fixed"),
        (("fixed.om", "--model", "batch.om"), 1, "for the model; give one"),
        ((), 1, "got none for the model"),
        (("no.om",), 1, "no.om"),
        (("dims.om", "--dymDims", "x=1,2"), 1, "not NAME:DIMS"),
        (("dims.om", "--dymDims", "y:1,3"), 1, "the model takes x"),
        (("range.om", "--dymShape", "x:5,2"), 1, "goes from 1 to 4"),
        (("range.om", "-dr", "x:1,2~1"), 1, "'2~1' is not a dim"),
        (("range.om", "-dr", "x:1~4,2~9999"), 1, "stands for 39992 shapes"),
        (("batch.om", "--dymBatch", "2", "--dymHW", "1,1"), 1, "exclude each other"),
        (("batch.om", "--dymBatch", "2", "-od", "x"), 1, "--output_dirname names a folder"),
        (("batch.om", "--dymBatch", "4", "-i", "all_x.npy,all_k.npy"), 1, "expected 64 bytes"),
        (("fixed.om", "-i", "x,k", "-o", "fixed.om"), 1, "Choose another folder"),
        (("fixed.om", "--outfmt", "PNG"), 2, "invalid choice"),
        (("fixed.om", "--loop", "0"), 2, "1 or more"),
        (("fixed.om", "--dymHW", "1"), 2, "height and width"),
        (("fixed.om", "--input", "a,,b"), 2, "one comma"),
        (("fixed.om", "--debug", "maybe"), 2, "allowed: 1, true"),
    ],
)
def test_what_is_wrong_is_said(
    folder: Path,
    words: tuple[str, ...],
    status: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from gearshift.cli.main import main

    monkeypatch.chdir(folder)
    assert main(["bench", *words]) == status
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_ctrl_c_keeps_what_was_written(folder: Path) -> None:
    (folder / "many").mkdir()
    for index in range(400):
        np.full((1, 3, 8, 8), index, np.float32).tofile(folder / "many" / f"{index}.bin")
    command = [
        sys.executable, "-m", "gearshift.cli.main", "bench", "image.om", "--dymHW", "8,8",
        "-i", "many", "-o", "cut", "-od", "o", "--loop", "200",
    ]  # fmt: skip
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        until = time.monotonic() + 60
        while not (folder / "cut" / "o" / "2_0.bin").exists() and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    written = sorted(path.name for path in (folder / "cut" / "o").iterdir())
    assert 3 <= len(written) < 400
    for name in written:
        index = int(name.partition("_")[0])
        made = np.fromfile(folder / "cut" / "o" / name, np.float32)
        np.testing.assert_array_equal(made, np.full(192, -index, np.float32))
    summary = json.loads((folder / "cut" / "o_summary.json").read_text("utf-8"))
    listed = [
        os.path.basename(file)
        for info in summary["filesinfo"].values()
        for file in info["outfiles"]
    ]
    # One may have been written, and not yet been noted.
    assert 0 <= len(written) - len(listed) <= 1
    assert set(listed) <= set(written)
    assert "rows/s" in said
    assert "interrupted" in error


def test_what_was_run_before_a_bad_file_is_kept(folder: Path) -> None:
    (folder / "bad").mkdir()
    for index in range(3):
        np.zeros((1, 3, 8, 8), np.float32).tofile(folder / "bad" / f"{index}.bin")
    (folder / "bad" / "3.bin").write_bytes(bytes(767))
    done = bench(folder, "image.om", "--dymHW", "8,8", "-i", "bad", "-o", "kept", "-od", "o")
    assert done.returncode == 1
    assert "3.bin: expected 768 bytes" in done.stderr
    assert "found 767 bytes" in done.stderr
    assert len(list((folder / "kept" / "o").iterdir())) == 3
    assert (folder / "kept" / "o_summary.json").exists()
