"""Copies that stop where memory stops, by each way there is; and the addresses that are ours."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gearshift.acl import reach as reaching
from gearshift.acl.arena import PAGE, AddressSpace, Arena
from gearshift.acl.reach import Copy, kernel_copy, pipe_copy, reach, windows_copy

WAYS = {"kernel": kernel_copy(), "pipe": pipe_copy(), "windows": windows_copy()}
HERE = {name: copy for name, copy in WAYS.items() if copy}
PAGES = 40


def test_there_is_a_way() -> None:
    assert "pipe" in HERE or "windows" in HERE


def test_a_kernel_that_forbids_it_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "kernel_copy", lambda: lambda *_: 0)
    monkeypatch.setattr(reaching, "windows_copy", lambda: None)
    copy = reaching._chosen()
    into, from_ = np.zeros(300000, np.uint8), np.arange(300000, dtype=np.uint32).astype(np.uint8)
    assert reach(into.ctypes.data, from_.ctypes.data, 300000, copy) == 300000
    np.testing.assert_array_equal(into, from_)
    monkeypatch.setattr(reaching, "pipe_copy", lambda: None)
    with pytest.raises(OSError, match="no way to copy"):
        reaching._chosen()


class Islands:
    """Pages of which every other run is missing; `rights` says which can be used."""

    def __init__(self) -> None:
        self.map = mmap.mmap(-1, PAGES * PAGE)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        self.bytes = np.frombuffer(self.map, np.uint8)

    def forbid(self, page: int) -> None:
        self._protect(page, 0)

    def allow(self, page: int) -> None:
        self._protect(page, mmap.PROT_READ | mmap.PROT_WRITE)

    def _protect(self, page: int, rights: int) -> None:
        at = ctypes.c_void_p(self.start + page * PAGE)
        assert ctypes.CDLL(None).mprotect(at, ctypes.c_size_t(PAGE), rights) == 0


ISLANDS = Islands()


@pytest.mark.parametrize("copy", HERE.values(), ids=HERE)
@given(
    start=st.integers(0, 3 * PAGE),
    count=st.integers(0, 36 * PAGE),
    missing=st.integers(0, PAGES - 1),
    reads=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_copies_to_the_first_missing_page(
    copy: Copy, start: int, count: int, missing: int, reads: bool
) -> None:
    ISLANDS.bytes[:] = np.arange(PAGES * PAGE) % 251
    other = np.full(PAGES * PAGE, 255, np.uint8)
    whole = ISLANDS.bytes.copy()
    at, there = ISLANDS.start + start, other.ctypes.data + 17
    edge = missing * PAGE
    expected = count
    if start < edge + PAGE and start + count > edge:
        expected = max(edge - start, 0)
    ISLANDS.forbid(missing)
    try:
        done = reach(there, at, count, copy) if reads else reach(at, there, count, copy)
    finally:
        ISLANDS.allow(missing)
    assert done == expected
    if reads:
        np.testing.assert_array_equal(other[17 : 17 + done], whole[start : start + done])
        assert (other[17 + done :] == 255).all()
    else:
        whole[start : start + done] = 255
        np.testing.assert_array_equal(ISLANDS.bytes, whole)


@pytest.mark.parametrize("copy", HERE.values(), ids=HERE)
@pytest.mark.parametrize("address", [0, 1, 4095, 1 << 47, 1 << 63, (1 << 64) - 1])
def test_nowhere(copy: Copy, address: int) -> None:
    here = np.zeros(100, np.uint8)
    assert reach(here.ctypes.data, address, 100, copy) == 0
    assert reach(address, here.ctypes.data, 100, copy) == 0
    assert reach(address, address, 100, copy) == 0


@given(
    st.lists(
        st.one_of(st.integers(1, 9 * PAGE), st.tuples(st.integers(0, 30))), min_size=1, max_size=60
    )
)
@settings(max_examples=200, deadline=None)
def test_an_arena_never_gives_a_page_twice(steps: list[int | tuple[int]]) -> None:
    arena = Arena(32 * PAGE)
    living: dict[int, int] = {}
    for step in steps:
        if isinstance(step, tuple):
            if living:
                start = sorted(living)[step[0] % len(living)]
                arena.give_back(start, living.pop(start))
            continue
        length = -(-step // PAGE) * PAGE
        start = arena.take(length)
        taken = {at for low, size in living.items() for at in range(low, low + size, PAGE)}
        pages = [arena.start + index * PAGE not in taken for index in range(32)]
        runs = "".join("x"[not free :] or " " for free in pages).split()
        if start is None:
            assert max(map(len, runs), default=0) < length // PAGE, "there was room"
            continue
        assert arena.start <= start <= arena.end - length
        assert taken.isdisjoint(range(start, start + length, PAGE))
        living[start] = length
    for start, length in living.items():
        arena.give_back(start, length)
    assert arena.take(32 * PAGE) == arena.start, "all of it is one again"


def test_given_back_memory_reads_as_zeros() -> None:
    arena = Arena(4 * PAGE)
    start = arena.take(2 * PAGE)
    assert start is not None
    ctypes.memset(start, 1, 2 * PAGE)
    arena.give_back(start, 2 * PAGE)
    assert ctypes.string_at(start, 2 * PAGE) == bytes(2 * PAGE)


def test_a_space_grows_by_arenas() -> None:
    space = AddressSpace()
    small = space.take(1)
    large = space.take((1 << 30) + 1)
    for address in (small, large, large + (1 << 30)):
        assert space.overlaps(address, 1)
    assert not space.overlaps(ISLANDS.start, 1)
    assert space.overlaps(small - 1, 2)
    space.give_back(large, (1 << 30) + 1)
    assert space.take(1 << 30) == large, "not in the first arena, where a page is taken"
    with pytest.raises(OSError, match=r"."):
        space.take(1 << 62)
