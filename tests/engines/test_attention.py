"""Attention that is added straight onto something: OpenVINO's compiler would end the process."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gearshift
from gearshift.engines.ir import adds_attention
from models import run_onnxruntime, save_text

NETWORK = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N,8,16] x0) => (float[N,8,16] y, float[N,8,16] z)
<float[16,16] w = {{{weights}}}>
{{ x = Relu(x0)  q = MatMul(x, w)  k = MatMul(x, w)  v = MatMul(x, w)
  t = Transpose<perm=[0,2,1]>(k)  p = MatMul(q, t)  s = Softmax<axis=-1>(p)  a = MatMul(s, v)
  {between}  y = Relu(r)  z = Neg(r) }}"""
WEIGHTS = ",".join(f"{number:.3f}" for number in np.random.default_rng(3).normal(0, 0.2, 256))
PROGRAM = """import sys, gearshift
gearshift.compile(sys.argv[1], output=sys.argv[2], dynamic_batch_size=[1, 2], engine="openvino",
                  input_shape={"x0": (-1, 8, 16)})"""


def network(between: str, path: Path) -> Path:
    return save_text(NETWORK.format(weights=WEIGHTS, between=between), path)


@pytest.mark.parametrize(
    "between", ["r = Add(x, a)", "r = Mul(a, x)", "b = Identity(a) r = Add(x, b)"]
)
def test_it_compiles_and_runs(between: str, tmp_path: Path) -> None:
    source = network(between, tmp_path / "m.onnx")
    output = tmp_path / "m.om"
    done = subprocess.run(  # a process of its own: a crash is a failed test
        [sys.executable, "-c", PROGRAM, str(source), str(output)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    x = np.random.default_rng(0).standard_normal((3, 8, 16)).astype(np.float32)
    with gearshift.load(output, tune=0) as model:
        made = model.run({"x0": x})
    for name, expected in run_onnxruntime(source, {"x0": x}).items():
        np.testing.assert_allclose(made[name], expected, rtol=1e-4, atol=1e-5)


def ir(edges: list[tuple[str, str]], types: dict[str, str]) -> bytes:
    layers = "".join(f'<layer id="{number}" type="{kind}" />' for number, kind in types.items())
    arrows = "".join(f'<edge from-layer="{a}" to-layer="{b}" />' for a, b in edges)
    return f"<net><layers>{layers}</layers><edges>{arrows}</edges></net>".encode()


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        (("SoftMax", "MatMul", "Identity", "Reshape", "Add"), True),
        (("SoftMax", "MatMul", "Transpose", "Reshape", "MatMul", "Add"), False),
        (("SoftMax", "MatMul", "Add"), True),
        (("Softmax", "MatMul", "Multiply"), True),
        (("SoftMax", "MatMul", "Transpose"), False),
        (("SoftMax", "Add", "MatMul"), False),
        (("ReLU", "MatMul", "Add"), False),
    ],
)
def test_what_is_looked_for(kinds: tuple[str, ...], found: bool) -> None:
    types = {str(number): kind for number, kind in enumerate(kinds)}
    numbers = list(types)
    assert adds_attention(ir(list(itertools.pairwise(numbers)), types)) is found
