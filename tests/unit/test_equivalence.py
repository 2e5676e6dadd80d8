"""The worst difference of an output: as numpy has it in one go, and in little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from gearshift.tensors import Array
from gearshift.verify.equivalence import differences

MANY = 3 * (1 << 18) + 5
"""Elements: not all of them are compared at one time."""


def worst(ours: Array, reference: Array) -> tuple[float, float]:
    (found,) = differences(["y"], [ours], [reference])
    return found.absolute, found.relative


@pytest.mark.parametrize("size", [1, 7, 1 << 18, MANY])
@pytest.mark.parametrize("place", [0, -1])
def test_the_worst_of_all(size: int, place: int) -> None:
    want = np.random.default_rng(size).standard_normal(size).astype(np.float32)
    got = want.copy()
    got[place] += 3
    absolute = np.abs(got.astype(np.float64) - want).max()
    assert worst(got, want) == (absolute, absolute / np.abs(want.astype(np.float64)).max())
    assert worst(want, want) == (0, 0)


@pytest.mark.parametrize("place", [0, MANY // 2, -1])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_on_one_side_alone(place: int, value: float) -> None:
    want = np.ones(MANY, np.float32)
    got = want.copy()
    got[place] = value
    assert worst(got, want) == (np.inf, np.inf)
    assert worst(got, got) == (0, 0)


def test_it_takes_a_fraction_of_the_output_s_own_memory() -> None:
    want = np.ones((64, 1 << 18), np.float32)
    got = want.copy()
    tracemalloc.start()
    assert worst(got, want) == (0, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < want.nbytes / 2
