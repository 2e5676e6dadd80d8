"""Calls under way, and closing once they have ended, wherever Ctrl-C and signals come between.

Ctrl-C raises KeyboardInterrupt between any two steps of the main thread, those of a context manager
that is written in Python among them. A count that one keeps stays too high then, and whoever waits
for it to come to 0 waits for ever. A call here holds a lock of Python's own instead, which its
`with` gives back even then, and is known before it begins.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from gearshift.errors import ClosedError

_Made = TypeVar("_Made")


class Calls:
    """The calls of something that can be closed. Safe to use from several threads.

    Attributes:
        closing: whether `close` was called.
    """

    def __init__(self) -> None:
        self.closing = False
        # By the lock that each holds while it is under way, the thread that it is in.
        self._under_way: dict[threading.Lock, int] = {}
        # Threads that must not wait for calls: the workers, and whoever is in `close`.
        self._not_to_wait: set[int] = set()

    def run(self, work: Callable[[], _Made], *, was_made_before: bool = False) -> _Made:
        """Does it as one call.

        Args:
            work: what to do.
            was_made_before: it is one that waited for its turn, and runs even if `close` was called
                meanwhile.

        Raises:
            ClosedError: `close` was called.
        """
        call = threading.Lock()
        try:
            with call:
                self._under_way[call] = threading.get_ident()
                # In this order: `close` refuses first and looks then, so that one sees the other.
                if self.closing and not was_made_before:
                    raise ClosedError("the session is closed; load the model again to run it.")
                return work()
        finally:
            self._under_way.pop(call, None)

    def add_worker(self) -> None:
        """Told by a thread that runs calls and, after each of them, callbacks."""
        self._not_to_wait.add(threading.get_ident())

    def close(self, release: Callable[[], None]) -> None:
        """Refuses later calls, waits for those under way, and releases what they use.

        Where this thread is in one of them, or in here already, waiting would never end: another
        thread does it then. That is so in a worker's callback, and in the handler of a signal that
        interrupted one of them.

        Args:
            release: may be called several times, also at once.
        """
        self.closing = True
        if self._has_this_thread():
            closing = threading.Thread(target=self._close, args=[release], name="gearshift-closing")
            closing.start()
        else:
            self._close(release)

    def _has_this_thread(self) -> bool:
        thread = threading.get_ident()
        return thread in self._not_to_wait or thread in self._under_way.copy().values()

    def _close(self, release: Callable[[], None]) -> None:
        thread = threading.get_ident()
        try:
            self._not_to_wait.add(thread)
            for call in list(self._under_way):
                with call:
                    pass
            release()
        finally:
            self._not_to_wait.discard(thread)
