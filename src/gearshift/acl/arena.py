"""Addresses that are ours for as long as the process lives.

Memory that a program allocates lies in large mappings that are never unmapped. What is freed gives
its pages back to the system, and its addresses stay ours: a program that still uses them is told
so, or at worst reads zeros through an array it kept, and nothing else was put there. Addresses are
handed out round and round, so that it takes a gigabyte of allocations until one comes back.
"""

from __future__ import annotations

import bisect
import contextlib
import ctypes
import mmap
import threading
from typing import Final

PAGE: Final = mmap.PAGESIZE
_ARENA_BYTES: Final = 1 << 30


class Arena:
    """One mapping, its free ranges, and where the next search starts.

    Args:
        length: bytes, a whole number of pages.
    """

    def __init__(self, length: int) -> None:
        self._map = _mapped(length)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self.end = self.start + length
        self._free: list[tuple[int, int]] = [(self.start, self.end)]
        self._next = self.start

    def take(self, length: int) -> int | None:
        """Address of a range of that length, free until now; None if there is none."""
        first = bisect.bisect_right(self._free, (self._next, self.end))
        if first and self._free[first - 1][1] >= self._next + length:
            return self._cut(first - 1, self._next, length)
        for index in (*range(first, len(self._free)), *range(first)):
            start, end = self._free[index]
            if end - start >= length:
                return self._cut(index, start, length)
        return None

    def give_back(self, start: int, length: int) -> None:
        """Makes a range free again and returns its pages to the system."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED, start - self.start, length)
        end = start + length
        index = bisect.bisect_left(self._free, (start, end))
        if index < len(self._free) and self._free[index][0] == end:
            end = self._free.pop(index)[1]
        if index and self._free[index - 1][1] == start:
            index -= 1
            start = self._free.pop(index)[0]
        self._free.insert(index, (start, end))

    def _cut(self, index: int, start: int, length: int) -> int:
        low, high = self._free[index]
        pieces = ((low, start), (start + length, high))
        self._free[index : index + 1] = [piece for piece in pieces if piece[0] < piece[1]]
        self._next = start + length
        return start


class AddressSpace:
    """All arenas together. Safe to use from several threads."""

    def __init__(self) -> None:
        self._arenas: list[Arena] = []
        self._lock = threading.Lock()

    def take(self, length: int) -> int:
        """Address of that many bytes, rounded up to pages; OSError if the system has no more."""
        length = _paged(length)
        with self._lock:
            for arena in self._arenas:
                address = arena.take(length)
                if address is not None:
                    return address
            arena = _new_arena(length)
            self._arenas.append(arena)
            address = arena.take(length)
        assert address is not None
        return address

    def give_back(self, address: int, length: int) -> None:
        """Frees what `take` gave for that length."""
        with self._lock:
            arena = next(each for each in self._arenas if each.start <= address < each.end)
            arena.give_back(address, _paged(length))

    def overlaps(self, address: int, count: int) -> bool:
        """Whether one of these bytes is ours."""
        return any(arena.start < address + count and address < arena.end for arena in self._arenas)


def _paged(length: int) -> int:
    return max(-(-length // PAGE), 1) * PAGE


def _new_arena(length: int) -> Arena:
    if length < _ARENA_BYTES:
        with contextlib.suppress(OSError):  # a host that grants no gigabyte of mere addresses
            return Arena(_ARENA_BYTES)
    try:
        return Arena(length)
    except (ValueError, OverflowError) as error:
        raise OSError(str(error)) from error


def _mapped(length: int) -> mmap.mmap:
    if hasattr(mmap, "MAP_PRIVATE"):
        # Not shared, which is Python's default: a forked process writes into pages of its own.
        made = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    else:
        made = mmap.mmap(-1, length)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        # A huge page would stay in memory for one small block of it.
        with contextlib.suppress(OSError):  # kernels without huge pages know no such advice
            made.madvise(mmap.MADV_NOHUGEPAGE)
    # The interpreter must not unmap it on its way out: other threads may be at work in it.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(made))
    return made
