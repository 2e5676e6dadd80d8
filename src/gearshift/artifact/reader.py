"""Open an artifact: map it, check every byte of it, and only then hand anything out."""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType

import numpy as np

from gearshift.artifact.check import check_manifest
from gearshift.artifact.checksum import checksum
from gearshift.artifact.codec import decode, dumps, loads
from gearshift.artifact.format import (
    ALIGNMENT,
    COSTS,
    HEADER_BYTES,
    WEIGHTS,
    Directory,
    Header,
    PartRecord,
    check_header,
    gaps,
    parse_header,
    place_parts,
)
from gearshift.artifact.manifest import Manifest
from gearshift.errors import (
    ArtifactError,
    ClosedError,
    CorruptArtifactError,
    UnreadableArtifactError,
)
from gearshift.tensors import Array


class Artifact:
    """An open, fully checked artifact. A context manager.

    Nothing in it is code: opening one and reading from it runs nothing that is in the file.

    Attributes:
        path: where it came from.
        size: bytes of the whole file.
        header: its first bytes, decoded.
        manifest: what it says of itself, checked.
        parts: what the file is made of, in the file's order.
        inode: device and inode numbers of the file that is mapped; None for one in memory.
    """

    def __init__(
        self,
        path: Path,
        header: Header,
        content: Array,
        inode: tuple[int, int] | None = None,
    ) -> None:
        directory = _read_directory(header, content)
        places = place_parts(header, directory.parts)
        check_manifest(directory.manifest, {part.name: part.raw_size for part in directory.parts})
        _check_bytes(header, directory.parts, places, content)
        self.path = path
        self.size = header.file_bytes
        self.header: Header = header
        self.manifest: Manifest = directory.manifest
        self.parts: tuple[PartRecord, ...] = directory.parts
        self.inode = inode
        self._records = {part.name: part for part in directory.parts}
        self._places = places
        self._content: Array | None = content

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Artifact:
        """Maps a file copy-on-write and checks all of it.

        Replacing the file afterwards (as the writer does) is harmless; do not change it in place.

        Raises:
            ArtifactError: one of its subclasses says what is wrong with the file.
        """
        place = Path(path)
        with _named(place):
            return cls(place, *_map(place))

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, name: str = "<memory>") -> Artifact:
        """Makes the same checks on an artifact in memory, of which it keeps its own copy."""
        place = Path(name)
        with _named(place):
            header = parse_header(bytes(data[:HEADER_BYTES]), len(data))
            return cls(place, header, _aligned(data))

    @cached_property
    def identity(self) -> str:
        """SHA-256 of everything in it but measured costs, in hexadecimal.

        The artifact may have been closed.
        """
        # Each part's record holds the checksum of the part, which was found right.
        parts = tuple(part for part in self.parts if part.name != COSTS)
        return hashlib.sha256(dumps(Directory(parts, self.manifest))).hexdigest()

    @property
    def directory(self) -> bytes:
        """The JSON that says what is in the file, as it lies there."""
        return self._stretch(HEADER_BYTES, HEADER_BYTES + self.header.directory_bytes).tobytes()

    @property
    def costs(self) -> bytes | None:
        """The costs measured of it, as `embed_costs` took them; None if there are none."""
        return self.topology(COSTS) if COSTS in self._places else None

    @property
    def pool(self) -> Array:
        """The weights: uint8, writeable; what is written to it stays in this process."""
        return self.stored(WEIGHTS)

    @property
    def content(self) -> Array:
        """The whole file, mapped as the pool is, which lies in it."""
        return self._stretch(0, self.size)

    def topology(self, part: str) -> bytes:
        """Contents of a part, unpacked."""
        if part not in self._places:
            known = ", ".join(record.name for record in self.parts)
            raise ArtifactError(f"{self.path} has no part {part!r}; its parts are {known}")
        stored = self.stored(part).tobytes()
        record = self._records[part]
        if record.encoding == "raw":
            return stored
        with _named(self.path):
            return _inflate(stored, record)

    def stored(self, part: str) -> Array:
        """Bytes of a part as they lie in the file; what is written to them stays here."""
        place = self._places[part]
        return self._stretch(place.start, place.stop)

    def close(self) -> None:
        """Lets go of the file.

        Arrays that were handed out stay valid: they keep the mapping alive until the last one of
        them is gone.
        """
        self._content = None

    def __enter__(self) -> Artifact:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _stretch(self, start: int, stop: int) -> Array:
        if self._content is None:
            raise ClosedError(f"{self.path} was closed; open it again to read from it")
        return self._content[start:stop]


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except ArtifactError as error:
        raise type(error)(f"{path} cannot be loaded: {error.message}") from error.__cause__


def _map(path: Path) -> tuple[Header, Array, tuple[int, int]]:
    try:
        # Asked before opening: opening a pipe would wait for its other end.
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableArtifactError("it is a folder. Name the .om file inside it.")
        if not stat.S_ISREG(mode):
            raise UnreadableArtifactError("it is a pipe or a device. Name an ordinary file.")
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            header = parse_header(file.read(HEADER_BYTES), found.st_size)
            mapped = mmap.mmap(file.fileno(), found.st_size, access=mmap.ACCESS_COPY)
    except FileNotFoundError as error:
        raise UnreadableArtifactError(f"there is no such file.{_did_you_mean(path)}") from error
    except (OSError, ValueError) as error:
        raise UnreadableArtifactError(
            f"the system does not let it be read ({error}). Check its permissions."
        ) from error
    return header, np.frombuffer(mapped, np.uint8), (found.st_dev, found.st_ino)


def _did_you_mean(path: Path) -> str:
    longer = path.with_name(path.name + ".om")
    return f" Did you mean {longer}?" if longer.is_file() else " Check the path."


def _aligned(data: bytes | bytearray | memoryview) -> Array:
    room = np.empty(len(data) + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    content = room[start : start + len(data)]
    content[:] = np.frombuffer(data, np.uint8)
    return content


def _read_directory(header: Header, content: Array) -> Directory:
    raw = content[HEADER_BYTES : HEADER_BYTES + header.directory_bytes].tobytes()
    check_header(header, raw)
    return decode(Directory, loads(raw))


def _check_bytes(
    header: Header, parts: tuple[PartRecord, ...], places: dict[str, range], content: Array
) -> None:
    for gap in gaps(header, places):
        if content[gap.start : gap.stop].any():
            raise CorruptArtifactError(
                f"the padding at bytes {gap.start} to {gap.stop} is not all zero. "
                "Copy the file again, or compile the model again."
            )
    for part in parts:
        place = places[part.name]
        if checksum(content[place.start : place.stop], part.piece_size) != part.sha256:
            raise CorruptArtifactError(
                f"the checksum of its part {part.name!r} is not that of its bytes. "
                "Copy the file again, or compile the model again."
            )


def _inflate(stored: bytes, record: PartRecord) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(stored, record.raw_size + 1)
    except zlib.error as error:
        raise CorruptArtifactError(
            f"its part {record.name!r} cannot be unpacked: {error}"
        ) from None
    if len(data) != record.raw_size or not unpacker.eof or unpacker.unused_data:
        raise CorruptArtifactError(
            f"its part {record.name!r} does not unpack to the {record.raw_size} bytes it claims"
        )
    return data
