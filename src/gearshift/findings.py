"""What can be found out about a model before anything is built: the compile line's first half."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from gearshift.analysis.facts import Facts, walk
from gearshift.analysis.memory import GearMemory, predict_run_bytes
from gearshift.errors import InternalError, OptionErrors, UnsupportedModelError
from gearshift.frontend.bind import bind_inputs
from gearshift.frontend.onnx import load_program
from gearshift.gears.checks import check_batch_inputs
from gearshift.gears.gear import Gear, GearSet
from gearshift.options import CompileOptions
from gearshift.passes import run_passes
from gearshift.passes.baked_batch import Repair, repair_baked_batch
from gearshift.program import Program
from gearshift.tensors import RowLayout, TensorSpec, dtype_of_onnx
from gearshift.verify.layouts import layouts_to_test
from gearshift.verify.reference import own_batch
from gearshift.verify.separability import Proof, prove

OnProgress = Callable[[str, int, int], None]
"""Called with the name of a step, how much of it is done, and how much there is."""

_BEYOND: Final = 61


@dataclass(frozen=True)
class Findings:
    """What is known of a model before anything is built.

    Attributes:
        program: after the passes, its inputs bound to what was asked for.
        filed_inputs: the inputs as the file has them.
        repairs: what was changed so that it takes any batch.
        gears: what it is compiled for.
        facts: every shape at each gear.
        memory: what each gear is predicted to take.
        proof: whether rows are independent.
        outputs: -1 for every dim that differs between gears.
        layouts: how rows lie in the outputs, proved or to be tested; None if they do not.
    """

    program: Program
    filed_inputs: tuple[TensorSpec, ...]
    repairs: tuple[Repair, ...]
    gears: GearSet
    facts: Mapping[Gear, Facts]
    memory: tuple[GearMemory, ...]
    proof: Proof
    outputs: tuple[TensorSpec, ...]
    layouts: tuple[RowLayout | None, ...] | None


def find_out(options: CompileOptions, on_progress: OnProgress) -> Findings:
    """Reads the model, makes it ready for any batch, and finds out all that needs no run."""
    on_progress("reading the model", 0, 1)
    program = run_passes(load_program(options.model))
    filed_inputs = program.inputs
    repairs = repair_baked_batch(program, options.input_shape)
    program = bind_inputs(program, options.input_shape)
    gears = _declare_gears(program, options)
    facts = {}
    for index, gear in enumerate(gears):
        on_progress("fixing every shape", index, len(gears))
        facts[gear] = walk(program, gears.shapes(gear))
    on_progress("proving that rows are independent", 0, 1)
    proof = _prove(program, filed_inputs, gears, facts, repairs)
    _check_repairs(options, repairs, proof)
    outputs = _output_specs(program, gears, facts)
    return Findings(
        program=program,
        filed_inputs=filed_inputs,
        repairs=repairs,
        gears=gears,
        facts=facts,
        memory=tuple(GearMemory(gear, predict_run_bytes(program, facts[gear])) for gear in gears),
        proof=proof,
        outputs=outputs,
        layouts=layouts_to_test(proof, gears, outputs, facts),
    )


def _declare_gears(program: Program, options: CompileOptions) -> GearSet:
    """Deals the gears to every input that is open, listed or not."""
    open_inputs = [(spec.name, spec.shape) for spec in program.inputs if -1 in spec.shape]
    errors = check_batch_inputs(open_inputs)
    if errors:
        raise OptionErrors(errors)
    gears = tuple(Gear((size,)) for size in options.dynamic_batch_size)
    return GearSet("batch", gears, program.inputs)


def _prove(
    program: Program,
    filed: Sequence[TensorSpec],
    gears: GearSet,
    facts: Mapping[Gear, Facts],
    repairs: Sequence[Repair],
) -> Proof:
    """The proof, over the gears and over sizes that tell more than they do.

    One more size is larger than every gear, so that what happens to fit them all (the first nine
    rows, say) is not taken for all rows. A repaired graph is also followed at the file's own batch
    size: there it is the file's to the letter, so the proof says what it means elsewhere.
    """
    further: dict[Gear, Facts] = {}
    beyond = Gear((gears.largest.rows + _BEYOND,))
    # A model that does not go that far is one for its gears alone, and so is the proof.
    with suppress(UnsupportedModelError):
        further[beyond] = walk(program, gears.shapes(beyond))
    if repairs:
        own = Gear((own_batch(filed, gears),))
        further[own] = walk(program, gears.shapes(own))
    return prove(program, gears, {**further, **facts})


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
    """The outputs, -1 for every dim that differs between gears."""
    specs = []
    for filed in program.outputs:
        found = [facts[gear][filed.name] for gear in gears]
        dtype = dtype_of_onnx(int(found[0].dtype))
        if dtype is None or len({len(fact.shape) for fact in found}) != 1:
            raise InternalError(f"output {filed.name!r} has no single dtype and rank: {found}")
        shape = tuple(
            dims[0] if len(set(dims)) == 1 else -1
            for dims in zip(*(fact.shape for fact in found), strict=True)
        )
        specs.append(TensorSpec(filed.name, dtype, shape))
    return tuple(specs)
