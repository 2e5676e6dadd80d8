"""What a tuner and its probes say to each other: JSON, one record a line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, get_args

from gearshift.artifact.codec import decode, dumps, loads, shorten
from gearshift.errors import CorruptArtifactError, EngineError
from gearshift.gears.build import Build, Measured

SHORT: Final = 0.005
"""Seconds. Who runs less has something else to do in between; then threads have to be woken, which
is more of the whole the more of them there are. So a probe pauses before it:"""
PAUSE: Final = 0.01

RUNS: Final = 2
"""Calls that `RunPlans` makes of each number of rows: after another one, and after the same."""

_MARK: Final = b"\x1e"
"""Begins a record (RFC 7464). Whatever else was written to the same stream comes before it."""


@dataclass(frozen=True, order=True)
class Candidate:
    """One way to run a build that is to be timed.

    Attributes:
        build: what runs.
        rows: rows of one execution.
        lanes: how many of its executions run at once: one, or one in each of its lanes.
    """

    build: Build
    rows: int
    lanes: int


@dataclass(frozen=True)
class Opened:
    """A probe's first words.

    Attributes:
        fixed_programs: whether the engine makes other programs for a fixed number of rows.
        nbytes: resident memory that the engine's library and the network take.
    """

    fixed_programs: bool
    nbytes: int


@dataclass(frozen=True)
class Make:
    """Asks for a build to be made and tried.

    Attributes:
        build: what to make.
        sizes: numbers of rows to try it at, in this order.
        least: at how many of them in any case.
        seconds: after so many of trying, it is tried at no other.
    """

    build: Build
    sizes: tuple[int, ...]
    least: int = 1
    seconds: float = math.inf


@dataclass(frozen=True)
class Made:
    """Answers `Make`.

    Attributes:
        nbytes: resident memory that building it and running every lane of it added.
        seconds: of one execution with every lane busy, at each size that was tried, in the order
            asked for; a first glance.
        reason: why the build was ruled out; "" if it was not.
    """

    nbytes: int
    seconds: tuple[float, ...]
    reason: str


@dataclass(frozen=True)
class Round:
    """Asks for each candidate to be timed once, in that order."""

    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class RunPlans:
    """Asks for calls of these numbers of rows, in that order, with plans of these builds.

    Attributes:
        members: the builds.
        rows: of the calls.
        through: rows, and those of the builds whose plan is taken, as if there were no others.
    """

    members: tuple[Measured, ...]
    rows: tuple[int, ...]
    through: tuple[tuple[int, tuple[Build, ...]], ...] = ()


@dataclass(frozen=True)
class Times:
    """Answers `Round`: seconds of one execution (in every lane at once) of each candidate.

    Or `RunPlans`: seconds of a call of each number of rows.
    """

    seconds: tuple[float, ...]


@dataclass(frozen=True)
class Export:
    """Asks for what makes that build again more quickly."""

    build: Build


@dataclass(frozen=True)
class Blob:
    """Answers `Export`: that many bytes follow; none if the engine has no such thing."""

    nbytes: int


@dataclass(frozen=True)
class Failed:
    """Answers anything: the engine cannot go on, and the probe ends."""

    message: str


Message = Opened | Make | Made | Round | RunPlans | Times | Export | Blob | Failed
_KINDS: Final[dict[str, type[Message]]] = {kind.__name__: kind for kind in get_args(Message)}


def pack(message: Message) -> bytes:
    """The message as a line."""
    return _MARK + dumps((type(message).__name__, message)) + b"\n"


def unpack(line: bytes) -> Message | None:
    """The message in a line; None for a line that is none of ours.

    Raises:
        EngineError: the line is one of ours and damaged.
    """
    _, mark, text = line.rpartition(_MARK)
    if not mark:
        return None
    try:
        match loads(text, "what a probe said"):
            case [str(name), body] if name in _KINDS:
                return decode(_KINDS[name], body, name)
    except CorruptArtifactError as error:
        raise EngineError(f"a probe said what cannot be understood: {error}") from error
    raise EngineError(f"a probe said what cannot be understood: {shorten(text)}")
