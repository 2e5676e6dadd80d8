"""Measured costs on the command line: `tune`, what `inspect` knows, and the words for both."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import gearshift
from artifacts import null_artifact
from gearshift.artifact.reader import Artifact
from gearshift.cli import known, tuning
from gearshift.cli.main import main
from gearshift.gears.build import Build
from gearshift.options import SessionOptions
from gearshift.tuning.cache import cache_files, find_table, keep_table
from gearshift.tuning.embedded import embed_table, embedded_tables
from gearshift.tuning.table import CostTable, Dropped, EngineBytes, PlanTime, Played, this_host
from models import save_text
from tables import fixed, opened, table_of

Printed = pytest.CaptureFixture[str]
PAIR = ("--threads", "2")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the tests work, with an artifact of gears 1, 2, 4, 8 and a cache of its own."""
    monkeypatch.setenv("GEARSHIFT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("GEARSHIFT_CACHE_BYTES", raising=False)
    monkeypatch.chdir(tmp_path)
    null_artifact(tmp_path)
    return tmp_path


@pytest.fixture
def no_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gearshift.strategy.tune", "gearshift.cli.tuning.measure"):
        monkeypatch.setattr(name, lambda *_, **__: pytest.fail("it measures"))


def by_hand(**changes: Any) -> CostTable:
    """A table for two threads of this host on which every plan can be worked out by hand.

    "balanced" allows the two fixed programs beside each other: 1 row 10 ms, 2 x 2 rows 12 ms.
    """
    with Artifact.open("null.om") as artifact:
        identity = artifact.identity
    table = table_of(
        [
            opened({1: 0.02, 2: 0.024, 4: 0.03, 8: 0.06}, 40, engine="null"),
            fixed(1, 0.010, 10, engine="null"),
            fixed(2, 0.012, 15, lanes=2, alone=0.011, engine="null"),
        ],
        dropped=[Dropped(Build("null", 8), "the engine refused it")],
        artifact=identity,
        host=this_host(["null"], 2),
    )
    return replace(table, engines=(EngineBytes("null", 5_000_000),), **changes)


def run(*words: str) -> int:
    return main(list(words))


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_inspect_says_how_to_measure(no_measuring: None, capsys: Printed) -> None:
    os.rename("null.om", "a b.om")
    assert run("inspect", "a b.om", *PAIR) == 0
    said = capsys.readouterr()
    assert "costs      not measured on this host with 2 threads; run: " in said.out
    assert "gearshift tune 'a b.om' --threads 2\n" in said.out
    assert not said.err
    assert run("inspect", "a b.om", *PAIR, "--json") == 0
    assert json.loads(capsys.readouterr().out)["frames"][0]["costs"] is None


def test_inspect_shows_what_is_known(no_measuring: None, capsys: Printed) -> None:
    keep_table(by_hand())
    assert run("inspect", "null.om", *PAIR) == 0
    text = capsys.readouterr().out
    assert "costs      measured 2026-11-22 18:00 UTC, 2 threads, in 10.0 s\n" in text
    assert "memory     30.0 MB for programs and their engines; balanced allows " in text
    said = lines(text)
    assert ["null,", "1", "row", "1", "10.0", "10.0", "10.0", "MB"] in said
    assert ["null,", "2", "rows", "in", "2", "lanes", "4", "12.0", "3.00", "15.0", "MB"] in said
    assert not any(line[:3] == ["null,", "any", "rows"] for line in said)
    for plan in (
        "1 1 10.0 10.0",
        "2 2 11.0 5.50",
        "4 [2 | 2] 12.0 3.00",
        "8 [2x2 | 2x2] 24.0 3.00",
    ):
        assert plan.split() in said


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (0.042, "in 10.0 s; others took 4 % of the machine\n"),
        (0.5, "; others took 50 % of the machine (a busy machine: measure again)\n"),
    ],
)
def test_how_busy_the_machine_was(others: float, said: str, capsys: Printed) -> None:
    keep_table(by_hand(others=others))
    assert run("inspect", "null.om", *PAIR) == 0
    assert said in capsys.readouterr().out


def test_inspect_under_another_budget(capsys: Printed) -> None:
    keep_table(by_hand())
    assert run("inspect", "null.om", *PAIR, "--memory-budget", "memory") == 0
    text = capsys.readouterr().out
    assert ["8", "1x8", "80.0", "10.0"] in lines(text)
    assert "memory     15.0 MB for programs and their engines; memory allows 15.2 MB\n" in text
    assert run("inspect", "null.om", *PAIR, "--memory-budget", "16MB") == 0
    assert "15.0 MB for programs and their engines; allowed are 16.0 MB" in capsys.readouterr().out
    assert run("inspect", "null.om", *PAIR, "--memory-budget", "1MB") == 1
    assert "takes 15000000 bytes" in capsys.readouterr().err


def test_a_range_of_times_in_one_line(capsys: Printed) -> None:
    table = by_hand()
    keep_table(replace(table, measured=table.measured[:1]))
    assert run("inspect", "null.om", *PAIR) == 0
    assert ["null,", "any", "rows", "1-8", "20.0-60.0", "7.50-20.0", "40.0", "MB"] in lines(
        capsys.readouterr().out
    )


def test_inspect_lists_embedded_tables(no_measuring: None, capsys: Printed) -> None:
    ours = by_hand()
    other = replace(ours.host, cpu="Other\x1b CPU")
    embed_table("null.om", ours)
    embed_table("null.om", replace(ours, host=other, made="2025-01-02T03:04:05+00:00"))
    assert run("inspect", "null.om", *PAIR) == 0
    text = capsys.readouterr().out
    assert "embedded   Other\\x1b CPU, 2 threads, null, 2025-01-02 03:04 UTC\n" in text
    assert f"{ours.host.cpu}, 2 threads, null, 2026-11-22 18:00 UTC, this host\n" in text
    assert "costs      measured 2026-11-22" in text, "what is embedded counts as known"
    assert run("inspect", "null.om", "--json", *PAIR) == 0
    said = json.loads(capsys.readouterr().out)
    assert [table["host"]["cpu"] for table in said["embedded"]] == ["Other\x1b CPU", ours.host.cpu]


def test_inspect_where_no_engine_is(monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    def missing(*_: object) -> None:
        raise gearshift.errors.EngineError("the engine is not installed")

    monkeypatch.setattr(known, "known_table", missing)
    assert run("inspect", "null.om") == 0
    text = capsys.readouterr().out
    assert "costs      not known here: the engine is not installed\n" in text
    assert "gears      1, 2, 4, 8\n" in text


def test_a_table_that_lacks_a_gear(capsys: Printed) -> None:
    null_artifact(Path(), separable=False)
    table = by_hand()
    keep_table(replace(table, measured=table.measured[1:2]))
    assert run("inspect", "null.om", *PAIR) == 0
    assert "costs      not known here: no program that was measured" in capsys.readouterr().out


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Puts the table by hand in the place of a measurement; gives the seconds asked for."""
    asked: list[float | None] = []

    def measure(artifact: object, gears: object, options: object, seconds: float, tell: Any) -> Any:
        asked.append(seconds)
        for done in (0.0, 0.04, 0.5, 0.51, 1.0):
            tell(f"at {done}", done)
        keep_table(by_hand())
        return type("Strategy", (), {"table": by_hand()})

    monkeypatch.setattr(tuning, "measure", measure)
    return asked


def test_tune_shows_every_program(
    measured: list[float | None], folder: Path, capsys: Printed
) -> None:
    assert run("tune", "null.om", *PAIR, "--seconds", "2.5") == 0
    assert measured == [2.5]
    said = capsys.readouterr()
    assert said.err.split("\n") == [
        "  0%  at 0.0 ...", " 50%  at 0.5 ...", "100%  at 1.0 ...", "",
    ]  # fmt: skip
    assert "\x1b" not in said.out
    text = lines(said.out)
    version = gearshift.__version__
    for line in (
        f"null {version} yes 5.0 MB library and network",
        "any rows no 1 20.0 20.0 40.0 MB never quicker than those used",
        "4 30.0 7.50",
        "1 row yes 1 10.0 10.0 10.0 MB without it",
        "2 rows in 2 lanes yes 4 12.0 3.00 15.0 MB without it",
        "null, 8 rows: dropped: the engine refused it",
    ):
        assert any(row[: len(line.split())] == line.split() for row in text), line
    (kept,) = (folder / "cache").iterdir()
    assert ["kept", str(kept)] in text


def test_what_was_ruled_out_for_one_reason_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    late = [Dropped(Build("null", rows, lanes), "no time") for rows in (4, 8) for lanes in (1, 2)]
    table = by_hand(dropped=(*late, Dropped(Build("null", 6), "it was refused")))
    measured = type("Strategy", (), {"table": table})
    monkeypatch.setattr(tuning, "measure", lambda *_: measured)
    assert run("tune", "null.om", *PAIR) == 0
    said = capsys.readouterr().out.splitlines()
    together = "null, 4 rows; 4 rows in 2 lanes; 8 rows; 8 rows in 2 lanes: dropped: no time"
    assert together in said
    assert "null, 6 rows: dropped: it was refused" in said


def whole_plans() -> tuple[Played, ...]:
    """Those of what looks best, and of two other sets: of 1 row, and of 8."""
    one, pair, any_rows = Build("null", 1), Build("null", 2, lanes=2), Build("null", 0)
    return (
        Played((one, pair), (PlanTime(1, 0.010), PlanTime(8, 0.030))),
        Played((one,), (PlanTime(1, 0.010), PlanTime(8, 0.080))),
        Played((any_rows,), (PlanTime(1, 0.012), PlanTime(8, 0.024))),
    )


def test_sets_whose_whole_plans_ran_are_listed_the_quickest_first(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    table = by_hand(played=whole_plans())
    monkeypatch.setattr(tuning, "measure", lambda *_: type("Strategy", (), {"table": table}))
    assert run("tune", "null.om", *PAIR) == 0
    text = lines(capsys.readouterr().out)
    head = ["programs", "whose", "whole", "plans", "ran", "used", "longer", "at", "worst", "memory"]
    listed = text[text.index(head) :]
    wanted = [
        "null: any rows yes - - 45.0 MB",
        "null: 1 row; 2 rows in 2 lanes no 4.2 % 25.0 % 30.0 MB",
        "null: 1 row no 108.3 % 233.3 % 15.0 MB",
    ]
    assert [line for line in listed if line[:1] == ["null:"]] == [line.split() for line in wanted]
    assert run("tune", "null.om", *PAIR, "--json") == 0
    sets = json.loads(capsys.readouterr().out)["frames"][0]["costs"]["sets"]
    assert [each["used"] for each in sets] == [True, False, False]
    assert sets[1] == {
        "builds": [
            {"engine": "null", "rows": 1, "lanes": 1, "threads": 0},
            {"engine": "null", "rows": 2, "lanes": 2, "threads": 0},
        ],
        "used": False,
        "longer": pytest.approx((10 / 12 + 30 / 24) / 2 - 1),
        "worst": pytest.approx(0.25),
        "nbytes": 30_000_000,
    }


def test_without_whole_plans_no_sets_are_listed(
    measured: list[float | None], capsys: Printed
) -> None:
    assert run("tune", "null.om", *PAIR) == 0
    assert "whole plans ran" not in capsys.readouterr().out
    assert run("tune", "null.om", *PAIR, "--json") == 0
    assert json.loads(capsys.readouterr().out)["frames"][0]["costs"]["sets"] == []


def test_tune_shows_what_plans_win(measured: list[float | None], capsys: Printed) -> None:
    assert run("tune", "null.om", *PAIR) == 0
    text = lines(capsys.readouterr().out)
    for line in (
        "rows plan ms ms/row dynamic batch one gear",
        "1 1 10.0 10.0 20.0 (2.00x) 10.0 (1.00x)",
        "2 2 11.0 5.50 24.0 (2.18x) 24.0 (2.18x)",
        "3 [2 | 2(1 row)] 12.0 4.00 - 30.0 (2.50x)",
        "4 [2 | 2] 12.0 3.00 30.0 (2.50x) 30.0 (2.50x)",
        "5 1 + [2 | 2] 22.0 4.40 - 60.0 (2.73x)",
        "8 [2x2 | 2x2] 24.0 3.00 60.0 (2.50x) 60.0 (2.50x)",
        "16 [2x4 | 2x4] 48.0 3.00 - -",
    ):
        assert line.split() in text, line


def test_tune_on_the_rows_asked_for(measured: list[float | None], capsys: Printed) -> None:
    assert run("tune", "null.om", *PAIR, "--rows", "8,1-2, 100", "--json") == 0
    plans = json.loads(capsys.readouterr().out)["frames"][0]["costs"]["plans"]
    assert [plan["rows"] for plan in plans] == [1, 2, 8, 100]
    assert plans[2] == {
        "rows": 8,
        "plan": "[2 + 2 | 2 + 2]",
        "pieces": [{"gear": 2, "rows": 2, "lane": lane, "before": None} for lane in (0, 0, 1, 1)],
        "seconds": pytest.approx(0.024),
        "dynamic_seconds": 0.06,
        "one_gear_seconds": 0.06,
        "as_it_ran": False,
    }
    assert plans[3]["one_gear_seconds"] is None


def test_a_plan_that_ran_quicker_is_shown_and_taken(capsys: Printed) -> None:
    one, pair = Build("null", 1), Build("null", 2, lanes=2)
    times = PlanTime(1, 0.010), PlanTime(8, 0.020, through=(one,))
    keep_table(by_hand(played=(Played((one, pair), times),)))
    assert run("inspect", "null.om", *PAIR) == 0
    said = lines(capsys.readouterr().out)
    assert ["8", "1x8", "*", "80.0", "10.0"] in said
    assert ["4", "[2", "|", "2]", "12.0", "3.00"] in said
    assert run("inspect", "null.om", *PAIR, "--json") == 0
    plans = json.loads(capsys.readouterr().out)["frames"][0]["costs"]["plans"]
    assert [plan["rows"] for plan in plans if plan["as_it_ran"]] == [8]
    with gearshift.load("null.om", threads=2) as model:
        assert [model.plan(rows).short for rows in (4, 8)] == ["[2 | 2]", "1x8"]
        model.prepare(8)
        model.run({"x": np.ones((8, 3), np.float32)})
        assert model.stats().gears[1].runs == 8


def test_tune_can_embed(measured: list[float | None], folder: Path, capsys: Printed) -> None:
    assert run("tune", "null.om", *PAIR, "--embed") == 0
    assert "embedded   in null.om\n" in capsys.readouterr().out
    with Artifact.open("null.om") as artifact:
        assert embedded_tables(artifact) == (by_hand(),)
    assert run("tune", "null.om", *PAIR, "--embed", "--json") == 0
    (said,) = json.loads(capsys.readouterr().out)["frames"]
    assert said["embedded"]
    assert Path(said["kept"]).parent == folder / "cache"


def test_what_is_for_now_is_neither_kept_nor_embedded(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    def measured(*_: object, wanted: Any, **__: object) -> CostTable:
        table = by_hand(ended=("null",))
        list(wanted(table))
        return table

    monkeypatch.setattr("gearshift.strategy.tune", measured)
    assert run("tune", "null.om", *PAIR, "--embed") == 0
    said = capsys.readouterr()
    why = "the process that measured null ended twice. Measure again: gearshift tune."
    assert f"kept       not: {why}\n" in said.out
    assert f"embedded   not: {why}\n" in said.out
    assert f"used for now and not kept: {why}\n" in said.err
    assert run("tune", "null.om", *PAIR, "--embed", "--json") == 0
    (parsed,) = json.loads(capsys.readouterr().out)["frames"]
    assert parsed["kept"] is None
    assert parsed["why_not_kept"] == why
    assert parsed["embedded"] is False
    assert parsed["costs"]["table"]["ended"] == ["null"]
    with Artifact.open("null.om") as artifact:
        assert not embedded_tables(artifact)


def test_nothing_is_measured_that_cannot_be_embedded(
    no_measuring: None, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert run("tune", "null.om", "--embed") == 1
    assert "Leave --embed out" in capsys.readouterr().err


def test_a_cache_that_cannot_be_written(
    measured: list[float | None], folder: Path, capsys: Printed
) -> None:
    (folder / "cache").write_text("a file where the folder should be")
    assert run("tune", "null.om", *PAIR) == 0
    said = capsys.readouterr()
    assert f"kept       not: {folder / 'cache'} cannot be written\n" in said.out
    assert f"gearshift: nothing is kept in {folder / 'cache'}" in said.err


def test_a_budget_that_allows_nothing_loses_no_measurement(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    def measured(*_: object, wanted: Any, **__: object) -> CostTable:
        table = by_hand()
        list(wanted(table))
        return table

    monkeypatch.setattr("gearshift.strategy.tune", measured)
    assert run("tune", "null.om", *PAIR, "--memory-budget", "1kB", "--embed") == 1
    said = capsys.readouterr().err
    assert "takes 15000000 bytes" in said
    assert "What was measured is kept: " in said
    assert said.endswith(", in null.om.\n")
    with Artifact.open("null.om") as artifact:
        assert embedded_tables(artifact) == (by_hand(),)
    assert run("inspect", "null.om", *PAIR) == 0
    assert "costs      measured 2026-11-22" in capsys.readouterr().out


def test_a_mistake_before_measuring_claims_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    keep_table(by_hand())
    monkeypatch.setenv("GEARSHIFT_TUNE_SECONDS", "soon")
    assert run("tune", "null.om", *PAIR, "--embed") == 1
    said = capsys.readouterr().err
    assert "GEARSHIFT_TUNE_SECONDS" in said
    assert "is kept" not in said
    with Artifact.open("null.om") as artifact:
        assert not embedded_tables(artifact)


def test_rows_that_are_not_independent(
    no_measuring: None, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    null_artifact(Path(), sizes=(8, 2, 4), separable=False)
    assert run("tune", "null.om", "--rows", "1,3,5-7") == 1
    assert "Choose from its gears: 8, 2, 4." in capsys.readouterr().err
    keep_table(by_hand())
    assert run("inspect", "null.om", *PAIR) == 0
    text = lines(capsys.readouterr().out)
    assert ["4", "4", "30.0", "7.50"] in text
    assert ["8", "8", "60.0", "7.50"] in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rows", "0"], "got '0'; allowed: numbers of 1 or more"),
        (["--rows", "5-3"], "got '5-3'; allowed"),
        (["--rows", "1-9999"], "got '1-9999'; allowed: numbers that make 1000000 together"),
        (["--rows", "999999999"], "Name fewer or smaller ones"),
        (["--rows", "1-1000,1000,600000"], "numbers that make 1000000 together"),
        (["--rows", "1;2"], "1-32,64"),
        (["--seconds", "-1"], "got '-1'; allowed: a number of seconds, such as 2.5"),
        (["--seconds", "inf"], "got 'inf'; allowed: a number of seconds, such as 2.5"),
        (["--seconds", "nan"], "got 'nan'; allowed: a number of seconds, such as 2.5"),
        (["--memory-budget", "fast"], "allowed: balanced, speed, memory, bytes"),
        (["--memory-budget", "0"], "got '0'; allowed"),
        (["--engine", "null"], "invalid choice"),
    ],
)
def test_mistakes(no_measuring: None, capsys: Printed, words: list[str], said: str) -> None:
    assert main(["tune", "null.om", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"), [(".5", 0.5), ("5e0", 5.0), ("0", 0.0), ("2.", 2.0), ("123456", 123456.0)]
)
def test_ways_to_write_seconds(measured: list[float | None], text: str, seconds: float) -> None:
    assert run("tune", "null.om", *PAIR, "--seconds", text) == 0
    assert measured == [seconds]
    assert SessionOptions(tune=seconds).tune == seconds


def test_the_most_rows_there_are(measured: list[float | None], capsys: Printed) -> None:
    assert run("tune", "null.om", *PAIR, "--rows", "1-100,100000", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["frames"][0]["costs"]["plans"]) == 101


def test_real_measuring(folder: Path, capsys: Printed) -> None:
    assert run("tune", "null.om", *PAIR, "--seconds", "0", "--json") == 0
    costs = json.loads(capsys.readouterr().out)["frames"][0]["costs"]
    with Artifact.open("null.om") as artifact:
        table = find_table(artifact.identity, this_host(["null"], 2))
    assert table is not None
    tried = {each.build for each in table.measured} | {each.build for each in table.dropped}
    shown = [Build(**program["build"]) for program in costs["programs"]]
    assert set(shown) == tried
    assert len(shown) == len(tried)
    # A session plans by the very same costs.
    with gearshift.load("null.om", threads=2) as model:
        used = {program.build for program in model.memory().programs}
        for plan in costs["plans"]:
            assert str(model.plan(plan["rows"])) == plan["plan"]
            assert model.plan(plan["rows"]).cost == pytest.approx(plan["seconds"])
    assert used == {Build(**program["build"]) for program in costs["programs"] if program["used"]}


def test_a_real_engine(folder: Path, capsys: Printed) -> None:
    model = """
    <ir_version: 8, opset_import: ["" : 17]>
    m (float[N, 4] x) => (float[N, 4] y) { y = Relu (x) }
    """
    save_text(model, folder / "m.onnx")
    assert run("compile", "m.onnx", "-g", "1,2", "--engine", "onnxruntime") == 0
    assert run("tune", "m.om", "--seconds", "3") == 0
    said = capsys.readouterr()
    assert "onnxruntime, any rows" not in said.out, "below its engine its name is left out"
    assert "  any rows" in said.out
    assert "0%  opening onnxruntime ..." in said.err
    assert run("inspect", "m.om") == 0
    assert "onnxruntime, any rows" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_ctrl_c_leaves_no_process_behind() -> None:
    words = ["tune", "null.om", "--seconds", "100"]
    with subprocess.Popen(
        [sys.executable, "-m", "gearshift.cli.main", *words],
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "timing" in line:
                break
        children = psutil.Process(process.pid).children(recursive=True)
        assert children, "each engine is measured in a process of its own"
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(timeout=60) == 130
    assert said.splitlines()[-1] == "interrupted"
    assert "Traceback" not in said
    assert not any(child.is_running() for child in children)
    assert not list(cache_files())


def test_run_measures_only_if_told(
    no_measuring: None, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.setenv("GEARSHIFT_TUNE_SECONDS", "5")
    np.save("x.npy", np.ones((3, 3), np.float32))
    assert run("run", "null.om", "-i", "x.npy") == 0
    said = capsys.readouterr()
    assert "float32  [3, 2]" in said.out
    assert not said.err


def test_run_as_told(capsys: Printed) -> None:
    np.save("x.npy", np.ones((3, 3), np.float32))
    assert run("run", "null.om", "-i", "x.npy", "--tune", "0.1", "--memory-budget", "memory") == 0
    assert "measuring for 0.1 s, once" in capsys.readouterr().err
    assert [path.suffix for path, _ in cache_files()] == [".costs"]
    assert run("run", "null.om", "-i", "x.npy", "--tune", "0.1", "--batch-invariant") == 0
    said = capsys.readouterr()
    assert not said.err, "it is known now"
    assert " x 3; " in said.out, "one program, once for each row"
