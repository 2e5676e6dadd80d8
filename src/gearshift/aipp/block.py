"""Parameters of dynamic AIPP as AscendCL lays them out: a header, then a record for each row."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from gearshift.aipp.parameters import AippParameters, AippRow
from gearshift.aipp.spec import Crop, Csc, ImageFormat, Padding, Triple
from gearshift.errors import InputError, OptionError
from gearshift.tensors import Array

DYNAMIC_AIPP_INPUT: Final = "ascend_dynamic_aipp_data"
"""The extra input that carries the parameters (``ACL_DYNAMIC_AIPP_NAME`` in acl_mdl.h)."""
HEADER_BYTES: Final = 64
ROW_BYTES: Final = 96
MOST_ROWS: Final = 127
"""The number of rows is a signed byte."""

_EMPTY: Final = 145014
_TOO_SHORT: Final = 145012
_Fields = list[tuple[str, str, int]]

_HEADER_FIELDS: Final[_Fields] = [
    ("format", "u1", 0),
    ("csc", "i1", 1),
    ("rbuv_swap", "i1", 2),
    ("ax_swap", "i1", 3),
    ("rows", "i1", 4),
    ("width", "<i4", 8),
    ("height", "<i4", 12),
    ("matrix", "(3,3)<i2", 16),
    ("output_bias", "(3,)u1", 40),
    ("input_bias", "(3,)u1", 43),
]
_ROW_FIELDS: Final[_Fields] = [
    ("crop", "i1", 0),
    ("resize", "i1", 1),
    ("padding", "i1", 2),
    ("rotation", "i1", 3),
    ("left", "<i4", 8),
    ("top", "<i4", 12),
    ("crop_width", "<i4", 16),
    ("crop_height", "<i4", 20),
    ("pad_top", "<i4", 40),
    ("pad_bottom", "<i4", 44),
    ("pad_left", "<i4", 48),
    ("pad_right", "<i4", 52),
    ("mean", "(4,)<i2", 56),
    ("minimum", "(4,)<f2", 64),
    ("var_reci", "(4,)<f2", 72),
]


def _layout(fields: _Fields, itemsize: int) -> np.dtype[np.void]:
    names, formats, offsets = zip(*fields, strict=True)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": itemsize})


HEADER: Final = _layout(_HEADER_FIELDS, HEADER_BYTES)
ROW: Final = _layout(_ROW_FIELDS, ROW_BYTES)


def block_bytes(rows: int) -> int:
    """Size of a block for that many rows."""
    return HEADER_BYTES + ROW_BYTES * rows


def pack(parameters: AippParameters, rows: int | None = None) -> npt.NDArray[np.uint8]:
    """The block for those parameters.

    Args:
        parameters: what to write.
        rows: how many to write; needed where one `AippRow` is for all of them.

    Raises:
        OptionError: there are fewer, or a block has no room for so many.
    """
    rows = parameters.count if rows is None else rows
    if rows is None or not 1 <= rows <= MOST_ROWS:
        seen = "any number of" if rows is None else rows
        raise OptionError(
            f"a block of AIPP parameters for {seen} rows: give rows=, from 1 to {MOST_ROWS}."
        )
    block = np.zeros(block_bytes(rows), np.uint8)
    header = block[:HEADER_BYTES].view(HEADER)[0]
    header["format"], header["rows"] = parameters.format, rows
    header["width"], header["height"] = parameters.width, parameters.height
    header["rbuv_swap"], header["ax_swap"] = parameters.rbuv_swap, parameters.ax_swap
    if parameters.csc is not None:
        header["csc"] = 1
        for name in ("matrix", "output_bias", "input_bias"):
            header[name] = getattr(parameters.csc, name)
    records = block[HEADER_BYTES:].view(ROW)
    for record, row in zip(records, parameters.first(rows), strict=True):
        _write(record, row)
    return block


def unpack(block: Array) -> AippParameters:
    """What a block says. What is behind its last row is not looked at.

    Raises:
        InputError: it is no block: not of uint8, not flat, or shorter than it says.
        OptionError: a value in it is not allowed.
    """
    header, records = _records(block)
    try:
        image_format = ImageFormat(int(header["format"]))
    except ValueError:
        known = ", ".join(f"{each} {each.name}" for each in ImageFormat)
        raise _refused(f"inputFormat is {header['format']}; supported: {known}") from None
    csc = None
    if _switch(header, "csc", "cscSwitch"):
        first, second, third = (_triple(row) for row in header["matrix"])
        csc = Csc(
            (first, second, third), _triple(header["input_bias"]), _triple(header["output_bias"])
        )
    return AippParameters(
        image_format,
        int(header["width"]),
        int(header["height"]),
        tuple(_read(record) for record in records),
        csc,
        rbuv_swap=_switch(header, "rbuv_swap", "rbuvSwapSwitch"),
        ax_swap=_switch(header, "ax_swap", "axSwapSwitch"),
    )


def _records(block: Array) -> tuple[np.void, npt.NDArray[np.void]]:
    if block.dtype != np.uint8 or block.ndim != 1:
        raise InputError(
            f"{DYNAMIC_AIPP_INPUT} is {block.dtype} of shape {block.shape}; it takes an "
            f"AippParameters, or its block: uint8, {HEADER_BYTES} + {ROW_BYTES} x rows bytes."
        )
    if len(block) < HEADER_BYTES:
        raise _no_block(f"has {len(block)} bytes; its header takes {HEADER_BYTES}", _TOO_SHORT)
    content = np.ascontiguousarray(block)
    header = content[:HEADER_BYTES].view(HEADER)[0]
    rows = int(header["rows"])
    if rows < 1:
        raise _no_block(f"is for {rows} rows; it takes one or more", _EMPTY)
    if len(block) < block_bytes(rows):
        need = block_bytes(rows)
        raise _no_block(
            f"has {len(block)} bytes; for the {rows} rows that it says it takes {need}", _TOO_SHORT
        )
    return header, content[HEADER_BYTES : block_bytes(rows)].view(ROW)


def _write(record: np.void, row: AippRow) -> None:
    if row.crop is not None:
        record["crop"] = 1
        record["left"], record["top"] = row.crop.left, row.crop.top
        record["crop_width"], record["crop_height"] = row.crop.width, row.crop.height
    if row.padding is not None:
        record["padding"] = 1
        for side in ("top", "bottom", "left", "right"):
            record[f"pad_{side}"] = getattr(row.padding, side)
    for name in ("mean", "minimum", "var_reci"):
        record[name] = getattr(row, name)


def _read(record: np.void) -> AippRow:
    for name, word in (("resize", "scfSwitch"), ("rotation", "rotateSwitch")):
        if record[name]:
            raise _refused(f"{word} is {record[name]}; it is not supported on these targets: 0")
    crop = padding = None
    if _switch(record, "crop", "cropSwitch"):
        crop = Crop(*(int(record[each]) for each in ("left", "top", "crop_width", "crop_height")))
    if _switch(record, "padding", "paddingSwitch"):
        sides = ("pad_left", "pad_right", "pad_top", "pad_bottom")
        padding = Padding(*(int(record[each]) for each in sides))
    return AippRow(
        crop,
        padding,
        mean=record["mean"].tolist(),
        minimum=record["minimum"].tolist(),
        var_reci=record["var_reci"].tolist(),
    )


def _switch(record: np.void, name: str, word: str) -> bool:
    if record[name] not in (0, 1):
        raise _refused(f"{word} is {record[name]}; allowed: 0 or 1")
    return bool(record[name])


def _triple(numbers: npt.NDArray[np.generic]) -> Triple:
    first, second, third = (int(number) for number in numbers)
    return first, second, third


def _refused(problem: str) -> OptionError:
    return OptionError(f"{DYNAMIC_AIPP_INPUT}: {problem}.")


def _no_block(problem: str, acl_code: int) -> InputError:
    error = InputError(f"{DYNAMIC_AIPP_INPUT} {problem}. gearshift.AippParameters writes it.")
    error.acl_code = acl_code
    return error
