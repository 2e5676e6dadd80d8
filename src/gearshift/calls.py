"""Calls under way, and waiting for their end, where Ctrl-C may come between any two steps.

It raises KeyboardInterrupt in the main thread even between the steps of a context manager that is
written in Python. A counter that such a manager keeps stays too high then, and whoever waits for
nought waits for ever. Python's own locks are given back by their `with` whatever comes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from gearshift.errors import ClosedError

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


class Calls:
    """The calls of something that can be closed. Safe to use from several threads."""

    def __init__(self) -> None:
        # Each holds its lock while it is under way; with it, the thread that it is in.
        self._threads: Final[dict[threading.Lock, int]] = {}
        self.closing = False

    def run(
        self, work: Callable[_Given, _Made], *given: _Given.args, **named: _Given.kwargs
    ) -> _Made:
        """Does it as one call. Raises ClosedError once `close` was called."""
        call = threading.Lock()
        try:
            with call:
                self._threads[call] = threading.get_ident()
                # In this order: `close` refuses first and looks then, so that one sees the other.
                if self.closing:
                    raise ClosedError("the session is closed; load the model again to run it.")
                return work(*given, **named)
        finally:
            self._threads.pop(call, None)

    def close(self) -> None:
        """Refuses later ones."""
        self.closing = True

    def wait(self) -> None:
        """Waits for those under way; this thread must not be in one."""
        for call in list(self._threads):
            with call:
                pass

    def has_this_thread(self) -> bool:
        """Whether one of them is under way in this thread, for example in a signal's handler."""
        return threading.get_ident() in list(self._threads.values())
