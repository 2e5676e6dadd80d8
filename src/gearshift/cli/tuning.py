"""What `gearshift tune` does, and what `gearshift inspect` knows of costs."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gearshift.artifact.codec import encode
from gearshift.artifact.reader import Artifact
from gearshift.cli.console import write_json
from gearshift.cli.costs import Costs, costs_json, rows_to_plan, view_costs
from gearshift.cli.costs_report import (
    host_line,
    measured_line,
    memory_line,
    print_costs,
    threads,
    when,
)
from gearshift.cli.progress import share_printer
from gearshift.cli.report import print_facts
from gearshift.engines.base import usable_cores
from gearshift.errors import EngineError, OptionError, TableError
from gearshift.opening import gear_set
from gearshift.options import SessionOptions
from gearshift.strategy import known_table, measure
from gearshift.tuning.cache import cache_folder, find_table, table_path
from gearshift.tuning.embedded import embed_table, embedded_tables
from gearshift.tuning.table import CostTable


def tune(arguments: argparse.Namespace) -> None:
    """Measures, keeps the table, and shows what it comes to."""
    options = session_options(arguments)
    with Artifact.open(arguments.model) as artifact:
        rows = rows_to_plan(artifact, arguments.rows)
        if arguments.embed:
            _check_writable(arguments.model)
        table = _measure(artifact, options, arguments)
        costs = view_costs(artifact, table, options.memory_budget, rows)
    is_embedded = arguments.embed and not table.why_not_kept
    if is_embedded:
        embed_table(arguments.model, table)
    kept = _where_kept(table)
    if arguments.json:
        write_json(
            {
                "kept": str(kept) if kept else None,
                "why_not_kept": "" if kept else _why_not_kept(table),
                "embedded": is_embedded,
                "costs": costs_json(costs),
            }
        )
        return
    print_facts(_facts(arguments, costs, kept))
    print_costs(costs)


@dataclass(frozen=True)
class Known:
    """What is known of an artifact's costs without measuring.

    Attributes:
        costs: for this host; None if nothing is known.
        unknown: why nothing is known.
        embedded: every table that the artifact has.
    """

    costs: Costs | None
    unknown: str
    embedded: tuple[CostTable, ...]

    @property
    def facts(self) -> Iterator[tuple[str, str]]:
        """The same for people to read."""
        if self.costs is None:
            yield "costs", self.unknown
        else:
            yield "costs", f"measured {measured_line(self.costs.table)}"
            yield "memory", memory_line(self.costs)
        for table in self.embedded:
            is_ours = self.costs is not None and table.host == self.costs.table.host
            ours = ", this host" if is_ours else ""
            yield "embedded", f"{host_line(table)}, {when(table.made)}{ours}"


def known_costs(artifact: Artifact, arguments: argparse.Namespace) -> Known:
    """What the cache or the artifact knows of this host.

    Raises:
        OptionError: the words do not go with this artifact, or the budget is too small.
    """
    options = session_options(arguments)
    embedded = embedded_tables(artifact)
    rows = tuple(sorted(gear_set(artifact.manifest).sizes))
    try:
        table = known_table(artifact, options)
        if table is None:
            return Known(None, _how_to_measure(arguments), embedded)
        return Known(view_costs(artifact, table, options.memory_budget, rows), "", embedded)
    except (EngineError, TableError) as error:
        return Known(None, f"not known here: {error}", embedded)


def known_json(known: Known) -> dict[str, object]:
    """The same in what JSON has."""
    return {
        "costs": costs_json(known.costs) if known.costs else None,
        "embedded": [encode(table) for table in known.embedded],
    }


def session_options(arguments: argparse.Namespace) -> SessionOptions:
    """For whom costs are measured or looked up."""
    return SessionOptions(
        engine=arguments.engine,
        threads=arguments.threads,
        memory_budget=arguments.memory_budget,
    )


def _facts(
    arguments: argparse.Namespace, costs: Costs, kept: Path | None
) -> Iterator[tuple[str, str]]:
    yield "file", str(arguments.model)
    yield "host", f"{costs.table.host.cpu}, {costs.table.host.system}"
    yield "measured", measured_line(costs.table)
    yield "memory", memory_line(costs)
    yield "kept", str(kept) if kept else f"not: {_why_not_kept(costs.table)}"
    if arguments.embed:
        why_not = costs.table.why_not_kept
        yield "embedded", f"not: {why_not}" if why_not else f"in {arguments.model}"


def _where_kept(table: CostTable) -> Path | None:
    """The table's file in the cache; None if it could not be written."""
    is_kept = find_table(table.artifact, table.host) == table
    return table_path(table.artifact, table.host) if is_kept else None


def _measure(
    artifact: Artifact, options: SessionOptions, arguments: argparse.Namespace
) -> CostTable:
    """Measures. If the budget then allows nothing, what was measured is kept all the same."""
    before = known_table(artifact, options)
    try:
        with share_printer() as on_progress:
            table = measure(artifact, 0, options, arguments.seconds, on_progress).table
    except OptionError as error:
        table = known_table(artifact, options)
        if table is None or table == before:
            raise
        places = [str(_where_kept(table))]
        if arguments.embed:
            embed_table(arguments.model, table)
            places.append(f"in {arguments.model}")
        raise OptionError(f"{error} What was measured is kept: {', '.join(places)}.") from None
    assert table is not None, "what was measured has a table"
    return table


def _why_not_kept(table: CostTable) -> str:
    return table.why_not_kept or f"{cache_folder()} cannot be written"


def _how_to_measure(arguments: argparse.Namespace) -> str:
    words = ["gearshift", "tune", str(arguments.model)]
    words += ["--engine", arguments.engine] if arguments.engine else []
    words += ["--threads", str(arguments.threads)] if arguments.threads else []
    count = threads(arguments.threads or usable_cores())
    return f"not measured on this host with {count}; run: {shlex.join(words)}"


def _check_writable(model: Path) -> None:
    """Before seconds are spent on what cannot be kept."""
    folder = os.path.dirname(os.path.realpath(model))
    if not os.access(folder, os.W_OK):
        raise OptionError(
            f"--embed rewrites {model}, and nothing can be written to {folder}. Leave --embed out "
            "(the cache keeps the table as well), or tune a copy that lies elsewhere."
        )
