"""Changes of element type: every pair of types, held to exact fractions."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from op_tools import NUMBERS, Tensor

from gearshift.acl import buffers, runtime
from gearshift.acl.codes import Code
from gearshift.acl.op import run as op_run
from gearshift.acl.op.cast import BFLOAT16, TYPES, convert
from gearshift.acl.system import get_recent_err_msg

BITS = {"float16": (11, -14, 15), "float32": (24, -126, 127), "float64": (53, -1022, 1023)}
BITS["bfloat16"] = (8, -126, 127)  # bits of the fraction, least and greatest power of two
REAL = {name: number for name, number in NUMBERS.items() if not name.startswith("complex")}
SEEDS = {"float32": 1, "float64": 2, "float16": 3, "bfloat16": 4}


def nearest(value: Fraction, name: str) -> float:
    """The number of that type that is nearest; of two, the one that ends in a zero bit."""
    digits, least, greatest = BITS[name]
    if not value:
        return 0.0
    power = max(math.floor(math.log2(abs(value))), least)
    power += (abs(value) >= Fraction(2) ** (power + 1)) - (abs(value) < Fraction(2) ** power)
    unit = Fraction(2) ** (max(power, least) - digits + 1)
    rounded = round(value / unit) * unit  # Python rounds a half to the even one
    if abs(rounded) >= Fraction(2) ** (greatest + 1):
        return math.copysign(math.inf, value)
    return float(rounded)


def expected(value: float | int, name: str) -> float | int | bool:
    """What a number becomes."""
    if name == "bool":
        return value != 0
    if name in BITS:
        return value if not math.isfinite(value) else nearest(Fraction(value), name)
    limits = np.iinfo(name)
    if isinstance(value, int):
        return (value - int(limits.min)) % (1 << limits.bits) + int(limits.min)
    if math.isnan(value):
        return 0
    if math.isinf(value):
        return int(limits.max if value > 0 else limits.min)
    return min(max(math.trunc(value), int(limits.min)), int(limits.max))


def samples(name: str) -> np.ndarray:
    """Numbers of a type: its edges, the edges of others, and any."""
    random = np.random.default_rng(SEEDS.get(name, 5))
    if name == "bool":
        return np.array([False, True])
    if name not in BITS:
        limits = np.iinfo(name)
        powers = [1 << bits for bits in range(64)]
        near = [sign * power + by for power in powers for sign in (1, -1) for by in (-1, 0, 1)]
        kept = [value for value in near if limits.min <= value <= limits.max]
        any_ = random.integers(limits.min, limits.max, 200, np.dtype(name), endpoint=True)
        return np.concatenate([np.array(kept, name), any_])
    dtype = np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)
    bits = (
        random.integers(0, 1 << 8 * dtype.itemsize, 300, np.uint64, endpoint=False)
        if (dtype.itemsize < 8)
        else random.integers(0, 2**64 - 1, 300, np.uint64, endpoint=True)
    )
    any_ = bits.astype(f"uint{8 * dtype.itemsize}").view(dtype)
    edges = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1.999, 127.5, 255.9, 256.0, -1.0, 65504, 65519]
    edges += [65520, 2**31 - 1, 2**31, -(2**31), 2**32, 2**53 + 2, 2**63, -(2**63), 2**64, 1e300]
    edges += [math.inf, -math.inf, math.nan, 1e-45, 2**-24, 2**-25, 1.5 * 2**-25, 2**-133, 2**-134]
    middles = [1 + 2**-8, 1 + 2**-8 + 2**-40, 1 + 3 * 2**-8, 1 + 2**-11, 1 + 2**-11 + 2**-30]
    with np.errstate(over="ignore"):
        return np.concatenate([np.array(edges + middles, np.float64).astype(dtype), any_])


def numbers(array: np.ndarray) -> list[float | int]:
    if array.dtype == ml_dtypes.bfloat16:
        with np.errstate(invalid="ignore"):
            array = array.astype(np.float64)
    return [bool(value) if array.dtype == bool else value for value in array.tolist()]


def as_bits(array: np.ndarray) -> np.ndarray:
    return array.view(np.uint16) if array.dtype == ml_dtypes.bfloat16 else array


PAIRS = list(itertools.product([*REAL, "bfloat16"], repeat=2))


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_every_pair_of_real_types(source: str, target: str) -> None:
    given = samples(source)
    made = convert(
        as_bits(given), REAL.get(source, BFLOAT16), REAL.get(target, BFLOAT16)
    )  # fmt: skip
    if target == "bfloat16":
        made = made.view(ml_dtypes.bfloat16)
    assert made.dtype == (ml_dtypes.bfloat16 if target == "bfloat16" else target)
    for value, got in zip(numbers(given), numbers(made), strict=True):
        wanted = expected(int(value) if isinstance(value, bool) else value, target)
        both_nan = isinstance(wanted, float) and math.isnan(wanted) and math.isnan(got)
        assert both_nan or got == wanted, f"{value!r} became {got!r}, not {wanted!r}"


@pytest.mark.parametrize("name", ["complex64", "complex128"])
def test_complex_numbers(name: str) -> None:
    given = np.array([1.5 - 2j, 0, 2j, -3.9, complex(math.nan, 1)], name)
    for target, number in NUMBERS.items():
        made = convert(given, NUMBERS[name], number)
        if target == "bool":
            assert made.tolist() == [True, False, True, True, True]
        elif target.startswith("complex"):
            np.testing.assert_array_equal(made, given.astype(target))
        else:
            wanted = [expected(value, target) for value in given.real.tolist()]
            np.testing.assert_array_equal(made, np.array(wanted, target))
    back = convert(np.array([1, -2], np.int8), NUMBERS["int8"], NUMBERS[name])
    assert back.tolist() == [1 + 0j, -2 + 0j]
    assert back.dtype == name


def test_every_half_to_every_byte() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    for target in ("int8", "uint8"):
        made = convert(halves, NUMBERS["float16"], NUMBERS[target])
        assert made.tolist() == [expected(value, target) for value in halves.tolist()]


def test_every_bfloat16_there_and_back() -> None:
    bits = np.arange(1 << 16, dtype=np.uint16)
    for middle in ("float32", "float64"):
        wide = convert(bits, BFLOAT16, NUMBERS[middle])
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(wide, bits.view(ml_dtypes.bfloat16).astype(middle))
        again = convert(wide, NUMBERS[middle], BFLOAT16)
        same = ~np.isnan(wide)
        np.testing.assert_array_equal(again[same], bits[same])
        assert np.isnan(convert(again[~same], BFLOAT16, NUMBERS["float32"])).all()


def cast(source: Tensor, target: Tensor, stream: int = 0) -> int:
    return op_run.cast(source.desc, source.buffer, target.desc, target.buffer, 0, stream)


def test_the_function() -> None:
    source = Tensor(np.array([[1.9, -1.9, 300.0]], np.float32))
    target = Tensor(np.zeros((1, 3), np.uint8))
    assert cast(source, target) == 0
    assert runtime.synchronize_stream(0) == 0
    assert target.read().tolist() == [[1, 0, 255]]
    handle, ret = op_run.create_handle_for_cast(source.desc, target.desc, 1)
    assert ret == 0
    assert op_run.execute_with_handle(handle, [target.buffer], [source.buffer], 0) == (
        Code.OP_INPUT_NOT_MATCH
    )
    assert op_run.execute_with_handle(handle, [source.buffer], [target.buffer], 0) == 0
    assert runtime.synchronize_stream(0) == 0
    op_run.destroy_handle(handle)
    for tensor in (source, target):
        tensor.free()


def test_bytes_that_are_neither_0_nor_1_are_true() -> None:
    source = Tensor(np.array([0, 1, 2, 255], np.uint8), NUMBERS["bool"])
    target = Tensor(np.zeros(4, np.float32))
    assert cast(source, target) == 0
    assert runtime.synchronize_stream(0) == 0
    assert target.read().tolist() == [0, 1, 1, 1]
    for tensor in (source, target):
        tensor.free()


def test_refusals() -> None:
    source, target = Tensor(np.zeros(3, np.float32)), Tensor(np.zeros(3, np.int8))
    other = Tensor(np.zeros(4, np.int8))
    text = Tensor(np.zeros(3, np.int8), 13)
    tiles = Tensor(np.zeros(3, np.int8), layout=29)
    assert cast(source, other) == Code.OP_OUTPUT_NOT_MATCH
    assert "Cast of float32[3] gives no int8[4]" in (get_recent_err_msg() or "")
    assert cast(source, text) == Code.UNSUPPORTED_DATA_TYPE
    assert cast(tiles, target) == Code.FORMAT_NOT_MATCH
    for wrong in (0, 5, source.buffer, -1):
        assert op_run.cast(wrong, source.buffer, target.desc, target.buffer, 0, 0) == 100000
    for wrong in (0, 5, source.desc, -1):
        assert op_run.cast(source.desc, wrong, target.desc, target.buffer, 0, 0) == 100000
    assert cast(source, target, 5) == Code.RT_PARAM_INVALID
    small = buffers.create_data_buffer(source.address, 11)
    assert op_run.cast(source.desc, small, target.desc, target.buffer, 0, 0) == 100021
    assert op_run.cast(target.desc, target.buffer, source.desc, small, 0, 0) == 100022
    assert buffers.destroy_data_buffer(small) == 0
    for tensor in (source, target, other, text, tiles):
        tensor.free()


def test_every_type_has_a_size() -> None:
    assert set(TYPES) == {*NUMBERS.values(), BFLOAT16}
