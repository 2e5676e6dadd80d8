"""What a session's programs take of memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import psutil

from gearshift.gears.build import Build


@dataclass(frozen=True)
class ProgramMemory:
    """One program.

    Attributes:
        build: what it is.
        nbytes: resident memory it adds, its own copies of the weights included.
        built: whether it is there now.
        frame: number of the frame it runs, where gears differ in more than their rows.
    """

    build: Build
    nbytes: int
    built: bool
    frame: int = 0


@dataclass(frozen=True)
class MemoryReport:
    """What a session takes and may come to take.

    Attributes:
        programs: every program that plans may call for.
        measured: whether their bytes were measured on this host; else they are predicted from the
            tensors' sizes, which leaves out what engines keep for themselves.
        limit: what the programs may take together before the least recently used go; None for any.
        mapped: bytes of the artifact, mapped once for all programs and shared between processes.
        resident: what the whole process has in memory now, results that are held or kept to be
            written to again included.
    """

    programs: tuple[ProgramMemory, ...]
    measured: bool
    limit: int | None
    mapped: int
    resident: int

    @property
    def built(self) -> int:
        """Bytes of the programs that are there now."""
        return sum(program.nbytes for program in self.programs if program.built)

    @property
    def total(self) -> int:
        """Bytes of all programs."""
        return sum(program.nbytes for program in self.programs)


def program_memory(
    nbytes: Mapping[Build, int], built: Collection[Build], frame: int
) -> tuple[ProgramMemory, ...]:
    """The programs of one frame, which take `nbytes` each, and of which some are built."""
    return tuple(
        ProgramMemory(build, size, build in built, frame) for build, size in sorted(nbytes.items())
    )


def report_memory(
    programs: tuple[ProgramMemory, ...], *, measured: bool, limit: int | None, mapped: int
) -> MemoryReport:
    """The report on those programs, in this process."""
    resident = int(psutil.Process().memory_info().rss)
    return MemoryReport(programs, measured, limit, mapped, resident)
