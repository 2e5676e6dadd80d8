"""What `gearshift cache` does."""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from rich.filesize import decimal

from gearshift.artifact.codec import encode
from gearshift.cli import screen
from gearshift.cli.console import write, write_json
from gearshift.cli.costs_report import host_line
from gearshift.cli.report import print_facts
from gearshift.errors import TableError
from gearshift.tuning.cache import cache_files, cache_folder, cache_limit, clear_cache
from gearshift.tuning.table import TABLE_VERSION, CostTable, read_table, version_of

_IDENTITY: Final = 12
"""Digits of an identity that tell artifacts apart well enough for people."""


@dataclass(frozen=True)
class Kept:
    """What is kept of one frame of an artifact on one host.

    Attributes:
        identity: the artifact's, shortened; empty for what a process that was ended left behind.
        table: None if it cannot be read.
        problem: why it cannot be; "" if it can.
        files: how many there are.
        nbytes: what they take.
        used: when one of them was last needed, ISO date and time, UTC.
    """

    identity: str
    table: CostTable | None
    problem: str
    files: int
    nbytes: int
    used: str


def show_cache(arguments: argparse.Namespace) -> None:
    """Shows the cache, or clears it."""
    folder = cache_folder()
    if arguments.clear:
        freed = clear_cache()
        if arguments.json:
            write_json({"folder": str(folder), "freed": freed})
        else:
            write(f"removed {decimal(freed)} from {folder}")
        return
    kept = list_kept(cache_files())
    if arguments.json:
        write_json(
            {
                "folder": str(folder),
                "bytes": sum(each.nbytes for each in kept),
                "limit_bytes": cache_limit(),
                "kept": [_kept_json(each) for each in kept],
            }
        )
    else:
        _print_cache(folder, kept)


def list_kept(files: Iterable[tuple[Path, os.stat_result]]) -> list[Kept]:
    """What the files hold, last used first."""
    groups: dict[str, list[tuple[Path, os.stat_result]]] = defaultdict(list)
    for path, status in files:
        groups[path.name.partition(".")[0]].append((path, status))
    kept = []
    for name, group in groups.items():
        table, problem = _read_table([path for path, _ in group])
        kept.append(
            Kept(
                identity=name[:_IDENTITY],
                table=table,
                problem=problem,
                files=len(group),
                nbytes=sum(status.st_size for _, status in group),
                used=_iso(max(status.st_mtime for _, status in group)),
            )
        )
    return sorted(kept, key=lambda each: each.used, reverse=True)


def _read_table(paths: Iterable[Path]) -> tuple[CostTable | None, str]:
    """The table among the files; if there is none that can be read, why."""
    for path in paths:
        if path.suffix == ".costs":
            try:
                data = path.read_bytes()
                return read_table(data), ""
            except OSError as error:
                return None, f"its table cannot be read ({error.strerror})"
            except TableError:
                version = version_of(data)
                if version in (None, TABLE_VERSION):
                    return None, "its table is damaged"
                return None, f"its table is of version {version}, for another gearshift"
    return None, "no table"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")


def _kept_json(kept: Kept) -> dict[str, object]:
    return {
        "identity": kept.table.artifact if kept.table else kept.identity,
        "host": encode(kept.table.host) if kept.table else None,
        "frame": kept.table.frame if kept.table else None,
        "made": kept.table.made if kept.table else None,
        "problem": kept.problem,
        "files": kept.files,
        "bytes": kept.nbytes,
        "used": kept.used,
    }


def _print_cache(folder: Path, kept: list[Kept]) -> None:
    taken = decimal(sum(each.nbytes for each in kept))
    files = sum(each.files for each in kept)
    allowed = decimal(cache_limit())
    taken = f"{taken} by {files} files; allowed are {allowed}" if kept else f"nothing of {allowed}"
    print_facts([("folder", str(folder)), ("taken", taken)])
    if not kept:
        return
    out = screen.out()
    out.print()
    rows = [
        (
            each.identity or "-",
            str(each.table.frame) if each.table else "-",
            host_line(each.table.host) if each.table else each.problem,
            each.table.made[:10] if each.table else "-",
            str(each.files),
            decimal(each.nbytes),
            each.used[:10],
        )
        for each in kept
    ]
    columns = ("identity", "frame", "host", "measured", "files", "bytes", "last used")
    screen.print_table(out, columns, rows, names=("host",), numbers=("files", "bytes"))
