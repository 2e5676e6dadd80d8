"""``--dymShape_range``: every shape that ranges and lists of dims stand for."""

from __future__ import annotations

import itertools
import math
import re
from typing import Final

from gearshift.errors import OptionError
from gearshift.tensors import Shape

_OPTION: Final = "--dymShape_range"
_MOST: Final = 10_000
_DIM: Final = re.compile(r"[0-9]{1,9}(?:\\?~[0-9]{1,9}){0,2}|[0-9]{1,9}(?:-[0-9]{1,9})+")


def parse_sweep(text: str) -> list[dict[str, Shape]]:
    """The shapes of each run, the last dims varying first.

    A dim is a number, ``low~high``, ``low~high~step``, or a list such as ``200-224-300``.

    Raises:
        OptionError: it is written in another way, or stands for more than 10,000 shapes.
    """
    inputs: dict[str, list[list[int]]] = {}
    for item in text.strip().removesuffix(";").split(";"):
        name, colon, dims = item.rpartition(":")
        if not colon or not name.strip() or name.strip() in inputs:
            raise OptionError(
                f"{_OPTION}: {item!r} is not NAME:DIMS with each name once; write for example "
                f"{_OPTION} 'x:1,3,200~224,224'."
            )
        inputs[name.strip()] = [_values(dim.strip()) for dim in dims.split(",")]
    places = [values for dims in inputs.values() for values in dims]
    count = math.prod(len(values) for values in places)
    if count > _MOST:
        raise OptionError(
            f"{_OPTION} {text!r} stands for {count} shapes; allowed: {_MOST}. Take larger steps: "
            "200~400~50."
        )
    return [_dealt(inputs, values) for values in itertools.product(*places)]


def _dealt(inputs: dict[str, list[list[int]]], values: tuple[int, ...]) -> dict[str, Shape]:
    left = iter(values)
    return {name: tuple(itertools.islice(left, len(dims))) for name, dims in inputs.items()}


def _values(dim: str) -> list[int]:
    if not _DIM.fullmatch(dim):
        raise _wrong(dim)
    if "~" not in dim:
        return [int(number) for number in dim.split("-")]
    low, high, *step = (int(number) for number in dim.replace("\\", "").split("~"))
    if low > high or step == [0]:
        raise _wrong(dim)
    if (high - low) // (step or [1])[0] >= _MOST:
        raise OptionError(f"{_OPTION}: {dim!r} has more than {_MOST} values. Take larger steps.")
    return list(range(low, high + 1, *step))


def _wrong(dim: str) -> OptionError:
    return OptionError(
        f"{_OPTION}: {dim!r} is not a dim; allowed: a number, low~high, low~high~step, or a list "
        "such as 200-224-300."
    )
