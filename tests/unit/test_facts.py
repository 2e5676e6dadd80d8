"""What is known of a graph at a gear, held against what ONNX Runtime really computes."""

from __future__ import annotations

import tracemalloc

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gearshift.analysis.facts import Facts, walk
from gearshift.errors import UnsupportedModelError
from gearshift.program import Program
from gearshift.tensors import Shape
from graphs import (
    everything_in_onnxruntime,
    program_from_file,
    program_from_text,
    random_feeds,
    rapidocr_model,
)


def check_against_onnxruntime(program: Program, shapes: dict[str, Shape]) -> Facts:
    """Every fact of a node's output is what ONNX Runtime gives."""
    facts = walk(program, shapes)
    dtypes = {name: fact.dtype for name, fact in facts.items()}
    feeds = random_feeds(shapes)
    for name in feeds:
        feeds[name] = feeds[name].astype(facts[name].dtype.numpy())
    for name, array in everything_in_onnxruntime(program, feeds, dtypes).items():
        fact = facts[name]
        assert fact.shape == array.shape, name
        assert fact.dtype == ir.DataType.from_numpy(array.dtype), name
        if fact.value is not None:
            np.testing.assert_allclose(fact.value, array, rtol=1e-6, err_msg=name)
    return facts


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(
    ("part", "row"), [("rec", (3, 48, 160)), ("cls", (3, 48, 192)), ("det", (3, 64, 96))]
)
def test_every_shape_of_real_models(part: str, row: Shape, rows: int) -> None:
    facts = check_against_onnxruntime(program_from_file(rapidocr_model(part)), {"x": (rows, *row)})
    assert facts["x"].shape == (rows, *row)


def test_shape_arithmetic_becomes_values() -> None:
    """The pattern that exporters write for ``x.view(x.size(0), 4, -1).transpose(1, 2)``."""
    program = program_from_text("""
        g (float[N, 4, 5, 6] x) => (float[A, B, C] y)
        <int64 zero = {0}, int64[1] axes = {0}, int64[1] four = {4}, int64[1] rest = {-1}> {
            s = Shape(x)
            n = Gather<axis = 0>(s, zero)
            n1 = Unsqueeze(n, axes)
            t = Concat<axis = 0>(n1, four, rest)
            r = Reshape(x, t)
            y = Transpose<perm = [0, 2, 1]>(r)
        }""")
    for rows in (1, 7, 2048):
        facts = walk(program, {"x": (rows, 4, 5, 6)})
        assert facts["t"].value is not None
        assert facts["t"].value.tolist() == [rows, 4, -1]
        assert facts["y"].shape == (rows, 30, 4)
    check_against_onnxruntime(program, {"x": (3, 4, 5, 6)})


GRAPHS = {
    "pool, pad, split, tile, top-k": (
        """g (float[N, 2, 9, 9] x) => (float[A, B, C, D] y)
        <int64[8] pads = {0, 0, 1, 1, 0, 0, 2, 2}, int64[2] parts = {5, 6},
         int64[4] times = {1, 3, 1, 2}, int64[1] k = {2}> {
            m = MaxPool<kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1>(x)
            p = Pad(m, pads)
            q = Tile(p, times)
            size = Size(q)
            a, b = TopK<axis = 2>(q, k)
            c = ArgMax<axis = 1>(a)
            d = GlobalAveragePool(q)
            y = Sub(q, d)
        }""",
        (2, 9, 9),
    ),
    "resize to sizes and by scales": (
        """g (float[N, 2, 4, 6] x) => (float[A, B, C, D] y)
        <float[4] by = {1, 1, 2.5, 2}, int64[1] from = {2}, int64[1] to = {4}> {
            a = Resize<mode = "linear">(x, , by)
            s = Shape(a)
            hw = Slice(s, from, to)
            t = Shape(x)
            zero = Constant<value_ints = [0]>()
            two = Constant<value_ints = [2]>()
            nc = Slice(t, zero, two)
            sizes = Concat<axis = 0>(nc, hw)
            y = Resize<mode = "nearest">(x, , , sizes)
        }""",
        (2, 4, 6),
    ),
    "recurrent": (
        """g (float[N, 5, 4] x) => (float[A, B, C, D] y)
        <float[1] f = {0.5}, int64[3] ws = {2, 12, 4}, int64[3] rs = {2, 12, 3}> {
            w = Expand(f, ws)
            r = Expand(f, rs)
            t = Transpose<perm = [1, 0, 2]>(x)
            y, h, c = LSTM<hidden_size = 3, direction = "bidirectional">(t, w, r)
        }""",
        (5, 4),
    ),
    "range, mask, where": (
        """g (float[N, 4] x) => (float[A, B] y)
        <int64 zero = {0}, int64 one = {1}, float none = {-9}> {
            s = Shape<start = 1>(x)
            n = Squeeze(s)
            r = Range(zero, n, one)
            f = Cast<to = 1>(r)
            m = Greater(x, f)
            i = ConstantOfShape<value = int64[1] {3}>(s)
            e = Equal(i, r)
            y = Where(m, x, none)
        }""",
        (4,),
    ),
    "einsum, norms, one-hot": (
        """g (float[N, 3, 4] x) => (float[A, B, C] y)
        <float[4] scale = {1, 2, 3, 4}, int64 depth = {6}, float[2] values = {0, 1}> {
            e = Einsum<equation = "nij,nkj->nik">(x, x)
            l = LayerNormalization<axis = -1>(x, scale)
            i = Cast<to = 7>(x)
            h = OneHot(i, depth, values)
            v = MeanVarianceNormalization<axes = [1, 2]>(x)
            y = Softmax<axis = -1>(e)
        }""",
        (3, 4),
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_every_shape_of_hand_made_graphs(name: str) -> None:
    text, row = GRAPHS[name]
    program = program_from_text(text)
    for rows in (1, 2, 5):
        check_against_onnxruntime(program, {"x": (rows, *row)})


CONTRIB = {
    "gelu": "y = com.microsoft.Gelu(x)",
    "quick gelu": "y = com.microsoft.QuickGelu<alpha = 1.5>(x)",
    "bias gelu": "y = com.microsoft.BiasGelu(x, b)",
    "fast gelu": "y = com.microsoft.FastGelu(x, b)",
    "fused matmul": "y = com.microsoft.FusedMatMul<transB = 1, alpha = 0.5>(x, x)",
    "skip norm": "y = com.microsoft.SkipLayerNormalization(x, x, b)",
    "skip norm, sum kept": "y, , , s = com.microsoft.SkipLayerNormalization(x, x, b)",
    "attention": "y = com.microsoft.Attention<num_heads = 2>(x, w, b3)",
}


@pytest.mark.parametrize("name", CONTRIB)
def test_operators_of_onnxruntime(name: str) -> None:
    program = program_from_text(f"""
        <ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
        g (float[N, 3, 4] x) => (float[A, B, C] y)
        <float[4] b = {{1, 2, 3, 4}}, float[1] one = {{1}}, int64[2] ws = {{4, 12}},
         int64[1] bs = {{12}}> {{
            w = Expand(one, ws)
            b3 = Expand(one, bs)
            {CONTRIB[name]}
        }}""")
    check_against_onnxruntime(program, {"x": (2, 3, 4)})


def test_fused_convolution() -> None:
    program = program_from_text("""
        <ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
        g (float[N, 1, 8, 8] x) => (float[A, B, C, D] y)
        <float[2, 1, 1, 1] w = {1, 2}> {
            y = com.microsoft.FusedConv<activation = "Relu", strides = [2, 2]>(x, w)
        }""")
    facts = check_against_onnxruntime(program, {"x": (3, 1, 8, 8)})
    assert facts["y"].shape == (3, 2, 4, 4)


def test_if_takes_the_branch_that_is_known() -> None:
    program = program_from_text("""
        g (float[N, 3] x) => (float[A, B] y) <int64 one = {1}> {
            s = Shape(x)
            zero = Constant<value_int = 0>()
            n = Gather(s, zero)
            c = Greater(n, one)
            y = If(c) <
                then_branch = t () => (float[A, B] ty) { ty = Concat<axis = 1>(x, x) },
                else_branch = e () => (float[A, B] ey) { ey = Neg(x) }
            >
        }""")
    assert walk(program, {"x": (1, 3)})["y"].shape == (1, 3)
    assert walk(program, {"x": (2, 3)})["y"].shape == (2, 6)
    check_against_onnxruntime(program, {"x": (2, 3)})


@pytest.mark.parametrize(("then", "fits"), [("Abs(x)", True), ("Concat<axis = 1>(x, x)", False)])
def test_if_of_data_needs_branches_that_agree(then: str, fits: bool) -> None:
    program = program_from_text(
        """
        g (float[N, 3] x, bool c) => (float[A, B] y) {
            [pick] y = If(c) <
                then_branch = t () => (float[A, B] ty) { ty = THEN },
                else_branch = e () => (float[A, B] ey) { ey = Neg(x) }
            >
        }""".replace("THEN", then)
    )
    shapes: dict[str, Shape] = {"x": (2, 3), "c": ()}
    if fits:
        assert walk(program, shapes)["y"].shape == (2, 3)
        return
    with pytest.raises(UnsupportedModelError, match=r"\[2, 6\] or \[2, 3\]") as caught:
        walk(program, shapes)
    assert (caught.value.op_type, caught.value.tensor) == ("If", "y")


def test_random_numbers_are_no_values() -> None:
    program = program_from_text(
        "g (float[N] x) => (float[N] y) { r = RandomNormal<shape = [1]>() y = Add(x, r) }"
    )
    assert walk(program, {"x": (3,)})["r"].value is None


def test_large_values_are_not_made() -> None:
    """Gear 2048 of this graph would be 24 GB; walking it takes next to nothing."""
    program = program_from_text("""
        g (float[N, 3, 1000, 1000] x) => (float[A, B, C, D] y) {
            s = Shape(x)
            z = ConstantOfShape(s)
            e = Expand(z, s)
            y = Add(x, e)
        }""")
    tracemalloc.start()
    try:
        facts = walk(program, {"x": (2048, 3, 1000, 1000)})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert facts["e"].shape == (2048, 3, 1000, 1000)
    assert facts["z"].value is None
    assert peak < 10_000_000


def test_initializers_that_old_files_list_as_inputs() -> None:
    program = program_from_text("""
        <ir_version: 3, opset_import: ["" : 9]>
        g (float[N, 3] x, int64[2] t) => (float[A, B] y)
        <int64[2] t = {-1, 1}> { y = Reshape(x, t) }""")
    assert walk(program, {"x": (2, 3)})["y"].shape == (6, 1)


STEPS = (
    "Transpose<perm = [0, 2, 1]>({x})",
    "Concat<axis = 1>({x}, {x})",
    "ReduceMax<keepdims = 1, axes = [1]>({x})",
    "Reshape({x}, flat)",
    "Reshape({x}, row)",
    "Slice({x}, zero, two, one)",
    "Tile({x}, twice)",
    "MatMul({x}, {x}t)",
    "Gather<axis = 2>({x}, pick)",
    "Softmax<axis = 1>({x})",
    "CumSum({x}, two0)",
    "Sub({x}, {x})",
)


@settings(max_examples=40, deadline=None)
@given(
    chosen=st.lists(st.sampled_from(STEPS), min_size=1, max_size=6),
    shape=st.tuples(*[st.integers(1, 4)] * 3),
)
def test_chains_of_operators(chosen: list[str], shape: Shape) -> None:
    lines, last = [], "x"
    for number, step in enumerate(chosen):
        if "{x}t" in step:
            lines.append(f"{last}t = Transpose<perm = [0, 2, 1]>({last})")
        lines.append(f"v{number} = " + step.format(x=last))
        last = f"v{number}"
    program = program_from_text(f"""
        g (float[N, A, B] x) => (float[C, D, E] {last})
        <int64[3] flat = {{0, 1, -1}}, int64[3] row = {{1, -1, 1}}, int64[1] zero = {{0}},
         int64[1] one = {{1}}, int64[1] two = {{2}}, int64[3] twice = {{1, 2, 1}},
         int64[2] pick = {{0, -1}}, int64 two0 = {{2}}> {{ {" ".join(lines)} }}""")
    check_against_onnxruntime(program, {"x": shape})


def test_slow_folds_are_left_alone() -> None:
    """The reference implementation resizes in Python, an element at a time."""
    program = program_from_text("""
        g (float[N, 1, 32, 32] x) => (float[A, B, C, D] y)
        <float[1] one = {1}, int64[4] small = {1, 1, 4, 4}, int64[4] large = {1, 1, 512, 512},
         float[4] by = {1, 1, 2, 2}> {
            a = Expand(one, small)
            b = Resize<mode = "nearest">(a, , by)
            c = Expand(one, large)
            d = Resize<mode = "nearest">(c, , by)
            y = Add(x, b)
        }""")
    facts = walk(program, {"x": (1, 1, 8, 8)})
    assert facts["b"].value is not None
    assert facts["d"].shape == (1, 1, 1024, 1024)
    assert facts["d"].value is None


def test_scan_over_a_sequence() -> None:
    program = program_from_text("""
        g (float[5, N, 3] x, float[N, 3] start) => (float[A, B] last, float[C, D, E] y) {
            last, y = Scan(start, x) <
                num_scan_inputs = 1,
                body = b (float[N, 3] s, float[N, 3] v) => (float[N, 3] t, float[N, 3] u) {
                    t = Add(s, v)
                    u = Neg(t)
                }
            >
        }""")
    check_against_onnxruntime(program, {"x": (5, 2, 3), "start": (2, 3)})
