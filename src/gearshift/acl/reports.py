"""Callbacks: what a stream reports when it comes by, run in the thread that asked for reports."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.streams import Stream

NO_BLOCK: Final = 0
BLOCK: Final = 1
_SUBSCRIBE_SECONDS: Final = 0.1


class Report:
    """One call of a callback.

    Args:
        function: the callback.
        argument: what it is called with.
        waiting: the stream that goes on only when it has run; None if it does not wait.
    """

    def __init__(
        self, function: Callable[[Any], object], argument: Any, waiting: Stream | None
    ) -> None:
        self._function = function
        self._argument = argument
        self._waiting = waiting
        self.over = threading.Event()

    def run(self) -> None:
        """Calls it, in this thread; what it raises is this thread's."""
        if self._waiting is not None:
            self._waiting.held_by = threading.get_ident()  # it would wait for itself for ever
        try:
            self._function(self._argument)
        finally:
            if self._waiting is not None:
                self._waiting.held_by = 0
            self.over.set()


_changed: Final = threading.Condition()
_thread_of: Final[dict[Stream, int]] = {}
_waiting: Final[dict[int, deque[tuple[Stream, Report]]]] = {}

if hasattr(os, "register_at_fork"):  # or the forked process could find it taken for ever
    os.register_at_fork(
        before=_changed.acquire, after_in_parent=_changed.release, after_in_child=_changed.release
    )


def subscribe(thread: int, stream: Stream) -> None:
    """From now on, reports of a stream go to a thread."""
    with _changed:
        if stream in _thread_of:
            raise Refusal(Code.RT_STREAM_SUBSCRIBE, "a thread has subscribed to this stream before")
        _thread_of[stream] = thread
        _waiting.setdefault(thread, deque())
        _changed.notify_all()


def unsubscribe(thread: int, stream: Stream) -> None:
    """Takes it back."""
    with _changed:
        if _thread_of.get(stream) != thread:
            raise Refusal(
                Code.RT_THREAD_SUBSCRIBE, f"thread {thread} has not subscribed to this stream"
            )
        _drop(stream)


def forget(stream: Stream) -> None:
    """Drops the subscription of a stream, if there is one, and reports that nobody asked for."""
    with _changed:
        if stream in _thread_of:
            _drop(stream)


def _drop(stream: Stream) -> None:
    thread = _thread_of.pop(stream)
    kept: deque[tuple[Stream, Report]] = deque()
    for owner, report in _waiting[thread]:
        if owner is stream:
            report.over.set()  # nobody will run it: the stream must not wait for ever
        else:
            kept.append((owner, report))
    _waiting[thread] = kept
    if thread not in _thread_of.values():
        del _waiting[thread]
    _changed.notify_all()


def launch(function: Callable[[Any], object], argument: Any, block: bool, stream: Stream) -> None:
    """Puts a call of a callback into a stream, which waits for it or not."""
    report = Report(function, argument, stream if block else None)

    def come_by() -> None:
        with _changed:
            thread = _thread_of.get(stream)
            if thread is None:
                return
            _waiting[thread].append((stream, report))
            _changed.notify_all()
        if block:
            report.over.wait()

    if stream not in _thread_of:
        raise Refusal(
            Code.RT_STREAM_NO_CALLBACK, "no thread has subscribed to this stream's reports"
        )
    stream.submit(come_by, only_waits=True)


def next_report(thread: int, seconds: float | None) -> Report:
    """The next report of a thread; refused if it subscribed to nothing, or when time is over."""
    with _changed:
        # Threads for reports are often started first and subscribed later, and ask in a loop.
        patience = _SUBSCRIBE_SECONDS if seconds is None else seconds
        _changed.wait_for(lambda: thread in _waiting, patience)
        _changed.wait_for(lambda: _waiting.get(thread, True), seconds)
        if thread not in _waiting:
            raise Refusal(
                Code.RT_THREAD_SUBSCRIBE, f"thread {thread} has not subscribed to any stream"
            )
        if not _waiting[thread]:
            raise Refusal(Code.RT_WAIT_TIMEOUT, "no report came in time")
        return _waiting[thread].popleft()[1]
