"""Types, tensors and attributes in the words of ATC's ModelDef (AttrDef, TensorDescriptor)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import onnx_ir as ir

from gearshift.dump.values import Json, escaped, floating
from gearshift.tensors import Shape

_GE_NAMES: Final = {
    **{
        name: f"DT_{name}"
        for name in (
            *("FLOAT", "FLOAT16", "DOUBLE", "BOOL", "STRING", "COMPLEX64", "COMPLEX128"),
            *("INT4", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"),
        )
    },
    "BFLOAT16": "DT_BF16",
}
_UNKNOWN: Final = "DT_UNDEFINED"
LAYOUT: Final = "ND"


def dtype_name(dtype: ir.DataType | None) -> str:
    """What ATC calls an ONNX type; DT_UNDEFINED where it has no such type."""
    return _UNKNOWN if dtype is None else _GE_NAMES.get(dtype.name, _UNKNOWN)


def fields(**given: object) -> Json:
    """A message of those fields; one that holds nothing is left out, as in ATC's JSON."""
    return {
        name: value for name, value in given.items() if value not in (None, "", 0, [], _UNKNOWN)
    }


def descriptor(name: str, dtype: ir.DataType | None, shape: Shape | None) -> Json:
    """A TensorDescriptor; without a shape if none is known."""
    return fields(
        name=name,
        dtype=dtype_name(dtype),
        shape=None if shape is None else fields(dim=list(shape)),
        layout=LAYOUT,
    )


def attr_list(attrs: dict[str, Json]) -> list[Json]:
    """A map of attributes, which is written as the list of its pairs."""
    return [{"key": key, "value": attrs[key]} for key in sorted(attrs)]


def string(value: bytes | str) -> Json:
    """An AttrDef that holds bytes."""
    return {"s": escaped(value)}


def strings(values: Iterable[bytes | str]) -> Json:
    """An AttrDef that holds a list of bytes."""
    return {"list": fields(s=[escaped(value) for value in values], val_type="VT_LIST_STRING")}


def integer(value: int) -> Json:
    """An AttrDef that holds a whole number."""
    return {"i": value}


def integers(values: Iterable[int]) -> Json:
    """An AttrDef that holds a list of whole numbers."""
    return {"list": fields(i=list(values), val_type="VT_LIST_INT")}


def tensor(value: ir.TensorProtocol) -> Json:
    """An AttrDef that holds a tensor, without its elements."""
    return {"t": _tensor(value)}


def attribute(given: ir.Attr) -> Json:
    """An ONNX attribute that is no graph."""
    kind, value = given.type, given.value
    if kind is ir.AttributeType.INT:
        return integer(given.as_int())
    if kind is ir.AttributeType.INTS:
        return integers(given.as_ints())
    if kind is ir.AttributeType.FLOAT:
        return {"f": floating(given.as_float())}
    if kind is ir.AttributeType.FLOATS:
        return {"list": _floats(given.as_floats())}
    if kind is ir.AttributeType.STRING:
        return string(value)
    if kind is ir.AttributeType.STRINGS:
        return strings(value)
    if kind is ir.AttributeType.TENSOR:
        return tensor(given.as_tensor())
    if kind is ir.AttributeType.TENSORS:
        tensors = [_tensor(item) for item in given.as_tensors()]
        return {"list": fields(t=tensors, val_type="VT_LIST_TENSOR")}
    return string(str(value))  # types and sparse tensors have no form of their own in an AttrDef


def _floats(values: Sequence[float]) -> Json:
    return fields(f=[floating(value) for value in values], val_type="VT_LIST_FLOAT")


def _tensor(value: ir.TensorProtocol) -> Json:
    shape = tuple(int(dim) for dim in value.shape.numpy())
    return {"desc": descriptor(value.name or "", value.dtype, shape)}
