"""What a session has done: counts per gear, kept by whoever runs, read by whoever asks."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gearshift.gears.dispatch import Piece


@dataclass(frozen=True)
class GearStats:
    """What one gear has done.

    Attributes:
        runs: how often it ran.
        rows: the callers' rows among those it computed.
        padded_rows: the others.
        seconds: time spent in the engine.
    """

    runs: int = 0
    rows: int = 0
    padded_rows: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Stats:
    """What a session has done since it was loaded.

    Attributes:
        calls: calls of ``run`` that came to an end, empty ones included.
        rows: rows they were given.
        padded_rows: rows computed only to be thrown away.
        gears: what was computed, per number of rows; calls that failed half-way included.
        frames: the same for each frame: gears that differ in their number of rows only.
    """

    calls: int
    rows: int
    padded_rows: int
    gears: Mapping[int, GearStats]
    frames: tuple[Mapping[int, GearStats], ...] = ()


def merged(parts: Sequence[Stats]) -> Stats:
    """The sum of several: what ran at one number of rows comes together."""
    gears: dict[int, GearStats] = {}
    for part in parts:
        for size, more in part.gears.items():
            so_far = gears.get(size, GearStats())
            gears[size] = GearStats(
                so_far.runs + more.runs,
                so_far.rows + more.rows,
                so_far.padded_rows + more.padded_rows,
                so_far.seconds + more.seconds,
            )
    return Stats(
        calls=sum(part.calls for part in parts),
        rows=sum(part.rows for part in parts),
        padded_rows=sum(part.padded_rows for part in parts),
        gears=dict(sorted(gears.items())),
        frames=tuple(part.gears for part in parts),
    )


class StatsKeeper:
    """Collects from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._rows = 0
        # Runs, rows, padded rows and seconds by gear: sums in place, because every piece adds.
        self._sums: dict[int, list[float]] = {}

    def count_call(self, rows: int) -> None:
        """One ``run`` of so many rows came to its end."""
        with self._lock:
            self._calls += 1
            self._rows += rows

    def count_piece(self, piece: Piece, seconds: float) -> None:
        """One gear ran once."""
        with self._lock:
            sums = self._sums.setdefault(piece.gear, [0, 0, 0, 0.0])
            sums[0] += 1
            sums[1] += piece.rows
            sums[2] += piece.gear - piece.rows
            sums[3] += seconds

    def snapshot(self) -> Stats:
        """The counts now."""
        with self._lock:
            calls, rows = self._calls, self._rows
            gears = {
                gear: GearStats(int(runs), int(rows), int(padded), seconds)
                for gear, (runs, rows, padded, seconds) in sorted(self._sums.items())
            }
        return Stats(
            calls=calls,
            rows=rows,
            padded_rows=sum(gear.padded_rows for gear in gears.values()),
            gears=gears,
        )
