"""What the option grammars share: quoting of values, decimal numbers, hints for usual slips."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

from gearshift.errors import OptionError

INT32_MAX: Final = 2**31 - 1
INT64_MAX: Final = 2**63 - 1

_SHOWN_LENGTH: Final = 120
_QUOTES: Final = frozenset("\"'`“”‘’„«»")


def option_error(code: str, message: str) -> OptionError:
    """An OptionError, written with its ATC code in front of the sentence."""
    return OptionError(message, code=code)


def shown(value: object) -> str:
    """The value as messages quote it: in quotes if it is text, cut in the middle if very long."""
    text = repr(value)
    if len(text) <= _SHOWN_LENGTH:
        return text
    half = _SHOWN_LENGTH // 2
    return f"{text[:half]}...{text[-half:]}"


def listed(values: Iterable[object]) -> str:
    """``1, 2, 4``: values in a row, cut if very long."""
    text = ", ".join(str(value) for value in values)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."


def is_digits(text: str) -> bool:
    """Whether the text is one or more of 0 to 9 and nothing else (no other script's digits)."""
    return text.isascii() and text.isdigit()


def decimal(digits: str, limit: int) -> int | None:
    """The number those digits write, or None if it is larger than `limit`."""
    significant = digits.lstrip("0")
    # Length first: Python refuses to convert thousands of digits.
    if len(significant) > len(str(limit)):
        return None
    number = int(significant or "0")
    return number if number <= limit else None


def slip_hint(text: str) -> str:
    """A sentence on the usual slips of the keyboard in that value; empty if there is none.

    Chinese input methods write full-width commas, colons and digits, and quotes copied out of a
    document reach us as part of the value.
    """
    hints = []
    for char in dict.fromkeys(text):
        plain = "," if char == "、" else unicodedata.normalize("NFKC", char)
        if not char.isascii() and len(plain) == 1 and plain.isascii() and not plain.isalnum():
            hints.append(f" {char!r} is a full-width character: type {plain!r}.")
        elif not char.isascii() and is_digits(plain):
            hints.append(f" {char!r} is a full-width digit: type {plain!r}.")
    if _QUOTES.intersection(text):
        hints.append(" Quotes are for the shell; they are not part of the value.")
    return "".join(hints)
