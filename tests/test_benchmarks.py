"""The benchmark at work: contenders in their processes, and a whole run of it, however short."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import os
import re
import signal
import statistics
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where examples and benchmarks are

from benchmarks import main as bench
from benchmarks import peers, record
from benchmarks.batch import DisagreementError, check_agreement
from benchmarks.contender import Contender, Feeds, Runner, Setup
from benchmarks.contenders import ONNX_RUNTIME, OPENVINO
from benchmarks.limits import Machine, work_of
from benchmarks.main import main
from benchmarks.prepare import COUNTS, Ready
from benchmarks.rounds import changing_count, measure, same_count
from benchmarks.screen import steps
from benchmarks.starting import StartError, Starts, run_starts
from benchmarks.worker import WorkerError, open_workers
from benchmarks.zoo.catalogue import Model, draw_images

from gearshift.tensors import Array

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = np.random.default_rng(1).normal(size=(8, 4)).astype(np.float32)


@pytest.fixture
def ready(tmp_path: Path) -> Ready:
    """A matrix product, with numpy's own answers as the reference."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )
    path = tmp_path / "product.onnx"
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), str(path))
    model = Model("product", path, {"x": (8,)}, "a product", draw_images)
    feeds = model.rows(max(COUNTS), seed=2)
    np.savez(tmp_path / "rows.npz", x=feeds["x"])
    np.savez(tmp_path / "right.npz", feeds["x"] @ WEIGHTS)
    setup = Setup(path, path, tmp_path / "rows.npz", 1, (2, 4), {"x": (8,)})
    return Ready(model, setup, tmp_path / "right.npz")


@contextmanager
def _numpy(setup: Setup, *, wrong_at: int = 0) -> Iterator[Runner]:
    def run(feeds: Feeds) -> list[Array]:
        output = feeds["x"] @ WEIGHTS
        return [output * 1.01 if len(output) == wrong_at else output]

    yield Runner(run, plan=lambda rows: f"{rows} at once")


@contextmanager
def _broken(setup: Setup) -> Iterator[Runner]:
    raise RuntimeError("broken on purpose")
    yield  # pragma: no cover - makes it a generator


def test_workers_run_plan_and_time(ready: Ready) -> None:
    contenders = [Contender("one", "", _numpy), Contender("two", "", _numpy, every=3)]
    with open_workers(contenders, ready.setup) as workers:
        (output,) = workers[0].run({"x": np.ones((2, 8), np.float32)})
        np.testing.assert_allclose(output, [WEIGHTS.sum(axis=0)] * 2, rtol=1e-5)
        assert workers[1].plan(5) == "5 at once"
        board = measure(workers, changing_count([1, 2, 3]), seconds=0.0, least_rounds=4)
        other = measure(workers, same_count([2], calls=3), seconds=0.0, least_rounds=1)
    assert board.rounds == 4
    assert all(len(board.times("one", rows).samples) == 4 for rows in (1, 2, 3))
    assert all(len(board.times("two", rows).samples) == 2 for rows in (1, 2, 3))
    assert [len(other.times(name, 2).samples) for name in ("one", "two")] == [3, 1]


def test_a_contender_that_fails_is_named(ready: Ready) -> None:
    with (
        pytest.raises(WorkerError, match="bad: its process ended"),
        open_workers([Contender("bad", "", _broken)], ready.setup),
    ):
        pass


def test_nothing_is_timed_if_a_contender_computes_something_else(ready: Ready) -> None:
    wrong = Contender("wrong", "", partial(_numpy, wrong_at=3))
    with (
        open_workers([Contender("right", "", _numpy), wrong], ready.setup) as workers,
        pytest.raises(DisagreementError, match="'wrong' for 3 rows"),
    ):
        check_agreement(workers, ready)


@pytest.mark.parametrize(
    ("cut", "sizes"),
    [
        (peers.exactly, [1, 2, 3, 4, 9]),
        (peers.always_largest, [4, 4, 4, 4, 4]),
        (peers.row_by_row, [1, 1, 1, 1, 1]),
        (peers.next_gear, [2, 2, 4, 4, 4]),
    ],
)
def test_static_programs_give_every_row(ready: Ready, cut: peers.Cut, sizes: list[int]) -> None:
    counts = (1, 2, 3, 4, 9)
    assert [cut(ready.setup, rows) for rows in counts] == sizes
    check_rows(partial(peers.openvino_static, cut=cut), ready, counts)


def test_dynamic_peers_give_every_row(ready: Ready) -> None:
    check_rows(peers.openvino_dynamic, ready, (1, 5, 2))
    check_rows(peers.onnxruntime_dynamic, ready, (1, 5, 2))


def check_rows(open_peer: Callable[..., object], ready: Ready, counts: tuple[int, ...]) -> None:
    rows = ready.setup.read_rows()["x"]
    with open_peer(ready.setup) as runner:  # type: ignore[attr-defined]
        kept = [(count, runner.run({"x": rows[:count]})) for count in counts]
    for count, (output,) in kept:  # a later call must not have written over an earlier one's
        np.testing.assert_allclose(output, rows[:count] @ WEIGHTS, rtol=1e-4, atol=1e-5)


def test_work_is_counted_from_the_graph(ready: Ready) -> None:
    work = work_of(ready.model)
    assert (work.flops, work.weight_bytes) == (2 * 8 * 4, WEIGHTS.nbytes)


def test_starts_are_told_apart(ready: Ready) -> None:
    shares: list[float] = []
    found = run_starts(ready, [ONNX_RUNTIME, OPENVINO], 1, lambda _, share: shares.append(share))
    assert [each.contender for each in found] == ["onnxruntime", "openvino"]
    assert shares == [0.25, 0.5, 0.75, 1.0]
    for each in found:
        assert each.engines == (each.contender,)
        (start,) = each.timed
        assert start.further.keys() == {4}
        assert min(start.imports, start.first, start.worst) > 0
        assert start.whole == start.imports + start.first
        assert start.memory is None
        memory = each.memory
        assert 0 < memory.before < memory.resident
        assert 0 < memory.own <= memory.resident
        assert memory.peak is None or memory.peak >= memory.before
    json.dumps(record.of_starts(found))


def test_a_start_that_fails_says_why(ready: Ready) -> None:
    missing = Ready(ready.model, Setup(*_paths_to("nothing.onnx", ready)), ready.reference)
    with pytest.raises(StartError, match=r"'onnxruntime' did not start(.|\n)*nothing\.onnx"):
        run_starts(missing, [ONNX_RUNTIME], 1, lambda *_: None)


def _paths_to(name: str, ready: Ready) -> tuple[Path, Path, Path, int, tuple[int, ...], dict]:
    path = ready.setup.onnx.with_name(name)
    return path, path, ready.setup.rows, 1, ready.setup.gears, {"x": (8,)}


def test_the_bar_counts_steps() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with steps(console, total=2) as on_progress:
        on_progress("one", 0.5)
        on_progress("two", 7.0)
    log = Console(file=io.StringIO(), width=80)
    with steps(log, total=2) as on_progress:
        on_progress("one", 0.5)
        on_progress("one", 1.0)
    assert log.file.getvalue() == "one ...\n"  # type: ignore[attr-defined]


def test_a_whole_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEARSHIFT_CACHE_DIR", "elsewhere")  # restored, whatever the run sets
    flags = "--models cls --contenders gearshift,onnxruntime --parts batch --seconds 0.1"
    status = main([*flags.split(), "--tune-seconds", "0", "--folder", str(tmp_path)])
    shown = capsys.readouterr().out
    assert status == 0, shown
    assert "cls, changing number of rows" in shown
    (path,) = tmp_path.glob("bench-*.json")
    found = json.loads(path.read_text())
    assert found["contenders"]["onnxruntime"] | {"how": ""} == {
        "how": "",
        "threads": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "precision": "f32",
    }
    sheets = found["batch"]["sheets"]
    assert [(each["model"], each["protocol"]) for each in sheets] == [
        ("cls", "changing"),
        ("cls", "same"),
    ]
    logs = [_check_cell(cell) for each in sheets for cell in each["cells"]]
    assert len(logs) == 32
    mean = found["batch"]["summary"]["mean"]
    assert math.log(mean) == pytest.approx(statistics.fmean(logs))
    assert list((tmp_path / "cache").rglob("*"))  # what was measured is there, and nowhere else
    if importlib.util.find_spec("matplotlib"):
        assert (tmp_path / "ratios.png").read_bytes().startswith(b"\x89PNG")
        assert "</svg>" in (tmp_path / "ratios.svg").read_text()


def _check_cell(cell: dict) -> float:
    """The logarithm of its ratio."""
    medians = {}
    for name, times in cell["contenders"].items():
        samples = [sample for visit in times["visits"] for sample in visit]
        assert len(samples) >= 3
        assert times["median"] == statistics.median(samples)
        medians[name] = times["median"]
    ratio = cell["ratio"]
    assert ratio["value"] == pytest.approx(medians["onnxruntime"] / medians["gearshift"])
    assert ratio["low"] <= ratio["high"]
    assert cell["plan"]
    return math.log(ratio["value"])


def test_unknown_names_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--models", "cls,vgg"])
    assert "'vgg' is none of cls, rec" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("--repetitions", "0"),
        ("--repetitions", "two"),
        ("--threads", "0"),
        ("--threads", "9" * 5000),
        ("--seconds", "nan"),
        ("--seconds=-1",),
        ("--tune-seconds", "inf"),
    ],
    ids=lambda words: " ".join(words)[:24],
)
def test_numbers_that_mean_nothing_are_refused(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert re.search("is no (whole )?number", capsys.readouterr().err)


def test_a_refusal_loses_nothing_that_was_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEARSHIFT_CACHE_DIR", "elsewhere")  # restored, whatever the run sets
    finished: list[str] = []

    def starts(ready: Ready, *_: object) -> list[Starts]:
        if finished:
            raise StartError("the second model does not start")
        finished.append(ready.model.name)
        return [Starts(ready.model.name, "gearshift", (), (), None)]

    models = [types.SimpleNamespace(name=name) for name in ("one", "two")]
    monkeypatch.setattr(bench, "measure_machine", lambda *_: Machine(1e9, 1e9))
    monkeypatch.setattr(bench, "catalogue", lambda *_: models)
    monkeypatch.setattr(bench, "work_of", lambda _: None)
    monkeypatch.setattr(bench, "prepare", lambda model, *_: Ready(model, None, tmp_path))
    monkeypatch.setattr(bench.record, "of_model", lambda *_: {})
    monkeypatch.setattr(bench.record, "of_machine", lambda *_: {})
    monkeypatch.setattr(bench.tables, "print_header", lambda *_: None)
    monkeypatch.setattr(bench.tables, "print_starts", lambda *_: None)
    monkeypatch.setattr(bench.plots, "can_draw", lambda: False)
    monkeypatch.setattr(bench, "run_starts", starts)
    words = ("--parts", "starts", "--tune-seconds", ".5", "--folder", str(tmp_path))
    assert main(words) == 1
    shown = capsys.readouterr()
    assert "the second model does not start" in shown.err
    assert "what was finished before that" in shown.out
    (path,) = tmp_path.glob("bench-*.json")
    found = json.loads(path.read_text())
    assert [each["model"] for each in found["starts"]] == ["one"]
    settings = found["settings"]
    assert settings["words"] == list(words)
    assert (settings["seconds"], settings["tune_seconds"], settings["repetitions"]) == (15, 0.5, 5)
    path.unlink()
    assert main(words) == 1  # now the first model is refused
    assert not list(tmp_path.glob("bench-*.json"))


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to send")
def test_ctrl_c_ends_it_clean(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--models", "cls", "--folder", str(tmp_path)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "measuring the machine ...\n"
        process.send_signal(signal.SIGINT)
        shown, complaints = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped by Ctrl-C" in shown
    assert "Traceback" not in complaints
    assert list(tmp_path.glob("bench-*.json"))  # what was found so far
