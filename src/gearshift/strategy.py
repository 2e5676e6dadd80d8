"""Decides what a session plans with: costs given, costs measured on this host, or stated ones."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from gearshift.artifact.reader import Artifact
from gearshift.engines.base import thread_count
from gearshift.engines.registry import get_engine, installed_version
from gearshift.errors import OptionError
from gearshift.gears.build import OPEN, Build, Measured, Menu, Offer
from gearshift.gears.dispatch import default_costs
from gearshift.opening import gear_set
from gearshift.options import Budget, SessionOptions
from gearshift.programs import FindBlob
from gearshift.tuning.cache import find_blob, find_table, keep_blob, keep_table
from gearshift.tuning.choose import choose
from gearshift.tuning.embedded import embedded_table
from gearshift.tuning.played import menu_of
from gearshift.tuning.seconds import read_seconds
from gearshift.tuning.table import CostTable, this_host
from gearshift.tuning.tuner import DEFAULT_SECONDS, Progress, tune

_LOG = logging.getLogger("gearshift")


@dataclass(frozen=True)
class Strategy:
    """What a session plans with.

    Attributes:
        menu: the programs it may use, and their costs.
        nbytes: what each of them takes; measured if there is a table, else predicted.
        limit: bytes they may take together before the least recently used go; None for any number.
        table: what the costs were taken from; None for costs that were not measured.
        may_split: whether rows may run on other programs while those of the plan are being built.
        find_blob: finds what an engine made of a build before.
    """

    menu: Menu
    nbytes: Mapping[Build, int]
    limit: int | None
    table: CostTable | None
    may_split: bool
    find_blob: FindBlob


def find_strategy(artifact: Artifact, frame: int, options: SessionOptions) -> Strategy:
    """The strategy for those options, measured now if nothing is known of this host.

    Raises:
        OptionError: the options do not go with this artifact or this host.
        EngineError: the engine asked for is not installed.
    """
    separable = artifact.manifest.proof.separable
    if options.batch_invariant and not separable:
        raise OptionError(
            "batch_invariant=True runs every row by itself, which this model does not allow: its "
            f"rows are not known to be independent ({artifact.manifest.proof.reason})."
        )
    gears = gear_set(artifact.manifest)
    sizes = gears.frames[frame].sizes
    if options.costs is not None:
        return _stated(artifact, frame, options, options.costs)
    table = known_table(artifact, options, frame)
    if table is not None:
        return _measured(artifact, sizes, options, table)
    seconds = tuning_seconds(options.tune) / len(gears.frames)
    if seconds == 0:
        # Frames are compared by what they cost, and a longer one takes longer.
        scale = gears.frames[frame].elements(gears.frames[frame].gears[0]) / sizes[0]
        scale = scale if len(gears.frames) > 1 else 1.0
        costs = {rows: cost * scale for rows, cost in default_costs(sizes).items()}
        return _stated(artifact, frame, options, costs)
    _LOG.warning(
        "%s was not measured on this host yet: measuring for %g s, once (tune=0 or "
        "GEARSHIFT_TUNE_SECONDS=0 leaves it out)",
        artifact.path.name,
        seconds,
    )
    return measure(artifact, frame, options, seconds)


def measure(
    artifact: Artifact,
    frame: int,
    options: SessionOptions,
    seconds: float | None,
    on_progress: Progress | None = None,
) -> Strategy:
    """Measures on this host, keeps what was found, and makes a strategy of it.

    Raises:
        EngineError: no engine could be measured.
        OptionError: the budget allows nothing of what was measured, which is kept all the same.
    """
    if seconds is None:
        seconds = seconds_to_measure(options)

    sizes = gear_set(artifact.manifest).frames[frame].sizes

    def wanted(table: CostTable) -> Iterable[Build]:
        keep_table(table)  # first: a budget that allows nothing loses no measurement
        return _measured(artifact, sizes, options, table).nbytes

    table = tune(
        artifact,
        engines=engines_for(artifact, options.engine),
        threads=thread_count(options.threads),
        seconds=seconds,
        on_progress=on_progress,
        frame=frame,
        budget=options.memory_budget,
        wanted=wanted,
        keep_blob=keep_blob,
    )
    return _measured(artifact, sizes, options, table)


def known_table(artifact: Artifact, options: SessionOptions, frame: int = 0) -> CostTable | None:
    """What was measured of this artifact on this host: from the cache, else from the artifact."""
    host = this_host(engines_for(artifact, options.engine), thread_count(options.threads))
    return find_table(artifact.identity, host, frame) or embedded_table(artifact, host, frame)


def engines_for(artifact: Artifact, engine: str | None) -> tuple[str, ...]:
    """The engines that may run it: the one asked for, or all that it has and that are installed.

    Raises:
        OptionError: the engine does not exist, or the artifact was not compiled for it.
        EngineError: it is not installed, or none of the artifact's is.
    """
    compiled = tuple(record.engine for record in artifact.manifest.topologies)
    if engine is None:
        installed = tuple(name for name in compiled if installed_version(name))
        return installed or (get_engine(compiled[0]).name,)
    if engine not in compiled:
        get_engine(engine)  # says so if there is none of that name
        raise OptionError(
            f"engine={engine!r} cannot run {artifact.path.name!r}: it was compiled for "
            f"{', '.join(compiled)}. Choose one of these, or compile it again."
        )
    return (get_engine(engine).name,)


def seconds_to_measure(options: SessionOptions) -> float:
    """How long to measure all frames together when it is asked for without a number."""
    return tuning_seconds(options.tune) or DEFAULT_SECONDS


def tuning_seconds(given: float | None) -> float:
    """Seconds to measure for: what was given, else ``GEARSHIFT_TUNE_SECONDS``, else ten.

    Raises:
        OptionError: the variable holds something else than a number of seconds.
    """
    if given is not None:
        return given
    text = os.environ.get("GEARSHIFT_TUNE_SECONDS", "")
    if not text:
        return DEFAULT_SECONDS
    seconds = read_seconds(text)
    if seconds is None:
        raise OptionError(
            f"the environment variable GEARSHIFT_TUNE_SECONDS is {text!r}: give a number of "
            "seconds, 0 for not at all, or leave it out."
        )
    return seconds


def _stated(
    artifact: Artifact, frame: int, options: SessionOptions, costs: Mapping[int, float]
) -> Strategy:
    """Every gear by itself on the first engine, at those costs; as many as the limit allows."""
    gears = gear_set(artifact.manifest)
    sizes = gears.frames[frame].sizes
    # Costs that were given are those of every frame, though it may not have a gear for each.
    if not set(sizes) <= set(costs) <= {size for each in gears.frames for size in each.sizes}:
        declared = sorted({size for each in gears.frames for size in each.sizes})
        raise OptionError(
            f"costs= is given for gears {sorted(costs)}; the model's are {declared}. "
            "Give one number for each."
        )
    separable = artifact.manifest.proof.separable
    engine = get_engine(engines_for(artifact, options.engine)[0])
    records = dict(zip(gears, artifact.manifest.gears, strict=True))
    needs = {
        there.rows: len(artifact.pool) + records[gear].predicted_bytes
        for gear, there in gears.members(frame)
    }
    limit = _stated_limit(options.memory_budget, needs)
    if options.batch_invariant:
        sizes = (min(sizes),)
    elif limit is not None and separable and engine.fixed_programs:
        sizes = _fitting(needs, limit)
    builds = {rows: Build(engine.name, rows if engine.fixed_programs else OPEN) for rows in sizes}
    nbytes: dict[Build, int] = {}
    for rows, build in builds.items():
        nbytes[build] = max(nbytes.get(build, 0), needs[rows])
    return Strategy(
        menu=Menu({rows: Offer(build, costs[rows]) for rows, build in builds.items()}),
        nbytes=nbytes,
        limit=limit,
        table=None,
        may_split=separable,
        find_blob=lambda build: None,
    )


def _stated_limit(budget: Budget | int, needs: Mapping[int, int]) -> int | None:
    """Nothing was measured: what the programs may take together, by their predicted bytes."""
    if not isinstance(budget, int):
        return min(needs.values()) if budget == "memory" else None
    if budget < min(needs.values()):
        raise OptionError(
            f"memory_budget={budget}: the least that one program is predicted to take is "
            f'{min(needs.values())} bytes. Give at least as much, or "memory".'
        )
    return budget


def _fitting(needs: Mapping[int, int], limit: int) -> tuple[int, ...]:
    """The smallest gear, which can run any number of rows, and the largest that fit beside it."""
    chosen = [min(needs)]
    for rows in sorted(set(needs) - set(chosen), reverse=True):
        if sum(needs[each] for each in chosen) + needs[rows] <= limit:
            chosen.append(rows)
    return tuple(sorted(chosen))


def _measured(
    artifact: Artifact, sizes: Sequence[int], options: SessionOptions, table: CostTable
) -> Strategy:
    """What the budget allows of what was measured."""
    separable = artifact.manifest.proof.separable
    chosen = choose(table, options.memory_budget, sizes, exact=not separable)
    frames = len(gear_set(artifact.manifest).frames)
    if options.batch_invariant:
        chosen = (_single(chosen),)
    return Strategy(
        menu=menu_of(table, chosen),
        nbytes={each.build: each.nbytes for each in chosen},
        limit=_shared_limit(table, options.memory_budget, chosen) if frames > 1 else None,
        table=table,
        may_split=separable and not options.batch_invariant,
        find_blob=partial(find_blob, table),
    )


def _shared_limit(table: CostTable, budget: Budget | int, chosen: Sequence[Measured]) -> int | None:
    """What the programs of all frames may take: each frame was given the whole budget by itself."""
    if budget in ("speed", "balanced"):
        return None
    own = sum(each.nbytes for each in chosen)
    if not isinstance(budget, int):
        return own
    engines = {each.build.engine for each in chosen}
    return max(own, budget - sum(table.engine_nbytes(engine) for engine in engines))


def _single(chosen: Sequence[Measured]) -> Measured:
    """The one program that runs row by row in the least time, of those that are chosen anyway."""
    fewest = min(timing.rows for each in chosen for timing in each.timings)
    rows_alone = [
        replace(each, timings=(timing,))
        for each in chosen
        for timing in each.timings
        if timing.rows == fewest
    ]
    return min(rows_alone, key=lambda each: each.timings[0].seconds / each.build.lanes)
