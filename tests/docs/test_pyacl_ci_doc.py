"""docs/pyacl-ci.md runs as it stands: model, program, comparison; its job names what there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "pyacl-ci.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(bash|python)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
JOB = re.search(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def run(language: str, text: str, folder: Path) -> str:
    command = [sys.executable, "-c", text] if language == "python" else ["bash", "-ec", text]
    tools = Path(sys.executable).parent
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_step_in_order(tmp_path: Path) -> None:
    said = ""
    for number, (language, text) in enumerate(BLOCKS):
        if number == len(BLOCKS) - 1:  # the last runs the program once more
            before = np.load(tmp_path / "scores.npy")
            (tmp_path / "scores.npy").unlink()
        said += run(language, text, tmp_path)
    assert "ATC run success" in said
    assert "the same (3, 10)" in said
    np.testing.assert_array_equal(np.load(tmp_path / "scores.npy"), before)


def test_the_job_runs_the_page_s_commands() -> None:
    assert JOB is not None
    steps = re.findall(
        r"^ {6}- run: (?:>-\n)?(.*?)(?=^ {6}- |\Z)", JOB[1], re.MULTILINE | re.DOTALL
    )
    commands = [" ".join(step.split()) for step in steps]
    shown = {" ".join(text.split()) for language, text in BLOCKS if language == "bash"}
    assert commands[0] == 'pip install "gearshift[media]" pytest'
    assert set(commands[1:3]) <= shown
    assert commands[3] == "pytest"
