"""What declared inputs and gears must satisfy together: the rules behind the option grammars.

The command line calls these on what it parsed, the Python API on what it was given. Each returns
every problem it finds, in order, as OptionErrors with ATC's codes; an empty list means all is well.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gearshift.errors import OptionError
from gearshift.gears.parse import MAX_GEARS, SHAPE_SAMPLE, dims_sample, too_many_gears
from gearshift.gears.text import INT32_MAX, listed, option_error, shown
from gearshift.tensors import Shape, format_shape

Inputs = Mapping[str, Shape] | Iterable[tuple[str, Shape]]
"""Input shapes by name, in the order declared; -1 where the gear decides."""

MIN_GEARS: Final = 2
ADVISED_SIZES: Final = range(1, 2049)
IMAGE_AXES: Final = {"NCHW": (2, 3), "NHWC": (1, 2)}
"""Where height and width lie, for each format that has image gears."""

_MAX_DIMS_RANK: Final = 4


def check_static_inputs(inputs: Inputs) -> list[OptionError]:
    """Without gears every dim must be known: E10011 for each input where one is not."""
    return [
        option_error(
            "E10011",
            f"input_shape: input {shown(name)} has shape {format_shape(shape)} but no gears are "
            "declared, so every dim must be 1 or more; give the real sizes, or declare the values "
            "of -1, for example with dynamic_batch_size 1,2,4,8.",
        )
        for name, shape in _pairs(inputs)
        if any(dim <= 0 for dim in shape)
    ]


def check_batch_inputs(inputs: Inputs) -> list[OptionError]:
    """The inputs of ``dynamic_batch_size``: -1 as the first dim of at least one, and nowhere else.

    Scalars may be listed, and nothing is asked of them.

    E10018 (a dim other than the first is open), E10031 (no first dim is -1),
    E10011 (a dim that is neither -1 nor positive), E10014 (not a whole number).
    """
    pairs = _pairs(inputs)
    errors: list[OptionError] = []
    misplaced: list[OptionError] = []
    counted = 0
    for name, shape in pairs:
        found = _batch_input_errors(name, shape)
        if shape and shape[0] == -1:
            counted += not found
            errors += found
        else:
            misplaced += found
    # An open dim in the wrong place is E10031 alone if it is the only one (as in ATC), and an
    # error of its own beside a good input (where ATC goes on and deals it the batch size).
    if counted:
        return errors + misplaced
    hard = [error for error in misplaced if error.code != "E10018"]
    return [*errors, *hard, _no_batch_input(pairs)]


def _batch_input_errors(name: str, shape: Shape) -> list[OptionError]:
    where = f"input_shape: input {shown(name)} has shape {format_shape(shape)}"
    odd = [dim for dim in shape if not _is_whole(dim)]
    if odd:
        return [
            option_error(
                "E10014",
                f"{where}: {shown(odd[0])} is not a whole number; dims are whole numbers, -1 first "
                "where the batch size varies.",
            )
        ]
    for axis, dim in enumerate(shape):
        if dim >= 1 or (axis == 0 and dim == -1):
            continue
        if dim == -1 or shape[0] == -1:
            return [_only_first_dim(where, axis, dim)]
        return [
            option_error(
                "E10011",
                f"{where}: dim {axis} is {dim}; a dim is 1 or more, or -1 as the first one.",
            )
        ]
    return []


def _only_first_dim(where: str, axis: int, dim: int) -> OptionError:
    return option_error(
        "E10018",
        f"{where}: dim {axis} is {dim}; with dynamic_batch_size only the first dim may be -1 and "
        f"all others must be 1 or more. Give dim {axis} its real size, for example {SHAPE_SAMPLE} "
        "(dynamic_dims is for other dims).",
    )


def _no_batch_input(pairs: Sequence[tuple[str, Shape]]) -> OptionError:
    seen = listed(f"{name} {format_shape(shape)}" for name, shape in pairs) or "no input"
    return option_error(
        "E10031",
        "dynamic_batch_size: no input of input_shape is -1 in its first dim and fixed in all "
        f"others, got {seen}; put -1 first in every input whose number of rows varies, "
        f"for example {SHAPE_SAMPLE}.",
    )


def check_image_inputs(inputs: Inputs, input_format: str) -> list[OptionError]:
    """The inputs of ``dynamic_image_size``: -1 as height and width and nowhere else.

    E10003 (unknown format), E10019 (-1 elsewhere, or nowhere), E10011 (a dim below -1, or 0).
    """
    if input_format not in {*IMAGE_AXES, "ND", "NCDHW", "NDHWC"}:
        return [
            option_error(
                "E10003",
                f"input_format: {shown(input_format)} is not a known format; "
                f"dynamic_image_size needs {' or '.join(IMAGE_AXES)}.",
            )
        ]
    pairs = _pairs(inputs)
    errors = _bad_dims(pairs)
    axes = IMAGE_AXES.get(input_format)
    open_dims = {name: _open_axes(shape) for name, shape in pairs if _open_axes(shape)}
    rank_of = {name: len(shape) for name, shape in pairs}
    wrong = [name for name, found in open_dims.items() if found != axes or rank_of[name] != 4]
    if wrong or not open_dims:
        seen = listed(f"{name} {format_shape(shape)}" for name, shape in pairs) or "no input"
        errors.append(
            option_error(
                "E10019",
                f"dynamic_image_size: with input_format {input_format} the inputs whose size "
                "varies must have 4 dims, -1 as height and width and nowhere else, "
                f"got {seen}; for example data:1,3,-1,-1 with NCHW.",
            )
        )
    return errors


def check_dims_inputs(inputs: Inputs, input_format: str) -> list[OptionError]:
    """The inputs of ``dynamic_dims``: format ND, up to 4 dims each, at least one -1.

    E10001 for each of these, E10011 for a dim that is neither -1 nor positive.
    """
    pairs = _pairs(inputs)
    errors = []
    if input_format != "ND":
        errors.append(
            option_error(
                "E10001",
                f"input_format: {shown(input_format)} does not go with dynamic_dims, which needs "
                "ND; set input_format to ND.",
            )
        )
    errors += [
        option_error(
            "E10001",
            f"input_shape: input {shown(name)} has {len(shape)} dims {format_shape(shape)}; "
            f"dynamic_dims takes inputs of up to {_MAX_DIMS_RANK} dims.",
        )
        for name, shape in pairs
        if len(shape) > _MAX_DIMS_RANK
    ]
    errors += _bad_dims(pairs)
    if not count_open_dims(pairs):
        errors.append(
            option_error(
                "E10001",
                "input_shape: dynamic_dims is set but no dim is -1; write -1 for each dim that "
                "varies, for example data:1,1,40,-1;label:1,-1.",
            )
        )
    return errors


def count_open_dims(inputs: Inputs) -> int:
    """How many -1 the shapes hold together."""
    return sum(shape.count(-1) for _, shape in _pairs(inputs))


def check_gear_list(
    gears: Sequence[int | Sequence[int]], option: str = "dynamic_batch_size"
) -> list[OptionError]:
    """The list of gears, whichever way it was declared.

    E10035 (fewer than 2), E10036 (more than 100), E10037 (not equally long), E10003 (not a whole
    number, or too large for the 32-bit gear input), E10038 (a value below 1), E10039 (twice).

    Args:
        gears: batch sizes, or one sequence of values per gear.
        option: the option they come from, for the messages.
    """
    rows = [tuple(gear) if isinstance(gear, Sequence) else (gear,) for gear in gears]
    errors: list[OptionError] = []
    if len(rows) < MIN_GEARS:
        errors.append(_too_few_gears(option, rows))
    elif len(rows) > MAX_GEARS:
        errors.append(too_many_gears(option, len(rows)))
    lengths = list(dict.fromkeys(len(row) for row in rows))
    if len(lengths) > 1:
        errors.append(
            option_error(
                "E10037",
                f"{option}: gears must have equally many values, but gear 0 has {lengths[0]} and "
                f"another has {lengths[1]} in {shown(_written(rows))}; fill in the missing ones.",
            )
        )
    return errors + _gear_value_errors(option, rows) + _duplicate_errors(option, rows)


def _too_few_gears(option: str, rows: Sequence[tuple[int, ...]]) -> OptionError:
    got = f"only {_written(rows)}" if rows else "none"
    return option_error(
        "E10035",
        f"{option}: at least {MIN_GEARS} gears are needed (and at most {MAX_GEARS}), got {got}; "
        "declare another, for example 1,2,4,8.",
    )


def _gear_value_errors(option: str, rows: Sequence[tuple[int, ...]]) -> list[OptionError]:
    values = [value for row in rows for value in row]
    whole = [value for value in values if _is_whole(value)]
    unfit = [v for v in values if not _is_whole(v)] + [v for v in whole if v > INT32_MAX]
    errors = []
    if unfit:
        errors.append(
            option_error(
                "E10003",
                f"{option}: {listed(unfit)} cannot be a gear; gears are whole numbers "
                f"from 1 to {INT32_MAX}, for example 1,2,4,8.",
            )
        )
    low = [value for value in whole if value < 1]
    if low:
        errors.append(
            option_error(
                "E10038",
                f"{option}: every value of a gear must be 1 or more, got {listed(low)} in "
                f"{shown(_written(rows))}; remove it or write the size that was meant.",
            )
        )
    return errors


def _duplicate_errors(option: str, rows: Sequence[tuple[int, ...]]) -> list[OptionError]:
    twice = [row for row, count in Counter(rows).items() if count > 1]
    if not twice:
        return []
    return [
        option_error(
            "E10039",
            f"{option}: gear {_written(twice)} is declared more than once in "
            f"{shown(_written(rows))}; declare each gear once.",
        )
    ]


def check_gear_length(
    gears: Sequence[Sequence[int]], length: int, option: str
) -> list[OptionError]:
    """Equally long gears must also be as long as the dims they fill: E10045, E10046 if not."""
    short = next((gear for gear in gears if len(gear) != length), None)
    if short is None:
        return []
    code = "E10046" if option == "dynamic_image_size" else "E10045"
    sample = "416,416;832,832" if code == "E10046" else dims_sample(length)
    return [
        option_error(
            code,
            f"{option}: gear {shown(_written([short]))} has {len(short)} values but there are "
            f"{length} dims of -1 to fill; give {length} values per gear, for example {sample}.",
        )
    ]


def advise_batch_sizes(sizes: Iterable[int]) -> list[str]:
    """Warnings about batch sizes outside the 1 to 2048 that ATC recommends."""
    large = [size for size in sizes if size not in ADVISED_SIZES]
    if not large:
        return []
    return [
        f"dynamic_batch_size: {listed(large)} is outside the recommended "
        f"{ADVISED_SIZES[0]} to {ADVISED_SIZES[-1]}; compiling may take long and running may need "
        "much memory. If it fails, drop the gear or lower it: more rows are run in several pieces."
    ]


def _pairs(inputs: Inputs) -> list[tuple[str, Shape]]:
    items = inputs.items() if isinstance(inputs, Mapping) else inputs
    return [(name, tuple(shape)) for name, shape in items]


def _open_axes(shape: Shape) -> tuple[int, ...]:
    return tuple(axis for axis, dim in enumerate(shape) if dim == -1)


def _bad_dims(pairs: Sequence[tuple[str, Shape]]) -> list[OptionError]:
    return [
        option_error(
            "E10011",
            f"input_shape: input {shown(name)} has shape {format_shape(shape)}; "
            "every dim is 1 or more, or -1 where the gear decides.",
        )
        for name, shape in pairs
        if any(dim < -1 or dim == 0 for dim in shape)
    ]


def _is_whole(value: object) -> bool:
    if isinstance(value, bool):
        return False
    try:
        operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return False
    return True


def _written(rows: Iterable[Sequence[int]]) -> str:
    """The gears as they are written on the command line."""
    texts = [",".join(str(value) for value in row) for row in rows]
    return (";" if any("," in text for text in texts) else ",").join(texts)
