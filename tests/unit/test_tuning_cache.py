"""The cache folder: what is kept is found again, and nothing that happens to it is an error."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gearshift.errors import TableError
from gearshift.gears.build import Build
from gearshift.tuning import cache
from gearshift.tuning.cache import (
    cache_folder,
    clear_cache,
    find_blob,
    find_table,
    keep_blob,
    keep_table,
)
from tables import HOST, IDENTITY, SAMPLE, fixed, table_of

BUILD = Build("openvino", 4, 2)
OTHER = replace(SAMPLE, artifact="00" * 32)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("GEARSHIFT_CACHE_DIR", str(tmp_path / "new" / "cache"))
    monkeypatch.delenv("GEARSHIFT_CACHE_BYTES", raising=False)
    cache._log_once.cache_clear()
    yield tmp_path / "new" / "cache"
    cache._log_once.cache_clear()


def age(path: Path, seconds: float) -> None:
    """Makes a file look as if it was used that long ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_a_table_is_found_again(folder: Path) -> None:
    assert find_table(IDENTITY, HOST) is None
    path = keep_table(SAMPLE)
    assert path is not None
    assert path.parent == folder
    assert find_table(IDENTITY, HOST) == SAMPLE
    newer = replace(SAMPLE, seconds=99.0)
    assert keep_table(newer) == path
    assert find_table(IDENTITY, HOST) == newer
    assert [item.name for item in folder.iterdir()] == [path.name]


def test_each_artifact_and_host_has_its_own() -> None:
    hosts = [HOST, replace(HOST, threads=2), replace(HOST, engines=HOST.engines[:1])]
    mine = [table_of([fixed(1, 1.0, engine="onnxruntime")], host=host) for host in hosts[:2]]
    mine.append(replace(mine[0], host=hosts[2], engines=()))
    for table in (*mine, OTHER):
        keep_table(table)
    for host, table in zip(hosts, mine, strict=True):
        assert find_table(IDENTITY, host) == table
    assert find_table(OTHER.artifact, HOST) == OTHER
    assert find_table(OTHER.artifact, hosts[1]) is None


@given(data=st.binary(max_size=5000))
def test_a_blob_is_found_again(data: bytes) -> None:
    path = keep_blob(SAMPLE, BUILD, data)
    assert path is not None
    assert find_blob(SAMPLE, BUILD) == data
    assert path.read_bytes() == hashlib.sha256(data).digest() + data


def test_each_build_has_its_own_blob(monkeypatch: pytest.MonkeyPatch) -> None:
    builds = [
        Build(name, rows, lanes, threads)
        for name in ("a", "b")
        for rows in (1, 11)
        for lanes in (1, 2)
        for threads in (0, 1)
    ]
    for build in builds:
        keep_blob(SAMPLE, build, str(build).encode())
    for build in builds:
        assert find_blob(SAMPLE, build) == str(build).encode()
    assert find_blob(OTHER, builds[0]) is None
    assert find_blob(replace(SAMPLE, host=replace(HOST, threads=1)), builds[0]) is None
    monkeypatch.setattr(cache, "__version__", "99.0")
    assert find_blob(SAMPLE, builds[0]) is None, "a later version may ask for other properties"


def test_names_of_engines_lead_nowhere_else(folder: Path) -> None:
    path = keep_blob(SAMPLE, Build("../../../x", 1), b"blob")
    assert path is not None
    assert path.parent == folder


def damaged(data: bytes) -> Iterator[bytes]:
    yield b""
    yield data[:-1]
    yield data + b"\0"
    yield data[:31]
    for index in (0, 31, 32, len(data) // 2, len(data) - 1):
        yield data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


def test_a_damaged_blob_is_removed(caplog: pytest.LogCaptureFixture) -> None:
    path = keep_blob(SAMPLE, BUILD, b"blob" * 100)
    assert path is not None
    for bad in damaged(path.read_bytes()):
        path.write_bytes(bad)
        caplog.clear()
        assert find_blob(SAMPLE, BUILD) is None
        assert not path.exists()
        assert str(path) in caplog.text
        assert "checksum" in caplog.text


def test_a_damaged_table_is_none(caplog: pytest.LogCaptureFixture) -> None:
    path = keep_table(SAMPLE)
    assert path is not None
    data = path.read_bytes()
    for bad in (b"", data[:-1], b"\xff" + data, data.replace(b'"seconds":10.0', b'"seconds":-1.0')):
        path.write_bytes(bad)
        caplog.clear()
        assert find_table(IDENTITY, HOST) is None
        assert str(path) in caplog.text
        assert "ignored" in caplog.text
    keep_table(SAMPLE)
    assert find_table(IDENTITY, HOST) == SAMPLE


@pytest.mark.parametrize(
    "table", [OTHER, replace(SAMPLE, host=replace(HOST, cpu="another"))], ids=["artifact", "host"]
)
def test_a_table_under_a_wrong_name_is_none(
    table: object, caplog: pytest.LogCaptureFixture
) -> None:
    right, wrong = keep_table(SAMPLE), keep_table(table)
    assert right is not None
    assert wrong is not None
    os.replace(wrong, right)
    assert find_table(IDENTITY, HOST) is None
    assert "another artifact or another host" in caplog.text


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (os._exit, (99,))


def test_a_pickle_is_never_opened() -> None:
    path = keep_table(SAMPLE)
    assert path is not None
    path.write_bytes(pickle.dumps(Bomb()))
    assert find_table(IDENTITY, HOST) is None


def test_a_table_that_breaks_a_rule_is_not_kept(folder: Path) -> None:
    with pytest.raises(TableError):
        keep_table(replace(SAMPLE, seconds=-1.0))
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_said_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.parent.mkdir()
    folder.write_bytes(b"a file where the folder should be")
    for _ in range(3):
        assert keep_table(SAMPLE) is None
        assert keep_blob(SAMPLE, BUILD, b"blob") is None
        assert clear_cache() == 0
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.WARNING
    assert str(folder) in caplog.text
    caplog.clear()
    assert find_blob(SAMPLE, BUILD) is None
    assert find_table(IDENTITY, HOST) is None


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_is_no_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, step: str
) -> None:
    keep_table(SAMPLE)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        assert keep_table(replace(SAMPLE, seconds=99.0)) is None
        assert keep_blob(SAMPLE, BUILD, b"blob") is None
    assert "No space left on device" in caplog.text
    assert find_table(IDENTITY, HOST) == SAMPLE
    assert len(list(folder.iterdir())) == 1


def test_what_may_not_be_read_is_none(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep_table(SAMPLE)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        assert find_table(IDENTITY, HOST) is None
    assert "Permission denied" in caplog.text
    with monkeypatch.context() as patch:
        patch.setattr(os, "utime", refuse)  # a cache that may be read but not written
        assert find_table(IDENTITY, HOST) == SAMPLE


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_only_the_user_may_look(folder: Path) -> None:
    path = keep_blob(SAMPLE, BUILD, b"blob")
    assert path is not None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_used_longest_ago_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    builds = [Build("openvino", rows) for rows in range(1, 5)]
    for rows, build in enumerate(builds):
        path = keep_blob(SAMPLE, build, bytes(1000))
        assert path is not None
        age(path, 1000 - rows)
    assert find_blob(SAMPLE, builds[0]) is not None  # used: now the youngest
    monkeypatch.setenv("GEARSHIFT_CACHE_BYTES", str(3 * 1032 + 500))
    keep_blob(SAMPLE, Build("openvino", 9), bytes(1000))
    left = [build.rows for build in builds if find_blob(SAMPLE, build) is not None]
    assert left == [1, 4]
    assert find_blob(SAMPLE, Build("openvino", 9)) == bytes(1000)


@given(
    sizes=st.lists(st.integers(0, 400), min_size=1, max_size=12),
    limit=st.integers(0, 1500),
)
def test_the_limit_is_kept_after_every_file(sizes: list[int], limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as name:
        patch.setenv("GEARSHIFT_CACHE_DIR", name)
        patch.setenv("GEARSHIFT_CACHE_BYTES", str(limit))
        for rows, size in enumerate(sizes):
            build = Build("openvino", rows)
            kept = keep_blob(SAMPLE, build, bytes(size))
            assert sum(item.stat().st_size for item in Path(name).iterdir()) <= limit
            assert (kept is not None) == (size + 32 <= limit)
            assert find_blob(SAMPLE, build) == (None if kept is None else bytes(size))


def test_a_file_larger_than_the_cache_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep_table(SAMPLE)
    monkeypatch.setenv("GEARSHIFT_CACHE_BYTES", "10000")
    assert keep_blob(SAMPLE, BUILD, bytes(10000)) is None
    assert "10032 bytes" in caplog.text
    assert find_table(IDENTITY, HOST) == SAMPLE


@pytest.mark.parametrize("value", ["2GB", "-1", "1e9", " ", "٣"])
def test_a_limit_that_is_no_number_is_said_and_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    monkeypatch.setenv("GEARSHIFT_CACHE_BYTES", value)
    assert keep_table(SAMPLE) is not None
    assert keep_blob(SAMPLE, BUILD, b"blob") is not None
    assert len(caplog.records) == 1
    assert repr(value) in caplog.text
    assert "2147483648" in caplog.text


def test_only_our_files_are_ever_removed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_table(SAMPLE)
    keep_blob(SAMPLE, BUILD, bytes(100))
    strangers = ["photo.jpg", f"{'a' * 32}.costs", f"x{'a' * 32}-{'b' * 16}.costs", "notes.blob"]
    for name in strangers:
        (folder / name).write_bytes(b"not ours")
        age(folder / name, 10**6)
    (folder / f"{'a' * 32}-{'b' * 16}.costs").mkdir()
    monkeypatch.setenv("GEARSHIFT_CACHE_BYTES", "5000")
    keep_blob(SAMPLE, BUILD, bytes(4900))
    freed = clear_cache()
    assert freed == 4932
    assert sorted(item.name for item in folder.iterdir()) == sorted(
        [*strangers, f"{'a' * 32}-{'b' * 16}.costs"]
    )


def test_clearing_removes_everything_and_says_how_much(folder: Path) -> None:
    assert clear_cache() == 0
    paths = [keep_table(SAMPLE), keep_table(OTHER), keep_blob(SAMPLE, BUILD, bytes(100))]
    nbytes = sum(path.stat().st_size for path in paths if path)
    assert clear_cache() == nbytes
    assert list(folder.iterdir()) == []
    assert find_table(IDENTITY, HOST) is None


def test_what_killed_processes_left_goes_in_time(folder: Path) -> None:
    keep_table(SAMPLE)
    old, new = folder / ".gearshift-00ff.tmp", folder / ".gearshift-11ff.tmp"
    for path in (old, new):
        path.write_bytes(b"half a blob")
    age(old, 7200)
    assert clear_cache() > 0
    assert [item.name for item in folder.iterdir()] == [new.name], "someone may be writing it"


def test_a_file_that_vanishes_meanwhile_is_no_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rows in range(1, 4):
        keep_blob(SAMPLE, Build("openvino", rows), bytes(1000))
    listing = cache._entries

    def listed_then_gone() -> list[Path]:
        found = listing()
        for path in found:
            path.unlink()
        return found

    monkeypatch.setattr(cache, "_entries", listed_then_gone)
    monkeypatch.setenv("GEARSHIFT_CACHE_BYTES", "2000")
    assert keep_blob(SAMPLE, BUILD, bytes(1000)) is not None
    assert clear_cache() == 0


def test_a_damaged_blob_that_another_process_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    path = keep_blob(SAMPLE, BUILD, b"blob")
    assert path is not None
    path.write_bytes(b"damaged")
    read = cache._read

    def read_then_gone(place: Path, head: int = 0) -> tuple[bytes, bytes] | None:
        found = read(place, head)
        place.unlink()
        return found

    monkeypatch.setattr(cache, "_read", read_then_gone)
    assert find_blob(SAMPLE, BUILD) is None


def test_threads_never_see_half_a_file() -> None:
    contents = [bytes([number]) * 20_000 for number in range(4)]
    wrong: list[object] = []
    keep_blob(SAMPLE, BUILD, contents[0])

    def write(data: bytes) -> None:
        for _ in range(15):
            keep_blob(SAMPLE, BUILD, data)

    def read() -> None:
        for _ in range(150):
            found = find_blob(SAMPLE, BUILD)
            if found not in contents:
                wrong.append(found)

    threads = [threading.Thread(target=write, args=(data,)) for data in contents]
    threads.append(threading.Thread(target=read))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_processes_at_once(folder: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tables import SAMPLE, HOST, IDENTITY\n"
        "from gearshift.gears.build import Build\n"
        "from gearshift.tuning.cache import *\n"
        "for rows in range(40):\n"
        "    build = Build('openvino', rows % 5)\n"
        "    assert find_table(IDENTITY, HOST) in (None, SAMPLE)\n"
        "    keep_table(SAMPLE)\n"
        "    keep_blob(SAMPLE, build, bytes(rows % 5 * 1000))\n"
        "    assert find_blob(SAMPLE, build) in (None, bytes(rows % 5 * 1000))\n"
        "    if rows % 13 == 12: clear_cache()\n"
    )
    environment = os.environ | {"GEARSHIFT_CACHE_BYTES": "8000"}
    tests = str(Path(__file__).parents[1])
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, tests],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in running:
        _, said = process.communicate(timeout=100)
        assert (process.returncode, said) == (0, "")
    assert not list(folder.glob("*.tmp"))


def test_where_the_folder_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GEARSHIFT_CACHE_DIR", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    for unset in (None, ""):
        if unset is None:
            monkeypatch.delenv("GEARSHIFT_CACHE_DIR")
        else:
            monkeypatch.setenv("GEARSHIFT_CACHE_DIR", unset)
        assert cache_folder().is_absolute()
        assert "gearshift" in cache_folder().parts[-1].lower() or os.name == "nt"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other places")
def test_the_folder_on_linux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GEARSHIFT_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "gearshift"
