"""Which thread runs which copy of a network that was compiled several times."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any


class Requests:
    """Infer requests of each copy of a network. Two of one copy run one after the other.

    Safe to use from several threads.
    """

    def __init__(self, copies: Sequence[Any]) -> None:
        self._copies = copies
        self._idle: list[list[Any]] = [[] for _ in copies]
        self._busy = [0] * len(copies)
        self._changing = threading.Lock()
        self._last = _Last()

    def take(self) -> tuple[int, Any]:
        """A request that nobody else has, and the number of its copy.

        Of the copy that this thread had last, if it is free: its weights are in this core's cache.
        """
        with self._changing:
            copy = self._last.copy
            if copy is None or self._busy[copy]:
                copy = self._busy.index(min(self._busy))
            self._busy[copy] += 1
            request = self._idle[copy].pop() if self._idle[copy] else None
        self._last.copy = copy
        return copy, request or self._copies[copy].create_infer_request()

    def give_back(self, copy: int, request: Any) -> None:
        """To be called once it has run."""
        with self._changing:
            self._busy[copy] -= 1
            self._idle[copy].append(request)


class _Last(threading.local):
    """The number of the copy that each thread had last."""

    copy: int | None = None
