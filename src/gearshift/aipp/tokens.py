"""The words of protobuf's text format: names, numbers, strings and signs, with their places."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gearshift.errors import OptionError
from gearshift.gears.text import option_error, shown, slip_hint


class Kind(Enum):
    """What a token is."""

    NAME = "a name"
    INTEGER = "a whole number"
    FLOAT = "a number with a fraction"
    STRING = "a string"
    SIGN = "a sign"
    BAD = "something that is not text format"
    END = "the end of the text"


@dataclass(frozen=True)
class Place:
    """Where in the text something stands; lines and columns count from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


@dataclass(frozen=True)
class Token:
    """One word as it is written.

    Attributes:
        kind: what it is.
        text: its characters; a string with its quotes.
        place: of its first character.
        hint: a sentence on what is wrong with a BAD one; may be empty.
    """

    kind: Kind
    text: str
    place: Place
    hint: str = ""


# A number that starts with 0 and goes on in digits is octal, so 00.5 and 08 are none.
_DECIMAL = r"(?:0|[1-9][0-9]*)"
_EXPONENT = r"[eE][+-]?[0-9]+"
_NUMBER_ENDS = r"(?![A-Za-z0-9_.])"
_PATTERNS: Final = (
    ("BLANK", r"[ \t\r\n\v\f]+|\#[^\n]*"),
    ("NAME", r"[A-Za-z_][A-Za-z0-9_]*"),
    (
        "FLOAT",
        rf"(?:(?:{_DECIMAL}\.[0-9]*|\.[0-9]+)(?:{_EXPONENT})?[fF]?"
        rf"|{_DECIMAL}(?:{_EXPONENT}[fF]?|[fF])){_NUMBER_ENDS}",
    ),
    ("INTEGER", rf"(?:0[xX][0-9A-Fa-f]+|0[0-7]+|{_DECIMAL}){_NUMBER_ENDS}"),
    ("STRING", r'"(?:[^"\\\n]|\\[^\n])*"' + r"|'(?:[^'\\\n]|\\[^\n])*'"),
    ("SIGN", r"[{}<>\[\]:,;-]"),
    ("BADNUMBER", r"\.?[0-9](?:[eE][+-]|[A-Za-z0-9_.])*"),
    ("BADSTRING", r"[\"'][^\n]*"),
    ("BADSIGN", r"(?s:.)"),
)
_TOKEN: Final = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS))
_NUMBERS_ARE: Final = "Numbers look like 10, -5, 0.5, 1e-3, 0x1F or 017 (octal)."
_CURLY_QUOTES: Final = frozenset("“”„‟«»＂")


def tokens(text: str) -> Iterator[Token]:
    """Cuts the text into its words, comments and blanks left out; the last is END.

    Never raises: what is no word comes as BAD, since only a reader knows what should stand there.
    """
    lines = [0, *(match.end() for match in re.finditer("\n", text))]
    for match in _TOKEN.finditer(text):
        name, written = str(match.lastgroup), match.group()
        if name == "BLANK":
            continue
        place = _place(lines, match.start())
        if name.startswith("BAD"):
            yield Token(Kind.BAD, written, place, _hint(name, written))
        else:
            yield Token(Kind[name], written, place)
    yield Token(Kind.END, "", _place(lines, len(text)))


def _place(lines: list[int], offset: int) -> Place:
    line = bisect_right(lines, offset)
    return Place(line, offset - lines[line - 1] + 1)


def _hint(name: str, written: str) -> str:
    if name == "BADSTRING":
        return " A string ends on the line on which it starts, with the quote it starts with."
    if name == "BADNUMBER":
        octal = len(written) > 1 and written[0] == "0" and written[1].isdigit()
        return f" A leading 0 means octal. {_NUMBERS_ARE}" if octal else f" {_NUMBERS_ARE}"
    if written in _CURLY_QUOTES:
        return f" {written!r} is a quote of running text: type '\"'."
    if written == "\ufffd":
        return " Bytes that are not UTF-8 may stand in comments only: save the file as UTF-8."
    if written == "+":
        return " Positive numbers have no sign here."
    return slip_hint(written)


def format_error(place: Place, problem: str, hint: str = "") -> OptionError:
    """E19018: the text is not text format, or not of this message, at that place."""
    return option_error("E19018", f"insert_op_conf: {place}: {problem}.{hint}")


def unexpected(token: Token, wanted: str) -> OptionError:
    """E19018 for a token where something else was wanted."""
    if token.kind is Kind.END:
        return format_error(token.place, f"the text ends where {wanted} is expected")
    return format_error(
        token.place, f"{shown(token.text)} stands where {wanted} is expected", token.hint
    )
