"""How busy a machine is with other programs than this one."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil


class Bystanders:
    """How much of the machine is taken by programs other than this one and its children."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._ours_or_idle = own_seconds() + _idle_seconds()

    def share(self) -> float:
        """Since this was made, 0..1 of all cores. On Windows children must still be there."""
        all_seconds = (time.monotonic() - self._began) * (psutil.cpu_count() or 1)
        ours_or_idle = own_seconds() + _idle_seconds() - self._ours_or_idle
        return min(1.0, max(0.0, 1.0 - ours_or_idle / all_seconds)) if all_seconds > 0 else 0.0


def own_seconds() -> float:
    """Seconds of CPU that this process and its children have taken, ended ones included."""
    me = psutil.Process()
    total = 0.0
    for each in (me, *me.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # it ended just now; its parent has its time
            times = each.cpu_times()
            total += times.user + times.system
            # Of children that ended. Only POSIX systems hand these on.
            total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total


def _idle_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.idle + getattr(times, "iowait", 0.0))
