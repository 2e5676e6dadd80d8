"""Tasks side by side: the caller's own thread is the first lane, waiting threads the others.

A thread pool would do; its futures take as long as a small network's whole run.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Final

from gearshift.placing import Place, this_cpu

_AWAKE: Final = 0.0003
"""Seconds to wait for the other lanes without falling asleep. They have as much to do and end at
about the same time, and a core that sleeps takes long to wake, most of all in a virtual machine."""

_LOG = logging.getLogger("gearshift")

Task = Callable[[], None]
_Outcome = BaseException | None
_Job = tuple[Task, "SimpleQueue[_Outcome]"]


class Lanes:
    """A fixed number of lanes. Safe to use from several threads, which then share the lanes.

    A process forked from this one has threads of its own. Where the system lets no more threads be
    started there are fewer lanes, down to the caller's own, and tasks wait for one another.
    """

    def __init__(self, count: int, threads: int) -> None:
        """Starts them.

        Args:
            count: how many.
            threads: threads of one run, which lanes share. An engine that is given several in a
                lane sees to it by itself where they run.
        """
        self.count = count
        self._has_one_each = threads < 2 * count
        self._lock = threading.Lock()
        self._start()

    def close(self) -> None:
        """Ends the threads, and waits for what they still run of a call that Ctrl-C broke off."""
        _end(self._jobs, len(self._workers))
        if not sys.is_finalizing():  # then threads stand still, wherever they are
            for worker in self._workers:
                worker.join()

    def run(self, tasks: Sequence[Task]) -> None:
        """Returns once every task has come to its end; raises what one of them raised.

        Ctrl-C may come while it waits for the others, which then go on for a moment.
        """
        if len(tasks) > 1 and self._process != os.getpid():
            self._start_in_fork()
        if not self._workers or len(tasks) == 1:
            for task in tasks:
                task()
            return
        me = threading.get_ident()
        self._callers.add(me)
        self._place_others()
        outcomes: SimpleQueue[_Outcome] = SimpleQueue()
        for task in tasks[1:]:
            self._jobs.put((task, outcomes))
        try:
            tasks[0]()
            _wait_awake(outcomes, len(tasks) - 1)
        finally:
            # Even if this lane failed: the others still write into the caller's arrays.
            ended = [outcomes.get() for _ in tasks[1:]]
            self._callers.discard(me)
        for error in ended:
            if error is not None:
                raise error

    def _place_others(self) -> None:
        """Keeps them off this thread's CPU, if they have one thread each and no other caller."""
        if self._has_one_each and len(self._callers) == 1:
            cpu = this_cpu()
            for place in self._places:
                place.keep_off(cpu)

    def _start(self) -> None:
        self._callers: set[int] = set()  # threads whose tasks run here just now
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._workers = _started(self._jobs, self.count - 1)
        self._places = [Place(worker.native_id) for worker in self._workers]
        # Also if nobody closes it: the threads know the queue, and not this object.
        self._end = weakref.finalize(self, _end, self._jobs, len(self._workers))
        self._process = os.getpid()

    def _start_in_fork(self) -> None:
        """Threads do not come along into a forked process, and the queue may be locked by one."""
        with self._lock:
            if self._process != os.getpid():
                self._end.detach()
                self._start()


def _started(jobs: SimpleQueue[_Job | None], count: int) -> list[threading.Thread]:
    """So many threads that do the jobs, or as many as may be started."""
    workers: list[threading.Thread] = []
    for number in range(1, count + 1):
        name = f"gearshift-lane-{number}"
        worker = threading.Thread(target=_work, args=(jobs,), name=name, daemon=True)
        try:
            worker.start()
        except RuntimeError as error:
            if worker.ident is not None:  # it runs, and the error is that of a signal's handler
                raise
            _LOG.warning("of %d lanes only %d run side by side: %s", count + 1, number, error)
            break
        workers.append(worker)
    return workers


def _work(jobs: SimpleQueue[_Job | None]) -> None:
    while (job := jobs.get()) is not None:
        task, outcomes = job
        outcomes.put(_outcome(task))
        del job, task  # arrays of the last call must not wait here for the next one


def _outcome(task: Task) -> _Outcome:
    try:
        task()
    except BaseException as error:  # noqa: BLE001 - it is the caller's, who raises it again
        return error
    return None


def _wait_awake(outcomes: SimpleQueue[_Outcome], count: int) -> None:
    """Waits for so many for a moment; the other lanes get the interpreter meanwhile."""
    end = time.perf_counter() + _AWAKE
    while outcomes.qsize() < count and time.perf_counter() < end:
        time.sleep(0)


def _end(jobs: SimpleQueue[_Job | None], threads: int) -> None:
    for _ in range(threads):
        jobs.put(None)
