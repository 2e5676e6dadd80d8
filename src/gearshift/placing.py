"""On which CPU a thread runs, and how to keep one off another's.

Linux puts a thread that is woken onto a CPU that is idle. In a virtual machine a CPU that sleeps
does not look so, since its host has taken it away; then the thread is put where the one runs that
woke it, and both take turns until the load is balanced, some milliseconds later.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable


def _finder() -> Callable[[], int] | None:
    if sys.platform != "linux":
        return None
    try:
        find: Callable[[], int] = ctypes.CDLL(None).sched_getcpu
    except (OSError, AttributeError):  # a C library that has none
        return None
    return find


_find_cpu = _finder()


def this_cpu() -> int | None:
    """The CPU that this thread runs on just now; None where nobody can tell."""
    cpu = -1 if _find_cpu is None else _find_cpu()
    return cpu if cpu >= 0 else None


class Place:
    """Where the thread that makes it may run."""

    def __init__(self) -> None:
        can_choose = sys.platform == "linux"
        self._allowed = os.sched_getaffinity(0) if can_choose else set[int]()
        self._off: int | None = None

    def keep_off(self, cpu: int) -> None:
        """From now on it runs on any other, if it may; at once, if it is there now."""
        others = self._allowed - {cpu}
        if cpu == self._off or not others:
            return
        try:
            os.sched_setaffinity(0, others)
        except OSError:  # it may not run on any of these any more: leave it to the system
            self._allowed.clear()
        self._off = cpu
