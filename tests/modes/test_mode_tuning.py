"""Measuring a model of several frames: one table for each, kept, found again and obeyed."""

from __future__ import annotations

from pathlib import Path

import pytest
from mode_models import ENGINES, IMAGES, agree, feeds_of, folder, save

import gearshift
from gearshift.tuning import tuner
from gearshift.tuning.table import CostTable

__all__ = ["folder"]

FRAMES = {8: (1, 3), 16: (2,)}
"""Numbers of rows by width."""


@pytest.fixture(scope="module")
def onnx_file(folder: Path) -> Path:
    return save(IMAGES, folder)


@pytest.fixture
def artifact(onnx_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEARSHIFT_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "images.om"
    gearshift.compile(
        onnx_file, output=path, input_shape="x:-1,3,8,-1", dynamic_dims="1,8;2,16;3,8"
    )
    return path


def rows_measured(table: CostTable) -> set[int]:
    return {timing.rows for each in table.measured for timing in each.timings}


def threads_tried(table: CostTable) -> set[int]:
    """Of what was measured, and of what there was no time or no reason for."""
    return {each.build.threads for each in (*table.measured, *table.dropped)}


def test_a_table_per_frame_is_kept_and_found_again(artifact: Path, onnx_file: Path) -> None:
    with gearshift.load(artifact) as model:
        assert not model.memory().measured
        tables = model.tune(seconds=0)
        assert model.memory().measured
    assert len(tables) == len(FRAMES)
    for number, (table, sizes) in enumerate(zip(tables, FRAMES.values(), strict=True)):
        assert table.frame == number
        assert rows_measured(table) <= set(range(1, max(sizes) + 1))
        assert {each.build.engine for each in table.measured} == set(ENGINES)
    with gearshift.load(artifact, preload=True) as again:
        assert again.memory().measured
        for width, sizes in FRAMES.items():
            for rows in range(1, 2 * max(sizes) + 1):
                feeds = feeds_of({"x": (rows, 3, 8, width)})
                agree(again, onnx_file, feeds)
                assert again.plan(rows, {"x": (rows, 3, 8, width)}).rows == rows


def test_loading_measures_every_frame_if_it_may(
    artifact: Path, onnx_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEARSHIFT_TUNE_SECONDS", "0.01")
    with gearshift.load(artifact, engine="onnxruntime") as model:
        assert model.memory().measured
        agree(model, onnx_file, feeds_of({"x": (5, 3, 8, 8)}))
    monkeypatch.setenv("GEARSHIFT_TUNE_SECONDS", "0")
    with gearshift.load(artifact, engine="onnxruntime") as model:
        assert model.memory().measured
    with gearshift.load(artifact, engine="openvino") as model:
        assert not model.memory().measured  # that was another question


def test_frames_share_the_time(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    class Stopped(Exception):
        pass

    def measure(*_: object, seconds: float, **__: object) -> CostTable:
        asked.append(seconds)
        raise Stopped

    with gearshift.load(artifact) as model:
        monkeypatch.setattr("gearshift.strategy.tune", measure)
        for seconds in (6.0, None):
            with pytest.raises(Stopped):
                model.tune(seconds)
    assert asked == [3.0, tuner.DEFAULT_SECONDS / 2]


def test_image_gears_and_ranges_are_measured_too(
    onnx_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEARSHIFT_CACHE_DIR", str(tmp_path / "cache"))
    ways = {
        "image": {"input_shape": "x:1,3,-1,-1", "dynamic_image_size": "8,8;8,16"},
        "range": {"input_shape_range": "x:[1~4,3,8,8~32]"},
        "fixed": {"input_shape": "x:1,3,8,16"},
    }
    for name, words in ways.items():
        path = tmp_path / f"{name}.om"
        gearshift.compile(onnx_file, output=path, **words)  # type: ignore[arg-type]
        with gearshift.load(path) as model:
            assert len(model.tune(seconds=0)) == (2 if name == "image" else 1)
        with gearshift.load(path) as model:
            assert model.memory().measured
            agree(model, onnx_file, feeds_of({"x": (1, 3, 8, 16)}))


def test_ranges_are_not_measured_on_one_thread(
    onnx_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The smallest input is what is timed, and the largest may be what runs."""
    monkeypatch.setenv("GEARSHIFT_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "range.om"
    gearshift.compile(onnx_file, output=path, input_shape_range="x:[1~8,3,8,8~640]")
    with gearshift.load(path, threads=2, tune=0) as model:
        (table,) = model.tune(seconds=0)
    assert threads_tried(table) == {0}
    fixed = tmp_path / "fixed.om"
    gearshift.compile(onnx_file, output=fixed, input_shape="x:1,3,8,8")
    with gearshift.load(fixed, threads=2, tune=0, engine="openvino") as model:
        (table,) = model.tune(seconds=0)
    assert threads_tried(table) == {0, 1}
