"""Memory of results is used again once nobody can see it, and never before."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from gearshift import recycling
from gearshift.recycling import Recycler

_LARGE = 64


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recycling, "_LARGE", _LARGE)


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_an_array_is_like_numpys() -> None:
    array = Recycler().empty((4, 5, 3), np.float32)
    assert array.shape == (4, 5, 3)
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert type(array) is np.ndarray


def test_a_small_one_has_its_own_memory() -> None:
    assert Recycler().empty((_LARGE - 1,), np.uint8).flags.owndata


def test_memory_that_was_let_go_of_is_used_again_for_another_shape_and_dtype() -> None:
    recycler = Recycler()
    array = recycler.empty((10, 10), np.float64)
    address = _address(array)
    del array
    assert _address(recycler.empty((5, 20), np.int32)) == address


@pytest.mark.parametrize(
    "hold",
    [
        lambda array: array,
        lambda array: array[3:],
        lambda array: array[3:].reshape(-1)[5:].T,
        lambda array: array.view(np.uint8),
        memoryview,
        lambda array: memoryview(array)[2:],
        lambda array: np.frombuffer(array, np.uint8),
        lambda array: np.asarray(memoryview(array)),
        lambda array: np.from_dlpack(array),
        lambda array: array.flat,
        lambda array: np.lib.stride_tricks.as_strided(array, (2, 2), (8, 8)),
        lambda array: (array.__array_struct__, array)[1:],
    ],
)
def test_whatever_holds_it_keeps_it(hold: object) -> None:
    recycler = Recycler()
    array = recycler.empty((20, 8), np.float64)
    array[...] = 7
    address = _address(array)
    held = hold(array)  # type: ignore[operator]
    del array
    gc.collect()
    other = recycler.empty((20, 8), np.float64)
    assert _address(other) != address
    other[...] = 1
    assert held is not None
    del held
    gc.collect()
    assert _address(recycler.empty((20, 8), np.float64)) == address


def test_a_block_too_small_or_far_too_large_is_let_go_of() -> None:
    recycler = Recycler()
    for first, then in [((100,), (101,)), ((300,), (100,))]:
        array = recycler.empty(first, np.uint8)
        array[...] = 1
        del array
        fresh = recycler.empty(then, np.uint8)
        assert fresh.base._block.nbytes == then[0]  # type: ignore[union-attr]


def test_no_more_blocks_are_kept_than_were_asked_for() -> None:
    recycler = Recycler(1)
    first, second = (recycler.empty((100,), np.uint8) for _ in range(2))
    kept = _address(second)
    del first, second
    third, fourth = (recycler.empty((100,), np.uint8) for _ in range(2))
    assert _address(third) == kept
    assert len(recycler._free) == 0
    del third, fourth
    assert len(recycler._free) == 1


def test_nothing_is_kept_of_no_blocks_and_after_closing() -> None:
    none = Recycler(0)
    del (array := {0: none.empty((100,), np.uint8)})[0]
    assert not none._free
    recycler = Recycler()
    array = {0: recycler.empty((100,), np.uint8)}
    recycler.close()
    del array[0]
    assert not recycler._free
    assert recycler.empty((100,), np.uint8).nbytes == 100


def test_arrays_outlive_it() -> None:
    recycler = Recycler()
    array = recycler.empty((100,), np.uint8)
    array[...] = 3
    del recycler
    gc.collect()
    assert (array == 3).all()


def test_threads_never_get_the_same_memory() -> None:
    recycler = Recycler(4)
    wrong = []

    def use(number: int) -> None:
        for _ in range(3000):
            array = recycler.empty((100 + number,), np.uint8)
            array[...] = number
            if not (array == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
