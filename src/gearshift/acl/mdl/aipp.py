"""Parameters of dynamic AIPP: an object that setters fill, written into a dataset's buffer.

The object is the block of bytes itself, as AscendCL lays it out: a header, then a record for each
row. Numbers outside what the setters allow are refused and change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gearshift.acl.blocks import BLOCKS
from gearshift.acl.call import (
    ADDRESS,
    BYTE,
    FLOAT,
    INT,
    SHORT,
    SIZE,
    UBYTE,
    UINT,
    Refusal,
    beside,
    fallback,
    public,
)  # fmt: skip
from gearshift.acl.codes import Code
from gearshift.acl.handles import Handles
from gearshift.acl.mdl.datasets import DATASETS
from gearshift.acl.mdl.models import MODELS, Model
from gearshift.aipp.block import HEADER, HEADER_BYTES, MOST_ROWS, ROW, block_bytes, unpack
from gearshift.aipp.fields import FLOAT16_MAX
from gearshift.aipp.spec import ImageFormat
from gearshift.tensors import Array

_Range = tuple[float, float]
_SWITCH: Final[_Range] = (0, 1)
_PIXEL: Final[_Range] = (0, 255)
_SIDE: Final[_Range] = (0, 32)
_START: Final[_Range] = (0, 4095)
_SIZE: Final[_Range] = (1, 4096)
_WIDTH: Final[_Range] = (2, 4096)


@dataclass(frozen=True)
class Parameters:
    """What a program has set so far.

    Attributes:
        block: the bytes.
        header: the first of them, by field.
        rows: the others, by row and field.
    """

    block: Array
    header: Any
    rows: Any

    @classmethod
    def of(cls, batch: int) -> Parameters:
        """With every switch off, and factors of 1."""
        block = np.zeros(block_bytes(batch), np.uint8)
        made = cls(block, block[:HEADER_BYTES].view(HEADER)[0], block[HEADER_BYTES:].view(ROW))
        made.header["rows"] = batch
        made.rows["var_reci"] = 1.0
        return made


PARAMETERS: Final[Handles[Parameters]] = Handles("set of AIPP parameters")


def _set_header(aipp: int, **values: Any) -> None:
    header = PARAMETERS.get(aipp).header
    for name, value in values.items():
        header[name] = value


def _set_row(aipp: int, batch_index: int, values: Mapping[str, Any]) -> None:
    rows = PARAMETERS.get(aipp).rows
    if batch_index >= len(rows):
        raise Refusal(
            Code.INVALID_PARAM, f"row {batch_index} of parameters for {len(rows)}, from 0"
        )
    for name, value in values.items():
        rows[batch_index][name] = value


def _check(bounds: _Range, **numbers: float) -> None:
    low, high = bounds
    for name, number in numbers.items():
        if not low <= number <= high:
            raise Refusal(Code.INVALID_PARAM, f"{name} is {number}; allowed: {low:g} to {high:g}")


def _check_rows(batch: int) -> None:
    if not 1 <= batch <= MOST_ROWS:
        raise Refusal(Code.INVALID_PARAM, f"parameters for {batch} rows; from 1 to {MOST_ROWS}")


def _check_all(bounds: _Range, name: str, numbers: Sequence[float]) -> None:
    for place, number in enumerate(numbers):
        _check(bounds, **{f"{name}{place}": number})


@public("acl.mdl.create_aipp", SIZE, failed=fallback(0))
def create_aipp(batch: int) -> int:
    """Makes parameters of dynamic AIPP: every switch off, every factor 1.

    Args:
        batch: for how many rows; with batch gears those of the largest.

    Returns:
        their handle; 0 for fewer than 1 or more than 127 rows.
    """
    _check_rows(batch)
    return PARAMETERS.add(Parameters.of(batch))


@public("acl.mdl.destroy_aipp", ADDRESS)
def destroy_aipp(aipp: int) -> int:
    """Destroys parameters; what they were written to stays.

    Args:
        aipp: their handle.

    Returns:
        0; 100000 if they are none.
    """
    PARAMETERS.remove(aipp)
    return 0


@public("acl.mdl.set_aipp_input_format", ADDRESS, UINT)
def set_aipp_input_format(aipp: int, image_format: int) -> int:
    """Sets the format of the source images.

    Args:
        aipp: handle of the parameters.
        image_format: 1 YUV420SP, 2 XRGB8888, 3 RGB888, 4 YUV400; 7 to 10 as AIPP counts them.

    Returns:
        0; 100000 for no parameters or another format.
    """
    if image_format not in set(ImageFormat):
        known = ", ".join(f"{each.value} {each.name}" for each in ImageFormat)
        raise Refusal(Code.INVALID_PARAM, f"format {image_format}; supported: {known}")
    _set_header(aipp, format=image_format)
    return 0


@public("acl.mdl.set_aipp_csc_params", ADDRESS, BYTE, *[SHORT] * 9, *[UBYTE] * 6)
def set_aipp_csc_params(aipp: int, switch: int, *numbers: int) -> int:
    """Sets the conversion of colours.

    Args:
        aipp: handle of the parameters.
        switch: 1 to convert, 0 not to.
        numbers: the matrix by rows (9), what is added to the outputs (3), what is taken off the
            inputs (3).

    Returns:
        0; 100000 for no parameters or another switch.
    """
    _check(_SWITCH, switch=switch)
    matrix, outputs, inputs = numbers[:9], numbers[9:12], numbers[12:]
    _set_header(
        aipp,
        csc=switch,
        matrix=np.reshape(matrix, (3, 3)),
        output_bias=outputs,
        input_bias=inputs,
    )
    return 0


@public("acl.mdl.set_aipp_rbuv_swap_switch", ADDRESS, BYTE)
def set_aipp_rbuv_swap_switch(aipp: int, switch: int) -> int:
    """Exchanges R and B, or U and V.

    Args:
        aipp: handle of the parameters.
        switch: 1 to exchange, 0 not to.

    Returns:
        0; 100000 for no parameters or another switch.
    """
    _check(_SWITCH, switch=switch)
    _set_header(aipp, rbuv_swap=switch)
    return 0


@public("acl.mdl.set_aipp_ax_swap_switch", ADDRESS, BYTE)
def set_aipp_ax_swap_switch(aipp: int, switch: int) -> int:
    """Moves the alpha or X byte from one end of a pixel to the other.

    Args:
        aipp: handle of the parameters.
        switch: 1 to move it, 0 not to.

    Returns:
        0; 100000 for no parameters or another switch.
    """
    _check(_SWITCH, switch=switch)
    _set_header(aipp, ax_swap=switch)
    return 0


@public("acl.mdl.set_aipp_src_image_size", ADDRESS, INT, INT)
def set_aipp_src_image_size(aipp: int, width: int, height: int) -> int:
    """Sets the size of every source image; it has to be set.

    Args:
        aipp: handle of the parameters.
        width: pixels, 2 to 4096.
        height: pixels, 1 to 4096.

    Returns:
        0; 100000 for no parameters or another size.
    """
    _check(_WIDTH, width=width)
    _check(_SIZE, height=height)
    _set_header(aipp, width=width, height=height)
    return 0


@public("acl.mdl.set_aipp_scf_params", ADDRESS, BYTE, INT, INT, INT, INT, SIZE)
def set_aipp_scf_params(
    aipp: int, switch: int, in_w: int, in_h: int, out_w: int, out_h: int, batch_index: int
) -> int:
    """Sets that an image is not resized, as on the chips that cannot.

    Args:
        aipp: handle of the parameters.
        switch: 0.
        in_w: width before; has no meaning.
        in_h: height before; has no meaning.
        out_w: width after; has no meaning.
        out_h: height after; has no meaning.
        batch_index: which row, from 0.

    Returns:
        0; 200006 for a switch of 1, 100000 for no parameters, another switch or no such row.
    """
    _check(_SWITCH, switch=switch)
    if switch:
        raise Refusal(
            Code.FEATURE_UNSUPPORTED, "AIPP does not resize; do it before, such as with acl.media"
        )
    _set_row(aipp, batch_index, {"resize": 0})
    return 0


@public("acl.mdl.set_aipp_crop_params", ADDRESS, BYTE, INT, INT, INT, INT, SIZE)
def set_aipp_crop_params(
    aipp: int, switch: int, left: int, top: int, width: int, height: int, batch_index: int
) -> int:
    """Sets which part of an image is used.

    Args:
        aipp: handle of the parameters.
        switch: 1 to crop, 0 not to.
        left: first column, 0 to 4095.
        top: first line, 0 to 4095.
        width: pixels, 1 to 4096.
        height: pixels, 1 to 4096.
        batch_index: which row, from 0.

    Returns:
        0; 100000 for no parameters, no such row or another number.
    """
    _check(_SWITCH, switch=switch)
    if switch:
        _check(_START, left=left, top=top)
        _check(_SIZE, width=width, height=height)
    cropped = {"left": left, "top": top, "crop_width": width, "crop_height": height}
    _set_row(aipp, batch_index, {"crop": switch, **cropped})
    return 0


@public("acl.mdl.set_aipp_padding_params", ADDRESS, BYTE, INT, INT, INT, INT, SIZE)
def set_aipp_padding_params(
    aipp: int, switch: int, top: int, bottom: int, left: int, right: int, batch_index: int
) -> int:
    """Sets how many pixels of 0 go round an image.

    Args:
        aipp: handle of the parameters.
        switch: 1 to pad, 0 not to.
        top: pixels, 0 to 32, as all four.
        bottom: pixels.
        left: pixels.
        right: pixels.
        batch_index: which row, from 0.

    Returns:
        0; 100000 for no parameters, no such row or another number.
    """
    _check(_SWITCH, switch=switch)
    if switch:
        _check(_SIDE, top=top, bottom=bottom, left=left, right=right)
    around = {"pad_top": top, "pad_bottom": bottom, "pad_left": left, "pad_right": right}
    _set_row(aipp, batch_index, {"padding": switch, **around})
    return 0


@public("acl.mdl.set_aipp_dtc_pixel_mean", ADDRESS, *[SHORT] * 4, SIZE)
def set_aipp_dtc_pixel_mean(
    aipp: int, mean0: int, mean1: int, mean2: int, mean3: int, batch_index: int
) -> int:
    """Sets what is taken off each channel first.

    Args:
        aipp: handle of the parameters.
        mean0: of the first channel, 0 to 255, as all four.
        mean1: of the second.
        mean2: of the third.
        mean3: of the fourth.
        batch_index: which row, from 0.

    Returns:
        0; 100000 for no parameters, no such row or another number.
    """
    means = (mean0, mean1, mean2, mean3)
    _check_all(_PIXEL, "mean", means)
    _set_row(aipp, batch_index, {"mean": means})
    return 0


@public("acl.mdl.set_aipp_dtc_pixel_min", ADDRESS, *[FLOAT] * 4, SIZE)
def set_aipp_dtc_pixel_min(
    aipp: int, min0: float, min1: float, min2: float, min3: float, batch_index: int
) -> int:
    """Sets what is taken off each channel after its mean; rounded to float16.

    Args:
        aipp: handle of the parameters.
        min0: of the first channel, 0 to 255, as all four.
        min1: of the second.
        min2: of the third.
        min3: of the fourth.
        batch_index: which row, from 0.

    Returns:
        0; 100000 for no parameters, no such row or another number.
    """
    least = (min0, min1, min2, min3)
    _check_all(_PIXEL, "min", least)
    _set_row(aipp, batch_index, {"minimum": least})
    return 0


@public("acl.mdl.set_aipp_pixel_var_reci", ADDRESS, *[FLOAT] * 4, SIZE)
def set_aipp_pixel_var_reci(
    aipp: int, var0: float, var1: float, var2: float, var3: float, batch_index: int
) -> int:
    """Sets what each channel is multiplied by; rounded to float16.

    Args:
        aipp: handle of the parameters.
        var0: of the first channel, -65504 to 65504, as all four.
        var1: of the second.
        var2: of the third.
        var3: of the fourth.
        batch_index: which row, from 0.

    Returns:
        0; 100000 for no parameters, no such row or another number.
    """
    factors = (var0, var1, var2, var3)
    _check_all((-FLOAT16_MAX, FLOAT16_MAX), "var", factors)
    _set_row(aipp, batch_index, {"var_reci": factors})
    return 0


@public("acl.mdl.get_aipp_data_size", SIZE, failed=beside(0))
def get_aipp_data_size(batch: int) -> tuple[int, int]:
    """Bytes of the parameters for so many rows.

    Args:
        batch: rows, 1 to 127.

    Returns:
        (64 + 96 x rows, 0); 100000 for another number of rows.
    """
    _check_rows(batch)
    return block_bytes(batch), 0


@public("acl.mdl.set_input_aipp", UINT, ADDRESS, SIZE, ADDRESS)
def set_input_aipp(model: int, dataset: int, index: int, aipp: int) -> int:
    """Writes parameters into the buffer of an input ``ascend_dynamic_aipp_data``.

    Args:
        model: number of the model.
        dataset: handle of the dataset of inputs.
        index: of that input.
        aipp: handle of the parameters.

    Returns:
        0; 145003 if no such model is loaded, 100000 if a handle is wrong or parameters are not
        complete, 145015 if the input is another, 145011 if the buffer points to nothing, 145012 if
        it is too small.
    """
    loaded = MODELS.get(model)
    places = [each.parameters for each in loaded.description.aipp.values()]
    if index not in places:
        raise Refusal(
            Code.GE_AIPP_NOT_EXIST, f"input {index} takes no parameters of AIPP; those: {places}"
        )
    _write(dataset, index, aipp)
    return 0


@public("acl.mdl.set_aipp_by_input_index", UINT, ADDRESS, SIZE, ADDRESS)
def set_aipp_by_input_index(model: int, dataset: int, index: int, aipp: int) -> int:
    """Writes parameters for an input of images, into the buffer that goes with it.

    Args:
        model: number of the model.
        dataset: handle of the dataset of inputs.
        index: of the input of images.
        aipp: handle of the parameters.

    Returns:
        0; codes as `set_input_aipp`.
    """
    attached = _attached(MODELS.get(model), index)
    if attached is None:
        raise Refusal(Code.GE_AIPP_NOT_EXIST, f"input {index} has no dynamic AIPP")
    _write(dataset, attached, aipp)
    return 0


def _attached(model: Model, index: int) -> int | None:
    known = model.description.aipp.get(index)
    return None if known is None else known.parameters


def _write(dataset: int, index: int, aipp: int) -> None:
    block = PARAMETERS.get(aipp).block
    buffer = DATASETS.get(dataset).buffer(index)
    if not buffer.address:
        raise Refusal(
            Code.GE_DYNAMIC_INPUT_ADDRESS_INVALID, f"the buffer of input {index} points to nothing"
        )
    if buffer.size < len(block):
        raise Refusal(
            Code.GE_DYNAMIC_INPUT_LENGTH_INVALID,
            f"the buffer of input {index} has {buffer.size} bytes; these parameters take "
            f"{len(block)}",
        )
    unpack(block)  # refused here rather than when it runs
    BLOCKS.write(buffer.address, block.tobytes())
