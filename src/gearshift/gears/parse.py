"""The option grammars: text as atc's command line takes it -> plain values.

Each function raises OptionError with ATC's code at the first thing that breaks the grammar. What
the values mean together (which dims may be -1, how many gears) is in checks.py, which the
Python API uses as well. Where ATC silently misreads a value we refuse it; docs/atc-compat.md lists
these places.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import isinf
from typing import Final

from gearshift.errors import OptionError
from gearshift.gears.text import (
    INT32_MAX,
    INT64_MAX,
    decimal,
    is_digits,
    option_error,
    shown,
    slip_hint,
)
from gearshift.tensors import Shape

SHAPE_SAMPLE: Final = "data:-1,3,416,416;img_info:-1,4"
MAX_GEARS: Final = 100

_NUMBER_START: Final = re.compile(r"[+-]?([0-9]+)")
_WHOLE: Final = re.compile(r"-?[0-9]+")
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def parse_input_shape(text: str) -> tuple[tuple[str, Shape], ...]:
    """Reads ``--input_shape``: ``name:dims`` items separated by ``;``.

    The name ends at the item's last ``:``, so names may hold one. Dims are whole numbers separated
    by ``,``; blanks round a name or a dim do not count. A scalar has nothing after its ``:``.

    Returns:
        Name and shape of each input, in the order written.

    Raises:
        OptionError: E10002 (form), E10013 (too large), E10014 (not a number), E10016 (no name).
    """
    return tuple(
        (name, tuple(read_dim(piece.strip(), name) for piece in dims.split(",") if dims))
        for name, dims in named_dims(text)
    )


def named_dims(text: str) -> tuple[tuple[str, str], ...]:
    """Cuts ``--input_shape`` into each input's name and the text of its dims, "" for none.

    Raises:
        OptionError: E10002 (form), E10016 (no name).
    """
    items: dict[str, str] = {}
    for item in text.split(";"):
        name, dims = _named_item(item, text)
        if name in items:
            raise option_error(
                "E10002",
                f"input_shape: input {shown(name)} is given twice in {shown(text)}; "
                "give each input once.",
            )
        items[name] = dims
    return tuple(items.items())


def _named_item(item: str, text: str) -> tuple[str, str]:
    name, colon, dims = item.rpartition(":")
    name = name.strip()
    if not colon:
        what = f"item {shown(item)} has no ':'" if item.strip() else "there is an empty item"
        raise option_error(
            "E10002",
            f"input_shape: {what} in {shown(text)}; write name:dims items separated by ';' "
            f"with none after the last, for example {SHAPE_SAMPLE}.{slip_hint(item)}",
        )
    if not name:
        raise option_error(
            "E10016",
            f"input_shape: item {shown(item)} has no input name before ':'; write the name the "
            f"model gives the input, for example {SHAPE_SAMPLE}.",
        )
    return name, dims if dims.strip() else ""


def read_dim(piece: str, name: str) -> int:
    """Reads one dim of that input.

    Raises:
        OptionError: E10002 (not digits only), E10013 (too large), E10014 (not a number).
    """
    where = f"input_shape: dim {shown(piece)} of input {shown(name)}"
    allowed = "dims are whole numbers, or -1 where the gear decides, for example data:-1,3,416,416."
    if "." in piece:
        raise option_error("E10002", f"{where} is not a whole number; {allowed}")
    start = _NUMBER_START.match(piece)
    if start is None:
        problem = "is not a number" if piece else "is empty"
        brackets = " Brackets belong to input_shape_range." if "[" in piece else ""
        raise option_error("E10014", f"{where} {problem}; {allowed}{brackets}{slip_hint(piece)}")
    magnitude = decimal(start[1], INT64_MAX)
    if magnitude is None:
        raise option_error(
            "E10013", f"{where} is too large; allowed: up to {INT64_MAX}. Give the real size."
        )
    if not _WHOLE.fullmatch(piece):
        ranges = (
            " Ranges such as 1~8 are for a model without gears and without input_shape_range; with "
            "gears, write -1 and list the sizes, for example in dynamic_batch_size."
            if "~" in piece
            else ""
        )
        raise option_error(
            "E10002",
            f"{where} holds something other than digits; {allowed}{ranges}{slip_hint(piece)}",
        )
    return -magnitude if piece.startswith("-") else magnitude


def parse_batch_sizes(text: str) -> tuple[int, ...]:
    """Reads ``--dynamic_batch_size``: batch sizes separated by ``,``, in the order written.

    Blanks round a number and empty pieces (``1,,2``, ``1,2,``) are allowed, as in ATC.

    Raises:
        OptionError: E10003 (another character, two numbers without a comma, too large),
            E10038 (a blank where a number should be).
    """
    option, sample = "dynamic_batch_size", "1,2,4,8"
    _check_characters(text, "0123456789, ", option, sample)
    return _sizes(text, option, sample)


def parse_image_sizes(text: str) -> tuple[tuple[int, ...], ...]:
    """Reads ``--dynamic_image_size``: ``height,width`` pairs separated by ``;``.

    An empty half of a pair gives a gear that is one value short, which the checks refuse.

    Raises:
        OptionError: E10003 (another character, two numbers without a comma, too large),
            E10020 (not a pair), E10038 (a blank where a number should be).
    """
    option, sample = "dynamic_image_size", "416,416;832,832"
    _check_characters(text, "0123456789, ;", option, sample)
    groups = text.removesuffix(";").split(";")
    for group in groups:
        if group.count(",") != 1:
            raise option_error(
                "E10020",
                f"{option}: group {shown(group)} in {shown(text)} is not a height and a width; "
                f"write two numbers with one ',' between, groups separated by ';', "
                f"for example {sample}.",
            )
    return tuple(_sizes(group, option, sample) for group in groups)


def parse_dims(text: str, places: int | None) -> tuple[tuple[int, ...], ...]:
    """Reads ``--dynamic_dims``: one group per gear separated by ``;``, ``,`` between its values.

    An empty value gives a gear that is one value short, which the checks refuse.

    Args:
        text: the option's value.
        places: how many -1 the input shapes hold together, which is how many values a gear has;
            None if no shapes are declared, so that the first gear sets the number.

    Raises:
        OptionError: E10001 (empty, not a number), E10003 (wrong number of values, too large),
            E10036 (more than 100 groups).
    """
    option, sample = "dynamic_dims", dims_sample(places or 2)
    body = text.removesuffix(";")
    if not body:
        raise option_error(
            "E10001", f"{option}: {shown(text)} holds no gear; write at least 2, such as {sample}."
        )
    groups = body.split(";")
    if len(groups) > MAX_GEARS:
        raise too_many_gears(option, len(groups))
    expected = (
        f"input_shape has {places} dims of -1; give one value for each -1, in the order the "
        "inputs are written"
        if places
        else f"the first has {groups[0].count(',') + 1}; give all gears equally many"
    )
    width = places or groups[0].count(",") + 1
    return tuple(_dims_gear(group, width, expected, sample) for group in groups)


def _dims_gear(group: str, width: int, expected: str, sample: str) -> tuple[int, ...]:
    option = "dynamic_dims"
    pieces = group.split(",")
    if len(pieces) != width:
        raise option_error(
            "E10003",
            f"{option}: gear {shown(group)} has {len(pieces)} values but {expected}, "
            f"for example {sample}.",
        )
    for piece in pieces:
        if piece and not is_digits(piece):
            raise option_error(
                "E10001",
                f"{option}: {shown(piece)} in gear {shown(group)} is not a positive whole number; "
                f"only digits are allowed, and no blanks, for example {sample}.{slip_hint(piece)}",
            )
    return tuple(_size(piece, option, sample) for piece in pieces if piece)


def parse_pads(texts: Iterable[str]) -> dict[str, float]:
    """Reads ``NAME=VALUE`` words: what each input may be padded with.

    The name ends at the last ``=``; the value is one finite number.

    Raises:
        OptionError: E10001 for any other form, and for a name that is given twice.
    """
    pads: dict[str, float] = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        name, number = name.strip(), value.strip()
        if not equals or not name or not _DECIMAL.fullmatch(number) or isinf(float(number)):
            raise option_error(
                "E10001",
                f"pad: {shown(text)} is not NAME=VALUE with one finite number; write the input's "
                f"name and what to fill it with, for example input_ids=0.{slip_hint(text)}",
            )
        if name in pads:
            raise option_error("E10001", f"pad: input {shown(name)} is given twice; keep one.")
        pads[name] = float(number)
    return pads


def dims_sample(places: int) -> str:
    """A right value of ``--dynamic_dims`` for that many dims of -1."""
    return ";".join(",".join(digit * max(places, 1)) for digit in "48")


def too_many_gears(option: str, count: int) -> OptionError:
    """The error for more than 100 gears, which ATC finds at two different stages."""
    return option_error(
        "E10036",
        f"{option}: {count} gears are declared; allowed: 2 to {MAX_GEARS}. Drop the gears that "
        "are used least: rows between two gears run on the next larger one.",
    )


def _check_characters(text: str, allowed: str, option: str, sample: str) -> None:
    strange = [char for char in dict.fromkeys(text) if char not in allowed]
    if not strange:
        return
    names = {",": "','", " ": "blank", ";": "';'"}
    kinds = ", ".join(["digits", *(names[char] for char in allowed if char in names)])
    raise option_error(
        "E10003",
        f"{option}: {shown(text)} holds {', '.join(repr(char) for char in strange[:5])}; "
        f"allowed: {kinds}. Write it like {sample}.{slip_hint(text)}",
    )


def _sizes(text: str, option: str, sample: str) -> tuple[int, ...]:
    return tuple(_size(piece, option, sample) for piece in text.split(",") if piece)


def _size(piece: str, option: str, sample: str) -> int:
    digits = piece.strip(" ")
    if not digits:
        raise option_error(
            "E10038",
            f"{option}: there is a blank where a number should be, which would count as 0; "
            f"every value must be 1 or more, for example {sample}.",
        )
    if " " in digits:
        raise option_error(
            "E10003",
            f"{option}: {shown(digits)} is two numbers without a comma between them; "
            f"separate values by ',', for example {sample}.",
        )
    number = decimal(digits, INT32_MAX)
    if number is None:
        raise option_error(
            "E10003",
            f"{option}: {shown(digits)} is too large; allowed: up to {INT32_MAX}, because the "
            "gear is passed to the model as a 32-bit number (1 to 2048 is what ATC recommends).",
        )
    return number
