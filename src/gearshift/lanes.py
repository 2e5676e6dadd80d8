"""Tasks side by side: the caller's own thread is the first lane, waiting threads the others.

A thread pool would do; its futures take as long as a small network's whole run.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Final

_AWAKE: Final = 0.0003
"""Seconds to wait for the other lanes without falling asleep. They have as much to do and end at
about the same time, and a core that sleeps takes long to wake, most of all in a virtual machine."""

Task = Callable[[], None]
_Outcomes = SimpleQueue["BaseException | None"]
_Job = tuple[Task, _Outcomes]


class Lanes:
    """A fixed number of lanes. Safe to use from several threads, which then share the lanes.

    A process forked from this one has threads of its own.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._lock = threading.Lock()
        self._start()

    def close(self) -> None:
        """Ends the threads, and waits until what they run has ended.

        That may be a call's that Ctrl-C broke off before all lanes had come to their end.
        """
        self._end()
        for thread in self._threads:
            thread.join()

    def run(self, tasks: Sequence[Task]) -> None:
        """Returns once every task has come to its end; raises what one of them raised."""
        if self.count == 1 or len(tasks) == 1:
            for task in tasks:
                task()
            return
        if self._process != os.getpid():
            self._start_in_fork()
        outcomes: _Outcomes = SimpleQueue()
        for task in tasks[1:]:
            self._jobs.put((task, outcomes))
        try:
            tasks[0]()
            _wait_awake(outcomes, len(tasks) - 1)
        finally:
            # Even if this lane failed: the others still write into the caller's arrays.
            errors = [outcomes.get() for _ in tasks[1:]]
        for error in errors:
            if error is not None:
                raise error

    def _start(self) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = [
            threading.Thread(
                target=_work, args=(self._jobs,), name=f"gearshift-lane-{number}", daemon=True
            )
            for number in range(1, self.count)
        ]
        for thread in self._threads:
            thread.start()
        # Also if nobody closes it: the threads know the queue, and not this object.
        self._end = weakref.finalize(self, _end, self._jobs, self.count - 1)
        self._process = os.getpid()

    def _start_in_fork(self) -> None:
        """Threads do not come along into a forked process, and the queue may be locked by one."""
        with self._lock:
            if self._process != os.getpid():
                self._end.detach()
                self._start()


def _work(jobs: SimpleQueue[_Job | None]) -> None:
    while (job := jobs.get()) is not None:
        task, outcomes = job
        error: BaseException | None = None
        try:
            task()
        except BaseException as raised:  # noqa: BLE001 - it is the caller's, who raises it again
            error = raised
        outcomes.put(error)
        del job, task, error  # arrays of the last call must not wait here for the next one


def _wait_awake(outcomes: _Outcomes, count: int) -> None:
    """Waits for so many for a moment; the other lanes get the interpreter meanwhile."""
    end = time.perf_counter() + _AWAKE
    while outcomes.qsize() < count and time.perf_counter() < end:
        time.sleep(0)


def _end(jobs: SimpleQueue[_Job | None], threads: int) -> None:
    for _ in range(threads):
        jobs.put(None)
