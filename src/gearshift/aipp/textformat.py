"""Protobuf's text format, without a schema: text -> fields, values and their places.

The grammar is that of protobuf's C++ reader, which `atc` uses. protobuf's Python reader is looser
in some places (``+5``, ``1_000``, ``0b1``, Unicode blanks) and stricter in one (``- 5``);
tests/aipp/test_textformat.py lists them. What a value means depends on its field: scalars.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from gearshift.aipp.tokens import Kind, Place, Token, format_error, tokens, unexpected
from gearshift.errors import OptionError
from gearshift.gears.text import option_error, shown

_DEEPEST: Final = 100
_CLOSING: Final = {"{": "}", "<": ">"}
_SIGNED_WORDS: Final = frozenset({"inf", "infinity", "nan"})
_PLAIN: Final = (Kind.NAME, Kind.INTEGER, Kind.FLOAT)

_ESCAPES: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip
_PIECE: Final = re.compile(
    r"""(?P<plain>[^\\]+)|\\(?:(?P<simple>[abfnrtv\\'"?])|(?P<octal>[0-7]{1,3})"""
    r"""|x(?P<hex>[0-9A-Fa-f]{1,2})|(?:u(?P<short>[0-9A-Fa-f]{4})|U(?P<long>[0-9A-Fa-f]{8})))"""
    r"""|(?P<bad>\\.?)"""
)


@dataclass(frozen=True)
class Scalar:
    """One value that is not a message.

    Attributes:
        kind: NAME, INTEGER, FLOAT or STRING.
        text: as written, with its minus sign and without blanks; of a string, what it holds.
        place: of its first character.
    """

    kind: Kind
    text: str
    place: Place

    def __str__(self) -> str:
        return shown(self.text) if self.kind is Kind.STRING else self.text


@dataclass(frozen=True)
class Field:
    """One field as it is written; a name that comes twice makes two of them.

    Attributes:
        name: as written.
        values: one, or any number if it is a list.
        is_list: whether it is written in square brackets.
        place: of its name.
    """

    name: str
    values: tuple[Scalar | Message, ...]
    is_list: bool
    place: Place


@dataclass(frozen=True)
class Message:
    """The fields of a message, in the order written; `place` is where it begins."""

    fields: tuple[Field, ...]
    place: Place


def decode(data: bytes) -> str:
    """The text of a configuration file: UTF-8, with or without a byte order mark.

    Bytes that are no UTF-8 become U+FFFD, which is refused anywhere but in a comment or a string:
    comments in GBK are common, and mean nothing to the grammar.

    Raises:
        OptionError: E19018 if it is UTF-16.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise option_error(
            "E19018", "insert_op_conf: the file is UTF-16; save it as UTF-8 (without BOM)."
        )
    return data.decode("utf-8", errors="replace")


def parse(text: str) -> Message:
    """Reads protobuf text format.

    Raises:
        OptionError: E19018 at the first place that breaks the grammar, with line and column, what
            was seen and what was expected.
    """
    return _Reader(text.removeprefix("\ufeff")).whole()


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._token = next(self._tokens)
        self._depth = 0

    def whole(self) -> Message:
        fields, place = [], self._token.place
        while self._token.kind is not Kind.END:
            fields.append(self._field("a field name or the end of the text"))
        return Message(tuple(fields), place)

    def _take(self) -> Token:
        token = self._token
        if token.kind is not Kind.END:
            self._token = next(self._tokens)
        return token

    def _at(self, signs: str) -> bool:
        return self._token.kind is Kind.SIGN and self._token.text in signs

    def _taken(self, signs: str) -> bool:
        at = self._at(signs)
        if at:
            self._take()
        return at

    def _field(self, wanted: str) -> Field:
        if self._token.kind is not Kind.NAME:
            raise unexpected(self._token, wanted)
        name = self._take()
        colon = self._taken(":")
        if self._at("["):
            values = self._list(messages_only=not colon)
            field = Field(name.text, values, True, name.place)
        elif colon or self._at("{<"):
            field = Field(name.text, (self._value(),), False, name.place)
        else:
            raise unexpected(self._token, f"':' after {name.text}")
        self._taken(",;")
        return field

    def _list(self, *, messages_only: bool) -> tuple[Scalar | Message, ...]:
        self._take()
        values: list[Scalar | Message] = []
        if self._taken("]"):
            return ()
        while True:
            if messages_only and not self._at("{<"):
                raise unexpected(self._token, "'{' (a list of plain values needs ':' before it)")
            values.append(self._value())
            if self._taken("]"):
                return tuple(values)
            if not self._taken(","):
                raise unexpected(self._token, "',' or ']'")

    def _value(self) -> Scalar | Message:
        return self._message() if self._at("{<") else self._scalar()

    def _message(self) -> Message:
        opening = self._take()
        if self._depth == _DEEPEST:
            raise format_error(opening.place, f"messages lie more than {_DEEPEST} deep")
        self._depth += 1
        closing, fields = _CLOSING[opening.text], []
        while not self._taken(closing):
            fields.append(self._field(f"a field name or {closing!r}"))
        self._depth -= 1
        return Message(tuple(fields), opening.place)

    def _scalar(self) -> Scalar:
        first = self._token
        if first.kind is Kind.STRING:
            return Scalar(Kind.STRING, self._string(), first.place)
        minus = self._taken("-")
        token = self._token
        signable = token.kind is not Kind.NAME or token.text.lower() in _SIGNED_WORDS
        if token.kind not in _PLAIN or (minus and not signable):
            raise unexpected(token, "a number after '-'" if minus else "a value")
        self._take()
        return Scalar(token.kind, "-" + token.text if minus else token.text, first.place)

    def _string(self) -> str:
        first, data = self._token, b""
        while self._token.kind is Kind.STRING:
            data += _unescaped(self._take())
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise format_error(first.place, "the bytes of this string are not UTF-8") from None


def _unescaped(token: Token) -> bytes:
    return b"".join(_piece(match, token) for match in _PIECE.finditer(token.text[1:-1]))


def _piece(match: re.Match[str], token: Token) -> bytes:
    name, text = str(match.lastgroup), match[str(match.lastgroup)]
    if name == "plain":
        return text.encode("utf-8", errors="surrogatepass")
    if name == "simple":
        return _ESCAPES[text].encode()
    if name == "bad":
        raise _bad_escape(match, token)
    number = int(text, 8 if name == "octal" else 16)
    if name in ("octal", "hex"):
        if number > 0xFF:
            raise _bad_escape(match, token)
        return bytes([number])
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise _bad_escape(match, token)
    return chr(number).encode()


def _bad_escape(match: re.Match[str], token: Token) -> OptionError:
    return format_error(
        Place(token.place.line, token.place.column + 1 + match.start()),
        f"{match.group()} is no character that a string can hold",
        " A backslash itself is written \\\\.",
    )
