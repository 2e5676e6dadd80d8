"""Attributes of operators: `acl.op.create_attr`, and a setter for each kind of value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import index
from typing import Any, Final

import numpy as np

from gearshift.acl.call import (
    ADDRESS,
    FLOAT,
    INT,
    LONG,
    TEXT,
    UBYTE,
    Kind,
    beside,
    fallback,
    public,
)  # fmt: skip
from gearshift.acl.handles import Handles


@dataclass(frozen=True)
class Attribute:
    """One value.

    Attributes:
        kind: as the function that set it calls it, such as ``list_int``.
        value: lists are tuples here.
    """

    kind: str
    value: Any


ATTRIBUTES: Final[Handles[dict[str, Attribute]]] = Handles("set of attributes")


def attributes_at(handle: int) -> Mapping[str, Attribute]:
    """The attributes of a handle as they are now; none for null."""
    return dict(ATTRIBUTES.get(handle)) if handle else {}


@public("acl.op.create_attr", failed=fallback(0))
def create_attr() -> int:
    """Makes an empty set of attributes.

    Returns:
        its handle.
    """
    return ATTRIBUTES.add({})


@public("acl.op.destroy_attr", ADDRESS, failed=fallback(None))
def destroy_attr(attr: int) -> None:
    """Destroys a set of attributes; calls that were made with it are not disturbed.

    Args:
        attr: its handle.

    Returns:
        None.
    """
    ATTRIBUTES.remove(attr)


def _each(read: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def read_all(values: Any) -> tuple[Any, ...]:
        if isinstance(values, np.ndarray):
            values = values.ravel().tolist()
        if not isinstance(values, list):
            raise TypeError("a list or a numpy array is wanted")
        return tuple(read(value) for value in values)

    return read_all


def _whole(value: Any) -> int:
    return int(LONG.read(value))


_wholes: Final = _each(_whole)


def _lists(values: Any) -> tuple[tuple[int, ...], ...]:
    if not isinstance(values, list):
        raise TypeError("a list of lists is wanted")
    return tuple(_wholes(value) for value in values)


BOOLS: Final = Kind("list of bool", _each(lambda value: bool(index(value))))
INTS: Final = Kind("list of int", _wholes)
FLOATS: Final = Kind("list of float", _each(float))
TEXTS: Final = Kind("list of str", _each(TEXT.read))
LISTS: Final = Kind("list of lists of int", _lists)


def _setter(
    kind: str, what: str, pair: bool = False
) -> Callable[[int, str, Any], int | tuple[int, int]]:
    """The function that sets a value of one kind; `pair` for those that give the handle back."""

    def set_attr(attr: int, name: str, value: Any) -> int | tuple[int, int]:
        ATTRIBUTES.get(attr)[name] = Attribute(kind, bool(value) if kind == "bool" else value)
        return (attr, 0) if pair else 0

    set_attr.__name__ = set_attr.__qualname__ = f"set_attr_{kind}"
    set_attr.__doc__ = (
        f"Sets an attribute to {what}, in the place of what it was.\n\nArgs:\n"
        "    attr: handle of the set of attributes.\n    name: of the attribute.\n"
        f"    value: {what}.\n\nReturns:\n    {'(attr, 0)' if pair else '0'}; "
        "100000 if there is no such set.\n"
    )
    return set_attr


set_attr_bool = public("acl.op.set_attr_bool", ADDRESS, TEXT, UBYTE)(_setter("bool", "0 or 1"))
set_attr_int = public("acl.op.set_attr_int", ADDRESS, TEXT, LONG)(
    _setter("int", "a whole number of 64 bits")
)
set_attr_float = public("acl.op.set_attr_float", ADDRESS, TEXT, FLOAT)(_setter("float", "a number"))
set_attr_string = public("acl.op.set_attr_string", ADDRESS, TEXT, TEXT)(_setter("string", "a text"))
set_attr_list_bool = public("acl.op.set_attr_list_bool", ADDRESS, TEXT, BOOLS)(
    _setter("list_bool", "a list or array of 0 and 1")
)
set_attr_list_int = public("acl.op.set_attr_list_int", ADDRESS, TEXT, INTS)(
    _setter("list_int", "a list or array of whole numbers")
)
set_attr_list_float = public("acl.op.set_attr_list_float", ADDRESS, TEXT, FLOATS)(
    _setter("list_float", "a list or array of numbers")
)
set_attr_list_string = public("acl.op.set_attr_list_string", ADDRESS, TEXT, TEXTS)(
    _setter("list_string", "a list of texts")
)
set_attr_list_list_int = public("acl.op.set_attr_list_list_int", ADDRESS, TEXT, LISTS)(
    _setter("list_list_int", "a list of lists of whole numbers")
)
set_attr_data_type = public("acl.op.set_attr_data_type", ADDRESS, TEXT, INT, failed=beside(0))(
    _setter("data_type", "AscendCL's number of a type", pair=True)
)
set_attr_list_data_type = public(
    "acl.op.set_attr_list_data_type", ADDRESS, TEXT, INTS, failed=beside(0)
)(_setter("list_data_type", "a list of AscendCL's numbers of types", pair=True))
