"""Shapes within ranges: which dims of the outputs are the same at every size that was looked at."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from gearshift.analysis.facts import walk
from gearshift.errors import UnsupportedModelError
from gearshift.gears.gear import GearSet
from gearshift.program import Program
from gearshift.tensors import Shape

_MOST_CROSSED: Final = 4
"""Dims whose ends are tried in every combination; with more, one dim at a time goes to its end."""

Place = tuple[int, int]
"""Number of an input, and the axis."""


def corner_outputs(program: Program, gears: GearSet) -> list[tuple[Shape, ...]]:
    """Shapes of the outputs at sizes within the ranges beside the gears, which are two of the ends.

    At both gears every dim is at the same end, so what one dim adds and another takes away does not
    show there. Combinations that the model does not take say nothing and are left out.
    """
    found = []
    for shapes in _corners(gears):
        named = {spec.name: shape for spec, shape in zip(gears.inputs, shapes, strict=True)}
        with suppress(UnsupportedModelError):
            facts = walk(program, named)
            found.append(tuple(facts[spec.name].shape for spec in program.outputs))
    return found


def _corners(gears: GearSet) -> Iterator[tuple[Shape, ...]]:
    least, most = gears.dealt[0], gears.dealt[-1]
    places = [
        (index, axis)
        for index, shape in enumerate(least)
        for axis, dim in enumerate(shape)
        if dim != most[index][axis]
    ]
    if len(places) <= _MOST_CROSSED:
        moved: Sequence[tuple[Place, ...]] = [
            chosen
            for count in range(1, len(places))
            for chosen in itertools.combinations(places, count)
        ]
        yield from (_moved(least, most, chosen) for chosen in moved)
    else:
        yield from (_moved(least, most, [place]) for place in places)
        yield from (_moved(most, least, [place]) for place in places)
    # What goes in steps may be at the same one at both ends.
    yield from (_moved(least, _next(least), [place]) for place in places)


def _moved(
    shapes: Sequence[Shape], to: Sequence[Shape], places: Sequence[Place]
) -> tuple[Shape, ...]:
    """The shapes with those dims as they are in the others."""
    return tuple(
        tuple(to[index][axis] if (index, axis) in places else dim for axis, dim in enumerate(shape))
        for index, shape in enumerate(shapes)
    )


def _next(shapes: Sequence[Shape]) -> tuple[Shape, ...]:
    return tuple(tuple(dim + 1 for dim in shape) for shape in shapes)
