"""From what a compile found out to the records of the manifest, one function per kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gearshift.analysis.facts import Facts
from gearshift.analysis.memory import GearMemory
from gearshift.artifact.manifest import (
    AippRecord,
    ConstantRecord,
    DifferenceRecord,
    GearRecord,
    InputRecord,
    OutputRecord,
    ProofRecord,
    SourceRecord,
)
from gearshift.engines.base import Constant
from gearshift.gears.gear import Gear, GearSet
from gearshift.gears.pads import Follow
from gearshift.options import CompileOptions
from gearshift.preprocessing import Preprocessing, config_text
from gearshift.program import Source
from gearshift.tensors import Range, RowLayout, TensorSpec
from gearshift.verify.gears import GearCheck
from gearshift.verify.separability import Proof


def source_record(source: Source) -> SourceRecord:
    """Provenance."""
    return SourceRecord(
        source.file, source.sha256, source.opset, source.ir_version, source.producer
    )


def input_records(gears: GearSet, pads: Mapping[str, float]) -> tuple[InputRecord, ...]:
    """The inputs, and what they may be padded with."""
    ranges = gears.ranges or ((),) * len(gears.inputs)
    return tuple(
        InputRecord(spec.name, spec.dtype.name, spec.shape, of_dims, pads.get(spec.name))
        for spec, of_dims in zip(gears.inputs, ranges, strict=True)
    )


def aipp_records(steps: Iterable[Preprocessing]) -> tuple[AippRecord, ...]:
    """The preprocessing in front of the inputs."""
    return tuple(
        AippRecord(
            step.spec.name, config_text(step), step.spec.shape, step.spec.dtype.name, step.layout
        )
        for step in steps
    )


def output_records(
    outputs: Sequence[TensorSpec],
    layouts: Sequence[RowLayout | None],
    follows: Sequence[tuple[Follow, ...]],
) -> tuple[OutputRecord, ...]:
    """The outputs, how rows lie in them, and what of them follows inputs that may be padded."""
    return tuple(
        OutputRecord(
            spec.name,
            spec.dtype.name,
            spec.shape,
            row_axis=None if layout is None else layout.axis,
            row_inner=1 if layout is None else layout.inner,
            follows=rules,
        )
        for spec, layout, rules in zip(outputs, layouts, follows, strict=True)
    )


def gear_records(
    gears: GearSet,
    outputs: Sequence[TensorSpec],
    facts: Mapping[Gear, Facts],
    memory: Sequence[GearMemory],
    checks: Sequence[GearCheck],
) -> tuple[GearRecord, ...]:
    """The gears, each with its shapes, its predicted memory and its check."""
    return tuple(
        GearRecord(
            values=predicted.gear.values,
            outputs=tuple(facts[predicted.gear][spec.name].shape for spec in outputs),
            predicted_bytes=predicted.run_bytes,
            differences=_difference_records(
                check for check in checks if check.gear == predicted.gear
            ),
            inputs=gears.dealt[index] if gears.dealt else (),
        )
        for index, predicted in enumerate(memory)
    )


def proof_record(
    proof: Proof, checks: Sequence[GearCheck], *, content_with_test: bool
) -> ProofRecord:
    """What is said of separability, and whether a session may act on it.

    Args:
        proof: the static proof.
        checks: with the result of the pad-row test.
        content_with_test: the user takes the test for enough where the proof says unknown.
    """
    moved = [check for check in checks if check.moved]
    tested = None if all(check.moved == "" for check in checks) else not moved
    known = proof.verdict == "proved" or (proof.verdict == "unknown" and content_with_test)
    reason = (
        f"output {moved[0].moved!r} of gear {moved[0].gear} on {moved[0].engine} changed in its "
        "real rows when only the pad rows did"
        if moved
        else proof.reason
    )
    return ProofRecord(
        verdict=proof.verdict,
        reason=reason,
        node=proof.node,
        op_type=proof.op_type,
        tested=tested,
        separable=known and tested is not False,
    )


def constant_records(constants: Iterable[Constant]) -> tuple[ConstantRecord, ...]:
    """The named tensors of the weight pool."""
    return tuple(
        ConstantRecord(constant.name, constant.dtype.name, constant.shape, constant.offset)
        for constant in constants
    )


def option_records(options: CompileOptions) -> tuple[tuple[str, str], ...]:
    """What the user asked for, as text; what was left out is left out."""
    shapes = (f"{name}:{','.join(map(str, dims))}" for name, dims in options.input_shape.items())
    asked = {
        "input_shape": ";".join(shapes),
        "dynamic_batch_size": ",".join(map(str, options.dynamic_batch_size)),
        "dynamic_image_size": _gears_text(options.dynamic_image_size),
        "dynamic_dims": _gears_text(options.dynamic_dims),
        "input_shape_range": ";".join(
            f"{name}:[{','.join(map(_range_text, dims))}]".removeprefix(":")
            for name, dims in options.input_shape_range
        ),
        "input_format": options.input_format,
        "pad": ";".join(f"{name}:{value:g}" for name, value in options.pad.items()),
        "engine": options.engine,
        "precision": options.precision,
        "separability": options.separability,
        "tolerance": None if options.tolerance is None else f"{options.tolerance:g}",
        "soc_version": options.soc_version,
        "command": options.command,
    }
    return tuple((name, value) for name, value in asked.items() if value)


def _gears_text(gears: Iterable[tuple[int, ...]]) -> str:
    return ";".join(",".join(map(str, values)) for values in gears)


def _range_text(bounds: Range) -> str:
    low, high = bounds
    if high == -1:
        return "-1" if low <= 1 else f"{low}~-1"
    return str(low) if low == high else f"{low}~{high}"


def _difference_records(checks: Iterable[GearCheck]) -> tuple[DifferenceRecord, ...]:
    """Three digits of each: more would only say how the sums happened to be ordered."""
    return tuple(
        DifferenceRecord(
            engine=check.engine,
            output=difference.output,
            absolute=float(f"{difference.absolute:.3g}"),
            relative=float(f"{difference.relative:.3g}"),
        )
        for check in checks
        for difference in check.differences
    )
