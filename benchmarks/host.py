"""What a measurement was taken on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from contextlib import suppress

import psutil

from gearshift.engines import base
from gearshift.tuning.cpu import cpu_name


def usable_cores() -> int:
    """CPUs this process may run on."""
    return base.usable_cores()


def versions() -> dict[str, str]:
    """Versions of what takes part."""
    names = ("gearshift", "openvino", "onnxruntime", "numpy")
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in names
    }


class Bystanders:
    """How much of the machine is taken by programs other than this one and its children."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._ours_or_idle = _own_seconds() + _idle_seconds()

    def share(self) -> float:
        """Since this was made, 0..1 of all cores. On Windows children must still be there."""
        all_seconds = (time.monotonic() - self._began) * (psutil.cpu_count() or 1)
        ours_or_idle = _own_seconds() + _idle_seconds() - self._ours_or_idle
        return max(0.0, 1.0 - ours_or_idle / all_seconds)


def _idle_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.idle + getattr(times, "iowait", 0.0))


def _own_seconds() -> float:
    me = psutil.Process()
    total = 0.0
    for each in (me, *me.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # it ended just now; its parent has its time
            times = each.cpu_times()
            total += times.user + times.system
            # Of children that ended. Only POSIX systems hand these on.
            total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total


def describe() -> dict[str, object]:
    """Everything above and the load, for the record of a measurement."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "system": platform.platform(),
        "load": load,
        **versions(),
    }
