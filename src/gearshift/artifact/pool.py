"""The weight pool: every constant once, at a deterministic, aligned offset."""

from __future__ import annotations

import hashlib
from typing import Final, Protocol

import numpy as np

from gearshift.tensors import Array

POOL_ALIGNMENT: Final = 64
"""Every constant begins at a multiple of this: a cache line, and the widest vector register."""


class ByteSink(Protocol):
    """Anything that bytes can be written to: a file, or what measures or hashes one."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Takes all of `data`."""
        ...


class WeightPool:
    """Constants by content. Equal bytes lie in the pool once, whoever adds them, however often.

    The pool refers to what it was given and copies nothing: an array must not be changed between
    `add` and `write`. Offsets depend only on the contents and the order of the `add` calls.
    """

    def __init__(self) -> None:
        self._offsets: dict[tuple[int, bytes], int] = {}
        self._chunks: list[tuple[int, memoryview]] = []
        self._end = 0

    @property
    def nbytes(self) -> int:
        """Size of the pool, gaps included."""
        return self._end

    def add(self, data: bytes | memoryview | Array) -> int:
        """Offset of those bytes in the pool.

        Args:
            data: bytes, or an array, which is stored row-major and little-endian.
        """
        view = _flat(data)
        if not view.nbytes:
            return 0
        key = view.nbytes, hashlib.sha256(view).digest()
        if key not in self._offsets:
            offset = -(-self._end // POOL_ALIGNMENT) * POOL_ALIGNMENT
            self._offsets[key] = offset
            self._chunks.append((offset, view))
            self._end = offset + view.nbytes
        return self._offsets[key]

    def write(self, file: ByteSink) -> None:
        """Writes the pool, `nbytes` bytes, with zeros in the gaps."""
        position = 0
        for offset, view in self._chunks:
            if offset > position:
                file.write(bytes(offset - position))
            file.write(view)
            position = offset + view.nbytes


def _flat(data: bytes | memoryview | Array) -> memoryview:
    if not isinstance(data, np.ndarray):
        view = memoryview(data)
        return (view if view.c_contiguous else memoryview(view.tobytes())).cast("B")
    if data.dtype.byteorder == ">" or (data.dtype.byteorder == "=" and not np.little_endian):
        data = data.astype(data.dtype.newbyteorder("<"))
    # Types that numpy did not bring along (bfloat16) have no buffer of their own, their bytes do.
    return np.ascontiguousarray(data).reshape(-1).view(np.uint8).data
