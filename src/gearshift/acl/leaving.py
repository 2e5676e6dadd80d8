"""The end of the process, and forks: no thread may come back into an interpreter that has ended.

One that comes back from an engine's C++ is ended where it stands, and C++ ends the whole process
for it. Programs leave with threads at work all the time. So who enters a library says so here, and
on the way out the process waits for those inside and lets nobody in any more.
"""

from __future__ import annotations

import os
import threading
from typing import Final

from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code


class Work:
    """Counts the threads inside libraries; a context manager, which threads share.

    Raises:
        Refusal: 145001, once `end` was called.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._is_over = False

    def check(self) -> None:
        """Refuses whatever would begin after the end."""
        if self._is_over:
            raise Refusal(Code.GE_NOT_INITIALIZED, "the process is on its way out: nothing begins")

    def __enter__(self) -> None:
        with self._changed:
            self.check()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def end(self, seconds: float) -> None:
        """Lets nobody in any more, and waits for those inside."""
        with self._changed:
            self._is_over = True
            self._changed.wait_for(lambda: not self._inside, seconds)

    def begin_anew(self) -> None:
        """In a forked process, into which no other thread came along."""
        self._changed = threading.Condition()
        self._inside = 0


WORK: Final = Work()
"""Everything of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=WORK.begin_anew)
