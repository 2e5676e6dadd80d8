"""Frozen dataclasses to canonical JSON and back, driven by their type hints.

Nothing but numbers, text, booleans, None and lists of them comes out of a file: no type is named in
it, nothing is looked up or called, so reading cannot run code.
"""

from __future__ import annotations

import functools
import json
import math
import re
import types
from dataclasses import MISSING, fields, is_dataclass
from typing import (
    Any,
    Final,
    Literal,
    NoReturn,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from gearshift.errors import CorruptArtifactError, InternalError

T = TypeVar("T")

LEFT_OUT: Final = "left out"
"""In a field's metadata: its default is not written, so that old records keep their bytes."""

_INT64 = range(-(2**63), 2**63)
_SURROGATE = re.compile("[\ud800-\udfff]")
_INT_DIGITS = len(str(-(2**63)))
# JSON has no word for these, and a network whose outputs are not finite must say so in its record.
_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def encode(value: object) -> object:
    """The JSON-able form of a dataclass, tuple or scalar. Raises InternalError for other types."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: encode(held)
            for item in fields(value)
            for held in [getattr(value, item.name)]
            if not (LEFT_OUT in item.metadata and held == item.default)
        }
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, str):
        # A file name that is no valid text reaches us as lone surrogates, which UTF-8 cannot hold.
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if value is None or type(value) is bool or (type(value) is int and value in _INT64):
        return value
    raise InternalError(f"{value!r} ({type(value).__name__}) has no place in a manifest")


def decode(cls: type[T], data: object, where: str = "") -> T:
    """Builds `cls` from parsed JSON.

    Keys that `cls` does not have are ignored; a key may be absent if its field has a default.

    Args:
        cls: a dataclass, or any type hint that its fields may have.
        data: what `loads` returned.
        where: path of `data` in the file, for messages.

    Raises:
        CorruptArtifactError: `data` does not fit the hints; names the key.
    """
    return cast(T, _decode(cls, data, where))


def dumps(value: object) -> bytes:
    """Canonical JSON of `encode(value)`: sorted keys, no spaces, UTF-8."""
    return canonical(encode(value))


def canonical(data: object) -> bytes:
    """Canonical JSON of what `loads` or `encode` returned. Raises ValueError if there is none."""
    text = json.dumps(
        data, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    )
    return text.encode("utf-8")


def loads(data: bytes, what: str = "its directory") -> object:
    """Parses JSON strictly: UTF-8, no NaN, no repeated keys, no endless digits, no deep nesting.

    Args:
        data: the text.
        what: what messages call it.

    Raises:
        CorruptArtifactError: it is something else.
    """
    try:
        return json.loads(
            data.decode("utf-8"),
            parse_int=_short_int,
            parse_constant=_no_constant,
            object_pairs_hook=_no_repeats,
        )
    except (ValueError, RecursionError) as error:
        raise CorruptArtifactError(f"{what} is not the JSON it should be: {error}") from None


def shorten(value: object, limit: int = 60) -> str:
    """`repr` of a value out of a file, cut so that a hostile one cannot flood a message."""
    text = repr(value[:limit] if isinstance(value, str | bytes | list | tuple) else value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _short_int(text: str) -> int:
    # int() takes quadratic time, so megabytes of digits would hang the reader.
    if len(text) > _INT_DIGITS:
        raise ValueError(f"a number has {len(text)} digits")
    return int(text)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key appears twice in one record")
    return record


def _decode(hint: Any, data: object, where: str) -> object:
    if is_dataclass(hint):
        return _decode_record(cast(type, hint), data, where)
    origin, args = get_origin(hint), get_args(hint)
    if origin is tuple:
        return _decode_tuple(args, data, where)
    if origin in (Union, types.UnionType):
        kind, none = args
        if none is not type(None):
            raise InternalError(f"the codec knows X | None, not {hint}")
        return None if data is None else _decode(kind, data, where)
    if origin is Literal:
        if type(data) is str and data in args:
            return data
        _refuse(where, data, "one of " + ", ".join(args))
    return _decode_scalar(hint, data, where)


def _decode_record(cls: type, data: object, where: str) -> object:
    if not isinstance(data, dict):
        _refuse(where, data, "a record")
    values = {}
    for name, hint, required in _fields_of(cls):
        key = f"{where}.{name}" if where else name
        if name in data:
            values[name] = _decode(hint, data[name], key)
        elif required:
            raise CorruptArtifactError(f"{key} is missing")
    return cls(**values)


@functools.cache
def _fields_of(cls: type) -> tuple[tuple[str, Any, bool], ...]:
    hints = get_type_hints(cls)
    return tuple(
        (item.name, hints[item.name], item.default is MISSING and item.default_factory is MISSING)
        for item in fields(cls)
    )


def _decode_tuple(args: tuple[Any, ...], data: object, where: str) -> tuple[object, ...]:
    if not isinstance(data, list):
        _refuse(where, data, "a list")
    if args[-1] is Ellipsis:
        args = (args[0],) * len(data)
    if len(args) != len(data):
        _refuse(where, data, f"a list of {len(args)}")
    return tuple(
        _decode(hint, item, f"{where}[{index}]")
        for index, (hint, item) in enumerate(zip(args, data, strict=True))
    )


def _decode_scalar(hint: Any, data: object, where: str) -> object:
    if hint is float:
        return _decode_float(data, where)
    if hint not in (str, int, bool):
        raise InternalError(f"the codec does not know the type {hint} of {where}")
    if type(data) is not hint:
        _refuse(where, data, {str: "text", int: "a whole number", bool: "true or false"}[hint])
    if isinstance(data, str) and _SURROGATE.search(data):
        _refuse(where, data, "text that UTF-8 can hold")
    if isinstance(data, int) and data not in _INT64:
        _refuse(where, data, "a number of 64 bits")
    return data


def _decode_float(data: object, where: str) -> float:
    if type(data) is str and data in _NOT_FINITE:
        return _NOT_FINITE[data]
    if type(data) is not int and not (type(data) is float and math.isfinite(data)):
        _refuse(where, data, 'a number, "inf", "-inf" or "nan"')
    return float(data)


def _refuse(where: str, data: object, allowed: str) -> NoReturn:
    place = where or "its directory"
    raise CorruptArtifactError(f"{place} is {shorten(data)}, but has to be {allowed}")
