"""Whether ONNX Runtime's threads wait for the next run by spinning."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from weakref import WeakSet

import numpy as np
import onnxruntime
import pytest

import gearshift
from gearshift.engines import onnxruntime as engine
from gearshift.engines.base import EngineOptions
from gearshift.gears.build import OPEN, Build
from gearshift.session import Session
from models import save_text

_STOP = "session.force_spinning_stop"
_DOUBLE = """
    <ir_version: 8, opset_import: ["" : 17]>
    double (float[N,3] x) => (float[N,3] y) { y = Add(x, x) }
"""
_WIDE = Build("onnxruntime", OPEN)


@pytest.fixture
def spinning(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each session of ONNX Runtime that is made, whether its threads may spin on."""
    found: list[bool] = []
    make = engine._options

    def options(threads: int, **given: bool) -> onnxruntime.SessionOptions:
        settings = make(threads, **given)
        try:
            found.append(settings.get_session_config_entry(_STOP) != "1")
        except RuntimeError:  # it was never set
            found.append(True)
        return settings

    monkeypatch.setattr(engine, "_options", options)
    return found


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    model = save_text(_DOUBLE, tmp_path / "double.onnx")
    path = tmp_path / "double.om"
    gearshift.compile(model, output=path, dynamic_batch_size=[1, 2])
    return path


@pytest.fixture
def session(
    artifact: Path, spinning: list[bool], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    # As in a process of its own: other tests may have left sessions open.
    monkeypatch.setattr("gearshift.networks._settled", WeakSet())
    spinning.clear()
    with gearshift.load(artifact, engine="onnxruntime") as session:
        yield session


def run(session: Session) -> None:
    x = np.ones((1, 3), np.float32)
    np.testing.assert_array_equal(session.run({"x": x})["y"], x + x)


def test_threads_spin_on_where_no_others_run(session: Session, spinning: list[bool]) -> None:
    run(session)
    run(session)
    assert spinning == [True]


@pytest.mark.parametrize(
    "beside",
    [Build("openvino", 1), Build("onnxruntime", OPEN, 2), Build("onnxruntime", OPEN, 1, 1)],
    ids=str,
)
def test_another_engine_or_number_of_lanes_or_threads_ends_it_and_its_end_allows_it(
    session: Session, spinning: list[bool], beside: Build
) -> None:
    run(session)
    for builds, expected in (
        ([_WIDE, beside], [True, False]),
        ([_WIDE], [True, False, True]),
        ([_WIDE], [True, False, True]),
    ):
        session._networks.settle(builds)
        run(session)
        assert spinning == expected


def test_another_session_ends_it(session: Session, spinning: list[bool], artifact: Path) -> None:
    run(session)
    with gearshift.load(artifact, engine="onnxruntime") as other:
        run(other)
        run(session)
        assert spinning == [True, False, False]
    run(session)
    assert spinning == [True, False, False], "the one that is left is not disturbed for it"
    with gearshift.load(artifact, engine="openvino") as other:
        run(other)
        run(session)
    assert spinning == [True, False, False]


def test_nothing_that_openvino_built_is_lost(artifact: Path) -> None:
    with gearshift.load(artifact, engine="openvino", preload=True) as session:
        built = session._tracks[0]._programs.built
        session._networks.settle([*built, _WIDE])
        assert session._tracks[0]._programs.built == built


def test_whoever_says_nothing_does_not_spin() -> None:
    assert not EngineOptions().alone
