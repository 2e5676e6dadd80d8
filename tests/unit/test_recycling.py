"""Memory of results is used again once nobody can see it, and never before."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import gearshift
from artifacts import null_artifact
from gearshift import recycling
from gearshift.recycling import Recycler

_ADVISED, _LARGE = 32, 64


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recycling, "_ADVISED", _ADVISED)
    monkeypatch.setattr(recycling, "_LARGE", _LARGE)


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


@pytest.mark.parametrize("shape", [(), (1, 5), (2, 5), (3, 5), (4, 5, 3), (1 << 20, 5)])
@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.bool_, np.float16, ml_dtypes.bfloat16])
def test_an_array_is_like_numpys(shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    array = Recycler().empty(shape, dtype)
    assert array.shape == shape
    assert array.dtype == dtype
    assert array.flags.c_contiguous
    assert array.flags.aligned
    assert array.flags.writeable
    assert type(array) is np.ndarray
    array[...] = 1
    assert (array == 1).all()


def test_a_small_one_has_its_own_memory() -> None:
    assert Recycler().empty((_ADVISED - 1,), np.uint8).flags.owndata


def test_what_is_neither_small_nor_large_is_not_kept() -> None:
    recycler = Recycler()
    for nbytes in (_ADVISED, _LARGE - 1):
        array = recycler.empty((nbytes,), np.uint8)
        assert array.nbytes == nbytes
        del array
    assert not recycler._free


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_memory_of_its_own() -> None:
    array = Recycler().empty((_LARGE,), np.uint8)
    array[:] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other tests may have left threads
        child = os.fork()
    if child == 0:
        try:
            array[:] = 2
        finally:
            os._exit(int(array[0] != 2))
    assert os.waitpid(child, 0)[1] == 0
    assert (array == 1).all()


def test_too_much_is_a_memory_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recycling, "_HUGE", 1 << 62)
    with pytest.raises(MemoryError, match=f"a result takes {1 << 60} bytes: "):
        Recycler().empty((1 << 60,), np.uint8)
    monkeypatch.setattr(recycling, "_LARGE", 1 << 61)
    with pytest.raises(MemoryError):
        Recycler().empty((1 << 60,), np.uint8)


@pytest.mark.skipif(sys.platform != "linux", reason="others do not tell")
def test_no_huge_pages_are_asked_for() -> None:
    """The first to touch them would wait for the host of a virtual machine."""
    array = Recycler().empty((16 << 20,), np.uint8)
    assert b"hg" not in _flags(_address(array))
    asking = np.empty(256 << 20, np.uint8)  # as numpy does by itself, else this tests nothing
    if b"hg" not in _flags(_address(asking) + (128 << 20)):
        pytest.skip("numpy asks for none here")


_FIRST = """
import sys
import numpy as np
import test_recycling
from gearshift.recycling import Recycler

empty = np.empty if sys.argv[1] == "numpy" else Recycler().empty
array = empty((24 << 20,), np.uint8)  # larger than what is left of anything that came before
print(b"hg" in test_recycling._flags(test_recycling._address(array) + (12 << 20)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="others do not tell")
def test_none_are_asked_for_memory_that_the_c_library_keeps() -> None:
    asked = {
        who: subprocess.run(
            [sys.executable, "-c", _FIRST, who],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for who in ("numpy", "ours")
    }
    if asked["numpy"] != "True":
        pytest.skip("numpy asks for none here")
    assert asked["ours"] == "False"


def _flags(address: int) -> list[bytes]:
    """What the system notes of the mapping there."""
    inside = False
    for line in Path("/proc/self/smaps").read_bytes().splitlines():
        first, *rest = line.split()
        if not first.endswith(b":"):
            start, end = (int(part, 16) for part in first.split(b"-"))
            inside = start <= address < end
        elif inside and first == b"VmFlags:":
            return rest
    raise AssertionError(f"nothing is mapped at {address:#x}")


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
        lambda array: array.__array_struct__,
        lambda array: array.__dlpack__(),
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


def test_a_block_too_small_or_far_too_large_is_not_used() -> None:
    recycler = Recycler()
    for first, then in [((100,), (101,)), ((300,), (100,))]:
        array = recycler.empty(first, np.uint8)
        array[...] = 1
        del array
        fresh = recycler.empty(then, np.uint8)
        assert fresh.base is not None
        assert fresh.base.base._block.nbytes == then[0]
        recycler.let_go()


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
        for _ in range(500):
            array = recycler.empty((100 + number,), np.uint8)
            array[...] = number
            time.sleep(0)  # lets another thread in
            if not (array == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_results_of_several_outputs_each_find_their_block() -> None:
    recycler = Recycler(2)
    for sizes in ((1000, 100), (100, 1000)):
        large, small = (recycler.empty((size,), np.uint8) for size in sizes)
        addresses = {_address(large), _address(small)}
        del large, small
        again = [recycler.empty((size,), np.uint8) for size in sizes]
        assert {_address(array) for array in again} == addresses
        del again


def test_the_largest_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recycling, "_HUGE", 1000)
    recycler = Recycler()
    assert recycler.empty((1001,), np.uint8).flags.owndata
    assert not recycler.empty((1000,), np.uint8).flags.owndata


def test_what_nobody_uses_can_be_given_back() -> None:
    recycler = Recycler()
    del (held := [recycler.empty((100,), np.uint8)])[0]
    assert not held
    assert recycler._free
    recycler.let_go()
    assert not recycler._free
    del (held := [recycler.empty((100,), np.uint8)])[0]
    assert recycler._free, "it goes on keeping some"


def _last(result: dict[str, np.ndarray]) -> int:
    return _address(result["y"])


def test_a_session_writes_to_memory_that_was_let_go_of(tmp_path: Path) -> None:
    x = np.arange(120, dtype=np.float32).reshape(40, 3)
    expected = np.repeat(x.sum(1, keepdims=True), 2, 1)
    with gearshift.load(null_artifact(tmp_path)) as model:
        kept = model.run({"x": x})
        first = _last(model.run({"x": x}))
        for _ in range(3):
            result = model.run({"x": x})
            assert _last(result) == first
            np.testing.assert_array_equal(result["y"], expected)
            del result
        assert _last(kept) != first
        np.testing.assert_array_equal(kept["y"], expected)
        assert model._recycler._free
    assert not model._recycler._free


@pytest.mark.parametrize("budget", ["memory", 10**9])
def test_a_session_with_a_limit_keeps_nothing(tmp_path: Path, budget: str | int) -> None:
    with gearshift.load(null_artifact(tmp_path), memory_budget=budget) as model:  # type: ignore[arg-type]
        model.run({"x": np.ones((40, 3), np.float32)})
        assert not model._recycler._free
