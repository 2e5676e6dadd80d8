"""What the system says of this process's own memory; nothing on others than Linux."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

_MAPS: Final = Path("/proc/self/maps")  # one mapping a line, see proc_pid_maps(5)
_PAGEMAP: Final = Path("/proc/self/pagemap")  # one 64-bit word a page, see proc_pid_pagemap(5)
_NO_FILE: Final = b"0"
_HEAP: Final = b"[heap]"


class Mapping(NamedTuple):
    """Addresses that belong together.

    Attributes:
        place: the addresses.
        permissions: as the system writes them: ``rw-p``.
        device: of the file that is mapped there.
        inode: of that file; "0" if there is none.
        name: the file's, or what the system calls it; "" for plain memory.
    """

    place: range
    permissions: bytes
    device: bytes
    inode: bytes
    name: bytes

    @property
    def is_file(self) -> bool:
        """Whether it shows a file."""
        return self.inode != _NO_FILE

    @property
    def is_allocated(self) -> bool:
        """Whether it is memory as allocators get it: private, written and read, of no file."""
        return not self.is_file and self.permissions == b"rw-p" and self.name in (b"", _HEAP)


def mappings() -> Iterator[Mapping]:
    """Every mapping, ascending."""
    return parsed(mapping_lines())


def mapping_lines() -> list[bytes]:
    """Every mapping as the system writes it, ascending; none where it does not say."""
    try:
        # Nothing but this ends a line: names of files may have other line ends in them.
        return [line for line in _MAPS.read_bytes().split(b"\n") if line]
    except OSError:
        return []


def parsed(lines: Iterable[bytes]) -> Iterator[Mapping]:
    """The mappings that those lines are of."""
    for line in lines:
        where, permissions, _, device, inode, *name = line.split(maxsplit=5)
        start, end = where.split(b"-")
        place = range(int(start, 16), int(end, 16))
        yield Mapping(place, permissions, device, inode, name[0] if name else b"")


def page_words(place: range) -> npt.NDArray[np.uint64]:
    """What the system notes of each page there; fewer where it does not say."""
    try:
        with _PAGEMAP.open("rb", buffering=0) as file:
            file.seek(place.start // mmap.PAGESIZE * 8)
            return np.frombuffer(file.read(len(place) // mmap.PAGESIZE * 8), np.uint64)
    except OSError:
        return np.empty(0, np.uint64)


def advise(place: range, advice: int) -> None:
    """madvise(2). What it returns is whether it could, and nothing may depend on that."""
    libc().madvise(ctypes.c_void_p(place.start), ctypes.c_size_t(len(place)), advice)


@cache
def libc() -> Any:
    """The C library that the process runs on."""
    return ctypes.CDLL(None)
