"""No argument ends the process, hangs it, or gets another answer than a documented one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mdl_tools import ROWS, compiled, folder

__all__ = ["folder"]


@pytest.fixture(scope="module")
def path(folder: Path) -> Path:
    return compiled(ROWS, folder, "batch", input_shape="x:-1,4", dynamic_batch_size="1,2,4")


@pytest.mark.parametrize(("seed", "threads"), [(0, 1), (1, 1), (2, 4)])
def test_every_function_with_anything(path: Path, seed: int, threads: int) -> None:
    script = Path(__file__).with_name("fuzz_all.py")
    done = subprocess.run(
        [sys.executable, str(script), str(seed), str(path), str(threads)],
        capture_output=True,
        text=True,
        cwd=path.parent,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-3000:]}"
