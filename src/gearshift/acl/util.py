"""Between Python's objects and addresses: `acl.util`."""

from __future__ import annotations

import ctypes
import threading
import warnings
from collections.abc import Callable
from functools import partial
from math import prod
from operator import index
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gearshift.acl import streams
from gearshift.acl.blocks import BLOCKS
from gearshift.acl.call import (
    ADDRESS,
    BYTES,
    FUNCTION,
    INT,
    LIST,
    SIZE,
    ArgumentsError,
    Kind,
    Refusal,
    beside,
    fallback,
    public,
)  # fmt: skip
from gearshift.acl.codes import Code

_JOIN_SECONDS: Final = 10.0
_threads: Final[dict[int, threading.Thread]] = {}

# NumPy's own numbers of types, less the two whose size depends on the system's C long.
_TYPES: Final = {
    0: "bool", 1: "int8", 2: "uint8", 3: "int16", 4: "uint16", 5: "int32", 6: "uint32", 9: "int64",
    10: "uint64", 11: "float32", 12: "float64", 14: "complex64", 15: "complex128", 23: "float16",
}  # fmt: skip


def _array(value: object) -> npt.NDArray[Any]:
    if not isinstance(value, np.ndarray):
        raise TypeError("a numpy array is wanted")
    return value


def _shape(value: object) -> tuple[int, ...]:
    if not isinstance(value, tuple):
        raise TypeError("a tuple of whole numbers is wanted")
    shape = tuple(index(dim) for dim in value)
    if any(dim < 0 for dim in shape):
        raise ValueError("a dim is negative")
    return shape


def _dtype(number: int) -> np.dtype[Any]:
    if number in (7, 8):
        return np.dtype("l" if number == 7 else "L")
    if number not in _TYPES:
        raise ArgumentsError(
            f"acl.util.ptr_to_numpy args parse failed: type {number}; those of numbers are "
            f"{', '.join(f'{key} ({name})' for key, name in _TYPES.items())}"
        )
    return np.dtype(_TYPES[number])


ARRAY: Final = Kind("numpy array", _array)
SHAPE: Final = Kind("shape", _shape)


@public("acl.util.bytes_to_ptr", BYTES)
def bytes_to_ptr(data: bytes) -> int:
    """Address of the bytes themselves; the object must stay alive while it is used.

    Args:
        data: an object of type bytes.

    Returns:
        the address.
    """
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0


@public("acl.util.ptr_to_bytes", ADDRESS, SIZE, failed=fallback(None))
def ptr_to_bytes(ptr: int, size: int) -> bytes:
    """A copy of memory.

    Args:
        ptr: where it starts.
        size: bytes.

    Returns:
        the bytes; None if that memory cannot be read.
    """
    return BLOCKS.read(ptr, size)


@public("acl.util.ptr_to_numpy", ADDRESS, SHAPE, INT, failed=fallback(None))
def ptr_to_numpy(ptr: int, shape: tuple[int, ...], numpy_type: int) -> npt.NDArray[Any]:
    """An array that lies on memory; it does not keep the memory alive.

    Args:
        ptr: where it starts.
        shape: of the array, a tuple.
        numpy_type: numpy's number of its type, such as 1 (int8) or 11 (float32).

    Returns:
        the array; None if that memory cannot be used, or no array has such a shape.
    """
    dtype = _dtype(numpy_type)
    size = dtype.itemsize * prod(shape)
    BLOCKS.check_there(ptr, size)
    try:
        if not size:
            return np.empty(shape, dtype)
        memory = (ctypes.c_char * size).from_address(ptr)
        return np.frombuffer(memoryview(memory), dtype).reshape(shape)
    except ValueError as error:
        raise Refusal(Code.INVALID_PARAM, f"no array has the shape {shape}: {error}") from error


@public("acl.util.numpy_to_ptr", ARRAY)
def numpy_to_ptr(array: npt.NDArray[Any]) -> int:
    """Address of an array's first element; warns if the elements do not lie in order behind it.

    Args:
        array: it must stay alive while the address is used.

    Returns:
        the address.
    """
    if not array.flags.c_contiguous:
        warnings.warn(
            "acl.util.numpy_to_ptr: the array is not contiguous; numpy_contiguous_to_ptr makes one "
            "that is",
            UserWarning,
            stacklevel=3,
        )
    return array.ctypes.data


@public("acl.util.numpy_contiguous_to_ptr", ARRAY)
def numpy_contiguous_to_ptr(array: npt.NDArray[Any]) -> tuple[int, npt.NDArray[Any]]:
    """Address of an array's elements in order.

    Args:
        array: any.

    Returns:
        (address, the array that it is of: this one if it is contiguous, else a copy).
    """
    inline = np.ascontiguousarray(array).reshape(array.shape)
    return inline.ctypes.data, inline


@public("acl.util.start_thread", FUNCTION, LIST, failed=beside(0))
def start_thread(function: Callable[[list[Any]], object], arguments: list[Any]) -> tuple[int, int]:
    """Starts a thread that calls a function once.

    Args:
        function: takes the list.
        arguments: a list.

    Returns:
        (thread, 0); 507000 if the system starts no more.
    """
    thread = streams.start_thread(partial(function, arguments), "gearshift-acl-thread")
    _threads[thread.ident or 0] = thread
    return thread.ident or 0, 0


@public("acl.util.stop_thread", ADDRESS)
def stop_thread(thread: int) -> int:
    """Waits until a thread has come to its end, which the program has to tell it; ten seconds.

    Args:
        thread: as `start_thread` gave it.

    Returns:
        0; 100000 if it is no such thread (any more), or the calling one; 107019 if it goes on.
    """
    started = _threads.get(thread)
    if started is None or started is threading.current_thread():
        raise Refusal(Code.INVALID_PARAM, f"{thread} is not a thread that can be waited for")
    started.join(_JOIN_SECONDS)
    if started.is_alive():
        raise Refusal(Code.RT_WAIT_TIMEOUT, f"thread {thread} did not end in {_JOIN_SECONDS:g} s")
    _threads.pop(thread, None)
    return 0
