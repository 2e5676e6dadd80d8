"""The start benchmark: from nothing to the first result, to every gear, and the memory it takes."""

from __future__ import annotations

import os
import pickle
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.contender import Contender
from benchmarks.prepare import COUNTS, Ready
from benchmarks.screen import OnProgress
from benchmarks.start import Memory, Order, Start, read_start

_ROOT: Final = Path(__file__).resolve().parents[1]
_LONGEST_S: Final = 300.0


class StartError(Exception):
    """A start failed; the message holds the last that was said."""


@dataclass(frozen=True)
class Starts:
    """All starts of one contender on one model.

    Attributes:
        model: its name.
        contender: its name.
        engines: engine libraries that it loads.
        timed: the starts that were timed.
        memory: of one more start, which ran every number of rows twice.
    """

    model: str
    contender: str
    engines: tuple[str, ...]
    timed: tuple[Start, ...]
    memory: Memory

    def median(self, what: Callable[[Start], float]) -> float:
        """The median of something over the timed starts."""
        return statistics.median(map(what, self.timed))

    def further(self, gear: int) -> float:
        """The median of the first call of a further gear."""
        return self.median(lambda start: start.further[gear])


def run_starts(
    ready: Ready,
    contenders: Sequence[Contender],
    repetitions: int,
    on_progress: OnProgress,
) -> tuple[Starts, ...]:
    """Starts every contender in turn, as often as that, in another order each time.

    Nobody always comes after the same one, which may leave the machine in a state of its own.

    A first start, for memory, is not timed: it warms the file cache for all alike, and tells
    which engine libraries to import before loading is timed.

    Raises:
        StartError: a start failed.
    """
    name, total = ready.model.name, len(contenders) * (repetitions + 1)
    doing, done = f"{name}: starting", 0
    scouts: dict[str, Start] = {}
    timed: dict[str, list[Start]] = {each.name: [] for each in contenders}
    for contender in contenders:
        scouts[contender.name] = start(contender, ready, contender.imports, COUNTS)
        done += 1
        on_progress(doing, done / total)
    for repetition in range(repetitions):
        for contender in random.Random(repetition).sample(contenders, len(contenders)):
            engines = scouts[contender.name].engines
            timed[contender.name].append(start(contender, ready, (*contender.imports, *engines)))
            done += 1
            on_progress(doing, done / total)
    return tuple(
        Starts(name, each, scouts[each].engines, tuple(timed[each]), _known(scouts[each].memory))
        for each in timed
    )


def start(
    contender: Contender, ready: Ready, imports: tuple[str, ...], counts: tuple[int, ...] = ()
) -> Start:
    """One start, in a process of its own."""
    order = Order(contender, ready.setup, imports, counts, time.time())
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-c", "from benchmarks.start import main; main()"],
        input=pickle.dumps(order),
        capture_output=True,
        timeout=_LONGEST_S,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise StartError(f"{ready.model.name}: {contender.name!r} did not start: {said[-2000:]}")
    return read_start(done.stdout.decode(errors="replace"))


def _known(memory: Memory | None) -> Memory:
    assert memory is not None  # it was asked for
    return memory
