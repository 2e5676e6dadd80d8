"""How much memory this process may take: the machine's, and its container's if it is in one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

_UNLIMITED: Final = 1 << 60
"""Version 1 control groups write a number of this size where nothing is limited."""


@dataclass(frozen=True)
class MachineMemory:
    """Memory in bytes.

    Attributes:
        total: what this process could ever have.
        available: what it could have now without pushing anything out to swap.
        swap: size of the swap space; 0 if swap is off.
    """

    total: int
    available: int
    swap: int


def machine_memory(root: Path = Path("/")) -> MachineMemory:
    """What the system reports, lowered to the limits of the control groups this process is in.

    Args:
        root: where the system's files lie. Where there are none (Windows, macOS) only the
            machine's own numbers count.
    """
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    total, available = int(memory.total), int(memory.available)
    for limit, used in _group_limits(root):
        total = min(total, limit)
        available = min(available, max(0, limit - used))
    return MachineMemory(total, available, int(swap.total))


def _group_limits(root: Path) -> Iterator[tuple[int, int]]:
    """(limit, used) of each control group that limits this process."""
    for folder in _group_folders(root):
        for limit_file, used_file, cache_key in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            limit = _number(folder / limit_file)
            if limit is not None and limit < _UNLIMITED:
                used = _number(folder / used_file) or 0
                # Cached file pages are given back on demand, so they are not really in use.
                yield limit, max(0, used - _stat(folder / "memory.stat", cache_key))


def _group_folders(root: Path) -> Iterator[Path]:
    """Folders of this process's group and of those above it, both versions of the interface."""
    for line in (_text(root / "proc/self/cgroup") or "0::/").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        group = mount / name.strip().lstrip("/")
        yield group
        yield from (folder for folder in group.parents if folder.is_relative_to(mount))


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return None  # no such interface on this system, or not for this group


def _number(path: Path) -> int | None:
    """The number in a file; None where there is no file or it says ``max``."""
    text = (_text(path) or "").strip()
    return int(text) if text.isdigit() else None


def _stat(path: Path, key: str) -> int:
    for line in (_text(path) or "").splitlines():
        name, _, number = line.partition(" ")
        if name == key:
            return int(number)
    return 0
