"""Repairs of random graphs: where the rows are proved independent, the numbers are the file's."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from gearshift.errors import UnsupportedModelError
from gearshift.tensors import Shape
from graphs import program_from_text, random_feeds, run_in_onnxruntime
from graphs_baked import block_of, prove_rows, repair

PIECES = (
    "Relu({x})",
    "Neg({x})",
    "Transpose<perm = [{p}]>({x})",
    "Transpose<perm = [{p}]>({x})",
    "Reshape({x}, {r})",
    "Reshape({x}, {r})",
    "Reshape({x}, {r})",
    "Softmax<axis = {a}>({x})",
    "ReduceMax<axes = [{a}], keepdims = 1>({x})",
    "Concat<axis = {a}>({x}, {x})",
)


@st.composite
def exported(draw: st.DrawFn, batch: int) -> str:
    """A graph over [batch, 2, 3, 4] in which every shape is a number, as tracing leaves them."""
    constants: list[str] = []
    lines: list[str] = []
    shape = [batch, 2, 3, 4]
    for number in range(draw(st.integers(1, 6))):
        source = f"v{number - 1}" if number else "x"
        axis = draw(st.integers(0, 3))
        perm = draw(st.permutations(range(4)))
        piece = draw(st.sampled_from(PIECES))
        if "Reshape" in piece:
            shape = draw(st.sampled_from(_factorings(math.prod(shape), batch)))
            constants.append(f"int64[4] r{number} = {{{', '.join(map(str, shape))}}}")
        elif "Transpose" in piece:
            shape = [shape[place] for place in perm]
        elif "Reduce" in piece:
            shape = [1 if place == axis else dim for place, dim in enumerate(shape)]
        elif "Concat" in piece:
            shape = [2 * dim if place == axis else dim for place, dim in enumerate(shape)]
        step = piece.format(x=source, a=axis, p=", ".join(map(str, perm)), r=f"r{number}")
        lines.append(f"v{number} = {step}")
    last = f"v{len(lines) - 1}"
    return f"""g (float[{batch}, 2, 3, 4] x) => (float{shape} {last})
        <{", ".join(constants)}> {{ {" ".join(lines)} }}"""


def _factorings(count: int, batch: int) -> list[list[int]]:
    divisors = [d for d in range(1, count + 1) if count % d == 0]
    found = []
    for a in divisors:
        for b in divisors:
            for c in divisors:
                if count % (a * b * c) == 0:
                    dims = [a, b, c, count // (a * b * c)]
                    # Tracing writes the batch as a dim of its own more often than not.
                    found += [dims] * (4 if batch in dims[:2] else 1)
    return found


@settings(max_examples=150, deadline=None)
@given(data=st.data(), batch=st.sampled_from([1, 1, 2]))
def test_a_repair_that_is_proved_is_right(data: st.DataObject, batch: int) -> None:
    """The argument in `repair_baked_batch`, tried on graphs nobody thought of."""
    program = program_from_text(data.draw(exported(batch)))
    original = ir.to_proto(program.model)
    shapes: dict[str, Shape] = {"x": (-1, 2, 3, 4)}
    try:
        repairs = repair(program, shapes)
    except UnsupportedModelError as error:
        event(f"refused {error.op_type}")
        return
    proof = prove_rows(program, shapes, (batch, 3, 5))
    event(f"{'repaired' if repairs else 'untouched'}, {proof.verdict}")
    assume(proof.verdict == "proved")
    feeds = random_feeds({"x": (3 * batch, 2, 3, 4)})
    (got,) = run_in_onnxruntime(program.model, feeds)
    layout = next(iter(proof.outputs.values()))
    for block in range(3):
        (wanted,) = run_in_onnxruntime(original, block_of(feeds, shapes, block, batch))
        if layout is not None:
            count = batch * layout.inner
            span = range(block * count, (block + 1) * count)
            np.testing.assert_array_equal(np.take(got, span, axis=layout.axis), wanted)
        else:
            np.testing.assert_array_equal(got, wanted)
