"""An AIPP block against the model's input that it feeds: what must fit, and the sizes left open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gearshift.aipp.fields import FIELDS
from gearshift.aipp.image import fitting_channels, subsampling
from gearshift.aipp.spec import AippBlock, ImageFormat, StaticAipp
from gearshift.errors import OptionError, OptionErrors, did_you_mean
from gearshift.gears.text import listed, option_error

WIDEST_PADDED: Final = 1080
"""Pixels across that Ascend 310, 310P and 910 can pad to."""


def inputs_of(blocks: Iterable[AippBlock], names: Sequence[str]) -> dict[str, AippBlock]:
    """Each block by the name of the input it applies to.

    Args:
        blocks: of one configuration.
        names: of the model's inputs, in the model's order.

    Raises:
        OptionErrors: E10052 (no input of that name), E19999 (fewer inputs than the rank says).
    """
    errors: list[OptionError] = []
    found: dict[str, AippBlock] = {}
    for block in blocks:
        name = block.input_name
        if name is None and block.input_rank < len(names):
            found[names[block.input_rank]] = block
        elif name in names:
            found[str(name)] = block
        else:
            errors.append(_no_input(block, names))
    if errors:
        raise OptionErrors(errors)
    return found


def _no_input(block: AippBlock, names: Sequence[str]) -> OptionError:
    there = f"the model's inputs are {listed(names)}"
    if block.input_name is None:
        return option_error(
            "E19999",
            f"insert_op_conf: related_input_rank is {block.input_rank}; allowed: 0 to "
            f"{len(names) - 1}: {there}.",
        )
    return option_error(
        "E10052",
        f"insert_op_conf: related_input_name is {block.input_name!r}; {there}."
        f"{did_you_mean(block.input_name, names)}",
    )


def settle(
    aipp: StaticAipp, name: str, channels: int, height: int, width: int, *, gears: bool = False
) -> StaticAipp:
    """The same with every size filled in that is left to the model.

    Args:
        aipp: as the configuration says it.
        name: of the model's input, for messages.
        channels: that the model's input has.
        height: the model's, or one gear's; -1 where the model takes any, and a size of 0 stays 0.
        width: likewise.
        gears: whether heights and widths are geared: all sizes stay 0, each gear's own.

    Raises:
        OptionErrors: E81012 for what does not fit the model, E10052 for what cannot be had
            together with image gears; all of it at once.
    """
    check = _Check(name, aipp.format)
    _check_channels(check, aipp, channels)
    settled = _filled(aipp, height, width)
    if gears:
        _check_gears(check, aipp)
    else:
        _check_open_sizes(check, aipp, height, width)
    if check.sizes_are_known:
        for axis in _axes(settled, height, width):
            _check_axis(check, axis)
    if aipp.padding is not None and width > WIDEST_PADDED:
        check.refuse(
            f"padding is on and the model takes images {width} pixels wide; with padding: up to "
            f"{WIDEST_PADDED}"
        )
    if check.errors:
        raise OptionErrors(check.errors)
    return aipp if gears else settled


@dataclass(frozen=True)
class _Axis:
    """One direction of an image: what is cut out of the source and put round it, in pixels."""

    letter: str
    word: str
    source: int
    model: int
    step: int
    crop: tuple[int, int] | None
    padding: tuple[int, int] | None


class _Check:
    """Collects what is wrong with the block of one input."""

    def __init__(self, name: str, image_format: ImageFormat) -> None:
        self._name = name
        self.format = image_format.name
        self.sizes_are_known = True
        self.errors: list[OptionError] = []

    def refuse(self, problem: str, code: str = "E81012") -> None:
        message = f"insert_op_conf: input {self._name!r}: {problem}."
        self.errors.append(option_error(code, message))


def _filled(aipp: StaticAipp, height: int, width: int) -> StaticAipp:
    """Sizes of 0 replaced by the model's, where it has one."""
    width, height, crop = max(width, 0), max(height, 0), aipp.crop
    if crop is not None:
        crop = replace(crop, width=crop.width or width, height=crop.height or height)
    return replace(aipp, width=aipp.width or width, height=aipp.height or height, crop=crop)


def _axes(aipp: StaticAipp, height: int, width: int) -> tuple[_Axis, _Axis]:
    down, across = subsampling(aipp.format)
    crop, pad = aipp.crop, aipp.padding
    return (
        _Axis(
            "w", "wide", aipp.width, width, across,
            (crop.left, crop.width) if crop else None, (pad.left, pad.right) if pad else None,
        ),
        _Axis(
            "h", "high", aipp.height, height, down,
            (crop.top, crop.height) if crop else None, (pad.top, pad.bottom) if pad else None,
        ),
    )  # fmt: skip


def _check_channels(check: _Check, aipp: StaticAipp, channels: int) -> None:
    if aipp.csc is not None and aipp.format is ImageFormat.YUV400_U8:
        check.refuse("csc_switch is on, but YUV400_U8 has no colours to convert; turn it off")
    allowed = fitting_channels(aipp.format, converts=aipp.csc is not None)
    if channels not in allowed:
        numbers = " or ".join(str(number) for number in sorted(allowed))
        grey = ", or 1 with csc_switch on (the first row of the matrix)" if channels == 1 else ""
        check.refuse(
            f"the model takes {channels} channels, input_format {check.format} gives "
            f"{numbers}{grey}; choose a format that fits"
        )


def _check_gears(check: _Check, aipp: StaticAipp) -> None:
    sizes = {"src_image_size_w": aipp.width, "src_image_size_h": aipp.height}
    wrong = [f"{name} is {size}" for name, size in sizes.items() if size]
    wrong += ["crop is on"] if aipp.crop else []
    wrong += ["padding is on"] if aipp.padding else []
    if wrong:
        check.sizes_are_known = False
        check.refuse(
            f"with image gears every image is of its gear's size, but {', '.join(wrong)}; leave "
            "the sizes out (or 0) and turn crop and padding off",
            "E10052",
        )


def _check_open_sizes(check: _Check, aipp: StaticAipp, height: int, width: int) -> None:
    """What crop and padding must know cannot be left to the model."""
    on = [name for name, part in (("crop", aipp.crop), ("padding", aipp.padding)) if part]
    if on and not (aipp.width and aipp.height):
        check.sizes_are_known = False
        check.refuse(
            f"{' and '.join(on)} must know the source image, but src_image_size_w is {aipp.width} "
            f"and src_image_size_h is {aipp.height}; write both"
        )
    crop = aipp.crop
    is_open = aipp.padding is not None or height < 0 or width < 0
    if crop and is_open and not (crop.width and crop.height):
        check.sizes_are_known = False
        why = "with padding" if aipp.padding else "as the model takes any"
        check.refuse(
            f"{why}, the crop must have a size, but crop_size_w is {crop.width} and crop_size_h "
            f"is {crop.height}; write both"
        )


def _check_axis(check: _Check, axis: _Axis) -> None:
    _check_source(check, axis)
    taken, size = "the source image", axis.source
    if axis.crop is not None:
        taken, size = "the crop", axis.crop[1]
        _check_crop(check, axis, *axis.crop)
    before, after = axis.padding or (0, 0)
    total = size + before + after
    if size and axis.model >= 0 and total != axis.model:
        added = f" + padding {before} + {after} = {total}" if axis.padding else ""
        check.refuse(f"{taken} is {size}{added} pixels {axis.word}, the model takes {axis.model}")


def _check_source(check: _Check, axis: _Axis) -> None:
    if axis.source == 0 and axis.model < 0:
        return
    what = f"the source image is {axis.source} pixels {axis.word}"
    spec = FIELDS[f"src_image_size_{axis.letter}"]
    if axis.source == 0 or not spec.holds(axis.source):
        check.refuse(f"{what}; allowed: {spec.low:g} to {spec.high:g}")
    if axis.source % axis.step:
        check.refuse(f"{what}; for {check.format} it must be even")


def _check_crop(check: _Check, axis: _Axis, start: int, size: int) -> None:
    letter = axis.letter
    if start + size > axis.source:
        check.refuse(
            f"load_start_pos_{letter} {start} + crop_size_{letter} {size} = {start + size}, the "
            f"source image is {axis.source} pixels {axis.word}"
        )
    if start % axis.step:
        check.refuse(f"load_start_pos_{letter} is {start}; for {check.format} it must be even")
