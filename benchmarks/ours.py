"""gearshift as a contender."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
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
        plan=lambda rows: model.plan(rows).short,
    )
