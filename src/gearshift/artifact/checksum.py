"""Checksums of parts. That of a large part is taken piece by piece, on as many cores as there are.

One sha256 is the work of one core: of 100 MB it takes a quarter of what loading takes in all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

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
        view = memoryview(data)
        while self.piece_size and view.nbytes >= self._room:
            self._piece.update(view[: self._room])
            view = view[self._room :]
            self._digests += self._piece.digest()
            self._piece, self._room = hashlib.sha256(), self.piece_size
        self._piece.update(view)
        self._room -= view.nbytes

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
    workers = min(len(pieces), usable_cores())
    if workers > 1:
        try:
            with ThreadPoolExecutor(workers, "gearshift-checksum") as pool:
                return list(pool.map(_digest, pieces))
        except RuntimeError:  # no more threads may be started, or not any longer
            pass
    return [_digest(piece) for piece in pieces]


def _digest(piece: Array) -> bytes:
    return hashlib.sha256(piece.data).digest()
