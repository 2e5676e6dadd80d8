"""What `gearshift tune` does."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from gearshift.artifact.reader import Artifact
from gearshift.cli.console import write_json
from gearshift.cli.costs import Costs, costs_json, rows_to_plan, view_costs
from gearshift.cli.costs_report import (
    measured_line,
    memory_line,
    print_costs,
    print_legend,
)
from gearshift.cli.frames import frame_json, print_heading
from gearshift.cli.known import session_options
from gearshift.cli.progress import share_printer
from gearshift.cli.report import print_facts
from gearshift.errors import OptionError
from gearshift.gears.gear import GearSet
from gearshift.opening import gear_set
from gearshift.options import SessionOptions
from gearshift.strategy import known_table, measure, seconds_to_measure
from gearshift.tuning.cache import cache_folder, find_table, table_path
from gearshift.tuning.embedded import embed_table
from gearshift.tuning.table import CostTable
from gearshift.tuning.tuner import Progress


def tune(arguments: argparse.Namespace) -> None:
    """Measures every frame, keeps the tables, and shows what they come to."""
    options = session_options(arguments)
    with Artifact.open(arguments.model) as artifact:
        rows = rows_to_plan(artifact, arguments.rows)
        if arguments.embed:
            _check_writable(arguments.model)
        tables = _measure(artifact, options, arguments)
        gears = gear_set(artifact.manifest)
        costs = [
            view_costs(artifact, table, options.memory_budget, rows[table.frame])
            for table in tables
        ]
    embedded = [table for table in tables if not table.why_not_kept] if arguments.embed else []
    if embedded:
        embed_table(arguments.model, *embedded)
    kept = [_where_kept(table) for table in tables]
    if arguments.json:
        write_json(
            {
                "frames": [
                    {
                        **frame_json(gears, each.table.frame),
                        "kept": str(path) if path else None,
                        "why_not_kept": "" if path else _why_not_kept(each.table),
                        "embedded": each.table in embedded,
                        "costs": costs_json(each),
                    }
                    for each, path in zip(costs, kept, strict=True)
                ]
            }
        )
        return
    _print_tuned(arguments, gears, costs, kept)


def _print_tuned(
    arguments: argparse.Namespace,
    gears: GearSet,
    costs: Sequence[Costs],
    kept: Sequence[Path | None],
) -> None:
    """What is true of all frames, then a section for each."""
    host = costs[0].table.host
    general = [("file", str(arguments.model)), ("host", f"{host.cpu}, {host.system}")]
    if arguments.embed:
        why_not = next(filter(None, (each.table.why_not_kept for each in costs)), "")
        place = f"not: {why_not}" if why_not else f"in {arguments.model}"
        general.append(("embedded", place))
    print_facts(general)
    for each, path in zip(costs, kept, strict=True):
        if len(costs) > 1:
            print_heading(gears, each.table.frame)
        print_facts(_tuned_facts(each, path))
        print_costs(each)
    if gears.has_rows:
        print_legend()


def _tuned_facts(costs: Costs, kept: Path | None) -> Iterator[tuple[str, str]]:
    yield "measured", measured_line(costs.table)
    yield "memory", memory_line(costs)
    yield "kept", str(kept) if kept else f"not: {_why_not_kept(costs.table)}"


def _where_kept(table: CostTable) -> Path | None:
    """The table's file in the cache; None if it could not be written."""
    is_kept = find_table(table.artifact, table.host, table.frame) == table
    return table_path(table.artifact, table.host, table.frame) if is_kept else None


def _measure(
    artifact: Artifact, options: SessionOptions, arguments: argparse.Namespace
) -> list[CostTable]:
    """Measures every frame. If the budget then allows nothing, what was measured is kept anyway."""
    count = len(gear_set(artifact.manifest).frames)
    asked = arguments.seconds
    seconds = (seconds_to_measure(options) if asked is None else asked) / count
    tables: list[CostTable] = []
    with share_printer() as on_progress:
        for number in range(count):
            before = known_table(artifact, options, number)
            tell = _within_all(on_progress, number, count)
            try:
                table = measure(artifact, number, options, seconds, tell).table
            except OptionError as error:
                found = known_table(artifact, options, number)
                tables += [found] if found is not None and found != before else []
                if not tables:
                    raise
                raise _kept_all_the_same(error, tables, arguments) from None
            assert table is not None, "what was measured has a table"
            tables.append(table)
    return tables


def _kept_all_the_same(
    error: OptionError, tables: Sequence[CostTable], arguments: argparse.Namespace
) -> OptionError:
    places = [str(_where_kept(table)) for table in tables]
    if arguments.embed:
        embed_table(arguments.model, *tables)
        places.append(f"in {arguments.model}")
    return OptionError(f"{error} What was measured is kept: {', '.join(places)}.")


def _within_all(on_progress: Progress, number: int, count: int) -> Progress:
    """Progress of one frame as a share of all."""
    if count == 1:
        return on_progress
    return lambda step, done: on_progress(f"frame {number}: {step}", (number + done) / count)


def _why_not_kept(table: CostTable) -> str:
    return table.why_not_kept or f"{cache_folder()} cannot be written"


def _check_writable(model: Path) -> None:
    """Before seconds are spent on what cannot be kept."""
    folder = os.path.dirname(os.path.realpath(model))
    if not os.access(folder, os.W_OK):
        raise OptionError(
            f"--embed rewrites {model}, and nothing can be written to {folder}. Leave --embed out "
            "(the cache keeps the table as well), or tune a copy that lies elsewhere."
        )
