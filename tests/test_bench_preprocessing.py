"""The preprocessing benchmark: every way computes the same, and what is said of its times."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console

import gearshift

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where examples and benchmarks are

from benchmarks import main as bench
from benchmarks import preprocessing, tables
from benchmarks.batch import DisagreementError
from benchmarks.contender import Setup
from benchmarks.preprocessing import COUNTS, ENGINES, WAYS, Cell, Preprocessed
from benchmarks.ratios import best_over_ours
from benchmarks.rounds import Times
from examples.detector.demo import CONFIG

needs_photograph = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="the package matplotlib is not installed"
)


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    """A convolution in the detector's place, and random frames."""
    folder = tmp_path_factory.mktemp("frames")
    dice = np.random.default_rng(2)
    kernel = dice.standard_normal((2, 3, 32, 32), np.float32) / 32
    graph = helper.make_graph(
        [helper.make_node("Conv", ["images", "k"], ["y"], strides=[32, 32])],
        "frames",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, 480, 640])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2, 15, 20])],
        [numpy_helper.from_array(kernel, "k")],
    )
    path = folder / "m.onnx"
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), str(path))
    for name, aipp in (("detector.om", None), ("detector-aipp.om", CONFIG)):
        gearshift.compile(path, output=folder / name, dynamic_batch_size=COUNTS, aipp=aipp)
    frames = dice.integers(16, 236, (max(COUNTS), 720, 640), np.uint8)
    np.savez(folder / "rows.npz", images=frames)
    shape = {"images": (3, 480, 640)}
    return Setup(path, folder / "detector.om", folder / "rows.npz", 1, COUNTS, shape)


def test_every_way_on_every_engine_gives_the_same(setup: Setup) -> None:
    frames = setup.read_rows()
    outputs = {}
    for contender in preprocessing.contenders():
        with contender.open(setup) as runner:
            for count in COUNTS:
                (output,) = runner.run({"images": frames["images"][:count]})
                outputs[contender.name, count] = output
    assert len(outputs) == len(ENGINES) * len(WAYS) * len(COUNTS)
    for (name, count), output in outputs.items():
        expected = outputs["onnxruntime numpy", count]
        # The colours of OpenCV are one level of 255 apart, times the sum of a kernel.
        allowed = 3 if name.endswith("opencv") else 1e-3
        np.testing.assert_allclose(output, expected, atol=allowed, err_msg=f"{name} {count}")


@needs_photograph
def test_opencv_is_one_level_from_the_numbers_of_the_configuration() -> None:
    frames = preprocessing.camera_frames()[:2]
    made = preprocessing.WAYS["numpy"][1](Setup(*[Path()] * 3, 1, COUNTS, {}))(frames)
    apart = np.abs(preprocessing.opencv_input(frames) - made)
    assert 0 < apart.max() <= 1.01 / 255


@needs_photograph
def test_other_colours_are_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preprocessing, "opencv_input", lambda frames: np.zeros(1, np.float32))
    monkeypatch.setattr(preprocessing, "catalogue", lambda *_: [None])
    with pytest.raises(DisagreementError, match="levels from the conversion"):
        preprocessing.run_preprocessing(tmp_path, 1, 0.0, lambda *_: None)


def found() -> Preprocessed:
    """Made-up times: numpy takes twice as long as the folded model, OpenCV half."""
    seconds = {"folded": 2e-3, "numpy": 4e-3, "opencv": 1e-3, "ready": 1e-3}
    times = {way: Times(((each,), (each,))) for way, each in seconds.items()}
    ratios = {way: best_over_ours(times["folded"], [times[way]]) for way in WAYS if way != "folded"}
    cells = [Cell(engine, rows, times, ratios) for engine in ENGINES for rows in COUNTS]
    return Preprocessed(2, 0.0, tuple(cells))


def test_the_table_says_how_many_times_as_long_the_others_took() -> None:
    console = Console(file=io.StringIO(), width=tables.WIDTH)
    tables.print_preprocessed(console, found())
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    rows = [line.split() for line in printed.splitlines() if line.strip().startswith(ENGINES)]
    assert [(row[0], row[1]) for row in rows] == [
        (engine, str(count)) for engine in ENGINES for count in COUNTS
    ]
    assert all("2.000" in row and "0.500" in row for row in rows)


def test_the_part_by_itself_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEARSHIFT_CACHE_DIR", "elsewhere")  # restored, whatever the run sets
    asked: list[tuple[object, ...]] = []

    def run(*words: object) -> Preprocessed:
        asked.append(words[:3])
        return found()

    monkeypatch.setattr(bench, "run_preprocessing", run)
    monkeypatch.setattr(bench, "measure_machine", lambda *_: bench.Machine(1e9, 1e9))
    words = ("--parts", "aipp", "--seconds", "3", "--threads", "2", "--folder", str(tmp_path))
    assert bench.main(words) == 0
    assert asked == [(tmp_path, 2, 3.0)]
    assert "NV12 into the detector" in capsys.readouterr().out
    (path,) = tmp_path.glob("bench-*.json")
    record = json.loads(path.read_text())["aipp"]
    assert record["rounds"] == 2
    assert record["ways"].keys() == WAYS.keys()
    for cell in record["cells"]:
        numpy, folded = cell["ways"]["numpy"], cell["ways"]["folded"]
        ratio = cell["ratios"]["numpy"]
        assert math.isclose(ratio["value"], numpy["median"] / folded["median"])
        assert folded["visits"] == [[0.002], [0.002]]
