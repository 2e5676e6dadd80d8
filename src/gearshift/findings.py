"""What can be found out about a model before anything is built: the compile line's first half."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from gearshift.analysis.corners import corner_outputs
from gearshift.analysis.facts import Facts, walk
from gearshift.analysis.follows import Pads, find_pads
from gearshift.analysis.memory import GearMemory, output_bytes, predict_run_bytes
from gearshift.declaring import declare_gears, input_shapes, mode_of
from gearshift.errors import InternalError, OptionError, UnsupportedModelError
from gearshift.frontend.bind import bind_inputs
from gearshift.frontend.onnx import load_program
from gearshift.gears.gear import Gear, GearSet
from gearshift.options import CompileOptions
from gearshift.passes import run_passes
from gearshift.passes.baked_batch import Repair, repair_baked_batch
from gearshift.preprocessing import Preprocessing, preprocess_inputs
from gearshift.program import Program
from gearshift.tensors import RowLayout, TensorSpec, dtype_of_onnx
from gearshift.verify.layouts import layouts_to_test
from gearshift.verify.reference import own_batch
from gearshift.verify.separability import Proof, prove

OnProgress = Callable[[str, int, int], None]
"""Called with the name of a step, how much of it is done, and how much there is."""

_BEYOND: Final = 61
_SIZES_TO_PROVE: Final = 2
_VERDICTS: Final = ("refuted", "unknown", "proved")


@dataclass(frozen=True)
class Findings:
    """What is known of a model before anything is built.

    Attributes:
        program: after the passes, its inputs bound to what was asked for.
        filed_inputs: the inputs as the file has them.
        repairs: what was changed so that it takes any batch.
        asked: the gears as they were asked for, of the model's own inputs.
        gears: the same of what the program takes, which may be source images.
        steps: the preprocessing in front of its inputs.
        facts: every shape at each gear.
        memory: what each gear is predicted to take.
        proof: whether rows are independent.
        outputs: -1 for every dim that differs between gears.
        layouts: how rows lie in the outputs, proved or to be tested; None if they do not.
        pads: what may be padded beside the rows, and what follows it.
    """

    program: Program
    filed_inputs: tuple[TensorSpec, ...]
    repairs: tuple[Repair, ...]
    asked: GearSet
    gears: GearSet
    steps: tuple[Preprocessing, ...]
    facts: Mapping[Gear, Facts]
    memory: tuple[GearMemory, ...]
    proof: Proof
    outputs: tuple[TensorSpec, ...]
    layouts: tuple[RowLayout | None, ...] | None
    pads: Pads


def find_out(options: CompileOptions, on_progress: OnProgress) -> Findings:
    """Reads the model, makes it ready for any batch, and finds out all that needs no run."""
    on_progress("reading the model", 0, 1)
    program = run_passes(load_program(options.model))
    filed_inputs = program.inputs
    shapes = input_shapes(program, options)
    repairs = repair_baked_batch(program, shapes) if mode_of(options) == "batch" else ()
    program = bind_inputs(program, shapes)
    asked = declare_gears(program, options)
    preprocessed = preprocess_inputs(program, asked, options)
    program, gears = preprocessed.program, preprocessed.gears
    _check_pads(options, preprocessed.steps)
    facts = {}
    for index, gear in enumerate(gears):
        on_progress("fixing every shape", index, len(gears))
        facts[gear] = walk(program, gears.shapes(gear))
    on_progress("proving that rows are independent", 0, 1)
    proof = _prove(program, filed_inputs, gears, facts, repairs)
    _check_repairs(options, repairs, proof)
    outputs = _output_specs(program, gears, facts)
    layouts = layouts_to_test(proof, gears, outputs, facts) if gears.has_rows else None
    return Findings(
        program=program,
        filed_inputs=filed_inputs,
        repairs=repairs,
        asked=asked,
        gears=gears,
        steps=preprocessed.steps,
        facts=facts,
        memory=tuple(
            GearMemory(
                gear,
                predict_run_bytes(program, facts[gear]),
                output_bytes(program, facts[gear]),
            )
            for gear in gears
        ),
        proof=proof,
        outputs=outputs,
        layouts=layouts,
        pads=find_pads(program, gears, outputs, layouts, options.pad),
    )


def _prove(
    program: Program,
    filed: Sequence[TensorSpec],
    gears: GearSet,
    facts: Mapping[Gear, Facts],
    repairs: Sequence[Repair],
) -> Proof:
    """The proof of the worst frame: rows are independent if they are in each."""
    if not gears.has_rows:
        return Proof("unknown", "its batch size is fixed", "", "", (), {})
    proofs = []
    for number, frame in enumerate(gears.frames):
        own = {there: facts[gear] for gear, there in gears.members(number)}
        proofs.append(_prove_frame(program, filed, frame, own, repairs))
    first = proofs[0]
    if any(proof.verdict == "proved" and proof.outputs != first.outputs for proof in proofs):
        return replace(first, verdict="unknown", reason="rows lie differently at other shapes")
    return min(proofs, key=lambda proof: _VERDICTS.index(proof.verdict))


def _prove_frame(
    program: Program,
    filed: Sequence[TensorSpec],
    frame: GearSet,
    facts: Mapping[Gear, Facts],
    repairs: Sequence[Repair],
) -> Proof:
    """The proof, over the gears and over sizes that tell more than they do.

    One more size is larger than every gear, so that what happens to fit them all (the first nine
    rows, say) is not taken for all rows. A repaired graph is also followed at the file's own batch
    size: there it is the file's to the letter, so the proof says what it means elsewhere.
    """
    further: dict[Gear, Facts] = {}
    beyond = Gear((frame.largest.rows + _BEYOND,))
    # A model that does not go that far is one for its gears alone, and so is the proof.
    with suppress(UnsupportedModelError):
        further[beyond] = walk(program, frame.shapes(beyond))
    if repairs:
        own = Gear((own_batch(filed, frame),))
        further[own] = walk(program, frame.shapes(own))
    followed = {**further, **facts}
    if len({gear.rows for gear in followed}) < _SIZES_TO_PROVE:
        return Proof(
            "unknown", f"it cannot be followed beyond {frame.sizes[0]} rows", "", "", (), {}
        )
    return prove(program, frame, followed)


def _check_pads(options: CompileOptions, steps: Sequence[Preprocessing]) -> None:
    images = [step.spec.name for step in steps if step.spec.name in options.pad]
    if images:
        raise OptionError(
            f"pad gives {images[0]!r} a value, but its images are preprocessed (AIPP), and source "
            "images are not padded; leave one of the two out."
        )


def _check_repairs(options: CompileOptions, repairs: Sequence[Repair], proof: Proof) -> None:
    """A repaired graph is trusted at other sizes only if its rows are independent."""
    content = ("proved", "unknown") if options.separability == "tested" else ("proved",)
    if not repairs or proof.verdict in content:
        return
    first = repairs[0]
    raise UnsupportedModelError(
        f"node {first.node!r} ({first.op_type}) has the batch size baked in, and what it should do "
        f"at another is not known, because rows are not known to be independent: {proof.reason}. "
        "Export the model again with a dynamic batch axis.",
        node=first.node,
        op_type=first.op_type,
        tensor=first.tensor,
    )


def _output_specs(
    program: Program, gears: GearSet, facts: Mapping[Gear, Facts]
) -> tuple[TensorSpec, ...]:
    """The outputs, -1 for every dim that differs between gears, or within the ranges."""
    corners = corner_outputs(program, gears) if gears.mode == "range" else []
    specs = []
    for index, filed in enumerate(program.outputs):
        found = [facts[gear][filed.name] for gear in gears]
        dtype = dtype_of_onnx(int(found[0].dtype))
        if dtype is None or len({len(fact.shape) for fact in found}) != 1:
            raise InternalError(f"output {filed.name!r} has no single dtype and rank: {found}")
        shapes = [*(fact.shape for fact in found), *(corner[index] for corner in corners)]
        shape = tuple(dims[0] if len(set(dims)) == 1 else -1 for dims in zip(*shapes, strict=True))
        specs.append(TensorSpec(filed.name, dtype, shape))
    return tuple(specs)
