"""From what was asked for to the gear set: which dims are open, what each gear makes of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from gearshift.errors import OptionError, OptionErrors, did_you_mean
from gearshift.gears import checks
from gearshift.gears.deal import deal_gear
from gearshift.gears.gear import Gear, GearSet, Mode
from gearshift.options import CompileOptions
from gearshift.program import Program
from gearshift.tensors import Range, Shape, TensorSpec, format_shape

_PROBES: Final = ((1, 2), (64, 128))
"""Where dims without an end are tried: as a number of rows, and beside it."""


def mode_of(options: CompileOptions) -> Mode:
    """Which grammar the options speak. Raises OptionError (E10009) for more than one."""
    asked: dict[Mode, bool] = {
        "batch": bool(options.dynamic_batch_size),
        "image": bool(options.dynamic_image_size),
        "dims": bool(options.dynamic_dims),
        "range": bool(options.input_shape_range),
    }
    modes = [mode for mode, is_asked in asked.items() if is_asked]
    if len(modes) > 1:
        names = [OPTION_OF[mode] for mode in modes]
        raise OptionError(
            f"{' and '.join(names)} are given together; they exclude each other. Keep one: "
            "dynamic_batch_size if only the number of rows varies.",
            code="E10009" if "range" not in modes else "E10047",
        )
    return modes[0] if modes else "fixed"


OPTION_OF: Final[Mapping[Mode, str]] = {
    "fixed": "input_shape",
    "batch": "dynamic_batch_size",
    "image": "dynamic_image_size",
    "dims": "dynamic_dims",
    "range": "input_shape_range",
}


def declared_gears(options: CompileOptions) -> tuple[tuple[int, ...], ...]:
    """The gears as they were written, whichever way; none for fixed shapes and for ranges."""
    if options.dynamic_batch_size:
        return tuple((size,) for size in options.dynamic_batch_size)
    return options.dynamic_image_size or options.dynamic_dims


def input_shapes(program: Program, options: CompileOptions) -> Mapping[str, Shape]:
    """The shapes asked for, by input name; of ranges those with -1 where a dim may vary.

    Raises:
        OptionErrors: ranges that do not go with the model's inputs (E10016, E10048 to E10050).
    """
    if not options.input_shape_range:
        return options.input_shape
    ranges = named_ranges(program, options)
    return dict(options.input_shape) | {
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
    opened = [(spec.name, spec.shape) for spec in program.inputs if -1 in spec.shape]
    errors = _input_errors(mode, opened, options)
    if errors:
        raise OptionErrors(errors)
    if mode == "batch":
        gears = tuple(Gear((size,)) for size in options.dynamic_batch_size)
        return GearSet("batch", gears, program.inputs)
    if mode == "fixed":
        dealt = (tuple(spec.shape for spec in program.inputs),)
        return GearSet("fixed", (Gear(()),), program.inputs, dealt)
    if mode == "range":
        return _range_set(program, options)
    order = [*options.input_shape, *(name for name, _ in opened if name not in options.input_shape)]
    gears = tuple(Gear(values) for values in declared_gears(options))
    shapes = tuple(_dealt(program.inputs, order, gear) for gear in gears)
    return GearSet(mode, gears, program.inputs, shapes)


def named_ranges(program: Program, options: CompileOptions) -> Mapping[str, tuple[Range, ...]]:
    """The ranges by input name, whichever way they were written.

    Raises:
        OptionErrors: an unknown name (E10016), more ranges than inputs (E10048), another number of
            dims than the input has (E10049), a fixed dim outside its range (E10050).
    """
    specs = {spec.name: spec for spec in program.inputs}
    given = options.input_shape_range
    if all(name == "" for name, _ in given):
        if len(given) != len(specs):
            raise OptionError(
                f"input_shape_range: {len(given)} ranges are given by position, and the model has "
                f"{len(specs)} inputs: {', '.join(specs)}. Give one for each, or name them.",
                code="E10048",
            )
        given = tuple((name, dims) for name, (_, dims) in zip(specs, given, strict=True))
    errors = [
        error for name, dims in given if (error := _range_fault(specs, name, dims)) is not None
    ]
    if errors:
        raise OptionErrors(errors)
    return dict(given)


def _range_fault(
    specs: Mapping[str, TensorSpec], name: str, dims: Sequence[Range]
) -> OptionError | None:
    if name not in specs:
        return OptionError(
            f"input_shape_range names {name!r}, which is not an input of the model; its inputs are "
            f"{', '.join(specs)}." + did_you_mean(name, specs),
            code="E10016",
        )
    shape = specs[name].shape
    if len(dims) != len(shape):
        return OptionError(
            f"input_shape_range gives {name!r} {len(dims)} dims; the model's has {len(shape)}, "
            f"{format_shape(shape)}. Give {len(shape)}.",
            code="E10049",
        )
    for axis, (dim, (low, high)) in enumerate(zip(shape, dims, strict=True)):
        if dim >= 0 and (dim < low or (high != -1 and dim > high)):
            return OptionError(
                f"input_shape_range: dim {axis} of {name!r} is {dim} in the model, outside "
                f"{low}~{high}. Give a range that holds {dim}.",
                code="E10050",
            )
    return None


def _input_errors(
    mode: Mode, opened: Sequence[tuple[str, Shape]], options: CompileOptions
) -> list[OptionError]:
    if mode == "batch":
        return checks.check_batch_inputs(opened)
    if mode == "image":
        return checks.check_image_inputs(opened, options.input_format or "NCHW")
    settled: Collection[str] = {
        "fixed": (),
        "dims": options.input_shape,
        "range": [name for name, _ in options.input_shape_range],
    }[mode]
    hint = {
        "fixed": "give its real size in input_shape, or declare the values of -1 with "
        "dynamic_batch_size, dynamic_image_size or dynamic_dims",
        "dims": "list every input that has a -1 in input_shape",
        "range": "give every input that has a -1 its range",
    }[mode]
    unlisted = [
        (name, shape) for name, shape in opened if name not in settled and "" not in settled
    ]
    return [
        OptionError(
            f"input {name!r} is {format_shape(shape)} in the model and not settled by "
            f"{OPTION_OF[mode]}; {hint}.",
            code="E10001",
        )
        for name, shape in unlisted
    ]


def _dealt(inputs: Sequence[TensorSpec], order: Sequence[str], gear: Gear) -> tuple[Shape, ...]:
    """The shape of each input at that gear; values are dealt in the order written."""
    open_shapes = {spec.name: spec.shape for spec in inputs}
    names = [name for name in order if name in open_shapes]
    filled = deal_gear([open_shapes[name] for name in names], gear.values, names)
    dealt = open_shapes | dict(zip(names, filled, strict=True))
    return tuple(dealt[spec.name] for spec in inputs)


def _range_set(program: Program, options: CompileOptions) -> GearSet:
    """A set of two gears: all dims at their least, and all at their most."""
    given = named_ranges(program, options)
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
