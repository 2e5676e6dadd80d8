"""Reading a good file, and saying what a wrong one is."""

import gc
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from artifact_samples import (
    MANIFEST,
    NULL_TOPOLOGY,
    WEIGHTS,
    XML_TOPOLOGY,
    write_sample,
)

from gearshift.artifact.reader import Artifact
from gearshift.errors import (
    ArtifactError,
    ClosedError,
    DeviceArtifactError,
    NotAnArtifactError,
    TruncatedArtifactError,
    UnreadableArtifactError,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_sample(tmp_path / "一个 model.om")
    return tmp_path / "一个 model.om"


def test_everything_that_was_written(path: Path) -> None:
    with Artifact.open(str(path)) as artifact:
        assert artifact.path == path
        assert artifact.size == path.stat().st_size
        assert artifact.manifest == MANIFEST
        assert artifact.topology("null") == NULL_TOPOLOGY
        assert artifact.topology("openvino.xml") == XML_TOPOLOGY
        assert artifact.pool.dtype == np.uint8
        assert artifact.pool.tobytes() == WEIGHTS
        sizes = [(part.name, part.encoding, part.raw_size) for part in artifact.parts]
        assert sizes == [
            ("null", "raw", 200),
            ("openvino.xml", "zlib", 600),
            ("weights", "raw", 80),
        ]
        assert artifact.parts[1].size < 60


def test_the_pool_is_mapped_copy_on_write(path: Path) -> None:
    before = path.read_bytes()
    with Artifact.open(path) as artifact, Artifact.open(path) as other:
        pool = artifact.pool
        assert pool.flags.writeable
        assert pool.flags.aligned
        assert pool.ctypes.data % 4096 == 0
        pool[0] = 99
        assert artifact.pool[0] == 99
        assert other.pool[0] == WEIGHTS[0]
    assert path.read_bytes() == before


def test_arrays_outlive_the_artifact(path: Path) -> None:
    artifact = Artifact.open(path)
    view = artifact.pool[64:].view("<u4")
    artifact.close()
    artifact.close()
    del artifact
    gc.collect()
    assert view.tolist() == [0xFFFFFFFF] * 4


def test_a_closed_artifact_says_so(path: Path) -> None:
    with Artifact.open(path) as artifact:
        pass
    assert artifact.manifest == MANIFEST
    with pytest.raises(ClosedError):
        _ = artifact.pool
    with pytest.raises(ClosedError):
        artifact.topology("null")


@pytest.mark.skipif(os.name == "nt", reason="Windows holds on to a mapped file")
def test_an_open_artifact_may_be_replaced_and_removed(path: Path) -> None:
    with Artifact.open(path) as artifact:
        write_sample(path)
        path.unlink()
        assert artifact.pool.tobytes() == WEIGHTS


def test_no_file_descriptor_stays_behind(path: Path) -> None:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("no /proc here")
    Artifact.open(path).close()
    before = len(list(folder.iterdir()))
    for _ in range(20):
        Artifact.open(path).close()
    assert len(list(folder.iterdir())) == before


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_from_memory(path: Path, kind: type) -> None:
    data = bytearray(path.read_bytes())
    with Artifact.from_bytes(kind(data), name="from the caller") as artifact:
        data[:] = bytes(len(data))  # the caller may do as it likes with its memory afterwards
        assert artifact.manifest == MANIFEST
        assert artifact.pool.tobytes() == WEIGHTS
        assert artifact.pool.flags.writeable
        assert artifact.pool.ctypes.data % 64 == 0
        assert artifact.path == Path("from the caller")


def test_an_unknown_part_is_named_with_those_there_are(path: Path) -> None:
    with (
        Artifact.open(path) as artifact,
        pytest.raises(ArtifactError, match=r"no part 'onnx'; .* null, openvino\.xml, weights"),
    ):
        artifact.topology("onnx")


def test_a_missing_file(path: Path) -> None:
    with pytest.raises(UnreadableArtifactError, match="no such file") as error:
        Artifact.open(path.with_name("other.om"))
    assert error.value.acl_code == 145002
    with pytest.raises(UnreadableArtifactError, match=r"Did you mean .*一个 model\.om\?"):
        Artifact.open(path.with_suffix(""))


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UnreadableArtifactError, match="is a folder"):
        Artifact.open(tmp_path)


def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    os.mkfifo(tmp_path / "pipe.om")
    with pytest.raises(UnreadableArtifactError, match="pipe"):
        Artifact.open(tmp_path / "pipe.om")


def test_a_path_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UnreadableArtifactError):
        Artifact.open(tmp_path / "a\0b.om")


def test_a_file_that_may_not_be_read(path: Path) -> None:
    path.chmod(0)
    try:
        if os.access(path, os.R_OK):
            pytest.skip("this user may read everything")
        with pytest.raises(UnreadableArtifactError, match="permissions"):
            Artifact.open(path)
    finally:
        path.chmod(0o600)


def test_an_unreadable_file_by_the_systems_word(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableArtifactError, match=r"Permission denied.*permissions"):
        Artifact.open(path)


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.om").write_bytes(b"")
    with pytest.raises(TruncatedArtifactError, match="it is empty") as error:
        Artifact.open(tmp_path / "a.om")
    assert error.value.acl_code == 145006


@pytest.mark.parametrize("magic", [b"IMOD", b"PICO"])
def test_a_device_file(tmp_path: Path, magic: bytes) -> None:
    (tmp_path / "a.om").write_bytes(magic + (256).to_bytes(4, "little") + bytes(300))
    with pytest.raises(DeviceArtifactError, match=r"Ascend card.*Compile the original ONNX"):
        Artifact.open(tmp_path / "a.om")


def test_an_onnx_model(tmp_path: Path) -> None:
    graph = onnx.helper.make_graph([], "g", [], [])
    onnx.save(onnx.helper.make_model(graph, producer_name="me"), tmp_path / "a.om")
    with pytest.raises(NotAnArtifactError, match=r"may be an ONNX model\. Compile it first: atc"):
        Artifact.open(tmp_path / "a.om")


def test_a_zip_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.om", "w") as archive:
        archive.writestr("x", "y")
    with pytest.raises(NotAnArtifactError, match="zip archive"):
        Artifact.open(tmp_path / "a.om")


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (os._exit, (99,))


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    (tmp_path / "a.om").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(NotAnArtifactError, match="pickle, which is never opened"):
        Artifact.open(tmp_path / "a.om")


@pytest.mark.parametrize(
    ("begin", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<?xml version='1.0'?><net/>", "XML"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"hello world, this is text", "begins with b'hello wo', not b'GEARSHFT'"),
        (b"\x7fELF", "not a gearshift artifact"),
        (bytes(5000), "not a gearshift artifact"),
    ],
)
def test_other_files(tmp_path: Path, begin: bytes, words: str) -> None:
    (tmp_path / "a.om").write_bytes(begin)
    with pytest.raises(NotAnArtifactError, match=words) as error:
        Artifact.open(tmp_path / "a.om")
    assert str(error.value).startswith(f"{tmp_path / 'a.om'} cannot be loaded: it is not")
