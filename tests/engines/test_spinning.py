"""Whether ONNX Runtime's threads wait for the next run by spinning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import gearshift
from gearshift.engines import onnxruntime as engine
from models import save_text

_STOP = "session.force_spinning_stop"
_DOUBLE = """
    <ir_version: 8, opset_import: ["" : 17]>
    double (float[N,3] x) => (float[N,3] y) { y = Add(x, x) }
"""


@pytest.mark.parametrize("alone", [True, False])
def test_threads_spin_on_only_beside_no_other_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    model = save_text(_DOUBLE, tmp_path / "double.onnx")
    artifact = tmp_path / "double.om"
    gearshift.compile(model, output=artifact, dynamic_batch_size=[1, 2])
    asked: list[onnxruntime.SessionOptions] = []
    make = engine._options

    def options(threads: int, **given: bool) -> onnxruntime.SessionOptions:
        asked.append(make(threads, **given))
        return asked[-1]

    monkeypatch.setattr(engine, "_options", options)
    with gearshift.load(artifact, engine="onnxruntime") as session:
        assert session._networks.alone, "one engine was asked for"
        session._networks.alone = alone
        session.run({"x": np.ones((1, 3), np.float32)})
    (settings,) = asked
    if alone:
        with pytest.raises(RuntimeError):  # it was never set
            settings.get_session_config_entry(_STOP)
    else:
        assert settings.get_session_config_entry(_STOP) == "1"
