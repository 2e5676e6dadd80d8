"""A system that lets only so many threads be started."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def threads_allowed(count: int) -> Iterator[list[threading.Thread]]:
    """From here on, in this process. Yields the threads that were started."""
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def start_or_refuse(thread: threading.Thread) -> None:
        if len(started) == count:
            raise RuntimeError("can't start new thread")  # CPython's words
        started.append(thread)
        start(thread)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", start_or_refuse)
        yield started
