"""Operators that calculate, against numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from op_tools import run

from gearshift.acl.codes import Code
from gearshift.acl.system import get_recent_err_msg

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
FLOATS = ("float16", "float32", "float64")
RANDOM = np.random.default_rng(1)


def numbers(dtype: str, *shape: int, low: int = -5, high: int = 6) -> np.ndarray:
    if dtype == "bool":
        return RANDOM.integers(0, 2, shape).astype(bool)
    if dtype in FLOATS:
        return RANDOM.uniform(low, high, shape).astype(dtype)
    return RANDOM.integers(max(low, int(np.iinfo(dtype).min)), high, shape).astype(dtype)


def check(name: str, inputs: list[np.ndarray], wanted: np.ndarray, **values: object) -> None:
    ret, (got,) = run(name, inputs, [np.zeros_like(wanted)], **values)
    assert ret == 0, get_recent_err_msg()
    loose = {"float16": 2e-3, "float32": 2e-6, "float64": 1e-12}.get(str(wanted.dtype), 0)
    np.testing.assert_allclose(got, wanted, rtol=loose, atol=loose)


TWO: dict[str, Callable[..., np.ndarray]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Maximum": np.maximum,
    "Minimum": np.minimum, "Equal": np.equal, "NotEqual": np.not_equal, "Greater": np.greater,
    "GreaterEqual": np.greater_equal, "Less": np.less, "LessEqual": np.less_equal,
}  # fmt: skip
CASES = [(name, dtype) for name in TWO for dtype in (*INTEGERS, *FLOATS)]


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_two_tensors(name: str, dtype: str) -> None:
    for first, second in (((2, 3), (2, 3)), ((4, 1, 3), (2, 1)), ((), (3,))):
        one = numbers(dtype, *first)
        two = numbers(dtype, *second)
        with np.errstate(over="ignore"):
            wanted = TWO[name](one, two)
        check(name, [one, two], np.asarray(wanted))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32"])
def test_whole_numbers_that_grow_too_large_lose_their_upper_bits(dtype: str) -> None:
    limits = np.iinfo(dtype)
    one = np.array([limits.max, limits.min, limits.max, 100], dtype)
    two = np.array([limits.max, 1, 2, 100], dtype)
    for name in ("Add", "Sub", "Mul"):
        with np.errstate(over="ignore"):
            check(name, [one, two], TWO[name](one, two))


def test_other_pairs() -> None:
    for dtype in FLOATS:
        one, two = numbers(dtype, 3, 4, low=1), numbers(dtype, 4, low=1)
        check("Div", [one, two], one / two)
        check("RealDiv", [one, two], one / two)
        check("Pow", [one, two], one**two)
    yes, no = numbers("bool", 9), numbers("bool", 9)
    check("LogicalAnd", [yes, no], yes & no)
    check("LogicalOr", [yes, no], yes | no)
    check("LogicalNot", [yes], ~yes)
    one, two = numbers("float32", 3, 3), numbers("float32", 3, 3)
    condition = numbers("bool", 3, 3)
    for name in ("Select", "SelectV2"):
        check(name, [condition, one, two], np.where(condition, one, two))
    check("ClipByValue", [one, np.float32(-1), np.float32(1)], one.clip(-1, 1))


def test_whole_numbers_are_not_divided() -> None:
    zero = np.zeros(3, np.int32)
    for name in ("Div", "RealDiv"):
        assert run(name, [zero, zero], [zero])[0] == Code.UNSUPPORTED_DATA_TYPE


ONE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Abs": np.abs, "Neg": np.negative, "Sign": np.sign, "Exp": np.exp, "Floor": np.floor,
    "Ceil": np.ceil, "Sin": np.sin, "Cos": np.cos, "Tanh": np.tanh, "Square": np.square,
    "Identity": np.positive, "Round": np.round, "Rint": np.rint,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)), "Relu": lambda x: np.maximum(x, 0),
    "Relu6": lambda x: x.clip(0, 6), "Softplus": lambda x: np.log1p(np.exp(x)),
    "Softsign": lambda x: x / (1 + np.abs(x)), "Swish": lambda x: x / (1 + np.exp(-x)),
    "HardSwish": lambda x: x * (x + 3).clip(0, 6) / 6, "Reciprocal": lambda x: 1 / x,
    "Elu": lambda x: np.where(x > 0, x, np.expm1(x)),
}  # fmt: skip
POSITIVE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Sqrt": np.sqrt, "Log": np.log, "Rsqrt": lambda x: 1 / np.sqrt(x),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_one_tensor(dtype: str) -> None:
    given = numbers(dtype, 3, 5)
    given.flat[:4] = [0.5, 1.5, 2.5, -0.5]
    for name, function in ONE.items():
        check(name, [given], function(given.astype(np.float64)).astype(dtype))
    for name, function in POSITIVE.items():
        check(name, [np.abs(given)], function(np.abs(given)).astype(dtype))


def test_settings_of_one_tensor() -> None:
    given = numbers("float32", 20)
    wide = given.astype(np.float64)
    negative = np.where(given > 0, given, given * np.float32(0.1))
    check("LeakyRelu", [given], negative, negative_slope=0.1)
    check("Elu", [given], np.where(wide > 0, wide, 2 * np.expm1(wide)).astype("f4"), alpha=2.0)
    check("Swish", [given], (wide / (1 + np.exp(-3 * wide))).astype("f4"), scale=3.0)
    check("Erf", [np.float32([0, 1, -1])], np.float32([0, 0.8427008, -0.8427008]))


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_softmax(axis: int) -> None:
    given = numbers("float32", 3, 4)
    powers = np.exp(given - given.max(axis, keepdims=True))
    wanted = powers / powers.sum(axis, keepdims=True)
    check("SoftmaxV2", [given], wanted, axes=[axis])
    check("Softmax", [given], wanted, axes=[axis])
    check("LogSoftmaxV2", [given], np.log(wanted), axes=[axis])
    if axis == -1:
        check("SoftmaxV2", [given], wanted)
    assert run("SoftmaxV2", [given], [given], axes=[0, 1])[0] == Code.OP_ATTR_NOT_MATCH


@pytest.mark.parametrize("dtype", ["float16", "float32", "int32"])
def test_places_of_the_largest_and_smallest(dtype: str) -> None:
    given = numbers(dtype, 3, 4, 2)
    given[:, 1] = given[:, 3]  # of equal ones the first counts
    for axis in (0, 1, 2, -1):
        for name, function in (("ArgMax", np.argmax), ("ArgMin", np.argmin)):
            for whole in (np.int32, np.int64):
                wanted = function(given, axis).astype(whole)
                check(f"{name}D", [given], wanted, dimension=axis)
                check(name, [given, np.array([axis], np.int32)], wanted)
    check("ArgMaxV2", [given, np.array(1, np.int64)], given.argmax(1).astype(np.int32))
    row = given[:, 0, 0]
    check("ArgMaxV2", [row, np.array([0], np.int32)], row.argmax(keepdims=True).astype(np.int32))
    assert run("ArgMaxD", [given], [np.zeros(6)], dimension=1)[0] == Code.OP_OUTPUT_NOT_MATCH
    assert run("ArgMaxD", [given], [np.zeros((3, 2), "i4")], dimension=3)[0] == 100023
    assert run("ArgMaxD", [given], [np.zeros((3, 2), "i4")])[0] == Code.OP_ATTR_NOT_MATCH


REDUCTIONS: dict[str, Callable[..., np.ndarray]] = {
    "ReduceSum": np.sum, "ReduceMean": np.mean, "ReduceMax": np.max, "ReduceMin": np.min,
    "ReduceProd": np.prod,
}  # fmt: skip


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("keep", [False, True])
def test_reductions(name: str, keep: bool) -> None:
    for dtype in ("float32", "float16", "int32", "int64"):
        if dtype.startswith("int") and name == "ReduceMean":
            continue
        given = numbers(dtype, 2, 3, 4, low=-1, high=2)
        for axes in ([0], [1, 2], [-1], [0, 1, 2]):
            wanted = REDUCTIONS[name](
                given.astype(np.float64), axis=tuple(axes), keepdims=keep
            ).astype(dtype)
            check(f"{name}D", [given], np.asarray(wanted), axes=axes, keep_dims=keep)
            check(name, [given, np.array(axes, np.int32)], np.asarray(wanted), keep_dims=keep)
    ret, _ = run(name, [given, np.zeros(0, np.int32)], [given])
    assert ret == Code.OP_ATTR_NOT_MATCH


@pytest.mark.parametrize("largest", [True, False])
def test_the_largest_ones(largest: bool) -> None:
    given = RANDOM.permutation(24).reshape(2, 12).astype(np.float32)
    order = np.argsort(-given if largest else given, axis=-1)[:, :5].astype(np.int32)
    wanted = np.take_along_axis(given, order, -1)
    for name, extra, settings in (
        ("TopKV2", [np.array([5], np.int32)], {}),
        ("TopK", [np.array(5, np.int64)], {}),
        ("TopKD", [], {"k": 5}),
        ("TopKD", [np.zeros(24, np.float16)], {"k": 5, "dim": 1}),
    ):
        outputs = [np.zeros_like(wanted), np.zeros_like(order)]
        ret, (values, places) = run(name, [given, *extra], outputs, largest=largest, **settings)
        assert ret == 0, get_recent_err_msg()
        np.testing.assert_array_equal(values, wanted)
        np.testing.assert_array_equal(places, order)
    for wrong in (0, 13, -1):
        assert run("TopKD", [given], outputs, k=wrong)[0] == Code.OP_ATTR_NOT_MATCH
    assert run("TopKD", [given], outputs[:1], k=5)[0] == Code.OP_OUTPUT_NOT_MATCH


@pytest.mark.parametrize("dtype", ["float16", "float32", "int32"])
def test_matrices(dtype: str) -> None:
    one, two, bias = numbers(dtype, 3, 4), numbers(dtype, 4, 5), numbers(dtype, 5)
    wanted = (one.astype(np.float64) @ two).astype(dtype)
    check("MatMul", [one, two], wanted)
    check("MatMulV2", [one, two], wanted, offset_x=0)
    check("MatMul", [one.T, two], wanted, transpose_x1=True)
    check("MatMul", [one, two.T], wanted, transpose_x1=False, transpose_x2=True)
    check("MatMul", [one, two.T], wanted, transpose_b=True)
    check("MatMulV2", [one, two, bias], (wanted + bias.astype(np.float64)).astype(dtype))
    many, more = numbers(dtype, 2, 3, 4), numbers(dtype, 2, 4, 5)
    wanted = (many.astype(np.float64) @ more).astype(dtype)
    check("BatchMatMul", [many, more], wanted)
    check("BatchMatMulV2", [many.swapaxes(1, 2), more], wanted, adj_x1=True)
    check("BatchMatMul", [many, more.swapaxes(1, 2)], wanted, adj_x2=True)
    assert run("MatMul", [one, one], [wanted])[0] == Code.OP_INPUT_NOT_MATCH
    assert run("MatMulV2", [one, two], [wanted], offset_x=1)[0] == Code.OP_ATTR_NOT_MATCH
    assert run("MatMul", [bias, two], [bias], transpose_x1=True)[0] == Code.OP_ATTR_NOT_MATCH


def test_gemm() -> None:
    for source, target in (("float16", "float16"), ("float16", "float32"), ("int8", "int32")):
        one, two, more = numbers(source, 3, 4), numbers(source, 4, 5), numbers(target, 3, 5)
        alpha, beta = np.array([2], target), np.array([3], target)
        exact = 2 * (one.astype(np.float64) @ two.astype(np.float64)) + 3 * more.astype(np.float64)
        check("GEMM", [one, two, more, alpha, beta], exact.astype(target))
        inputs = [np.ascontiguousarray(one.T), two, more, alpha, beta]
        check("GEMM", inputs, exact.astype(target), transpose_a=True)
