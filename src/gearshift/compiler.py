"""The compile line: options -> frontend -> passes -> gears -> verify -> artifact.

`compile_model` is the line itself, one named step after the other. Each step is a function of
another module, or one below that does nothing but call a few of them.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gearshift import recording
from gearshift._version import __version__
from gearshift.aipp.file import read_aipp
from gearshift.analysis.exactness import wide_arithmetic
from gearshift.analysis.memory import (
    check_memory,
    weight_bytes,
)
from gearshift.artifact.manifest import Manifest, ProofRecord, TopologyRecord
from gearshift.artifact.writer import write_artifact
from gearshift.engines.base import Engine, EngineOptions, Network
from gearshift.engines.registry import PREFERRED, get_engine
from gearshift.errors import (
    ArtifactError,
    EngineError,
)
from gearshift.findings import Findings, OnProgress, find_out
from gearshift.gears.checks import (
    advise_batch_sizes,
    count_open_dims,
)
from gearshift.gears.parse import (
    parse_batch_sizes,
    parse_dims,
    parse_image_sizes,
    parse_input_shape,
)
from gearshift.gears.shape_range import parse_shape_range
from gearshift.options import CompileOptions, Precision, Separability
from gearshift.passes.baked_batch import Repair
from gearshift.preconditions import check_options
from gearshift.preprocessing import PreparedRunner
from gearshift.staging import Staged, stage
from gearshift.tensors import Array
from gearshift.verify.equivalence import TOLERANCES
from gearshift.verify.gears import GearCheck, Verification
from gearshift.verify.padding import PadCheck
from gearshift.verify.reference import choose_reference
from gearshift.verify.samples import Samples

_LOG = logging.getLogger(__name__)


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
    dynamic_batch_size: Sequence[int] | str = (),
    dynamic_image_size: Sequence[Sequence[int]] | str = (),
    dynamic_dims: Sequence[Sequence[int]] | str = (),
    input_shape: Mapping[str, Sequence[int]] | str | None = None,
    input_shape_range: Mapping[str, Sequence[Any]] | Sequence[Any] | str = (),
    input_format: str = "",
    aipp: str | os.PathLike[str] | None = None,
    pad: Mapping[str, float] | None = None,
    engine: str | None = None,
    precision: Precision = "f32",
    separability: Separability = "proved",
    tolerance: float | None = None,
    threads: int | None = None,
    memory_limit: int | None = None,
    sample_inputs: Mapping[str, Array] | None = None,
    on_progress: OnProgress | None = None,
) -> CompileReport:
    """Compiles an ONNX model for a list of gears: batch sizes, image sizes, or any dims.

    The four ways to declare what varies exclude each other; with none of them every dim is fixed.

    Args:
        model: the ONNX file; its external data is found beside it.
        output: where the artifact goes; ``.om`` is appended if it is not there.
        dynamic_batch_size: batch gears, 2 to 100 batch sizes; their order is kept. Also as text,
            as on the command line: ``"1,2,4,8"``.
        dynamic_image_size: image gears, 2 to 100 pairs of height and width. Also as text:
            ``"416,416;832,832"``.
        dynamic_dims: 2 to 100 gears of one value for each -1 in `input_shape`, in its order. Also
            as text: ``"1,64;4,64;4,128"``.
        input_shape: shapes by input name, -1 where the gear decides. Inputs that are not listed
            keep the model's own shape. Also as text: ``"x:-1,3,48,320"``.
        input_shape_range: for each dim of each input its size, or its least and most (-1: no
            end), by input name. Also as text: ``"x:[1~8,3,48,-1]"``. The engines' own dynamic
            shapes run such a model; nothing is padded or split.
        input_format: how images lie, ``"NCHW"`` (the default), ``"NHWC"``, or ``"ND"``.
        aipp: an AIPP configuration file: the preprocessing becomes a part of the model, whose input
            is then the uint8 image.
        pad: values that inputs may be padded with beside their rows, by input name, for
            `dynamic_dims`: ``{"input_ids": 0, "attention_mask": 0}``. Verified on real executions.
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
        OptionError: something asked for is wrong or does not fit the model.
        OptionErrors: the same, with everything that was found at once.
        ModelError: the model cannot be read or compiled, or a gear does not give its numbers.
        MemoryLimitError: a gear is predicted not to fit.
        EngineError: no engine takes the model.
        ArtifactError: the artifact cannot be written.
    """
    if isinstance(input_shape, str):
        input_shape = dict(parse_input_shape(input_shape))
    if isinstance(dynamic_batch_size, str):
        dynamic_batch_size = parse_batch_sizes(dynamic_batch_size)
    if isinstance(dynamic_image_size, str):
        dynamic_image_size = parse_image_sizes(dynamic_image_size)
    if isinstance(dynamic_dims, str):
        dynamic_dims = parse_dims(dynamic_dims, _open_dims(input_shape or {}))
    if isinstance(input_shape_range, str):
        input_shape_range = parse_shape_range(input_shape_range)
    given: dict[str, Any] = {  # in any form; the options put each into its own
        "model": model,
        "output": output,
        "input_shape": {} if input_shape is None else input_shape,
        "dynamic_batch_size": dynamic_batch_size,
        "dynamic_image_size": dynamic_image_size,
        "dynamic_dims": dynamic_dims,
        "input_shape_range": input_shape_range,
        "input_format": input_format,
        "aipp": None if aipp is None else read_aipp("aipp", os.fspath(aipp)),
        "pad": {} if pad is None else pad,
        "engine": engine,
        "precision": precision,
        "separability": separability,
        "tolerance": tolerance,
        "threads": threads,
        "memory_limit": memory_limit,
        "sample_inputs": sample_inputs,
    }
    return compile_model(CompileOptions(**given), on_progress or _silent)


def compile_model(options: CompileOptions, on_progress: OnProgress) -> CompileReport:
    """Compiles a model for its gears, verifies each one, and only then writes the artifact.

    Raises what `compile` raises.
    """
    began = time.perf_counter()
    on_progress = _logged(on_progress)
    check_options(options)
    found = find_out(options, on_progress)
    for repair in found.repairs:
        _LOG.info("repaired: %s", repair)
    _LOG.info("rows: %s, %s", found.proof.verdict, found.proof.reason)
    memory_warnings = check_memory(
        found.memory, weight_bytes(found.program), limit=options.memory_limit
    )
    with _staging_folder() as folder:
        staged = stage(found.program, folder)
        topologies, left_out = _lower(staged, options, found, on_progress)
        verification = _verification(options, found, staged)
        networks = _networks(staged, topologies, found)
        checks = verification.run(
            networks, lambda done, total: on_progress("running every gear", done, total)
        )
        if options.pad:
            on_progress("running padded inputs", 0, 1)
            PadCheck(verification, found.pads).run(networks)
        proof = recording.proof_record(
            found.proof,
            checks,
            content_with_test=options.separability == "tested" and found.gears.has_rows,
        )
        for check in checks:
            _LOG.info("%s", check)
        warnings = (
            *advise_batch_sizes(options.dynamic_batch_size),
            *left_out,
            *_warn_of_hollow_checks(checks),
            *(_warn_of_rows(proof) if found.gears.has_rows else ()),
        )
        manifest = _describe(options, found, staged, tuple(topologies), checks, proof, warnings)
        on_progress("writing the artifact", 0, 1)
        parts = {engine.name: topology for engine, topology in topologies.items()}
        nbytes = write_artifact(options.artifact, manifest, parts, staged.pool)
    seconds = time.perf_counter() - began
    # What is said of this machine's memory is for now and here; the artifact does not carry it.
    warnings = (*memory_warnings, *warnings)
    for warning in warnings:
        _LOG.warning("%s", warning)
    return CompileReport(
        options.artifact, nbytes, manifest, checks, found.repairs, warnings, seconds
    )


@contextmanager
def _staging_folder() -> Iterator[Path]:
    """A temporary folder; a disk that is full is the user's to clear, not a crash."""
    try:
        with tempfile.TemporaryDirectory(prefix="gearshift-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except BrokenPipeError:  # whoever listened to the progress is gone; no disk is full
        raise
    except OSError as error:
        raise ArtifactError(
            f"the model cannot be laid out in {tempfile.gettempdir()!r}: "
            f"{error.strerror or error}. It takes about three times the model's size there; "
            "free some space, or set TMPDIR to another folder."
        ) from error


def _logged(on_progress: OnProgress) -> OnProgress:
    seen: set[str] = set()

    def report(step: str, done: int, total: int) -> None:
        if step not in seen:
            seen.add(step)
            _LOG.info("%s", step)
        _LOG.debug("%s: %d of %d", step, done, total)
        on_progress(step, done, total)

    return report


def _verification(options: CompileOptions, found: Findings, staged: Staged) -> Verification:
    tolerance = options.tolerance
    return Verification(
        gears=found.gears,
        output_names=tuple(spec.name for spec in found.outputs),
        layouts=found.layouts,
        samples=Samples(found.gears.inputs, options.sample_inputs),
        reference=choose_reference(
            options,
            staged.model,
            found.filed_inputs,
            found.asked,
            found.proof,
            found.layouts,
            partial(PreparedRunner, steps=found.steps),
            repaired=bool(found.repairs),
        ),
        options=EngineOptions(options.precision, options.threads),
        tolerance=TOLERANCES[options.precision] if tolerance is None else tolerance,
    )


def _describe(
    options: CompileOptions,
    found: Findings,
    staged: Staged,
    engines: Sequence[Engine],
    checks: Sequence[GearCheck],
    proof: ProofRecord,
    warnings: tuple[str, ...],
) -> Manifest:
    layouts = found.layouts if proof.separable else None
    return Manifest(
        producer=f"gearshift {__version__}",
        source=recording.source_record(found.program.source),
        mode=found.gears.mode,
        inputs=recording.input_records(found.gears, options.pad),
        outputs=recording.output_records(
            found.outputs, layouts or [None] * len(found.outputs), found.pads.follows
        ),
        gears=recording.gear_records(found.gears, found.outputs, found.facts, found.memory, checks),
        proof=proof,
        topologies=tuple(
            TopologyRecord(engine.name, engine.version(), options.precision, engine.name)
            for engine in engines
        ),
        constants=recording.constant_records(staged.constants),
        metadata=found.program.metadata,
        options=recording.option_records(options),
        warnings=warnings,
        padded=found.pads.padded,
        aipp=recording.aipp_records(found.steps),
    )


def _lower(
    staged: Staged, options: CompileOptions, found: Findings, on_progress: OnProgress
) -> tuple[dict[Engine, bytes], list[str]]:
    """Each engine's topology, first choice first, and a warning for each engine left out."""
    asked = (options.engine,) if options.engine else PREFERRED
    wide = wide_arithmetic(found.program, found.facts)
    topologies, warnings = {}, []
    for index, name in enumerate(asked):
        on_progress("handing the network to the engines", index, len(asked))
        try:
            engine = get_engine(name)
            _check_precision(engine, options.precision)
            if engine.is_narrow and wide:
                narrowed = f"{wide}, which {name} does in fewer bits"
                if not options.engine:
                    raise EngineError(narrowed)
                warnings.append(f"{narrowed}; it was asked for by name, so check its numbers.")
            topologies[engine] = engine.lower(staged.model, staged.pool)
        except EngineError as error:
            if options.engine:
                raise
            warnings.append(f"the artifact cannot run on {name}: {error.message}")
    if not topologies:
        raise EngineError("no engine takes this model: " + " ".join(warnings))
    return topologies, warnings


def _check_precision(engine: Engine, precision: Precision) -> None:
    if precision not in engine.precisions:
        raise EngineError(
            f"{engine.name} cannot compute in {precision}, only in {', '.join(engine.precisions)}."
        )


def _networks(
    staged: Staged, topologies: Mapping[Engine, bytes], found: Findings
) -> dict[Engine, Network]:
    pool = staged.map_pool()
    return {
        engine: Network(topology, pool, staged.constants, found.gears.inputs, found.outputs)
        for engine, topology in topologies.items()
    }


def _warn_of_hollow_checks(checks: Sequence[GearCheck]) -> list[str]:
    names = dict.fromkeys(check.hollow for check in checks if check.hollow)
    return [
        f"output {name!r} had no finite number on the inputs it was verified on, so that nothing "
        "was compared; give rows that the model was made for (sample_inputs=, --sample)."
        for name in names
    ]


def _warn_of_rows(proof: ProofRecord) -> list[str]:
    if proof.separable:
        return []
    return [
        "the rows of this model are not known to be independent, so it runs exactly its gears and "
        f"is never padded, split or merged: {proof.reason}."
    ]


def _open_dims(shapes: Mapping[str, Sequence[int]]) -> int:
    return count_open_dims({name: tuple(shape) for name, shape in shapes.items()})


def _silent(step: str, done: int, total: int) -> None:
    """The progress of those who did not ask for any."""
