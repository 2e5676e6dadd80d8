"""What the commands print of measured costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from rich.filesize import decimal

from gearshift.cli import screen
from gearshift.cli.costs import Costs, PlanCost, SetCost
from gearshift.gears.build import OPEN, Build
from gearshift.gears.gear import GearSet
from gearshift.tuning.explain import Explained
from gearshift.tuning.table import CostTable, Host

_LEGEND: Final = (
    "plan: a + b one after the other, [a | b] side by side, 2x3 is three times 2 rows, 4(3 rows) "
    "has a row of padding; dynamic batch: an engine's own, of exactly as many rows; one gear: one "
    "run of a gear that has room for them. Of both the quickest that was measured, and how many "
    "times as long as the plan it takes. *: not the least by these times, but what ran quickest."
)


def print_costs(costs: Costs) -> None:
    """Every program that was tried, then the plans and what else could be done."""
    out = screen.out()
    out.print()
    if not costs.frame.has_rows:
        _print_calls(costs)
        return
    screen.print_table(
        out,
        ("program", "used", "rows", "ms", "ms/row", "memory", "why"),
        list(_programs(costs)),
        names=("why",),
        numbers=("rows", "ms", "ms/row", "memory"),
    )
    for line in _dropped(costs.programs):
        out.print(line)
    out.print()
    if costs.sets:
        screen.print_table(
            out,
            ("programs whose whole plans ran", "used", "longer", "at worst", "memory"),
            list(_sets(costs.sets)),
            names=("programs whose whole plans ran",),
            numbers=("longer", "at worst", "memory"),
        )
        out.print()
    screen.print_table(
        out,
        ("rows", "plan", "ms", "ms/row", "dynamic batch", "one gear"),
        [(*_plan(each), *_rivals(each)) for each in costs.plans],
        names=("plan",),
        numbers=("rows", "ms", "ms/row", "dynamic batch", "one gear"),
    )


def print_legend() -> None:
    """How to read the plans of a model that has rows to plan."""
    out = screen.out()
    out.print()
    out.print(_LEGEND)


def print_costs_briefly(costs: Costs) -> None:
    """The programs that are used, and the plans."""
    out = screen.out()
    out.print()
    if not costs.frame.has_rows:
        _print_calls(costs)
        return
    screen.print_table(
        out,
        ("program", "rows", "ms", "ms/row", "memory"),
        [
            (str(program.build), *_from_to(program), decimal(program.nbytes))
            for program in costs.programs
            if program.used
        ],
        names=("program",),
        numbers=("rows", "ms", "ms/row", "memory"),
    )
    out.print()
    screen.print_table(
        out,
        ("rows", "plan", "ms", "ms/row"),
        [_plan(each) for each in costs.plans],
        names=("plan",),
        numbers=("rows", "ms", "ms/row"),
    )


def measured_line(table: CostTable) -> str:
    """When it was measured, for how many threads, how long that took, and beside whom."""
    line = f"{when(table.made)}, {threads(table.host.threads)}, in {table.seconds:.1f} s"
    if table.others is None:
        return line
    busy = " (a busy machine: measure again)" if table.is_of_a_busy_machine else ""
    return f"{line}; others took {100 * table.others:.0f} % of the machine{busy}"


def memory_line(costs: Costs) -> str:
    """What the budget allows and what is taken of it."""
    taken = f"{decimal(costs.nbytes)} for programs and their engines"
    if costs.limit is None:
        return f"{taken}; {costs.budget} allows any number"
    who = f"{costs.budget} allows" if isinstance(costs.budget, str) else "allowed are"
    return f"{taken}; {who} {decimal(costs.limit)}"


def host_line(host: Host) -> str:
    """Where it was measured, and on what."""
    engines = ", ".join(each.name for each in host.engines)
    return f"{host.cpu}, {threads(host.threads)}, {engines}"


def threads(count: int) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{count} thread{'s' * (count > 1)}"


def when(made: str) -> str:
    """An ISO time in UTC, to the minute."""
    return f"{made[:10]} {made[11:16]} UTC"


def _print_calls(costs: Costs) -> None:
    """The programs where every call is one run, so that there are no rows to plan."""
    screen.print_table(
        screen.out(),
        ("program", "used", "ms", "memory", "why"),
        [
            (
                _of_one_run(program.build, costs.frame),
                _yes_or_no(program.used),
                ", ".join(_number(taken) for _, taken in program.milliseconds) or "-",
                decimal(program.nbytes) if program.milliseconds else "-",
                program.reason,
            )
            for program in costs.programs
        ],
        names=("why",),
        numbers=("ms", "memory"),
    )


def _of_one_run(build: Build, frame: GearSet) -> str:
    is_any = build.rows == OPEN or frame.mode == "range"
    return f"{build.engine}, {'any shape' if is_any else 'this shape'}{build.manner}"


def _programs(costs: Costs) -> Iterator[tuple[str, ...]]:
    """A line for each engine; below it one for each program and number of rows timed."""
    table = costs.table
    ran = [program for program in costs.programs if program.milliseconds]
    versions = {each.name: each.version for each in table.host.engines}
    for engine in dict.fromkeys(program.build.engine for program in ran):
        mine = [program for program in ran if program.build.engine == engine]
        used = _yes_or_no(any(program.used for program in mine))
        memory = decimal(table.engine_nbytes(engine))
        yield f"{engine} {versions[engine]}", used, "", "", "", memory, "library and network"
        for program in mine:
            name = str(program.build).removeprefix(f"{engine}, ")
            for label, timing, memory in _lines(program, f"  {name}"):
                state = (_yes_or_no(program.used), program.reason) if label else ("", "")
                yield label, state[0], *timing, memory, state[1]


def _sets(sets: Iterable[SetCost]) -> Iterator[tuple[str, ...]]:
    for each in sets:
        engine = each.builds[0].engine
        names = [str(build).removeprefix(f"{engine}, ") for build in each.builds]
        times = ["-" if each.used else f"{100 * part:.1f} %" for part in (each.longer, each.worst)]
        yield f"{engine}: {'; '.join(names)}", _yes_or_no(each.used), *times, decimal(each.nbytes)


def _dropped(programs: Iterable[Explained]) -> Iterator[str]:
    """A line for all programs of an engine that were ruled out for one reason."""
    together: dict[tuple[str, str], list[str]] = defaultdict(list)
    for program in programs:
        if not program.milliseconds:
            engine, _, name = str(program.build).partition(", ")
            together[engine, program.reason].append(name)
    for (engine, reason), names in together.items():
        yield f"{engine}, {'; '.join(names)}: {reason}"


def _lines(program: Explained, label: str) -> Iterator[tuple[str, tuple[str, str, str], str]]:
    """Label, rows with times, and memory; label and memory are empty from the second line on."""
    memory = decimal(program.nbytes)
    for rows, taken in program.milliseconds:
        at_once = rows * program.build.lanes
        yield label, (str(at_once), _number(taken), _number(taken / at_once)), memory
        label = memory = ""


def _from_to(program: Explained) -> tuple[str, str, str]:
    """Rows and times in one line: from the least to the most."""
    at_once = [rows * program.build.lanes for rows, _ in program.milliseconds]
    times = [taken for _, taken in program.milliseconds]
    per_row = sorted(taken / rows for rows, taken in zip(at_once, times, strict=True))
    columns = (map(str, at_once), map(_number, times), map(_number, per_row))
    rows, taken, share = ("-".join(dict.fromkeys((c[0], c[-1]))) for c in map(list, columns))
    return rows, taken, share


def _plan(each: PlanCost) -> tuple[str, ...]:
    rows, cost = each.plan.rows, each.plan.cost * 1e3
    plan = f"{each.plan.short} *" if each.as_it_ran else each.plan.short
    return str(rows), plan, _number(cost), _number(cost / rows)


def _rivals(each: PlanCost) -> tuple[str, ...]:
    return tuple(
        "-" if seconds is None else f"{_number(seconds * 1e3)} ({seconds / each.plan.cost:.2f}x)"
        for seconds in (each.dynamic, each.one_gear)
    )


def _number(milliseconds: float) -> str:
    """Three figures of it, as far as they stand behind the point."""
    decimals = next((d for limit, d in ((0.1, 3), (10, 2), (100, 1)) if milliseconds < limit), 0)
    return f"{milliseconds:.{decimals}f}"


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"
