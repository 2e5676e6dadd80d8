"""Writing: all or nothing."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from artifact_samples import MANIFEST, TOPOLOGIES, sample_pool, write_sample

from gearshift.artifact.manifest import Manifest
from gearshift.artifact.pool import ByteSink, WeightPool
from gearshift.artifact.reader import Artifact
from gearshift.artifact.writer import write_artifact
from gearshift.errors import ArtifactError, InternalError


class FailingPool:
    """Writes half of itself to the file, then fails."""

    nbytes = 80

    def __init__(self, failure: BaseException) -> None:
        self.failure = failure
        self.asked = 0

    def write(self, file: ByteSink) -> None:
        self.asked += 1
        if self.asked == 1:  # the writer measures the checksum first
            file.write(bytes(80))
            return
        file.write(bytes(40))
        raise self.failure


@contextmanager
def nothing_changes(path: Path) -> Iterator[None]:
    before = {item: item.read_bytes() for item in path.parent.iterdir()}
    yield
    assert {item: item.read_bytes() for item in path.parent.iterdir()} == before


@pytest.mark.parametrize(
    ("failure", "seen"),
    [
        (OSError(28, "No space left on device"), ArtifactError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (SystemExit(3), SystemExit),
        (MemoryError(), MemoryError),
    ],
)
@pytest.mark.parametrize("existed", [True, False])
def test_a_failure_half_way_leaves_everything_as_it_was(
    tmp_path: Path, failure: BaseException, seen: type[BaseException], existed: bool
) -> None:
    path = tmp_path / "a.om"
    if existed:
        path.write_bytes(b"the old one")
    pool = FailingPool(failure)
    with nothing_changes(path), pytest.raises(seen):
        write_artifact(path, MANIFEST, TOPOLOGIES, pool)
    assert pool.asked == 2


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_at_the_end_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "a.om"
    path.write_bytes(b"the old one")

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, step, fail)
    with nothing_changes(path), pytest.raises(ArtifactError, match="Input/output error") as error:
        write_artifact(path, MANIFEST, TOPOLOGIES, sample_pool())
    assert error.value.code == "E19004"


def test_the_file_is_on_disk_before_it_takes_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    fsync, rename = os.fsync, os.replace

    def note_fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append("sync folder" if is_folder else "sync file")
        fsync(descriptor)

    def note_replace(source: Path, target: Path) -> None:
        assert source.parent == target.parent
        steps.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    write_sample(tmp_path / "a.om")
    assert steps == ["sync file", "rename"] + ["sync folder"] * (os.name != "nt")


def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.om"
    old = write_sample(path)
    code = (
        "import os, sys, pathlib, artifact_samples as s\n"
        "from gearshift.artifact.writer import write_artifact\n"
        "class Pool:\n"
        "    nbytes, asked = 80, 0\n"
        "    def write(self, file):\n"
        "        self.asked += 1\n"
        "        file.write(bytes(40))\n"
        "        if self.asked == 2: file.flush(); os._exit(9)\n"
        "        file.write(bytes(40))\n"
        "write_artifact(pathlib.Path(sys.argv[1]), s.MANIFEST, s.TOPOLOGIES, Pool())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=Path(__file__).parent, check=False
    )
    assert done.returncode == 9
    assert path.read_bytes() == old
    assert Artifact.open(path).manifest == MANIFEST


def test_only_the_artifact_is_in_the_folder(tmp_path: Path) -> None:
    write_sample(tmp_path / "a.om")
    write_sample(tmp_path / "a.om")
    assert [item.name for item in tmp_path.iterdir()] == ["a.om"]


@pytest.mark.parametrize("name", ["with space.om", "识别模型.om", "ä/deep/b.om"])
def test_names(tmp_path: Path, name: str) -> None:
    write_sample(tmp_path / name)
    assert Artifact.open(tmp_path / name).manifest == MANIFEST


@pytest.mark.skipif(os.name == "nt", reason="the whole path is limited there")
def test_a_name_as_long_as_may_be(tmp_path: Path) -> None:
    write_sample(tmp_path / ("n" * 252 + ".om"))


def test_the_file_that_a_link_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.om"
    try:
        link.symlink_to(tmp_path / "real" / "a.om")
    except OSError:
        pytest.skip("no symbolic links here")
    write_sample(link)
    assert link.is_symlink()
    assert Artifact.open(tmp_path / "real" / "a.om").manifest == MANIFEST


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_others_may_read_it_as_the_umask_says(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_sample(tmp_path / "a.om")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.om").stat().st_mode) == 0o640


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a.om").mkdir()
    with pytest.raises(ArtifactError, match="cannot be written"):
        write_sample(tmp_path / "a.om")
    assert [item.name for item in tmp_path.iterdir()] == ["a.om"]


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ArtifactError, match="cannot be written"):
        write_sample(tmp_path / "file" / "a.om")


def test_a_pool_that_breaks_its_promise(tmp_path: Path) -> None:
    class ShortPool(WeightPool):
        @property
        def nbytes(self) -> int:
            return 90

    pool = ShortPool()
    pool.add(bytes(80))
    path = tmp_path / "a.om"
    with nothing_changes(path), pytest.raises(InternalError, match="promised 90 bytes"):
        write_artifact(path, MANIFEST, TOPOLOGIES, pool)


@pytest.mark.parametrize(
    ("manifest", "topologies"),
    [
        (MANIFEST, {"null": b""}),
        (replace(MANIFEST, gears=()), TOPOLOGIES),
        (MANIFEST, TOPOLOGIES | {"weights": b"x"}),
        (MANIFEST, TOPOLOGIES | {"Bad Name": b"x"}),
    ],
)
def test_what_no_reader_would_take_is_not_written(
    tmp_path: Path, manifest: Manifest, topologies: dict[str, bytes]
) -> None:
    path = tmp_path / "a.om"
    with nothing_changes(path), pytest.raises(InternalError, match="no reader would take"):
        write_artifact(path, manifest, topologies, sample_pool())


def test_a_manifest_too_large_to_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.om"
    manifest = replace(MANIFEST, warnings=("x" * (8 << 20),))
    with nothing_changes(path), pytest.raises(ArtifactError, match="8388608 are allowed"):
        write_artifact(path, manifest, TOPOLOGIES, sample_pool())


def test_a_model_without_weights(tmp_path: Path) -> None:
    manifest = replace(MANIFEST, constants=())
    size = write_artifact(tmp_path / "a.om", manifest, TOPOLOGIES, WeightPool())
    assert size % 4096 == 0
    with Artifact.open(tmp_path / "a.om") as artifact:
        assert artifact.pool.shape == (0,)
