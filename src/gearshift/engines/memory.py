"""Memory that building a program leaves behind, given back to the system.

An engine reads all the weights while it builds and then computes on a repacked copy, and libraries
keep what they freed. Both stay in the process's resident set for as long as nobody says otherwise.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from gearshift.tensors import Array

_PAGEMAP: Final = Path("/proc/self/pagemap")  # one 64-bit word per page, see proc_pid_pagemap(5)
_THERE: Final = np.uint64(0b11 << 62)  # in memory, or in swap
_OF_FILE: Final = np.uint64(1 << 61)


def give_back_memory(pool: Array | None = None) -> None:
    """Gives back freed memory, and the pages of a mapped pool, which come back when they are read.

    Does what the system has the means for; on others than Linux that is nothing. A pool that is
    not mapped from a file, or that was written to, is left as it is.
    """
    if sys.platform != "linux":
        return
    if hasattr(_libc(), "malloc_trim"):  # glibc's
        _libc().malloc_trim(0)
    if pool is not None:
        _drop_pages(pool)


def _drop_pages(pool: Array) -> None:
    start = -(-pool.ctypes.data // mmap.PAGESIZE) * mmap.PAGESIZE
    end = (pool.ctypes.data + pool.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
    if start < end and _only_of_file(start, end):
        # The return value only says whether it could; nothing depends on it.
        _libc().madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)


def _only_of_file(start: int, end: int) -> bool:
    """Whether every page there is a file's own: dropping any other would lose its contents."""
    try:
        with _PAGEMAP.open("rb", buffering=0) as file:
            file.seek(start // mmap.PAGESIZE * 8)
            read = file.read((end - start) // mmap.PAGESIZE * 8)
    except OSError:
        return False
    pages = np.frombuffer(read, np.uint64)
    if len(pages) * mmap.PAGESIZE != end - start:
        return False
    return bool((((pages & _THERE) == 0) | ((pages & _OF_FILE) != 0)).all())


@cache
def _libc() -> Any:
    return ctypes.CDLL(None)
