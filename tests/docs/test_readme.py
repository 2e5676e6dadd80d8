"""The README's commands and code run as they stand, in order, beside a model named rec.onnx."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from graphs import rapidocr_model

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall((ROOT / "README.md").read_text("utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("readme")
    shutil.copy(rapidocr_model("rec"), made / "rec.onnx")
    return made


def run(command: list[str] | str, folder: Path) -> str:
    environment = {
        **os.environ,
        "GEARSHIFT_CACHE_DIR": str(folder / "cache"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        command,
        shell=isinstance(command, str),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(300)  # half a minute of compiling, on a machine that is all its own
def test_every_block_in_order(folder: Path) -> None:
    ran = []
    for language, text in BLOCKS:
        if language == "python":
            ran.append(run([sys.executable, "-c", text], folder))
        elif language == "bash" and not text.startswith("make"):
            ran += [run(line, folder) for line in text.splitlines()]
    assert len(ran) == 13
    compiled, by_atc, python, *others, tuned, budget, cache, sessions, card, inspected, as_json = (
        ran
    )
    wide, shown, images = others
    assert "rows are independent (proved)" in compiled
    assert "ATC run success" in by_atc
    assert "8 + 4 + 1" in python
    assert "(13, 40, 18710)" in python
    assert "1,320  openvino" in wide
    assert "frame  inputs" in shown
    assert "x [4, 3, 48, 320]" in shown
    assert "x: uint8[-1, 48, 320, 3] [(3, 40, 18710)]" in images
    assert "4 + 1 + 1 [(6, 20, 18710)]" in images
    assert "4 + 1 + 1 [(6, 40, 18710)]" in images
    assert "one gear" in tuned
    assert "speed allows any number" in budget
    assert str(folder / "cache") in cache
    assert "measured=True" in sessions
    assert "same bits: True" in sessions
    assert "({'batchCount': 4, 'batch': [1, 2, 4, 8]}, 0)\n(1, 0)\n" in card
    assert "'dims': [8, 40, 18710]" in card
    assert "engine     openvino" in inspected
    assert "costs      measured" in inspected
    assert '"verdict": "proved"' in as_json
    assert (folder / "rec.om").exists()


def test_targets_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    text = (ROOT / "README.md").read_text("utf-8")
    for target in re.findall(r"^make (\w+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")), ids=str
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
