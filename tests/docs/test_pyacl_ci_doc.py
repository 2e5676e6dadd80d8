"""docs/pyacl-ci.md runs as it stands: model, program, comparison; its job names what there is."""

from __future__ import annotations

import importlib
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
    assert "8 passed" in said
    assert "as recorded (3, 10)" in said
    np.testing.assert_array_equal(np.load(tmp_path / "scores.npy"), before)


def commands_of(job: str) -> list[str]:
    """What its steps run, found by their places: the format is one that this page alone has."""
    steps = re.findall(r"^ {6}- run: (?:>-\n)?(.*?)(?=^ {6}- |\Z)", job, re.MULTILINE | re.DOTALL)
    return [" ".join(step.split()) for step in steps]


def test_the_job_runs_the_page_s_commands() -> None:
    assert JOB is not None
    install, *others = commands_of(JOB[1])
    assert install == 'pip install "gearshift[media]" pytest'
    assert len(others) == 3
    shown = {text.strip() for language, text in BLOCKS if language == "bash"}
    last_lines = {text.splitlines()[-1] for text in shown}
    assert set(others) <= last_lines


def test_the_job_is_yaml() -> None:
    assert JOB is not None
    assert "\t" not in JOB[1]
    indents = [len(line) - len(line.lstrip()) for line in JOB[1].splitlines()]
    assert all(indent % 2 == 0 for indent in indents)
    try:
        yaml = importlib.import_module("yaml")
    except ImportError:
        return
    job = yaml.safe_load(JOB[1])["jobs"]["test"]
    runs = [" ".join(step["run"].split()) for step in job["steps"] if "run" in step]
    assert runs == commands_of(JOB[1])
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    (oldest,) = re.findall(r'requires-python = ">=(.*?)"', project)
    assert job["strategy"]["matrix"]["python"][0] == oldest
