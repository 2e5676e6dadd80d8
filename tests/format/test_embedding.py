"""Measured costs inside an artifact: everything else stays as it is."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from artifact_samples import (
    MANIFEST,
    NULL_TOPOLOGY,
    STORED,
    TOPOLOGIES,
    WEIGHTS,
    XML_TOPOLOGY,
    assemble,
    canonical,
    directory_json,
    part,
    sample_pool,
    write_sample,
)
from hypothesis import given
from hypothesis import strategies as st

from gearshift.artifact import format as layout
from gearshift.artifact.reader import Artifact
from gearshift.artifact.writer import embed_costs, write_artifact
from gearshift.errors import (
    ArtifactError,
    CorruptArtifactError,
    NotAnArtifactError,
    UnreadableArtifactError,
)

GOLDEN = Path(__file__).parent / "golden" / "v2.bin"
TABLES = b'[{"a table":"of no meaning to the file"}]' * 9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_sample(tmp_path / "a.om")
    return tmp_path / "a.om"


def identity(path: Path) -> str:
    with Artifact.open(path) as artifact:
        return artifact.identity


def by_hand(stored: bytes, version: int = 2, **changes: object) -> bytes:
    """The tiny artifact with a part for costs, made by the second writer."""
    directory = directory_json()
    directory["parts"].append(part("costs", stored, **changes))
    return assemble(canonical(directory), [*STORED, stored], version=version)


def test_every_byte_is_what_the_specification_says(path: Path) -> None:
    stored = zlib.compress(TABLES, 9)
    size = embed_costs(path, TABLES)
    assert path.read_bytes() == by_hand(stored, raw_size=len(TABLES))
    assert path.stat().st_size == size


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=3))
def test_nothing_else_changes_and_taking_it_out_gives_the_file_back(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("embed") / "a.om"
    before = write_sample(path)
    name = identity(path)
    for costs in contents:
        embed_costs(str(path), costs)
        with Artifact.open(path) as artifact:
            assert artifact.costs == costs
            assert artifact.identity == name
            assert artifact.manifest == MANIFEST
            assert artifact.topology("null") == NULL_TOPOLOGY
            assert artifact.topology("openvino.xml") == XML_TOPOLOGY
            assert artifact.pool.tobytes() == WEIGHTS
            assert [part.name for part in artifact.parts][-1] == "costs"
    assert embed_costs(path, None) == len(before)
    assert path.read_bytes() == before


def test_without_costs_there_are_none_and_the_version_is_the_first(path: Path) -> None:
    with Artifact.open(path) as artifact:
        assert artifact.costs is None
        assert (artifact.header.version, artifact.header.min_reader) == (1, 1)


def test_a_reader_of_version_1_can_do_without(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embed_costs(path, TABLES)
    monkeypatch.setattr(layout, "FORMAT_VERSION", 1)
    with Artifact.open(path) as artifact:
        assert (artifact.header.version, artifact.header.min_reader) == (2, 1)
        assert artifact.manifest == MANIFEST


def test_the_second_version_stays_readable() -> None:
    # Never written anew: a file from the day that costs could be embedded.
    assert hashlib.sha256(GOLDEN.read_bytes()).hexdigest() == (
        "df976e6b8d76d4934fe3114877f4574d927008567f2b092e29b024484a84427e"
    )
    with Artifact.open(GOLDEN) as artifact:
        assert artifact.manifest == MANIFEST
        assert artifact.costs == TABLES
        assert artifact.identity == IDENTITY


IDENTITY = "55ed500d702516db67df736d15f2b0d9ec129e74d538ef5414ca9e647e79a522"
"""Of the tiny artifact: what was kept under it must be found by later versions."""


def test_identity_is_of_everything_that_runs(tmp_path: Path) -> None:
    files = {
        "same": (MANIFEST, TOPOLOGIES, WEIGHTS),
        "manifest": (replace(MANIFEST, warnings=()), TOPOLOGIES, WEIGHTS),
        "topology": (MANIFEST, TOPOLOGIES | {"null": b"null"}, WEIGHTS),
        "weights": (MANIFEST, TOPOLOGIES, b"\x02" + WEIGHTS[1:]),
    }
    for name, (manifest, topologies, weights) in files.items():
        pool = sample_pool() if weights == WEIGHTS else _pool_of(weights)
        write_artifact(tmp_path / name, manifest, topologies, pool)
    assert identity(tmp_path / "same") == IDENTITY
    assert len({identity(tmp_path / name) for name in files}) == len(files)
    os.rename(tmp_path / "same", tmp_path / "other name")
    assert identity(tmp_path / "other name") == IDENTITY


def test_identity_is_the_same_in_memory_and_after_closing(path: Path) -> None:
    artifact = Artifact.from_bytes(path.read_bytes())
    artifact.close()
    assert artifact.identity == IDENTITY


def test_what_a_newer_writer_said_besides_is_kept(path: Path) -> None:
    directory = directory_json()
    directory["later"] = {"a": [1, 2.5, None, "é"]}
    directory["parts"][0]["colour"] = "blue"
    directory["manifest"]["colour"] = "red"
    path.write_bytes(assemble(canonical(directory), STORED, version=9))
    embed_costs(path, TABLES)
    stored = zlib.compress(TABLES, 9)
    directory["parts"].append(part("costs", stored, raw_size=len(TABLES)))
    assert path.read_bytes() == assemble(canonical(directory), [*STORED, stored], version=9)


@pytest.mark.parametrize("later", ['"\\ud800"', "1e999"])
def test_what_cannot_be_written_again_is_refused(path: Path, later: str) -> None:
    directory = canonical(directory_json())
    path.write_bytes(assemble(directory[:-1] + f',"later":{later}}}'.encode(), STORED))
    before = path.read_bytes()
    with pytest.raises(ArtifactError, match="cannot be written anew"):
        embed_costs(path, TABLES)
    assert path.read_bytes() == before
    assert len(identity(path)) == 64


def test_costs_in_the_middle_of_the_file_move_to_its_end(path: Path) -> None:
    directory = directory_json()
    directory["parts"].insert(1, part("costs", b"old"))
    path.write_bytes(
        assemble(canonical(directory), [STORED[0], b"old", *STORED[1:]], version=2, min_reader=2)
    )
    assert identity(path) == IDENTITY
    embed_costs(path, b"new")
    with Artifact.open(path) as artifact:
        assert artifact.costs == b"new"
        assert (artifact.header.version, artifact.header.min_reader) == (2, 2)
        assert [part.name for part in artifact.parts] == [
            "null", "openvino.xml", "weights", "costs",
        ]  # fmt: skip


def test_no_topology_lies_where_identity_does_not_look(path: Path) -> None:
    directory = directory_json()
    directory["manifest"]["topologies"][1]["part"] = "costs"
    directory["parts"].append(part("costs", b"null"))
    path.write_bytes(assemble(canonical(directory), [*STORED, b"null"], version=2))
    with pytest.raises(CorruptArtifactError, match=r"topologies\[1\]\.part .* 'costs'"):
        Artifact.open(path)


@pytest.mark.parametrize("place", range(8))
def test_a_flipped_bit_is_refused_here_too(path: Path, place: int) -> None:
    embed_costs(path, TABLES)
    whole = bytearray(path.read_bytes())
    for index in (*range(place, 64, 8), *range(64 + place, len(whole), 97), len(whole) - 1 - place):
        damaged = whole.copy()
        damaged[index] ^= 1 << place
        with pytest.raises(ArtifactError):
            Artifact.from_bytes(damaged)


def test_a_bomb_of_costs_is_not_unpacked(path: Path) -> None:
    path.write_bytes(by_hand(zlib.compress(bytes(1 << 20)), raw_size=10))
    with Artifact.open(path) as artifact, pytest.raises(CorruptArtifactError, match="10 bytes"):
        _ = artifact.costs


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_everything_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(ArtifactError, match="No space left") as error:
        embed_costs(path, TABLES)
    assert error.value.code == "E19004"
    assert "--output" not in error.value.message
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == ["a.om"]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.om").write_bytes(b"a text, and no artifact" * 9)
    with pytest.raises(NotAnArtifactError):
        embed_costs(tmp_path / "a.om", TABLES)
    with pytest.raises(UnreadableArtifactError):
        embed_costs(tmp_path / "missing" / "b.om", TABLES)
    assert [item.name for item in tmp_path.iterdir()] == ["a.om"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_permissions_stay(path: Path) -> None:
    path.chmod(0o604)
    embed_costs(path, TABLES)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_session_that_has_it_open_is_not_disturbed(path: Path) -> None:
    if os.name == "nt":
        pytest.skip("Windows does not replace a mapped file")
    with Artifact.open(path) as artifact:
        embed_costs(path, TABLES)
        assert artifact.costs is None
        assert artifact.pool.tobytes() == WEIGHTS


def test_two_processes_at_once_leave_one_of_the_two(path: Path) -> None:
    code = (
        "import sys; from gearshift.artifact.writer import embed_costs\n"
        "for _ in range(20): embed_costs(sys.argv[1], sys.argv[2].encode() * 50)"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in "ab"]
    assert [process.wait(60) for process in both] == [0, 0]
    with Artifact.open(path) as artifact:
        assert artifact.costs in (b"a" * 50, b"b" * 50)
    assert [item.name for item in path.parent.iterdir()] == ["a.om"]


def _pool_of(weights: bytes) -> object:
    class Pool:
        nbytes = len(weights)

        def write(self, file: object) -> None:
            file.write(weights)  # type: ignore[attr-defined]

    return Pool()
