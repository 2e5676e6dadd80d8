"""The CPUs there are, on which of them a thread runs, and how to keep one off another's.

A thread that is woken should be put onto a CPU that is idle. In a virtual machine it was often seen
on the one of whoever woke it, while another slept: likely because Linux takes a CPU for busy whose
host has taken it away, as it does with one that sleeps. Both threads then take turns until the load
is balanced, some milliseconds later.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable


def _cpu_finder() -> Callable[[], int]:
    try:  # without giving the interpreter away, which may take long to get back
        find: Callable[[], int] = ctypes.PyDLL(None).sched_getcpu
    except (OSError, TypeError, AttributeError):  # another system, or a C library that has none
        return lambda: -1
    return find


_find_cpu = _cpu_finder()


def this_cpu() -> int | None:
    """The CPU that this thread runs on just now; None where nobody can tell."""
    cpu = _find_cpu()
    return cpu if cpu >= 0 else None


def usable_cores() -> int:
    """CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Place:
    """Where a thread may run."""

    def __init__(self, thread: int | None) -> None:
        """Leaves it as it is.

        Args:
            thread: the system's number of it.
        """
        self._thread = thread or 0
        self._allowed: set[int] = set()
        self._left: set[int] = set()  # what `keep_off` left it
        self._off: int | None = None

    def keep_off(self, cpu: int | None) -> None:
        """From now on it runs on any other, if it may; at once, if it is there now.

        Args:
            cpu: which; None gives back what was taken before.
        """
        if cpu == self._off or not self._thread:
            return
        self._off = cpu
        if sys.platform == "linux":
            try:
                self._choose(cpu)
            except OSError:  # not allowed here, or it has ended: leave it to the system
                self._thread = 0

    if sys.platform == "linux":

        def _choose(self, cpu: int | None) -> None:
            now = os.sched_getaffinity(self._thread)
            if now != self._left:  # the first time, or somebody else has chosen since
                self._allowed = now
            self._left = (self._allowed - {cpu}) or self._allowed
            if self._left != now:
                os.sched_setaffinity(self._thread, self._left)
