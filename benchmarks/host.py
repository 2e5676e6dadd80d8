"""What a measurement was taken on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

from gearshift.engines import base


def cpu_name() -> str:
    """The processor's own name, as far as the system tells."""
    table = Path("/proc/cpuinfo")
    if table.exists():
        for line in table.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """CPUs this process may run on."""
    return base.usable_cores()


def versions() -> dict[str, str]:
    """Versions of what takes part."""
    names = ("gearshift", "openvino", "onnxruntime", "numpy")
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in names
    }


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
