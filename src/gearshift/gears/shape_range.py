"""Open shapes without gears: for each dim, from what to what it may go.

Older command lines say so in ``--input_shape_range``, newer ones in ``--input_shape`` itself.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from gearshift.errors import OptionError
from gearshift.gears.parse import named_dims, parse_input_shape, read_dim
from gearshift.gears.text import INT64_MAX, decimal, option_error, shown, slip_hint
from gearshift.tensors import Range, Shape

Ranges = tuple[tuple[str, tuple[Range, ...]], ...]
"""Name and ranges of each input; every name is "" where they go by the model's order."""

RANGE_SAMPLE: Final = "data:[1~8,3,416,416];img_info:[1~8,4]"

_NUMBER: Final = re.compile(r"\s*(-?)([0-9]+)\s*")


ANY_SIZE: Final[Range] = (1, -1)


class _Source(NamedTuple):
    """Where a range was written, for messages."""

    option: str
    text: str
    sample: str


def read_inputs(shape: str, ranges: str, *, gears: bool) -> tuple[dict[str, Shape], Ranges]:
    """Reads ``--input_shape`` and ``--input_shape_range``, either of which may be empty.

    Without gears a -1 or a range within ``--input_shape`` means the same as in the other option,
    and then all of the shape is given as ranges. An input that both options name goes by its range.

    Args:
        shape: value of ``--input_shape``.
        ranges: value of ``--input_shape_range``.
        gears: whether gears are declared, so that they decide about each -1.

    Raises:
        OptionError: as the grammars of the two.
    """
    if gears or ranges:
        open_inputs = parse_shape_range(ranges) if ranges else ()
        shapes = dict(parse_input_shape(shape) if shape else ())
        named = dict(open_inputs)
        return {name: dims for name, dims in shapes.items() if name not in named}, open_inputs
    open_inputs = parse_open_shape(shape) if shape else ()
    if all(low == high for _, dims in open_inputs for low, high in dims):
        return {name: tuple(low for low, _ in dims) for name, dims in open_inputs}, ()
    return {}, open_inputs


def parse_open_shape(text: str) -> Ranges:
    """Reads ``--input_shape`` of a model without gears, where a dim may be -1 or ``lo~hi``.

    The dims of an input may stand in [ ], as in the other option; real command lines have them.

    Raises:
        OptionError: E10002, E10013, E10014, E10016 as `parse_input_shape`, E10011 (a dim that is
            neither -1 nor positive), E10048 (a range that is none).
    """
    source = _Source("input_shape", text, "data:1~8,3,-1,-1")
    return tuple(
        (
            name,
            tuple(_open_dim(piece, name, source) for piece in _unwrapped(dims).split(",") if dims),
        )
        for name, dims in named_dims(text)
    )


def _unwrapped(dims: str) -> str:
    body = dims.strip()
    return body[1:-1] if body.startswith("[") and body.endswith("]") else body


def _open_dim(piece: str, name: str, source: _Source) -> Range:
    if "~" in piece:
        return _range(piece, source)
    dim = read_dim(piece.strip(), name)
    if dim == -1:
        return ANY_SIZE
    if dim < 1:
        raise option_error(
            "E10011",
            f"input_shape: dim {dim} of input {shown(name)} in {shown(source.text)}; without gears "
            f"a dim is 1 or more, -1 for any size, or lo~hi, for example {source.sample}.",
        )
    return dim, dim


def parse_shape_range(text: str) -> Ranges:
    """Reads ``--input_shape_range``, in its named or its positional form.

    ``name:[1~8,3,-1];other:[...]`` names the inputs; ``[1~8,3],[...]`` goes by their order. One
    number is a fixed dim, ``lo~hi`` a range, a negative number stands for "1 or more".

    Returns:
        Name and ranges of each input, in the order written. The name is "" in the positional form,
        where ``[]`` is a scalar and gives no ranges.

    Raises:
        OptionError: E10048 for whatever breaks the grammar.
    """
    source = _Source("input_shape_range", text, RANGE_SAMPLE)
    items = _named_items(source) if ":" in text else _positional_items(source)
    return tuple((name, _ranges(dims, source)) for name, dims in items)


def _named_items(source: _Source) -> list[tuple[str, str]]:
    items: dict[str, str] = {}
    for item in source.text.split(";"):
        name, colon, value = item.rpartition(":")
        name, value = name.strip(), value.strip()
        if not colon or not name:
            raise _error(source, f"item {shown(item)} is not name:[ranges]", hint_on=item)
        bracketed = value.startswith("[") and value.endswith("]") and len(value) > 1
        if not bracketed or "[" in value[1:] or "]" in value[:-1]:
            raise _error(
                source, f"the ranges of {shown(name)} are not in one pair of [ ]", hint_on=value
            )
        if not value[1:-1].strip():
            raise _error(source, f"the ranges of {shown(name)} are empty")
        if name in items:
            raise _error(source, f"input {shown(name)} is given twice")
        items[name] = value[1:-1]
    return list(items.items())


def _positional_items(source: _Source) -> list[tuple[str, str]]:
    body = source.text.strip()
    if len(body) < 2 or not body.startswith("[") or not body.endswith("]"):
        raise _error(source, "it is neither name:[ranges] nor [ranges]", hint_on=body)
    parts = re.split(r"\]\s*,\s*\[", body[1:-1])
    if any("[" in part or "]" in part for part in parts):
        raise _error(source, "the brackets do not pair up, or something stands between them")
    return [("", part) for part in parts]


def _ranges(dims: str, source: _Source) -> tuple[Range, ...]:
    return tuple(_range(piece, source) for piece in dims.split(",")) if dims.strip() else ()


def _range(piece: str, source: _Source) -> Range:
    bounds = piece.split("~")
    if len(bounds) > 2:
        raise _error(source, f"{shown(piece)} has more than one '~'")
    numbers = [_bound(bound, source) for bound in bounds]
    if len(numbers) == 1:
        return ANY_SIZE if numbers[0] < 0 else (numbers[0], numbers[0])
    low, high = numbers
    if low < 0 or high < 0:
        raise _error(source, f"{shown(piece)} has a negative bound (write -1 alone for any size)")
    if low > high:
        raise _error(source, f"{shown(piece)} begins above its end")
    return low, high


def _bound(text: str, source: _Source) -> int:
    match = _NUMBER.fullmatch(text)
    magnitude = decimal(match[2], INT64_MAX) if match else None
    if match is None or magnitude is None:
        what = "is too large" if match else "is not a whole number"
        raise _error(source, f"{shown(text.strip())} {what}", hint_on=text)
    return -magnitude if match[1] else magnitude


def _error(source: _Source, problem: str, *, hint_on: str = "") -> OptionError:
    return option_error(
        "E10048",
        f"{source.option}: {problem} in {shown(source.text)}; write lo~hi, one number or -1 for "
        f"each dim, for example {source.sample}.{slip_hint(hint_on)}",
    )
