"""How seconds are written: on the command line, and in ``GEARSHIFT_TUNE_SECONDS``."""

from __future__ import annotations

import math


def read_seconds(text: str) -> float | None:
    """The seconds that a text says, by the rule of `SessionOptions.tune`: finite, 0 or more.

    None for any other text.
    """
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None
