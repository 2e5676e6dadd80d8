"""The proof on whole networks: real ones, and the patterns that exporters write."""

from __future__ import annotations

import numpy as np
import pytest

from gearshift.tensors import RowLayout
from graphs import program_from_file, program_from_text, rapidocr_model
from graphs_rows import keeps_rows, prove_program, run_batches

HEAD = '<ir_version: 8, opset_import: ["" : 17]>'


def weight(name: str, *shape: int) -> str:
    """An initializer with some numbers in it."""
    count = int(np.prod(shape))
    numbers = ", ".join(str((5 * k % 11 - 5) / 8) for k in range(count))
    return f"float[{', '.join(map(str, shape))}] {name} = {{{numbers}}}"


def check(text: str, layouts: dict[str, RowLayout]) -> None:
    """Proved, with those layouts, and rows really stay apart."""
    program = program_from_text(text)
    proof = prove_program(program, sizes=(1, 2, 3, 8))
    assert proof.verdict == "proved", proof.reason
    assert proof.outputs == layouts
    for arrays, layout in zip(run_batches(program), layouts.values(), strict=True):
        assert keeps_rows(arrays, layout, tolerance=1e-5)


@pytest.mark.parametrize(
    ("part", "shape"),
    [("rec", (-1, 3, 48, 320)), ("cls", (-1, 3, 48, 192)), ("det", (-1, 3, 160, 160))],
)
def test_ocr_models_are_proved(part: str, shape: tuple[int, ...]) -> None:
    program = program_from_file(rapidocr_model(part))
    proof = prove_program(program, {program.inputs[0].name: shape}, (1, 2, 4, 8))
    assert proof.verdict == "proved", proof.reason
    assert list(proof.outputs.values()) == [RowLayout(0)]
    assert "'x'" in proof.reason
    assert "1, 2, 4, 8" in proof.reason


NORM = """
    {0}_m = ReduceMean<axes=[-1]>({0})
    {0}_d = Sub({0}, {0}_m)
    {0}_p = Pow({0}_d, two)
    {0}_v = ReduceMean<axes=[-1]>({0}_p)
    {0}_e = Add({0}_v, epsilon)
    {0}_s = Sqrt({0}_e)
    {0}_n = Div({0}_d, {0}_s)
"""

HEADS = """
    {0}_flat = MatMul({1}, w_{0})
    {0}_shape = Concat<axis=0>(batch, length, two_heads, minus)
    {0}_heads = Reshape({0}_flat, {0}_shape)
    {0} = Transpose<perm=[0, 2, 1, 3]>({0}_heads)
"""

ENCODER = (
    HEAD
    + """ encoder (int64[N, 5] ids, int64[N, 5] mask) => (float[A] logits, float[A] tokens)
    <"""
    + ", ".join(
        [
            weight("words", 7, 4),
            weight("places", 9, 4),
            *(weight(f"w_{name}", 4, 4) for name in "qkvo"),
            weight("w_up", 4, 8),
            weight("w_down", 8, 4),
            weight("w_out", 4, 3),
            "int64 i_0 = {0}, int64 i_1 = {1}, int64[1] at_0 = {0}, int64[1] at_1 = {1}",
            "int64[2] at_12 = {1, 2}, int64[1] minus = {-1}, int64[1] two_heads = {2}",
            "float one = {1}, float low = {-10000}, float two = {2}, float epsilon = {0.0001}",
            "float scale = {1.5}, float half = {0.5}, float root = {1.4142135}",
        ]
    )
    + """> {
    shape = Shape(ids)
    n = Gather<axis=0>(shape, i_0)
    t = Gather<axis=0>(shape, i_1)
    batch = Unsqueeze(n, at_0)
    length = Unsqueeze(t, at_0)

    embedded = Gather(words, ids)
    used = Slice(places, at_0, length, at_0)
    x = Add(embedded, used)

    wide = Unsqueeze(mask, at_12)
    target = Concat<axis=0>(batch, at_1, length, length)
    spread = Expand(wide, target)
    kept = Cast<to=1>(spread)
    gone = Sub(one, kept)
    bias = Mul(gone, low)
"""
    + NORM.format("x")
    + "".join(HEADS.format(name, "x_n") for name in "qkv")
    + """
    turned = Transpose<perm=[0, 1, 3, 2]>(k)
    products = MatMul(q, turned)
    scaled = Div(products, scale)
    masked = Add(scaled, bias)
    weights = Softmax<axis=-1>(masked)
    seen = MatMul(weights, v)
    back = Transpose<perm=[0, 2, 1, 3]>(seen)
    together = Concat<axis=0>(batch, length, minus)
    joined = Reshape(back, together)
    out = MatMul(joined, w_o)
    y = Add(x, out)
"""
    + NORM.format("y")
    + """
    up = MatMul(y_n, w_up)
    ratio = Div(up, root)
    erf = Erf(ratio)
    raised = Add(erf, one)
    product = Mul(up, raised)
    active = Mul(product, half)
    down = MatMul(active, w_down)
    tokens = Add(y, down)
    first = Gather<axis=1>(tokens, i_0)
    pooled = Tanh(first)
    logits = MatMul(pooled, w_out)
}"""
)


def test_transformer_encoder_with_dynamic_shapes_and_mask_is_proved() -> None:
    check(ENCODER, {"logits": RowLayout(0), "tokens": RowLayout(0)})


def test_attention_with_heads_folded_into_the_batch_is_proved() -> None:
    """As torch's time-first MultiheadAttention: [T, N, H * D] becomes [T, N * H, D]."""
    text = f"""{HEAD} attention (float[N, 3, 4] x) => (float[A] y)
    <int64[1] heads = {{2}}, int64[1] minus = {{-1}}, int64[1] time = {{3}},
     int64[2] tail = {{3, 2}}, {weight("w", 4, 4)}> {{
        d = Shape<start=0, end=1>(x)
        folded = Mul(d, heads)
        split = Concat<axis=0>(time, folded, minus)
        t = Transpose<perm=[1, 0, 2]>(x)
        q = MatMul(t, w)
        a = Reshape(q, split)
        b = Transpose<perm=[1, 0, 2]>(a)
        c = Transpose<perm=[0, 2, 1]>(b)
        s = MatMul(b, c)
        p = Softmax(s)
        o = MatMul(p, b)
        f = Transpose<perm=[1, 0, 2]>(o)
        join = Concat<axis=0>(time, d, minus)
        g = Reshape(f, join)
        y = Transpose<perm=[1, 0, 2]>(g)
    }}"""
    check(text, {"y": RowLayout(0)})


def test_vision_transformer_with_class_token_and_windows_is_proved() -> None:
    text = f"""{HEAD} vit (float[N, 2, 4, 4] x) => (float[A] y, float[A] z)
    <{weight("w", 4, 2, 2, 2)}, {weight("token", 1, 1, 4)}, {weight("place", 1, 5, 4)},
     int64[2] tail = {{1, 4}}, int64[3] flat = {{0, 0, -1}}, int64 first = {{0}},
     int64[6] cut = {{-1, 2, 2, 2, 2, 2}}, int64[3] window = {{-1, 4, 2}},
     int64[5] grid = {{-1, 2, 2, 4, 2}}> {{
        patches = Conv<kernel_shape=[2, 2], strides=[2, 2]>(x, w)
        rows = Reshape(patches, flat)
        tokens = Transpose<perm=[0, 2, 1]>(rows)
        n = Shape<start=0, end=1>(x)
        target = Concat<axis=0>(n, tail)
        spread = Expand(token, target)
        all = Concat<axis=1>(spread, tokens)
        placed = Add(all, place)
        y = Gather<axis=1>(placed, first)
        pieces = Reshape(x, cut)
        near = Transpose<perm=[0, 2, 4, 3, 5, 1]>(pieces)
        windows = Reshape(near, window)
        each = Softmax<axis=1>(windows)
        z = Reshape(each, grid)
    }}"""
    check(text, {"y": RowLayout(0), "z": RowLayout(0)})


def test_convolutional_recurrent_network_is_proved() -> None:
    text = f"""{HEAD} crnn (float[N, 1, 4, 6] x) => (float[A] y)
    <{weight("w", 2, 1, 3, 3)}, {weight("b", 2)}, {weight("lw", 2, 8, 2)}, {weight("lr", 2, 8, 2)},
     {weight("out", 4, 3)}, int64[1] high = {{2}}, int64[1] ways = {{2}}, int64[1] unit = {{2}},
     int64[3] merged = {{0, 0, -1}}> {{
        c = Conv<pads=[1, 1, 1, 1]>(x, w, b)
        r = Relu(c)
        p = MaxPool<kernel_shape=[4, 1]>(r)
        s = Squeeze(p, high)
        t = Transpose<perm=[2, 0, 1]>(s)
        n = Shape<start=0, end=1>(x)
        target = Concat<axis=0>(ways, n, unit)
        h = ConstantOfShape(target)
        l = LSTM<hidden_size=2, direction="bidirectional">(t, lw, lr, , , h, h)
        u = Transpose<perm=[2, 0, 1, 3]>(l)
        f = Reshape(u, merged)
        m = MatMul(f, out)
        y = Softmax<axis=2>(m)
    }}"""
    check(text, {"y": RowLayout(0)})


def test_a_network_that_normalises_over_the_batch_is_refuted_by_name() -> None:
    text = f"""{HEAD} net (float[N, 2, 4, 4] x) => (float[A] y, float[A] z)
    <{weight("w", 2, 2, 3, 3)}, {weight("s", 2)}> {{
        [conv1] c = Conv(x, w)
        [bn1] b, m, v = BatchNormalization<training_mode=1>(c, s, s, s, s)
        [relu1] y = Relu(b)
        z = GlobalAveragePool(c)
    }}"""
    proof = prove_program(program_from_text(text))
    assert (proof.verdict, proof.node, proof.op_type) == ("refuted", "bn1", "BatchNormalization")
    assert proof.path == ("x", "c", "b")
    assert proof.outputs == {"z": RowLayout(0)}, "what does not pass by it is unharmed"
    assert "node 'bn1' (BatchNormalization) normalises over the batch" in proof.reason
    assert "row i of 'b' depends on every row" in proof.reason
