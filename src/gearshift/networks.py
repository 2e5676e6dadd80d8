"""What the frames of one session share: the network on each engine, and the memory for programs.

An engine's library and the network are opened when the first program of that engine is built.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Collection, Iterable
from typing import Final, Protocol
from weakref import WeakSet

from gearshift.artifact.reader import Artifact
from gearshift.engines.base import LoadedNetwork
from gearshift.engines.pages import HugePages
from gearshift.engines.registry import get_engine
from gearshift.errors import ClosedError
from gearshift.gears.build import Build
from gearshift.opening import load_network

_PAUSE: Final = 0.02
"""Seconds without a call after which more of them are not expected at once."""
_LONG_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 3.0
_MANY: Final = 16
"""Seconds after which better programs and pages are worth disturbing calls that never pause: the
first if there were so many calls by then, else the second. On two cores ResNet-50's first calls of
1, 2, 4, 8 and 16 rows take 1.4 s, and while a program was built the last took a sixth longer."""


class Holder(Protocol):
    """Who holds programs and can be asked to let go of one."""

    def drop(self, build: Build) -> None:
        """Lets go of a program."""
        ...

    def forget(self, engines: Collection[str]) -> None:
        """Lets go of all programs of these engines."""
        ...


class Room:
    """Memory for programs under a limit: what was not used for longest makes room."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[tuple[Holder, Build], int] = {}  # bytes; least recently used first

    def used(self, holder: Holder, build: Build) -> None:
        """Told of each use."""
        with self._lock:
            if (holder, build) in self._held:
                self._held[holder, build] = self._held.pop((holder, build))

    def take(self, holder: Holder, build: Build, nbytes: int, limit: int) -> None:
        """Has others let go until so many bytes fit, or nobody holds any."""
        with self._lock:
            self._held.pop((holder, build), None)
            while self._held and sum(self._held.values()) + nbytes > limit:
                oldest, their_build = next(iter(self._held))
                del self._held[oldest, their_build]
                oldest.drop(their_build)
            self._held[holder, build] = nbytes

    def leave(self, holder: Holder) -> None:
        """Forgets all that a holder held."""
        with self._lock:
            self._held = {key: size for key, size in self._held.items() if key[0] is not holder}


class Runs:
    """A context manager round every run, so that pauses between them can be told."""

    def __init__(self) -> None:
        # By thread, since Ctrl-C may keep one from being taken out: its next run does so then.
        self._under_way: set[int] = set()
        self._ended = -math.inf
        self.count = 0  # about: threads that end one at once may count as one

    @property
    def pause(self) -> float:
        """Seconds since the last one ended; 0 while one is under way.

        That none began for a while would not do: who looks may get the cores just when a long one
        has ended, and the next follows at once.
        """
        return 0.0 if self._under_way else time.monotonic() - self._ended

    def __enter__(self) -> None:
        self._under_way.add(threading.get_ident())

    def __exit__(self, *_: object) -> None:
        self._ended = time.monotonic()
        self.count += 1
        self._under_way.discard(threading.get_ident())


class Networks:
    """An artifact's network on each engine that is used, opened when it is first wanted."""

    def __init__(self, artifact: Artifact, threads: int | None, *, huge_pages: bool = True) -> None:
        self.artifact = artifact
        self.pages = HugePages(wanted=huge_pages)
        self.building = threading.Lock()  # one at a time: a compilation takes every core
        self.closing = threading.Event()
        self.room = Room()
        self.holders: WeakSet[Holder] = WeakSet()
        self._alone = False
        self._threads = threads
        self._loaded: dict[str, LoadedNetwork] = {}
        self.runs = Runs()

    def get(self, engine: str) -> LoadedNetwork:
        """The network on that engine, for whoever holds `building`. Raises EngineError."""
        if self.closing.is_set():
            raise ClosedError("the session is closed; load the model again to run it.")
        if engine not in self._loaded:
            self._loaded[engine] = load_network(
                self.artifact, engine, self._threads, alone=self._alone
            )
        return self._loaded[engine]

    def settle(self, builds: Iterable[Build]) -> None:
        """Takes all builds that are going to be used, of all frames, before any is made or anew.

        Threads may spin on after a run only if no others run in this process: other sessions have
        others, other engines too, and an engine has others for another number of lanes or threads.
        Programs that were made on other terms are let go of.
        """
        with _settling:
            others = {each for each in _settled if each is not self}
            _settled.add(self)
            kinds = {(build.engine, build.lanes, build.threads) for build in builds}
            self._reopen(alone=len(kinds) == 1 and not others)
            for each in others:
                each._reopen(alone=False)

    def _reopen(self, *, alone: bool) -> None:
        """Has engines to which it matters opened anew; calls under way end on what they hold."""
        if alone == self._alone:  # without waiting for what is being built
            return
        with self.building:
            self._alone = alone
            stale = {name for name in self._loaded if get_engine(name).spins}
            for name in stale:
                del self._loaded[name]
        for holder in list(self.holders):
            holder.forget(stale)

    @property
    def ending(self) -> bool:
        """Whether the session closes or the process ends, which waits for its threads."""
        return self.closing.is_set() or not threading.main_thread().is_alive()

    def wait_for_pause(self) -> bool:
        """Waits until calls pause, or have gone on for long enough.

        Returns:
            Whether there is still somebody to work for: not once it is `ending`.
        """
        begin, many = time.monotonic(), self.runs.count + _MANY
        while True:
            self.closing.wait(_PAUSE)
            if self.ending:
                return False
            longest = _LONG_WAIT if self.runs.count >= many else _LONGEST_WAIT
            if self.runs.pause >= _PAUSE or time.monotonic() >= begin + longest:
                return True

    def close(self) -> None:
        """Gives everything back, once what is being built is built."""
        self.closing.set()
        with _settling:
            _settled.discard(self)
        with self.building:
            for network in self._loaded.values():
                network.close()
            self._loaded.clear()


_settling: Final = threading.RLock()  # a signal's handler may close a session in the middle of it
_settled: Final[WeakSet[Networks]] = WeakSet()
"""Those of this process that something is going to run on."""
