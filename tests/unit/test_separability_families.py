"""Every operator of the families that share a rule, and the fused operators of ONNX Runtime."""

from __future__ import annotations

import math

import onnx_ir as ir
import pytest

from gearshift.analysis.facts import Fact
from gearshift.gears.gear import Gear, GearSet
from gearshift.tensors import RowLayout
from gearshift.verify.separability import prove
from graphs import program_from_text
from graphs_cases import AT_0, REFUTED, Case
from graphs_rows import BATCHES, keeps_rows, layouts_that_fit, prove_text, run_batches

MS = '"" : 17, "com.microsoft" : 1'


def numbers(*shape: int) -> str:
    return "{" + ", ".join(str((5 * k % 7 - 3) / 4) for k in range(math.prod(shape))) + "}"


UNARY = [
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Ceil",
    "Celu",
    "Cos",
    "Cosh",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Log",
    "Neg",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Tan",
    "Tanh",
    "ThresholdedRelu",
]
PREDICATES = ["IsInf", "IsNaN"]
NEWER = {"Gelu": 20, "Mish": 18, "Swish": 24}
PAIRS = ["Add", "Div", "Max", "Mean", "Min", "Mul", "Pow", "Sub", "Sum"]
COMPARED = ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]
LOGICAL = ["And", "Or", "Xor"]
BITWISE = ["BitwiseAnd", "BitwiseOr", "BitwiseXor"]
REDUCED = [
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSumSquare",
]


@pytest.mark.parametrize("name", UNARY)
def test_unary(name: str) -> None:
    Case(f"[n] y = {name}(x)", AT_0).check()


@pytest.mark.parametrize("name", PREDICATES)
def test_predicate(name: str) -> None:
    Case(f"[n] y = {name}(x)", AT_0, output="bool").check()


@pytest.mark.parametrize(("name", "opset"), NEWER.items())
def test_newer_unary(name: str, opset: int) -> None:
    Case(f"[n] y = {name}(x)", AT_0, opset=f'"" : {opset}', runs=opset < 24).check()


@pytest.mark.parametrize("name", PAIRS)
def test_pair(name: str) -> None:
    Case(f"[n] y = {name}(x, z)", AT_0, inputs="float[N,4] x, float[4] z").check()
    apart = "a = Unsqueeze(x, i) b = Unsqueeze(x, j)"
    axes = "int64[1] i = {0}, int64[1] j = {1}"
    Case(f"{apart} [n] y = {name}(a, b)", REFUTED, constants=axes, inputs="float[N] x").check()


@pytest.mark.parametrize("name", COMPARED)
def test_comparison(name: str) -> None:
    Case(f"[n] y = {name}(x, z)", AT_0, inputs="float[N,4] x, float[N,1] z", output="bool").check()


@pytest.mark.parametrize("name", LOGICAL)
def test_logical(name: str) -> None:
    Case(f"[n] y = {name}(x, z)", AT_0, inputs="bool[N,4] x, bool[4] z", output="bool").check()


@pytest.mark.parametrize("name", BITWISE)
def test_bitwise(name: str) -> None:
    inputs = "int32[N,4] x, int32[4] z"
    Case(f"[n] y = {name}(x, z)", AT_0, inputs=inputs, output="int32", opset='"" : 18').check()


@pytest.mark.parametrize("name", REDUCED)
def test_reduction(name: str) -> None:
    Case(f"a = Abs(x) [n] y = {name}<axes=[1]>(a)", AT_0).check()
    Case(f"a = Abs(x) [n] y = {name}<axes=[0]>(a)", REFUTED).check()


OTHERS = [
    Case("[n] y = BitwiseNot(x)", AT_0, "int32[N,4] x", output="int32", opset='"" : 18'),
    Case("[n] y = BitCast<to=6>(x)", AT_0, opset='"" : 26', output="int32", runs=False),
    Case('[n] y = BitShift<direction="LEFT">(x, x)', AT_0, "uint32[N,4] x", output="uint32"),
    Case("m = Greater(x, x) [n] y = Not(m)", AT_0, output="bool"),
    Case("[n] y = Mod<fmod=1>(x, s)", AT_0, constants="float[4] s = {3, 3, 2, 2}"),
    Case("[n] y = ArgMin<axis=1>(x)", AT_0, output="int64"),
    Case("[n] y = ArgMin(x)", REFUTED, output="int64"),
    Case("[n] y = Hardmax(x)", AT_0),
    Case("[n] y = Hardmax<axis=0>(x)", REFUTED),
    Case("[n] y = CumProd(x, a)", AT_0, constants="int64 a = {1}", opset='"" : 26', runs=False),
    Case("[n] y = CumProd(x, a)", REFUTED, constants="int64 a = {0}", opset='"" : 26', runs=False),
    Case("[n] y = GlobalLpPool(x)", AT_0, "float[N,2,3,3] x"),
    Case(
        "[n] y = Scatter<axis=1>(x, i, u)",
        AT_0,
        "float[N,4] x, int64[N,2] i, float[N,2] u",
        opset='"" : 10',
    ),
    Case("c = Constant<value_float=2.0>() [n] y = Mul(x, c)", AT_0),
    Case("d = Size(x) e = Cast<to=1>(d) [n] y = Mul(x, e)", REFUTED),
    Case("[n] y = RandomUniformLike(x)", REFUTED),
    Case("[n] y = Multinomial(x)", REFUTED, output="int32", runs=False),
    Case("w = HammingWindow(s) [n] y = Mul(x, w)", AT_0, constants="int64 s = {4}"),
    Case("w = BlackmanWindow(s) [n] y = Mul(x, w)", AT_0, constants="int64 s = {4}"),
    Case(
        "w = MelWeightMatrix(a, b, c, d, e) [n] y = MatMul(x, w)",
        AT_0,
        constants="int64 a = {3}, int64 b = {6}, int64 c = {8000}, float d = {100}, "
        "float e = {2000}",
    ),
]


@pytest.mark.parametrize("case", OTHERS, ids=str)
def test_rule(case: Case) -> None:
    case.check()


@pytest.mark.parametrize("name", ["RandomNormal<shape=[4]>()", "RandomUniform<shape=[4]>()"])
def test_random_numbers_out_of_nothing(name: str) -> None:
    text = f"g (float[N, 4] x) => (float[A] y) {{ [draw] r = {name} y = Mul(x, r) }}"
    proof = prove_text(text)
    assert (proof.verdict, proof.node, proof.path) == ("refuted", "draw", ("r",))
    assert "draws random numbers" in proof.reason


def test_random_numbers_out_of_a_constant() -> None:
    proof = prove_text("""g (float[N, 3] x) => (float[A] y)
        <float[3] p = {0.5, 0.5, 0.5}> { [draw] r = Bernoulli(p) y = Mul(x, r) }""")
    assert (proof.verdict, proof.node) == ("refuted", "draw")


W44 = "float[4,4] w = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7}"
HIDDEN = f"float[4,12] w = {numbers(4, 12)}, float[12] b = {numbers(12)}"
QKV = "float[N,3,4] q, float[N,3,4] k, float[N,3,4] v"
FUSED: list[tuple[str, str, str, RowLayout | str]] = [
    ("Gelu(x)", "float[N,4] x", "", AT_0),
    ("QuickGelu(x)", "float[N,4] x", "", AT_0),
    ("FastGelu(x, b)", "float[N,4] x", "float[4] b = {1,2,3,4}", AT_0),
    ('FusedGemm<activation="Relu">(x, w, x)', "float[N,4] x", W44, AT_0),
    (
        'FusedGemm<activation="Relu", transA=1>(x, x, b)',
        "float[N,4] x",
        "float[4] b = {1,2,3,4}",
        REFUTED,
    ),
    ('FusedConv<activation="Relu">(x, w, , x)', "float[N,1,3,3] x", "float[1,1,1,1] w = {2}", AT_0),
    ("SimplifiedLayerNormalization(x, b)", "float[N,4] x", "float[4] b = {1,2,3,4}", AT_0),
    ("SkipSimplifiedLayerNormalization(x, x, b)", "float[N,3,4] x", "float[4] b = {1,2,3,4}", AT_0),
    ("QuantizeLinear(x, s, z)", "float[N,4] x", "float s = {0.5}, uint8 z = {8}", AT_0),
    ("DequantizeLinear(x, s, z)", "uint8[N,4] x", "float s = {0.5}, uint8 z = {8}", AT_0),
    (
        "DynamicQuantizeMatMul(x, w, s)",
        "float[N,2] x",
        "uint8[2,2] w = {1,2,3,4}, float s = {0.5}",
        REFUTED,
    ),
    ("Attention<num_heads=2>(x, w, b)", "float[N,3,4] x", HIDDEN, AT_0),
    ("Attention<num_heads=2>(x, w, b, m)", "float[N,3,4] x, int32[N,3] m", HIDDEN, AT_0),
    ("MultiHeadAttention<num_heads=2>(q, k, v)", QKV, "", AT_0),
]


@pytest.mark.parametrize(("node", "inputs", "constants", "expected"), FUSED, ids=str)
def test_fused_operator(node: str, inputs: str, constants: str, expected: RowLayout | str) -> None:
    """The shapes are those that ONNX Runtime gives; ONNX has no schema for these operators."""
    domain = "" if node.startswith("Simplified") else "com.microsoft."
    case = Case(f"[n] y = {domain}{node}", expected, inputs, constants, MS, output="float")
    program = program_from_text(case.text)
    output = program.model.graph.outputs[0]
    output.shape = None
    output.dtype = ir.DataType.UINT8 if node.startswith("Quant") else ir.DataType.FLOAT
    (arrays,) = run_batches(program)
    gears = GearSet("batch", tuple(Gear((size,)) for size in (1, 2, 3)), program.inputs)
    facts = {gear: dict(constant_facts(program.model)) for gear in gears}
    for gear in gears:
        for spec in program.inputs:
            shape = gears.shapes(gear)[spec.name]
            facts[gear][spec.name] = Fact(ir.DataType(spec.dtype.onnx), shape)
        array = next(a for batch, a in zip(BATCHES, arrays, strict=True) if len(batch) == gear.rows)
        facts[gear]["y"] = Fact(output.dtype, array.shape)
    proof = prove(program, gears, facts)
    if isinstance(expected, str):
        assert (proof.verdict, proof.node) == (expected, "n")
        assert not list(layouts_that_fit(arrays))
    else:
        assert proof.outputs == {"y": expected}, proof.reason
        assert keeps_rows(arrays, expected, tolerance=1e-5)


def constant_facts(model: ir.Model) -> dict[str, Fact]:
    facts = {}
    for name, value in model.graph.initializers.items():
        assert value.const_value is not None
        array = value.const_value.numpy()
        facts[name] = Fact(value.const_value.dtype, array.shape, array)
    return facts
