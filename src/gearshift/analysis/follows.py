"""Which dims of the outputs follow the dims that inputs may be padded along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import numpy as np

from gearshift.analysis.facts import walk
from gearshift.errors import OptionError, OptionErrors, UnsupportedModelError, did_you_mean
from gearshift.gears.follow import Follow, find_follow
from gearshift.gears.gear import Gear, GearSet
from gearshift.program import Program
from gearshift.tensors import RowLayout, Shape, TensorSpec

_STEPS: Final = (1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 32, 33)
"""By how much a dim is made smaller to see what follows: round numbers and their neighbours."""

Place = tuple[str, int]
"""An axis of an input."""
_Shapes = Mapping[str, Shape]


def check_pads(gears: GearSet, pads: Mapping[str, float]) -> tuple[str, ...]:
    """The names of the inputs that may be padded.

    Raises:
        OptionErrors: one is no input of the model, has nothing to pad, or cannot hold the value.
    """
    specs = {spec.name: spec for spec in gears.inputs}
    errors = [
        error for name, value in pads.items() if (error := _pad_fault(gears, specs, name, value))
    ]
    if errors:
        raise OptionErrors(errors)
    return tuple(pads)


def _pad_fault(
    gears: GearSet, specs: Mapping[str, TensorSpec], name: str, value: float
) -> OptionError | None:
    if name not in specs:
        known = ", ".join(specs)
        return OptionError(
            f"pad names {name!r}, which is not an input of the model; its inputs are {known}."
            + did_you_mean(name, specs)
        )
    dtype = specs[name].dtype.numpy
    if gears.mode not in ("dims", "image") or not padded_groups(gears, [name]):
        return OptionError(
            f"pad gives {name!r} a value, but beside its rows no dim of it has gears; declare some "
            "with dynamic_dims, or leave it out."
        )
    with np.errstate(invalid="ignore"):  # what a type cannot hold comes out as something else
        held = float(np.array(value).astype(dtype))
    if dtype.kind != "f" and held != value:
        return OptionError(
            f"pad gives {name!r} {value:g}, which is no {dtype}; give a value it can hold."
        )
    return None


def padded_groups(gears: GearSet, names: Iterable[str]) -> tuple[tuple[Place, ...], ...]:
    """The open axes beside the rows of those inputs; those alike at every gear are one group."""
    groups: dict[tuple[int, ...], list[Place]] = {}
    for index, (spec, carries) in enumerate(zip(gears.inputs, gears.carriers, strict=True)):
        for axis, dim in enumerate(spec.shape):
            if spec.name in names and dim == -1 and not (carries and axis == 0):
                sizes = tuple(shapes[index][axis] for shapes in gears.dealt)
                groups.setdefault(sizes, []).append((spec.name, axis))
    return tuple(tuple(places) for places in groups.values())


def shrunk(shapes: _Shapes, places: Sequence[Place], by: int) -> _Shapes | None:
    """The shapes with those dims smaller; None if nothing of them would be left."""
    made = {name: list(shape) for name, shape in shapes.items()}
    for name, axis in places:
        made[name][axis] -= by
    if any(made[name][axis] < 1 for name, axis in places):
        return None
    return {name: tuple(shape) for name, shape in made.items()}


def find_follows(
    program: Program,
    gears: GearSet,
    outputs: Sequence[TensorSpec],
    layouts: Sequence[RowLayout | None] | None,
    names: Iterable[str],
) -> tuple[tuple[Follow, ...], ...]:
    """For each output the dims that follow a padded dim, by walking the graph at smaller ones.

    Args:
        program: the program.
        gears: its gears.
        outputs: its outputs.
        layouts: how rows lie in them; None if there are none.
        names: of the inputs that may be padded.

    Raises:
        OptionError: an output changes with a padded dim in a way that cannot be cut off.
    """
    rows = [None if layout is None else layout.axis for layout in layouts or [None] * len(outputs)]
    largest = max(gears, key=lambda gear: _elements(gears, gear))
    found: list[list[Follow]] = [[] for _ in outputs]
    for places in padded_groups(gears, tuple(names)):
        seen = _seen(program, gears.shapes(largest), places, outputs)
        (name, axis), *_ = places
        for index, spec in enumerate(outputs):
            for out_axis in range(len(spec.shape)):
                pairs = [(given, shapes[index][out_axis]) for given, shapes in seen]
                if len({made for _, made in pairs}) == 1:
                    continue
                rule = find_follow(out_axis, name, axis, pairs)
                if rule is None or out_axis == rows[index]:
                    raise OptionError(
                        f"pad: inputs cannot be padded along axis {axis} of {name!r}, because dim "
                        f"{out_axis} of output {spec.name!r} does not grow in proportion with it, "
                        "so that what padding adds to it could not be cut off. Leave pad= out."
                    )
                found[index].append(rule)
    return tuple(tuple(rules) for rules in found)


def _seen(
    program: Program, shapes: _Shapes, places: Sequence[Place], outputs: Sequence[TensorSpec]
) -> list[tuple[int, list[Shape]]]:
    """The padded dim and the outputs' shapes, as they are and at smaller sizes that work."""
    name, axis = places[0]
    seen = []
    for by in (0, *_STEPS):
        smaller = shrunk(shapes, places, by)
        if smaller is None:
            continue
        with suppress(UnsupportedModelError):  # a size that this network cannot take
            facts = walk(program, smaller)
            seen.append((smaller[name][axis], [facts[spec.name].shape for spec in outputs]))
    return seen


def _elements(gears: GearSet, gear: Gear) -> int:
    return sum(sum(shape) for shape in gears.shapes(gear).values())
