"""Memory of large results: that of earlier ones, and none that numpy asks huge pages for.

Arrays larger than the C library keeps when they are freed come from the system page by page, zeroed
at each call, and go back after it. That was 5 to 10 % of the time of a text recogniser's calls of
12 rows and more (3 MB of output each), and now and then half of it: the system looks for large
pages. So those that callers let go of are kept here for later results.

Large pages are what numpy asks Linux for, and a virtual machine may first have to get them from its
host: the first call of eight rows came after 80 ms instead of 70, in slow moments after 108 instead
of 93.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from gearshift.tensors import Array, Shape

_LARGE: Final = 32 << 20
"""Bytes. glibc never lets more than this come from memory that it keeps (mallopt(3))."""
_ADVISED: Final = 4 << 20
"""Bytes. numpy asks for huge pages from here on; the C library alone does not."""
_HUGE: Final = 1 << 30
"""Bytes. What is larger is given back: it is too much to hold for the case that it is wanted."""
_MOST_SPARE: Final = 2
"""A block may be so many times as large as what is wanted, or it would be held for little."""


class Recycler:
    """Makes arrays for results, large ones of memory that was a result's before if there is any.

    A block comes back by itself once no array over it is left, views of it and whatever else holds
    one of them included. Safe to use from several threads.
    """

    def __init__(self, blocks: int = 1) -> None:
        """Keeps up to so many blocks that nobody uses.

        As many as a call has large results are enough for a caller who lets go of the last ones
        when the next ones are there.
        """
        self._free: deque[Array] = deque(maxlen=blocks)

    def empty(self, shape: Shape, dtype: npt.DTypeLike) -> Array:
        """An array like `numpy.empty` makes it."""
        nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        if not _ADVISED <= nbytes <= _HUGE:
            return np.empty(shape, dtype)
        if nbytes < _LARGE:
            return np.frombuffer(_new_bytes(None, nbytes), np.uint8).view(dtype).reshape(shape)
        block = self._take(nbytes)
        return np.asarray(_Lease(self, block[:nbytes], block)).view(dtype).reshape(shape)

    def let_go(self) -> None:
        """Gives back what nobody uses."""
        self._free.clear()

    def close(self) -> None:
        """Gives back what nobody uses; what is in use goes when nobody uses it any more."""
        self._free = deque(maxlen=0)

    def take_back(self, block: Array) -> None:
        """Keeps a block in place of the one that was kept for longest."""
        self._free.append(block)  # in one step: it may come in the middle of anything

    def _take(self, nbytes: int) -> Array:
        free = self._free
        for _ in range(len(free)):
            try:
                block = free.popleft()
            except IndexError:  # another thread was quicker
                break
            if nbytes <= block.nbytes <= nbytes * _MOST_SPARE:
                return block
            free.append(block)  # it may be another result's
        return _fresh(nbytes)


def _fresh(nbytes: int) -> Array:
    """Memory from the system, private to the process."""
    try:
        memory = mmap.mmap(-1, nbytes, access=mmap.ACCESS_COPY)
    except OSError as error:
        raise MemoryError(f"a result takes {nbytes} bytes: {error.strerror}.") from error
    return np.frombuffer(memory, np.uint8)


def _byte_maker() -> Callable[[None, int], bytearray]:
    """What makes a bytearray of so many bytes without writing to them, as Python's own does not."""
    make = ctypes.pythonapi.PyByteArray_FromStringAndSize
    make.argtypes, make.restype = (ctypes.c_char_p, ctypes.c_ssize_t), ctypes.py_object
    return cast("Callable[[None, int], bytearray]", make)


_new_bytes: Final = _byte_maker()


class _Lease:
    """What arrays over a block hold on to. Once it is gone, nobody can see the block any more."""

    def __init__(self, recycler: Recycler, array: Array, block: Array) -> None:
        self.__array_interface__: dict[str, Any] = array.__array_interface__
        self._owner = weakref.ref(recycler)
        self._block = block

    def __del__(self) -> None:
        recycler = self._owner()
        if recycler is not None:
            recycler.take_back(self._block)
