"""The clock of a measurement, and whoever looks on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Takes what is being done, and how much of everything is done, 0 to 1."""


class Watch:
    """Knows how much of the time is over, and tells whoever looks on what is being done."""

    def __init__(self, seconds: float, on_progress: Progress | None) -> None:
        """Starts the clock."""
        self._start = time.perf_counter()
        self._seconds = seconds
        self._on_progress = on_progress
        self._done = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._start

    @property
    def passed(self) -> float:
        """The part of the time that is over; more than 1 afterwards."""
        return self.elapsed / self._seconds if self._seconds > 0 else math.inf

    def left(self, part: float = 1.0) -> float:
        """Seconds until that part of the time is over; less than 0 afterwards."""
        return part * self._seconds - self.elapsed

    def tell(self, text: str, done: float) -> None:
        """Says what is being done; how much is done never goes back."""
        self._done = min(1.0, max(self._done, done))
        if self._on_progress is not None:
            self._on_progress(text, self._done)
