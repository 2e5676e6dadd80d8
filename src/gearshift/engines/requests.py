"""Infer requests of a network that was compiled once or several times, shared out to threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any


class Requests:
    """Infer requests of each copy of a network; two of a copy with one stream run one by one.

    Safe to use from several threads. Without a lock, which a forked process might find taken: two
    threads may choose the same copy at the same moment, and one then waits for the other once.
    """

    def __init__(self, copies: Sequence[Any]) -> None:
        self._copies = copies
        self._idle: list[list[Any]] = [[] for _ in copies]
        # Threads and not their number: what Ctrl-C left here goes with the thread's next run.
        self._busy: list[set[int]] = [set() for _ in copies]
        self._last = _Last()

    def take(self) -> tuple[int, Any]:
        """A request that nobody else has, and the number of its copy.

        Of the copy that this thread had last, if it is free: its weights are in this core's cache.
        """
        me = threading.get_ident()
        copy = self._last.copy
        if copy is None or self._busy[copy]:
            copy = self._last.copy = self._least_busy(me)
        self._busy[copy].add(me)
        try:
            return copy, self._idle[copy].pop()  # no other thread gets the same one
        except IndexError:
            return copy, self._copies[copy].create_infer_request()

    def _least_busy(self, me: int) -> int:
        for busy in self._busy:
            busy.discard(me)
        counts = [len(busy) for busy in self._busy]
        return counts.index(min(counts))

    def give_back(self, copy: int, request: Any) -> None:
        """To be called by the same thread once it has run."""
        self._busy[copy].discard(threading.get_ident())
        self._idle[copy].append(request)


class _Last(threading.local):
    """The number of the copy that each thread had last."""

    copy: int | None = None
