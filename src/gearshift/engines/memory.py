"""Memory that building a program leaves behind, given back to the system.

An engine reads all the weights while it builds and then computes on a repacked copy, and libraries
keep what they freed. Both stay in the process's resident set for as long as nobody says otherwise.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
import threading
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np

from gearshift.tensors import Array

_MAPS: Final = Path("/proc/self/maps")  # one mapping a line, see proc_pid_maps(5)
_PAGEMAP: Final = Path("/proc/self/pagemap")  # one 64-bit word a page, see proc_pid_pagemap(5)
_THERE: Final = np.uint64(0b11 << 62)  # in memory, or in swap
_OF_FILE: Final = np.uint64(1 << 61)

_kept: WeakKeyDictionary[object, frozenset[range]] = WeakKeyDictionary()
_keeping = threading.Lock()


def give_back_memory(pool: Array | None = None) -> None:
    """Gives back freed memory, and the pages of weights that lie in a file.

    The pages come back when they are read. Does what the system has the means for, which on others
    than Linux is nothing. Weights that are in no file, or were written to, stay as they are.

    Args:
        pool: weights that the caller mapped; what engines mapped for themselves they told.
    """
    if sys.platform != "linux":
        return
    if hasattr(_libc(), "malloc_trim"):  # glibc's
        _libc().malloc_trim(0)
    if pool is not None:
        start = -(-pool.ctypes.data // mmap.PAGESIZE) * mmap.PAGESIZE
        end = (pool.ctypes.data + pool.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
        _drop(range(start, end))
    with _keeping:
        # A list of its keepers keeps a mapping where it is. Whatever took the place of one that
        # is gone would lose its contents.
        keepers = list(_kept.items())
    if keepers:
        mapped = {place for place, _ in _mappings()}
        for _, places in keepers:
            for place in places & mapped:
                _drop(place)


def keep_mappings(keeper: object, places: Collection[range]) -> None:
    """Tells of mappings of files that stay where they are for as long as the keeper lives."""
    with _keeping:
        _kept[keeper] = frozenset(places)


def mappings_like(array: Array) -> set[range]:
    """The addresses of every mapping of the file that an array is mapped from."""
    mappings = list(_mappings())
    files = {file for place, file in mappings if array.ctypes.data in place}
    return {place for place, file in mappings if file in files}


def _mappings() -> Iterator[tuple[range, tuple[bytes, bytes]]]:
    """The addresses of each mapping of a file, and the file's device and inode."""
    try:
        lines = _MAPS.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        where, _, _, device, inode = line.split(maxsplit=5)[:5]
        if inode != b"0":
            start, end = where.split(b"-")
            yield range(int(start, 16), int(end, 16)), (device, inode)


def _drop(place: range) -> None:
    if place and _only_of_file(place):
        # What it returns is whether it could, and nothing depends on that.
        start, size = ctypes.c_void_p(place.start), ctypes.c_size_t(len(place))
        _libc().madvise(start, size, mmap.MADV_DONTNEED)


def _only_of_file(place: range) -> bool:
    """Whether every page there is a file's own: dropping any other would lose its contents."""
    try:
        with _PAGEMAP.open("rb", buffering=0) as file:
            file.seek(place.start // mmap.PAGESIZE * 8)
            read = file.read(len(place) // mmap.PAGESIZE * 8)
    except OSError:
        return False
    pages = np.frombuffer(read, np.uint64)
    if len(pages) * mmap.PAGESIZE != len(place):
        return False
    return bool((((pages & _THERE) == 0) | ((pages & _OF_FILE) != 0)).all())


@cache
def _libc() -> Any:
    return ctypes.CDLL(None)
