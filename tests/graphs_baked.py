"""Graphs with a baked batch size: repaired as the compile line does it, and fed in blocks."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from gearshift.analysis.facts import walk
from gearshift.gears.gear import Gear, GearSet
from gearshift.passes import run_passes
from gearshift.passes.baked_batch import Repair, repair_baked_batch
from gearshift.program import Program
from gearshift.tensors import Array, Shape, TensorSpec
from gearshift.verify.separability import Proof, prove


def opened(program: Program) -> dict[str, Shape]:
    """Every input with its leading dim open."""
    return {spec.name: (-1, *spec.shape[1:]) for spec in program.inputs}


def repair(program: Program, shapes: dict[str, Shape]) -> tuple[Repair, ...]:
    """Repairs, and opens the inputs as the compile line does afterwards."""
    run_passes(program)
    repairs = repair_baked_batch(program, shapes)
    for value in program.model.graph.inputs:
        dims = shapes.get(value.name or "")
        if dims is not None:
            value.shape = ir.Shape(["N" if dim == -1 else dim for dim in dims])
    return repairs


def prove_rows(program: Program, shapes: dict[str, Shape], sizes: tuple[int, ...]) -> Proof:
    """The proof at those batch sizes; the file's own has to be one of them."""
    inputs = tuple(
        TensorSpec(spec.name, spec.dtype, shapes.get(spec.name, spec.shape))
        for spec in program.inputs
    )
    gears = GearSet("batch", tuple(Gear((size,)) for size in sizes), inputs)
    return prove(program, gears, {gear: walk(program, gears.shapes(gear)) for gear in gears})


def block_of(
    feeds: Mapping[str, Array], shapes: Mapping[str, Shape], number: int, batch: int
) -> dict[str, Array]:
    """What the file itself is fed: as many rows as it was exported with."""
    return {
        name: array[number * batch : (number + 1) * batch] if -1 in shapes[name] else array
        for name, array in feeds.items()
    }
