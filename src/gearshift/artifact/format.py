"""The container's layout: a fixed header, a JSON directory, then the parts. No file is read here.

docs/artifact-format.md is the specification of what these lines do.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from gearshift.artifact.codec import LEFT_OUT, shorten
from gearshift.artifact.manifest import Manifest
from gearshift.errors import (
    ArtifactError,
    CorruptArtifactError,
    DeviceArtifactError,
    NewerArtifactError,
    NotAnArtifactError,
    TruncatedArtifactError,
)

MAGIC: Final = b"GEARSHFT"
FORMAT_VERSION: Final = 4
"""The newest version that the reader knows."""
MIN_READER: Final = 1
"""Oldest reader version that understands files that use nothing newer."""
COSTS_VERSION: Final = 2
"""The first version that has a part for measured costs, which older readers may ignore."""
SHAPES_VERSION: Final = 3
"""The first version of gears that are more than a number of rows, and of preprocessing."""
PIECES_VERSION: Final = 4
"""The first version whose checksums may be of pieces."""
HEADER_BYTES: Final = 64
ALIGNMENT: Final = 4096
"""Every part begins at a multiple of this: a page, so that it can be mapped by itself."""
MAX_DIRECTORY_BYTES: Final = 8 << 20
MAX_INFLATED_BYTES: Final = 256 << 20
"""Largest part that may be stored compressed; larger ones are stored as they are."""
WEIGHTS: Final = "weights"
"""Name of the part that holds the weight pool; always stored raw."""
COSTS: Final = "costs"
"""Name of the part that holds measured costs, if there is one; no topology may have it."""

MIN_PIECE_BYTES: Final = 1 << 20
"""Least size of a piece that a checksum is made of: a file must not ask for millions of them."""

_FIELDS: Final = struct.Struct("<8sIIQQ")
_DIGEST_AT: Final = _FIELDS.size
_PART_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_AGAIN: Final = "Copy the file again from where it was made, or compile the model again."


@dataclass(frozen=True)
class PartRecord:
    """One part of the file. Its place follows from the sizes of those before it.

    Attributes:
        name: unique in the file.
        size: bytes in the file.
        encoding: "raw", or "zlib" for a zlib stream.
        raw_size: bytes once decoded; the same as `size` for "raw".
        sha256: of the bytes in the file, in hexadecimal; or of the checksums of pieces of them.
        piece_size: bytes of such a piece; 0 if there are none.
    """

    name: str
    size: int
    encoding: Literal["raw", "zlib"]
    raw_size: int
    sha256: str
    piece_size: int = field(default=0, metadata={LEFT_OUT: True})


@dataclass(frozen=True)
class Directory:
    """The JSON between the header and the first part."""

    parts: tuple[PartRecord, ...]
    manifest: Manifest


@dataclass(frozen=True)
class Header:
    """The first 64 bytes. Their meaning is the same in every version of the format.

    Attributes:
        version: of the format.
        min_reader: lowest reader version that can make sense of the rest.
        file_bytes: size of the whole file.
        directory_bytes: size of the directory, which follows at once.
        digest: sha256 of the fields above, as they lie in the file, and of the directory.
    """

    version: int
    min_reader: int
    file_bytes: int
    directory_bytes: int
    digest: bytes

    @property
    def fields(self) -> bytes:
        """The checked bytes before the digest."""
        return _FIELDS.pack(
            MAGIC, self.version, self.min_reader, self.file_bytes, self.directory_bytes
        )

    def pack(self) -> bytes:
        """The 64 bytes."""
        return self.fields + self.digest


def align(offset: int) -> int:
    """The first multiple of `ALIGNMENT` that is not below `offset`."""
    return -(-offset // ALIGNMENT) * ALIGNMENT


def make_header(
    directory: bytes,
    parts: tuple[PartRecord, ...],
    old: Header | None = None,
    min_reader: int = MIN_READER,
) -> Header:
    """The header of a file with this directory and these parts.

    Args:
        directory: as it lies in the file.
        parts: in the file's order.
        old: header of the file it is made from, if there is one.
        min_reader: oldest reader that understands it, if there is none.
    """
    end = HEADER_BYTES + len(directory)
    for part in parts:
        end = align(end) + part.size
    min_reader = old.min_reader if old else min_reader
    has_costs = any(part.name == COSTS for part in parts)
    version = max(min_reader, COSTS_VERSION if has_costs else 1)
    if old and old.version > FORMAT_VERSION:
        version = old.version  # what else is in it, only its own writer knows
    header = Header(version, min_reader, end, len(directory), digest=b"")
    return replace(header, digest=hashlib.sha256(header.fields + directory).digest())


def parse_header(head: bytes, file_bytes: int) -> Header:
    """Reads the header and checks every length in it against the file's own.

    Args:
        head: the file's first 64 bytes, or all of it if it is shorter.
        file_bytes: size of the file.
    """
    if not MAGIC.startswith(head[: len(MAGIC)]):
        raise _foreign(head)
    if len(head) < HEADER_BYTES:
        what = "it is empty" if not head else f"it has {len(head)} bytes, its header alone takes 64"
        raise TruncatedArtifactError(f"{what}. {_AGAIN}")
    _, version, min_reader, stated, directory_bytes = _FIELDS.unpack_from(head)
    if stated != file_bytes:
        verb = "ends too early" if file_bytes < stated else "goes on too long"
        raise TruncatedArtifactError(
            f"it {verb}: it was written with {stated} bytes and has {file_bytes}. {_AGAIN}"
        )
    header = Header(version, min_reader, stated, directory_bytes, head[_DIGEST_AT:HEADER_BYTES])
    if directory_bytes > MAX_DIRECTORY_BYTES or HEADER_BYTES + directory_bytes > file_bytes:
        raise CorruptArtifactError(
            f"its header claims a directory of {directory_bytes} bytes in a file of {file_bytes}; "
            f"at most {MAX_DIRECTORY_BYTES} are allowed. {_AGAIN}"
        )
    return header


def check_header(header: Header, directory: bytes) -> None:
    """Checks the header and the directory against the digest, then whether they are for us."""
    if hashlib.sha256(header.fields + directory).digest() != header.digest:
        raise CorruptArtifactError(
            f"the checksum of its header and directory is not that of their bytes. {_AGAIN}"
        )
    if header.min_reader > FORMAT_VERSION:
        raise NewerArtifactError(
            f"it has format version {header.version} and asks for a reader of version "
            f"{header.min_reader} or newer; this is version {FORMAT_VERSION}. "
            "Upgrade gearshift, or compile the model again with this one."
        )
    if not 1 <= header.min_reader <= header.version:
        raise CorruptArtifactError(
            f"its header has format version {header.version} and minimum reader "
            f"{header.min_reader}; both begin at 1 and the second is never larger."
        )


def place_parts(header: Header, parts: tuple[PartRecord, ...]) -> dict[str, range]:
    """Where in the file each part lies. They follow one another, so none can overlap.

    Raises:
        CorruptArtifactError: a record breaks a rule, or the sizes do not add up to the file's.
    """
    places: dict[str, range] = {}
    end = HEADER_BYTES + header.directory_bytes
    for part in parts:
        _check_part(part)
        if part.name in places:
            raise CorruptArtifactError(f"it has two parts named {part.name!r}; names are unique")
        start = align(end)
        end = start + part.size
        places[part.name] = range(start, end)
    if end != header.file_bytes:
        raise CorruptArtifactError(
            f"its parts end at byte {end}, but the file has {header.file_bytes}; they have to meet"
        )
    if WEIGHTS not in places:
        raise CorruptArtifactError(f"it has no part named {WEIGHTS!r}; every artifact has one")
    return places


def gaps(header: Header, places: dict[str, range]) -> Iterator[range]:
    """The stretches of padding between the directory and the parts; they hold zeros."""
    end = HEADER_BYTES + header.directory_bytes
    for place in places.values():
        yield range(end, place.start)
        end = place.stop


def _check_part(part: PartRecord) -> None:
    def refuse(what: str) -> CorruptArtifactError:
        return CorruptArtifactError(f"its part {shorten(part.name)} {what}")

    if not _PART_NAME.fullmatch(part.name):
        raise refuse(
            "has a bad name: 1 to 64 of a-z 0-9 . _ - are allowed, a letter or digit first"
        )
    if part.size < 0 or part.raw_size < 0:
        raise refuse(f"has a negative size ({part.size}, raw {part.raw_size})")
    if part.encoding == "raw" and part.raw_size != part.size:
        raise refuse(f"is stored raw, yet has two sizes ({part.size}, raw {part.raw_size})")
    if part.encoding == "zlib" and part.raw_size > MAX_INFLATED_BYTES:
        raise refuse(
            f"would take {part.raw_size} bytes when unpacked; {MAX_INFLATED_BYTES} are allowed"
        )
    if part.encoding == "zlib" and part.name == WEIGHTS:
        raise refuse("is compressed; it has to be raw, so that it can be mapped")
    if not _SHA256.fullmatch(part.sha256):
        raise refuse(f"has the checksum {shorten(part.sha256)}, not 64 hexadecimal digits")
    if part.piece_size and part.piece_size < MIN_PIECE_BYTES:
        raise refuse(
            f"has a checksum of pieces of {part.piece_size} bytes; 0 or {MIN_PIECE_BYTES} and more "
            "are allowed"
        )


_COMPILE_IT: Final = "Compile it first: atc --framework=5 --model=FILE --output=NAME ..."
_COMPILE: Final = "Compile a model with atc or `gearshift compile` to get one."
_FOREIGN: Final = (
    (b"\x08", f"It may be an ONNX model. {_COMPILE_IT}"),
    (b"PK\x03\x04", f"It is a zip archive (a PyTorch, MindSpore or numpy file?). {_COMPILE}"),
    (b"\x80", f"It looks like a Python pickle, which is never opened. {_COMPILE}"),
    (b"\x1f\x8b", "It is gzip-compressed: unpack it first."),
    (b"version https://git-lfs", "It is a Git LFS pointer: run `git lfs pull` for the real file."),
    (b"<?xml", f"It is XML (an OpenVINO model?). {_COMPILE}"),
)


def _foreign(head: bytes) -> ArtifactError:
    if head.startswith((b"IMOD", b"PICO")):
        return DeviceArtifactError(
            f"it is an offline model for a real Ascend card (it begins with {head[:4]!r}), which "
            "only that card's own runtime can run. Compile the original ONNX model with gearshift "
            "instead; it takes the same atc command line."
        )
    hint = next((hint for begin, hint in _FOREIGN if head.startswith(begin)), _COMPILE)
    return NotAnArtifactError(
        f"it is not a gearshift artifact: it begins with {head[:8]!r}, not {MAGIC!r}. {hint}"
    )
