"""Streams: tasks in order, on a worker each, and events that mark a place among them."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Final

from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.leaving import WORK
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

    Attributes:
        held_by: the thread that runs a callback which the stream waits for; 0 if none does.
    """

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.held_by = 0
        self._tasks: deque[tuple[Task, bool]] = deque()
        self._changed = threading.Condition()
        self._given = 0
        self._done = 0
        self._error: Refusal | None = None
        self._ended = False
        self._worker: threading.Thread | None = None
        with _streams_lock:
            _streams.add(self)

    def submit(self, task: Task, *, only_waits: bool = False) -> None:
        """Puts a task behind all others; the end of the process waits for none that only waits."""
        with self._changed:
            WORK.check()
            if self._ended:
                raise Refusal(Code.RT_PARAM_INVALID, "the stream was destroyed")
            if self._worker is None:
                self._worker = start_thread(self._work, "gearshift-acl-stream")
            self._tasks.append((task, only_waits))
            self._given += 1
            self._changed.notify_all()

    def synchronize(self, seconds: float | None = None) -> None:
        """Waits for what was given so far; refused with what the first failed task was."""
        with self._changed:
            target = self._given
            if threading.current_thread() is self._worker or threading.get_ident() == self.held_by:
                raise Refusal(
                    Code.RT_PARAM_INVALID,
                    "the stream waits for this thread to go on: it would wait for itself",
                )
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

    def abandon(self) -> None:
        """Drops the tasks that wait; the worker may be at its last."""
        with self._changed:
            self._ended = True
            self._done += len(self._tasks)
            self._tasks.clear()
            self._changed.notify_all()

    def begin_anew(self) -> None:
        """In a forked process: the worker did not come along, and its tasks are the parent's."""
        self._changed = threading.Condition()
        self._tasks.clear()
        self._done = self._given
        self._worker, self.held_by = None, 0

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._tasks or self._ended)
                if not self._tasks:
                    return
                task, only_waits = self._tasks.popleft()
            error = _outcome(task, only_waits)
            del task  # what it holds must not wait here for the next one
            with self._changed:
                self._done += 1
                self._error = self._error or error
                self._changed.notify_all()


def _outcome(task: Task, only_waits: bool) -> Refusal | None:
    try:
        with contextlib.nullcontext() if only_waits else WORK:
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
            stream.submit(mark.wait, only_waits=True)

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


def start_thread(run: Callable[[], object], name: str) -> threading.Thread:
    """A thread that does not keep the process alive; refused if the system has none left."""
    WORK.check()  # at the end of the interpreter a thread would never say that it started
    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise Refusal(Code.RT_INTERNAL_ERROR, f"the system starts no more threads: {error}") from (
            error
        )
    return thread


@atexit.register
def _leave() -> None:
    """Lets what is inside an engine come out of it before that is torn down."""
    with _streams_lock:
        streams = tuple(_streams)
    for stream in streams:
        stream.abandon()
    WORK.end(_EXIT_SECONDS)


def _begin_anew() -> None:
    _streams_lock.release()
    for stream in tuple(_streams):
        stream.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_streams_lock.acquire,
        after_in_parent=_streams_lock.release,
        after_in_child=_begin_anew,
    )
