"""gearshift as a contender."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

import gearshift
from benchmarks.contender import Contender, Runner, Setup

if TYPE_CHECKING:
    from gearshift.options import Budget


def ours(name: str, budget: Budget, how: str, *, preload: bool) -> Contender:
    """Gearshift under a memory budget, planning by what was measured on this host."""
    opened = partial(_loaded, budget=budget, preload=preload)
    return Contender(name, how, opened, imports=("gearshift.session",))


def tuner(seconds: float) -> Contender:
    """Is open once this host was measured; what it found is there for the others."""
    how = f"gearshift measures for {seconds:g} s"
    return Contender("tuning", how, partial(_tuned, seconds=seconds))


@contextmanager
def _loaded(setup: Setup, *, budget: Budget, preload: bool) -> Iterator[Runner]:
    with gearshift.load(
        setup.artifact, threads=setup.threads, memory_budget=budget, preload=preload
    ) as model:
        yield _runner(model)


@contextmanager
def _tuned(setup: Setup, *, seconds: float) -> Iterator[Runner]:
    with gearshift.load(setup.artifact, threads=setup.threads, tune=0) as model:
        model.tune(seconds)  # anew, whatever was known
        yield _runner(model)


def _runner(model: gearshift.Session) -> Runner:
    return Runner(
        run=lambda feeds: list(model.run(feeds).values()),
        plan=lambda rows: short_plan(model.plan(rows)),
    )


def short_plan(plan: gearshift.Plan) -> str:
    """``4x2+[2|2(1)]``: gear 4 twice, then gear 2 in two lanes at once, with 1 row in the last."""
    parts = [_sequence(plan.alone)]
    if plan.lanes:
        parts.append(f"[{'|'.join(map(_sequence, plan.lanes))}]")
    return "+".join(filter(None, parts))


def _sequence(pieces: Sequence[gearshift.Piece]) -> str:
    parts = []
    for (gear, rows), same in groupby(pieces, key=lambda piece: (piece.gear, piece.rows)):
        times = len(list(same))
        filled = "" if rows == gear else f"({rows})"
        parts.append(f"{gear}{filled}" + (f"x{times}" if times > 1 else ""))
    return "+".join(parts)
