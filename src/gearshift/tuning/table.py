"""The cost table: what every program that was tried took on one host. Pure data, and its checks."""

from __future__ import annotations

import hashlib
import math
import platform
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Final, NoReturn

from gearshift.artifact.codec import LEFT_OUT, decode, dumps, loads, shorten
from gearshift.engines.registry import installed_version
from gearshift.errors import CorruptArtifactError, TableError
from gearshift.gears.build import OPEN, Build, Measured
from gearshift.options import MAX_THREADS, PRECISIONS
from gearshift.placing import usable_cores
from gearshift.tuning.cpu import cpu_signature

TABLE_VERSION: Final = 7
"""Version of what a table's fields mean; a table of another version is no table."""

_MAX_ROWS: Final = 2**31 - 1
_MAX_BYTES: Final = 1 << 46
_MAX_BUILDS: Final = 4096
_MAX_FRAMES: Final = 1024
_MAX_TIMINGS: Final = 1024
_BUSY: Final = 0.1
_IDENTITY: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class EngineVersion:
    """An engine, and the version of its library."""

    name: str
    version: str


@dataclass(frozen=True)
class Host:
    """What costs depend on besides the artifact.

    Attributes:
        cpu: the processor's name and model numbers.
        cores: CPUs the process may run on.
        threads: threads of one run.
        system: operating system and architecture.
        engines: those that are installed of those the artifact has, by name.
    """

    cpu: str
    cores: int
    threads: int
    system: str
    engines: tuple[EngineVersion, ...]

    @property
    def key(self) -> str:
        """Short name of this host: equal if all of it and the table's version are equal."""
        return hashlib.sha256(dumps((TABLE_VERSION, self))).hexdigest()[:16]


@dataclass(frozen=True)
class EngineBytes:
    """Resident memory that an engine's library and its network take before any program."""

    engine: str
    nbytes: int


@dataclass(frozen=True)
class Dropped:
    """A build that was tried and is not to be used, and why."""

    build: Build
    reason: str


@dataclass(frozen=True)
class PlanTime:
    """What a call took as a session would run it.

    Attributes:
        rows: of the call.
        seconds: of it.
        through: those builds of the set whose plan it was, as if there were no others; none if it
            was the plan of the whole set.
    """

    rows: int
    seconds: float
    through: tuple[Build, ...] = ()


@dataclass(frozen=True)
class Played:
    """What calls took with a set of builds, by turns with other sets and in one process.

    Attributes:
        builds: the set, in order.
        plans: ascending by rows; the same numbers of rows for every set of a table.
    """

    builds: tuple[Build, ...]
    plans: tuple[PlanTime, ...]


@dataclass(frozen=True)
class CostTable:
    """What a tuning run found out about one artifact on one host.

    Attributes:
        version: `TABLE_VERSION`.
        artifact: identity of the artifact (`Artifact.identity`).
        host: where it was measured.
        precision: what float32 networks were computed in.
        seconds: how long the measuring took.
        made: when, by `timestamp`.
        measured: every build that ran; each has an entry here or in `dropped`, never in both.
        dropped: every build that was tried and ruled out.
        engines: what each engine takes by itself; one record per engine that was loaded.
        frame: which of the artifact's frames it is of.
        ended: engines that are left out because their process ended twice, which may have had a
            cause that is over soon: such a table is for now, and not kept.
        others: share of all CPUs that other programs took meanwhile, 0 to 1; None if unknown.
        played: sets of builds that ran whole; none if there was no time or only one to run.
    """

    version: int
    artifact: str
    host: Host
    precision: str
    seconds: float
    made: str
    measured: tuple[Measured, ...]
    dropped: tuple[Dropped, ...]
    engines: tuple[EngineBytes, ...]
    frame: int = field(default=0, metadata={LEFT_OUT: True})
    ended: tuple[str, ...] = ()
    others: float | None = None
    played: tuple[Played, ...] = ()

    @property
    def is_of_a_busy_machine(self) -> bool:
        """Whether others took so much of the machine that what was measured says little."""
        return self.others is not None and self.others > _BUSY

    @property
    def why_not_kept(self) -> str:
        """Why the table is of no use later; "" if it is."""
        if not self.ended:
            return ""
        engines = " and ".join(self.ended)
        return f"the process that measured {engines} ended twice. Measure again: gearshift tune."

    def nbytes(self, measured: Iterable[Measured]) -> int:
        """What those builds take, with the engines they need."""
        measured = list(measured)
        engines = {each.build.engine for each in measured}
        return sum(each.nbytes for each in measured) + sum(map(self.engine_nbytes, engines))

    def engine_nbytes(self, engine: str) -> int:
        """What that engine takes before any program; 0 if it was never loaded."""
        return next((each.nbytes for each in self.engines if each.engine == engine), 0)


def this_host(engines: Sequence[str], threads: int) -> Host:
    """The host this process runs on.

    Args:
        engines: names of the engines that may run; those not installed are left out.
        threads: threads of one run.
    """
    versions = ((name, installed_version(name)) for name in sorted(set(engines)))
    return Host(
        cpu=cpu_signature(),
        cores=usable_cores(),
        threads=threads,
        system=f"{platform.system()} {platform.machine()}",
        engines=tuple(EngineVersion(name, version) for name, version in versions if version),
    )


def timestamp() -> str:
    """Now, as `CostTable.made` has it: ISO date and time to the second, UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def table_bytes(table: CostTable) -> bytes:
    """The table as canonical JSON. Raises TableError for one that `read_table` would refuse."""
    check_table(table)
    return dumps(table)


def read_table(data: bytes) -> CostTable:
    """The table that `table_bytes` wrote. Raises TableError for anything else."""
    try:
        parsed = loads(data, "the table")
    except CorruptArtifactError as error:
        raise TableError(error.message) from error
    return decode_table(parsed)


def version_of(data: bytes) -> int | None:
    """The version that a table says it has, whatever else there is; None if it says none."""
    try:
        match loads(data, "the table"):
            case {"version": int(version)}:
                return version
    except CorruptArtifactError:
        pass
    return None


def decode_table(data: object) -> CostTable:
    """The table of parsed JSON. Raises TableError, which names the key and the rule."""
    try:
        table = decode(CostTable, data, "table")
    except CorruptArtifactError as error:
        raise TableError(error.message) from error
    check_table(table)
    return table


def check_table(table: CostTable) -> None:
    """Raises TableError if the table breaks a rule, so that whoever reads it may rely on it."""
    if table.version != TABLE_VERSION:
        _refuse("version", table.version, f"{TABLE_VERSION}, which this gearshift writes")
    if not _IDENTITY.fullmatch(table.artifact):
        _refuse("artifact", table.artifact, "64 hexadecimal digits")
    if table.precision not in PRECISIONS:
        _refuse("precision", table.precision, f"one of {', '.join(PRECISIONS)}")
    if not 0 <= table.frame < _MAX_FRAMES:
        _refuse("frame", table.frame, f"0 to {_MAX_FRAMES - 1}")
    if not 0 <= table.seconds < math.inf:
        _refuse("seconds", table.seconds, "finite, 0 or more")
    if not _is_utc(table.made):
        _refuse("made", table.made, "an ISO date and time in UTC")
    _check_host(table.host)
    known = {each.name for each in table.host.engines}
    _check_engines(table.engines, known)
    if table.others is not None and not 0 <= table.others <= 1:
        _refuse("others", table.others, "0 to 1")
    if not known.issuperset(table.ended):
        _refuse("ended", list(table.ended), "engines of its host")
    if not 1 <= len(table.measured) <= _MAX_BUILDS:
        _refuse("the number of measured builds", len(table.measured), f"1 to {_MAX_BUILDS}")
    builds = [each.build for each in table.measured]
    builds += [each.build for each in table.dropped]
    _check_unlike("a build", builds)
    for build in builds:
        _check_build(build, known, table.host.threads)
    for measured in table.measured:
        _check_measured(measured)
    _check_played(table.played, {each.build for each in table.measured})


def _check_host(host: Host) -> None:
    if host.cores < 1:
        _refuse("host.cores", host.cores, "1 or more")
    if not 1 <= host.threads <= MAX_THREADS:
        _refuse("host.threads", host.threads, f"1 to {MAX_THREADS}")
    _check_unlike("host.engines", [each.name for each in host.engines])


def _check_engines(engines: Sequence[EngineBytes], known: set[str]) -> None:
    _check_unlike("engines", [each.engine for each in engines])
    for each in engines:
        if each.engine not in known:
            _refuse("engines", each.engine, "an engine of its host")
        if not 0 <= each.nbytes <= _MAX_BYTES:
            _refuse(f"the memory of {each.engine}", each.nbytes, f"0 to {_MAX_BYTES} bytes")


def _check_build(build: Build, known: set[str], threads: int) -> None:
    if build.engine not in known:
        _refuse("the engine of a build", build.engine, "an engine of its host")
    if not 0 <= build.rows <= _MAX_ROWS:
        _refuse("the rows of a build", build.rows, f"{OPEN} to {_MAX_ROWS}")
    if not 1 <= build.lanes <= threads:
        _refuse("the lanes of a build", build.lanes, f"1 to the host's {threads} threads")
    if not 0 <= build.threads * build.lanes <= threads:
        _refuse("the threads of a build", build.threads, f"0 to {threads // build.lanes}")


def _check_measured(measured: Measured) -> None:
    build, rows = measured.build, [timing.rows for timing in measured.timings]
    if not 0 <= measured.nbytes <= _MAX_BYTES:
        _refuse(f"the memory of {build}", measured.nbytes, f"0 to {_MAX_BYTES} bytes")
    if build.rows != OPEN and rows != [build.rows]:
        _refuse(f"the rows timed of {build}", rows, f"[{build.rows}]")
    if not 1 <= len(rows) <= _MAX_TIMINGS:
        _refuse(f"the number of timings of {build}", len(rows), f"1 to {_MAX_TIMINGS}")
    if rows != sorted(set(rows)) or not 1 <= rows[0] <= rows[-1] <= _MAX_ROWS:
        _refuse(f"the rows timed of {build}", rows, f"ascending, 1 to {_MAX_ROWS}")
    for timing in measured.timings:
        for seconds in (timing.seconds, timing.alone):
            if not 0 < seconds < math.inf:
                _refuse(f"a time of {build}", seconds, "finite and more than 0 seconds")


def _check_played(sets: Sequence[Played], measured: set[Build]) -> None:
    if len(sets) > _MAX_BUILDS:
        _refuse("the number of sets played", len(sets), f"0 to {_MAX_BUILDS}")
    _check_unlike("a set that was played", [frozenset(played.builds) for played in sets])
    for played in sets:
        _check_unlike("a build of a set that was played", played.builds)
        if not played.builds or not measured.issuperset(played.builds):
            names = [str(build) for build in played.builds]
            _refuse("a set that was played", names, "builds that were measured, one or more")
        rows = [time.rows for time in played.plans]
        asked = [time.rows for time in sets[0].plans]
        if rows != asked or rows != sorted(set(rows)) or not 1 <= len(rows) <= _MAX_TIMINGS:
            _refuse("the rows of a set that was played", rows, "ascending, and those of all sets")
        if not 1 <= rows[0] <= rows[-1] <= _MAX_ROWS:
            _refuse("the rows of a set that was played", rows, f"1 to {_MAX_ROWS}")
        for time in played.plans:
            if not 0 < time.seconds < math.inf:
                _refuse("a time of a plan", time.seconds, "finite and more than 0 seconds")
            if not set(time.through) < set(played.builds):
                names = [str(build) for build in time.through]
                _refuse("what a plan is made of", names, "some of the builds of its set, or none")


def _check_unlike(where: str, values: Iterable[Hashable]) -> None:
    for value, times in Counter(values).items():
        if times > 1:
            _refuse(where, str(value), "there once")


def _is_utc(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).utcoffset() == timedelta(0)
    except ValueError:
        return False


def _refuse(where: str, value: object, allowed: str) -> NoReturn:
    raise TableError(
        f"{where} is {shorten(value)} in the cost table, but has to be {allowed}. "
        "Measure again: gearshift tune."
    )
