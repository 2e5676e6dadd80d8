"""docs/bench.md: its commands run, and its table names every option."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gearshift import ais
from gearshift.cli.bench_words import IDLE, add_bench
from gearshift.cli.main import main
from graphs import rapidocr_model
from models import run_onnxruntime

PAGE = (Path(__file__).parents[2] / "docs" / "bench.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def run(language: str, text: str, folder: Path) -> str:
    command = [sys.executable, "-c", text] if language == "python" else ["bash", "-euc", text]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_block_in_order(tmp_path: Path) -> None:
    shutil.copy(rapidocr_model("cls"), tmp_path / "cls.onnx")
    ran = [run(language, text, tmp_path) for language, text in BLOCKS]
    assert len(ran) == 4
    first, _, second, python = ran
    shown = re.search(r"time .*rows/s", PAGE)
    assert shown
    assert shown[0].split() == next(
        line.split() for line in first.splitlines() if line.startswith("time")
    )
    assert re.search(r"^\[INFO\] throughput 1000\*batchsize.mean\(4\)/NPU", first, re.MULTILINE)
    assert json.loads(second[second.index("\n{") :])["runs"] == 10
    rows = np.stack([np.load(tmp_path / "crops" / f"{index}.npy") for index in range(6)])
    (wanted,) = run_onnxruntime(tmp_path / "cls.onnx", {"x": rows}).values()
    made = [np.load(tmp_path / "results" / "run1" / f"{index}_0.npy") for index in range(6)]
    np.testing.assert_allclose(np.concatenate(made), wanted, atol=1e-5)
    assert "dtype.float32" in python
    assert "(2, 2) 1" in python


def test_every_option_is_named() -> None:
    parser = argparse.ArgumentParser()
    add_bench(parser)
    table = PAGE[PAGE.index("## Options") :]
    named = set(re.findall(r"`(--?\w[\w-]*)`", table[: table.index("Hyphens may")]))
    for action in parser._actions:
        options = set(action.option_strings) - {"-h", "--help"}
        own = {option for option in options if not re.match("--.*-|--no_", option)}
        mine = own if action.dest not in IDLE or action.dest == "device" else set()
        assert own & named or not own, f"{own} is not in the table"
        assert {option for option in mine if option.startswith("-")} <= named
    known = {option for action in parser._actions for option in action.option_strings}
    ours = {"--engine", "--threads", "--memory-budget", "--tune", "--json"}
    assert named - known == ours


@pytest.mark.parametrize("option", sorted(IDLE))
def test_options_without_effect_are_read(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", str(tmp_path / "no.om"), f"--{option}", "1"]) == 1
    assert f"note: --{option} changes nothing here: {IDLE[option]}" in capsys.readouterr().err


def test_every_method_is_named() -> None:
    page = PAGE[PAGE.index("## `InferSession`") :]
    for name, _ in inspect.getmembers(ais.InferSession, callable):
        if not name.startswith("_"):
            assert re.search(rf"\b{name}\b", page), name
    for mode in ais.MODES:
        assert f"`{mode}`" in page
