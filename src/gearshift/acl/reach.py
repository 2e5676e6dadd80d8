"""Copies between any two addresses of this process; one that cannot be read or written stops it.

Programs hand over addresses of arrays, of bytes objects, of ctypes buffers, and wrong ones. A plain
copy would end the process at the first wrong one, so the kernel does it, which looks first:

- Linux: ``process_vm_readv`` on this process, one pass at memory speed;
- where that is missing or forbidden, and on other POSIX systems: through a pipe, two passes;
- Windows: ``ReadProcessMemory`` on this process.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from typing import Final

from gearshift.acl.arena import PAGE

Copy = Callable[[int, int, int], int]
"""Destination, source, count: as many bytes as came across in one go, 0 if not even one."""

_PIPE_BYTES: Final = 1 << 16
_TOP: Final = 1 << 64


class _Range(ctypes.Structure):
    _fields_ = (("start", ctypes.c_void_p), ("count", ctypes.c_size_t))


def kernel_copy() -> Copy | None:
    """By ``process_vm_readv``, which goes from one process to another or to itself."""
    call = getattr(ctypes.CDLL(None), "process_vm_readv", None) if os.name == "posix" else None
    if call is None:
        return None
    call.restype = ctypes.c_ssize_t
    pointer = ctypes.POINTER(_Range)
    number = ctypes.c_ulong
    call.argtypes = (ctypes.c_int, pointer, number, pointer, number, number)

    def copy(destination: int, source: int, count: int) -> int:
        into, from_ = _Range(destination, count), _Range(source, count)
        moved: int = call(os.getpid(), into, 1, from_, 1, 0)
        return max(moved, 0)

    return copy


def pipe_copy() -> Copy | None:
    """By writing into a pipe and reading from it."""
    if os.name != "posix":
        return None
    library = ctypes.CDLL(None)
    write, read = library.write, library.read
    for call in (write, read):
        call.restype = ctypes.c_ssize_t
        call.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)

    def copy(destination: int, source: int, count: int) -> int:
        outlet, inlet = os.pipe()
        try:
            os.set_blocking(inlet, False)
            done = 0
            while done < count:
                sent = write(inlet, source + done, min(count - done, _PIPE_BYTES))
                if sent <= 0 or (got := read(outlet, destination + done, sent)) <= 0:
                    break
                done += got
                if got < sent:
                    break
        finally:
            os.close(outlet)
            os.close(inlet)
        return done

    return copy


def windows_copy() -> Copy | None:
    """By ``ReadProcessMemory``."""
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32")
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        process = ctypes.c_void_p(kernel.GetCurrentProcess())
        call = kernel.ReadProcessMemory
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        call.argtypes = (pointer, pointer, pointer, size, ctypes.POINTER(size))

        def copy(destination: int, source: int, count: int) -> int:
            done = size(0)
            call(process, source, destination, count, ctypes.byref(done))
            return done.value

        return copy
    return None


def _chosen() -> Copy:
    sample, target = (ctypes.c_char * 1)(b"x"), (ctypes.c_char * 1)()
    for make in (kernel_copy, windows_copy, pipe_copy):
        copy = make()
        if copy and copy(ctypes.addressof(target), ctypes.addressof(sample), 1) == 1:
            return copy
    raise OSError("this system has no way to copy memory that may not be there")


_copy: Final = _chosen()


def reach(destination: int, source: int, count: int, copy: Copy = _copy) -> int:
    """Copies as far as both addresses can be used, and says how many bytes that was."""
    done = 0
    while done < count and max(destination, source) + done < _TOP:
        moved = copy(destination + done, source + done, count - done)
        if not moved:
            # A system may refuse the whole for a part of it: page by page to where it ends.
            to_page_end = min(PAGE - (at + done) % PAGE for at in (destination, source))
            moved = copy(destination + done, source + done, min(to_page_end, count - done))
        if not moved:
            break
        done += moved
    return done
