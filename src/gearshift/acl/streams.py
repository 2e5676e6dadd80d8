"""Streams: tasks in order, on a worker each, and events that mark a place among them."""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Final

from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.errors import GearshiftError

Task = Callable[[], None]

_log: Final = logging.getLogger("gearshift.acl")
_EXIT_SECONDS: Final = 5.0
_streams: Final[weakref.WeakSet[Stream]] = weakref.WeakSet()
_streams_lock: Final = threading.Lock()


class Stream:
    """Runs tasks one after the other. Safe to use from several threads.

    The first task starts the worker. What a task is refused with is the answer of the next
    `synchronize`; the tasks behind it run all the same.

    Args:
        owner: the context that it belongs to.
    """

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self._tasks: deque[Task] = deque()
        self._changed = threading.Condition()
        self._given = 0
        self._done = 0
        self._error: Refusal | None = None
        self._ended = False
        self._worker: threading.Thread | None = None
        with _streams_lock:
            _streams.add(self)

    def submit(self, task: Task) -> None:
        """Puts a task behind all others."""
        with self._changed:
            if self._ended:
                raise Refusal(Code.RT_PARAM_INVALID, "the stream was destroyed")
            self._tasks.append(task)
            self._given += 1
            self._changed.notify_all()
            # Threads do not come along into a forked process.
            if self._worker is None or not self._worker.is_alive():
                self._worker = threading.Thread(
                    target=self._work, name="gearshift-acl-stream", daemon=True
                )
                self._worker.start()

    def synchronize(self, seconds: float | None = None) -> None:
        """Waits for what was given so far; refused with what the first failed task was."""
        with self._changed:
            target = self._given
            if threading.current_thread() is self._worker:
                raise Refusal(Code.RT_PARAM_INVALID, "a task cannot wait for its own stream")
            if not self._changed.wait_for(lambda: self._done >= target, seconds):
                raise Refusal(
                    Code.RT_WAIT_TIMEOUT, f"{self._given - self._done} tasks are still to be done"
                )
            error, self._error = self._error, None
        if error is not None:
            raise error

    def idle(self) -> bool:
        """Whether everything given has been done."""
        with self._changed:
            return self._done == self._given

    def end(self) -> None:
        """No more tasks; the worker ends after those that it has, without being waited for."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def abandon(self) -> threading.Thread | None:
        """Drops the tasks that wait; gives the worker, which may be at its last."""
        with self._changed:
            self._ended = True
            self._done += len(self._tasks)
            self._tasks.clear()
            self._changed.notify_all()
            return self._worker

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._tasks or self._ended)
                if not self._tasks:
                    return
                task = self._tasks.popleft()
            error = _outcome(task)
            del task  # what it holds must not wait here for the next one
            with self._changed:
                self._done += 1
                self._error = self._error or error
                self._changed.notify_all()


def _outcome(task: Task) -> Refusal | None:
    try:
        task()
    except GearshiftError as error:
        _log.error("a task of a stream failed: %s", error.message)
        return Refusal(error.acl_code, error.message)
    except BaseException as error:  # noqa: BLE001 - the worker goes on, and the caller is told
        _log.exception("a task of a stream failed")
        return Refusal(Code.RT_INTERNAL_ERROR, f"a task failed with {error!r}")
    return None


class Mark:
    """One recording: a place in a stream, and the time at which the stream came by."""

    def __init__(self) -> None:
        self.passed = threading.Event()
        self.time = 0

    def come_by(self) -> None:
        """Told by the stream."""
        self.time = time.perf_counter_ns()
        self.passed.set()

    def wait(self) -> None:
        """Until the stream came by."""
        self.passed.wait()


class Event:
    """The latest place in a stream that was recorded.

    Who waits, waits for the recording that was the latest when it was told to. So it waits for what
    was given to a stream earlier, never for what comes behind it, and streams that wait for each
    other come to an end.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mark: Mark | None = None

    @property
    def mark(self) -> Mark | None:
        """The latest recording; None if there is none."""
        with self._lock:
            return self._mark

    @property
    def complete(self) -> bool:
        """Whether it was recorded, and the stream has come by."""
        mark = self.mark
        return mark is not None and mark.passed.is_set()

    def record(self, stream: Stream) -> None:
        """Marks the place behind everything that the stream was given so far."""
        mark = Mark()
        # Seen by others only once it has its place, or a wait could get in front of it.
        with self._lock:
            stream.submit(mark.come_by)
            self._mark = mark

    def wait(self) -> None:
        """Waits until the latest recording has come by; at once if there is none."""
        mark = self.mark
        if mark is not None:
            mark.wait()

    def hold(self, stream: Stream) -> None:
        """Lets a stream wait for the latest recording."""
        mark = self.mark
        if mark is not None:
            stream.submit(mark.wait)

    def reset(self, stream: Stream) -> None:
        """As if what is recorded now never was, once the stream comes by."""
        mark = self.mark
        stream.submit(lambda: self._forget(mark))

    def milliseconds_until(self, end: Event) -> float:
        """Time from this event to another."""
        first, last = self.mark, end.mark
        if first is None or last is None or not (first.passed.is_set() and last.passed.is_set()):
            raise Refusal(
                Code.RT_EVENT_TIMESTAMP_INVALID, "both events must be recorded, and have come by"
            )
        if last.time < first.time:
            raise Refusal(Code.RT_EVENT_TIMESTAMP_REVERSAL, "the end came by before the start did")
        return (last.time - first.time) / 1e6

    def _forget(self, mark: Mark | None) -> None:
        with self._lock:
            if self._mark is mark:  # not one that was recorded since
                self._mark = None


@atexit.register
def _leave() -> None:
    """Lets what is running end, so that no worker is inside an engine while it is torn down."""
    deadline = time.monotonic() + _EXIT_SECONDS
    with _streams_lock:
        streams = tuple(_streams)
    for worker in [stream.abandon() for stream in streams]:
        if worker is not None and worker is not threading.current_thread():
            worker.join(max(deadline - time.monotonic(), 0.0))
