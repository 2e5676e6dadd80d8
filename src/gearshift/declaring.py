"""From what was asked for to the gear set: which dims are open, what each gear makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from gearshift.errors import OptionErrors
from gearshift.gears.deal import deal_gear
from gearshift.gears.declared import check_model_inputs, match_ranges
from gearshift.gears.gear import Gear, GearSet, Mode
from gearshift.options import CompileOptions
from gearshift.program import Program
from gearshift.tensors import Range, Shape, TensorSpec

_PROBES: Final = ((1, 2), (64, 128))
"""Where dims without an end are tried: as a number of rows, and beside it."""

_GEAR_OPTION: Final[Mapping[Mode, str]] = {
    "batch": "dynamic_batch_size",
    "image": "dynamic_image_size",
    "dims": "dynamic_dims",
}


def mode_of(options: CompileOptions) -> Mode:
    """Which grammar the options speak; they are known to speak one at most."""
    asked: dict[Mode, object] = {
        "batch": options.dynamic_batch_size,
        "image": options.dynamic_image_size,
        "dims": options.dynamic_dims,
        "range": options.input_shape_range,
    }
    return next((mode for mode, values in asked.items() if values), "fixed")


def input_shapes(program: Program, options: CompileOptions) -> Mapping[str, Shape]:
    """The shapes asked for, by input name; of ranges those with -1 where a dim may vary.

    Raises:
        OptionErrors: ranges that do not go with the model's inputs (E10016, E10017, E10048 to
            E10050), or with a shape that is given as well.
    """
    given, ranges = options.input_shape, _ranges(program, options)
    both = [item for item in ranges.items() if item[0] in given]
    match_ranges(list(given.items()), both)
    return dict(given) | {
        name: tuple(low if low == high else -1 for low, high in dims)
        for name, dims in ranges.items()
    }


def declare_gears(program: Program, options: CompileOptions) -> GearSet:
    """Deals the gears to every input that is open, listed or not.

    Args:
        program: its inputs are bound to the shapes asked for.
        options: the gears, in any of their grammars.

    Raises:
        OptionErrors: the inputs do not go with the gears.
    """
    mode = mode_of(options)
    _check_inputs(program, options, mode)
    if mode == "batch":
        gears = tuple(Gear((size,)) for size in options.dynamic_batch_size)
        return GearSet("batch", gears, program.inputs)
    if mode == "range" and all(-1 not in spec.shape for spec in program.inputs):
        mode = "fixed"  # every range is one number
    if mode == "fixed":
        dealt = (tuple(spec.shape for spec in program.inputs),)
        return GearSet("fixed", (Gear(()),), program.inputs, dealt)
    if mode == "range":
        return _range_set(program, options)
    listed = options.input_shape
    order = [*listed, *(spec.name for spec in program.inputs if spec.name not in listed)]
    gears = tuple(Gear(values) for values in options.dynamic_image_size or options.dynamic_dims)
    shapes = tuple(_dealt(program.inputs, order, gear) for gear in gears)
    return GearSet(mode, gears, program.inputs, shapes)


def _check_inputs(program: Program, options: CompileOptions, mode: Mode) -> None:
    ranges = _ranges(program, options)
    inputs = [(spec.name, spec.shape) for spec in program.inputs if spec.name not in ranges]
    option = _GEAR_OPTION.get(mode, "")
    if errors := check_model_inputs(option, inputs, options.input_shape, options.input_format):
        raise OptionErrors(errors)


def _ranges(program: Program, options: CompileOptions) -> Mapping[str, tuple[Range, ...]]:
    inputs = [(spec.name, spec.shape) for spec in program.inputs]
    return match_ranges(inputs, options.input_shape_range, program.has_inside)


def _dealt(inputs: Sequence[TensorSpec], order: Sequence[str], gear: Gear) -> tuple[Shape, ...]:
    """The shape of each input at that gear; values are dealt in the order written."""
    open_shapes = {spec.name: spec.shape for spec in inputs}
    names = [name for name in order if name in open_shapes]
    filled = deal_gear([open_shapes[name] for name in names], gear.values, names)
    dealt = open_shapes | dict(zip(names, filled, strict=True))
    return tuple(dealt[spec.name] for spec in inputs)


def _range_set(program: Program, options: CompileOptions) -> GearSet:
    """A set of two gears: all dims at their least, and all at their most."""
    given = _ranges(program, options)
    ranges = tuple(
        given.get(spec.name, tuple((dim, dim) for dim in spec.shape)) for spec in program.inputs
    )
    ends = (
        tuple(tuple(end(axis, one) for axis, one in enumerate(dims)) for dims in ranges)
        for end in (_least, _most)
    )
    gears = {Gear(tuple(dim for shape in dealt for dim in shape)): dealt for dealt in ends}
    return GearSet("range", tuple(gears), program.inputs, tuple(gears.values()), ranges)


def _least(axis: int, bounds: Range) -> int:
    low, high = bounds
    return max(low, 1) if high != -1 else max(low, _PROBES[axis > 0][0])


def _most(axis: int, bounds: Range) -> int:
    low, high = bounds
    return high if high != -1 else max(low, _PROBES[axis > 0][1])
