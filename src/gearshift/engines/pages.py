"""Huge pages for the memory that programs compute in.

The processor remembers where some thousands of pages are, and a network has more: its weights and
what it computes are read page by page, 4 KiB each, and to look one up takes long, most of all in a
virtual machine. Linux has pages of 2 MiB, but on most systems only for who asks ("madvise" in
``/sys/kernel/mm/transparent_hugepage/enabled``), and engines do not. So their memory is moved there
once it is in use, which the system does at once since Linux 6.1 (MADV_COLLAPSE of madvise(2)).

What is moved is what appeared while a program was built or came to the memory of its runs, and
little else: what was allocated beside that until somebody looked, and what lies in the same 2 MiB.
"""

from __future__ import annotations

import contextlib
import platform
import sys
import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

from gearshift.engines.mappings import advise, mapping_lines, page_words, parsed

_SETTINGS: Final = Path("/sys/kernel/mm/transparent_hugepage")
_FOR_WHO_ASKS: Final = "[madvise]"  # of always, madvise, never; the brackets say which it is
_COLLAPSE: Final = 25  # MADV_COLLAPSE, which the mmap module does not have
_SINCE: Final = (6, 1)  # Linux that has it
_LARGEST: Final = 32 << 20
"""Bytes. Where pages are larger still (512 MiB on some ARM machines), a quarter is a lot."""
_OURS: Final = np.uint64(1 << 63 | 1 << 56)
"""Of a page that is in memory, and in that of no other process: to move pages that a forked process
shares would give it copies of its own."""
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
        # What the system said before each thing that was watched, and is not looked at yet:
        self._unseen: deque[Sequence[bytes]] = deque()
        self._changing = threading.Lock()
        self._merging = threading.Lock()

    @property
    def pending(self) -> bool:
        """Whether there is something left to be looked at, or to be moved."""
        return bool(self._unseen or self._blocks)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Goes round what allocates memory for programs.

        A first run waits for this, so it reads no more than what has to be read before.
        """
        if not self._size:
            yield
            return
        before = mapping_lines()
        try:
            yield
        finally:
            self._unseen.append(before)

    def look(self) -> None:
        """Sees what appeared while it was watched, or since: to be called soon after."""
        unseen = []
        with contextlib.suppress(IndexError):
            while True:
                unseen.append(self._unseen.popleft())  # in one step: no other thread gets the same
        if not unseen:
            return
        after = mapping_lines()
        # If the system did not say, all there is would look new.
        places = [place for before in unseen if before for place in _appeared(before, after)]
        with self._changing:
            self._blocks |= self._blocks_of(places) | self._sparse
            self._sparse.clear()

    def merge(self, most: int | None = None) -> None:
        """Moves what is pending, or so many blocks of it; takes about a millisecond for each."""
        if not self._merging.acquire(blocking=False):
            return  # another thread does it
        try:
            self.look()
            with self._changing:
                chosen = sorted(self._blocks)[:most]
                self._blocks.difference_update(chosen)
            sparse = self._move(chosen)
            with self._changing:
                self._sparse |= sparse
        finally:
            self._merging.release()

    def _move(self, numbers: Iterable[int]) -> set[int]:
        """Moves blocks; hands those back that are not in use enough yet."""
        sparse = set()
        within = _allocated(mapping_lines())
        for number in numbers:
            block = range(number * self._size, (number + 1) * self._size)
            if not _is_within(block, within):
                continue  # it is gone; should it come to belong to a larger mapping, it has grown
            if _is_full(block):
                advise(block, _COLLAPSE)
            else:
                sparse.add(number)
        return sparse

    def _blocks_of(self, places: Iterable[range]) -> set[int]:
        return {
            number
            for place in places
            for number in range(place.start // self._size, (place.stop - 1) // self._size + 1)
        }


def _huge_page() -> int:
    """Bytes of a huge page; 0 if the system cannot move memory there, or is set otherwise."""
    if sys.platform != "linux":
        return 0
    try:
        version = tuple(int(part) for part in platform.release().split(".")[:2])
        asked = _FOR_WHO_ASKS in (_SETTINGS / "enabled").read_text().split()
        size = int((_SETTINGS / "hpage_pmd_size").read_text())
    except (OSError, ValueError):
        return 0
    return size if asked and version >= _SINCE and size <= _LARGEST else 0


def _appeared(before: Sequence[bytes], after: Sequence[bytes]) -> Iterator[range]:
    """Where memory was allocated in between. Most lines are the same, and need not be read."""
    same = set(before).intersection(after)
    return _grown(
        _allocated(line for line in before if line not in same),
        _allocated(line for line in after if line not in same),
    )


def _allocated(lines: Iterable[bytes]) -> list[range]:
    return [mapping.place for mapping in parsed(lines) if mapping.is_allocated]


def _grown(before: Collection[range], after: Iterable[range]) -> Iterator[range]:
    """The parts of `after` that are not in `before`; both ascending and apart."""
    for place in after:
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
    return len(words) > 0 and float(np.mean((words & _OURS) == _OURS)) >= _FULL
