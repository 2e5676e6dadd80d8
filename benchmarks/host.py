"""What a measurement was taken on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time

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
        """Since this was made, 0..1 of all cores. Children must still be there to be counted."""
        all_seconds = (time.monotonic() - self._began) * (psutil.cpu_count() or 1)
        ours_or_idle = _own_seconds() + _idle_seconds() - self._ours_or_idle
        return max(0.0, 1.0 - ours_or_idle / all_seconds)


def _idle_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.idle + getattr(times, "iowait", 0.0))


def _own_seconds() -> float:
    me = psutil.Process()
    return float(sum(sum(each.cpu_times()[:2]) for each in (me, *me.children(recursive=True))))


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
