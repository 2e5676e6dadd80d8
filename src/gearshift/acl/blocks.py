"""The memory that was allocated, and every access to memory, ours or not.

An access to our own memory has to lie within one living block. Of other memory nothing is known but
whether it can be read or written at all; a source that ends early is a program that reads further
than its object goes, which works on the card as long as something lies behind it, so it works here
too: what cannot be read counts as zeros.
"""

from __future__ import annotations

import bisect
import ctypes
import logging
import os
import threading
from dataclasses import dataclass
from typing import Final

from gearshift.acl.arena import AddressSpace
from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.reach import reach

DEVICE: Final = "device"
HOST: Final = "host"

_log: Final = logging.getLogger("gearshift.acl")
_FILL_BYTES: Final = 1 << 16


@dataclass(frozen=True)
class Block:
    """One allocation.

    Attributes:
        address: where it starts.
        size: bytes asked for.
        kind: which function may free it.
    """

    address: int
    size: int
    kind: str


class Blocks:
    """Living blocks by address. Safe to use from several threads.

    Args:
        limit: bytes that all of them together may take.

    Attributes:
        used: bytes of those that live.
        freed: how many were freed so far: what was checked stays true while this does.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.freed = 0
        self._space = AddressSpace()
        self._starts: list[int] = []
        self._blocks: dict[int, Block] = {}
        self._lock = threading.Lock()

    def allocate(self, size: int, kind: str) -> int:
        """Address of a new block, at the start of a page."""
        if not size:
            raise Refusal(Code.INVALID_PARAM, "0 bytes were asked for")
        with self._lock:
            if size > self.limit - self.used:
                raise Refusal(
                    Code.RT_MEMORY_ALLOCATION,
                    f"{size} bytes were asked for, {self.limit - self.used} of {self.limit} "
                    "are free",
                )
            self.used += size
        try:
            address = self._space.take(size)
        except OSError as error:
            with self._lock:
                self.used -= size
            raise Refusal(
                Code.RT_MEMORY_ALLOCATION, f"the system has no {size} bytes: {error}"
            ) from error
        with self._lock:
            bisect.insort(self._starts, address)
            self._blocks[address] = Block(address, size, kind)
        return address

    def release(self, address: int, kind: str) -> None:
        """Frees the block that starts there."""
        _not_null(address)
        with self._lock:
            block = self._blocks.get(address)
            if block is None or block.kind != kind:
                raise Refusal(Code.RT_PARAM_INVALID, self._unfreeable(address, block, kind))
            del self._blocks[address]
            del self._starts[bisect.bisect_left(self._starts, address)]
            self.used -= block.size
            self.freed += 1
        self._space.give_back(address, block.size)

    def copy(self, destination: int, source: int, count: int) -> None:
        """Copies bytes; refused if not all can be written, or not one can be read."""
        ours = self.check(destination, count, "destination")
        from_ours = self.check(source, count, "source", writes=False)
        if not count:
            return
        if ours and from_ours:
            ctypes.memmove(destination, source, count)
            return
        done = reach(destination, source, count)
        if done == count:
            return
        if not (ours or _unreadable(source + done)):
            raise Refusal(Code.RT_PARAM_INVALID, _broken("destination", destination, done, count))
        if not done:
            raise Refusal(Code.RT_PARAM_INVALID, _broken("source", source, done, count))
        _log.warning("%s; zeros were taken instead", _broken("source", source, done, count))
        self.fill(destination + done, 0, count - done)

    def fill(self, destination: int, value: int, count: int) -> None:
        """Sets bytes to a value from 0 to 255."""
        if self.check(destination, count, "destination"):
            ctypes.memset(destination, value, count)
            return
        chunk = ctypes.create_string_buffer(bytes([value]) * min(count, _FILL_BYTES))
        done = 0
        while done < count:
            wanted = min(count - done, _FILL_BYTES)
            moved = reach(destination + done, ctypes.addressof(chunk), wanted)
            done += moved
            if moved < wanted:
                raise Refusal(
                    Code.RT_PARAM_INVALID, _broken("destination", destination, done, count)
                )

    def read(self, source: int, count: int) -> bytes:
        """A copy of bytes."""
        self.check(source, count, "source", writes=False)
        if count > self.limit:  # before Python tries to find room for them
            raise Refusal(Code.RT_PARAM_INVALID, f"{count} bytes are more than there can be")
        into = ctypes.create_string_buffer(max(count, 1))
        self.copy(ctypes.addressof(into), source, count)
        return into.raw[:count]

    def write(self, destination: int, data: bytes) -> None:
        """Puts bytes there."""
        held = ctypes.create_string_buffer(data, len(data))
        self.copy(destination, ctypes.addressof(held), len(data))

    def check_there(self, address: int, count: int) -> None:
        """Refuses memory that is not ours to read, or of which an end cannot be read."""
        ours = self.check(address, count, "memory")
        if not ours and count and (_unreadable(address) or _unreadable(address + count - 1)):
            raise Refusal(Code.RT_PARAM_INVALID, f"{count} bytes at {address:#x} cannot be read")

    def check(self, address: int, count: int, role: str, writes: bool = True) -> bool:
        """Whether these bytes are ours; refused if they are, and not within one living block."""
        _not_null(address)
        if not self._space.overlaps(address, max(count, 1)):
            return False
        with self._lock:
            index = bisect.bisect_right(self._starts, address) - 1
            block = self._blocks[self._starts[index]] if index >= 0 else None
        if block is None or address >= block.address + block.size:
            if not (writes or self._space.overlaps(address, 1)):
                return False  # foreign memory that happens to lie in front of ours
            raise Refusal(
                Code.RT_PARAM_INVALID,
                f"the {role} {address:#x} is in memory that was freed or never allocated",
            )
        room = block.address + block.size - address
        if count > room:
            raise Refusal(
                Code.RT_PARAM_INVALID,
                f"{count} bytes at the {role} {address:#x}, but its block of {block.size} bytes "
                f"ends {room} bytes from there",
            )
        return True

    def _unfreeable(self, address: int, block: Block | None, kind: str) -> str:
        if block is not None:
            return f"{address:#x} is {block.kind} memory, not {kind} memory"
        if not self._space.overlaps(address, 1):
            return f"{address:#x} was never allocated here"
        return f"{address:#x} is not the start of a block: it was freed before, or lies inside one"


def _not_null(address: int) -> None:
    if not address:
        raise Refusal(Code.INVALID_PARAM, "the address is null")


def _unreadable(address: int) -> bool:
    probe = ctypes.c_char()
    return reach(ctypes.addressof(probe), address, 1) == 0


def _broken(role: str, address: int, done: int, count: int) -> str:
    verb = "read" if role == "source" else "written"
    return f"{count} bytes at the {role} {address:#x}, of which {done} can be {verb}"


def _memory_of_this_host() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # a system that does not say
        return 16 << 30


BLOCKS: Final = Blocks(_memory_of_this_host())
"""The memory of every device and of the host: they are one."""
