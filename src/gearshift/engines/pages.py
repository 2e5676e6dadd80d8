"""Huge pages for the memory that programs compute in.

The processor remembers where some thousands of pages are, and a network has more: its weights and
what it computes are read page by page, 4 KiB each, and to look one up takes long, most of all in a
virtual machine. Linux has pages of 2 MiB, but on most systems only for who asks ("madvise" in
``/sys/kernel/mm/transparent_hugepage/enabled``), and engines do not. So their memory is moved there
once it is in use, which the system does at once since Linux 6.1 (MADV_COLLAPSE of madvise(2)).

It is nobody else's memory that is moved: what appeared while a program was built or came to the
memory of its runs.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

from gearshift.engines.mappings import advise, mappings, page_words

_SETTINGS: Final = Path("/sys/kernel/mm/transparent_hugepage")
_FOR_WHO_ASKS: Final = "[madvise]"  # of always, madvise, never; the brackets say which it is
_COLLAPSE: Final = 25  # MADV_COLLAPSE, which the mmap module does not have
_PRESENT: Final = np.uint64(1 << 63)
_FULL: Final = 0.75
"""So much of a block has to be in use: what is not takes memory from then on."""


class HugePages:
    """Remembers memory that appeared, and moves it to huge pages when asked.

    Safe to use from several threads.
    """

    def __init__(self, *, wanted: bool = True) -> None:
        self._size = _huge_page() if wanted else 0
        # Numbers of aligned blocks of the size of a huge page:
        self._blocks: set[int] = set()
        self._sparse: set[int] = set()  # looked at, and not in use enough by then
        self._changing = threading.Lock()
        self._merging = threading.Lock()

    @property
    def pending(self) -> bool:
        """Whether there is something left to be moved."""
        return bool(self._blocks)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Goes round what allocates memory for programs."""
        if not self._size:
            yield
            return
        before = _allocated()
        try:
            yield
        finally:
            blocks = self._blocks_of(_grown(before, _allocated()))
            with self._changing:
                self._blocks |= blocks | self._sparse
                self._sparse.clear()

    def merge(self, most: int | None = None) -> None:
        """Moves what is pending, or so many blocks of it; takes about a millisecond for each."""
        with self._merging:
            with self._changing:
                chosen = sorted(self._blocks)[:most]
                self._blocks.difference_update(chosen)
            within = _allocated()
            for number in chosen:
                block = range(number * self._size, (number + 1) * self._size)
                if _is_within(block, within) and _is_full(block):
                    advise(block, _COLLAPSE)
                else:
                    with self._changing:
                        self._sparse.add(number)

    def _blocks_of(self, places: Iterable[range]) -> set[int]:
        return {
            number
            for place in places
            for number in range(place.start // self._size, (place.stop - 1) // self._size + 1)
        }


def _huge_page() -> int:
    """Bytes of a huge page; 0 if the system has none, gives them anyway, or is told not to."""
    if sys.platform != "linux":
        return 0
    try:
        asked = _FOR_WHO_ASKS in (_SETTINGS / "enabled").read_text().split()
        return int((_SETTINGS / "hpage_pmd_size").read_text()) if asked else 0
    except (OSError, ValueError):
        return 0


def _allocated() -> list[range]:
    return [mapping.place for mapping in mappings() if mapping.is_allocated]


def _grown(before: Collection[range], after: Iterable[range]) -> Iterator[range]:
    """The parts of `after` that are not in `before`; both ascending and apart."""
    same = set(before)
    for place in after:
        if place in same:
            continue
        start = place.start
        for known in before:
            if known.stop <= start or known.start >= place.stop:
                continue
            if known.start > start:
                yield range(start, known.start)
            start = known.stop
        if start < place.stop:
            yield range(start, place.stop)


def _is_within(block: range, places: Iterable[range]) -> bool:
    return any(place.start <= block.start and block.stop <= place.stop for place in places)


def _is_full(block: range) -> bool:
    words = page_words(block)
    return len(words) > 0 and float(np.mean((words & _PRESENT) != 0)) >= _FULL
