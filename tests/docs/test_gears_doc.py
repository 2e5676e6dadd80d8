"""The examples of docs/gears.md run as they stand, in order, and give what the page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from encoders import Encoder
from gearshift.gears.gear import MODES
from graphs import rapidocr_model

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gears.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(bash|python)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("gears")
    for part in ("cls", "rec", "det"):
        shutil.copy(rapidocr_model(part), made / f"{part}.onnx")
    Encoder().save(made / "encoder.onnx")
    return made


def run(language: str, text: str, folder: Path) -> str:
    command = [sys.executable, "-c", text] if language == "python" else text.strip()
    done = subprocess.run(
        command,
        shell=language == "bash",
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_example_in_order(folder: Path) -> None:
    ran = [run(language, text, folder) for language, text in BLOCKS]
    rows, lines, by_width, sentences, pages, sizes, _, free, _, inputs = ran
    assert "rows are independent (proved)" in rows
    assert "rows are independent (proved)" in lines
    assert "(7, 3, 48, 160) (7, 20, 18710) by" in by_width
    assert "(0, 3, 48, 320) (0, 40, 18710) by" in by_width
    assert "no gear takes x [-1, 3, 48, 200]" in by_width
    assert "{'hidden': (6, 21, 16), 'sentence': (6, 16)}" in sentences
    assert "224,160" in pages
    assert "((160, 224), (224, 160))\n[(1, 1, 160, 224)]\n[(1, 1, 224, 160)]" in sizes
    assert "[(5, 2)]" in free
    assert "dim 0 goes from 1 to 8" in free
    said = [line.partition(":")[2].split(",")[0].strip() for line in inputs.splitlines()]
    assert said == ["batch", "dims", "image", "range", "fixed"]


def test_every_mode_has_its_row() -> None:
    rows = re.findall(r"^\| (\w+) \|", PAGE, re.MULTILINE)
    assert set(rows) - {"mode"} == set(MODES)
