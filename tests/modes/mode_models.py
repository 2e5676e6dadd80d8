"""Small models whose dims vary beside their rows, and ONNX Runtime's answers to hold them to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import gearshift
from gearshift.tensors import Array, Shape
from models import run_onnxruntime, save_text

ENGINES = ("openvino", "onnxruntime")
TOLERANCE = 1e-5

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
KERNEL = ", ".join(str((index * 7) % 11 - 5) for index in range(4 * 3 * 3 * 3))

IMAGES = f"""
images (float[N, 3, H, W] x) => (float[N, 4, P, Q] map, float[N, 4] mean)
<float[4, 3, 3, 3] kernel = {{{KERNEL}}}>
{{
    c = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, kernel)
    map = Relu (c)
    pooled = GlobalAveragePool (map)
    mean = Flatten (pooled)
}}
"""
"""A map half as wide and high as the image, and a mean that is of no size at all."""

IMAGES_NHWC = """
lying (float[N, H, W, 3] x) => (float[N, H, W, 3] y, float[N, 3] top)
<float[3] scale = {1, 2, 0.5}, int64[2] axes = {1, 2}>
{ y = Mul (x, scale)  top = ReduceMax <axes = [1, 2], keepdims = 0> (x) }
"""

PAIRS = """
pairs (float[N, T, 4] q, float[N, S, 4] k) => (float[N, T, S] scores, float[N, 4] total)
<int64[1] middle = {1}>
{
    turned = Transpose <perm = [0, 2, 1]> (k)
    products = MatMul (q, turned)
    scores = Softmax <axis = -1> (products)
    kept = ReduceSum <keepdims = 0> (k, middle)
    seen = ReduceSum <keepdims = 0> (q, middle)
    total = Sub (kept, seen)
}
"""
"""How much each of T things looks at each of S others; both sides count."""


def save(text: str, folder: Path) -> Path:
    """The model as a file of its own name."""
    return save_text(HEAD + text, folder / f"{text.split()[0]}.onnx")


def numbers(seed: int, *shape: int) -> Array:
    """Small whole numbers, whose sums are exact."""
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)


def feeds_of(shapes: Mapping[str, Shape]) -> dict[str, Array]:
    """Arrays of those shapes, each its own."""
    return {
        name: numbers(math.prod(shape) + 31 * place, *shape)
        for place, (name, shape) in enumerate(shapes.items())
    }


def agree(
    model: gearshift.Session,
    onnx_file: Path,
    feeds: Mapping[str, Array],
    *,
    gear: int | tuple[int, ...] | None = None,
    tolerance: float = TOLERANCE,
) -> dict[str, Array]:
    """The session gives ONNX Runtime's names, dtypes, shapes and numbers; what it gives."""
    expected = run_onnxruntime(onnx_file, feeds)
    given = model.run(feeds, gear=gear)
    seen = {name: array.shape for name, array in feeds.items()}
    assert list(given) == list(expected)
    for name, array in expected.items():
        assert given[name].dtype == array.dtype
        assert given[name].shape == array.shape, f"{name} at {seen}"
        np.testing.assert_allclose(
            given[name], array, atol=tolerance, rtol=tolerance, err_msg=f"{name} at {seen}"
        )
    return given


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for what a whole module compiles."""
    return tmp_path_factory.mktemp("modes")
