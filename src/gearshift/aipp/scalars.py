"""What a scalar of the text format means to a field of a given kind. Each raises E19018."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from gearshift.aipp.textformat import Scalar
from gearshift.aipp.tokens import Kind, format_error
from gearshift.errors import OptionError, did_you_mean
from gearshift.gears.text import INT32_MAX, decimal, listed

UINT32_MAX: Final = 2**32 - 1
_INT32: Final = (-INT32_MAX - 1, INT32_MAX)
_UINT32: Final = (0, UINT32_MAX)
_TRUE: Final = frozenset({"true", "True", "t"})
_FALSE: Final = frozenset({"false", "False", "f"})
_SPECIAL: Final = frozenset({"inf", "infinity", "nan"})


def whole(name: str, scalar: Scalar, *, signed: bool = True) -> int:
    """A whole number that fits in 32 bits: decimal, ``0x`` hexadecimal or octal."""
    low, high = _INT32 if signed else _UINT32
    number = _number(scalar)
    if scalar.kind is not Kind.INTEGER:
        raise _refused(name, scalar, "it takes a whole number")
    if number is None or not low <= number <= high:
        raise _refused(name, scalar, f"it takes whole numbers from {low} to {high}")
    return number


def real(name: str, scalar: Scalar) -> float:
    """A number, with or without a fraction; not hexadecimal or octal."""
    text = scalar.text.lower()
    if scalar.kind is Kind.FLOAT:
        return float(text.removesuffix("f"))
    if scalar.kind is Kind.NAME and text.lstrip("-") in _SPECIAL:
        return float(text)
    if scalar.kind is Kind.INTEGER and not _is_based(text.lstrip("-")):
        return float(text)
    raise _refused(name, scalar, "it takes a decimal number such as 1, 0.5 or 1e-3")


def switch(name: str, scalar: Scalar) -> bool:
    """True or false: ``true``, ``True``, ``t``, ``1`` and their opposites."""
    if scalar.kind is Kind.NAME and scalar.text in _TRUE | _FALSE:
        return scalar.text in _TRUE
    number = None if scalar.text.startswith("-") else _number(scalar)
    if scalar.kind is Kind.INTEGER and number in (0, 1):
        return number == 1
    raise _refused(name, scalar, "it takes true or false")


def choice(name: str, scalar: Scalar, names: Mapping[str, int], usual: Iterable[str]) -> int:
    """The number of one of those names. Any number passes too, as in protobuf.

    A message lists only the `usual` names.
    """
    if scalar.kind is Kind.NAME and scalar.text in names:
        return names[scalar.text]
    if scalar.kind is Kind.INTEGER:
        return whole(name, scalar)
    raise _refused(
        name, scalar, f"it takes one of {listed(usual)}", did_you_mean(scalar.text, names)
    )


def text(name: str, scalar: Scalar) -> str:
    """The contents of a string."""
    if scalar.kind is Kind.STRING:
        return scalar.text
    raise _refused(name, scalar, f'it takes a string in quotes: "{scalar.text}"')


def _number(scalar: Scalar) -> int | None:
    """The value of a whole number; None for other scalars and for absurdly large numbers."""
    if scalar.kind is not Kind.INTEGER:
        return None
    digits = scalar.text.removeprefix("-")
    if _is_based(digits):
        magnitude: int | None = int(digits, 16 if digits[1] in "xX" else 8)
    else:
        magnitude = decimal(digits, UINT32_MAX)
    if magnitude is None:
        return None
    return -magnitude if scalar.text.startswith("-") else magnitude


def _is_based(digits: str) -> bool:
    return len(digits) > 1 and digits.startswith("0")


def _refused(name: str, scalar: Scalar, allowed: str, hint: str = "") -> OptionError:
    return format_error(scalar.place, f"{name} is {scalar}; {allowed}", hint)
