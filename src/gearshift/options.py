"""What the user may choose, validated once, before anything is read. Knows nothing of argv."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gearshift.errors import OptionError
from gearshift.tensors import Array, Shape

Precision = Literal["f32", "f16", "bf16"]
PRECISIONS: tuple[Precision, ...] = ("f32", "f16", "bf16")
Separability = Literal["proved", "tested"]


@dataclass(frozen=True)
class CompileOptions:
    """How to compile a model.

    Attributes:
        model: the ONNX file.
        output: where the artifact goes; ``.om`` is appended if it is not there.
        input_shape: shapes by input name, -1 at axis 0 where the gear decides; inputs that are not
            listed keep the model's own shape. In the order given.
        dynamic_batch_size: the gears, in the order given.
        engine: name of the engine to verify on and to run with; None takes the first that can.
        precision: what float32 networks are computed in.
        separability: what it takes to pad, split and merge rows: "proved" asks for the static
            proof, "tested" is content with the pad-row test where the proof says unknown.
        tolerance: largest relative difference to the reference that passes; None takes the
            precision's own.
        threads: threads of one run; None means every core this process may use.
        memory_limit: bytes a gear may take; None means what the machine has free.
        sample_inputs: real inputs (with any number of rows) to verify on; None makes some up.
        soc_version: the Ascend chip named on the command line; recorded, nothing more.
        command: the command line that asked for this, recorded.
    """

    model: Path
    output: Path
    input_shape: Mapping[str, Shape] = field(default_factory=dict)
    dynamic_batch_size: tuple[int, ...] = ()
    engine: str | None = None
    precision: Precision = "f32"
    separability: Separability = "proved"
    tolerance: float | None = None
    threads: int | None = None
    memory_limit: int | None = None
    sample_inputs: Mapping[str, Array] | None = None
    soc_version: str | None = None
    command: str | None = None

    @property
    def artifact(self) -> Path:
        """Where the artifact goes: `output`, with ``.om`` appended if it is not there."""
        if self.output.suffix == ".om":
            return self.output
        return self.output.with_name(self.output.name + ".om")


@dataclass(frozen=True)
class SessionOptions:
    """How to run an artifact.

    Attributes:
        engine: name of the engine; None takes the one the artifact was verified on first.
        threads: threads of one run; None means every core this process may use.
        preload: gears to build at load instead of at first use; True for all of them.
        costs: cost of one run of each gear, in any one unit; None starts on the default model.
    """

    engine: str | None = None
    threads: int | None = None
    preload: bool | tuple[int, ...] = False
    costs: Mapping[int, float] | None = None

    def __post_init__(self) -> None:
        """Raises OptionError for values that can mean nothing."""
        if self.threads is not None and self.threads < 1:
            raise OptionError(f"threads={self.threads}: give 1 or more, or leave it out.")
        for gear, cost in (self.costs or {}).items():
            if not (math.isfinite(cost) and cost > 0):
                raise OptionError(f"costs gives gear {gear} {cost}: a cost is a positive number.")
