"""Message classes made by protobuf itself: the oracle of what the text format takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Proto = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    "int32": Proto.TYPE_INT32,
    "uint32": Proto.TYPE_UINT32,
    "float": Proto.TYPE_FLOAT,
    "double": Proto.TYPE_DOUBLE,
    "bool": Proto.TYPE_BOOL,
    "string": Proto.TYPE_STRING,
}


def message_class(
    name: str,
    fields: Iterable[tuple[str, str, bool]],
    messages: dict[str, list[tuple[str, str, bool]]] | None = None,
    enums: dict[str, dict[str, int]] | None = None,
) -> Any:
    """A proto3 message of (field, type, repeated); a type is a scalar, an enum or a message."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", syntax="proto3")
    for enum, values in (enums or {}).items():
        made = file.enum_type.add(name=enum)
        for key, number in values.items():
            made.value.add(name=key, number=number)
    for message, members in {**(messages or {}), name: fields}.items():
        made_message = file.message_type.add(name=message)
        for number, (field, kind, repeated) in enumerate(members, 1):
            _add(made_message, field, number, kind, repeated, enums or {})
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def _add(
    message: Any,
    field: str,
    number: int,
    kind: str,
    repeated: bool,
    enums: dict[str, dict[str, int]],
) -> None:
    made = message.field.add(name=field, number=number)
    made.label = Proto.LABEL_REPEATED if repeated else Proto.LABEL_OPTIONAL
    made.type = SCALARS.get(kind) or (Proto.TYPE_ENUM if kind in enums else Proto.TYPE_MESSAGE)
    if kind not in SCALARS:
        made.type_name = f".{kind}"
