"""How a public function is declared: which arguments it takes, and how it answers.

The vendor's module is a C extension, and programs rely on its habits: arguments by position
only, a Python exception for arguments that cannot be read, and for everything else no exception
but a number at the end of the answer.
"""

from __future__ import annotations

import functools
import inspect
import logging
import operator
import threading
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any, Final, Literal, ParamSpec, TypeVar, cast

from gearshift.acl.codes import Code
from gearshift.errors import GearshiftError

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")
Status = Literal["supported", "accepted", "refused"]

_log: Final = logging.getLogger("gearshift.acl")
_WORD: Final = (1 << 64) - 1


class ArgumentsError(GearshiftError, TypeError, ValueError):
    """The arguments of a call cannot be read: their number, or the kind of one of them."""

    acl_code = Code.INVALID_PARAM


class Refusal(GearshiftError):
    """Why a call did not do what it was asked for; the caller sees the number."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.acl_code = int(code)


@dataclass(frozen=True)
class Kind:
    """One kind of argument.

    Attributes:
        name: what a message calls it.
        read: the value as the function sees it; raises TypeError, ValueError or OverflowError.
    """

    name: str
    read: Callable[[Any], Any]


def _address(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("a pointer or handle is an int")
    return value & _WORD


def _ranged(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        number = operator.index(value)
        if not low <= number <= high:
            raise OverflowError(f"{number} is not from {low} to {high}")
        return number

    return read


def _masked(bits: int) -> Callable[[Any], int]:
    any_number = _ranged(-(1 << 127), 1 << 127)
    return lambda value: any_number(value) & ((1 << bits) - 1)


def _instance(wanted: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, wanted):
            raise TypeError(f"{wanted.__name__} is wanted")
        return value

    return read


def _text(value: Any) -> str:
    text: str = _instance(str)(value)
    if "\0" in text:
        raise ValueError("the text holds a zero character")
    return text


def _function(value: Any) -> Any:
    if not callable(value):
        raise TypeError("a function is wanted")
    return value


ADDRESS: Final = Kind("address", _address)
"""A pointer or a handle: 64 bits, -1 is all ones; not checked for what it points to."""
SIZE: Final = Kind("size", _masked(64))
"""A number of bytes."""
INT: Final = Kind("int", _ranged(-(1 << 31), (1 << 31) - 1))
UINT: Final = Kind("unsigned int", _masked(32))
BYTE: Final = Kind("byte", _ranged(0, 255))
UBYTE: Final = Kind("unsigned byte", _masked(8))
SHORT: Final = Kind("short", _ranged(-(1 << 15), (1 << 15) - 1))
LONG: Final = Kind("long", _ranged(-(1 << 63), (1 << 63) - 1))
FLOAT: Final = Kind("float", float)
TEXT: Final = Kind("str", _text)
BYTES: Final = Kind("bytes", _instance(bytes))
LIST: Final = Kind("list", _instance(list))
DICT: Final = Kind("dict", _instance(dict))
FUNCTION: Final = Kind("function", _function)
ANY: Final = Kind("object", lambda value: value)


@dataclass(frozen=True)
class Function:
    """A declared function, as the table of all functions lists it.

    Attributes:
        name: with its module, such as ``acl.rt.malloc``.
        call: what a program calls.
        status: whether it does what the vendor's does, only takes note, or refuses.
    """

    name: str
    call: Callable[..., Any]
    status: Status


FUNCTIONS: Final[dict[str, Function]] = {}
"""Every function declared so far, by its name."""

_recent = threading.local()


def take_recent_message() -> str | None:
    """What the last refusal in this thread said; said once."""
    message: str | None = getattr(_recent, "message", None)
    _recent.message = None
    return message


def refused(code: int, message: str) -> int:
    """The number to answer with; the message waits for `get_recent_err_msg`."""
    _recent.message = message
    return int(code)


@dataclass(frozen=True)
class Failed:
    """How a function answers that was refused.

    Attributes:
        answer: from the code.
        tells: whether the code is in it; if not, the log says what happened.
    """

    answer: Callable[[int], Any]
    tells: bool


RET: Final = Failed(lambda code: code, tells=True)
"""The code, and nothing else."""


def fallback(value: Any) -> Failed:
    """This value: the function has no code to give."""
    return Failed(lambda code: value, tells=False)


def beside(*values: Any) -> Failed:
    """These values, and the code."""
    return Failed(lambda code: (*map(copy, values), code), tells=True)


def public(
    name: str,
    *kinds: Kind,
    failed: Failed = RET,
    optional: int = 0,
    status: Status = "supported",
) -> Callable[[Callable[Parameters, Answer]], Callable[Parameters, Answer]]:
    """Declares a function of the `acl` package.

    Args:
        name: with its module, such as ``acl.rt.malloc``.
        kinds: its arguments, in order.
        failed: its answer when it raises `Refusal` or another of gearshift's errors.
        optional: how many of the last arguments may be left out.
        status: as the compatibility table lists it.
    """

    def declare(function: Callable[Parameters, Answer]) -> Callable[Parameters, Answer]:
        @functools.wraps(function)
        def call(*given: Any) -> Any:
            arguments = _read(name, kinds, optional, given)
            try:
                return function(*arguments)  # type: ignore[call-arg]
            except ArgumentsError:
                raise
            except GearshiftError as error:
                message = f"{name}: {error.message}"
                if not failed.tells:
                    _log.error("%s", message)
                return failed.answer(refused(error.acl_code, message))
            except MemoryError:
                return failed.answer(refused(Code.BAD_ALLOC, f"{name}: this host has no memory"))

        signature = inspect.signature(function)
        call.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[
                parameter.replace(kind=inspect.Parameter.POSITIONAL_ONLY)
                for parameter in signature.parameters.values()
            ]
        )
        FUNCTIONS[name] = Function(name, call, status)
        return cast("Callable[Parameters, Answer]", call)

    return declare


def _read(name: str, kinds: tuple[Kind, ...], optional: int, given: tuple[Any, ...]) -> list[Any]:
    if not len(kinds) - optional <= len(given) <= len(kinds):
        fewest = f"{len(kinds) - optional} to " if optional else ""
        raise ArgumentsError(
            f"{name} args parse failed: {len(given)} arguments were given, it takes {fewest}"
            f"{len(kinds)} ({', '.join(kind.name for kind in kinds) or 'none'})"
        )
    position = 0
    try:
        values = []
        for position, value in enumerate(given):
            values.append(kinds[position].read(value))
    except (TypeError, ValueError, OverflowError) as error:
        value = given[position]
        raise ArgumentsError(
            f"{name} args parse failed: argument {position + 1} is {value!r:.80} "
            f"({type(value).__name__}), it takes {kinds[position].name}: {error}"
        ) from error
    return values
