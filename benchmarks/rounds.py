"""Interleaved rounds over several workers."""

from __future__ import annotations

import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.worker import Worker
from gearshift.tuning.bystanders import Bystanders

Blocks = Callable[[random.Random], list[list[int]]]
"""Makes the blocks of one round: each is a run of calls by one worker, given as row counts."""


@dataclass(frozen=True)
class Times:
    """Samples of one contender at one number of rows, in seconds.

    Attributes:
        visits: the samples of each block in which that number of rows was run, in time order.
    """

    visits: tuple[tuple[float, ...], ...]

    @property
    def samples(self) -> tuple[float, ...]:
        """All of them."""
        return tuple(sample for visit in self.visits for sample in visit)

    @property
    def median(self) -> float:
        """The figure that is compared."""
        return statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """Half the way between the quartiles, as a share of the median."""
        if len(self.samples) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.samples, n=4, method="inclusive")
        return (high - low) / 2 / self.median


class Board:
    """The samples of one measurement, by contender and number of rows.

    Attributes:
        rounds: rounds that were played to their end.
        bystanders: share of the machine that other programs took meanwhile, 0..1.
    """

    def __init__(self) -> None:
        self._visits: dict[tuple[str, int], list[tuple[float, ...]]] = defaultdict(list)
        self.rounds = 0
        self.bystanders = 0.0

    def add(self, contender: str, block: Sequence[int], seconds: Sequence[float]) -> None:
        """Takes in one block."""
        samples: dict[int, list[float]] = defaultdict(list)
        for rows, sample in zip(block, seconds, strict=True):
            samples[rows].append(sample)
        for rows, visit in samples.items():
            self._visits[contender, rows].append(tuple(visit))

    def times(self, contender: str, rows: int) -> Times:
        """Everything measured of that contender at that number of rows."""
        return Times(tuple(self._visits[contender, rows]))


def measure(
    workers: Sequence[Worker],
    blocks: Blocks,
    *,
    seconds: float,
    least_rounds: int = 3,
    on_progress: Callable[[float], None] = lambda elapsed: None,
) -> Board:
    """Plays rounds until the time is up, and as many as are asked for at least.

    In a round every worker whose turn it is runs the same blocks; they take turns, block by block,
    and who begins moves on, so that a slow moment of the machine falls on all alike. `on_progress`
    is called with the seconds that have gone by.
    """
    board, dice = Board(), random.Random(20250312)
    began, others = time.monotonic(), Bystanders()
    elapsed, turn = 0.0, 0
    while board.rounds < least_rounds or elapsed < seconds:
        playing = [each for each in workers if board.rounds % each.contender.every == 0]
        for block in blocks(dice):
            if board.rounds >= least_rounds and elapsed >= seconds:
                break
            first = turn % len(playing)
            for worker in [*playing[first:], *playing[:first]]:
                contender = worker.contender
                calls = block if contender.every == 1 else list(dict.fromkeys(block))
                board.add(contender.name, calls, worker.seconds(calls))
                time.sleep(contender.cools)
                elapsed = time.monotonic() - began
                on_progress(elapsed)
            turn += 1
        else:
            board.rounds += 1
    board.bystanders = others.share()
    return board


def same_count(counts: Sequence[int], calls: int = 3) -> Blocks:
    """The kindest protocol: each number of rows several times in a row, those in random order."""
    return lambda dice: [[count] * calls for count in dice.sample(counts, len(counts))]


def changing_count(counts: Sequence[int]) -> Blocks:
    """The real one: another number of rows in each call, in a new random order each round."""
    return lambda dice: [dice.sample(counts, len(counts))]
