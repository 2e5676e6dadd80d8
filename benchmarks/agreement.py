"""Whether a contender computes what the reference does; no time is worth anything otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.contender import Feeds, Runner, first_rows, read_arrays
from gearshift.tensors import Array

TOLERANCE: Final = 1e-3
"""Of each number; and a twentieth of it of an output's largest, for numbers that are near zero."""


def misfit(outputs: Sequence[Array], reference: Sequence[Array]) -> float:
    """The largest difference as a share of what is allowed; more than 1 is a disagreement.

    Outputs of another shape or number, and numbers that are none, are infinitely far off.
    """
    if [output.shape for output in outputs] != [output.shape for output in reference]:
        return math.inf
    return max(map(_misfit, outputs, reference), default=0.0)


def _misfit(output: Array, reference: Array) -> float:
    if not output.size:
        return 0.0
    given, right = output.astype(np.float64), reference.astype(np.float64)
    allowed = TOLERANCE * (np.abs(right) + np.abs(right).max() / 20)
    shares = np.abs(given - right) / np.maximum(allowed, np.finfo(np.float32).tiny)
    worst = float(shares.max())
    return math.inf if math.isnan(worst) else worst


def worst_misfit(
    runner: Runner, rows: Feeds, reference: Path, counts: Sequence[int]
) -> tuple[float, int]:
    """Runs each number of rows; the worst `misfit`, and for how many rows it was seen.

    The reference holds the outputs for all rows. What a row gives depends on that row alone, so its
    first n rows are what n rows must give.
    """
    expected = list(read_arrays(reference).values())
    return max(
        (misfit(runner.run(first_rows(rows, n)), [output[:n] for output in expected]), n)
        for n in counts
    )
