"""Memory that building a program leaves behind, given back to the system.

An engine reads all the weights while it builds and then computes on a repacked copy, and libraries
keep what they freed. Both stay in the process's resident set for as long as nobody says otherwise.
"""

from __future__ import annotations

import mmap
import sys
import threading
from collections.abc import Collection
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np

from gearshift.engines.mappings import advise, libc, mappings, page_words
from gearshift.tensors import Array

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
    if hasattr(libc(), "malloc_trim"):  # glibc's
        libc().malloc_trim(0)
    if pool is not None:
        start = -(-pool.ctypes.data // mmap.PAGESIZE) * mmap.PAGESIZE
        end = (pool.ctypes.data + pool.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
        _drop(range(start, end))
    with _keeping:
        # A list of its keepers keeps a mapping where it is. Whatever took the place of one that
        # is gone would lose its contents.
        keepers = list(_kept.items())
    if keepers:
        mapped = {mapping.place for mapping in mappings() if mapping.is_file}
        for _, places in keepers:
            for place in places & mapped:
                _drop(place)


def keep_mappings(keeper: object, places: Collection[range]) -> None:
    """Tells of mappings of files that stay where they are for as long as the keeper lives."""
    with _keeping:
        _kept[keeper] = frozenset(places)


def mappings_like(array: Array) -> set[range]:
    """The addresses of every mapping of the file that an array is mapped from."""
    shown = [mapping for mapping in mappings() if mapping.is_file]
    files = {(each.device, each.inode) for each in shown if array.ctypes.data in each.place}
    return {each.place for each in shown if (each.device, each.inode) in files}


def _drop(place: range) -> None:
    if place and _only_of_file(place):
        advise(place, mmap.MADV_DONTNEED)


def _only_of_file(place: range) -> bool:
    """Whether every page there is a file's own: dropping any other would lose its contents."""
    words = page_words(place)
    if len(words) * mmap.PAGESIZE != len(place):
        return False
    return bool((((words & _THERE) == 0) | ((words & _OF_FILE) != 0)).all())
