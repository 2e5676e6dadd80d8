"""All that is declared about the inputs, taken together: which options exclude each other.

The command line asks the single rules in ATC's order; `check_declared` asks all of them of options
that came from Python, where the model is still unread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Protocol

from gearshift.errors import OptionError, OptionErrors, did_you_mean
from gearshift.gears import checks
from gearshift.gears.text import listed, option_error, shown
from gearshift.tensors import Range, Shape, format_shape

GEAR_OPTIONS: Final = ("dynamic_batch_size", "dynamic_image_size", "dynamic_dims")
RANGE: Final = "input_shape_range"

Ranges = Sequence[tuple[str, tuple[Range, ...]]]


class Declared(Protocol):
    """What `check_declared` looks at; `CompileOptions` is one."""

    @property
    def input_shape(self) -> Mapping[str, Shape]:
        """Shapes by input name."""

    @property
    def dynamic_batch_size(self) -> tuple[int, ...]:
        """Batch gears."""

    @property
    def dynamic_image_size(self) -> tuple[tuple[int, ...], ...]:
        """Image gears."""

    @property
    def dynamic_dims(self) -> tuple[tuple[int, ...], ...]:
        """Gears of any dims."""

    @property
    def input_shape_range(self) -> tuple[tuple[str, tuple[Range, ...]], ...]:
        """Ranges by input name, or in the model's order."""

    @property
    def input_format(self) -> str:
        """How an image lies in 4 dims; "" for the default."""

    @property
    def aipp(self) -> str | None:
        """Text of an AIPP configuration."""


def check_declared(declared: Declared) -> list[OptionError]:
    """Every fault that shows before the model is read."""
    gears = {name: getattr(declared, name) for name in GEAR_OPTIONS if getattr(declared, name)}
    given = (*gears, *((RANGE,) if declared.input_shape_range else ()))
    errors = check_together(given)
    if declared.aipp is not None:
        errors += check_aipp_together(given)
    if len(gears) > 1:
        return errors
    name = next(iter(gears), "")
    inputs = declared.input_shape
    if inputs:
        errors += check_inputs(name, inputs, declared.input_format)
    if gears:
        errors += check_gears(name, gears[name], inputs)
    return errors + check_range_list(declared.input_shape_range)


def check_together(given: Collection[str], dashes: str = "") -> list[OptionError]:
    """The options that declare what varies: E10009 for two kinds of gears, E10047 for a range too.

    Args:
        given: which of them are set.
        dashes: what the user writes in front of an option.
    """
    chosen = [name for name in GEAR_OPTIONS if name in given]
    if len(chosen) > 1:
        return [
            option_error(
                "E10009",
                f"{' and '.join(dashes + name for name in chosen)} are set together; they exclude "
                "each other. Keep one: dynamic_batch_size if only the number of rows varies, "
                "dynamic_dims for the number of rows and other dims together.",
            )
        ]
    if chosen and RANGE in given:
        return [
            option_error(
                "E10047",
                f"{dashes}{chosen[0]} and {dashes}{RANGE} are set together; they exclude each "
                f"other. Drop {dashes}{RANGE}: {dashes}input_shape says which dims vary.",
            )
        ]
    return []


def check_aipp_together(given: Collection[str], dashes: str = "") -> list[OptionError]:
    """E10001 for an AIPP configuration beside ``dynamic_dims``."""
    if "dynamic_dims" not in given:
        return []
    return [
        option_error(
            "E10001",
            f"{dashes}insert_op_conf: an AIPP configuration does not go with {dashes}dynamic_dims, "
            "whose dims need not be rows, height and width; leave one of the two out, or declare "
            "the gears with dynamic_batch_size or dynamic_image_size.",
        )
    ]


def check_inputs(option: str, inputs: checks.Inputs, input_format: str) -> list[OptionError]:
    """The input shapes by the rules of the gears that fill them.

    Args:
        option: one of `GEAR_OPTIONS`, or "" for none.
        inputs: shapes by name.
        input_format: as declared; "" for the default.
    """
    if option == "dynamic_batch_size":
        return checks.check_batch_inputs(inputs)
    if option == "dynamic_image_size":
        return checks.check_image_inputs(inputs, input_format or "NCHW")
    if option == "dynamic_dims":
        return checks.check_dims_inputs(inputs, input_format or "ND")
    return checks.check_static_inputs(inputs)


def check_model_inputs(
    option: str, inputs: Sequence[tuple[str, Shape]], listed_names: Collection[str], form: str
) -> list[OptionError]:
    """What the model's own inputs must satisfy once the declared shapes are theirs.

    As `check_inputs`, and E10001 for an input that is open although nothing was said of it: without
    gears it has no size, and with ``dynamic_dims`` its place in the order written is not known.

    Args:
        option: one of `GEAR_OPTIONS`, or "" for none.
        inputs: every input of the model, -1 where its size is not fixed; none that has ranges.
        listed_names: names of the inputs whose shapes were declared.
        form: the input format; "" for the default.
    """
    open_inputs = [(name, shape) for name, shape in inputs if -1 in shape]
    unlisted = [item for item in open_inputs if item[0] not in listed_names]
    # Where no shape at all was declared, the model's own order is the order meant.
    if unlisted and (option == "" or (option == "dynamic_dims" and listed_names)):
        return [_not_listed(name, shape, option) for name, shape in unlisted]
    return check_inputs(option, open_inputs, form)


def _not_listed(name: str, shape: Shape, option: str) -> OptionError:
    where = f"input_shape: input {shown(name)} of the model has shape {format_shape(shape)}"
    if option:
        why = f"and is not listed; {option} needs every input with a dim of -1 there, in order"
    else:
        why = "but no gears are declared and no shape is given; set input_shape to give it one"
    sample = ",".join("1" if dim == -1 and not option else str(dim) for dim in shape)
    return option_error("E10001", f"{where} {why}, for example {name}:{sample}.")


def check_gears(
    option: str, gears: Sequence[int | Sequence[int]], inputs: checks.Inputs
) -> list[OptionError]:
    """The list of gears, and whether each has a value for every -1 of the inputs.

    Args:
        option: one of `GEAR_OPTIONS`.
        gears: batch sizes, or the values of each gear.
        inputs: shapes by name; nothing if the model's own are meant.
    """
    errors = checks.check_gear_list(gears, option)
    if errors or option == "dynamic_batch_size":
        return errors
    length = 2 if option == "dynamic_image_size" else checks.count_open_dims(inputs)
    rows = [tuple(gear) if isinstance(gear, Sequence) else (gear,) for gear in gears]
    return checks.check_gear_length(rows, length, option) if length else []


def check_range_list(ranges: Ranges) -> list[OptionError]:
    """Ranges before the model is known: E10011 for a dim that can only be 0, E10048 for names."""
    names = [name for name, _ in ranges]
    errors = []
    if "" in names and any(names):
        errors.append(
            option_error(
                "E10048",
                f"{RANGE}: some inputs have a name and some have none, got {listed(names)}; name "
                "all of them, or none and go by the model's order.",
            )
        )
    return errors + [
        option_error(
            "E10011",
            f"{RANGE}: dim {axis} of input {shown(name) if name else index} can only be 0; give "
            "its real size, or lo~hi with a size of 1 or more at the end.",
        )
        for index, (name, dims) in enumerate(ranges)
        for axis, (_, high) in enumerate(dims)
        if high == 0
    ]


def match_ranges(
    inputs: Sequence[tuple[str, Shape]],
    ranges: Ranges,
    is_inside: Callable[[str], bool] = lambda name: False,
) -> dict[str, tuple[Range, ...]]:
    """Ranges by name, each of them one that the model's input can have.

    Args:
        inputs: every input of the model in its order, -1 where its size is not fixed.
        ranges: as declared, by name or by order.
        is_inside: whether something in the model that is no input goes by a name.

    Raises:
        OptionErrors: E10016 (no such input), E10017 (it is no input), E10048 (more ranges than
            inputs), E10049 (another number of dims), E10050 (a fixed dim outside its range).
    """
    shapes = dict(inputs)
    if ranges and not ranges[0][0]:
        if len(ranges) > len(inputs):
            raise OptionErrors([_too_many(inputs, ranges)])
        ranges = [(name, dims) for (name, _), (_, dims) in zip(inputs, ranges, strict=False)]
    errors = [
        error
        for name, dims in ranges
        for error in (
            _misfits(name, shapes[name], dims)
            if name in shapes
            else [_no_input(name, shapes, is_inside=is_inside(name))]
        )
    ]
    if errors:
        raise OptionErrors(errors)
    return dict(ranges)


def _too_many(inputs: Sequence[tuple[str, Shape]], ranges: Ranges) -> OptionError:
    known = listed(f"{name} {format_shape(shape)}" for name, shape in inputs)
    return option_error(
        "E10048",
        f"{RANGE}: {len(ranges)} inputs are given ranges but the model has {len(inputs)}: {known}. "
        "Give at most one [...] for each.",
    )


def _no_input(name: str, inputs: Collection[str], *, is_inside: bool) -> OptionError:
    what = "is inside the model, not an input" if is_inside else "is not in the model"
    return option_error(
        "E10017" if is_inside else "E10016",
        f"{RANGE}: names {shown(name)}, which {what}; its inputs are {listed(inputs)}."
        f"{did_you_mean(name, inputs)}",
    )


def _misfits(name: str, shape: Shape, ranges: tuple[Range, ...]) -> list[OptionError]:
    where = f"{RANGE}: input {shown(name)} has shape {format_shape(shape)}"
    if len(ranges) != len(shape):
        return [
            option_error(
                "E10049",
                f"{where}, {len(shape)} dims, but {len(ranges)} ranges are given; give one for "
                "each dim.",
            )
        ]
    return [
        option_error(
            "E10050",
            f"{where}, and dim {axis}, {dim}, is not within {low}~{high if high >= 0 else ''}; "
            f"write {dim} for it, or a range that holds it.",
        )
        for axis, (dim, (low, high)) in enumerate(zip(shape, ranges, strict=True))
        if dim >= 0 and (dim < low or 0 <= high < dim)
    ]
