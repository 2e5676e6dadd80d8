"""Every exception gearshift raises, in one tree.

    GearshiftError
    ├── OptionError            an option or argument is wrong            (ATC code)
    ├── OptionErrors           several of them, found in one go
    ├── ModelError             the source model cannot be read or used
    │   ├── UnsupportedModelError   a node stands in the way; names it and its tensor
    │   └── VerificationError       a compiled gear does not give the reference's numbers
    ├── MemoryLimitError       a gear cannot fit on this machine
    ├── ArtifactError          the .om file cannot be used
    │   ├── UnreadableArtifactError it is missing, a folder, or not ours to read
    │   ├── NotAnArtifactError      it is something else
    │   ├── DeviceArtifactError     it is an .om for a real Ascend card
    │   ├── TruncatedArtifactError  it ends too early (or goes on too long)
    │   ├── CorruptArtifactError    its bytes are not those that were written
    │   └── NewerArtifactError      a newer gearshift wrote it
    ├── InputError             an array given to run() does not fit
    │   └── GearError          the number of rows or the gear asked for is not one that was compiled
    ├── EngineError            an engine is missing or failed
    ├── TableError             a table of measured costs cannot be used
    ├── ClosedError            the session was closed
    └── InternalError          our bug; please report it

Messages say four things: what failed, the value seen, what is allowed, what to do.
`code` is ATC's catalogue code (``E10035``) where it has one, `acl_code` the AscendCL number.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GearshiftError(Exception):
    """Base of everything gearshift raises on purpose.

    Attributes:
        code: ATC's catalogue code, such as ``"E10035"``, or None where ATC has none.
        acl_code: AscendCL's number for the same fault on the runtime side.
        exit_code: exit status of a command that ends with this error.
    """

    code: str | None = None
    acl_code: int = 500000
    exit_code: int = 1

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class OptionError(GearshiftError):
    """One option or argument is wrong."""

    acl_code = 100000


class OptionErrors(GearshiftError):
    """Several options are wrong; `errors` holds each, in the order found."""

    acl_code = 100000

    def __init__(self, errors: Iterable[OptionError]) -> None:
        self.errors = tuple(errors)
        if not self.errors:
            raise InternalError("OptionErrors needs at least one error")
        super().__init__("\n".join(error.message for error in self.errors))
        self.code = self.errors[0].code


class ModelError(GearshiftError):
    """The source model cannot be read or used."""

    acl_code = 100013


class UnsupportedModelError(ModelError):
    """A node of the model stands in the way of compiling it for gears.

    Attributes:
        node: the node's name.
        op_type: its operator.
        tensor: the tensor that could not be dealt with.
    """

    def __init__(
        self,
        message: str,
        *,
        node: str = "",
        op_type: str = "",
        tensor: str = "",
        code: str | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.node = node
        self.op_type = op_type
        self.tensor = tensor


class VerificationError(ModelError):
    """A compiled gear does not give the reference's numbers."""


class MemoryLimitError(GearshiftError):
    """A gear is predicted not to fit in this machine's memory."""

    acl_code = 245000


class ArtifactError(GearshiftError):
    """The ``.om`` file cannot be used."""

    acl_code = 145000


class UnreadableArtifactError(ArtifactError):
    """There is no such file, it is no ordinary file, or the system does not let it be read."""

    acl_code = 145002


class NotAnArtifactError(ArtifactError):
    """The file is not a gearshift artifact at all."""


class DeviceArtifactError(ArtifactError):
    """The file is an offline model for a real Ascend card (magic ``IMOD``)."""


class TruncatedArtifactError(ArtifactError):
    """The file is shorter or longer than it says it is."""

    acl_code = 145006


class CorruptArtifactError(ArtifactError):
    """The file's bytes are not those that were written, or break a rule of the format."""


class NewerArtifactError(ArtifactError):
    """The file asks for a newer reader than this one."""


class InputError(GearshiftError):
    """An array given to ``run`` does not fit the model."""

    acl_code = 100017


class GearError(InputError):
    """The number of rows or the gear asked for is not one that was compiled."""

    acl_code = 145013


class EngineError(GearshiftError):
    """An engine is missing, refused the model or failed while running."""

    acl_code = 500002


class TableError(GearshiftError):
    """A table of measured costs is damaged, or of another artifact, host or version."""


class ClosedError(GearshiftError):
    """The session was closed before this call."""

    acl_code = 145003


class InternalError(GearshiftError):
    """A promise inside gearshift was broken. It is our bug: please report it."""

    exit_code = 70


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` Did you mean 'x'?`` for the known word nearest to that one, or nothing; ends a message."""
    folded = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), folded, 1)
    return f" Did you mean {folded[near[0]]!r}?" if near else ""
