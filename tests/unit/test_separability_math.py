"""The rules of operators that compute, one small graph for each case."""

from __future__ import annotations

import pytest

from graphs_cases import AT_0, AT_1, AT_2, RECENT, REFUTED, UNKNOWN, Case

IMAGE = "float[N,2,4,4] x"
SEQUENCE = "float[N,3,4] x"
PAIR = "float[N,4] x, float[N,4] z"
TURN = "t = Transpose<perm=[1,0]>(x)"
MS = '"" : 17, "com.microsoft" : 1'


def axis(name: str, value: int) -> str:
    return f"int64[1] {name} = {{{value}}}"


ELEMENTWISE = [
    Case("[n] y = Relu(x)", AT_0),
    Case("[n] y = Cast<to=6>(x)", AT_0, output="int32"),
    Case("[n] y = CastLike(x, w)", AT_0, constants="int32 w = {1}", output="int32"),
    Case("[n] y = Add(x, w)", AT_0, constants="float[4] w = {1, 2, 3, 4}"),
    Case(
        "[n] y = Add(w, x)", AT_1, constants="float[2,1,2] w = {1, 2, 3, 4}", inputs="float[N,2] x"
    ),
    Case("[n] y = Add(x, w)", AT_0, constants="float[1,4] w = {1, 2, 3, 4}"),
    Case("[n] y = Mul(x, z)", AT_0, inputs="float[N,4] x, float[N,1] z"),
    Case("[n] y = Mul(x, s)", AT_0, inputs="float[N,4] x, float[4] s"),
    Case("[n] y = Max(x, z, x)", AT_0, inputs=PAIR),
    Case("[n] y = Add(s, s)", None, inputs="float[N,4] x, float[4] s"),
    Case(
        "a = Unsqueeze(x, i) b = Unsqueeze(x, j) [n] y = Sub(a, b)",
        REFUTED,
        constants=f"{axis('i', 0)}, {axis('j', 1)}",
    ),
    Case(f"{TURN} u = Unsqueeze(x, i) [n] y = Mul(t, u)", REFUTED, constants=axis("i", 2)),
    Case(
        "a = Concat<axis=0>(x, x) b = Reshape(x, i) [n] y = Add(a, b)",
        UNKNOWN,
        inputs="float[N,2] x",
        constants="int64[2] i = {-1, 1}",
    ),
    Case("[n] y = Clip(x, lo, hi)", AT_0, constants="float lo = {-1}, float hi = {2}"),
    Case("m = Greater(x, o) [n] y = Where(m, x, o)", AT_0, constants="float o = {0}"),
    Case("[n] y = PRelu(x, w)", AT_0, constants="float[1] w = {0.5}"),
    Case("[n] y = Dropout(x)", AT_0),
    Case("[n] y = Dropout(x, r, t)", AT_0, constants="float r = {0.5}, bool t = {0}"),
    Case("[n] y = Dropout(x, r, t)", REFUTED, constants="float r = {0.5}, bool t = {1}"),
    Case(
        "[n] y = com.microsoft.BiasGelu(x, w)", AT_0, opset=MS, constants="float[4] w = {1,2,3,4}"
    ),
    Case("[n] y = RandomNormalLike(x)", REFUTED),
    Case("d = Shape(x) e = Cast<to=1>(d) f = ReduceSum(e) [n] y = Mul(x, f)", REFUTED),
    Case("d = Shape<start=1>(x) e = Cast<to=1>(d) [n] y = Mul(x, e)", AT_0),
]

PRODUCTS = [
    Case("[n] y = MatMul(x, w)", AT_0, constants="float[4,2] w = {1,2,3,4,5,6,7,8}"),
    Case("t = Transpose(x) [n] y = MatMul(w, t)", AT_1, constants="float[1,4] w = {1,2,3,4}"),
    Case(f"{TURN} [n] y = MatMul(x, t)", REFUTED),
    Case(f"{TURN} [n] y = MatMul(t, x)", REFUTED),
    Case("[n] y = MatMul(x, x)", AT_0, inputs="float[N,3,3] x"),
    Case("[n] y = MatMul(x, v)", AT_0, constants="float[4] v = {1,2,3,4}"),
    Case("[n] y = MatMul(v, x)", AT_0, inputs=SEQUENCE, constants="float[3] v = {1,2,3}"),
    Case(
        "[n] y = MatMul(w, x)", AT_1, inputs=SEQUENCE, constants="float[2,1,1,3] w = {1,2,3,4,5,6}"
    ),
    Case(
        "[n] y = Gemm<transB=1>(x, w, b)",
        AT_0,
        constants="float[2,4] w = {1,2,3,4,5,6,7,8}, float[2] b = {1,2}",
    ),
    Case("[n] y = Gemm<transA=1>(x, x)", REFUTED),
    Case(
        "[n] y = Gemm(x, w, x)", AT_0, constants="float[4,4] w = {1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8}"
    ),
    Case(
        '[n] y = Einsum<equation="nij,jk->nik">(x, w)',
        AT_0,
        inputs=SEQUENCE,
        constants="float[4,1] w = {1,2,3,4}",
    ),
    Case('[n] y = Einsum<equation="nij,nkj->ink">(x, x)', AT_1, inputs=SEQUENCE),
    Case('[n] y = Einsum<equation="ni,mi->nm">(x, x)', REFUTED),
    Case('[n] y = Einsum<equation="ni->i">(x)', REFUTED),
    Case('[n] y = Einsum<equation="...i,...i">(x, z)', AT_0, inputs=PAIR),
    Case('[n] y = Einsum<equation="...ij->...ji">(x)', AT_0, inputs=SEQUENCE),
    Case('[n] y = Einsum<equation="nij->jin">(x)', AT_2, inputs=SEQUENCE),
    Case(
        "[n] y = com.microsoft.FusedMatMul<transB=1>(x, w)",
        AT_0,
        opset=MS,
        constants="float[1,4] w = {1,2,3,4}",
    ),
    Case("[n] y = com.microsoft.FusedMatMul<transB=1>(x, x)", REFUTED, opset=MS),
    Case("[n] y = com.microsoft.FusedMatMul<transA=1>(x, x)", REFUTED, opset=MS),
]

W_1X1 = "float[1,2,1,1] w = {1, 2}"
W_2X2 = "float[1,2,2,2] w = {1, 2, 3, 4, 5, 6, 7, 8}"
ROWS_AT_2 = "t = Transpose<perm=[1,2,0,3]>(x)"

WINDOWS = [
    Case("[n] y = Conv(x, w)", AT_0, inputs=IMAGE, constants=W_2X2),
    Case(
        "[n] y = ConvTranspose(x, w)",
        AT_0,
        inputs=IMAGE,
        constants="float[2,1,2,2] w = {1,2,3,4,5,6,7,8}",
    ),
    Case(
        f"{ROWS_AT_2} [n] y = Conv(t, w)",
        AT_2,
        inputs="float[N,3,2,4] x",
        constants="float[1,2,1,2] w = {1,2,3,4}",
    ),
    Case(
        f"{ROWS_AT_2} [n] y = Conv<pads=[1,1,0,0]>(t, w)",
        REFUTED,
        inputs="float[N,3,2,4] x",
        constants=W_2X2,
    ),
    Case(
        f"{ROWS_AT_2} [n] y = Conv<pads=[0,0,1,0]>(t, w)",
        REFUTED,
        inputs="float[N,3,2,4] x",
        constants=W_1X1,
    ),
    Case(
        "[n] y = ConvInteger(x, w)",
        AT_0,
        inputs="uint8[N,1,3,3] x",
        constants="uint8[1,1,2,2] w = {1,2,3,4}",
        output="int32",
    ),
    Case("[n] y = MaxPool<kernel_shape=[2,2]>(x)", AT_0, inputs=IMAGE),
    Case(
        "t = Transpose<perm=[1,0,2,3]>(x) [n] y = AveragePool<kernel_shape=[2,2]>(t)",
        AT_1,
        inputs=IMAGE,
    ),
    Case("[n] z, y = MaxPool<kernel_shape=[2,2]>(x)", REFUTED, inputs=IMAGE, output="int64"),
    Case("[n] y, z = MaxPool<kernel_shape=[2,2]>(x)", AT_0, inputs=IMAGE),
    Case(
        "d = Shape<end=1>(x) s = Concat<axis=0>(d, k) c = ConstantOfShape(s) "
        "[n] z, p = MaxPool<kernel_shape=[2]>(c) y = Identity(p)",
        REFUTED,
        constants="int64[2] k = {1, 3}",
        output="int64",
    ),
    Case(
        "t = Transpose<perm=[1,2,0,3]>(x) [n] y = MaxPool<kernel_shape=[2,1], pads=[1,0,0,0]>(t)",
        REFUTED,
        inputs=IMAGE,
    ),
    Case("[n] y = LpPool<kernel_shape=[2,2]>(x)", AT_0, inputs=IMAGE),
    Case("[n] y = GlobalAveragePool(x)", AT_0, inputs=IMAGE),
    Case("t = Transpose<perm=[1,2,0,3]>(x) [n] y = GlobalMaxPool(t)", REFUTED, inputs=IMAGE),
    Case(
        "[n] y = DeformConv(x, w, o)",
        AT_0,
        runs=RECENT,
        inputs="float[N,2,4,4] x, float[N,8,3,3] o",
        constants=W_2X2,
        opset='"" : 19',
    ),
    Case(
        '[n] y = com.microsoft.FusedConv<activation="Relu">(x, w)',
        AT_0,
        inputs=IMAGE,
        opset=MS,
        constants=W_2X2,
        runs=False,
    ),
]

C2 = "float[2] a = {1, 2}, float[2] b = {0, 1}"
STATS = f"{C2}, float[2] c = {{3, 4}}, float[2] d = {{1, 2}}"

NORMS = [
    Case("[n] y = BatchNormalization(x, a, b, c, d)", AT_0, inputs=IMAGE, constants=STATS),
    Case(
        "[n] y, p, q = BatchNormalization<training_mode=1>(x, a, b, c, d)",
        REFUTED,
        inputs=IMAGE,
        constants=STATS,
    ),
    Case("[n] y = InstanceNormalization(x, a, b)", AT_0, inputs=IMAGE, constants=C2),
    Case(
        "t = Transpose<perm=[1,2,0,3]>(x) [n] y = InstanceNormalization(t, u, u)",
        REFUTED,
        inputs="float[N,2,4,4] x",
        constants="float[4] u = {1,2,3,4}",
    ),
    Case(
        "[n] y = GroupNormalization<num_groups=1>(x, a, b)",
        AT_0,
        inputs=IMAGE,
        constants=C2,
        opset='"" : 21',
    ),
    Case("[n] y = LayerNormalization(x, a)", AT_0, inputs="float[N,3,2] x", constants=C2),
    Case(
        "[n] y = LayerNormalization<axis=1>(x, a)",
        AT_0,
        inputs="float[N,2,1] x",
        constants="float[2,1] a = {1,2}",
    ),
    Case(
        "t = Transpose(x) [n] y = LayerNormalization(t, u)",
        REFUTED,
        constants="float[1] u = {1}",
        runs=RECENT,
    ),
    Case(
        "[n] y = RMSNormalization(x, a)",
        AT_0,
        inputs="float[N,3,2] x",
        constants=C2,
        opset='"" : 23',
    ),
    Case(
        "[n] y = com.microsoft.SkipLayerNormalization(x, z, w)",
        AT_0,
        inputs="float[N,3,4] x, float[N,3,4] z",
        constants="float[4] w = {1,2,3,4}",
        opset=MS,
    ),
    Case("[n] y = LpNormalization(x)", AT_0),
    Case("[n] y = LpNormalization<axis=0>(x)", REFUTED),
    Case("[n] y = LRN<size=3>(x)", AT_0, inputs=IMAGE),
    Case("t = Transpose<perm=[1,0,2,3]>(x) [n] y = LRN<size=3>(t)", REFUTED, inputs=IMAGE),
    Case("[n] y = MeanVarianceNormalization(x)", REFUTED, inputs=IMAGE),
    Case("[n] y = MeanVarianceNormalization<axes=[1,2,3]>(x)", AT_0, inputs=IMAGE),
]

ALONG = [
    Case("[n] y = ReduceMean<axes=[1]>(x)", AT_0),
    Case("[n] y = ReduceMean<axes=[0]>(x)", REFUTED),
    Case("[n] y = ReduceMax(x)", REFUTED),
    Case("[n] y = ReduceSum(x, a)", AT_0, constants=axis("a", -1)),
    Case("[n] y = ReduceSum<noop_with_empty_axes=1>(x)", AT_0, runs=RECENT),
    Case(
        "t = Transpose<perm=[1,0,2]>(x) [n] y = ReduceL2<axes=[0], keepdims=0>(t)",
        AT_0,
        inputs=SEQUENCE,
    ),
    Case(
        "t = Transpose<perm=[1,0,2]>(x) [n] y = ReduceL2<axes=[0], keepdims=1>(t)",
        AT_1,
        inputs=SEQUENCE,
    ),
    Case("[n] y = ReduceMean(x, a)", REFUTED, constants="int64[2] a = {0, 1}", opset='"" : 18'),
    Case("[n] y = ArgMax<axis=1>(x)", AT_0, output="int64"),
    Case("[n] y = ArgMax(x)", REFUTED, output="int64"),
    Case("[n] y = CumSum(x, a)", AT_0, constants="int64 a = {1}"),
    Case("[n] y = CumSum(x, a)", REFUTED, constants="int64 a = {-2}"),
    Case("[n] y = Softmax(x)", AT_0),
    Case("[n] y = Softmax<axis=0>(x)", REFUTED),
    Case("[n] y = Softmax<axis=1>(x)", AT_0, inputs=SEQUENCE, opset='"" : 11'),
    Case(
        "t = Transpose<perm=[1,0,2]>(x) [n] y = Softmax<axis=0>(t)",
        REFUTED,
        inputs=SEQUENCE,
        opset='"" : 11',
    ),
    Case("t = Transpose<perm=[1,0,2]>(x) [n] y = Softmax<axis=0>(t)", AT_1, inputs=SEQUENCE),
    Case(
        "t = Transpose<perm=[1,0,2]>(x) [n] y = LogSoftmax<axis=2>(t)",
        AT_1,
        inputs=SEQUENCE,
        opset='"" : 11',
    ),
    Case("[n] y, z = TopK(x, k)", AT_0, constants=axis("k", 2)),
    Case("[n] y, z = TopK<axis=0>(x, k)", REFUTED, constants=axis("k", 1)),
]

QUANTIZED = [
    Case(
        "[n] y = QuantizeLinear(x, s, z)",
        AT_0,
        constants="float s = {0.5}, uint8 z = {8}",
        output="uint8",
    ),
    Case(
        "[n] y = QuantizeLinear(x, s, z)",
        AT_0,
        constants="float[4] s = {0.5,1,2,1}, uint8[4] z = {8,9,7,8}",
        output="uint8",
    ),
    Case("[n] q, s, z = DynamicQuantizeLinear(x) y = DequantizeLinear(q, s, z)", REFUTED),
    Case(
        "[n] y = MatMulInteger(x, w, a, b)",
        AT_0,
        inputs="uint8[N,2] x",
        constants="uint8[2,2] w = {1,2,3,4}, uint8 a = {1}, uint8[2] b = {2,3}",
        output="int32",
    ),
    Case(
        "[n] y = QLinearMatMul(x, s, z, w, s, z, s, z)",
        AT_0,
        inputs="uint8[N,2] x",
        constants="uint8[2,2] w = {1,2,3,4}, float s = {0.5}, uint8 z = {1}",
        output="uint8",
    ),
    Case(
        "[n] y = QLinearConv(x, s, z, w, s, z, s, z)",
        AT_0,
        inputs="uint8[N,1,3,3] x",
        constants="uint8[1,1,2,2] w = {1,2,3,4}, float s = {0.5}, uint8 z = {1}",
        output="uint8",
    ),
]


@pytest.mark.parametrize(
    "case", [*ELEMENTWISE, *PRODUCTS, *WINDOWS, *NORMS, *ALONG, *QUANTIZED], ids=str
)
def test_rule(case: Case) -> None:
    case.check()
