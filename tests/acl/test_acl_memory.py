"""Memory: allocation, copies, and every way in which an address can be wrong."""

from __future__ import annotations

import ctypes
import mmap
import threading
import time

import numpy as np
import pytest

from gearshift.acl import memory as rt
from gearshift.acl import runtime, util
from gearshift.acl.codes import Code
from gearshift.acl.system import get_recent_err_msg

H2D, D2H, D2D = 1, 2, 3


def block(size: int) -> int:
    address, ret = rt.malloc(size, 0)
    assert ret == 0
    return address


def test_a_block_is_real_memory() -> None:
    address = block(64)
    ctypes.memset(address, 7, 64)
    assert ctypes.string_at(address, 64) == b"\7" * 64
    assert util.ptr_to_bytes(address + 1, 3) == b"\7\7\7"
    assert rt.free(address) == 0


@pytest.mark.parametrize("policy", [0, 1, 2, 3, 0x0100])
def test_policies(policy: int) -> None:
    address, ret = rt.malloc(10, policy)
    assert ret == 0
    assert address % 64 == 0
    assert rt.free(address) == 0


@pytest.mark.parametrize(
    ("size", "policy", "code"),
    [
        (0, 0, Code.INVALID_PARAM),
        (10, 99, Code.INVALID_PARAM),
        (-1, 0, Code.RT_MEMORY_ALLOCATION),
        (1 << 60, 0, Code.RT_MEMORY_ALLOCATION),
    ],
)
def test_refused_allocations(size: int, policy: int, code: Code) -> None:
    for allocate in (rt.malloc, rt.malloc_align32, rt.malloc_cached):
        assert allocate(size, policy) == (0, code)
    if policy == 0:
        assert rt.malloc_host(size) == (0, code)


def test_what_can_be_freed() -> None:
    device, host = block(100), rt.malloc_host(100)[0]
    array = np.zeros(100, np.uint8)
    assert rt.free(0) == Code.INVALID_PARAM
    for wrong in (device + 1, device + 4096, host, array.ctypes.data, 12345, -1):
        assert rt.free(wrong) == Code.RT_PARAM_INVALID
    assert rt.free_host(device) == Code.RT_PARAM_INVALID
    assert "device memory, not host memory" in (get_recent_err_msg() or "")
    assert rt.free(device) == 0
    assert rt.free(device) == Code.RT_PARAM_INVALID
    assert "freed before" in (get_recent_err_msg() or "")
    assert rt.free_host(host) == 0
    assert rt.free_host(host) == Code.RT_PARAM_INVALID


def test_addresses_do_not_come_back_soon() -> None:
    seen = set()
    for _ in range(1000):
        address = block(1000)
        assert address not in seen
        seen.add(address)
        assert rt.free(address) == 0


def test_use_after_free_is_a_code() -> None:
    address, other = block(100), block(100)
    view = util.ptr_to_numpy(address, (100,), 2)
    assert rt.free(address) == 0
    assert rt.memset(address, 100, 1, 100) == Code.RT_PARAM_INVALID
    assert rt.memcpy(address, 100, other, 100, D2D) == Code.RT_PARAM_INVALID
    assert rt.memcpy(other, 100, address, 100, D2D) == Code.RT_PARAM_INVALID
    assert util.ptr_to_bytes(address, 1) is None
    assert util.ptr_to_numpy(address, (1,), 2) is None
    assert view.sum() == 0, "an array that was kept still has memory under it"
    assert rt.free(other) == 0


def test_bounds_of_a_block() -> None:
    address, other = block(100), block(5000)
    assert rt.memcpy(address, 5000, other, 101, D2D) == Code.RT_PARAM_INVALID
    assert rt.memcpy(address + 60, 5000, other, 41, D2D) == Code.RT_PARAM_INVALID
    assert "ends 40 bytes from there" in (get_recent_err_msg() or "")
    assert rt.memcpy(other, 5000, address + 1, 100, D2D) == Code.RT_PARAM_INVALID
    assert rt.memset(address, 101, 0, 101) == Code.RT_PARAM_INVALID
    assert rt.memcpy(address + 60, 40, other + 4960, 40, D2D) == 0
    for each in (address, other):
        assert rt.free(each) == 0


def test_dst_max_is_checked_whatever_the_memory() -> None:
    source, target = np.arange(8, dtype=np.uint8), np.zeros(8, np.uint8)
    arguments = (target.ctypes.data, 7, source.ctypes.data, 8, 0)
    assert rt.memcpy(*arguments) == Code.RT_PARAM_INVALID
    assert "8 bytes into 7" in (get_recent_err_msg() or "")
    assert not target.any()
    assert rt.memset(target.ctypes.data, 7, 1, 8) == Code.RT_PARAM_INVALID


def test_null_kind_and_nothing() -> None:
    address = block(8)
    assert rt.memcpy(0, 8, address, 8, D2D) == Code.INVALID_PARAM
    assert rt.memcpy(address, 8, 0, 8, D2D) == Code.INVALID_PARAM
    assert rt.memcpy(address, 8, address, 8, 8) == Code.INVALID_PARAM
    assert rt.memcpy(address, 8, address, 8, -1) == Code.INVALID_PARAM
    assert rt.memcpy(address, 0, address, 0, D2D) == 0
    assert rt.memset(0, 8, 0, 8) == Code.INVALID_PARAM
    assert rt.free(address) == 0


def test_memory_of_arrays_bytes_and_ctypes() -> None:
    array = np.random.default_rng(1).integers(0, 255, 5000, np.uint8)
    address = block(5000)
    assert rt.memcpy(address, 5000, array.ctypes.data, 5000, H2D) == 0
    into = bytes(5000)
    assert rt.memcpy(util.bytes_to_ptr(into) + 1000, 4000, address + 1000, 4000, D2H) == 0
    assert into == bytes(1000) + array[1000:].tobytes()
    buffer = ctypes.create_string_buffer(5000)
    at = ctypes.addressof(buffer)
    assert rt.memcpy(at, 5000, util.bytes_to_ptr(into), 5000, 0) == 0
    assert buffer.raw == into
    assert rt.memset(at + 1, 4999, 0x1FF, 4999) == 0
    assert buffer.raw == b"\0" + b"\xff" * 4999
    assert rt.free(address) == 0


def test_overlapping_ranges() -> None:
    address = block(10)
    ctypes.memmove(address, b"0123456789", 10)
    assert rt.memcpy(address + 2, 8, address, 8, D2D) == 0
    assert util.ptr_to_bytes(address, 10) == b"0101234567"
    assert rt.free(address) == 0


@pytest.mark.parametrize("wrong", [1, 16, 4096, 1 << 47, (1 << 64) - 4, -1, -(1 << 40)])
def test_addresses_that_nothing_is_at(wrong: int) -> None:
    address = block(8192)
    for count in (1, 8, 8192):
        assert rt.memcpy(wrong, count, address, count, D2H) == Code.RT_PARAM_INVALID
        assert rt.memcpy(address, 8192, wrong, count, H2D) == Code.RT_PARAM_INVALID
        assert rt.memcpy(wrong, count, wrong, count, 0) == Code.RT_PARAM_INVALID
        assert rt.memset(wrong, count, 0, count) == Code.RT_PARAM_INVALID
        assert util.ptr_to_bytes(wrong, count) is None
        assert util.ptr_to_numpy(wrong, (count,), 1) is None
    assert rt.free(address) == 0


class Fence:
    """Two pages, of which the second can be given less rights than the first."""

    def __init__(self, rights: int) -> None:
        self.map = mmap.mmap(-1, 2 * mmap.PAGESIZE)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        self.end = self.start + mmap.PAGESIZE
        protect = ctypes.CDLL(None).mprotect
        assert protect(ctypes.c_void_p(self.end), ctypes.c_size_t(mmap.PAGESIZE), rights) == 0


def test_a_source_that_ends_early_counts_as_zeros(caplog: pytest.LogCaptureFixture) -> None:
    fence, address = Fence(0), block(8000)
    ctypes.memset(fence.start, 5, mmap.PAGESIZE)
    assert rt.memset(address, 8000, 9, 8000) == 0
    assert rt.memcpy(address, 8000, fence.end - 100, 8000, H2D) == 0
    assert util.ptr_to_bytes(address, 8000) == b"\5" * 100 + bytes(7900)
    assert "of which 100 can be read" in caplog.text
    assert rt.free(address) == 0


@pytest.mark.parametrize("rights", [0, mmap.PROT_READ])
def test_a_destination_that_ends_early_is_a_code(rights: int) -> None:
    fence, address = Fence(rights), block(8000)
    at = fence.end - 100
    assert rt.memcpy(at, 8000, address, 8000, D2H) == Code.RT_PARAM_INVALID
    assert "of which 100 can be written" in (get_recent_err_msg() or "")
    other = np.zeros(8000, np.uint8)
    assert rt.memcpy(at, 8000, other.ctypes.data, 8000, 0) == Code.RT_PARAM_INVALID
    assert rt.memset(at, 8000, 0, 8000) == Code.RT_PARAM_INVALID
    assert rt.memset(at, 8000, 0, 100) == 0
    assert rt.free(address) == 0


def test_reading_far_behind_a_small_bytes_object() -> None:
    """What a sample does with its small gears; the bytes that are there arrive."""
    address, small = block(602112), bytes(range(256)) * 147
    assert rt.memcpy(address, 602112, util.bytes_to_ptr(small), 602112, H2D) == 0
    assert util.ptr_to_bytes(address, len(small)) == small
    assert rt.free(address) == 0


def test_rectangles() -> None:
    source = np.arange(60, dtype=np.uint8).reshape(6, 10)
    target = np.zeros((6, 12), np.uint8)
    arguments = (target.ctypes.data + 2, 12, source.ctypes.data + 1, 10)
    assert rt.memcpy2d(*arguments, 4, 5, 0) == 0
    expected = np.zeros((6, 12), np.uint8)
    expected[:5, 2:6] = source[:5, 1:5]
    np.testing.assert_array_equal(target, expected)
    assert rt.memcpy2d(*arguments, 11, 5, 0) == Code.RT_PARAM_INVALID
    assert rt.memcpy2d(*arguments, 4, 0, 0) == 0
    assert rt.memcpy2d(*arguments[:1], 0, arguments[2], 0, 0, 1 << 63, 0) == 0, "at once"
    address = block(40)
    assert rt.memcpy2d(address, 10, source.ctypes.data, 10, 10, 5, 1) == Code.RT_PARAM_INVALID
    assert util.ptr_to_bytes(address, 40) == bytes(40), "not even its first rows"
    assert rt.memcpy2d(address, 10, source.ctypes.data, 10, 10, 1 << 50, 1) != 0
    assert rt.memcpy2d(address, 10, source.ctypes.data, 10, 10, 4, 1) == 0
    assert util.ptr_to_bytes(address, 40) == source[:4].tobytes()
    assert rt.free(address) == 0


def test_what_is_free_and_what_is_there() -> None:
    free, total, ret = rt.get_mem_info(1)
    assert ret == 0
    assert 0 < free <= total
    address = block(1 << 20)
    assert rt.get_mem_info(0) == (free - (1 << 20), total, 0)
    assert rt.free(address) == 0
    assert rt.get_mem_info(0) == (free, total, 0)
    assert rt.get_mem_info(12) == (0, 0, Code.INVALID_PARAM)
    assert rt.malloc(free + 1, 0) == (0, Code.RT_MEMORY_ALLOCATION)


def test_caches_need_no_care() -> None:
    address = block(100)
    for function in (rt.mem_flush, rt.mem_invalidate):
        assert function(address, 100) == 0
        assert function(address, 101) == Code.RT_PARAM_INVALID
        assert function(0, 1) == Code.INVALID_PARAM
    assert rt.free(address) == 0


def test_tasks_of_a_stream() -> None:
    stream, _ = runtime.create_stream()
    address, array = block(100), np.arange(100, dtype=np.uint8)
    into = np.zeros(100, np.uint8)
    assert rt.memset_async(address, 100, 3, 100, stream) == 0
    assert rt.memcpy_async(address, 100, array.ctypes.data, 50, H2D, stream) == 0
    assert rt.memcpy_async(into.ctypes.data, 100, address, 100, D2H, stream) == 0
    assert runtime.synchronize_stream(stream) == 0
    np.testing.assert_array_equal(into, [*range(50), *[3] * 50])
    assert rt.memcpy_async(address, 10, array.ctypes.data, 11, H2D, stream) == Code.RT_PARAM_INVALID
    assert rt.memset_async(0, 10, 0, 1, stream) == Code.INVALID_PARAM
    assert rt.memset_async(address, 10, 0, 1, 77) == Code.RT_PARAM_INVALID
    assert rt.free(address) == 0
    assert rt.memset_async(address, 100, 3, 100, stream) == 0, "found out when it comes by"
    assert rt.memcpy_async(into.ctypes.data, 100, array.ctypes.data, 100, 0, stream) == 0
    assert runtime.synchronize_stream(stream) == Code.RT_PARAM_INVALID
    assert "freed" in (get_recent_err_msg() or "")
    assert runtime.synchronize_stream(stream) == 0
    np.testing.assert_array_equal(into, array, "the tasks behind a failed one run")
    assert runtime.destroy_stream(stream) == 0


def test_a_thread_without_a_context_is_refused() -> None:
    codes: list[int] = []
    address = block(10)

    def work() -> None:
        codes.append(rt.malloc(10, 0)[1])
        codes.append(rt.malloc_host(10)[1])
        codes.append(rt.memcpy(address, 10, address, 10, D2D))
        codes.append(rt.memset(address, 10, 0, 10))
        codes.append(rt.free(address))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert codes == [Code.RT_CONTEXT_NULL] * 4 + [0]


def test_memory_is_given_back_to_the_system() -> None:
    """Ten gigabytes in turn, of which no two are there at once; each page would be written."""
    before = _resident()
    for _ in range(1000):
        address = block(10 << 20)
        ctypes.memset(address, 1, 1 << 16)
        assert rt.free(address) == 0
    for _ in range(5000):
        address = block(16)
        ctypes.memset(address, 1, 16)
        assert rt.free(address) == 0
    assert _resident() - before < 8 << 20


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE


@pytest.mark.parametrize("ours", [True, False], ids=["block", "array"])
def test_a_large_copy_lets_other_threads_work(ours: bool) -> None:
    size = 64 << 20
    array = np.ones(size, np.uint8)
    address = block(size)
    source = address if ours else array.ctypes.data
    target = block(size)
    assert rt.memset(source, size, 1, size) == 0
    during, over = [], threading.Event()

    def copy() -> None:
        runtime.set_device(0)
        started = time.perf_counter()
        for _ in range(5):
            assert rt.memcpy(target, size, source, size, D2D) == 0
        during.append(time.perf_counter() - started)
        over.set()

    thread = threading.Thread(target=copy)
    thread.start()
    ticks = 0
    while not over.is_set():
        time.sleep(0.001)
        ticks += 1
    thread.join()
    assert ticks >= 5, f"{during[0]:.3f} s"
    for each in (address, target):
        assert rt.free(each) == 0


def test_many_threads() -> None:
    errors: list[object] = []

    def work(seed: int) -> None:
        runtime.set_device(0)
        random = np.random.default_rng(seed)
        for _ in range(100):
            size = int(random.integers(1, 20000))
            data = random.integers(0, 255, size, np.uint8)
            address = block(size)
            rt.memcpy(address, size, data.ctypes.data, size, H2D)
            if util.ptr_to_bytes(address, size) != data.tobytes() or rt.free(address):
                errors.append((seed, size))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
