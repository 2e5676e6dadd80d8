"""What all sheets come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.batch import Sheet
from benchmarks.contenders import GEARSHIFT
from benchmarks.ratios import Ratio, geometric_mean

EVEN: Final = 0.97
"""A ratio below it counts as a loss."""


@dataclass(frozen=True)
class Place:
    """A ratio, and where it was seen."""

    ratio: Ratio
    model: str
    protocol: str
    rows: int

    def __str__(self) -> str:
        at = f"{self.model}, {self.rows} row{'s' * (self.rows > 1)}, {self.protocol}"
        return f"{self.ratio.value:.3f} [{self.ratio.low:.2f}-{self.ratio.high:.2f}] at {at}"


@dataclass(frozen=True)
class Summary:
    """Best dynamic peer over gearshift, over some sheets.

    Attributes:
        mean: geometric mean over all of them.
        least: the least one.
        lost: those below `EVEN`, the least first.
        count: how many there are.
    """

    mean: float
    least: Place
    lost: tuple[Place, ...]
    count: int

    @property
    def surely_lost(self) -> int:
        """How many lie below `EVEN` with all of their interval."""
        return sum(place.ratio.high < EVEN for place in self.lost)


def summarise(sheets: Iterable[Sheet]) -> Summary | None:
    """The summary; None if there is no ratio at all."""
    places = [
        Place(cell.ratio, sheet.model, sheet.protocol, cell.rows)
        for sheet in sheets
        for cell in sheet.cells
        if cell.ratio is not None
    ]
    if not places:
        return None
    places.sort(key=lambda place: place.ratio.value)
    lost = tuple(place for place in places if place.ratio.value < EVEN)
    mean = geometric_mean(place.ratio.value for place in places)
    return Summary(mean, places[0], lost, len(places))


def against_ours(sheets: Sequence[Sheet], name: str) -> float:
    """How many times as long as gearshift a contender took, as geometric mean; NaN if unknown."""
    return geometric_mean(
        cell.times[name].median / cell.times[GEARSHIFT.name].median
        for sheet in sheets
        for cell in sheet.cells
        if name in cell.times and GEARSHIFT.name in cell.times
    )
