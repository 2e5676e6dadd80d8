"""What a program asks about the software, the chip, and what went wrong: the rest of `acl`."""

from __future__ import annotations

import logging
import os
import struct
from typing import Final

from gearshift.acl.call import (
    FLOAT,
    INT,
    TEXT,
    UINT,
    Kind,
    Refusal,
    beside,
    fallback,
    public,
    take_recent_message,
)  # fmt: skip
from gearshift.acl.codes import Code
from gearshift.acl.dtypes import ITEM_SIZES
from gearshift.acl.runtime import finalize

VERSION: Final = (1, 14, 0)
"""The version of AscendCL's interface that this one follows."""
SOC_NAME: Final = "Ascend310P3"
"""The chip that a program sees unless ``GEARSHIFT_ACL_SOC`` says otherwise."""

_LEVELS: Final = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)
_log: Final = logging.getLogger("gearshift.acl.app")


def _half(value: int) -> int:
    bits: int = UINT.read(value)
    return bits & 0xFFFF


HALF: Final = Kind("16 bits of a float16", _half)


@public("acl.get_version", failed=beside(0, 0, 0))
def get_version() -> tuple[int, int, int, int]:
    """Version of the interface.

    Returns:
        (major, minor, patch, 0).
    """
    return *VERSION, 0


@public("acl.get_soc_name", failed=fallback(None))
def get_soc_name() -> str:
    """Name of the chip: Ascend310P3, or what ``GEARSHIFT_ACL_SOC`` says.

    Returns:
        the name.
    """
    return os.environ.get("GEARSHIFT_ACL_SOC") or SOC_NAME


@public("acl.get_recent_err_msg", failed=fallback(None))
def get_recent_err_msg() -> str | None:
    """What the last call that failed in this thread said; once.

    Returns:
        the message; None if there is none.
    """
    return take_recent_message()


@public("acl.app_log", INT, TEXT, failed=fallback(None))
def app_log(level: int, text: str) -> None:
    """Writes to the log of Python, under ``gearshift.acl.app``.

    Args:
        level: 0 debug, 1 info, 2 warning, 3 error.
        text: what to write.

    Returns:
        None.
    """
    _log.log(_LEVELS[min(max(level, 0), 3)], "%s", text)


@public("acl.data_type_size", INT, failed=fallback(0))
def data_type_size(dtype: int) -> int:
    """Bytes of an element.

    Args:
        dtype: AscendCL's number of the type.

    Returns:
        bytes; 0 for a type without a size.
    """
    return ITEM_SIZES.get(dtype, 0)


@public("acl.float16_to_float", HALF, failed=fallback(0.0))
def float16_to_float(value: int) -> float:
    """The number that a float16 stands for.

    Args:
        value: its 16 bits.

    Returns:
        the number.
    """
    number: float = struct.unpack("<e", struct.pack("<H", value))[0]
    return number


@public("acl.float_to_float16", FLOAT, failed=fallback(0))
def float_to_float16(value: float) -> int:
    """The nearest float16; too large a number becomes infinity.

    Args:
        value: a number.

    Returns:
        its 16 bits.
    """
    try:
        packed = struct.pack("<e", value)
    except OverflowError:
        packed = struct.pack("<e", float("inf") if value > 0 else float("-inf"))
    bits: int = struct.unpack("<H", packed)[0]
    return bits


@public("acl.finalize_reference", failed=beside(0))
def finalize_reference() -> tuple[int, int]:
    """Ends the runtime, as `finalize` does: `init` is counted once here.

    Returns:
        (0, 0); codes as `finalize`.
    """
    return 0, finalize()


@public("acl.get_device_capability", UINT, INT, failed=beside(0), status="refused")
def get_device_capability(device: int, capability: int) -> tuple[int, int]:
    """Is refused: there are no cores of a card to count.

    Args:
        device: from 0.
        capability: any.

    Returns:
        (0, 200006).
    """
    raise Refusal(Code.FEATURE_UNSUPPORTED, "a CPU has no such cores")
