"""How single values are written in ATC's JSON, and any protobuf message as a whole."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

Json = dict[str, Any]

_ESCAPES: Final = {
    **{byte: f"\\{byte:03o}" for byte in range(256) if not 0x20 <= byte < 0x7F},
    **{ord(char): f"\\{char}" for char in "\\\"'"},
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
}
_FLOATS: Final = (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE)


def escaped(data: bytes | str) -> str:
    """Bytes the way C writes them; text is taken as UTF-8."""
    raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    return raw.decode("latin-1").translate(_ESCAPES)


def floating(value: float) -> str:
    """A number as C's ``%g`` writes it, which in ATC's JSON is text."""
    return f"{value:g}"


def message_json(message: Message, without: Container[str] = ()) -> Json:
    """A message by its field names; a field that was not set is left out.

    Args:
        message: any message.
        without: names of fields to leave out, at every depth.
    """
    return {
        field.name: _field_json(field, value, without)
        for field, value in message.ListFields()
        if field.name not in without
    }


def _field_json(field: FieldDescriptor, value: Any, without: Container[str]) -> Any:
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Message)):
        return [_single_json(field, item, without) for item in value]
    return _single_json(field, value, without)


def _single_json(field: FieldDescriptor, value: Any, without: Container[str]) -> Any:
    if isinstance(value, Message):
        return message_json(value, without)
    if isinstance(value, bytes):  # so do names come, too, that are not UTF-8
        return escaped(value)
    if field.type in _FLOATS:
        return floating(value)
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    return value
