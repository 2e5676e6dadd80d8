"""Which processor this is."""

from __future__ import annotations

import platform
from pathlib import Path


def cpu_name(table: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's own name, as far as the system tells.

    Args:
        table: where Linux describes it; other systems have no such file.
    """
    return _first_processor(table).get("model name") or platform.processor() or platform.machine()


def cpu_signature(table: Path = Path("/proc/cpuinfo")) -> str:
    """The name, and the numbers that tell apart processors of one name.

    Clouds cut names short: "AMD EPYC" and "Intel Xeon Processor @ 2.20GHz" are several generations.
    """
    processor = _first_processor(table)
    numbers = [f"{label} {processor[key]}" for key, label in _NUMBERS.items() if processor.get(key)]
    name = cpu_name(table)
    return f"{name} ({', '.join(numbers)})" if numbers else name


_NUMBERS = {  # key in the table of x86 or Arm -> what we call it
    "cpu family": "family",
    "model": "model",
    "stepping": "stepping",
    "CPU implementer": "implementer",
    "CPU variant": "variant",
    "CPU part": "part",
}


def _first_processor(table: Path) -> dict[str, str]:
    """Keys and values of the first processor; none where there is no such table."""
    try:
        text = table.read_text("utf-8", "replace")
    except OSError:
        return {}
    lines = text.strip().split("\n\n", maxsplit=1)[0].splitlines()
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs}
