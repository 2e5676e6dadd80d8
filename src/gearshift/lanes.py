"""Tasks side by side: the caller's own thread is the first lane, waiting threads the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

Task = Callable[[], None]


class Lanes:
    """A fixed number of lanes. Safe to use from several threads, which then share the lanes."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._others = (
            ThreadPoolExecutor(count - 1, thread_name_prefix="gearshift-lane")
            if count > 1
            else None
        )

    def run(self, tasks: Sequence[Task]) -> None:
        """Returns once every task has come to its end; raises what one of them raised."""
        if self._others is None or len(tasks) == 1:
            for task in tasks:
                task()
            return
        futures = [self._others.submit(task) for task in tasks[1:]]
        try:
            tasks[0]()
        finally:
            # Even if this lane failed: the others still write into the caller's arrays.
            wait(futures)
        for future in futures:
            future.result()

    def close(self) -> None:
        """Ends the threads. Nothing may be running."""
        if self._others is not None:
            self._others.shutdown()
