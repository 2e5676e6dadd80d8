"""Checksums of parts. That of a large part is taken piece by piece, on as many cores as there are.

One sha256 is the work of one core: of 100 MB it takes a quarter of what loading takes in all.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import Final

from gearshift.lanes import Lanes
from gearshift.placing import usable_cores
from gearshift.tensors import Array

PIECE_BYTES: Final = 4 << 20
"""What the writer makes a piece; a reader takes any size."""


class Checksum:
    """The checksum of what is written to it.

    Attributes:
        piece_size: bytes of a piece; 0 for a checksum of all bytes at once.
    """

    def __init__(self, piece_size: int) -> None:
        self.piece_size = piece_size
        self._digests = bytearray()
        self._piece = hashlib.sha256()
        self._room = piece_size  # bytes that the piece lacks

    def write(self, data: bytes | memoryview, /) -> None:
        """Takes all of `data`."""
        if not self.piece_size:
            self._piece.update(data)
            return
        view = memoryview(data).cast("B")
        while len(view) >= self._room:
            self._piece.update(view[: self._room])
            view = view[self._room :]
            self._digests += self._piece.digest()
            self._piece, self._room = hashlib.sha256(), self.piece_size
        self._piece.update(view)
        self._room -= len(view)

    def hexdigest(self) -> str:
        """Of all that was written, in hexadecimal."""
        if not self.piece_size:
            return self._piece.hexdigest()
        last = self._piece.digest() if self._room < self.piece_size else b""
        return hashlib.sha256(self._digests + last).hexdigest()


def checksum(content: Array, piece_size: int) -> str:
    """What `Checksum` would say of `content`, on all cores where it has several pieces.

    Args:
        content: uint8, contiguous.
        piece_size: bytes of a piece; 0 for a checksum of all bytes at once.
    """
    if not piece_size:
        return hashlib.sha256(content.data).hexdigest()
    pieces = [content[start : start + piece_size] for start in range(0, len(content), piece_size)]
    return hashlib.sha256(b"".join(_digests(pieces))).hexdigest()


def _digests(pieces: Sequence[Array]) -> list[bytes]:
    waiting = deque(enumerate(pieces))
    digests = [b""] * len(pieces)
    workers = min(len(pieces), usable_cores())
    with closing(Lanes(workers, workers)) as lanes:
        lanes.run([partial(_work, waiting, digests)] * workers)
    return digests


def _work(waiting: deque[tuple[int, Array]], digests: list[bytes]) -> None:
    """Takes pieces until there are none."""
    try:
        while True:
            number, piece = waiting.popleft()
            digests[number] = _digest(piece)
    except IndexError:
        pass
    finally:  # after Ctrl-C the others take no more, either
        waiting.clear()


def _digest(piece: Array) -> bytes:
    return hashlib.sha256(piece.data).digest()
