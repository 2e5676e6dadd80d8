"""gearshift: compile a model for a list of batch sizes, run any number of rows.

    import gearshift

    gearshift.compile("rec.onnx", output="rec.om", input_shape={"x": (-1, 3, 48, 320)},
                      dynamic_batch_size=[1, 2, 4, 8])
    with gearshift.load("rec.om") as model:
        outputs = model.run({"x": crops})

Names are imported when they are first used: importing gearshift itself loads next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gearshift._version import __version__
from gearshift.errors import GearshiftError

if TYPE_CHECKING:
    from gearshift.compiler import CompileReport, compile  # noqa: A004
    from gearshift.gears.build import Build, Measured, Timing
    from gearshift.gears.dispatch import Piece, Plan
    from gearshift.memory import MemoryReport, ProgramMemory
    from gearshift.session import Session, load
    from gearshift.stats import GearStats, Stats
    from gearshift.tensors import DType, TensorSpec
    from gearshift.tuning.table import CostTable

__all__ = [
    "Build",
    "CompileReport",
    "CostTable",
    "DType",
    "GearStats",
    "GearshiftError",
    "Measured",
    "MemoryReport",
    "Piece",
    "Plan",
    "ProgramMemory",
    "Session",
    "Stats",
    "TensorSpec",
    "Timing",
    "__version__",
    "compile",
    "load",
]

_HOMES = {
    "Build": "gearshift.gears.build",
    "CompileReport": "gearshift.compiler",
    "CostTable": "gearshift.tuning.table",
    "DType": "gearshift.tensors",
    "GearStats": "gearshift.stats",
    "Measured": "gearshift.gears.build",
    "MemoryReport": "gearshift.memory",
    "Piece": "gearshift.gears.dispatch",
    "Plan": "gearshift.gears.dispatch",
    "ProgramMemory": "gearshift.memory",
    "Session": "gearshift.session",
    "Stats": "gearshift.stats",
    "TensorSpec": "gearshift.tensors",
    "Timing": "gearshift.gears.build",
    "compile": "gearshift.compiler",
    "load": "gearshift.session",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gearshift' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
