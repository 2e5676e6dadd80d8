"""What is known of an artifact's costs without measuring, as `gearshift inspect` shows it."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from gearshift.artifact.codec import encode
from gearshift.artifact.reader import Artifact
from gearshift.cli.costs import Costs, costs_json, view_costs
from gearshift.cli.costs_report import (
    host_line,
    measured_line,
    memory_line,
    print_costs_briefly,
    threads,
    when,
)
from gearshift.cli.frames import frame_json, print_heading
from gearshift.cli.report import print_facts
from gearshift.engines.base import thread_count
from gearshift.errors import EngineError, TableError
from gearshift.gears.gear import GearSet
from gearshift.opening import gear_set
from gearshift.options import SessionOptions
from gearshift.strategy import known_table
from gearshift.tuning.embedded import embedded_tables
from gearshift.tuning.table import CostTable


@dataclass(frozen=True)
class KnownFrame:
    """What is known of one frame's costs without measuring.

    Attributes:
        costs: for this host; None if nothing is known.
        unknown: why nothing is known; "" if something is.
    """

    costs: Costs | None
    unknown: str = ""


@dataclass(frozen=True)
class Known:
    """What is known of an artifact's costs without measuring.

    Attributes:
        gears: the artifact's.
        frames: what is known of each of its frames.
        embedded: every table that the artifact has.
    """

    gears: GearSet
    frames: tuple[KnownFrame, ...]
    embedded: tuple[CostTable, ...]

    @property
    def facts(self) -> Iterator[tuple[str, str]]:
        """What is true of all frames, for people to read."""
        known = [frame.costs for frame in self.frames if frame.costs is not None]
        if len(self.frames) == 1:
            yield from (_cost_facts(known[0]) if known else [])
        elif known:
            yield "costs", f"known of {len(known)} of {len(self.frames)} frames, see below"
        for why in dict.fromkeys(frame.unknown for frame in self.frames if frame.unknown):
            yield "costs", why
        ours = {costs.table.host for costs in known}
        for host in dict.fromkeys(table.host for table in self.embedded):
            tables = [table for table in self.embedded if table.host == host]
            numbers = ", ".join(str(number) for number in sorted(each.frame for each in tables))
            which = f", frames {numbers}" if len(self.frames) > 1 else ""
            here = ", this host" if host in ours else ""
            yield "embedded", f"{host_line(host)}, {when(tables[-1].made)}{which}{here}"


def known_costs(artifact: Artifact, arguments: argparse.Namespace) -> Known:
    """What the cache or the artifact knows of this host.

    Raises:
        OptionError: the words do not go with this artifact, or the budget is too small.
    """
    gears = gear_set(artifact.manifest)
    frames = tuple(_known(artifact, arguments, number) for number in range(len(gears.frames)))
    return Known(gears, frames, embedded_tables(artifact))


def known_json(known: Known) -> dict[str, object]:
    """The same in what JSON has."""
    return {
        "frames": [
            {
                **frame_json(known.gears, number),
                "costs": costs_json(frame.costs) if frame.costs else None,
            }
            for number, frame in enumerate(known.frames)
        ],
        "embedded": [encode(table) for table in known.embedded],
    }


def print_known(known: Known) -> None:
    """The programs and plans of each frame of which something is known."""
    for number, frame in enumerate(known.frames):
        if frame.costs is None:
            continue
        if len(known.frames) > 1:
            print_heading(known.gears, number)
            print_facts(_cost_facts(frame.costs))
        print_costs_briefly(frame.costs)


def session_options(arguments: argparse.Namespace) -> SessionOptions:
    """For whom costs are measured or looked up."""
    return SessionOptions(
        engine=arguments.engine,
        threads=arguments.threads,
        memory_budget=arguments.memory_budget,
    )


def _known(artifact: Artifact, arguments: argparse.Namespace, number: int) -> KnownFrame:
    options = session_options(arguments)
    rows = tuple(sorted(gear_set(artifact.manifest).frames[number].sizes))
    try:
        table = known_table(artifact, options, number)
        if table is None:
            return KnownFrame(None, _how_to_measure(arguments))
        return KnownFrame(view_costs(artifact, table, options.memory_budget, rows))
    except (EngineError, TableError) as error:
        return KnownFrame(None, f"not known here: {error}")


def _cost_facts(costs: Costs) -> Iterator[tuple[str, str]]:
    yield "costs", f"measured {measured_line(costs.table)}"
    yield "memory", memory_line(costs)


def _how_to_measure(arguments: argparse.Namespace) -> str:
    words = ["gearshift", "tune", str(arguments.model)]
    words += ["--engine", arguments.engine] if arguments.engine else []
    words += ["--threads", str(arguments.threads)] if arguments.threads else []
    count = threads(thread_count(arguments.threads))
    return f"not measured on this host with {count}; run: {shlex.join(words)}"
