"""What a model is set to before it runs: the shape of each input, and the gear asked for.

Only declared gears are taken, as on a card; any number of rows is what `gearshift.load` is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gearshift.errors import GearError, InputError, OptionError
from gearshift.gears.gear import Gear, GearSet, Mode
from gearshift.tensors import Shape, TensorSpec, format_shape

_SHOWN: Final = 12
_OPTION_OF: Final[dict[Mode, str]] = {
    "batch": "--dymBatch",
    "image": "--dymHW",
    "dims": "--dymDims",
    "range": "--dymShape",
}


@dataclass(frozen=True)
class Setting:
    """What one run takes.

    Attributes:
        shapes: of each input, by name, in input order; every dim known.
        gear: its values, or None where there are no gears.
        rows: what throughput is counted by: rows, or the first dim of the first input where gears
            do not deal them.
    """

    shapes: Mapping[str, Shape]
    gear: tuple[int, ...] | None = None
    rows: int = 1

    def __str__(self) -> str:
        return _written(self.shapes)


def set_static(gears: GearSet) -> Setting:
    """A model whose every dim is fixed. Raises OptionError for one that has to be told more."""
    if gears.mode == "fixed":
        return _setting(gears, {spec.name: spec.shape for spec in gears.inputs})
    raise OptionError(f"the model has to be set first: {_what(gears)} Use {_use(gears.mode)}.")


def set_batch(gears: GearSet, rows: int) -> Setting:
    """A gear of so many rows. Raises OptionError or GearError if the model has none such."""
    _check_mode(gears, "batch")
    return _at(gears, (rows,))


def set_image(gears: GearSet, height: int, width: int) -> Setting:
    """A gear of that image size. Raises OptionError or GearError if the model has none such."""
    _check_mode(gears, "image")
    return _at(gears, (height, width))


def set_dims(gears: GearSet, shapes: Mapping[str, Shape]) -> Setting:
    """The gear at which inputs have those shapes. Raises OptionError, InputError or GearError."""
    _check_mode(gears, "dims")
    return _of_shapes(gears, _complete(gears, shapes))


def set_shape(gears: GearSet, shapes: Mapping[str, Shape]) -> Setting:
    """Shapes of a model compiled for ranges. Raises OptionError or InputError."""
    _check_mode(gears, "range")
    return _within(gears, _complete(gears, shapes))


def set_by_feeds(gears: GearSet, shapes: Mapping[str, Shape]) -> Setting:
    """Whatever those shapes ask for, be it a gear. Raises InputError or GearError."""
    complete = _complete(gears, shapes)
    return _within(gears, complete) if gears.mode == "range" else _of_shapes(gears, complete)


def parse_shapes(option: str, text: str) -> dict[str, Shape]:
    """Reads ``name:1,600;name2:1,600``. Raises OptionError for anything else."""
    shapes: dict[str, Shape] = {}
    for item in text.strip().removesuffix(";").split(";"):
        name, colon, dims = item.rpartition(":")
        name, numbers = name.strip(), [dim.strip() for dim in dims.split(",")]
        if not colon or not name or not all(dim.isdecimal() and dim.isascii() for dim in numbers):
            raise OptionError(
                f"{option}: {item!r} is not NAME:DIMS; write each input's name and its dims, for "
                f"example {option} 'x:1,3,224,224;info:1,4'."
            )
        if name in shapes:
            raise OptionError(f"{option}: input {name!r} is given twice; keep one.")
        shapes[name] = tuple(int(dim) for dim in numbers)
    return shapes


def _check_mode(gears: GearSet, mode: Mode) -> None:
    if gears.mode == mode:
        return
    raise OptionError(
        f"{_OPTION_OF[mode]} does not go with this model: {_what(gears)} Use {_use(gears.mode)}."
    )


def _use(mode: Mode) -> str:
    """The command's option, and the mode of `InferSession`."""
    if mode == "fixed":
        return "no such option, or mode='static'"
    return f"{_OPTION_OF[mode]}, or mode={_OPTION_OF[mode].lstrip('-').lower()!r}"


def _what(gears: GearSet) -> str:
    if gears.mode == "fixed":
        return "every dim of it is fixed."
    if gears.mode == "range":
        return "its dims vary within ranges, and it has no gears."
    kinds = {"batch": "batch sizes", "image": "image sizes", "dims": "any dims"}
    return f"its gears are {kinds[gears.mode]}: {_declared(gears)}."


def _declared(gears: GearSet) -> str:
    between = ", " if gears.mode == "batch" else "; "
    more = f" and {len(gears) - _SHOWN} more" if len(gears) > _SHOWN else ""
    return between.join(str(gear) for gear in gears.gears[:_SHOWN]) + more


def _at(gears: GearSet, values: tuple[int, ...]) -> Setting:
    gear = Gear(values)
    if gear not in gears.gears:
        raise GearError(
            f"gear {gear} was not compiled into this model; its gears are {_declared(gears)}. "
            "Ask for one of these, or compile the model with that one as well."
        )
    return _setting(gears, gears.shapes(gear), values)


def _complete(gears: GearSet, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    names = [spec.name for spec in gears.inputs]
    if sorted(names) != sorted(shapes):
        raise InputError(
            f"shapes of {', '.join(shapes) or 'nothing'} were given; the model takes "
            f"{', '.join(names)}. Give the shape of each."
        )
    return {name: tuple(shapes[name]) for name in names}


def _of_shapes(gears: GearSet, shapes: dict[str, Shape]) -> Setting:
    if gears.mode == "fixed":
        wanted = {spec.name: spec.shape for spec in gears.inputs}
        if shapes == wanted:
            return _setting(gears, shapes)
        raise InputError(f"the model takes {_written(wanted)}, and got {_written(shapes)}.")
    for gear in gears:
        if gears.shapes(gear) == shapes:
            return _setting(gears, shapes, gear.values)
    raise GearError(
        f"no gear takes {_written(shapes)}; inputs are {_inputs(gears.inputs)}, and the gears are "
        f"{_declared(gears)}. Give arrays of one of these, or compile the model with that gear."
    )


def _within(gears: GearSet, shapes: dict[str, Shape]) -> Setting:
    for spec, ranges in zip(gears.inputs, gears.ranges, strict=True):
        shape = shapes[spec.name]
        if len(shape) != len(ranges):
            raise InputError(
                f"input {spec.name!r} was given the shape {format_shape(shape)}; it has "
                f"{len(ranges)} dims, as {format_shape(spec.shape)}."
            )
        for axis, (dim, (low, high)) in enumerate(zip(shape, ranges, strict=True)):
            if dim < low or (high != -1 and dim > high):
                upto = "on" if high == -1 else f"to {high}"
                raise InputError(
                    f"input {spec.name!r} was given the shape {format_shape(shape)}; dim {axis} "
                    f"goes from {low} {upto} in this model. Compile it for a wider range."
                )
    return _setting(gears, shapes)


def _setting(
    gears: GearSet, shapes: Mapping[str, Shape], gear: tuple[int, ...] | None = None
) -> Setting:
    carried = [
        shape for shape, carries in zip(shapes.values(), gears.carriers, strict=True) if carries
    ]
    first = next(iter((*carried, *shapes.values())), ())
    return Setting(shapes, gear, first[0] if first else 1)


def _written(shapes: Mapping[str, Shape]) -> str:
    return ", ".join(f"{name} {format_shape(shape)}" for name, shape in shapes.items())


def _inputs(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(str(spec) for spec in specs)
