"""Cost tables inside an artifact."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from artifacts import null_artifact
from gearshift.artifact.codec import dumps, encode
from gearshift.artifact.reader import Artifact
from gearshift.artifact.writer import embed_costs
from gearshift.errors import ArtifactError, TableError
from gearshift.tuning.embedded import MAX_HOSTS, embed_table, embedded_table, embedded_tables
from gearshift.tuning.table import CostTable, Host
from tables import HOST, SAMPLE

OTHER = replace(HOST, threads=2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return null_artifact(tmp_path)


def table_for(path: Path, host: Host = HOST, made: str = SAMPLE.made) -> CostTable:
    with Artifact.open(path) as artifact:
        return replace(SAMPLE, artifact=artifact.identity, host=host, made=made)


def read(path: Path) -> tuple[CostTable, ...]:
    with Artifact.open(path) as artifact:
        return embedded_tables(artifact)


def test_a_table_is_found_again(path: Path) -> None:
    before = path.read_bytes()
    table = table_for(path)
    assert read(path) == ()
    assert embed_table(path, table) == path.stat().st_size
    with Artifact.open(path) as artifact:
        assert embedded_table(artifact, HOST) == table
        assert embedded_table(artifact, OTHER) is None
        assert artifact.identity == table.artifact
    embed_costs(path, None)
    assert path.read_bytes() == before


def test_one_table_for_each_host_the_newer_one(path: Path) -> None:
    first, other = table_for(path), table_for(path, OTHER, "2026-11-22T19:00:00+00:00")
    again = table_for(path, HOST, "2026-11-23T00:00:00+00:00")
    for table in (first, other, again):
        embed_table(path, table)
    assert read(path) == (other, again)
    embed_table(path, other)
    assert read(path) == (other, again)


def test_hosts_measured_long_ago_give_way(path: Path) -> None:
    tables = [
        table_for(path, replace(HOST, cpu=f"CPU {number}"), f"2026-11-22T18:{number:02}:00+00:00")
        for number in range(60)
    ]
    tables += [
        table_for(path, replace(HOST, cpu=f"new CPU {number}"), f"2026-11-23T18:0{number}:00+00:00")
        for number in range(6)
    ]
    embed_costs(path, dumps(tuple(tables)))
    newest = table_for(path, made="2026-11-24T00:00:00+00:00")
    embed_table(path, newest)
    assert read(path) == (*tables[3:], newest)
    assert len(read(path)) == MAX_HOSTS


def test_a_table_of_another_artifact_is_refused(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(TableError, match=f"{SAMPLE.artifact[:12]}.*gearshift tune"):
        embed_table(path, SAMPLE)
    with pytest.raises(TableError, match="seconds"):
        embed_table(path, replace(table_for(path), seconds=-1.0))
    assert path.read_bytes() == before
    with pytest.raises(ArtifactError):
        embed_table(path.with_name("missing.om"), SAMPLE)


def test_what_is_not_sound_is_ignored(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = table_for(path)
    records = [encode(SAMPLE), {"version": 3}, encode(replace(table, seconds=-1.0)), 5]
    embed_costs(path, json.dumps([*records, encode(table)]).encode())
    caplog.clear()
    assert read(path) == (table,)
    assert len(caplog.records) == len(records)
    assert str(path) in caplog.text
    embed_table(path, table)
    caplog.clear()
    assert read(path) == (table,)
    assert caplog.records == []


@pytest.mark.parametrize("costs", [b"", b"{}", b"5", b"\xff", b"[" * 10_000])
def test_costs_that_are_no_list_are_ignored(
    path: Path, caplog: pytest.LogCaptureFixture, costs: bytes
) -> None:
    embed_costs(path, costs)
    assert read(path) == ()
    assert "ignored" in caplog.text
    table = table_for(path)
    embed_table(path, table)
    assert read(path) == (table,)
