"""The programs of one frame: built when wanted, kept within a limit of memory, given back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from gearshift.engines.base import Executable
from gearshift.engines.memory import give_back_memory
from gearshift.errors import ClosedError, EngineError
from gearshift.gears.build import OPEN, Build, Menu
from gearshift.gears.dispatch import Plan
from gearshift.gears.gear import GearSet
from gearshift.networks import Networks
from gearshift.running import Running

_AT_ONCE: Final = 8
"""Huge pages to move to at a time: between them it is seen whether calls came."""

_LOG = logging.getLogger("gearshift")

FindBlob = Callable[[Build], bytes | None]
"""What an engine made of a build before, from where such things are kept."""


@dataclass(frozen=True)
class Bound:
    """A plan and what runs each of its pieces, whatever is evicted or let go of meanwhile."""

    plan: Plan
    executables: tuple[Executable, ...]


class Programs:
    """The executables of one frame, by build. Safe to use from several threads.

    Attributes:
        known: plans that were bound, for whoever makes them to find again by what was asked for.
            Another dict takes its place whenever a program goes; what is put into the old one from
            then on is gone with it.
        runs: goes round each run. It holds background building off while calls follow closely, as
            both need every core.
    """

    def __init__(self, networks: Networks, gears: GearSet) -> None:
        self._networks = networks
        self._room = networks.room
        self.runs = networks.runs
        self._pages = networks.pages
        self._pool = networks.artifact.pool
        self._gears = gears
        self._limit: int | None = None
        self._built: dict[Build, Executable] = {}
        self.known: dict[tuple[int, int | None], Bound] = {}
        self._nbytes: Mapping[Build, int] = {}
        self._find_blob: FindBlob = lambda build: None
        self._wanted: list[Build] = []
        self._failed: set[Build] = set()
        self._changing = threading.Lock()
        self._builder: threading.Thread | None = None
        networks.holders.add(self)

    @property
    def built(self) -> frozenset[Build]:
        """What could run at once."""
        with self._changing:
            return frozenset(self._built)

    def use(self, nbytes: Mapping[Build, int], limit: int | None, find_blob: FindBlob) -> None:
        """From now on these are the builds; programs of others are let go of.

        Args:
            nbytes: what each build takes.
            limit: bytes that the programs of all frames may take together; None for any number.
            find_blob: finds what an engine made of a build before.
        """
        self._room.leave(self)
        with self._changing:
            self._nbytes, self._limit, self._find_blob = nbytes, limit, find_blob
            self._built = {b: e for b, e in self._built.items() if b in nbytes}
            self.known = {}
            self._failed.clear()
            kept = list(self._built)
        if limit is not None:
            for build in kept:
                self._room.take(self, build, nbytes[build], limit)

    def has(self, build: Build) -> bool:
        """Whether `get` would return at once."""
        return build in self._built

    def failed(self, build: Build) -> bool:
        """Whether it was tried, and cannot be built."""
        return build in self._failed

    def get(self, build: Build) -> Executable:
        """The program, built now if need be.

        Raises:
            EngineError: the engine is missing or refused.
            ClosedError: the programs were given back.
        """
        found = self._built.get(build)
        if found is None:
            return self._build(build)
        if self._limit is not None:
            self._room.used(self, build)
        return found

    @property
    def is_limited(self) -> bool:
        """Whether programs may have to make room for others, by when they were used last."""
        return self._limit is not None

    def bind(self, plan: Plan, menu: Menu) -> Bound:
        """A plan over that menu with the programs it takes, built now where they are not there.

        Raises:
            EngineError: the engine is missing or refused.
            ClosedError: the programs were given back.
        """
        builds = [menu.build(piece) for piece in plan.pieces]
        held = {build: self.get(build) for build in dict.fromkeys(builds)}
        return Bound(plan, tuple(held[build] for build in builds))

    def forget(self, engines: Collection[str]) -> None:
        """Lets go of all programs of these engines; they are made anew when they are wanted."""
        for build in self.built:
            if build.engine in engines:
                self.drop(build)

    def drop(self, build: Build) -> None:
        """Lets go of a program; runs under way hold what they run."""
        with self._changing:
            self._built.pop(build, None)
            self.known = {}

    def want(self, builds: Iterable[Build]) -> None:
        """Builds them in the background. One that fails is logged, and not tried again."""
        with self._changing:
            known = {*self._wanted, *self._failed, *self._built}
            self._wanted += [build for build in builds if build not in known]
        self._work_in_pauses()

    def tend(self) -> None:
        """To be called after runs: has memory that they took moved to huge pages in a pause."""
        if self._pages.pending:
            self._work_in_pauses()

    def close(self) -> None:
        """Lets go of everything, once what is being built is built."""
        self._networks.closing.set()
        with self._changing:
            builder = self._builder
        if builder is not None and builder is not threading.current_thread():
            builder.join()
        with self._networks.building:
            self._built.clear()
            self.known = {}

    def _work_in_pauses(self) -> None:
        """Has what is left to do done by a thread, if there is something and none does it yet."""
        if self._networks.ending:
            return
        with self._changing:
            if not (self._wanted or self._pages.pending):
                return
            # One that is not alive did not come along into a forked process.
            if self._builder is not None and self._builder.is_alive():
                return
            # It ends with its work: one that idled would have to be told when the process ends.
            builder = threading.Thread(target=self._work, name="gearshift-builder")
            try:
                builder.start()
            except RuntimeError as error:  # no more threads may be started, and calls go on without
                _LOG.warning("nothing can be done in the background: %s", error)
                self._builder = None
            else:
                self._builder = builder

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            job()

    def _next_job(self) -> Callable[[], None] | None:
        """What to do next, once calls pause; None if there is nothing left, and the thread ends."""
        go_on = self._networks.wait_for_pause()
        if go_on:
            self._pages.look()  # first: what is allocated while programs are built is not meant
        with self._changing:
            if go_on and self._wanted:
                return partial(self._build_in_background, self._wanted[0])
            if go_on and self._pages.pending:
                return partial(self._pages.merge, _AT_ONCE)
            self._wanted.clear()
            self._builder = None
            return None

    def _build_in_background(self, build: Build) -> None:
        try:
            self._build(build)
        except ClosedError:
            pass  # and nothing is wanted any more
        except Exception as error:  # noqa: BLE001 - there is nobody to raise it to
            _LOG.warning("%s cannot be built and will not be used: %s", build, error)
            self._failed.add(build)
        with self._changing:
            self._wanted.remove(build)

    def _build(self, build: Build) -> Executable:
        with self._networks.building:
            if self._networks.closing.is_set():
                raise ClosedError("the session is closed; load the model again to run it.")
            if build in self._built:
                return self._built[build]
            if self._limit is not None:
                self._room.take(self, build, self._nbytes.get(build, 0), self._limit)
            try:
                with self._pages.watch():
                    made = self._make(build)
            except EngineError:
                self._failed.add(build)
                raise
            self._pages.look()  # at once: until it runs others may allocate
            executable = Running(made, self._pages, self._pool, is_open=build.rows == OPEN)
            with self._changing:
                if build in self._nbytes:  # else it is for a call that began before others came
                    self._built[build] = executable
            give_back_memory(self._pool)
            return executable

    def _make(self, build: Build) -> Executable:
        network = self._networks.get(build.engine)
        shapes = self._gears.shapes_of(build.rows)
        blob = self._find_blob(build)
        if blob is not None:
            try:
                return network.executable(shapes, build.lanes, blob, build.threads)
            except EngineError as error:
                _LOG.warning("what was kept of %s is of no use, building it anew: %s", build, error)
        return network.executable(shapes, build.lanes, None, build.threads)
