"""Small models for the benchmark, one for each gear mode, and how to run its command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gearshift
from gearshift.tensors import Array
from models import save_text

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
BATCH = """
batch (float[N, 4] x, int64[N, 1] k) => (float[N, 3] y, int64[N, 1] twice)
<float[4, 3] w = {1, 0, 2, 0, 1, 0, 3, 1, 0, 1, 1, 1}>
{ y = MatMul (x, w)
  twice = Add (k, k) }
"""
IMAGE = "image (float[1, 3, H, W] x) => (float[1, 3, H, W] y)\n{ y = Neg (x) }\n"
DIMS = "dims (float[N, T] x) => (float[N, T] y)\n{ y = Neg (x) }\n"


def batch_model(folder: Path) -> Path:
    """Two inputs and two outputs, each with rows; gears 1, 2 and 4."""
    return _compiled(folder, BATCH, dynamic_batch_size=(1, 2, 4))


def fixed_model(folder: Path) -> Path:
    """The same for two rows."""
    shapes = {"x": (2, 4), "k": (2, 1)}
    return _compiled(folder, BATCH.replace("batch", "fixed", 1), input_shape=shapes)


def image_model(folder: Path) -> Path:
    """Two sizes of images."""
    shapes = {"x": (1, 3, -1, -1)}
    sizes = ((4, 6), (8, 8))
    return _compiled(folder, IMAGE, input_shape=shapes, dynamic_image_size=sizes)


def dims_model(folder: Path) -> Path:
    """Rows and lengths."""
    dims = ((1, 3), (2, 3), (2, 5))
    return _compiled(folder, DIMS, input_shape={"x": (-1, -1)}, dynamic_dims=dims)


def range_model(folder: Path) -> Path:
    """One to four rows of two numbers or more."""
    ranges = {"x": [(1, 4), (2, -1)]}
    text = DIMS.replace("dims", "range", 1)
    return _compiled(folder, text, input_shape_range=ranges)


def bench(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """``gearshift bench`` in a folder, through its real entry point."""
    return subprocess.run(
        [sys.executable, "-X", "utf8", "-m", "gearshift.cli.main", "bench", *words],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def rows_of(values: Array, count: int) -> list[Array]:
    """The rows one by one, each still with its axis."""
    return [values[index : index + 1] for index in range(count)]


def _compiled(folder: Path, text: str, **options: object) -> Path:
    source = save_text(HEAD + text, folder / f"{text.split()[0]}.onnx")
    output = source.with_suffix(".om")
    gearshift.compile(source, output=output, engine="onnxruntime", **options)  # type: ignore[arg-type]
    return output
