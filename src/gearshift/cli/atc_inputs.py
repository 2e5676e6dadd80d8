"""Input format, input shapes and gears on atc's command line: section by section of the checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from gearshift.cli.atc_argv import Args
from gearshift.cli.atc_flags import FRAMEWORKS
from gearshift.errors import OptionError
from gearshift.gears import checks, parse
from gearshift.gears.shape_range import parse_shape_range
from gearshift.gears.text import option_error, shown
from gearshift.tensors import Shape

GEAR_FLAGS: Final = ("dynamic_batch_size", "dynamic_image_size", "dynamic_dims")
FORMATS: Final[Mapping[int, tuple[str, ...]]] = {
    0: ("NCHW", "ND"),
    3: ("NCHW", "NHWC", "ND", "NCDHW", "NDHWC"),
    5: ("NCHW", "ND", "NCDHW"),
}
"""What ``--input_format`` may be for each framework; it is not checked for others."""


def gear_flags(args: Args) -> tuple[str, ...]:
    """The gear flags that the user set."""
    return tuple(name for name in GEAR_FLAGS if args[name])


def input_format(args: Args) -> str:
    """The input format, or the framework's own if none is given."""
    return args["input_format"] or ("NHWC" if args.number("framework") == 3 else "NCHW")


def input_shapes(args: Args) -> tuple[tuple[str, Shape], ...]:
    """What ``--input_shape`` says; nothing if it is not given. Raises OptionError."""
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
    if len(chosen) > 1:
        yield option_error(
            "E10009",
            f"{' and '.join('--' + name for name in chosen)} are set together; they exclude each "
            "other. Keep one: dynamic_batch_size if only the number of rows varies.",
        )
        return
    if chosen and args["input_shape_range"]:
        yield option_error(
            "E10047",
            f"--{chosen[0]} and --input_shape_range are set together; they exclude each other. "
            f"Drop --input_shape_range: --input_shape says which dims vary.",
        )
    if chosen and not args["input_shape"]:
        yield option_error(
            "E10004",
            f"--input_shape: no value was given but --{chosen[0]} needs it; write -1 where the "
            f"gear decides, for example --input_shape={shown(parse.SHAPE_SAMPLE)}.",
        )
        return
    bad_shape = _problems(input_shapes, args)
    yield from bad_shape or _check_shapes(args, chosen[0] if chosen else "")
    if not chosen and args["input_shape_range"]:
        yield from _problems(parse_shape_range, args["input_shape_range"])
    elif chosen:
        # dynamic_dims needs the shapes as well: a shape error found twice is printed once.
        yield from _problems(_gears, args, chosen[0])


def _check_shapes(args: Args, gear_flag: str) -> list[OptionError]:
    shapes = input_shapes(args)
    # A format that was refused already would only make more errors of the same mistake.
    form = None if list(check_input_format(args)) else input_format(args)
    if gear_flag == "dynamic_batch_size":
        return checks.check_batch_inputs(shapes)
    if gear_flag == "dynamic_image_size":
        return checks.check_image_inputs(shapes, form) if form else []
    if gear_flag == "dynamic_dims":
        return checks.check_dims_inputs(shapes, form or "ND")
    return checks.check_static_inputs(shapes)


def _gears(args: Args, gear_flag: str) -> tuple[tuple[int, ...], ...]:
    """The gears as declared, by whichever flag. Raises OptionError."""
    text = args[gear_flag]
    if gear_flag == "dynamic_batch_size":
        return tuple((size,) for size in parse.parse_batch_sizes(text))
    if gear_flag == "dynamic_image_size":
        return parse.parse_image_sizes(text)
    # Without a -1 there is nothing to fill, which is an error of the shapes.
    places = checks.count_open_dims(input_shapes(args))
    return parse.parse_dims(text, places) if places else ()


def _problems(call: Callable[..., object], *arguments: object) -> list[OptionError]:
    try:
        call(*arguments)
    except OptionError as error:
        return [error]
    return []


def check_gears(args: Args) -> Iterator[OptionError]:
    """The list of gears; ATC judges it late, when every flag has passed and the graph is built."""
    for name in gear_flags(args):
        gears = _gears(args, name)
        fixed = {"dynamic_batch_size": 1, "dynamic_image_size": 2}
        length = fixed.get(name) or checks.count_open_dims(input_shapes(args))
        errors = checks.check_gear_list(gears, name)
        yield from errors or checks.check_gear_length(gears, length, name)
