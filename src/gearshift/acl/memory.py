"""Memory of the device and of the host: `acl.rt.malloc`, `acl.rt.memcpy` and the like.

Both are ordinary memory of this process; the kinds of a copy are checked to be kinds, no more.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from gearshift.acl import contexts
from gearshift.acl.blocks import BLOCKS, DEVICE, HOST
from gearshift.acl.call import ADDRESS, INT, SIZE, Refusal, beside, public
from gearshift.acl.codes import Code
from gearshift.acl.runtime import stream_at

_POLICIES: Final = {*range(9), 0x0100, 0x1000}
_COPY_KINDS: Final = range(8)
_MEMORY_KINDS: Final = range(12)


def _allocate(size: int, policy: int, kind: str) -> tuple[int, int]:
    contexts.current()
    if policy not in _POLICIES:
        raise Refusal(Code.INVALID_PARAM, f"policy {policy}; 0, 1 and 2 are the usual ones")
    return BLOCKS.allocate(size, kind), 0


def _check_copy(dst: int, dst_max: int, src: int, count: int, kind: int) -> None:
    _check_room(dst, dst_max, count)
    if not src:
        raise Refusal(Code.INVALID_PARAM, "the source is null")
    if kind not in _COPY_KINDS:
        raise Refusal(
            Code.INVALID_PARAM,
            f"kind {kind}; 0 is host to host, 1 to the device, 2 from it, 3 within it",
        )


def _check_room(dst: int, dst_max: int, count: int) -> None:
    contexts.current()
    if not dst:
        raise Refusal(Code.INVALID_PARAM, "the destination is null")
    if count > dst_max:
        raise Refusal(
            Code.RT_PARAM_INVALID, f"{count} bytes into {dst_max}: the destination is too small"
        )


@public("acl.rt.malloc", SIZE, INT, failed=beside(0))
def malloc(size: int, policy: int) -> tuple[int, int]:
    """Allocates memory of the device.

    Args:
        size: bytes.
        policy: 0 huge pages first, 1 only, 2 normal ones only; has no meaning here.

    Returns:
        (address, 0); 100000 for no bytes or an unknown policy, 107002 if the thread has no context,
        207001 if there is not as much.
    """
    return _allocate(size, policy, DEVICE)


@public("acl.rt.malloc_align32", SIZE, INT, failed=beside(0))
def malloc_align32(size: int, policy: int) -> tuple[int, int]:
    """Allocates memory of the device, aligned to 32 bytes (as all of it is).

    Args:
        size: bytes.
        policy: as for `malloc`.

    Returns:
        as `malloc`.
    """
    return _allocate(size, policy, DEVICE)


@public("acl.rt.malloc_cached", SIZE, INT, failed=beside(0))
def malloc_cached(size: int, policy: int) -> tuple[int, int]:
    """Allocates memory of the device that is cached (as all of it is).

    Args:
        size: bytes.
        policy: as for `malloc`.

    Returns:
        as `malloc`.
    """
    return _allocate(size, policy, DEVICE)


def _cached(ptr: int, size: int) -> int:
    BLOCKS.check(ptr, size, "range")
    return 0


@public("acl.rt.mem_flush", ADDRESS, SIZE)
def mem_flush(ptr: int, size: int) -> int:
    """Writes cached memory back, which is never needed here.

    Args:
        ptr: where it starts.
        size: bytes.

    Returns:
        0; 100000 for null, 107000 for memory that was freed or is shorter.
    """
    return _cached(ptr, size)


@public("acl.rt.mem_invalidate", ADDRESS, SIZE)
def mem_invalidate(ptr: int, size: int) -> int:
    """Drops cached memory, which is never needed here.

    Args:
        ptr: where it starts.
        size: bytes.

    Returns:
        0; 100000 for null, 107000 for memory that was freed or is shorter.
    """
    return _cached(ptr, size)


@public("acl.rt.free", ADDRESS)
def free(ptr: int) -> int:
    """Frees memory of the device; also in a thread without a context, and after the end.

    Args:
        ptr: as it was allocated.

    Returns:
        0; 100000 for null, 107000 if it was freed before, or was not allocated as memory of the
        device, or lies inside a block.
    """
    BLOCKS.release(ptr, DEVICE)
    return 0


@public("acl.rt.malloc_host", SIZE, failed=beside(0))
def malloc_host(size: int) -> tuple[int, int]:
    """Allocates memory of the host.

    Args:
        size: bytes.

    Returns:
        (address, 0); codes as `malloc`.
    """
    return _allocate(size, 0, HOST)


@public("acl.rt.free_host", ADDRESS)
def free_host(ptr: int) -> int:
    """Frees memory of the host; also in a thread without a context, and after the end.

    Args:
        ptr: as it was allocated.

    Returns:
        0; codes as `free`.
    """
    BLOCKS.release(ptr, HOST)
    return 0


@public("acl.rt.memset", ADDRESS, SIZE, INT, SIZE)
def memset(ptr: int, max_count: int, value: int, count: int) -> int:
    """Sets bytes to a value.

    Args:
        ptr: where they start.
        max_count: how many there are.
        value: its lowest eight bits count.
        count: how many to set.

    Returns:
        0; 100000 for null, 107000 if count is more than max_count or the memory is not as long,
        107002 if the thread has no context.
    """
    _check_room(ptr, max_count, count)
    BLOCKS.fill(ptr, value & 0xFF, count)
    return 0


@public("acl.rt.memcpy", ADDRESS, SIZE, ADDRESS, SIZE, INT)
def memcpy(dst: int, dst_max: int, src: int, count: int, kind: int) -> int:
    """Copies bytes between any two addresses of this process.

    Args:
        dst: where to.
        dst_max: how many bytes there are.
        src: where from.
        count: how many to copy.
        kind: 0 host to host, 1 host to device, 2 device to host, 3 device to device.

    Returns:
        0; 100000 for null or another kind, 107000 if count is more than dst_max or an address
        cannot be used, 107002 if the thread has no context.
    """
    _check_copy(dst, dst_max, src, count, kind)
    BLOCKS.copy(dst, src, count)
    return 0


@public("acl.rt.memset_async", ADDRESS, SIZE, INT, SIZE, ADDRESS)
def memset_async(ptr: int, max_count: int, value: int, count: int, stream: int) -> int:
    """Sets bytes to a value when a stream comes to it.

    Args:
        ptr: where they start.
        max_count: how many there are.
        value: its lowest eight bits count.
        count: how many to set.
        stream: its handle; 0 is the default one of the context.

    Returns:
        0; codes as `memset`, for an address that cannot be used from `acl.rt.synchronize_stream`.
    """
    _check_room(ptr, max_count, count)
    stream_at(stream).submit(partial(BLOCKS.fill, ptr, value & 0xFF, count))
    return 0


@public("acl.rt.memcpy_async", ADDRESS, SIZE, ADDRESS, SIZE, INT, ADDRESS)
def memcpy_async(dst: int, dst_max: int, src: int, count: int, kind: int, stream: int) -> int:
    """Copies bytes when a stream comes to it; the source must stay until then.

    Args:
        dst: where to.
        dst_max: how many bytes there are.
        src: where from.
        count: how many to copy.
        kind: as for `memcpy`.
        stream: its handle; 0 is the default one of the context.

    Returns:
        0; codes as `memcpy`, for an address that cannot be used from `acl.rt.synchronize_stream`.
    """
    _check_copy(dst, dst_max, src, count, kind)
    stream_at(stream).submit(partial(BLOCKS.copy, dst, src, count))
    return 0


@public("acl.rt.memcpy2d", ADDRESS, SIZE, ADDRESS, SIZE, SIZE, SIZE, INT)
def memcpy2d(
    dst: int, dst_pitch: int, src: int, src_pitch: int, width: int, height: int, kind: int
) -> int:
    """Copies a rectangle of bytes.

    Args:
        dst: where to.
        dst_pitch: bytes from one row to the next there.
        src: where from.
        src_pitch: bytes from one row to the next there.
        width: bytes of a row.
        height: rows.
        kind: as for `memcpy`.

    Returns:
        0; codes as `memcpy`; 107000 also if a row is longer than a pitch.
    """
    _check_copy(dst, min(dst_pitch, src_pitch), src, width, kind)
    # Both ends before the first row: a rectangle is copied whole or not at all.
    for start, pitch, role in ((dst, dst_pitch, "destination"), (src, src_pitch, "source")):
        BLOCKS.check(start, pitch * (height - 1) + width if height else 0, role, role != "source")
    for row in range(height if width else 0):  # rows of nothing may be without number
        BLOCKS.copy(dst + row * dst_pitch, src + row * src_pitch, width)
    return 0


@public("acl.rt.get_mem_info", INT, failed=beside(0, 0))
def get_mem_info(attribute: int) -> tuple[int, int, int]:
    """How much memory there is: what this host has, less what was allocated here.

    Args:
        attribute: which memory is meant, from 0 to 11; they are all one.

    Returns:
        (free bytes, all bytes, 0); 100000 for another attribute, 107002 without a context.
    """
    contexts.current()
    if attribute not in _MEMORY_KINDS:
        raise Refusal(Code.INVALID_PARAM, f"attribute {attribute}; it is from 0 to 11")
    return BLOCKS.limit - BLOCKS.used, BLOCKS.limit, 0
