"""What an engine can be asked to build, and what was measured of it. Pure data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from gearshift.gears.dispatch import Piece, Plan, Planner

OPEN: Final = 0
"""Rows of a build whose batch dim is left open: the engine's own dynamic batch."""
EVERY_UP_TO: Final = 16
"""An open build is used for every number of rows up to here, beyond it for those it was timed at:
there a row more or less is little of the whole."""
SPLITTING: Final = 0.03
"""By how much several pieces have to be quicker than one program of as many rows.

The least of many sums of measured costs is smaller than what it comes to when it runs: plans of
ResNet-50 and an encoder that were better by their tables (1.6 and 0.6 % over 1 to 16 rows) took up
to 6 % longer.
"""
SPLITTING_OPEN: Final = 0.15
"""The same of pieces that run on an engine's own dynamic batch, to which each is another number of
rows: plans of an encoder that were 4 % better by their table (9 + 2, 13 + 3) took 7 to 8 % longer
where numbers of rows change, and one of MobileNetV2 that was 9 % better (4x2 + 3x2) 12 to 18 %.
"""


@dataclass(frozen=True, order=True)
class Build:
    """One program that an engine can be asked for.

    Attributes:
        engine: name of the engine.
        rows: rows of one execution; `OPEN` for any number.
        lanes: how many of its executions run side by side, each on its share of the threads.
        threads: of one execution; 0 for all there are, or a lane's share of them.
    """

    engine: str
    rows: int
    lanes: int = 1
    threads: int = 0

    def __str__(self) -> str:
        rows = "any rows" if self.rows == OPEN else f"{self.rows} row{'s' * (self.rows > 1)}"
        return f"{self.engine}, {rows}{self.manner}"

    @property
    def manner(self) -> str:
        """How it runs, to be said after what it runs; "" on all threads."""
        lanes = f" in {self.lanes} lanes" if self.lanes > 1 else ""
        threads = f" on {self.threads} thread{'s' * (self.threads > 1)}" if self.threads else ""
        return lanes + threads


@dataclass(frozen=True)
class Timing:
    """Seconds that one execution of `rows` rows takes, copies in and out included.

    Attributes:
        rows: the build's rows; an open build has one record for each number that was timed.
        seconds: with every lane of the build busy.
        alone: with the other lanes idle; the same as `seconds` for a build of one lane.
    """

    rows: int
    seconds: float
    alone: float


@dataclass(frozen=True)
class Measured:
    """What was measured of one build.

    Attributes:
        build: the program.
        timings: one for a fixed build, ascending by rows for an open one.
        nbytes: resident memory that building it and running every lane of it added.
    """

    build: Build
    timings: tuple[Timing, ...]
    nbytes: int

    @property
    def offers(self) -> tuple[Timing, ...]:
        """The timings, and for an open build what follows from them of the rows between.

        There is not always the time to measure each number of rows, and in lanes only some are;
        what lies between two of them is taken to lie on the line between.
        """
        if self.build.rows != OPEN:
            return self.timings
        known = [timing.rows for timing in self.timings]
        rows = sorted({*known, *range(min(known), min(max(known), EVERY_UP_TO) + 1)})
        seconds = np.interp(rows, known, [timing.seconds for timing in self.timings])
        alone = np.interp(rows, known, [timing.alone for timing in self.timings])
        return tuple(map(Timing, rows, seconds.tolist(), alone.tolist()))


@dataclass(frozen=True)
class Offer:
    """A build that runs a certain number of rows, and the seconds it takes."""

    build: Build
    seconds: float


Through = Mapping[int, Collection[Build]]
"""Rows -> those of some builds (be it all) whose plan is taken, as if there were no others."""


@dataclass(frozen=True, eq=False)  # compared and hashed as itself: it holds dicts
class Menu:
    """What a session plans with: for each number of rows the quickest build that it may use.

    Attributes:
        wide: rows -> offer, for executions that have the machine to themselves.
        side: rows -> offer, for executions with one such in each lane; empty for no lanes.
        lanes: how many lanes run side by side in offers of `side`.
        is_measured: whether costs were measured, so that plans of several pieces have to win by
            more than what that leaves uncertain.
        fewer: rows -> the menu of fewer builds that plans as many, and those around; None for this.
    """

    wide: Mapping[int, Offer]
    side: Mapping[int, Offer] = field(default_factory=dict)
    lanes: int = 1
    is_measured: bool = False
    fewer: Mapping[int, Menu | None] = field(default_factory=dict)

    @cached_property
    def planner(self) -> Planner:
        """Plans over it."""
        return Planner(
            {rows: offer.seconds for rows, offer in self.wide.items()},
            {rows: offer.seconds for rows, offer in self.side.items()},
            self.lanes,
            self._margin if self.is_measured else None,
        )

    def at(self, rows: int) -> Menu:
        """What plans that many rows, and runs the plan: as the nearest that `fewer` knows."""
        nearest = min(self.fewer, key=lambda each: (abs(each - rows), each), default=0)
        return self.fewer.get(nearest) or self

    @property
    def builds(self) -> tuple[Build, ...]:
        """Every build that it can call for, each once, in a fixed order."""
        offers = (*self.wide.values(), *self.side.values())
        others = (build for menu in self.fewer.values() if menu for build in menu.builds)
        return tuple(sorted({*(offer.build for offer in offers), *others}))

    @property
    def starter(self) -> Build:
        """The build that is worth having first: the one for the fewest rows can run any number."""
        return self.wide[min(self.wide)].build

    @property
    def single_size(self) -> tuple[int, float]:
        """The number of rows, and the seconds, of a menu that has one size."""
        ((rows, offer),) = (self.side or self.wide).items()
        return rows, offer.seconds

    def build(self, piece: Piece) -> Build:
        """What runs a piece of a plan."""
        return (self.wide if piece.lane is None else self.side)[piece.gear].build

    def builds_of(self, plan: Plan) -> set[Build]:
        """What runs a plan."""
        return {self.build(piece) for piece in plan.pieces}

    def exact_plan(self, rows: int) -> Plan:
        """The plan of rows that can be neither padded nor split: one piece of exactly as many."""
        return Plan(rows, (Piece(rows, rows),), self.wide[rows].seconds)

    def only(self, builds: AbstractSet[Build]) -> Menu:
        """What is left if there are no other builds than those."""
        wide = {rows: offer for rows, offer in self.wide.items() if offer.build in builds}
        side = {rows: offer for rows, offer in self.side.items() if offer.build in builds}
        fewer = {
            rows: menu if menu and {*menu.builds} <= builds else None
            for rows, menu in self.fewer.items()
        }
        return Menu(wide, side, self.lanes if side else 1, self.is_measured, fewer)

    def _margin(self, plan: Plan) -> float:
        is_open = any(build.rows == OPEN for build in self.builds_of(plan))
        return SPLITTING_OPEN if is_open else SPLITTING


def make_menu(measured: Iterable[Measured], through: Through | None = None) -> Menu:
    """The menu of those builds. An open build is offered for all of `Measured.offers`.

    A build with lanes is offered by itself as well, with its other lanes idle.

    Args:
        measured: the builds.
        through: whose plans are taken, also of numbers of rows between and beyond.
    """
    measured = tuple(measured)
    wide: dict[int, Offer] = {}
    side: dict[int, Offer] = {}
    lanes = 1
    for each in measured:
        lanes = max(lanes, each.build.lanes)
        for timing in each.offers:
            _keep_quicker(wide, timing.rows, Offer(each.build, timing.alone))
            if each.build.lanes > 1:
                _keep_quicker(side, timing.rows, Offer(each.build, timing.seconds))
    everything = frozenset(each.build for each in measured)
    named = {rows: frozenset(builds) for rows, builds in (through or {}).items()}
    menus = {
        builds: make_menu(each for each in measured if each.build in builds)
        for builds in {*named.values()} - {everything}
    }
    fewer = {rows: menus.get(builds) for rows, builds in named.items()}
    return Menu(wide, side, lanes, is_measured=True, fewer=fewer)


def _keep_quicker(offers: dict[int, Offer], rows: int, offer: Offer) -> None:
    if rows not in offers or offer.seconds < offers[rows].seconds:
        offers[rows] = offer
