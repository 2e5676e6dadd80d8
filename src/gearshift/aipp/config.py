"""The AIPP configuration file: text -> blocks, with every default filled in, and back.

Codes: E19018 for what protobuf itself would refuse (form, unknown fields, values of another kind),
E10052 for values that mean nothing. What must fit the model is looked at in checks.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from gearshift.aipp.fields import EDGES, FIELDS, FORMATS, SUPPORTED, Block
from gearshift.aipp.spec import (
    AippBlock,
    Crop,
    Csc,
    DynamicAipp,
    ImageFormat,
    Matrix,
    Normalisation,
    Padding,
    StaticAipp,
    Triple,
)
from gearshift.aipp.textformat import Field, Message, parse
from gearshift.aipp.tokens import format_error
from gearshift.aipp.writing import write_aipp
from gearshift.errors import OptionError, OptionErrors, did_you_mean
from gearshift.gears.text import listed, option_error

__all__ = ["parse_aipp", "write_aipp"]

_TO_BGR: Final[Matrix] = ((298, 516, 0), (298, -100, -208), (298, 0, 409))
_TO_YUV: Final[Matrix] = ((66, 129, 25), (-38, -74, 112), (112, -94, -18))
_BIAS: Final[Triple] = (16, 128, 128)
_STATIC, _DYNAMIC = 1, 2
_NOT_HERE: Final = "is not supported on these targets; remove it or set it to"


def parse_aipp(text: str) -> tuple[AippBlock, ...]:
    """Reads an AIPP configuration.

    As in ATC, fields that have no effect (the numbers of a crop that is off, fields of the other
    mode) are read but not judged.

    Raises:
        OptionError: E19018 where the text is not text format at all.
        OptionErrors: everything else that is wrong with it, at once (E19018, E10052).
    """
    errors: list[OptionError] = []
    blocks: list[AippBlock] = []
    for field in parse(text).fields:
        for message in _blocks_of(field, errors):
            block = _block(Block(message, errors))
            blocks += [block] if block else []
    if not blocks and not errors:
        errors.append(_refusal("there is no aipp_op in it; write one: aipp_op { aipp_mode: ... }"))
    errors += _placed_twice(blocks)
    if errors:
        raise OptionErrors(errors)
    return tuple(blocks)


def _refusal(problem: str) -> OptionError:
    return option_error("E10052", f"insert_op_conf: {problem}.")


def _blocks_of(field: Field, errors: list[OptionError]) -> list[Message]:
    """The blocks that a field of the file's top level holds."""
    if field.name == "multi_shape_op":
        errors.append(
            _refusal(
                f"{field.place}: multi_shape_op is not supported; declare gears with "
                "dynamic_batch_size or dynamic_image_size"
            )
        )
        return []
    if field.name != "aipp_op":
        hint = did_you_mean(field.name, ("aipp_op",))
        if field.name in FIELDS:
            hint = " It belongs inside aipp_op { }."
        errors.append(format_error(field.place, f"there is no message {field.name}", hint))
        return []
    scalars = [value for value in field.values if not isinstance(value, Message)]
    errors += [format_error(value.place, "aipp_op takes a message: { ... }") for value in scalars]
    return [value for value in field.values if isinstance(value, Message)]


def _block(block: Block) -> AippBlock | None:
    """What a block says; None if it is refused as a whole."""
    if not block.knows("aipp_mode"):
        return None
    mode = block.whole("aipp_mode")
    aipp: StaticAipp | DynamicAipp | None = None
    if mode == _STATIC:
        aipp = _static(block)
    elif mode == _DYNAMIC:
        aipp = _dynamic(block)
    else:
        block.refuse("aipp_mode", "aipp_mode is undefined; write aipp_mode: static or dynamic.")
    _check_edges(block)
    name = block.string("related_input_name")
    rank = 0 if name else block.whole("related_input_rank")
    return AippBlock(aipp, rank, name or None) if aipp else None


def _check_edges(block: Block) -> None:
    edge = block.whole("input_edge_idx")
    if edge:
        block.refuse("input_edge_idx", f"input_edge_idx is {edge}; {EDGES}.")


def _dynamic(block: Block) -> DynamicAipp:
    size = block.whole("max_src_image_size")
    if size == 0 and block.knows("max_src_image_size"):
        block.refuse(
            "max_src_image_size",
            "max_src_image_size is 0 or missing; dynamic AIPP needs the bytes of the largest "
            "source images of one call: rows x width x height x bytes per pixel.",
        )
    return DynamicAipp(size, block.switch("support_rotation"))


def _static(block: Block) -> StaticAipp | None:
    image_format = _format(block)
    for name in ("resize", "single_line_mode"):
        if block.switch(name):
            block.refuse(name, f"{name} {_NOT_HERE} false.")
    if block.whole("rotation_angle"):
        block.refuse("rotation_angle", f"rotation_angle {_NOT_HERE} 0.")
    aipp = StaticAipp(
        format=image_format or ImageFormat.RGB888_U8,
        width=block.whole("src_image_size_w"),
        height=block.whole("src_image_size_h"),
        rbuv_swap=block.switch("rbuv_swap_switch"),
        ax_swap=block.switch("ax_swap_switch"),
        crop=_crop(block),
        csc=_csc(block, yuv=image_format is not None and image_format.is_yuv),
        normalisation=_normalisation(block),
        padding=_padding(block),
        channel_fill=block.half("cpadding_value"),
    )
    return aipp if image_format else None


def _format(block: Block) -> ImageFormat | None:
    if not block.knows("input_format"):
        return None
    number = block.whole("input_format")
    if number in tuple(ImageFormat):
        return ImageFormat(number)
    name = next((name for name, known in FORMATS.items() if known == number), str(number))
    problem = (
        "input_format is missing or UNDEFINED"
        if number == 0
        else f"input_format {name} is not supported on these targets"
    )
    block.refuse("input_format", f"{problem}; allowed: {listed(SUPPORTED)}.")
    return None


def _crop(block: Block) -> Crop | None:
    if not block.switch("crop"):
        return None
    return Crop(
        left=block.whole("load_start_pos_w"),
        top=block.whole("load_start_pos_h"),
        width=block.whole("crop_size_w"),
        height=block.whole("crop_size_h"),
    )


def _csc(block: Block, *, yuv: bool) -> Csc | None:
    """The conversion; each number that is not written has its own default."""
    if not block.switch("csc_switch"):
        return None
    default = _TO_BGR if yuv else _TO_YUV
    first, second, third = (
        _triple(block, f"matrix_r{row}c", defaults) for row, defaults in enumerate(default)
    )
    return Csc(
        matrix=(first, second, third),
        input_bias=_triple(block, "input_bias_", _BIAS),
        output_bias=_triple(block, "output_bias_", _BIAS),
    )


def _triple(block: Block, prefix: str, default: Triple) -> Triple:
    first, second, third = (
        block.whole(f"{prefix}{place}", number) for place, number in enumerate(default)
    )
    return first, second, third


def _normalisation(block: Block) -> Normalisation:
    means = tuple(block.whole(f"mean_chn_{channel}") for channel in range(4))
    return Normalisation(
        mean=(means[0], means[1], means[2], means[3]),
        minimum=_four(block, "min_chn_", 0.0),
        var_reci=_four(block, "var_reci_chn_", 1.0),
    )


def _four(block: Block, prefix: str, default: float) -> tuple[float, float, float, float]:
    one, two, three, four = (block.half(f"{prefix}{channel}", default) for channel in range(4))
    return one, two, three, four


def _padding(block: Block) -> Padding | None:
    if not block.switch("padding"):
        return None
    return Padding(
        left=block.whole("left_padding_size"),
        right=block.whole("right_padding_size"),
        top=block.whole("top_padding_size"),
        bottom=block.whole("bottom_padding_size"),
        value=block.half("padding_value"),
    )


def _placed_twice(blocks: Iterable[AippBlock]) -> list[OptionError]:
    """Blocks that meet at one input, and names mixed with ranks, which nobody could compare."""
    blocks = tuple(blocks)
    if len({block.input_name is None for block in blocks}) > 1:
        return [
            _refusal(
                "some aipp_op name their input (related_input_name) and others give its place "
                "(related_input_rank); use one of the two throughout"
            )
        ]
    places = Counter(_place(block) for block in blocks)
    return [
        _refusal(f"{count} aipp_op apply to the input of {place}; write one for each input")
        for place, count in places.items()
        if count > 1
    ]


def _place(block: AippBlock) -> str:
    if block.input_name is not None:
        return f"related_input_name {block.input_name!r}"
    return f"related_input_rank {block.input_rank}"
