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
from gearshift.errors import (
    ArtifactError,
    ClosedError,
    EngineError,
    GearError,
    GearshiftError,
    InputError,
    MemoryLimitError,
    ModelError,
    OptionError,
    OptionErrors,
    UnsupportedModelError,
    VerificationError,
)

if TYPE_CHECKING:
    from gearshift.aipp.parameters import AippParameters, AippRow
    from gearshift.aipp.spec import Crop, Csc, ImageFormat, Padding
    from gearshift.compiler import CompileReport, compile  # noqa: A004
    from gearshift.gears.build import Build, Measured, Timing
    from gearshift.gears.dispatch import Piece, Plan
    from gearshift.memory import MemoryReport, ProgramMemory
    from gearshift.session import Session, load
    from gearshift.stats import GearStats, Stats
    from gearshift.tensors import DType, TensorSpec
    from gearshift.tuning.table import CostTable

__all__ = [
    "AippParameters",
    "AippRow",
    "ArtifactError",
    "Build",
    "ClosedError",
    "CompileReport",
    "CostTable",
    "Crop",
    "Csc",
    "DType",
    "EngineError",
    "GearError",
    "GearStats",
    "GearshiftError",
    "ImageFormat",
    "InputError",
    "Measured",
    "MemoryLimitError",
    "MemoryReport",
    "ModelError",
    "OptionError",
    "OptionErrors",
    "Padding",
    "Piece",
    "Plan",
    "ProgramMemory",
    "Session",
    "Stats",
    "TensorSpec",
    "Timing",
    "UnsupportedModelError",
    "VerificationError",
    "__version__",
    "compile",
    "load",
]

_HOMES = {
    "AippParameters": "gearshift.aipp.parameters",
    "AippRow": "gearshift.aipp.parameters",
    "Build": "gearshift.gears.build",
    "CompileReport": "gearshift.compiler",
    "CostTable": "gearshift.tuning.table",
    "Crop": "gearshift.aipp.spec",
    "Csc": "gearshift.aipp.spec",
    "DType": "gearshift.tensors",
    "GearStats": "gearshift.stats",
    "ImageFormat": "gearshift.aipp.spec",
    "Measured": "gearshift.gears.build",
    "MemoryReport": "gearshift.memory",
    "Padding": "gearshift.aipp.spec",
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
