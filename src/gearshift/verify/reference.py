"""Which form of the model the gears are held to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from gearshift.engines.base import thread_count
from gearshift.engines.onnxruntime import UnoptimisedModel
from gearshift.gears.gear import GearSet
from gearshift.options import CompileOptions
from gearshift.tensors import RowLayout, TensorSpec
from gearshift.verify.equivalence import Reference, Runner
from gearshift.verify.separability import Proof


def choose_reference(
    options: CompileOptions,
    staged: Path,
    filed: Sequence[TensorSpec],
    gears: GearSet,
    proof: Proof,
    layouts: tuple[RowLayout | None, ...] | None,
    prepare: Callable[[Runner], Runner],
    *,
    repaired: bool,
) -> Reference:
    """The file as it came where it can take the rows, at the batch size it can take them at.

    Args:
        options: the model and the threads.
        staged: the program after our passes, for when the file cannot take the shapes.
        filed: the inputs as the file has them.
        gears: the inputs as they were asked for.
        proof: rows may be fed one by one only where it does not say otherwise.
        layouts: how rows lie in the outputs, if that is known or supposed.
        prepare: makes of a runner of the file one that takes what the program takes.
        repaired: the graph was changed to take any batch; the file itself is right at its own only.
    """
    chunk: int | None = None
    model = options.model
    if not _fits_beside_rows(filed, gears):
        model = staged
    elif repaired or not _takes_any_rows(filed, gears):
        if layouts is None or proof.verdict == "refuted":
            model = staged
        else:
            chunk = own_batch(filed, gears)
    elif proof.verdict == "unknown" and options.separability == "tested" and layouts is not None:
        # Row by row, so that the check also says that a row does not depend on its place.
        chunk = 1
    threads = thread_count(options.threads)
    runner: Runner = UnoptimisedModel(model, threads)
    return Reference(runner if model is staged else prepare(runner), layouts or (), chunk)


def _fits_beside_rows(filed: Sequence[TensorSpec], gears: GearSet) -> bool:
    """Whether the file takes the shapes asked for in every dim but that of the rows."""
    return all(
        have in (-1, want) or (want == -1 and axis == 0 and gears.has_rows)
        for frame in gears.frames
        for had, asked in zip(filed, frame.inputs, strict=True)
        for axis, (have, want) in enumerate(zip(had.shape, asked.shape, strict=True))
    )


def _takes_any_rows(filed: Sequence[TensorSpec], gears: GearSet) -> bool:
    return all(
        had.shape[0] == -1 for had, carries in zip(filed, gears.carriers, strict=True) if carries
    )


def own_batch(filed: Sequence[TensorSpec], gears: GearSet) -> int:
    """The batch size that the file itself was made for; 1 where it does not say."""
    return next(
        (
            had.shape[0]
            for had, carries in zip(filed, gears.carriers, strict=True)
            if carries and had.shape[0] > 0
        ),
        1,
    )
