"""`gearshift cache`: what is kept, and how to be rid of it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from gearshift.cli.main import main
from gearshift.gears.build import Build
from gearshift.tuning.cache import keep_blob, keep_table
from tables import HOST, SAMPLE

Printed = pytest.CaptureFixture[str]
OTHER = replace(SAMPLE, artifact="b7" * 32)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEARSHIFT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("GEARSHIFT_CACHE_BYTES", "100000")
    return tmp_path / "cache"


def fill() -> int:
    """Two artifacts, one with a blob, the other used last; returns the bytes."""
    files = [
        keep_table(SAMPLE),
        keep_blob(SAMPLE, Build("openvino", 1), b"b" * 500),
        keep_table(OTHER),
    ]
    nbytes = 0
    for second, file in enumerate(files):
        assert file is not None
        os.utime(file, (second, second))
        nbytes += file.stat().st_size
    return nbytes


def test_what_is_kept(cache: Path, capsys: Printed) -> None:
    nbytes = fill()
    assert main(["cache"]) == 0
    folder, taken, _, head, first, second = capsys.readouterr().out.splitlines()
    assert folder.split() == ["folder", str(cache)]
    assert taken.split()[1:] == f"{nbytes / 1000:.1f} kB by 3 files; allowed are 100.0 kB".split()
    assert head.split()[:3] == ["identity", "frame", "host"]
    assert head.split()[3:] == ["measured", "files", "bytes", "last", "used"]
    assert first.startswith(
        f"b7b7b7b7b7b7  0      {HOST.cpu}, 4 threads, onnxruntime, openvino  2026-11-22"
    )
    assert first.split()[-4:] == ["1", f"{(nbytes - 532) / 2000:.1f}", "kB", "1970-01-01"]
    assert second.startswith("5a5a5a5a5a5a")
    assert second.split()[-4] == "2"


def test_what_is_kept_as_json(cache: Path, capsys: Printed) -> None:
    nbytes = fill()
    assert main(["cache", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["folder"], said["bytes"], said["limit_bytes"]) == (str(cache), nbytes, 100000)
    other, sample = said["kept"]
    assert other["identity"] == OTHER.artifact
    assert sample["host"]["threads"] == 4
    assert (sample["files"], sample["used"]) == (2, "1970-01-01T00:00:01+00:00")
    assert sample["bytes"] + other["bytes"] == nbytes


def test_looking_is_no_use(cache: Path, capsys: Printed) -> None:
    fill()
    before = {path.name: path.stat().st_mtime for path in cache.iterdir()}
    assert main(["cache"]) == 0
    assert {path.name: path.stat().st_mtime for path in cache.iterdir()} == before


def test_clear(cache: Path, capsys: Printed) -> None:
    nbytes = fill()
    (cache / "notes.txt").write_text("not ours")
    assert main(["cache", "--clear"]) == 0
    assert capsys.readouterr().out == f"removed {nbytes / 1000:.1f} kB from {cache}\n"
    assert [path.name for path in cache.iterdir()] == ["notes.txt"]
    assert main(["cache", "--clear", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(cache), "freed": 0}
    assert main(["cache"]) == 0
    assert "taken      nothing of 100.0 kB\n" in capsys.readouterr().out


def test_a_cache_that_is_not_there(cache: Path, capsys: Printed) -> None:
    assert main(["cache"]) == 0
    assert main(["cache", "--clear"]) == 0
    assert "removed 0 bytes" in capsys.readouterr().out
    assert not cache.exists()


def test_damage_is_shown(cache: Path, capsys: Printed) -> None:
    fill()
    (broken,) = cache.glob("b7*.costs")
    broken.write_bytes(b"{")
    left = cache / ".gearshift-0123456789abcdef.tmp"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    assert main(["cache"]) == 0
    text = capsys.readouterr().out
    assert "b7b7b7b7b7b7  -      its table is damaged" in text
    assert "-             -      no table" in text
    assert main(["cache", "--json"]) == 0
    tables = [each["host"] for each in json.loads(capsys.readouterr().out)["kept"]]
    assert [host is None for host in tables].count(True) == 2


def test_a_table_of_another_version_is_called_that(cache: Path, capsys: Printed) -> None:
    fill()
    (later,) = cache.glob("b7*.costs")
    later.write_bytes(b'{"version": 1000, "found": []}')
    assert main(["cache"]) == 0
    text = capsys.readouterr().out
    assert "b7b7b7b7b7b7  -      its table is of version 1000, for another gearshift" in text
    assert main(["cache", "--json"]) == 0
    problems = [each["problem"] for each in json.loads(capsys.readouterr().out)["kept"]]
    assert sorted(problems) == ["", "its table is of version 1000, for another gearshift"]
