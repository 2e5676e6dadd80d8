"""The grammar of ``--input_shape_range``: for each dim, from what to what it may go."""

from __future__ import annotations

import re
from typing import Final

from gearshift.errors import OptionError
from gearshift.gears.text import INT64_MAX, decimal, option_error, shown, slip_hint
from gearshift.tensors import Range

RANGE_SAMPLE: Final = "data:[1~8,3,416,416];img_info:[1~8,4]"

_NUMBER: Final = re.compile(r"\s*(-?)([0-9]+)\s*")


def parse_shape_range(text: str) -> tuple[tuple[str, tuple[Range, ...]], ...]:
    """Reads ``--input_shape_range``, in its named or its positional form.

    ``name:[1~8,3,-1];other:[...]`` names the inputs; ``[1~8,3],[...]`` goes by their order. One
    number is a fixed dim, ``lo~hi`` a range, a negative number stands for "1 or more".

    Returns:
        Name and ranges of each input, in the order written. The name is "" in the positional form,
        where ``[]`` is a scalar and gives no ranges.

    Raises:
        OptionError: E10048 for whatever breaks the grammar.
    """
    items = _named_items(text) if ":" in text else _positional_items(text)
    return tuple((name, _ranges(dims, text)) for name, dims in items)


def _named_items(text: str) -> list[tuple[str, str]]:
    items: dict[str, str] = {}
    for item in text.split(";"):
        name, colon, value = item.rpartition(":")
        name, value = name.strip(), value.strip()
        if not colon or not name:
            raise _error(text, f"item {shown(item)} is not name:[ranges]", hint_on=item)
        bracketed = value.startswith("[") and value.endswith("]") and len(value) > 1
        if not bracketed or "[" in value[1:] or "]" in value[:-1]:
            raise _error(text, f"the ranges of {shown(name)} are not in one pair of [ ]")
        if not value[1:-1].strip():
            raise _error(text, f"the ranges of {shown(name)} are empty")
        if name in items:
            raise _error(text, f"input {shown(name)} is given twice")
        items[name] = value[1:-1]
    return list(items.items())


def _positional_items(text: str) -> list[tuple[str, str]]:
    body = text.strip()
    if len(body) < 2 or not body.startswith("[") or not body.endswith("]"):
        raise _error(text, "it is neither name:[ranges] nor [ranges]", hint_on=text)
    parts = re.split(r"\]\s*,\s*\[", body[1:-1])
    if any("[" in part or "]" in part for part in parts):
        raise _error(text, "the brackets do not pair up, or something stands between them")
    return [("", part) for part in parts]


def _ranges(dims: str, text: str) -> tuple[Range, ...]:
    return tuple(_range(piece, text) for piece in dims.split(",")) if dims.strip() else ()


def _range(piece: str, text: str) -> Range:
    bounds = piece.split("~")
    if len(bounds) > 2:
        raise _error(text, f"{shown(piece)} has more than one '~'")
    numbers = [_bound(bound, text) for bound in bounds]
    if len(numbers) == 1:
        return (1, -1) if numbers[0] < 0 else (numbers[0], numbers[0])
    low, high = numbers
    if low < 0 or high < 0:
        raise _error(text, f"{shown(piece)} has a negative bound (write -1 alone for any size)")
    if low > high:
        raise _error(text, f"{shown(piece)} begins above its end")
    return low, high


def _bound(text: str, whole: str) -> int:
    match = _NUMBER.fullmatch(text)
    magnitude = decimal(match[2], INT64_MAX) if match else None
    if match is None or magnitude is None:
        what = "is too large" if match else "is not a whole number"
        raise _error(whole, f"{shown(text.strip())} {what}", hint_on=text)
    return -magnitude if match[1] else magnitude


def _error(text: str, problem: str, *, hint_on: str = "") -> OptionError:
    return option_error(
        "E10048",
        f"input_shape_range: {problem} in {shown(text)}; write lo~hi, one number or -1 for each "
        f"dim, for example {RANGE_SAMPLE}.{slip_hint(hint_on)}",
    )
