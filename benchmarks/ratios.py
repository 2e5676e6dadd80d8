"""What is said of samples: how many times as long the peers took, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.rounds import Times
from gearshift.tensors import Array

CONFIDENCE: Final = 0.9
_DRAWS: Final = 1000


@dataclass(frozen=True)
class Ratio:
    """The best peer's median over ours: above 1 we are quicker.

    Attributes:
        value: of the medians as measured.
        low: where the bootstrap interval begins.
        high: where it ends.
    """

    value: float
    low: float
    high: float


def best_over_ours(ours: Times, peers: Sequence[Times], seed: int = 0) -> Ratio:
    """The least of the peers' medians over our median.

    The interval is a bootstrap in two steps. Blocks are drawn for all contenders at once, because
    they played each block within a short time of each other; then samples within each block.
    """
    value = min(peer.median for peer in peers) / ours.median
    dice = np.random.default_rng(seed)
    blocks = min(len(times.visits) for times in (ours, *peers))
    draws = dice.integers(0, blocks, (_DRAWS, blocks))
    best = np.min([_medians(peer, draws, dice) for peer in peers], axis=0)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(best / _medians(ours, draws, dice), [tail, 1 - tail])
    return Ratio(value, float(low), float(high))


def _medians(times: Times, draws: Array, dice: np.random.Generator) -> Array:
    drawn = np.array(times.visits)[draws]
    samples = np.take_along_axis(drawn, dice.integers(0, drawn.shape[2], drawn.shape), axis=2)
    return np.asarray(np.median(samples.reshape(len(draws), -1), axis=1))


def geometric_mean(values: Iterable[float]) -> float:
    """The mean that fits ratios; NaN of none."""
    logs = [math.log(value) for value in values]
    return math.exp(math.fsum(logs) / len(logs)) if logs else math.nan
