"""Write an artifact: all of it under a temporary name, then one rename."""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from gearshift.artifact.check import check_manifest
from gearshift.artifact.checksum import PIECE_BYTES, Checksum
from gearshift.artifact.codec import canonical, dumps, encode, loads
from gearshift.artifact.format import (
    COSTS,
    MAX_DIRECTORY_BYTES,
    MAX_INFLATED_BYTES,
    MIN_READER,
    PIECES_VERSION,
    SHAPES_VERSION,
    WEIGHTS,
    Directory,
    Header,
    PartRecord,
    make_header,
    place_parts,
)
from gearshift.artifact.manifest import Manifest
from gearshift.artifact.pool import ByteSink
from gearshift.artifact.reader import Artifact
from gearshift.artifact.replacing import replacing
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


_Content = bytes | Weights


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
    weights = _weights_record(pool)
    parts = (*(record for record, _ in packed.values()), weights)
    directory = dumps(Directory(parts=parts, manifest=manifest))
    _check_size(path, directory)
    min_reader = max(
        MIN_READER if manifest.is_plain else SHAPES_VERSION,
        PIECES_VERSION if weights.piece_size else MIN_READER,
    )
    header = make_header(directory, parts, min_reader=min_reader)
    places = _check(header, parts, manifest)
    contents = {name: stored for name, (_, stored) in packed.items()}
    with _replacing(path, "; or choose another --output") as file:
        _write_all(file, header.pack() + directory, places, contents | {WEIGHTS: pool})
    return header.file_bytes


def embed_costs(path: str | os.PathLike[str], costs: bytes | None) -> int:
    """Puts measured costs into an artifact in place of those it has, or takes them out.

    Every other part stays as it is to the byte, and so does the artifact's identity. Taking out
    what was put in gives back the file as it was.

    Args:
        path: the artifact; replaced at once, or left as it was.
        costs: contents of the part; None for none.

    Returns:
        Bytes of the file.

    Raises:
        ArtifactError: the file cannot be used, or not be written (E19004).
    """
    place = Path(path)
    with Artifact.open(place) as artifact:
        parts = [part for part in artifact.parts if part.name != COSTS]
        contents: dict[str, _Content] = {part.name: _Kept(artifact, part) for part in parts}
        if costs is not None:
            record, contents[COSTS] = _pack(COSTS, costs)
            parts.append(record)
        directory = _with_parts(artifact, parts)
        _check_size(place, directory)
        header = make_header(directory, tuple(parts), artifact.header)
        places = _check(header, tuple(parts), artifact.manifest)
        with _replacing(place, mode=stat.S_IMODE(place.stat().st_mode)) as file:
            _write_all(file, header.pack() + directory, places, contents)
            artifact.close()  # Windows does not replace a mapped file
    return header.file_bytes


def _with_parts(artifact: Artifact, parts: list[PartRecord]) -> bytes:
    """Its directory with other parts; what a newer writer said in it besides is kept."""
    directory = loads(artifact.directory)
    if not isinstance(directory, dict):
        raise InternalError("a directory that was read before is no longer a record")
    known = {record["name"]: record for record in directory["parts"] if record["name"] != COSTS}
    directory["parts"] = [known.get(part.name, encode(part)) for part in parts]
    try:
        return canonical(directory)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            f"{artifact.path} cannot be written anew: its directory holds what JSON cannot "
            f"({error}). Compile the model again."
        ) from None


@dataclass(frozen=True)
class _Kept:
    """A part of another artifact, as it lies there."""

    artifact: Artifact
    part: PartRecord

    @property
    def nbytes(self) -> int:
        return self.part.size

    def write(self, file: ByteSink) -> None:
        file.write(self.artifact.stored(self.part.name).data)


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
    found = Checksum(PIECE_BYTES if pool.nbytes > PIECE_BYTES else 0)
    pool.write(found)
    size = pool.nbytes
    return PartRecord(WEIGHTS, size, "raw", size, found.hexdigest(), found.piece_size)


def _check_size(path: Path, directory: bytes) -> None:
    if len(directory) > MAX_DIRECTORY_BYTES:
        raise ArtifactError(
            f"the manifest of {path} would take {len(directory)} bytes; {MAX_DIRECTORY_BYTES} are "
            "allowed. Compile fewer gears, or merge the model's small initializers."
        )


def _check(header: Header, parts: tuple[PartRecord, ...], manifest: Manifest) -> dict[str, range]:
    """Holds what is about to be written against the reader's own rules."""
    try:
        places = place_parts(header, parts)
        check_manifest(manifest, {part.name: part.raw_size for part in parts})
    except CorruptArtifactError as error:
        raise InternalError(f"no reader would take this artifact: {error}") from error
    return places


def _write_all(
    file: BinaryIO, head: bytes, places: Mapping[str, range], contents: Mapping[str, _Content]
) -> None:
    file.write(head)
    for name, place in places.items():
        file.write(bytes(place.start - file.tell()))
        content = contents[name]
        if isinstance(content, bytes):
            file.write(content)
        else:
            content.write(file)
        if file.tell() != place.stop:
            raise InternalError(
                f"part {name!r} promised {len(place)} bytes and wrote {file.tell() - place.start}"
            )


@contextmanager
def _replacing(path: Path, way_out: str = "", mode: int | None = None) -> Iterator[BinaryIO]:
    try:
        with replacing(path, mode) as file:
            yield file
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be written: {error.strerror or error}. What was there before is "
            "untouched. Check that the folder is yours to write, that the disk has space and, on "
            f"Windows, that no program has the old file open{way_out}.",
            code="E19004",
        ) from error
