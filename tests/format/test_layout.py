"""The bytes of the file, against the specification and against a file of the first version."""

import hashlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from artifact_samples import (
    GOLDEN,
    MANIFEST,
    NULL_TOPOLOGY,
    STORED,
    TOPOLOGIES,
    WEIGHTS,
    XML_TOPOLOGY,
    assemble,
    canonical,
    directory_json,
    sample_pool,
    write_sample,
)

from gearshift.artifact.pool import WeightPool
from gearshift.artifact.reader import Artifact
from gearshift.artifact.writer import write_artifact


def test_every_byte_is_what_the_specification_says(tmp_path: Path) -> None:
    assert write_sample(tmp_path / "a.om") == assemble(canonical(directory_json()), STORED)


def test_header_and_places_by_hand(tmp_path: Path) -> None:
    data = write_sample(tmp_path / "a.om")
    size = int.from_bytes(data[24:32], "little")
    assert data[0:8] == b"GEARSHFT"
    assert data[8:16] == bytes.fromhex("01000000 01000000")
    assert int.from_bytes(data[16:24], "little") == len(data) == 3 * 4096 + len(WEIGHTS)
    assert data[32:64] == hashlib.sha256(data[:32] + data[64 : 64 + size]).digest()
    assert json.loads(data[64 : 64 + size])["manifest"]["warnings"] == ["gear 4 is slow"]
    assert data[4096:4296] == NULL_TOPOLOGY
    assert data[8192:8194] == b"\x78\xda"  # a zlib stream, best compression
    assert data[12288:] == WEIGHTS
    assert not any(data[64 + size : 4096])
    assert not any(data[4296:8192])


def test_the_first_version_stays_readable() -> None:
    # Never written anew: a file from the day the format was fixed.
    assert hashlib.sha256(GOLDEN.read_bytes()).hexdigest() == (
        "62e298cc5b766398c093dfff98ab44502c3c81a19f0cc455436487bed4da6d36"
    )
    with Artifact.open(GOLDEN) as artifact:
        assert artifact.manifest == MANIFEST
        assert artifact.topology("null") == NULL_TOPOLOGY
        assert artifact.topology("openvino.xml") == XML_TOPOLOGY
        assert artifact.pool.tobytes() == WEIGHTS


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_sample(tmp_path / "a.om")
    os.utime(tmp_path / "a.om", (0, 0))
    backwards = dict(reversed(TOPOLOGIES.items()))
    write_artifact(tmp_path / "another name.om", MANIFEST, backwards, sample_pool())
    assert (tmp_path / "another name.om").read_bytes() == first


def test_another_process_with_another_hash_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    here = write_sample(tmp_path / "a.om")
    there = tmp_path / "b.om"
    code = "import sys, pathlib, artifact_samples as s; s.write_sample(pathlib.Path(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", code, str(there)],
        check=True,
        cwd=Path(__file__).parent,
        env=os.environ | {"PYTHONHASHSEED": "12345"},
    )
    assert there.read_bytes() == here


@pytest.mark.parametrize("more", [b"", bytes(5 << 20)], ids=["", "in pieces"])
def test_a_stranger_reads_it_with_the_standard_library_and_numpy(
    tmp_path: Path, more: bytes
) -> None:
    # The program that docs/artifact-format.md prints.
    pool = WeightPool()
    pool.add(WEIGHTS + more)
    write_artifact(tmp_path / "a.om", MANIFEST, TOPOLOGIES, pool)
    page = Path(__file__).parents[2] / "docs" / "artifact-format.md"
    program = page.read_text("utf-8").split("```python\n")[1].split("```")[0]
    assert (Artifact.open(tmp_path / "a.om").header.min_reader == 4) == bool(more)
    names: dict[str, object] = {"FILE": str(tmp_path / "a.om")}
    exec(compile(program, page.name, "exec"), names)
    parts = names["parts"]
    assert isinstance(parts, dict)
    assert parts["openvino.xml"] == XML_TOPOLOGY
    assert np.frombuffer(parts["weights"], np.uint8).tobytes() == WEIGHTS + more


def test_the_overhead_is_padding_and_the_directory(tmp_path: Path) -> None:
    data = write_sample(tmp_path / "a.om")
    directory = struct.unpack_from("<Q", data, 24)[0]
    stored = sum(len(part) for part in STORED)
    assert len(data) - stored - directory - 64 < 4096 * len(STORED)
