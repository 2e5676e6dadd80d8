"""Cost tables: to JSON and back, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from gearshift.engines import registry
from gearshift.errors import GearshiftError, OptionError, TableError
from gearshift.gears.build import OPEN, Build, Measured, Timing
from gearshift.tuning import table as tables_module
from gearshift.tuning.cpu import cpu_name, cpu_signature
from gearshift.tuning.table import (
    CostTable,
    Dropped,
    EngineBytes,
    EngineVersion,
    Host,
    PlanTime,
    Played,
    check_table,
    decode_table,
    read_table,
    table_bytes,
    this_host,
    timestamp,
)
from tables import HOST, SAMPLE, fixed, opened, table_of, tables


@given(tables((1, 2, 8), 8))
def test_round_trip(table: CostTable) -> None:
    data = table_bytes(table)
    assert read_table(data) == table
    assert table_bytes(read_table(data)) == data
    assert decode_table(json.loads(data)) == table


def test_json_by_hand() -> None:
    record = json.loads(table_bytes(ran([ONE], PlanTime(1, 1.5e-3))))
    assert record["version"] == 7
    assert record["played"] == [
        {
            "builds": [{"engine": "openvino", "rows": 1, "lanes": 1, "threads": 0}],
            "plans": [{"rows": 1, "seconds": 1.5e-3, "through": []}],
        }
    ]
    assert record["host"]["engines"][1] == {"name": "openvino", "version": "2026.4.1"}
    assert record["measured"][2] == {
        "build": {"engine": "openvino", "rows": 2, "lanes": 2, "threads": 0},
        "timings": [{"rows": 2, "seconds": 2.5e-3, "alone": 2e-3}],
        "nbytes": 12_000_000,
    }
    assert record["dropped"] == [
        {
            "build": {"engine": "openvino", "rows": 4, "lanes": 1, "threads": 0},
            "reason": "the engine refused it",
        }
    ]


def test_bytes_of_engines() -> None:
    assert SAMPLE.engine_nbytes("openvino") == 60_000_000
    assert SAMPLE.engine_nbytes("null") == 0


def broken(**changes: Any) -> CostTable:
    return replace(SAMPLE, **changes)


def timed(*timings: Timing) -> CostTable:
    return table_of([Measured(Build("openvino", 2), timings, 1)])


ONE = Build("openvino", 1)


def ran(builds: Sequence[Build], *plans: PlanTime) -> CostTable:
    return broken(played=(Played(tuple(builds), plans or (PlanTime(1, 1.0),)),))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (broken(version=1), "version is 1"),
        (broken(artifact="5A" * 32), "artifact is"),
        (broken(artifact="../" + "5a" * 32), "artifact is"),
        (broken(precision="f8"), "precision is 'f8'.*one of f32, f16, bf16"),
        (broken(seconds=-1.0), "seconds is"),
        (broken(seconds=float("nan")), "seconds is"),
        (broken(seconds=float("inf")), "seconds is"),
        (broken(made="yesterday"), "made is 'yesterday'"),
        (broken(made="2026-11-22T18:00:00"), "UTC"),
        (broken(made="2026-11-22T18:00:00+01:00"), "UTC"),
        (broken(host=replace(HOST, cores=0)), "host.cores is 0"),
        (broken(host=replace(HOST, threads=0)), "host.threads is 0"),
        (broken(host=replace(HOST, threads=2000)), "1 to 1024"),
        (broken(host=replace(HOST, engines=HOST.engines * 2)), "there once"),
        (broken(host=replace(HOST, engines=())), "an engine of its host"),
        (broken(engines=(EngineBytes("null", 1),)), "engines is 'null'"),
        (broken(engines=(EngineBytes("openvino", 1),) * 2), "there once"),
        (broken(engines=(EngineBytes("openvino", -1),)), "memory of openvino is -1"),
        (broken(measured=()), "number of measured builds is 0"),
        (broken(measured=SAMPLE.measured * 2), "there once"),
        (broken(dropped=(Dropped(Build("openvino", 1), "both"),)), "'openvino, 1 row'"),
        (broken(dropped=(Dropped(Build("null", 1), "who?"),)), "engine of a build is 'null'"),
        (broken(dropped=(Dropped(Build("openvino", -1), "?"),)), "rows of a build is -1"),
        (broken(dropped=(Dropped(Build("openvino", 1, 0), "?"),)), "lanes of a build is 0"),
        (table_of([fixed(1, 1.0, lanes=5)]), "1 to the host's 4 threads"),
        (broken(dropped=(Dropped(Build("openvino", 1, 1, -1), "?"),)), "threads of a build is -1"),
        (broken(dropped=(Dropped(Build("openvino", 1, 2, 3), "?"),)), "is 3 .* 0 to 2"),
        (table_of([fixed(1, 0.0)]), "a time of openvino, 1 row is 0.0"),
        (table_of([fixed(1, -1.0)]), "more than 0 seconds"),
        (table_of([fixed(1, float("nan"))]), "a time of"),
        (table_of([fixed(1, 1.0, alone=float("inf"))]), "a time of"),
        (table_of([fixed(2**31, 1.0)]), "rows of a build"),
        (table_of([fixed(1, 1.0, megabytes=-1)]), "memory of openvino, 1 row is -1000000"),
        (table_of([fixed(1, 1.0, megabytes=1e9)]), "bytes"),
        (table_of([opened({})]), "number of timings"),
        (table_of([opened({2: 1.0, 1: 1.0})]), "ascending"),
        (table_of([opened({0: 1.0})]), "rows timed"),
        (table_of([opened({2**31: 1.0})]), "rows timed"),
        (ran([]), "has to be builds that were measured, one or more"),
        (ran([Build("openvino", 7)]), r"\['openvino, 7 rows'\]"),
        (ran([ONE, ONE]), "a build of a set .* there once"),
        (broken(played=ran([ONE]).played * 2), "a set that was played .* there once"),
        (ran([ONE], PlanTime(2, 1.0), PlanTime(1, 1.0)), r"\[2, 1\]"),
        (ran([ONE], PlanTime(0, 1.0)), r"\[0\]"),
        (ran([ONE], PlanTime(2**31, 1.0)), "a set that was played"),
        (ran([ONE], PlanTime(1, 0.0)), "a time of a plan is 0.0"),
        (ran([ONE], PlanTime(1, float("nan"))), "a time of a plan"),
        (broken(played=(Played((ONE,), ()),)), "the rows of a set"),
        (ran([ONE], PlanTime(1, 1.0, (ONE,))), "what a plan is made of .* some of the builds"),
        (ran([ONE], PlanTime(1, 1.0, (Build("openvino", OPEN),))), "what a plan is made of"),
        (
            broken(
                played=(
                    Played((ONE,), (PlanTime(1, 1.0),)),
                    Played((ONE, Build("openvino", OPEN)), (PlanTime(2, 1.0),)),
                )
            ),
            "those of all sets",
        ),
        (timed(), r"rows timed .* is \[\]"),
        (timed(Timing(3, 1.0, 1.0)), r"is \[3\] .* has to be \[2\]"),
        (timed(Timing(2, 1.0, 1.0), Timing(2, 1.0, 1.0)), "rows timed"),
    ],
)
def test_a_table_that_breaks_a_rule(table: CostTable, words: str) -> None:
    with pytest.raises(TableError, match=words) as error:
        check_table(table)
    assert "gearshift tune" in error.value.message
    with pytest.raises(TableError):
        table_bytes(table)


def without(record: dict[str, Any], key: str) -> None:
    del record[key]


def put(record: dict[str, Any], key: str, value: object) -> None:
    record[key] = value


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda record: without(record, "host"), "table.host is missing"),
        (lambda record: without(record, "version"), "table.version is missing"),
        (lambda record: put(record, "seconds", "ten"), "table.seconds is 'ten'"),
        (lambda record: put(record, "measured", {}), "table.measured is {}"),
        (lambda record: put(record["measured"][0], "nbytes", 1.5), r"measured\[0\].nbytes is 1.5"),
        (lambda record: put(record["host"], "threads", True), "table.host.threads is True"),
        (lambda record: put(record["measured"][0]["build"], "rows", -1), "rows of a build is -1"),
        (
            lambda record: put(record["measured"][1]["timings"][0], "seconds", "nan"),
            "a time of openvino, 1 row is nan",
        ),
    ],
)
def test_json_that_is_no_table(change: Callable[[dict[str, Any]], None], words: str) -> None:
    record = json.loads(table_bytes(SAMPLE))
    change(record)
    with pytest.raises(TableError, match=words):
        decode_table(record)
    with pytest.raises(TableError, match=words):
        read_table(json.dumps(record).encode())


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b"NaN", b"[" * 100_000, b'{"a":1,"a":1}']
)
def test_bytes_that_are_no_table(data: bytes) -> None:
    with pytest.raises(TableError):
        read_table(data)


@given(tables((1, 2), 3))
def test_any_flipped_byte_gives_a_table_or_a_table_error(table: CostTable) -> None:
    data = bytearray(table_bytes(table))
    for index in range(0, len(data), 7):
        data[index] ^= 1 << index % 8
        with suppress(TableError):
            check_table(read_table(bytes(data)))
        data[index] ^= 1 << index % 8


def test_table_errors_are_ours() -> None:
    assert issubclass(TableError, GearshiftError)


@pytest.mark.parametrize("field", [field.name for field in fields(Host)])
def test_every_field_is_in_the_key(field: str) -> None:
    others = {
        "cpu": "another",
        "cores": 9,
        "threads": 2,
        "system": "Darwin arm64",
        "engines": (HOST.engines[0], EngineVersion("openvino", "2026.5.0")),
    }
    assert replace(HOST, **{field: others[field]}).key != HOST.key


def test_the_key_is_the_same_tomorrow(monkeypatch: pytest.MonkeyPatch) -> None:
    assert HOST.key == "9510d954c92fd754"
    monkeypatch.setattr(tables_module, "TABLE_VERSION", tables_module.TABLE_VERSION + 1)
    assert HOST.key != "9510d954c92fd754"


def test_this_host() -> None:
    host = this_host(["openvino", "null", "onnxruntime", "openvino"], 3)
    assert [each.name for each in host.engines] == ["null", "onnxruntime", "openvino"]
    assert EngineVersion("onnxruntime", metadata.version("onnxruntime")) in host.engines
    assert host.threads == 3
    assert host.cores >= 1
    assert host == this_host(["null", "onnxruntime", "openvino"], 3)
    check_table(table_of([fixed(1, 1.0)], host=host))


def test_engines_that_are_not_installed_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "openvino" else name)
    host = this_host(["openvino", "onnxruntime"], 1)
    assert [each.name for each in host.engines] == ["onnxruntime"]


def test_a_library_in_a_package_of_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", unknown)
    assert this_host(["null"], 1).engines == (EngineVersion("null", "1"),)


def test_engines_that_do_not_exist() -> None:
    with pytest.raises(OptionError, match="Did you mean 'openvino'"):
        this_host(["openvin"], 1)


def test_timestamp() -> None:
    made = datetime.fromisoformat(timestamp())
    assert abs(datetime.now(timezone.utc) - made) < timedelta(seconds=60)
    assert made.microsecond == 0


X86 = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 26
model\t\t: 2
model name\t: AMD EPYC
stepping\t: 1

processor\t: 1
model name\t: something else
"""
ARM = """processor\t: 0
CPU implementer\t: 0x41
CPU variant\t: 0x3
CPU part\t: 0xd0c
"""


def test_names_of_processors(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(X86)
    assert cpu_name(path) == "AMD EPYC"
    assert cpu_signature(path) == "AMD EPYC (family 26, model 2, stepping 1)"
    path.write_text(ARM)
    assert cpu_signature(path).endswith("(implementer 0x41, variant 0x3, part 0xd0c)")
    assert cpu_name(tmp_path / "missing") == cpu_signature(tmp_path / "missing")
