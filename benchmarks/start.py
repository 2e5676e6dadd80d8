"""One cold start of one contender, in a process that was started for nothing else.

This module is imported by that process before the clock for loading begins: it imports little.
"""

from __future__ import annotations

import importlib
import json
import pickle
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.contender import Contender, Setup, first_rows

ENGINES: Final = ("onnxruntime", "openvino")
_STATUS: Final = Path("/proc/self/status")
_IDLE_S: Final = 0.25
_LONGEST_WAIT_S: Final = 60.0


@dataclass(frozen=True)
class Order:
    """What to start.

    Attributes:
        contender: opened and run.
        setup: what it is given.
        imports: modules that are imported first, so that loading can be told from importing.
        counts: numbers of rows to run at the end, twice each, before memory is looked at; empty
            to leave that out.
        began: wall clock when the process was started.
    """

    contender: Contender
    setup: Setup
    imports: tuple[str, ...]
    counts: tuple[int, ...]
    began: float


@dataclass(frozen=True)
class Memory:
    """Of the process, in bytes, once everything was run.

    Attributes:
        before: resident with the interpreter, numpy and the rows, before any engine.
        resident: now (RSS).
        own: of that, not shared with any other process (USS).
        peak: the most that was ever resident (VmHWM); None where the system does not tell.
    """

    before: int
    resident: int
    own: int
    peak: int | None


@dataclass(frozen=True)
class Start:
    """What was seen of one start; times in seconds.

    Attributes:
        imports: from the start of the process until everything was imported.
        first: from then until the first row's result was there.
        further: the first call of each further gear, by gear.
        engines: engine libraries that were loaded by then.
        memory: None if it was not asked for.
    """

    imports: float
    first: float
    further: dict[int, float]
    engines: tuple[str, ...]
    memory: Memory | None

    @property
    def whole(self) -> float:
        """From the start of the process to the first result."""
        return self.imports + self.first

    @property
    def worst(self) -> float:
        """The longest first call of a further gear."""
        return max(self.further.values())


def main() -> None:
    """Takes a pickled `Order` from stdin; its `Start` goes to stdout as JSON."""
    order: Order = pickle.load(sys.stdin.buffer)
    print(json.dumps(asdict(play(order))))


def read_start(text: str) -> Start:
    """What `main` wrote last: engines may have written before."""
    fields = json.loads(text.splitlines()[-1])
    memory = fields["memory"] and Memory(**fields["memory"])
    further = {int(gear): seconds for gear, seconds in fields["further"].items()}
    engines = tuple(fields["engines"])
    return Start(fields["imports"], fields["first"], further, engines, memory)


def play(order: Order) -> Start:
    """Starts the contender and runs it."""
    rows = order.setup.read_rows()
    before = int(psutil.Process().memory_info().rss)
    for name in order.imports:
        importlib.import_module(name)
    imported = time.time()
    with order.contender.open(order.setup) as runner:
        runner.run(first_rows(rows, 1))
        first = time.time() - imported
        further = {}
        for gear in order.setup.gears[1:]:
            feeds, called = first_rows(rows, gear), time.perf_counter()
            runner.run(feeds)
            further[gear] = time.perf_counter() - called
        engines = tuple(name for name in ENGINES if name in sys.modules)
        for _ in range(2 if order.counts else 0):
            for count in order.counts:
                runner.run(first_rows(rows, count))
            _wait_until_idle()
        memory = _memory(before) if order.counts else None
    return Start(imported - order.began, first, further, engines, memory)


def _wait_until_idle() -> None:
    """Returns once nothing is being built in the background any more."""
    me, end = psutil.Process(), time.monotonic() + _LONGEST_WAIT_S
    busy = True
    while busy and time.monotonic() < end:
        before = sum(me.cpu_times()[:2])
        time.sleep(_IDLE_S)
        busy = sum(me.cpu_times()[:2]) - before > _IDLE_S / 10


def _memory(before: int) -> Memory:
    full = psutil.Process().memory_full_info()
    return Memory(before, int(full.rss), int(full.uss), _peak())


def _peak() -> int | None:
    if not _STATUS.exists():
        return None
    fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024
