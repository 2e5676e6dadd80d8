"""Which gears run n rows at the least cost, but for a margin. Exact, and pure arithmetic.

With ``c(g)`` the cost of one run of gear g (padding, copy and slice included), the best way to run
n rows one piece after the other is

    f(0) = 0,    f(n) = min over g of  c(g) + f(max(0, n - g)).

Where k lanes run side by side, they share out m of the rows evenly and the longest of them is what
counts; the other rows run before that with the machine to themselves:

    plan(n) = min over m of  f_wide(n - m) + f_lane(ceil(m / k)).

Where a gear has exactly n rows, a plan of several pieces has to cost less than one run of it by
more than the margin, which is 0 unless costs were measured.

Every lane runs the same gears in the same order, the last one not full if need be: side by side,
two executions of one program measured quicker than two programs, and costs are of the former.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

from gearshift.errors import InternalError

_REMEMBERED = 1 << 16  # pieces of all plans together; traffic has few distinct sizes
SMALL = 64
"""Pieces; planning is little beside running more than these."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One run of one gear.

    Attributes:
        gear: the batch size that runs.
        rows: how many rows of the call are its own; what else it computes is thrown away.
        lane: which of the executions side by side it belongs to; None if it runs by itself.
        before: where other rows of the call fill the gear, how many of these come before its own;
            it reads the caller's memory as it lies then. None where none do.
    """

    gear: int
    rows: int
    lane: int | None = None
    before: int | None = None

    @property
    def is_full(self) -> bool:
        """Whether all that it computes is its own."""
        return self.rows == self.gear

    def __str__(self) -> str:
        if self.is_full:
            return str(self.gear)
        return f"{self.gear}({self.rows} row{'s' * (self.rows != 1)})"


@dataclass(frozen=True)
class Plan:
    """The pieces that run n rows, in row order, and what they cost (in the cost table's unit).

    Pieces without a lane run first, one after the other; then all lanes at once, the pieces of each
    one after the other.
    """

    rows: int
    pieces: tuple[Piece, ...]
    cost: float

    @property
    def padded_rows(self) -> int:
        """How many rows are computed only to be thrown away."""
        return sum(piece.gear - piece.rows for piece in self.pieces)

    def first(self, rows: int) -> Plan:
        """The same pieces for only that many rows, so that the last ones are not full."""
        if rows == self.rows:
            return self  # and what it has found out of itself
        pieces: list[Piece] = []
        start = 0
        for piece in self.pieces:
            own = min(piece.rows, rows - start)
            kept = own == piece.rows and piece.before is None
            pieces.append(piece if kept else _piece(piece.gear, own, start, rows, piece.lane))
            start += own
        return Plan(rows, tuple(pieces), self.cost)

    @cached_property
    def alone(self) -> tuple[Piece, ...]:
        """The pieces that run by themselves."""
        return tuple(piece for piece in self.pieces if piece.lane is None)

    @cached_property
    def lanes(self) -> tuple[tuple[Piece, ...], ...]:
        """The pieces of each lane; empty if nothing runs side by side."""
        count = max((piece.lane + 1 for piece in self.pieces if piece.lane is not None), default=0)
        return tuple(
            tuple(piece for piece in self.pieces if piece.lane == lane) for lane in range(count)
        )

    @property
    def short(self) -> str:
        """The same as its text, with ``1x8`` for eight pieces of one row in a row."""
        parts = [_run_lengths(self.alone)] if self.alone else []
        if self.lanes:
            parts.append(f"[{' | '.join(map(_run_lengths, self.lanes))}]")
        return " + ".join(parts) or "nothing"

    def __str__(self) -> str:
        parts = [str(piece) for piece in self.alone]
        if self.lanes:
            parts.append("[" + " | ".join(" + ".join(map(str, lane)) for lane in self.lanes) + "]")
        return " + ".join(parts) or "nothing"


class Planner:
    """Least-cost plans over a table of costs per gear, and another for gears in lanes.

    Costs are any positive numbers in one unit. Ties go to the plan with fewer pieces, then to the
    larger gear first, so that equal tables give equal plans.

    The tables are built as far as they have been asked for. Beyond `_periodic_from` rows none is
    needed: with u the rows of the unit (one gear by itself, or one in every lane) that costs least
    per row, any u pieces hold some whose rows add up to a multiple of u, and units run those no
    dearer; so some optimal plan has few other pieces, and units are taken off until the rest fits.
    """

    def __init__(
        self,
        costs: Mapping[int, float],
        lane_costs: Mapping[int, float] | None = None,
        lanes: int = 1,
        margin: Callable[[Plan], float] | None = None,
    ) -> None:
        """Takes the costs.

        Args:
            costs: by gear, of a piece that has the machine to itself.
            lane_costs: by gear, with one such piece in each of `lanes`.
            lanes: how many pieces run side by side.
            margin: of a plan of several pieces, by more than which part it must cost less than one
                run of a gear of exactly as many rows, which is taken otherwise; None for 0.
        """
        self._wide = _Sequences(costs)
        self._side = _Sequences(lane_costs) if lane_costs and lanes > 1 else None
        self._lanes = lanes
        self._margin = margin
        self._unit = self._wide.steady
        self._unit_cost = self._wide.costs[self._unit]
        self._side_is_steady = False
        self._periodic_from = self._wide.periodic_from(self._unit)
        if self._side is not None:
            self._weigh_lanes(self._side)
        self._plans: dict[int, Plan] = {}
        self._remembered = 0  # pieces; threads may count one too few, which does no harm

    @property
    def costs(self) -> Mapping[int, float]:
        """What one run of each gear costs that has the machine to itself."""
        return self._wide.costs

    def plan(self, rows: int) -> Plan:
        """The least-cost plan for that many rows (>= 0), but for the margin."""
        found = self._plans.get(rows)
        if found is not None:
            return found
        if rows < 0:
            raise InternalError(f"cannot plan {rows} rows")
        plan = self._plan(rows)
        whole = self.costs.get(rows, math.inf)
        if whole <= plan.cost * (1 + (self._margin(plan) if self._margin else 0.0)):
            plan = Plan(rows, (Piece(rows, rows),), whole)
        count = len(plan.pieces)
        if count <= SMALL and self._remembered + count <= _REMEMBERED:
            self._plans[rows] = plan
            self._remembered += count
        return plan

    def _weigh_lanes(self, side: _Sequences) -> None:
        unit = side.steady * self._lanes
        if side.costs[side.steady] * self._unit < self._unit_cost * unit:
            self._unit, self._unit_cost = unit, side.costs[side.steady]
            self._side_is_steady = True
        self._periodic_from = self._wide.periodic_from(self._unit) + self._lanes * (
            side.periodic_from(self._unit)
        )

    def _plan(self, rows: int) -> Plan:
        units = max(0, -(-(rows - self._periodic_from) // self._unit))
        rest = rows - units * self._unit
        in_lanes, cost = self._share(rest)
        wide = self._wide.gears(rest - in_lanes)
        extra_wide = [] if self._side_is_steady else [self._unit] * units
        extra_side = [self._unit // self._lanes] * units if self._side_is_steady else []
        in_lanes += len(extra_side) * self._unit
        pieces = _pieces(extra_wide + wide, range(rows - in_lanes), rows, None)
        if self._side is not None and in_lanes:
            share = -(-in_lanes // self._lanes)
            gears = extra_side + self._side.gears(share - sum(extra_side))
            for lane, start in enumerate(range(rows - in_lanes, rows, share)):
                pieces += _pieces(gears, range(start, min(start + share, rows)), rows, lane)
        return Plan(rows=rows, pieces=tuple(pieces), cost=cost + units * self._unit_cost)

    def _share(self, rows: int) -> tuple[int, float]:
        """How many of the rows run in lanes, and what the best plan for all of them costs."""
        if self._side is None:
            return 0, self._wide.best(rows)[0]
        full = range(0, rows + 1, self._lanes)
        shares = full if rows % self._lanes == 0 else (*full, rows)
        best = (*self._wide.best(rows), 0)
        for in_lanes in shares[1:]:
            wide, pieces = self._wide.best(rows - in_lanes)
            side, more = self._side.best(-(-in_lanes // self._lanes))
            best = min(best, (wide + side, pieces + more * self._lanes, in_lanes))
        return best[2], best[0]


@dataclass
class _Sequences:
    """The best ways to run rows one piece after the other, in a table that grows as asked."""

    costs: Mapping[int, float]
    steady: int = field(init=False)
    """The gear with the least cost per row."""

    def __post_init__(self) -> None:
        if not self.costs or any(gear < 1 or not cost > 0 for gear, cost in self.costs.items()):
            raise InternalError(f"costs must be positive and given for some gear: {self.costs!r}")
        self.costs = dict(sorted(self.costs.items(), reverse=True))
        self.steady = min(self.costs, key=lambda gear: (self.costs[gear] / gear, -gear))
        self._lock = threading.Lock()
        self._best: list[tuple[float, int]] = [(0.0, 0)]  # rows -> (cost, pieces)
        self._choice: list[int] = [0]  # rows -> first gear of a best way

    def periodic_from(self, unit: int) -> int:
        """Rows beyond which pieces of at most this table's gears hold a multiple of `unit`."""
        return unit * max(self.costs)

    def best(self, rows: int) -> tuple[float, int]:
        """Cost of the best way, and how many pieces it has."""
        self._extend(rows)
        return self._best[rows]

    def gears(self, rows: int) -> list[int]:
        """The gears of a best way."""
        self._extend(rows)
        gears = []
        while rows > 0:
            gears.append(self._choice[rows])
            rows -= self._choice[rows]
        return gears

    def _extend(self, rows: int) -> None:
        if rows < len(self._choice):
            return
        with self._lock:
            for n in range(len(self._choice), rows + 1):
                cost, count, choice = min(
                    (
                        self.costs[gear] + self._best[max(0, n - gear)][0],
                        self._best[max(0, n - gear)][1] + 1,
                        -gear,
                    )
                    for gear in self.costs
                )
                self._best.append((cost, count))
                self._choice.append(-choice)


def _run_lengths(pieces: Sequence[Piece]) -> str:
    runs = [(text, len(list(same))) for text, same in groupby(map(str, pieces))]
    return " + ".join(text if times == 1 else f"{text}x{times}" for text, times in runs)


def _pieces(gears: list[int], own: range, rows: int, lane: int | None) -> list[Piece]:
    """Those gears over some of the call's rows, largest first, so that the smallest is not full."""
    pieces = []
    start = own.start
    for gear in sorted(gears, reverse=True):
        if start < own.stop:
            pieces.append(_piece(gear, min(gear, own.stop - start), start, rows, lane))
            start += gear
    return pieces


def _piece(gear: int, own: int, start: int, rows: int, lane: int | None) -> Piece:
    """A run for some rows of a call of so many: `own` of them, from row `start` on.

    Other rows of the call fill it up where there are enough: those behind, and so many of those
    before as it takes.
    """
    is_full = own == gear
    return Piece(gear, own, lane, None if is_full or gear > rows else max(0, start + gear - rows))


def row_by_row(rows: int, gear: int, cost: float, lanes: int = 1) -> Plan:
    """One piece for each row, over all lanes: what is the same for a row whatever comes with it.

    So no other rows of the call fill a gear.
    """
    lane_of = [None if lanes == 1 else row * lanes // rows for row in range(rows)]
    pieces = tuple(Piece(gear, 1, lane) for lane in lane_of)
    return Plan(rows, pieces, cost * -(-rows // lanes))


def default_costs(sizes: tuple[int, ...]) -> dict[int, float]:
    """The stated cost model of a host where nothing was measured: c(g) = g + 1/4.

    One row costs one unit, one call a quarter of a row. It makes splitting cheap and padding dear,
    which is what compute-bound networks measure like; a measured table replaces it.
    """
    return {size: size + 0.25 for size in sizes}
