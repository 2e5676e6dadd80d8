"""The values of options: each check puts one into its one form, or refuses it."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np

from gearshift.errors import OptionError, OptionErrors, did_you_mean
from gearshift.tensors import Array, Range, Shape

Budget = Literal["balanced", "speed", "memory"]
BUDGETS: tuple[Budget, ...] = get_args(Budget)

MAX_THREADS: Final = 1024
"""More than any one machine has cores; engines run out of memory while starting many more."""

_INT64_MAX: Final = 2**63 - 1
_GEARS: Final = "gears are whole numbers from 1 to 2147483647"

Check = Callable[[str, Any], object]
"""Takes an option's name and value; gives the value in its one form, or raises OptionError."""


def settle(options: object, **checks: Check) -> None:
    """Puts what each check makes of its option in its place; all refusals are raised at once."""
    errors: list[OptionError] = []
    for name, check in checks.items():
        with _collecting(errors):
            # The fields are frozen for those who use them; here they are still being made.
            object.__setattr__(options, name, check(name, getattr(options, name)))
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise OptionErrors(errors)


@contextmanager
def _collecting(errors: list[OptionError]) -> Iterator[None]:
    try:
        yield
    except OptionError as error:
        errors.append(error)


def optional(check: Check) -> Check:
    """The check for an option that may be None."""
    return lambda name, value: None if value is None else check(name, value)


def one_of(allowed: tuple[str, ...]) -> Check:
    """A check that takes one of those texts."""

    def check(name: str, value: Any) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        hint = did_you_mean(value, allowed) if isinstance(value, str) else ""
        raise OptionError(
            f"{name}={value!r}: allowed are {', '.join(filter(None, allowed))}.{hint}"
        )

    return check


def count(most: int = _INT64_MAX) -> Check:
    """A check that takes whole numbers from 1 on."""

    def check(name: str, value: Any) -> int:
        what = "of 1 or more" if most == _INT64_MAX else f"from 1 to {most}"
        number = _whole(value)
        if number is None or not 1 <= number <= most:
            raise OptionError(
                f"{name}={_shown(value)}: give a whole number {what}, or leave it out."
            )
        return number

    return check


def text(name: str, value: Any) -> str:
    """Takes a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise OptionError(f"{name}={value!r}: give a text that is not empty, or leave it out.")
    # Bytes of a command line that are not UTF-8 come as surrogates, which no artifact can hold.
    return value.encode("utf-8", "replace").decode("utf-8")


def tolerance(name: str, value: Any) -> float:
    """Takes a number of 0 or more."""
    number = _number(value)
    if number is None or number < 0:
        raise OptionError(
            f"{name}={_shown(value)}: give a finite number of 0 or more, such as 0.001, or leave "
            "it out."
        )
    return number


def seconds(name: str, value: Any) -> float:
    """Takes a number of seconds, 0 or more."""
    number = _number(value)
    if number is None or number < 0:
        raise OptionError(
            f"{name}={_shown(value)}: give a number of seconds, 0 for not at all, or leave it out."
        )
    return number


def budget(name: str, value: Any) -> str | int:
    """Takes one of the named budgets, or a number of bytes."""
    number = _whole(value)
    if number is not None and number > 0:
        return number
    if isinstance(value, str) and value in BUDGETS:
        return value
    hint = did_you_mean(value, BUDGETS) if isinstance(value, str) else ""
    raise OptionError(
        f"{name}={_shown(value)}: give {', '.join(BUDGETS)}, or a number of bytes.{hint}"
    )


def flag(name: str, value: Any) -> bool:
    """Takes True or False."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise OptionError(f"{name}={_shown(value)}: give True or False.")


def path(name: str, value: Any) -> Path:
    """Takes a path."""
    try:
        path = Path(value)
        os.fsencode(path)
    except (TypeError, UnicodeEncodeError):
        raise OptionError(f"{name}={value!r} is not a path; give one as text or Path.") from None
    if "\0" in str(path):
        raise OptionError(f"{name}={str(path)!r} holds a NUL character, which no path can.")
    return path


def output(name: str, value: Any) -> Path:
    """Takes a path that names a file."""
    file = path(name, value)
    ends_open = isinstance(value, str) and value.endswith((os.sep, os.altsep or os.sep))
    if ends_open or file.name in ("", ".."):
        raise OptionError(
            f"{name}={str(value)!r} names a folder and no file; add the file's name, for example "
            f"{str(file / 'model.om')!r}.",
            code="E10022",
        )
    return file


def shapes(name: str, value: Any) -> dict[str, Shape]:
    """Takes shapes by input name."""
    shapes = _by_name(name, value, "{'x': (-1, 3, 224, 224)}")
    return {key: _dims(f"{name} gives {key!r}", dims) for key, dims in shapes.items()}


def _dims(where: str, value: Any) -> Shape:
    dims = _items(value)
    if dims is None:
        raise OptionError(
            f"{where} {_shown(value)}: give the list of its dims, for example (-1, 3, 224, 224).",
            code="E10014",
        )
    return _all_whole(
        dims,
        f"{where} the dim",
        "dims are whole numbers of up to 64 bits, -1 first where the batch size varies",
        code="E10014",
    )


def gears(name: str, value: Any) -> tuple[int, ...]:
    """Takes batch sizes."""
    gears = _items(value)
    if gears is None:
        raise OptionError(
            f"{name}={_shown(value)}: give a list of batch sizes, at least two, for example "
            "[1, 2, 4, 8]."
        )
    return _all_whole(gears, f"{name} holds", _GEARS, code="E10003")


def gear_tuples(name: str, value: Any) -> tuple[tuple[int, ...], ...]:
    """Takes gears of several values each."""
    gears = _items(value)
    rows = None if gears is None else [_items(gear) for gear in gears]
    if rows is None or any(row is None for row in rows):
        raise OptionError(
            f"{name}={_shown(value)}: give a list of gears, each a list of numbers, for example "
            "[(416, 416), (832, 832)]."
        )
    return tuple(_all_whole(row or (), f"{name} holds", _GEARS, code="E10003") for row in rows)


def shape_ranges(name: str, value: Any) -> tuple[tuple[str, tuple[Range, ...]], ...]:
    """Takes ranges of dims, by input name or in order."""
    pairs = tuple(value.items()) if isinstance(value, Mapping) else _items(value)
    sample = "{'x': [(1, 8), (3, 3)]}"
    if pairs is None or any(not isinstance(pair, tuple) or len(pair) != 2 for pair in pairs):
        raise OptionError(f"{name}={_shown(value)}: give ranges by input name, such as {sample}.")
    return tuple(
        (_range_name(name, key), tuple(_range(name, one) for one in _items(ranges) or ()))
        for key, ranges in pairs
    )


def _range_name(name: str, key: Any) -> str:
    if not isinstance(key, str):
        raise OptionError(f"{name} holds the name {_shown(key)}: names of inputs are text.")
    return key


def _range(name: str, value: Any) -> Range:
    one = _whole(value)
    bounds = (one, one) if one is not None else _items(value)
    if bounds is not None and len(bounds) == 2:
        low, high = _all_whole(bounds, f"{name} holds", "bounds are whole numbers", code="E10048")
        if low >= 0 and (high == -1 or high >= low):
            return low, high
    raise OptionError(
        f"{name} holds {_shown(value)}: give lowest and highest of each dim, -1 for no highest.",
        code="E10048",
    )


def pad_values(name: str, value: Any) -> dict[str, float]:
    """Takes one number by input name."""
    pads = {}
    for key, given in _by_name(name, value, "{'input_ids': 0}").items():
        number = _number(given)
        if number is None:
            raise OptionError(f"{name} gives {key!r} {_shown(given)}: give one finite number.")
        pads[key] = number
    return pads


def arrays(name: str, value: Any) -> dict[str, Array]:
    """Takes arrays by input name."""
    arrays = _by_name(name, value, "{'x': rows}")
    return {key: _array(f"{name} gives {key!r}", array) for key, array in arrays.items()}


def _array(where: str, value: Any) -> Array:
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise OptionError(
            f"{where} what is not an array: {error}. Give an array, or lists equally long."
        ) from error


def preload(name: str, value: Any) -> bool | tuple[int, ...]:
    """Takes True, False, or batch sizes."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if (one := _whole(value)) is not None:
        return (one,)
    gears = _items(value)
    if gears is None:
        raise OptionError(f"{name}={_shown(value)}: give True for all gears, or a list of gears.")
    return _all_whole(gears, f"{name} holds", _GEARS)


def costs(name: str, value: Any) -> dict[int, float]:
    """Takes a positive number for each gear."""
    if not isinstance(value, Mapping):
        raise OptionError(
            f"{name}={_shown(value)}: give the cost of each gear, for example {{1: 1.0, 8: 5.5}}."
        )
    gears = _all_whole(tuple(value), f"{name} holds the gear", _GEARS)
    costs = {}
    for gear, given in zip(gears, value.values(), strict=True):
        cost = _number(given)
        if cost is None or cost <= 0:
            raise OptionError(
                f"{name} gives gear {gear} {_shown(given)}: a cost is a positive number."
            )
        costs[gear] = cost
    return costs


def _by_name(name: str, value: Any, sample: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise OptionError(f"{name}={_shown(value)}: give values by input name, such as {sample}.")
    for key in value:
        if not isinstance(key, str):
            raise OptionError(f"{name} holds the name {_shown(key)}: names of inputs are text.")
    return value


def _items(value: Any) -> tuple[Any, ...] | None:
    """The items of a list or of what is like one, such as an array; None if it is not."""
    if isinstance(value, (str, bytes, bytearray, Mapping)):
        return None
    try:
        return tuple(value)
    except TypeError:
        return None


def _all_whole(
    values: tuple[Any, ...], where: str, allowed: str, code: str | None = None
) -> tuple[int, ...]:
    numbers = []
    for value in values:
        number = _whole(value)
        if number is None:
            raise OptionError(f"{where} {_shown(value)}; {allowed}.", code=code)
        numbers.append(number)
    return tuple(numbers)


def _whole(value: Any) -> int | None:
    """The whole number, also one of numpy's; None for anything else, and beyond 64 bits."""
    if isinstance(value, bool):
        return None
    try:
        number = operator.index(value)
    except TypeError:
        return None
    return number if abs(number) <= _INT64_MAX else None


def _number(value: Any) -> float | None:
    """The finite number, also one of numpy's; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python does not write numbers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= 120 else f"{text[:60]}...{text[-60:]}"
