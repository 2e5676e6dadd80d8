"""What the user may choose, validated once, before anything is read. Knows nothing of argv.

Numbers of numpy, lists and whatever else means the same are taken and put into one form; what can
mean nothing is refused here, so that whoever reads an option may rely on its type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

from gearshift import option_values
from gearshift.option_values import BUDGETS, MAX_THREADS, Budget
from gearshift.tensors import Array, Range, Shape

__all__ = [
    "BUDGETS",
    "INPUT_FORMATS",
    "MAX_THREADS",
    "PRECISIONS",
    "SEPARABILITIES",
    "Budget",
    "CompileOptions",
    "Precision",
    "Separability",
    "SessionOptions",
]

Precision = Literal["f32", "f16", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
Separability = Literal["proved", "tested"]
SEPARABILITIES: tuple[Separability, ...] = get_args(Separability)

INPUT_FORMATS: Final = ("", "NCHW", "NHWC", "ND", "NCDHW", "NDHWC")


@dataclass(frozen=True)
class CompileOptions:
    """How to compile a model.

    Attributes:
        model: the ONNX file.
        output: where the artifact goes; ``.om`` is appended if it is not there.
        input_shape: shapes by input name, -1 at axis 0 where the gear decides; inputs that are not
            listed keep the model's own shape. In the order given.
        dynamic_batch_size: batch gears, in the order given.
        dynamic_image_size: image gears, heights and widths, in the order given.
        dynamic_dims: gears of one value for each -1 of `input_shape`, in the order given.
        input_shape_range: for each input, from what to what each dim may go (-1: no end), by name,
            or in the model's order with "" for every name.
        input_format: how an image lies in 4 dims, "NCHW" or "NHWC", or "ND"; "" for NCHW.
        aipp: text of an AIPP configuration; None for no preprocessing.
        pad: values to pad inputs with along dims other than the rows, by input name.
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
    dynamic_image_size: tuple[tuple[int, ...], ...] = ()
    dynamic_dims: tuple[tuple[int, ...], ...] = ()
    input_shape_range: tuple[tuple[str, tuple[Range, ...]], ...] = ()
    input_format: str = ""
    aipp: str | None = None
    pad: Mapping[str, float] = field(default_factory=dict)
    engine: str | None = None
    precision: Precision = "f32"
    separability: Separability = "proved"
    tolerance: float | None = None
    threads: int | None = None
    memory_limit: int | None = None
    sample_inputs: Mapping[str, Array] | None = None
    soc_version: str | None = None
    command: str | None = None

    def __post_init__(self) -> None:
        """Raises OptionError, or OptionErrors for several, for values that can mean nothing."""
        option_values.settle(
            self,
            model=option_values.path,
            output=option_values.output,
            input_shape=option_values.shapes,
            dynamic_batch_size=option_values.gears,
            dynamic_image_size=option_values.gear_tuples,
            dynamic_dims=option_values.gear_tuples,
            input_shape_range=option_values.shape_ranges,
            input_format=option_values.one_of(INPUT_FORMATS),
            aipp=option_values.optional(option_values.text),
            pad=option_values.pad_values,
            engine=option_values.optional(option_values.text),
            precision=option_values.one_of(PRECISIONS),
            separability=option_values.one_of(SEPARABILITIES),
            tolerance=option_values.optional(option_values.tolerance),
            threads=option_values.optional(option_values.count(MAX_THREADS)),
            memory_limit=option_values.optional(option_values.count()),
            sample_inputs=option_values.optional(option_values.arrays),
            soc_version=option_values.optional(option_values.text),
            command=option_values.optional(option_values.text),
        )

    @property
    def artifact(self) -> Path:
        """Where the artifact goes: `output`, with ``.om`` appended if it is not there."""
        if self.output.suffix.lower() == ".om":
            return self.output
        return self.output.with_name(self.output.name + ".om")


@dataclass(frozen=True)
class SessionOptions:
    """How to run an artifact.

    Attributes:
        engine: name of the engine; None takes the one the artifact was verified on first.
        threads: threads of one run; None means every core this process may use.
        preload: gears to build at load instead of at first use; True for all of them. One gear
            may be given as it is.
        costs: cost of one run of each gear, in any one unit; None takes what was measured.
        tune: seconds to measure for if nothing was measured on this host yet, 0 for never; None
            means ``GEARSHIFT_TUNE_SECONDS``, or the tuner's own default.
        memory_budget: what the programs may take: "balanced", "speed", "memory", or bytes.
        batch_invariant: give each row the same bits however many rows come with it.
    """

    engine: str | None = None
    threads: int | None = None
    preload: bool | tuple[int, ...] = False
    costs: Mapping[int, float] | None = None
    tune: float | None = None
    memory_budget: Budget | int = "balanced"
    batch_invariant: bool = False

    def __post_init__(self) -> None:
        """Raises OptionError, or OptionErrors for several, for values that can mean nothing."""
        option_values.settle(
            self,
            engine=option_values.optional(option_values.text),
            threads=option_values.optional(option_values.count(MAX_THREADS)),
            preload=option_values.preload,
            costs=option_values.optional(option_values.costs),
            tune=option_values.optional(option_values.seconds),
            memory_budget=option_values.budget,
            batch_invariant=option_values.flag,
        )
