"""Everybody who takes part."""

from __future__ import annotations

from functools import partial

from benchmarks import peers
from benchmarks.contender import Contender
from benchmarks.ours import ours

_OURS = "gearshift, measured before"

GEARSHIFT = ours("gearshift", "balanced", f"{_OURS}, balanced memory", preload=True)
SPEED = ours("speed", "speed", f'{_OURS}, memory_budget="speed"', preload=True)
ONNX_RUNTIME = Contender(
    "onnxruntime",
    "ONNX Runtime, its own dynamic batch, default settings",
    peers.onnxruntime_dynamic,
    imports=("onnxruntime",),
    cools=0.06,  # its threads were seen to spin on for 47 ms
)
OPENVINO = Contender(
    "openvino",
    "OpenVINO, its own dynamic batch, hint LATENCY",
    peers.openvino_dynamic,
    imports=("openvino",),
)


def _static(name: str, how: str, cut: peers.Cut) -> Contender:
    opened = partial(peers.openvino_static, cut=cut)
    return Contender(name, f"OpenVINO, {how}", opened, imports=("openvino",), every=4)


STATIC = _static("static", "a program for exactly each number of rows", peers.exactly)
LARGEST = _static("largest", "always filled up to the largest gear", peers.always_largest)
SINGLE = _static("single", "a program for one row, once per row", peers.row_by_row)

TIMED = (GEARSHIFT, SPEED, ONNX_RUNTIME, OPENVINO, STATIC, LARGEST, SINGLE)
"""Those of the batch benchmark; those who cannot win are timed in every fourth round only."""

DYNAMIC = (ONNX_RUNTIME.name, OPENVINO.name)
"""The peers that the ratio is taken against."""

STARTED = (
    ours("gearshift", "balanced", f"{_OURS}, balanced memory", preload=False),
    ours("speed", "speed", f'{_OURS}, memory_budget="speed"', preload=False),
    ours("memory", "memory", f'{_OURS}, memory_budget="memory"', preload=False),
    ONNX_RUNTIME,
    OPENVINO,
    _static("per gear", "a program for each gear, filled up to the next", peers.next_gear),
)
"""Those of the start benchmark, which build when first asked."""
