"""Write an artifact: all of it under a temporary name, then one rename."""

from __future__ import annotations

import hashlib
import os
import secrets
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from gearshift.artifact.check import check_manifest
from gearshift.artifact.codec import dumps
from gearshift.artifact.format import (
    MAX_DIRECTORY_BYTES,
    MAX_INFLATED_BYTES,
    WEIGHTS,
    Directory,
    Header,
    PartRecord,
    make_header,
    place_parts,
)
from gearshift.artifact.manifest import Manifest
from gearshift.artifact.pool import ByteSink
from gearshift.errors import ArtifactError, CorruptArtifactError, InternalError


class Weights(Protocol):
    """What the writer needs of a weight pool; it is asked twice and has to say the same twice."""

    @property
    def nbytes(self) -> int:
        """Number of bytes that `write` writes."""
        ...

    def write(self, file: ByteSink) -> None:
        """Writes the pool."""
        ...


def write_artifact(
    path: Path, manifest: Manifest, topologies: Mapping[str, bytes], pool: Weights
) -> int:
    """Writes an artifact, or leaves everything as it was. The same input gives the same bytes.

    Args:
        path: where it goes; missing folders are made, a file of that name is replaced at once.
        manifest: everything it says of itself.
        topologies: contents of the parts that ``manifest.topologies`` names.
        pool: the weights.

    Returns:
        Bytes written.

    Raises:
        ArtifactError: the file cannot be written (E19004), or its directory would be too large.
    """
    packed = {name: _pack(name, topologies[name]) for name in sorted(topologies)}
    parts = (*(record for record, _ in packed.values()), _weights_record(pool))
    directory = dumps(Directory(parts=parts, manifest=manifest))
    if len(directory) > MAX_DIRECTORY_BYTES:
        raise ArtifactError(
            f"the manifest of {path} would take {len(directory)} bytes; {MAX_DIRECTORY_BYTES} are "
            "allowed. Compile fewer gears, or merge the model's small initializers."
        )
    header = make_header(directory, parts)
    places = _check(header, parts, manifest)
    with _replacing(path) as file:
        file.write(header.pack() + directory)
        for name, (_, stored) in packed.items():
            _fill(file, places[name].start)
            file.write(stored)
        _fill(file, places[WEIGHTS].start)
        pool.write(file)
        if file.tell() != header.file_bytes:
            raise InternalError(
                f"the weight pool promised {pool.nbytes} bytes and wrote "
                f"{file.tell() - places[WEIGHTS].start}"
            )
    return header.file_bytes


def _pack(name: str, data: bytes) -> tuple[PartRecord, bytes]:
    packed = zlib.compress(data, 9) if len(data) <= MAX_INFLATED_BYTES else data
    shorter = len(packed) < len(data)
    stored = packed if shorter else data
    record = PartRecord(
        name=name,
        size=len(stored),
        encoding="zlib" if shorter else "raw",
        raw_size=len(data),
        sha256=hashlib.sha256(stored).hexdigest(),
    )
    return record, stored


def _weights_record(pool: Weights) -> PartRecord:
    hasher = _Hasher()
    pool.write(hasher)
    return PartRecord(WEIGHTS, pool.nbytes, "raw", pool.nbytes, hasher.sha256.hexdigest())


class _Hasher:
    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes | memoryview, /) -> None:
        self.sha256.update(data)


def _check(header: Header, parts: tuple[PartRecord, ...], manifest: Manifest) -> dict[str, range]:
    """Holds what is about to be written against the reader's own rules."""
    try:
        places = place_parts(header, parts)
        check_manifest(manifest, {part.name: part.raw_size for part in parts})
    except CorruptArtifactError as error:
        raise InternalError(f"no reader would take this artifact: {error}") from error
    return places


def _fill(file: BinaryIO, position: int) -> None:
    file.write(bytes(position - file.tell()))


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    # Through a symbolic link we write the file it points to, as any program would.
    target = Path(os.path.realpath(path))
    # Not tempfile: its files are closed to everyone but their owner, whatever the umask says.
    temporary = target.with_name(f".gearshift-{secrets.token_hex(8)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(target.parent)
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be written: {error.strerror or error}. What was there before is "
            "untouched. Check that the folder is yours to write, that the disk has space and, on "
            "Windows, that no program has the old file open; or choose another --output.",
            code="E19004",
        ) from error


def _sync_folder(folder: Path) -> None:
    # So that the rename itself reaches the disk. Windows cannot open folders, and some network
    # file systems cannot sync them: the artifact is complete and in its place all the same.
    if os.name == "nt":
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
