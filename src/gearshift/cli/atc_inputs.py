"""Input format, input shapes and gears on atc's command line: section by section of the checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from gearshift.cli.atc_argv import Args
from gearshift.cli.atc_flags import FRAMEWORKS
from gearshift.errors import OptionError, OptionErrors
from gearshift.gears import checks, declared, parse, shape_range
from gearshift.gears.text import option_error, shown
from gearshift.tensors import Shape

FORMATS: Final[Mapping[int, tuple[str, ...]]] = {
    0: ("NCHW", "ND"),
    3: ("NCHW", "NHWC", "ND", "NCDHW", "NDHWC"),
    5: ("NCHW", "ND", "NCDHW"),
}
"""What ``--input_format`` may be for each framework; it is not checked for others."""


def gear_flags(args: Args) -> tuple[str, ...]:
    """The gear flags that the user set."""
    return tuple(name for name in declared.GEAR_OPTIONS if args[name])


def input_format(args: Args) -> str:
    """The input format, or the framework's own if none is given."""
    return args["input_format"] or ("NHWC" if args.number("framework") == 3 else "NCHW")


def inputs(args: Args) -> tuple[dict[str, Shape], shape_range.Ranges]:
    """What ``--input_shape`` and ``--input_shape_range`` say. Raises OptionError."""
    return shape_range.read_inputs(
        args["input_shape"], args["input_shape_range"], gears=bool(gear_flags(args))
    )


def gears(args: Args, flag: str) -> tuple[tuple[int, ...], ...]:
    """The gears of that flag as declared; none if it is not set. Raises OptionError."""
    text = args[flag]
    if not text:
        return ()
    if flag == "dynamic_batch_size":
        return tuple((size,) for size in parse.parse_batch_sizes(text))
    if flag == "dynamic_image_size":
        return parse.parse_image_sizes(text)
    # Without a -1 there is nothing to fill, which is an error of the shapes.
    places = checks.count_open_dims(_listed_shapes(args))
    return parse.parse_dims(text, places) if places else ()


def _listed_shapes(args: Args) -> tuple[tuple[str, Shape], ...]:
    """The shapes in ``--input_shape`` where no range can stand in it."""
    text = args["input_shape"]
    return parse.parse_input_shape(text) if text else ()


def check_input_format(args: Args) -> Iterator[OptionError]:
    """E10001 for a format that the framework does not have."""
    framework = args.number("framework")
    allowed = FORMATS.get(framework, ())
    value = args["input_format"]
    if value and allowed and value not in allowed:
        yield option_error(
            "E10001",
            f"--input_format: got {shown(value)}; allowed for {FRAMEWORKS[framework]}: "
            f"{', '.join(allowed)} (in capitals). Leave it out for {allowed[0]}.",
        )


def check_inputs(args: Args) -> Iterator[OptionError]:
    """Input shapes and gear options, as far as they can be judged without the model."""
    chosen = gear_flags(args)
    given = [name for name in (*chosen, declared.RANGE) if args[name]]
    yield from declared.check_together(given, "--")
    if len(chosen) > 1:
        return
    if chosen and not args["input_shape"]:
        yield option_error(
            "E10004",
            f"--input_shape: no value was given but --{chosen[0]} needs it; write -1 where the "
            f"gear decides, for example --input_shape={shown(parse.SHAPE_SAMPLE)}.",
        )
    elif chosen:
        yield from _found(_check_shapes, args, chosen[0])
        # dynamic_dims needs the shapes as well: a shape error found twice is printed once.
        yield from _found(gears, args, chosen[0])
    else:
        yield from _check_open(args)
    yield from _check_framework_of_gears(args)


def _check_framework_of_gears(args: Args) -> Iterator[OptionError]:
    for name in gear_flags(args):
        if args.number("framework") == 1:
            yield option_error(
                "E10001",
                f"--{name}: goes with every --framework but 1 (MindSpore), as ATC's manual has it; "
                "export the model as ONNX and give --framework=5.",
            )


def _check_shapes(args: Args, gear_flag: str) -> None:
    shapes = _listed_shapes(args)
    # A format that was refused already would only make more errors of the same mistake.
    bad_format = bool(list(check_input_format(args)))
    if bad_format and gear_flag == "dynamic_image_size":
        return
    form = "" if bad_format else input_format(args)
    _raise(declared.check_inputs(gear_flag, shapes, form))


def _check_open(args: Args) -> Iterator[OptionError]:
    """Shapes of a model without gears: fixed ones, and ranges in either option."""
    if not args[declared.RANGE]:
        yield from _found(inputs, args)
        return
    bad_shapes = _found(_check_fixed, args)
    bad_ranges = _found(_check_ranges, args)
    yield from (*bad_shapes, *bad_ranges)
    if not bad_shapes and not bad_ranges:
        yield from _found(_check_both, args)


def _check_fixed(args: Args) -> None:
    _raise(checks.check_static_inputs(_listed_shapes(args)))


def _check_ranges(args: Args) -> None:
    _raise(declared.check_range_list(shape_range.parse_shape_range(args[declared.RANGE])))


def _check_both(args: Args) -> None:
    """An input that has a shape and ranges must have a shape within its ranges."""
    shapes = _listed_shapes(args)
    names = dict(shapes)
    ranges = shape_range.parse_shape_range(args[declared.RANGE])
    declared.match_ranges(shapes, [item for item in ranges if item[0] in names])


def _raise(errors: list[OptionError]) -> None:
    if errors:
        raise OptionErrors(errors)


def _found(call: Callable[..., object], *arguments: object) -> list[OptionError]:
    try:
        call(*arguments)
    except OptionErrors as several:
        return list(several.errors)
    except OptionError as error:
        return [error]
    return []


def check_gears(args: Args) -> Iterator[OptionError]:
    """The list of gears; ATC judges it late, when every flag has passed and the graph is built."""
    for name in gear_flags(args):
        yield from declared.check_gears(name, gears(args, name), _listed_shapes(args))


def check_aipp(args: Args) -> Iterator[OptionError]:
    """E10001 for AIPP beside gears that it does not go with."""
    if args["insert_op_conf"]:
        yield from declared.check_aipp_together(gear_flags(args), "--")
