"""Which gears run n rows at the least cost. Exact, and pure arithmetic.

With ``c(g)`` the cost of one run of gear g (padding, copy and slice included), the best plan is

    f(0) = 0,    f(n) = min over g of  c(g) + f(max(0, n - g)).

A piece with fewer rows than its gear is padded; in the plans built here only the last one is.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from gearshift.errors import InternalError


@dataclass(frozen=True)
class Piece:
    """One run of one gear.

    Attributes:
        gear: the batch size that runs.
        rows: how many of its rows are the caller's; the rest is padding.
        lane: which of the executions side by side it belongs to.
    """

    gear: int
    rows: int
    lane: int = 0

    def __str__(self) -> str:
        return str(self.gear) if self.rows == self.gear else f"{self.gear}({self.rows} rows)"


@dataclass(frozen=True)
class Plan:
    """The pieces that run n rows, in row order, and what they cost (in the cost table's unit)."""

    rows: int
    pieces: tuple[Piece, ...]
    cost: float

    @property
    def padded_rows(self) -> int:
        """How many rows are computed only to be thrown away."""
        return sum(piece.gear - piece.rows for piece in self.pieces)

    def __str__(self) -> str:
        return " + ".join(str(piece) for piece in self.pieces) or "nothing"


class Planner:
    """Least-cost plans over a table of costs per gear.

    Costs are any positive numbers in one unit. Ties go to the plan with fewer pieces, then to the
    larger gear first, so that equal tables give equal plans.

    The table is built as far as it has been asked for. A row count beyond `_periodic_from` needs no
    table: some optimal plan then holds the gear with the least cost per row (any g* pieces of other
    gears contain some whose rows add up to a multiple of g*, and g* runs those no dearer), so that
    gear is taken off until the rest fits in the table.
    """

    def __init__(self, costs: Mapping[int, float]) -> None:
        if not costs or any(gear < 1 or not cost > 0 for gear, cost in costs.items()):
            raise InternalError(f"costs must be positive and given for some gear, got {costs!r}")
        self.costs = dict(sorted(costs.items(), reverse=True))
        self._steady = min(self.costs, key=lambda gear: (self.costs[gear] / gear, -gear))
        self._periodic_from = self._steady * max(self.costs)
        self._lock = threading.Lock()
        self._best: list[tuple[float, int]] = [(0.0, 0)]  # rows -> (cost, pieces)
        self._choice: list[int] = [0]  # rows -> first gear of a best plan

    def plan(self, rows: int) -> Plan:
        """The least-cost plan for that many rows (>= 0)."""
        if rows < 0:
            raise InternalError(f"cannot plan {rows} rows")
        steady = max(0, -(-(rows - self._periodic_from) // self._steady))
        rest = rows - steady * self._steady
        self._extend(rest)
        gears = [self._steady] * steady
        left = rest
        while left > 0:
            gears.append(self._choice[left])
            left -= self._choice[left]
        # Largest first, so that what is padded is the smallest piece of the plan.
        pieces, left = [], rows
        for gear in sorted(gears, reverse=True):
            pieces.append(Piece(gear=gear, rows=min(gear, left)))
            left -= pieces[-1].rows
        cost = self._best[rest][0] + steady * self.costs[self._steady]
        return Plan(rows=rows, pieces=tuple(pieces), cost=cost)

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


def default_costs(sizes: tuple[int, ...]) -> dict[int, float]:
    """The stated cost model of a host where nothing was measured: c(g) = g + 1/4.

    One row costs one unit, one call a quarter of a row. It makes splitting cheap and padding dear,
    which is what compute-bound networks measure like; a measured table replaces it.
    """
    return {size: size + 0.25 for size in sizes}
