"""A program's executable, watched while it comes to the memory that its runs need."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from gearshift.engines.base import Executable
from gearshift.engines.memory import give_back_memory
from gearshift.engines.pages import HugePages
from gearshift.tensors import Array


class Running(Executable):
    """An executable whose memory is to lie in huge pages.

    Engines take memory for a run that is the largest so far, or one more at the same time.
    """

    def __init__(
        self,
        executable: Executable,
        pages: HugePages,
        pool: Array,
        *,
        is_open: bool,
    ) -> None:
        """Wraps it.

        Args:
            executable: what runs.
            pages: told of the memory that runs take.
            pool: the weights, as for `give_back_memory`.
            is_open: whether runs differ in size.
        """
        self._executable = executable
        self._pages = pages
        self._pool = pool
        self._is_open = is_open
        self._is_unused = True
        # For each run that may be under way at once, the bytes of the largest that ran so far.
        self._idle: deque[int] = deque()

    def run(self, feeds: Sequence[Array], into: Sequence[Array | None] = ()) -> list[Array]:
        """Runs once, as the executable does."""
        size = sum(feed.nbytes for feed in feeds) if self._is_open else 1
        try:
            largest = self._idle.pop()  # in one step: no other thread gets the same
        except IndexError:
            largest = -1
        try:
            if size <= largest:
                return self._executable.run(feeds, into)
            made = self._run_and_watch(feeds, into)
            largest = size
            return made
        finally:
            self._idle.append(largest)

    def blob(self) -> bytes | None:
        """The executable's."""
        return self._executable.blob()

    def _run_and_watch(self, feeds: Sequence[Array], into: Sequence[Array | None]) -> list[Array]:
        with self._pages.watch():
            made = self._executable.run(feeds, into)
        if self._is_unused:  # some engines repack weights in the first, and leave what they read
            self._is_unused = False
            give_back_memory(self._pool)
        return made
