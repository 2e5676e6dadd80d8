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
    "Transpose<perm = [{p}]>({x})",
    "Transpose<perm = [{p}]>({x})",
    "Reshape({x}, {c})",
    "Reshape({x}, {c})",
    "Reshape({x}, {c})",
    "Softmax<axis = {a}>({x})",
    "ReduceMax<axes = [{a}], keepdims = 1>({x})",
    "Concat<axis = {a}>({x}, {x})",
    "Concat<axis = {a}>({x}, {c})",
    "Add({x}, {c})",
    "Slice({x}, zero, {c}, axis{a})",
    "Gather<axis = {a}>({x}, {c})",
    "GatherElements<axis = {a}>({x}, {c})",
    "Expand({x}, {c})",
)


@st.composite
def exported(draw: st.DrawFn, batch: int) -> str:
    """A graph over [batch, 2, 3, 4] in which every shape is a number, as tracing leaves them."""
    constants = ["int64[1] zero = {0}", *(f"int64[1] axis{a} = {{{a}}}" for a in range(4))]
    lines: list[str] = []
    shape = [batch, 2, 3, 4]
    for number in range(draw(st.integers(1, 6))):
        source, axis = f"v{number - 1}" if number else "x", draw(st.integers(0, 3))
        perm = draw(st.permutations(range(4)))
        piece = draw(st.sampled_from(PIECES))
        op_type, dim = piece.partition("(")[0].partition("<")[0], shape[axis]
        if "{c}" in piece:
            factoring = draw(st.sampled_from(_factorings(math.prod(shape), batch)))
            period = draw(st.sampled_from([math.prod(shape), math.prod(shape[1:])]))
            constants.append(_constant(f"c{number}", op_type, shape, dim, factoring, period))
        if op_type == "Reshape":
            shape = factoring
        elif op_type == "Transpose":
            shape = [shape[place] for place in perm]
        elif op_type in ("ReduceMax", "Concat"):
            changed = 1 if op_type == "ReduceMax" else 2 * dim
            shape = [*shape[:axis], changed, *shape[axis + 1 :]]
        step = piece.format(x=source, a=axis, p=", ".join(map(str, perm)), c=f"c{number}")
        lines.append(f"v{number} = {step}")
    return f"""g (float[{batch}, 2, 3, 4] x) => (float{shape} v{len(lines) - 1})
        <{", ".join(constants)}> {{ {" ".join(lines)} }}"""


def _constant(
    name: str, op_type: str, shape: list[int], dim: int, factoring: list[int], period: int
) -> str:
    """The constant operand, as large as the data was when it was exported."""
    count = math.prod(shape)
    dtype, dims, values = {
        "Reshape": ("int64", [4], factoring),
        "Expand": ("int64", [4], shape),
        "Slice": ("int64", [1], [dim]),
        "Gather": ("int64", [dim], list(range(dim))[::-1]),
        "GatherElements": ("int64", shape, [0] * count),
    }.get(op_type, ("float", shape, [i % period for i in range(count)]))
    return f"{dtype}{dims} {name} = {{{', '.join(map(str, values))}}}"


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
    for found in repairs:
        event(f"a {found.op_type} repaired, {proof.verdict}")
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
