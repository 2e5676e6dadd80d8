"""Which dims may be padded together, and which dims of the outputs follow them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from gearshift.analysis.facts import walk
from gearshift.errors import OptionError, OptionErrors, UnsupportedModelError, did_you_mean
from gearshift.gears.gear import GearSet
from gearshift.gears.pads import Follow, Padded, Place, Shapes, find_follow
from gearshift.program import Program
from gearshift.tensors import RowLayout, Shape, TensorSpec


@dataclass(frozen=True)
class Pads:
    """What may be padded.

    Attributes:
        values: what each input is padded with, by name.
        padded: the dims, those together that the model takes only together.
        follows: for each output the dims to be cut off again.
    """

    values: Mapping[str, float]
    padded: tuple[Padded, ...]
    follows: tuple[tuple[Follow, ...], ...]


_Seen = list[tuple[int, list[Shape]]]
"""The padded dim and the shapes of the outputs, the largest size first."""


def find_pads(
    program: Program,
    gears: GearSet,
    outputs: Sequence[TensorSpec],
    layouts: Sequence[RowLayout | None] | None,
    values: Mapping[str, float],
) -> Pads:
    """What may be padded and what follows it, by walking the graph at smaller sizes.

    Each dim is made smaller by itself. Those the model does not take so are made smaller together
    with the ones that are as large as they at every gear, such as ids and their mask.

    Args:
        program: the program.
        gears: its gears.
        outputs: its outputs.
        layouts: how rows lie in them; None if there are none.
        values: what inputs may be padded with, by name.

    Raises:
        OptionError: an output changes with a padded dim in a way that cannot be cut off.
        OptionErrors: a value is of no input, or not one the input can hold.
    """
    _check_values(gears, values)
    rows = [None if layout is None else layout.axis for layout in layouts or [None] * len(outputs)]
    shapes = gears.shapes(gears.largest)
    padded: list[Padded] = []
    rules: list[dict[int, Follow]] = [{} for _ in outputs]
    for places, seen in _together(program, gears, shapes, outputs, values):
        least = seen[-1][0]
        for index, spec in enumerate(outputs):
            for axis in range(len(spec.shape)):
                pairs = [(given, made[index][axis]) for given, made in seen]
                if len({size for _, size in pairs}) == 1:
                    continue
                rule, holds_from = find_follow(axis, places[0], pairs)
                if axis in rules[index] or axis == rows[index] or holds_from in (0, pairs[0][0]):
                    raise _cannot_be_cut(places[0], axis, spec)
                rules[index][axis] = rule
                least = max(least, holds_from)
        padded.append(Padded(places, least))
    return Pads(values, tuple(padded), tuple(tuple(found.values()) for found in rules))


def _together(
    program: Program,
    gears: GearSet,
    shapes: Shapes,
    outputs: Sequence[TensorSpec],
    values: Iterable[str],
) -> list[tuple[tuple[Place, ...], _Seen]]:
    found: list[tuple[tuple[Place, ...], _Seen]] = []
    tied: dict[tuple[int, ...], list[Place]] = {}
    for place, sizes in _places(gears, values).items():
        alone = _walked(program, shapes, (place,), outputs)
        # At 1 anything is broadcast, which says nothing about other sizes.
        if any(1 < size < shapes[place[0]][place[1]] for size, _ in alone):
            found.append(((place,), alone))
        else:
            tied.setdefault(sizes, []).append(place)
    found += [
        (tuple(places), _walked(program, shapes, places, outputs)) for places in tied.values()
    ]
    return found


def _places(gears: GearSet, names: Iterable[str]) -> dict[Place, tuple[int, ...]]:
    """The open axes of those inputs beside the rows, and their size at each gear."""
    return {
        (spec.name, axis): tuple(shapes[index][axis] for shapes in gears.dealt)
        for index, (spec, carries) in enumerate(zip(gears.inputs, gears.carriers, strict=True))
        for axis, dim in enumerate(spec.shape)
        if spec.name in names and dim == -1 and not (carries and axis == 0)
    }


def resized(shapes: Shapes, places: Iterable[Place], size: int) -> Shapes:
    """The shapes with those dims of that size."""
    made = {name: list(shape) for name, shape in shapes.items()}
    for name, axis in places:
        made[name][axis] = size
    return {name: tuple(shape) for name, shape in made.items()}


def smaller_sizes(size: int) -> list[int]:
    """Sizes to try instead, descending: neighbours, parts, and the smallest there are."""
    steps = {size - by for by in (1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 32, 33)}
    parts = {size * part // 8 for part in (6, 4, 2, 1)}
    return sorted({each for each in steps | parts | {3, 2, 1} if 0 < each < size}, reverse=True)


def _walked(
    program: Program, shapes: Shapes, places: Sequence[Place], outputs: Sequence[TensorSpec]
) -> _Seen:
    """What the outputs are at that size and at the smaller ones that the network takes."""
    name, axis = places[0]
    seen: _Seen = []
    for size in (shapes[name][axis], *smaller_sizes(shapes[name][axis])):
        with suppress(UnsupportedModelError):
            facts = walk(program, resized(shapes, places, size))
            seen.append((size, [facts[spec.name].shape for spec in outputs]))
    return seen


def _cannot_be_cut(place: Place, axis: int, spec: TensorSpec) -> OptionError:
    name, input_axis = place
    return OptionError(
        f"pad: inputs cannot be padded along axis {input_axis} of {name!r}, because dim {axis} of "
        f"output {spec.name!r} does not grow in proportion with it alone, so that what padding "
        "adds to it could not be cut off. Leave pad= out."
    )


def _check_values(gears: GearSet, pads: Mapping[str, float]) -> None:
    specs = {spec.name: spec for spec in gears.inputs}
    errors = [
        error for name, value in pads.items() if (error := _pad_fault(gears, specs, name, value))
    ]
    if errors:
        raise OptionErrors(errors)


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
    if gears.mode not in ("dims", "image") or not _places(gears, [name]):
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
