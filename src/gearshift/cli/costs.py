"""What was measured of an artifact, as the commands show it: programs, plans, and their rivals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gearshift.artifact.codec import encode
from gearshift.artifact.reader import Artifact
from gearshift.errors import OptionError
from gearshift.gears.build import Build, Measured, Menu
from gearshift.gears.dispatch import Plan
from gearshift.gears.gear import GearSet
from gearshift.opening import gear_set
from gearshift.options import Budget
from gearshift.tuning.choose import Chooser, choose
from gearshift.tuning.explain import Explained, explain
from gearshift.tuning.played import longer, menu_of, played_members, record_of, standings
from gearshift.tuning.table import CostTable
from gearshift.tuning.weigh import is_open

_ALL_ROWS_UP_TO: Final = 16


@dataclass(frozen=True)
class PlanCost:
    """How a number of rows runs, and what else could be done with them.

    Attributes:
        plan: the pieces; its cost is in seconds.
        dynamic: seconds of the quickest engine's own dynamic batch of just as many rows; None if
            it was not timed at as many.
        one_gear: seconds of the quickest single run of a declared gear that has room for them;
            None if there is none.
        as_it_ran: whether it is taken because it ran quickest, whatever its programs' times say.
    """

    plan: Plan
    dynamic: float | None
    one_gear: float | None
    as_it_ran: bool


@dataclass(frozen=True)
class SetCost:
    """A set of programs whose whole plans ran.

    Attributes:
        builds: the programs.
        used: whether it is the one in use.
        longer: how much longer plans took than with the set in use, on average over the numbers of
            rows, 0.02 for two hundredths.
        worst: the same, at most.
        nbytes: what the programs take, with the engine.
    """

    builds: tuple[Build, ...]
    used: bool
    longer: float
    worst: float
    nbytes: int


@dataclass(frozen=True)
class Costs:
    """What a cost table comes to under a memory budget.

    Attributes:
        frame: of which gears; they differ in their number of rows only.
        table: what was measured.
        budget: what programs may take.
        limit: the same in bytes; None for any number.
        nbytes: what the programs used take, with the engines they need.
        programs: all that were tried, and why each is used or not.
        plans: for the numbers of rows asked for.
        sets: those that ran whole if the one in use did; what counts as quickest comes first.
    """

    frame: GearSet
    table: CostTable
    budget: Budget | int
    limit: int | None
    nbytes: int
    programs: tuple[Explained, ...]
    plans: tuple[PlanCost, ...]
    sets: tuple[SetCost, ...] = ()


def view_costs(
    artifact: Artifact, table: CostTable, budget: Budget | int, rows: Sequence[int]
) -> Costs:
    """What the table comes to for that artifact's frame.

    Args:
        artifact: what was measured.
        table: what was found, of one of its frames.
        budget: what programs may take.
        rows: the numbers of rows to plan, as `rows_to_plan` gave them for that frame.

    Raises:
        OptionError: the budget is too small.
        TableError: the table does not have what the artifact needs.
    """
    frame = gear_set(artifact.manifest).frames[table.frame]
    gears = frame.sizes
    exact = not artifact.manifest.proof.separable
    chooser = Chooser(table, gears, exact)
    limit = chooser.limit(budget)
    chosen = choose(table, budget, gears, exact=exact)
    menu = menu_of(table, chosen)
    return Costs(
        frame=frame,
        table=table,
        budget=budget,
        limit=None if budget == "speed" else limit,
        nbytes=table.nbytes(chosen),
        programs=explain(table, chosen, budget, gears, exact=exact),
        plans=tuple(_plan_cost(count, menu, table, gears, exact) for count in rows),
        sets=tuple(_set_costs(table, chosen, chooser.expected)),
    )


def rows_to_plan(artifact: Artifact, asked: Sequence[int] | None) -> list[tuple[int, ...]]:
    """The numbers of rows to show of each frame, of those asked for, or of all.

    These are 1 to 16, and two for each doubling from there up to the largest gear; of a model whose
    rows are not independent they are its gears.

    Raises:
        OptionError: none of those asked for can run.
    """
    gears = gear_set(artifact.manifest)
    if asked and not gears.has_rows:
        raise OptionError(
            f"--rows names numbers of rows, and that of {artifact.path.name} is not for gearshift "
            "to choose: every call is one run. Leave --rows out."
        )
    if artifact.manifest.proof.separable:
        return [tuple(sorted(set(asked or _spread(max(each.sizes))))) for each in gears.frames]
    chosen = [tuple(sorted(set(each.sizes) & set(asked or each.sizes))) for each in gears.frames]
    if not any(chosen):
        sizes = dict.fromkeys(size for frame in gears.frames for size in frame.sizes)
        raise OptionError(
            f"--rows names none that can run: the rows of {artifact.path.name} are not known to be "
            f"independent. Choose from its gears: {', '.join(map(str, sizes))}."
        )
    return chosen


def costs_json(costs: Costs) -> dict[str, object]:
    """Everything, in what JSON has."""
    return {
        "budget": costs.budget,
        "limit_bytes": costs.limit,
        "bytes": costs.nbytes,
        "programs": [encode(program) for program in costs.programs],
        "plans": [
            {
                "rows": each.plan.rows,
                "plan": str(each.plan),
                "pieces": encode(each.plan.pieces),
                "seconds": each.plan.cost,
                "dynamic_seconds": each.dynamic,
                "one_gear_seconds": each.one_gear,
                "as_it_ran": each.as_it_ran,
            }
            for each in costs.plans
        ],
        "sets": [encode(each) for each in costs.sets],
        "table": encode(costs.table),
    }


def _set_costs(
    table: CostTable, chosen: Sequence[Measured], expected: Mapping[int, float]
) -> list[SetCost]:
    used = record_of(table, chosen)
    if used is None:
        return []
    scores = dict(zip(table.played, standings(table.played, expected).tolist(), strict=True))
    return [
        SetCost(
            each.builds,
            each is used,
            *longer(each, used, expected),
            nbytes=table.nbytes(played_members(table, each)),
        )
        for each in sorted(table.played, key=scores.__getitem__)
    ]


def _spread(largest: int) -> Iterator[int]:
    yield from range(1, _ALL_ROWS_UP_TO + 1)
    for power in range(_ALL_ROWS_UP_TO.bit_length(), largest.bit_length() + 1):
        yield from (rows for rows in (3 << (power - 2), 1 << power) if rows < largest)
    if largest > _ALL_ROWS_UP_TO:
        yield largest


def _plan_cost(
    rows: int, menu: Menu, table: CostTable, gears: Sequence[int], exact: bool
) -> PlanCost:
    wide = [each for each in table.measured if each.build.lanes == 1]
    rooms = [gear for gear in gears if gear == rows or (gear > rows and not exact)]
    return PlanCost(
        plan=menu.exact_plan(rows) if exact else menu.at(rows).planner.plan(rows),
        dynamic=_quickest([each for each in wide if is_open(each)], [rows]),
        one_gear=_quickest(wide, rooms),
        as_it_ran=menu.at(rows) is not menu,
    )


def _quickest(measured: Sequence[Measured], rows: Sequence[int]) -> float | None:
    """Of all that were timed at one of those numbers of rows."""
    return min(
        (timing.seconds for each in measured for timing in each.timings if timing.rows in rows),
        default=None,
    )
