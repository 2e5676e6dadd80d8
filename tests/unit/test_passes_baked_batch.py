"""Baked batch sizes: what is repaired runs any number of rows, the rest is named.

The oracle is always the file as it came, run in ONNX Runtime at its own batch size, a block of
rows at a time.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from gearshift.analysis.facts import walk
from gearshift.errors import UnsupportedModelError
from gearshift.passes.baked_batch import Repair, repair_baked_batch
from gearshift.tensors import Shape
from graphs import program_from_text, random_feeds, run_in_onnxruntime
from graphs_baked import block_of, opened, prove_rows, repair


def check_blocks(
    text: str, shapes: dict[str, Shape] | None = None, *, axis: int = 0, rtol: float = 0
) -> list[Repair]:
    """The repaired graph at several sizes against the original, block by block.

    Its rows must be provably independent too: the two together are what makes a repair safe.
    """
    program = program_from_text(text)
    original = ir.to_proto(program.model)
    shapes = shapes or opened(program)
    batch = next(spec.shape[0] for spec in program.inputs if -1 in shapes.get(spec.name, ()))
    repairs = repair(program, shapes)
    for blocks in (1, 2, 5):
        sizes = {s.name: shapes.get(s.name, s.shape) for s in program.inputs}
        feeds = random_feeds(
            {n: tuple(blocks * batch if d == -1 else d for d in s) for n, s in sizes.items()}
        )
        got = run_in_onnxruntime(program.model, feeds)
        wanted = [
            run_in_onnxruntime(original, block_of(feeds, sizes, number, batch))
            for number in range(blocks)
        ]
        for index, array in enumerate(got):
            joined = np.concatenate([block[index] for block in wanted], axis=axis)
            np.testing.assert_allclose(array, joined, rtol=rtol)
    proof = prove_rows(program, shapes, (batch, batch * 2, batch * 3 + 1))
    assert proof.verdict == "proved", proof
    return list(repairs)


RESHAPES = {
    "batch and rest": ("[1, 40, 5]", "{1, 40, -1}", "[0, 40, -1]"),
    "all but the batch": ("[1, 40, 5]", "{1, -1}", "[0, -1]"),
    "batch of two": ("[2, 40, 5]", "{2, -1}", "[0, -1]"),
    "copied dims": ("[1, 40, 5]", "{1, 0, -1, 1}", "[0, 0, -1, 1]"),
    "no rest": ("[1, 40, 5]", "{1, 8, 25}", "[0, 8, 25]"),
    "merged with the next dim": ("[3, 8, 5]", "{24, 5}", "[-1, 5]"),
    "merged at batch 1": ("[1, 8, 5]", "{8, 5}", "[-1, 5]"),
}


@pytest.mark.parametrize("name", RESHAPES)
def test_reshape(name: str) -> None:
    shape, target, after = RESHAPES[name]
    count = target.count(",") + 1
    (found,) = check_blocks(f"""g (float{shape} x) => (float{[1] * count} y)
        <int64[{count}] s = {target}> {{ a = Relu(x) [r] y = Reshape(a, s) }}""")
    assert (found.node, found.op_type, found.tensor) == ("r", "Reshape", "s")
    assert found.before == target.replace("{", "[").replace("}", "]")
    assert found.after == after
    assert str(found) == f"Reshape 'r': 's' {found.before} -> {after}"


def test_a_target_shared_by_two_nodes() -> None:
    """The other Reshape works on a constant, which has no rows."""
    check_blocks("""g (float[1, 6] x) => (float[1, 2, 3] y)
        <int64[3] s = {1, 2, 3}, float[6] c = {1, 2, 3, 4, 5, 6}> {
            a = Reshape(x, s)
            b = Reshape(c, s)
            y = Add(a, b)
        }""")


def test_a_reshape_that_moves_the_batch_as_a_transpose_would() -> None:
    """At batch 1 ``x.view(T, 1, D)`` is ``x.transpose(0, 1)``."""
    repairs = check_blocks(
        """g (float[1, 4, 6] x) => (float[4, 1, 6] y) <int64[3] s = {4, 1, 6}> {
            a = Relu(x) y = Reshape(a, s) }""",
        axis=1,
    )
    assert repairs[0].after == "[4, -1, 6]"
    repairs = check_blocks("""g (float[1, 4, 6] x) => (float[1, 4, 6] y)
        <int64[3] s = {4, 1, 6}, int64[3] t = {1, 4, 6}> {
            a = Reshape(x, s) b = Relu(a) y = Reshape(b, t) }""")
    assert len(repairs) == 2


def test_attention_heads() -> None:
    """torch's multi-head attention, sequence first, traced at batch 1: 2 heads of 3 features."""
    repairs = check_blocks(
        """g (float[1, 5, 6] x) => (float[5, 1, 6] y)
        <int64[3] heads = {5, 2, 3}, int64[2] flat = {5, 6}, int64[3] back = {5, 1, 6},
         float[6] w = {1, 0, 2, 0, 1, -1}> {
            t = Transpose<perm = [1, 0, 2]>(x)
            q1 = Mul(t, w)
            q2 = Reshape(q1, heads)
            q = Transpose<perm = [1, 0, 2]>(q2)
            k = Transpose<perm = [0, 2, 1]>(q)
            s = MatMul(q, k)
            m = ReduceMax<axes = [2], keepdims = 1>(s)
            p = Equal(s, m)
            f = Cast<to = 1>(p)
            o1 = MatMul(f, q)
            o2 = Transpose<perm = [1, 0, 2]>(o1)
            o3 = Reshape(o2, flat)
            o4 = Mul(o3, w)
            y = Reshape(o4, back)
        }""",
        axis=1,
    )
    assert [r.after for r in repairs] == ["[5, -1, 3]", "[-1, 6]", "[5, -1, 6]"]


@pytest.mark.parametrize("constant", ["float[1, 1, 6] c = {1, 2, 3, 4, 5, 6}"])
def test_class_token(constant: str) -> None:
    (found,) = check_blocks(f"""g (float[1, 4, 6] x) => (float[1, 5, 6] y) <{constant}> {{
        y = Concat<axis = 1>(c, x) }}""")
    assert (found.tensor, found.before, found.after) == ("c", "[1, 1, 6]", "[-1, 1, 6]")


def test_class_token_that_is_the_same_for_a_batch_of_two() -> None:
    check_blocks("""g (float[2, 4, 2] x) => (float[2, 6, 2] y)
        <float[2, 2, 2] c = {1, 2, 3, 4, 1, 2, 3, 4}> { y = Concat<axis = 1>(c, x) }""")


def test_class_token_that_differs_between_rows() -> None:
    program = program_from_text("""g (float[2, 4, 2] x) => (float[2, 5, 2] y)
        <float[2, 1, 2] c = {1, 2, 3, 4}> { [cat] y = Concat<axis = 1>(c, x) }""")
    with pytest.raises(UnsupportedModelError, match=r"'cat' \(Concat\).*batch size 2 only") as e:
        repair(program, opened(program))
    assert (e.value.node, e.value.tensor) == ("cat", "c")


def test_constants_repeated_for_every_row_of_the_file() -> None:
    (found,) = check_blocks("""g (float[2, 3] x) => (float[2, 3] y)
        <float[2, 3] c = {1, 2, 3, 1, 2, 3}> { y = Add(x, c) }""")
    assert found.after == "constant [1, 3]"


RECURRENT = """g (float[1, 5, 2] x) => (float[5, 1, 1, 3] y)
    <float[1] f = {{0.5}}, int64[3] ws = {{1, {gates}, 2}}, int64[3] rs = {{1, {gates}, 3}},
     float[1, 1, 3] h = {{{state}}}, int32[1] lens = {{5}}> {{
        w = Expand(f, ws)
        r = Expand(f, rs)
        t = Transpose<perm = [1, 0, 2]>(x)
        {call}
    }}"""


@pytest.mark.parametrize(
    ("call", "state", "after"),
    [
        ("y = LSTM<hidden_size = 3>(t, w, r, , , h, h)", "0, 0, 0", ["left out"] * 2),
        ("y = LSTM<hidden_size = 3>(t, w, r, , , h, h)", "1, 2, 3", ["[1, -1, 3]"] * 2),
        ("y = GRU<hidden_size = 3>(t, w, r, , , h)", "1, 2, 3", ["[1, -1, 3]"]),
        ("y = RNN<hidden_size = 3>(t, w, r, , lens, h)", "0, 0, 0", ["[-1]", "left out"]),
    ],
)
def test_recurrent_states(call: str, state: str, after: list[str]) -> None:
    gates = {"LSTM": 12, "GRU": 9, "RNN": 3}[call[4:].partition("<")[0]]
    repairs = check_blocks(RECURRENT.format(gates=gates, state=state, call=call), axis=2, rtol=1e-5)
    assert [r.after for r in repairs] == after


OTHERS = {
    "Slice to the end of the batch": """g (float[1, 4] x) => (float[1, 2] y)
        <int64[2] from = {0, 1}, int64[2] to = {1, 3}, int64[2] axes = {0, 1}> {
            a = Slice(x, from, to, axes) b = Relu(a) y = Neg(b) }""",
    "Slice with attributes": """<ir_version: 4, opset_import: ["" : 9]>
        g (float[1, 4] x) => (float[1, 4] y) {
            y = Slice<starts = [0], ends = [1], axes = [0]>(x) }""",
    "Flatten at axis 0": """g (float[1, 4, 6] x) => (float[1, 24] y) {
        y = Flatten<axis = 0>(x) }""",
    "Resize to sizes": """g (float[1, 2, 4, 4] x) => (float[1, 2, 2, 6] y)
        <int64[4] sizes = {1, 2, 2, 6}> { y = Resize(x, , , sizes) }""",
    "Expand of a batch of two": """g (float[2, 1, 3] x) => (float[2, 4, 3] y)
        <int64[3] s = {2, 4, 3}> { y = Expand(x, s) }""",
    "GatherElements": """g (float[1, 4] x) => (float[1, 2] y) <int64[1, 2] i = {3, 1}> {
        y = GatherElements<axis = 1>(x, i) }""",
    "GatherND with a batch dim": """g (float[1, 4, 2] x) => (float[1, 2, 2] y)
        <int64[1, 2, 1] i = {3, 1}> { y = GatherND<batch_dims = 1>(x, i) }""",
    "ScatterElements": """g (float[1, 4] x) => (float[1, 4] y)
        <int64[1, 2] i = {3, 1}, float[1, 2] u = {9, 8}> {
            y = ScatterElements<axis = 1>(x, i, u) }""",
    "GridSample": """g (float[1, 1, 3, 3] x) => (float[1, 1, 1, 2] y)
        <float[1, 1, 2, 2] grid = {0, 0, 0.5, -0.5}> { y = GridSample(x, grid) }""",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_operators(name: str) -> None:
    operators = {found.op_type for found in check_blocks(OTHERS[name])}
    assert operators == {name.split()[0]}


def test_two_inputs_and_one_that_is_shared() -> None:
    check_blocks(
        """g (float[1, 4] x, float[1, 4] z, float[4] shared) => (float[1, 2, 4] y)
        <int64[3] s = {1, 2, 4}> {
            a = Mul(z, shared)
            b = Concat<axis = 1>(x, a)
            y = Reshape(b, s)
        }""",
        {"x": (-1, 4), "z": (-1, 4)},
    )


def test_other_dims_may_change_with_the_batch() -> None:
    """The file says [1, 3, 8]; the user asks for [-1, 3, 16]."""
    program = program_from_text("""g (float[1, 3, 8] x) => (float[1, 24] y)
        <int64[2] s = {1, -1}> { y = Reshape(x, s) }""")
    repair(program, {"x": (-1, 3, 16)})
    assert walk(program, {"x": (5, 3, 16)})["y"].shape == (5, 48)


REFUSED = {
    "a row by number": (
        "i = Constant<value_int = 0>() [bad] y = Gather<axis = 0>(x, i)",
        "Gather",
        "i",
        "picks rows of the batch by number",
    ),
    "squeezed": (
        "i = Constant<value_ints = [0]>() [bad] y = Squeeze(x, i)",
        "Squeeze",
        "i",
        "At 61 rows.*must be 1 instead of 61",
    ),
    "squeezed with all that is 1": (
        "[bad] y = Squeeze(x)",
        "Squeeze",
        "y",
        "drops dims of 1",
    ),
    "one part of one": (
        "i = Constant<value_ints = [1]>() [bad] y = Split<axis = 0>(x, i)",
        "Split",
        "i",
        "At 61 rows",
    ),
    "written by number": (
        """i = Constant<value = int64[1, 2] {0, 1}>()
        u = Constant<value = float[1, 6] {0, 0, 0, 0, 0, 0}>()
        [bad] y = ScatterND(x, i, u)""",
        "ScatterND",
        "u",
        "writes to rows of the batch by number",
    ),
    "rows taken apart": (
        """s = Constant<value_ints = [4, 6]>() a = Reshape(x, s) b = Transpose(a)
        t = Constant<value_ints = [4, 6]>() [bad] y = Reshape(b, t)""",
        "Reshape",
        "t",
        "from row to row",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_repaired_is_named(name: str) -> None:
    body, op_type, tensor, why = REFUSED[name]
    program = program_from_text(f"g (float[1, 4, 6] x) => (float[A, B] y) {{ {body} }}")
    with pytest.raises(UnsupportedModelError, match=f"(?s)exported batch size 1 only.*{why}") as e:
        repair(program, opened(program))
    assert (e.value.node, e.value.op_type) == ("bad", op_type)
    assert e.value.tensor == tensor
    assert "dynamic_shapes" in e.value.message


def test_inputs_of_different_batch_sizes() -> None:
    program = program_from_text(
        "g (float[1, 4] x, float[2, 4] z) => (float[2, 4] y) {y = Add(x, z)}"
    )
    with pytest.raises(UnsupportedModelError, match="'x' at 1, 'z' at 2"):
        repair_baked_batch(program, opened(program))


def test_a_file_that_leaves_the_batch_open_means_what_it_says() -> None:
    """``x.view(1, -1)`` over a dynamic batch joins all rows; nobody may change that."""
    program = program_from_text("""g (float[N, 4] x) => (float[A, B] y) <int64[2] s = {1, -1}> {
        y = Reshape(x, s) }""")
    assert repair_baked_batch(program, {"x": (-1, 4)}) == ()
    assert walk(program, {"x": (3, 4)})["y"].shape == (1, 12)


def test_an_open_batch_that_works_at_one_only() -> None:
    """Dynamic axes were asked for, and tracing baked them all the same."""
    text = """g (float[N, 4] x) => (float[A, B, C] y) <int64[3] s = {1, 2, 2}> {
        y = Reshape(x, s) }"""
    program = program_from_text(text)
    (found,) = repair(program, {"x": (-1, 4)})
    assert found.after == "[0, 2, 2]"
    feeds = random_feeds({"x": (3, 4)})
    np.testing.assert_array_equal(
        run_in_onnxruntime(program.model, feeds)[0], feeds["x"].reshape(3, 2, 2)
    )


@pytest.mark.parametrize("shapes", [{}, {"x": (2, 4)}, {"x": (-1, -1)}, {"x": (-1,)}, {"q": (-1,)}])
def test_nothing_to_do(shapes: dict[str, Shape]) -> None:
    """No batch is asked for, or something that is refused elsewhere."""
    program = program_from_text("g (float[1, 4] x) => (float[1, 4] y) { y = Relu(x) }")
    assert repair_baked_batch(program, shapes) == ()


def test_an_operator_whose_shape_depends_on_data_is_said_to_be_that() -> None:
    program = program_from_text("g (float[1, 4] x) => (int64[A, B] y) { [nz] y = NonZero(x) }")
    with pytest.raises(UnsupportedModelError, match=r"'nz' .*depends on the data"):
        repair_baked_batch(program, {"x": (-1, 4)})
