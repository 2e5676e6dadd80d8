"""Networks that every engine is tried on, and how to open them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gearshift.engines.base import EngineOptions, LoadedNetwork, Network
from gearshift.engines.registry import ENGINE_NAMES, get_engine
from gearshift.staging import stage
from gearshift.tensors import Array
from graphs import program_from_text

EXACT = [name for name in ENGINE_NAMES if name != "null"]

# The null engine gives row sums; so does this network, and so every engine must agree on it.
ROW_SUMS = """
model (float[N, 3] x) => (float[N, 2] y)
<float[3, 2] ones = {1, 1, 1, 1, 1, 1}> { y = MatMul (x, ones) }
"""
# More than 64 bytes of weights, so that they lie in the pool; two inputs, one without rows.
WEIGHTS = ", ".join(str(value % 7 - 3) for value in range(48))
MIXED = f"""
model (float[N, 6] x, float[1] scale, int64[N] ids) => (float[N, 8] y, int64[N] next, bool[N] odd)
<float[6, 8] w = {{{WEIGHTS}}}, int64 one = {{1}}, int64 two = {{2}}>
{{
  xw = MatMul (x, w)
  y = Mul (xw, scale)
  next = Add (ids, one)
  rest = Mod (ids, two)
  odd = Equal (rest, one)
}}
"""

TWINS = """
model (float[N, 3] x) => (float[N, 3] same, float[N, 3] r, float[N, 3] r2, float[2] fixed)
<float[2] c = {1, 2}>
{
  same = Identity (x)
  r = Relu (x)
  r2 = Identity (r)
  fixed = Neg (c)
}
"""

# Outputs that are inputs: nothing computes them.
PASSED = """
model (float[N, 3] x, int64[N] k) => (float[N, 3] z, float[N, 3] x, int64[N] k, float[N, 3] same)
{
  z = Relu (x)
  same = Identity (x)
}
"""

# Wide enough that engines cut it up between threads and pick other kernels for other sizes.
LAYERS = """
model (float[N, 96] x) => (float[N, 80] y)
<float[96, 160] a, float[160, 80] b>
{
  h = MatMul (x, a)
  e = Erf (h)
  y = MatMul (e, b)
}
"""


def weighty(seed: int = 0) -> str:
    """`LAYERS` with made-up weights."""
    numbers = np.random.default_rng(seed).standard_normal(160 * 176) / 10
    a, b = numbers[: 96 * 160], numbers[96 * 160 :]
    text = LAYERS
    for name, shape, values in (("a", "96, 160", a), ("b", "160, 80", b)):
        listed = ", ".join(f"{value:.4f}" for value in values)
        text = text.replace(f"float[{shape}] {name}", f"float[{shape}] {name} = {{{listed}}}")
    return text


def load(engine: str, text: str, folder: Path, threads: int | None = 1) -> LoadedNetwork:
    program = program_from_text(text)
    staged = stage(program, folder)
    topology = get_engine(engine).lower(staged.model, staged.pool)
    network = Network(
        topology, staged.map_pool(), staged.constants, program.inputs, program.outputs
    )
    return get_engine(engine).load(network, EngineOptions(threads=threads))


def whole(shape: tuple[int, ...], seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(-9, 9, shape).astype(np.float32)
