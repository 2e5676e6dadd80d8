"""The rules of recurrent, attention and signal operators and of control flow."""

from __future__ import annotations

import pytest

from graphs_cases import AT_0, AT_1, AT_2, REFUTED, UNKNOWN, Case

WEIGHTS = {"LSTM": 4, "GRU": 3, "RNN": 1}
IN_TIME = "float[N,3,2] x"
TO_TIME = "t = Transpose<perm=[1,0,2]>(x)"


def numbers(*shape: int) -> str:
    count = 1
    for dim in shape:
        count *= dim
    return "{" + ", ".join(str((5 * k % 7 - 3) / 4) for k in range(count)) + "}"


def weights(op_type: str, ways: int = 1) -> str:
    rows = WEIGHTS[op_type] * 2
    return ", ".join(f"float[{ways},{rows},2] {n} = {numbers(ways, rows, 2)}" for n in ("w", "r"))


RECURRENT = [
    *(
        Case(
            f"{TO_TIME} [n] y = {op_type}<hidden_size=2>(t, w, r)",
            AT_2,
            inputs=IN_TIME,
            constants=weights(op_type),
        )
        for op_type in WEIGHTS
    ),
    Case(
        f'{TO_TIME} [n] y = LSTM<hidden_size=2, direction="bidirectional">(t, w, r)',
        AT_2,
        inputs=IN_TIME,
        constants=weights("LSTM", 2),
    ),
    Case(
        f"{TO_TIME} [n] z, y, c = LSTM<hidden_size=2>(t, w, r)",
        AT_1,
        inputs=IN_TIME,
        constants=weights("LSTM"),
    ),
    Case(
        "[n] y = LSTM<hidden_size=2>(x, w, r)", REFUTED, inputs=IN_TIME, constants=weights("LSTM")
    ),
    Case(
        "[n] y = GRU<hidden_size=2, layout=1>(x, w, r)",
        AT_0,
        inputs=IN_TIME,
        constants=weights("GRU"),
        runs=False,
    ),
    Case(
        f"{TO_TIME} [n] y = LSTM<hidden_size=2>(t, w, r, , l)",
        AT_2,
        inputs=f"{IN_TIME}, int32[N] l",
        constants=weights("LSTM"),
    ),
    Case(
        f"{TO_TIME} d = Shape<end=1>(x) s = Concat<axis=0>(one, d, two) h = ConstantOfShape(s) "
        "[n] y = LSTM<hidden_size=2>(t, w, r, , , h, h)",
        AT_2,
        inputs=IN_TIME,
        constants=f"{weights('LSTM')}, int64[1] one = {{1}}, int64[1] two = {{2}}",
    ),
    Case(
        "[n] y = ReverseSequence<batch_axis=0, time_axis=1>(x, l)",
        AT_0,
        inputs="float[N,4] x, int64[N] l",
        runs=False,
    ),
    Case(
        "[n] y = ReverseSequence<batch_axis=1, time_axis=0>(x, l)",
        REFUTED,
        inputs="float[N,2] x",
        constants="int64[2] l = {1, 1}",
        runs=False,
    ),
]

QKV = "float[N,2,3,4] q, float[N,2,3,4] k, float[N,2,3,4] v"
OPSET_23 = '"" : 23'

ATTENTION = [
    Case("[n] y = Attention(q, k, v)", AT_0, inputs=QKV, opset=OPSET_23),
    Case("[n] y = Attention<is_causal=1>(q, k, v)", AT_0, inputs=QKV, opset=OPSET_23),
    Case(
        "[n] y = Attention(q, k, v, m)",
        AT_0,
        inputs=f"{QKV}, float[N,1,3,3] m",
        opset=OPSET_23,
    ),
    Case("[n] y = Attention(q, k, v, m)", AT_0, inputs=f"{QKV}, float[3,3] m", opset=OPSET_23),
    Case(
        "k = Expand(c, s) [n] y = Attention(q, k, k)",
        UNKNOWN,
        inputs="float[N,2,3,4] q, float[1,2,3,4] c",
        constants="int64[1] s = {1}",
        opset=OPSET_23,
        runs=False,
    ),
    Case(
        "[n] y = RotaryEmbedding(x, c, s, p)",
        AT_0,
        inputs="float[N,2,3,4] x, int64[N,3] p",
        constants=f"float[3,2] c = {numbers(3, 2)}, float[3,2] s = {numbers(3, 2)}",
        opset=OPSET_23,
    ),
]

SIGNALS = [
    Case("[n] y = DFT<axis=1>(x)", AT_0, inputs="float[N,4,1] x"),
    Case("[n] y = DFT<axis=0>(x)", REFUTED, inputs="float[N,4,1] x"),
    Case(
        "[n] y = STFT(x, s, w)",
        AT_0,
        inputs="float[N,8,1] x",
        constants="int64 s = {2}, float[4] w = {1, 2, 2, 1}",
    ),
    Case("[n] y = Det(x)", AT_0, inputs="float[N,3,3] x"),
    Case("w = HannWindow(s) [n] y = Mul(x, w)", AT_0, constants="int64 s = {4}"),
]

BRANCHES = (
    "y = If (c) <then_branch = one () => (float[A,4] a) {{ [{0}] a = {1} }}, "
    "else_branch = two () => (float[A,4] b) {{ [{2}] b = {3} }}>"
)
IF = [
    Case(
        f"[n] {BRANCHES.format('p', 'Relu(x)', 'q', 'Neg(x)')}", AT_0, inputs="float[N,4] x, bool c"
    ),
    Case(
        BRANCHES.format("n", "Softmax<axis=0>(x)", "q", "Neg(x)"),
        REFUTED,
        constants="bool c = {1}",
    ),
    Case(BRANCHES.format("p", "Softmax<axis=0>(x)", "q", "Neg(x)"), AT_0, constants="bool c = {0}"),
    Case(
        f"[n] {BRANCHES.format('p', 'Softmax<axis=0>(x)', 'q', 'Neg(x)')}",
        UNKNOWN,
        inputs="float[N,4] x, bool c",
    ),
    Case(
        "s = Shape(x) z = Gather(s, i) c = Equal(z, o) "
        f"{BRANCHES.format('p', 'Softmax<axis=0>(x)', 'q', 'Neg(x)')}",
        AT_0,
        constants="int64 i = {1}, int64 o = {1}",
    ),
]


@pytest.mark.parametrize("case", [*RECURRENT, *ATTENTION, *SIGNALS, *IF], ids=str)
def test_rule(case: Case) -> None:
    case.check()
