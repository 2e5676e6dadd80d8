"""What a measurement was taken on."""

from __future__ import annotations

import importlib.metadata
import os
import platform

from gearshift.placing import usable_cores
from gearshift.tuning.cpu import cpu_name


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
