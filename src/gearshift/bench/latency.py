"""Figures of how long runs took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Latency:
    """How long runs took, in milliseconds; all zero where there were none."""

    min: float = 0.0
    max: float = 0.0
    mean: float = 0.0
    median: float = 0.0
    p99: float = 0.0
    count: int = 0

    @staticmethod
    def of(milliseconds: Sequence[float]) -> Latency:
        """The figures of those; the 99th percentile is interpolated as numpy does by default."""
        if not milliseconds:
            return Latency()
        times = np.asarray(milliseconds, np.float64)
        return Latency(
            float(times.min()),
            float(times.max()),
            float(times.mean()),
            float(np.median(times)),
            float(np.percentile(times, 99)),
            len(times),
        )

    def throughput(self, rows: float) -> float:
        """Rows a second at the mean, 0 where nothing was measured."""
        return 1000 * rows / self.mean if self.mean else 0.0


@dataclass(frozen=True)
class Sample:
    """How long one run took, in milliseconds.

    Attributes:
        engine: in the engine. Programs that ran side by side are added up, so that it can be more
            than what the caller waited for.
        caller: what the caller waited for.
    """

    engine: float
    caller: float
