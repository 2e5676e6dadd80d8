"""An AIPP configuration as text, in one form: what is not said has its default."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from gearshift.aipp.spec import (
    AippBlock,
    Crop,
    Csc,
    DynamicAipp,
    Normalisation,
    Padding,
    StaticAipp,
)

_Line = tuple[str, object]
_ESCAPED: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def write_aipp(blocks: Iterable[AippBlock]) -> str:
    """The configuration that `config.parse_aipp` reads as these very blocks."""
    return "".join(_written(block) for block in blocks)


def _written(block: AippBlock) -> str:
    lines = [*_general(block), *_special(block.aipp)]
    inside = "".join(f"  {name}: {_value(value)}\n" for name, value in lines)
    return f"aipp_op {{\n{inside}}}\n"


def _general(block: AippBlock) -> Iterator[_Line]:
    yield "aipp_mode", "dynamic" if isinstance(block.aipp, DynamicAipp) else "static"
    if block.input_name is not None:
        yield "related_input_name", _quoted(block.input_name)
    else:
        yield "related_input_rank", block.input_rank


def _special(aipp: StaticAipp | DynamicAipp) -> Iterator[_Line]:
    if isinstance(aipp, DynamicAipp):
        yield "max_src_image_size", aipp.max_source_bytes
        yield from _unless(False, support_rotation=aipp.support_rotation)
        return
    yield "input_format", aipp.format.name
    yield from _unless(0, src_image_size_w=aipp.width, src_image_size_h=aipp.height)
    yield from _unless(False, rbuv_swap_switch=aipp.rbuv_swap, ax_swap_switch=aipp.ax_swap)
    yield from _crop(aipp.crop)
    yield from _csc(aipp.csc)
    yield from _normalisation(aipp.normalisation)
    yield from _padding(aipp.padding)
    yield from _unless(0.0, cpadding_value=aipp.channel_fill)


def _crop(crop: Crop | None) -> Iterator[_Line]:
    if crop is not None:
        yield "crop", True
        yield from _unless(
            0,
            load_start_pos_w=crop.left,
            load_start_pos_h=crop.top,
            crop_size_w=crop.width,
            crop_size_h=crop.height,
        )


def _csc(csc: Csc | None) -> Iterator[_Line]:
    if csc is not None:
        yield "csc_switch", True
        for row, factors in enumerate(csc.matrix):
            for column, factor in enumerate(factors):
                yield f"matrix_r{row}c{column}", factor
        for side, biases in (("input", csc.input_bias), ("output", csc.output_bias)):
            for channel, bias in enumerate(biases):
                yield f"{side}_bias_{channel}", bias


def _normalisation(normalisation: Normalisation) -> Iterator[_Line]:
    for prefix, numbers, default in (
        ("mean", normalisation.mean, 0),
        ("min", normalisation.minimum, 0),
        ("var_reci", normalisation.var_reci, 1),
    ):
        for channel, number in enumerate(numbers):
            yield from _unless(default, **{f"{prefix}_chn_{channel}": number})


def _padding(padding: Padding | None) -> Iterator[_Line]:
    if padding is not None:
        yield "padding", True
        yield from _unless(
            0,
            left_padding_size=padding.left,
            right_padding_size=padding.right,
            top_padding_size=padding.top,
            bottom_padding_size=padding.bottom,
            padding_value=padding.value,
        )


def _unless(default: float, **values: float) -> Iterator[_Line]:
    return ((name, value) for name, value in values.items() if value != default)


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPED.get(char, char) for char in text) + '"'
