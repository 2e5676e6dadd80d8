"""The batch benchmark: one model at every number of rows, every way, two protocols.

Protocol "same": each number of rows several times in a row, every way at its kindest.
Protocol "changing": another number of rows in each call, in random order, as in real use.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.contender import Contender
from benchmarks.contenders import DYNAMIC, GEARSHIFT
from benchmarks.prepare import COUNTS, Ready
from benchmarks.ratios import Ratio, best_over_ours
from benchmarks.rounds import Blocks, Board, Times, changing_count, measure, same_count
from benchmarks.screen import OnProgress
from benchmarks.worker import Worker, open_workers

_SETTLE_S: Final = 3.0
"""What a contender does in pauses has to be over: gearshift moves its programs to huge pages."""


@dataclass(frozen=True)
class Protocol:
    """In which order numbers of rows come.

    Attributes:
        name: short, for tables.
        blocks: the blocks of a round.
        least_rounds: played however long they take: with fewer, a cell's median is chance.
    """

    name: str
    blocks: Blocks
    least_rounds: int


PROTOCOLS: Final = (
    Protocol("changing", changing_count(COUNTS), least_rounds=8),
    Protocol("same", same_count(COUNTS), least_rounds=5),
)


class DisagreementError(Exception):
    """A contender's outputs are not the reference's, so that its times are worth nothing."""


@dataclass(frozen=True)
class Cell:
    """One number of rows of one model under one protocol.

    Attributes:
        rows: how many.
        plan: what gearshift planned for them.
        times: by contender.
        ratio: best dynamic peer over gearshift; None if one side did not take part.
    """

    rows: int
    plan: str
    times: Mapping[str, Times]
    ratio: Ratio | None


@dataclass(frozen=True)
class Sheet:
    """One model under one protocol.

    Attributes:
        model: its name.
        protocol: its name.
        rounds: rounds that were played to their end.
        bystanders: share of the machine that other programs took meanwhile, 0..1.
        cells: by number of rows.
    """

    model: str
    protocol: str
    rounds: int
    bystanders: float
    cells: tuple[Cell, ...]


def run_model(
    ready: Ready, contenders: Sequence[Contender], seconds: float, on_progress: OnProgress
) -> tuple[Sheet, ...]:
    """Both protocols on one model.

    Raises:
        DisagreementError: a contender computes something else than the reference.
        WorkerError: a contender's process ended.
    """
    name = ready.model.name
    with open_workers(contenders, ready.setup) as workers:
        on_progress(f"{name}: comparing outputs", 0.0)
        check_agreement(workers, ready)
        time.sleep(_SETTLE_S)
        return tuple(_play(name, each, workers, seconds, on_progress) for each in PROTOCOLS)


def _play(
    model: str,
    protocol: Protocol,
    workers: Sequence[Worker],
    seconds: float,
    on_progress: OnProgress,
) -> Sheet:
    doing = f"{model}: {protocol.name} number of rows"
    board = measure(
        workers,
        protocol.blocks,
        seconds=seconds,
        least_rounds=protocol.least_rounds,
        on_progress=lambda elapsed: on_progress(doing, elapsed / seconds),
    )
    return _sheet(model, protocol.name, board, workers)


def check_agreement(workers: Sequence[Worker], ready: Ready) -> None:
    """Holds every contender to the reference, at every number of rows."""
    for worker in workers:
        misfit, rows = worker.misfit(ready.reference, COUNTS)
        if not misfit <= 1:
            raise DisagreementError(
                f"{ready.model.name}: outputs of {worker.contender.name!r} for {rows} rows differ "
                f"from ONNX Runtime's by {misfit:.3g} times what is allowed; nothing was timed."
            )


def _sheet(model: str, protocol: str, board: Board, workers: Sequence[Worker]) -> Sheet:
    named = {worker.contender.name: worker for worker in workers}
    planner = named.get(GEARSHIFT.name)
    cells = []
    for rows in COUNTS:
        times = {name: board.times(name, rows) for name in named}
        plan = planner.plan(rows) if planner else ""
        cells.append(Cell(rows, plan, times, ratio_of(times)))
    return Sheet(model, protocol, board.rounds, board.bystanders, tuple(cells))


def ratio_of(times: Mapping[str, Times]) -> Ratio | None:
    """Best dynamic peer over gearshift."""
    peers = [times[name] for name in DYNAMIC if name in times]
    if GEARSHIFT.name not in times or not peers:
        return None
    return best_over_ours(times[GEARSHIFT.name], peers)
