"""Checksums piece by piece: of large weights, on all cores, and no less strict."""

import hashlib
import itertools
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from artifact_samples import (
    MANIFEST,
    STORED,
    TOPOLOGIES,
    WEIGHTS,
    assemble,
    canonical,
    directory_json,
    part,
    versions,
    write_sample,
)
from hypothesis import given
from hypothesis import strategies as st

from gearshift.artifact import checksum as module
from gearshift.artifact import format as artifact_format
from gearshift.artifact.checksum import PIECE_BYTES, Checksum, checksum
from gearshift.artifact.manifest import AippRecord, Manifest
from gearshift.artifact.pool import WeightPool
from gearshift.artifact.reader import Artifact
from gearshift.artifact.writer import embed_costs, write_artifact
from gearshift.errors import CorruptArtifactError, NewerArtifactError
from threads import threads_allowed

MIB = 1 << 20


def of_pieces(data: bytes, size: int) -> str:
    """By the page: the sha256 of the pieces' sha256s, or of everything."""
    if not size:
        return hashlib.sha256(data).hexdigest()
    starts = range(0, len(data), size)
    return hashlib.sha256(
        b"".join(hashlib.sha256(data[start : start + size]).digest() for start in starts)
    ).hexdigest()


def many_weights(nbytes: int) -> bytes:
    """The tiny artifact's weights and more."""
    return WEIGHTS + np.random.default_rng(1).bytes(nbytes - len(WEIGHTS))


def write(path: Path, weights: bytes, manifest: Manifest = MANIFEST) -> bytes:
    pool = WeightPool()
    pool.add(weights)
    write_artifact(path, manifest, TOPOLOGIES, pool)
    return path.read_bytes()


def with_pieces(weights: bytes, size: int, **changes: object) -> bytes:
    """A file of the tests' own writer whose weights have a checksum of pieces of that size."""
    directory = directory_json()
    record = part("weights", weights, sha256=of_pieces(weights, size), piece_size=size)
    directory["parts"][-1] = record | changes
    return assemble(canonical(directory), [*STORED[:-1], weights], version=4, min_reader=4)


@given(data=st.binary(max_size=40), size=st.integers(0, 12), cuts=st.lists(st.integers(0, 40)))
def test_however_it_is_written_and_wherever_pieces_end(
    data: bytes, size: int, cuts: list[int]
) -> None:
    found = Checksum(size)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, stop in itertools.pairwise(places):
        found.write(memoryview(data)[start:stop])
    assert found.hexdigest() == of_pieces(data, size)
    assert checksum(np.frombuffer(data, np.uint8), size) == of_pieces(data, size)


@pytest.mark.parametrize("more", [-1, 0, 1, PIECE_BYTES, PIECE_BYTES + 1])
def test_weights_of_more_than_a_piece_have_pieces(tmp_path: Path, more: int) -> None:
    weights = many_weights(PIECE_BYTES + more)
    data = write(tmp_path / "a.om", weights)
    if more > 0:
        assert data == with_pieces(weights, PIECE_BYTES)
    else:
        assert versions(data) == (1, 1)
    with Artifact.open(tmp_path / "a.om") as artifact:
        assert artifact.pool.tobytes() == weights
        assert artifact.parts[-1].piece_size == (PIECE_BYTES if more > 0 else 0)


def test_a_flipped_bit_in_any_piece_is_refused(tmp_path: Path) -> None:
    weights = many_weights(3 * MIB + 5)
    data = bytearray(with_pieces(weights, MIB))
    Artifact.from_bytes(data).close()
    begin = len(data) - len(weights)
    for place in (0, MIB - 1, MIB, 2 * MIB - 1, 2 * MIB, 3 * MIB - 1, 3 * MIB, 3 * MIB + 4):
        data[begin + place] ^= 16
        with pytest.raises(CorruptArtifactError, match="'weights' is not that of its bytes"):
            Artifact.from_bytes(data)
        data[begin + place] ^= 16


def test_pieces_in_another_order_are_refused() -> None:
    weights = many_weights(2 * MIB)
    data = with_pieces(weights, MIB)
    with pytest.raises(CorruptArtifactError, match="checksum"):
        Artifact.from_bytes(data[: -2 * MIB] + weights[MIB:] + weights[:MIB])


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (1, "pieces of 1 bytes; 0 or 1048576 and more"),
        (MIB - 1, "pieces of 1048575 bytes"),
        (-1, "pieces of -1 bytes"),
        (-(2**63), "pieces of -9223372036854775808 bytes"),
        (True, "a whole number"),
        (None, "a whole number"),
        ("4194304", "a whole number"),
    ],
)
def test_a_size_that_is_none(size: object, words: str) -> None:
    with pytest.raises(CorruptArtifactError, match=words):
        Artifact.from_bytes(with_pieces(many_weights(MIB), MIB, piece_size=size))


@pytest.mark.parametrize("size", [MIB, 2 * MIB, 2**63 - 1])
def test_pieces_as_small_as_allowed_and_larger_than_the_part(size: int) -> None:
    weights = many_weights(MIB + 1)
    with Artifact.from_bytes(with_pieces(weights, size)) as artifact:
        assert artifact.pool.tobytes() == weights


def test_a_part_without_bytes_may_have_pieces() -> None:
    directory = directory_json()
    directory["manifest"]["constants"] = []
    directory["parts"][-1] = part("weights", b"", sha256=of_pieces(b"", MIB), piece_size=MIB)
    data = assemble(canonical(directory), [*STORED[:-1], b""], version=4, min_reader=4)
    Artifact.from_bytes(data).close()


def test_a_reader_of_version_3_refuses_them_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.om", many_weights(PIECE_BYTES + 1))
    write_sample(tmp_path / "b.om")
    monkeypatch.setattr(artifact_format, "FORMAT_VERSION", 3)
    with pytest.raises(NewerArtifactError, match="reader of version 4"):
        Artifact.open(tmp_path / "a.om")
    Artifact.open(tmp_path / "b.om").close()


def test_costs_come_and_go_beside_pieces(tmp_path: Path) -> None:
    path = tmp_path / "a.om"
    before = write(path, many_weights(PIECE_BYTES + 1))
    with Artifact.open(path) as artifact:
        name = artifact.identity
    embed_costs(path, many_weights(PIECE_BYTES + 1))  # however large they are, they have none
    with Artifact.open(path) as artifact:
        assert artifact.identity == name
        assert (artifact.header.version, artifact.header.min_reader) == (4, 4)
        costs = artifact.parts[-1]
        assert (costs.name, costs.size, costs.piece_size) == ("costs", PIECE_BYTES + 1, 0)
    embed_costs(path, None)
    assert path.read_bytes() == before


def test_each_file_asks_for_the_reader_that_it_needs(tmp_path: Path) -> None:
    newer = replace(MANIFEST, aipp=(AippRecord("x", "aipp_op { }", (-1, 3, 4, 4), "float32"),))
    assert versions(write(tmp_path / "a.om", WEIGHTS, newer)) == (3, 3)
    assert versions(write(tmp_path / "b.om", many_weights(PIECE_BYTES + 1), newer)) == (4, 4)


def test_the_checksum_stays_what_it_is() -> None:
    data = bytes(range(256)) * (5 * MIB // 256)
    assert checksum(np.frombuffer(data, np.uint8), PIECE_BYTES) == PINNED


PINNED = "3fc3111e7d6d86600b750bd2603fcc765d261894e76a1d4f142c0567592540a8"
"""Of a fixed 5 MiB: files of today are read by later versions."""


def test_what_is_written_may_have_items_of_any_size() -> None:
    found, numbers = Checksum(16), np.arange(10, dtype=np.float32)
    found.write(numbers.data)
    assert found.hexdigest() == of_pieces(numbers.tobytes(), 16)


@pytest.mark.parametrize("allowed", [0, 1])
def test_where_no_more_threads_may_be_started(
    allowed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = with_pieces(many_weights(5 * MIB), MIB)
    monkeypatch.setattr(module, "usable_cores", lambda: 3)
    with threads_allowed(allowed):
        Artifact.from_bytes(data).close()
    with threads_allowed(allowed) as started, pytest.raises(CorruptArtifactError):
        Artifact.from_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert len(started) == allowed


def test_ctrl_c_leaves_the_pieces_that_nobody_began(monkeypatch: pytest.MonkeyPatch) -> None:
    began, broken = 0, threading.Event()

    def interrupted(piece: np.ndarray) -> bytes:
        nonlocal began
        began += 1
        if threading.current_thread() is threading.main_thread():
            broken.set()
            raise KeyboardInterrupt
        broken.wait(20)
        time.sleep(0.05)  # while the other thread sees to what is left
        return b""

    monkeypatch.setattr(module, "usable_cores", lambda: 2)
    monkeypatch.setattr(module, "_digest", interrupted)
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        Artifact.from_bytes(with_pieces(many_weights(30 * MIB), MIB))
    assert began <= 2
    assert set(threading.enumerate()) == before


def test_several_threads_share_the_work_and_end_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=20)
    digest = module._digest

    def together(piece: np.ndarray) -> bytes:
        both.wait()  # breaks, and fails the test, unless two pieces are under way at once
        return digest(piece)

    monkeypatch.setattr(module, "usable_cores", lambda: 2)
    monkeypatch.setattr(module, "_digest", together)
    before = set(threading.enumerate())
    Artifact.from_bytes(with_pieces(many_weights(4 * MIB), MIB)).close()
    assert set(threading.enumerate()) == before
