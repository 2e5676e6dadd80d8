"""One contender in a process of its own, which times blocks of calls when asked."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.agreement import worst_misfit
from benchmarks.contender import Contender, Feeds, Runner, Setup, first_rows
from gearshift.tensors import Array

_LONGEST_ANSWER_S = 300.0


class WorkerError(Exception):
    """A contender's process ended or fell silent; its own traceback is on stderr."""


@contextmanager
def open_workers(contenders: Sequence[Contender], setup: Setup) -> Iterator[list[Worker]]:
    """A worker for each contender, all of them ready; their processes end with the block."""
    workers = [Worker(contender, setup) for contender in contenders]
    with ExitStack() as stack:
        for worker in workers:
            stack.callback(worker.close)
        for worker in workers:
            worker.wait_until_open()
        yield workers


class Worker:
    """A contender in a process of its own, which is started at once."""

    def __init__(self, contender: Contender, setup: Setup) -> None:
        self.contender = contender
        context = multiprocessing.get_context("spawn")
        self._pipe, far_end = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(far_end, contender, setup), daemon=True
        )
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: deaf from the start
        self._process.start()
        signal.signal(signal.SIGINT, before)
        far_end.close()

    def wait_until_open(self) -> None:
        """Returns once the contender has loaded its model."""
        self._answer()

    def close(self) -> None:
        """Ends the process, in the middle of a run if need be: it holds nothing worth keeping."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def seconds(self, block: Sequence[int]) -> list[float]:
        """Runs each number of rows once, in that order, and says how long each call took.

        One more call, not timed, goes first: the process was idle and its caches are cold.
        """
        answer: list[float] = self._ask("seconds", list(block))
        return answer

    def run(self, feeds: Feeds) -> list[Array]:
        """Every output for those rows."""
        answer: list[Array] = self._ask("run", dict(feeds))
        return answer

    def misfit(self, reference: Path, counts: Sequence[int]) -> tuple[float, int]:
        """How far its outputs are from the reference's at worst, and for how many rows.

        Runs each number of rows once, so that afterwards nothing is left to be built.
        """
        answer: tuple[float, int] = self._ask("misfit", (reference, list(counts)))
        return answer

    def plan(self, rows: int) -> str:
        """The gears that would run that many rows; empty for those that have none."""
        answer: str = self._ask("plan", rows)
        return answer

    def _ask(self, question: str, argument: object) -> Any:
        try:
            self._pipe.send((question, argument))
        except OSError:  # nobody reads at the far end
            raise self._ended() from None
        return self._answer()

    def _answer(self) -> Any:
        name = self.contender.name
        if not self._pipe.poll(_LONGEST_ANSWER_S):
            raise WorkerError(f"{name}: no answer for {_LONGEST_ANSWER_S:.0f} s")
        try:
            return self._pipe.recv()
        except (EOFError, OSError):
            raise self._ended() from None

    def _ended(self) -> WorkerError:
        return WorkerError(f"{self.contender.name}: its process ended; see its traceback above")


def _serve(pipe: Connection, contender: Contender, setup: Setup) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    rows = setup.read_rows()
    # Should the parent vanish, its end of the pipe closes, and that is the end here too.
    with contender.open(setup) as runner, suppress(EOFError, ConnectionError):
        pipe.send("ready")
        while True:
            question, argument = pipe.recv()
            pipe.send(_reply(runner, rows, question, argument))


def _reply(runner: Runner, rows: Feeds, question: str, argument: Any) -> object:
    if question == "seconds":
        return _time(runner, rows, argument)
    if question == "misfit":
        return worst_misfit(runner, rows, *argument)
    return list(runner.run(argument)) if question == "run" else runner.plan(argument)


def _time(runner: Runner, rows: Feeds, block: Sequence[int]) -> list[float]:
    runner.run(first_rows(rows, block[-1]))
    times = []
    for count in block:
        feeds = first_rows(rows, count)
        start = time.perf_counter()
        runner.run(feeds)
        times.append(time.perf_counter() - start)
    return times
