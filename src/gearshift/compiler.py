"""The compile line: options -> frontend -> passes -> gears -> verify -> artifact.

`compile_model` is the line itself, one named step after the other. Each step is a function of
another module, or one below that does nothing but call a few of them.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gearshift import recording
from gearshift._version import __version__
from gearshift.analysis.facts import Facts, walk
from gearshift.analysis.memory import check_memory, predict_run_bytes
from gearshift.artifact.manifest import Manifest, TopologyRecord
from gearshift.artifact.writer import write_artifact
from gearshift.engines.base import Engine, EngineOptions, Network
from gearshift.engines.registry import PREFERRED, get_engine, is_installed
from gearshift.errors import EngineError, InternalError, OptionError, OptionErrors
from gearshift.frontend.bind import bind_inputs
from gearshift.frontend.onnx import load_program
from gearshift.gears.checks import advise_batch_sizes, check_batch_inputs, check_gear_list
from gearshift.gears.gear import Gear, GearSet
from gearshift.options import CompileOptions, Precision, Separability
from gearshift.passes import run_passes
from gearshift.passes.baked_batch import Repair, repair_baked_batch
from gearshift.program import Program
from gearshift.staging import Staged, stage
from gearshift.tensors import Array, TensorSpec, dtype_of_onnx
from gearshift.verify.equivalence import TOLERANCES
from gearshift.verify.gears import GearCheck, Verification
from gearshift.verify.layouts import layouts_to_test
from gearshift.verify.reference import choose_reference
from gearshift.verify.samples import Samples
from gearshift.verify.separability import prove

OnProgress = Callable[[str, int, int], None]
"""Called with the name of a step, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class CompileReport:
    """What a compile did.

    Attributes:
        output: the artifact.
        nbytes: its size.
        manifest: everything it says of itself.
        checks: what was seen of each gear on each engine while it was verified.
        repairs: what was changed in the graph so that it takes any batch.
        warnings: what the user should know.
        seconds: how long it took.
    """

    output: Path
    nbytes: int
    manifest: Manifest
    checks: tuple[GearCheck, ...]
    repairs: tuple[Repair, ...]
    warnings: tuple[str, ...]
    seconds: float


def compile(  # noqa: A001 - in this field it is the word, and users write gearshift.compile
    model: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str],
    dynamic_batch_size: Sequence[int],
    input_shape: Mapping[str, Sequence[int]] | None = None,
    engine: str | None = None,
    precision: Precision = "f32",
    separability: Separability = "proved",
    tolerance: float | None = None,
    threads: int | None = None,
    memory_limit: int | None = None,
    sample_inputs: Mapping[str, Array] | None = None,
    on_progress: OnProgress | None = None,
) -> CompileReport:
    """Compiles an ONNX model for a list of batch sizes.

    Args:
        model: the ONNX file; its external data is found beside it.
        output: where the artifact goes; ``.om`` is appended if it is not there.
        dynamic_batch_size: the gears, 2 to 100 batch sizes; their order is kept.
        input_shape: shapes by input name, -1 at axis 0 where the gear decides. Inputs that are not
            listed keep the model's own shape.
        engine: ``"openvino"`` or ``"onnxruntime"``; None makes the artifact for both.
        precision: what float32 networks are computed in: ``"f32"``, ``"f16"`` or ``"bf16"``.
        separability: what it takes to pad, split and merge rows: ``"proved"`` asks for the static
            proof; ``"tested"`` is content with the pad-row test where the proof says unknown.
        tolerance: largest difference to the model as it came that passes, as a fraction of an
            output's largest value; None takes the precision's own.
        threads: threads of one run while verifying; None means every core of this process.
        memory_limit: bytes a gear may take; None means what the machine has free.
        sample_inputs: real rows to verify on, any number of them; None makes some up.
        on_progress: called with the name of a step, how much of it is done, and how much there is.

    Raises:
        OptionErrors: something asked for is wrong or does not fit the model.
        ModelError: the model cannot be read or compiled, or a gear does not give its numbers.
        MemoryLimitError: a gear is predicted not to fit.
        EngineError: no engine takes the model.
        ArtifactError: the artifact cannot be written.
    """
    options = CompileOptions(
        model=Path(model),
        output=Path(output),
        input_shape={name: tuple(shape) for name, shape in (input_shape or {}).items()},
        dynamic_batch_size=tuple(dynamic_batch_size),
        engine=engine,
        precision=precision,
        separability=separability,
        tolerance=tolerance,
        threads=threads,
        memory_limit=memory_limit,
        sample_inputs=sample_inputs,
    )
    return compile_model(options, on_progress or _silent)


def compile_model(options: CompileOptions, on_progress: OnProgress) -> CompileReport:
    """Compiles a model for its gears, verifies each one, and only then writes the artifact.

    Raises:
        OptionErrors: something asked for is wrong or does not fit the model.
        ModelError: the model cannot be read or compiled, or a gear does not give its numbers.
        MemoryLimitError: a gear is predicted not to fit.
        EngineError: no engine takes the model.
        ArtifactError: the artifact cannot be written.
    """
    began = time.perf_counter()
    _check_options(options)
    on_progress("reading the model", 0, 1)
    program = load_program(options.model)
    filed_inputs = program.inputs
    repairs = repair_baked_batch(program, options.input_shape)
    program = run_passes(bind_inputs(program, options.input_shape))
    gears = _declare_gears(program, options)

    facts = {}
    for index, gear in enumerate(gears):
        on_progress("fixing every shape", index, len(gears))
        facts[gear] = walk(program, gears.shapes(gear))
    run_bytes = {gear: predict_run_bytes(program, facts[gear]) for gear in gears}
    memory_warnings = check_memory(program, run_bytes, options.memory_limit)
    on_progress("proving that rows are independent", 0, 1)
    proof = prove(program, gears, facts)
    outputs = _output_specs(program, gears, facts)
    layouts = layouts_to_test(proof, gears, outputs, facts)

    with tempfile.TemporaryDirectory(prefix="gearshift-", ignore_cleanup_errors=True) as folder:
        staged = stage(program, Path(folder))
        topologies, left_out = _lower(staged, options, on_progress)
        checks = Verification(
            gears=gears,
            output_names=tuple(spec.name for spec in outputs),
            layouts=layouts,
            samples=Samples(gears.inputs, options.sample_inputs),
            reference=choose_reference(
                options, staged.model, filed_inputs, gears, proof, layouts, repaired=bool(repairs)
            ),
            options=EngineOptions(options.precision, options.threads),
            tolerance=_tolerance(options),
        ).run(
            _networks(staged, topologies, gears, outputs),
            lambda done, total: on_progress("running every gear", done, total),
        )
        proof_record = recording.proof_record(
            proof, checks, content_with_test=options.separability == "tested"
        )
        warnings = (
            *advise_batch_sizes(options.dynamic_batch_size),
            *memory_warnings,
            *left_out,
            *_warn_of_rows(proof_record.separable, proof_record.reason),
        )
        manifest = Manifest(
            producer=f"gearshift {__version__}",
            source=recording.source_record(program.source),
            mode=gears.mode,
            inputs=recording.input_records(gears),
            outputs=recording.output_records(
                outputs, layouts if proof_record.separable and layouts else [None] * len(outputs)
            ),
            gears=recording.gear_records(gears, outputs, facts, run_bytes, checks),
            proof=proof_record,
            topologies=tuple(
                TopologyRecord(engine.name, engine.version(), options.precision, engine.name)
                for engine in topologies
            ),
            constants=recording.constant_records(staged.constants),
            metadata=tuple(sorted(program.model.metadata_props.items())),
            options=recording.option_records(options),
            warnings=warnings,
        )
        on_progress("writing the artifact", 0, 1)
        parts = {engine.name: topology for engine, topology in topologies.items()}
        nbytes = write_artifact(options.artifact, manifest, parts, staged.pool)
    seconds = time.perf_counter() - began
    return CompileReport(options.artifact, nbytes, manifest, checks, repairs, warnings, seconds)


def _check_options(options: CompileOptions) -> None:
    """What can be said of the options before the model is read."""
    errors = check_gear_list(options.dynamic_batch_size)
    if options.input_shape:
        errors += check_batch_inputs(options.input_shape)
    if errors:
        raise OptionErrors(errors)


def _declare_gears(program: Program, options: CompileOptions) -> GearSet:
    """Deals the gears to every input that is open, listed or not."""
    open_inputs = [(spec.name, spec.shape) for spec in program.inputs if -1 in spec.shape]
    errors = check_batch_inputs(open_inputs)
    if errors:
        raise OptionErrors(errors)
    gears = tuple(Gear((size,)) for size in options.dynamic_batch_size)
    return GearSet("batch", gears, program.inputs)


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


def _lower(
    staged: Staged, options: CompileOptions, on_progress: OnProgress
) -> tuple[dict[Engine, bytes], list[str]]:
    """Each engine's topology, first choice first, and a warning for each engine left out."""
    asked = (options.engine,) if options.engine else PREFERRED
    topologies, left_out = {}, []
    for index, name in enumerate(asked):
        on_progress("handing the network to the engines", index, len(asked))
        if not options.engine and not is_installed(name):
            left_out.append(f"engine {name} is not installed, so the artifact cannot run on it.")
            continue
        engine = get_engine(name)
        if options.precision not in engine.precisions:
            refusal = (
                f"engine {name} cannot compute in {options.precision}, only in "
                f"{', '.join(engine.precisions)}"
            )
            if options.engine:
                raise OptionError(f"{refusal}. Choose another engine or precision.")
            left_out.append(f"{refusal}, so the artifact cannot run on it.")
            continue
        try:
            topologies[engine] = engine.lower(staged.model, staged.pool)
        except EngineError as error:
            if options.engine:
                raise
            left_out.append(f"{error.message} The artifact cannot run on {name}.")
    if not topologies:
        raise EngineError("no engine takes this model: " + " ".join(left_out))
    return topologies, left_out


def _networks(
    staged: Staged,
    topologies: Mapping[Engine, bytes],
    gears: GearSet,
    outputs: tuple[TensorSpec, ...],
) -> dict[Engine, Network]:
    pool = staged.map_pool()
    return {
        engine: Network(topology, pool, staged.constants, gears.inputs, outputs)
        for engine, topology in topologies.items()
    }


def _warn_of_rows(separable: bool, reason: str) -> list[str]:
    if separable:
        return []
    return [
        "the rows of this model are not known to be independent, so it runs exactly its gears and "
        f"is never padded, split or merged: {reason}."
    ]


def _tolerance(options: CompileOptions) -> float:
    return TOLERANCES[options.precision] if options.tolerance is None else options.tolerance


def _silent(step: str, done: int, total: int) -> None:
    """The progress of those who did not ask for any."""
