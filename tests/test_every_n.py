"""Every number of rows from 0 to 20 gives ONNX Runtime's numbers, in order, on every engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import gearshift
from gearshift.options import Budget
from gearshift.placing import usable_cores
from gearshift.tensors import Array, Shape
from graphs import rapidocr_model
from models import detector, run_onnxruntime

ROWS = 21
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Case:
    path: Callable[[Path], Path]
    shapes: dict[str, Shape]


CASES = {
    "recogniser": Case(lambda _: rapidocr_model("rec"), {"x": (-1, 3, 48, 320)}),
    "classifier": Case(lambda _: rapidocr_model("cls"), {"x": (-1, 3, 48, 192)}),
    "detector": Case(
        lambda folder: detector(folder / "detector.onnx"),
        {"data": (-1, 3, 416, 416), "img_info": (-1, 4)},
    ),
}


@dataclass(frozen=True)
class Compiled:
    artifact: Path
    feeds: dict[str, Array]
    expected: dict[str, Array]


@pytest.fixture(scope="module", params=CASES)
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    case = CASES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    onnx_file = case.path(folder)
    random = np.random.default_rng(7)
    feeds = {
        name: random.random((ROWS, *shape[1:]), np.float32) for name, shape in case.shapes.items()
    }
    report = gearshift.compile(
        onnx_file,
        output=folder / "model.om",
        input_shape=case.shapes,
        dynamic_batch_size=[1, 2, 4, 8],
    )
    assert report.manifest.proof.verdict == "proved"
    assert report.manifest.proof.tested
    return Compiled(report.output, feeds, run_onnxruntime(onnx_file, feeds))


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_every_number_of_rows(compiled: Compiled, engine: str) -> None:
    with gearshift.load(compiled.artifact, engine=engine) as model:
        for rows in range(ROWS):
            outputs = model.run({name: feed[:rows] for name, feed in compiled.feeds.items()})
            assert list(outputs) == list(compiled.expected)
            for name, expected in compiled.expected.items():
                assert outputs[name].shape == (rows, *expected.shape[1:])
                np.testing.assert_allclose(
                    outputs[name], expected[:rows], atol=TOLERANCE, rtol=0, err_msg=f"{rows} rows"
                )


def test_gears_take_turns_without_leaving_a_trace(compiled: Compiled) -> None:
    """8, 1, 8, 2, 8: a gear that ran in between changes no bit of the next run of another."""
    with gearshift.load(compiled.artifact) as model:
        feeds = compiled.feeds
        eight = model.run({name: feed[:8] for name, feed in feeds.items()}, gear=8)
        for other in (1, 2):
            model.run({name: feed[8 : 8 + other] for name, feed in feeds.items()}, gear=other)
            again = model.run({name: feed[:8] for name, feed in feeds.items()}, gear=8)
            for name, output in eight.items():
                np.testing.assert_array_equal(again[name], output)


def test_nan_in_one_row_stays_there(compiled: Compiled) -> None:
    with gearshift.load(compiled.artifact) as model:
        clean = {name: feed[:4].copy() for name, feed in compiled.feeds.items()}
        before = model.run(clean, gear=4)
        for feed in clean.values():
            feed[2] = np.nan
        after = model.run(clean, gear=4)
        for name, output in before.items():
            np.testing.assert_array_equal(
                np.delete(after[name], 2, axis=0), np.delete(output, 2, axis=0)
            )


@pytest.fixture(scope="module")
def tuned(compiled: Compiled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compiled]:
    """The same, measured for long enough to have tried lanes, be the machine busy."""
    wanted = 2 if usable_cores() > 1 else 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEARSHIFT_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        with gearshift.load(compiled.artifact, tune=0) as model:
            for seconds in (8, 24, 72):
                table = model.tune(seconds)[0]
                lanes = max(each.build.lanes for each in table.measured)
                if lanes == wanted:
                    break
        assert {each.build.engine for each in table.measured} == {"openvino", "onnxruntime"}
        assert lanes == wanted
        yield compiled


@pytest.mark.parametrize("budget", ["balanced", "speed", "memory"])
def test_every_number_of_rows_on_measured_plans(tuned: Compiled, budget: Budget) -> None:
    with gearshift.load(tuned.artifact, memory_budget=budget, preload=True) as model:
        assert model.memory().measured
        for rows in range(ROWS):
            outputs = model.run({name: feed[:rows] for name, feed in tuned.feeds.items()})
            for name, expected in tuned.expected.items():
                np.testing.assert_allclose(
                    outputs[name], expected[:rows], atol=TOLERANCE, rtol=0, err_msg=f"{rows} rows"
                )


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_company_changes_no_bit_of_a_batch_invariant_row(
    tuned: Compiled, engine: str, measured: bool
) -> None:
    costs = None if measured else dict.fromkeys((1, 2, 4, 8), 1.0)
    with gearshift.load(
        tuned.artifact, engine=engine, costs=costs, batch_invariant=True, tune=0
    ) as model:
        alone = [
            model.run({name: feed[row : row + 1] for name, feed in tuned.feeds.items()})
            for row in range(ROWS)
        ]
        for rows in (2, 3, 8, ROWS):
            together = model.run({name: feed[:rows] for name, feed in tuned.feeds.items()})
            for name, array in together.items():
                for row in range(rows):
                    np.testing.assert_array_equal(array[row], alone[row][name][0])
