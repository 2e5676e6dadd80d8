"""Ints that stand for objects: never an address of this process, and never given out twice."""

from __future__ import annotations

import itertools
import threading
from typing import Final, Generic, TypeVar

from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code

Held = TypeVar("Held")

# Above everything that a process can map, so that a handle given as an address cannot be read,
# and an address given as a handle is never one.
_FIRST: Final = 0x00A5 << 48
_STEP: Final = 16
_numbers: Final = itertools.count(_FIRST, _STEP)


class Handles(Generic[Held]):
    """The objects of one kind, by handle. Safe to use from several threads.

    Args:
        what: the kind, as a message calls it.
        wrong: the code for a handle that is none of these.
    """

    def __init__(self, what: str, wrong: Code = Code.INVALID_PARAM) -> None:
        self._what = what
        self._wrong = wrong
        self._held: dict[int, Held] = {}
        self._lock = threading.Lock()

    def add(self, held: Held) -> int:
        """A new handle for this object."""
        with self._lock:
            handle = next(_numbers)
            self._held[handle] = held
        return handle

    def get(self, handle: int) -> Held:
        """The object of a handle; refused if there is none (any more)."""
        try:
            return self._held[handle]
        except KeyError:
            raise self._refusal(handle) from None

    def remove(self, handle: int) -> Held:
        """The object of a handle, which stands for nothing from now on."""
        with self._lock:
            if handle not in self._held:
                raise self._refusal(handle)
            return self._held.pop(handle)

    def replace(self, handle: int, held: Held) -> bool:
        """Lets a handle stand for another object, unless it stands for nothing any more."""
        with self._lock:
            if handle not in self._held:
                return False
            self._held[handle] = held
        return True

    def discard(self, handle: int) -> None:
        """As `remove`, whether or not there is one."""
        with self._lock:
            self._held.pop(handle, None)

    def __contains__(self, handle: int) -> bool:
        return handle in self._held

    def __len__(self) -> int:
        return len(self._held)

    def values(self) -> tuple[Held, ...]:
        """Every object, oldest first."""
        with self._lock:
            return tuple(self._held.values())

    def _refusal(self, handle: int) -> Refusal:
        if _FIRST <= handle < _FIRST + (1 << 48) and handle % _STEP == 0:
            why = "it was destroyed, or is a handle of another kind"
        else:
            why = "no such handle was ever given out" if handle else "it is null"
        return Refusal(self._wrong, f"{handle:#x} is not a {self._what}: {why}")
