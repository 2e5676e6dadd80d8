"""How a gear's values reach the -1 dims of the inputs.

Each input with -1 dims takes either the whole gear, if it has as many of them as the gear has
values, or else the next values that no input before it has taken. ATC decides so input by input;
here all inputs of one gear must go the same way, so that no value is dropped and none used twice
by accident.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gearshift.errors import OptionError
from gearshift.gears.text import option_error, shown
from gearshift.tensors import Shape, format_shape


def deal_gear(
    shapes: Sequence[Shape], values: tuple[int, ...], names: Sequence[str] = ()
) -> tuple[Shape, ...]:
    """The inputs' shapes at one gear.

    Args:
        shapes: every input's shape in the order written, -1 where the gear decides.
        values: the gear. They are not judged here; a -1 leaves its dim open.
        names: of the inputs, for messages; without them inputs go by their number.

    Raises:
        OptionError: E10046 (an input has more dims of -1 than the gear has values), E10045 (too few
            values are left for an input), E10003 (values are left over), E10040 (no dim is -1).
    """
    places = [_open(shape) for shape in shapes]
    if all(count in (0, len(values)) for count in places) and (any(places) or not values):
        return tuple(_filled(shape, iter(values)) for shape in shapes)
    if sum(places) == len(values):
        rest = iter(values)
        return tuple(_filled(shape, rest) for shape in shapes)
    raise _misfit(shapes, values, names)


def _open(shape: Shape) -> int:
    return sum(dim < 0 for dim in shape)


def _filled(shape: Shape, values: Iterator[int]) -> Shape:
    return tuple(next(values) if dim < 0 else dim for dim in shape)


def _misfit(shapes: Sequence[Shape], values: tuple[int, ...], names: Sequence[str]) -> OptionError:
    gear = f"gear {shown(','.join(map(str, values)))} has {len(values)} values"
    cure = "give one value for each -1, in the order the inputs are written."
    taken = 0
    for index, shape in enumerate(shapes):
        name = f"input {shown(names[index]) if names else index} {format_shape(shape)}"
        if _open(shape) > len(values):
            return option_error(
                "E10046", f"{gear} but {name} alone has {_open(shape)} dims of -1; {cure}"
            )
        taken += _open(shape)
        if taken > len(values):
            return option_error(
                "E10045",
                f"{gear}, which are used up before {name} has one for each of its "
                f"{_open(shape)} dims of -1; {cure}",
            )
    if not taken:
        return option_error(
            "E10040", f"{gear} but no input has a dim of -1 to fill; write -1 for what varies."
        )
    return option_error("E10003", f"{gear} but the inputs have {taken} dims of -1; {cure}")
