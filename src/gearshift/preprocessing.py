"""AIPP on the compile line: which input it is put in front of, and what the model takes then."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from gearshift.aipp.checks import inputs_of, settle
from gearshift.aipp.config import parse_aipp
from gearshift.aipp.fold import DTYPES, fold_static
from gearshift.aipp.image import Layout, axes, fitting_channels, source_bytes, source_shape
from gearshift.aipp.reference import preprocess
from gearshift.aipp.spec import AippBlock, DynamicAipp, ImageFormat, StaticAipp
from gearshift.aipp.writing import write_aipp
from gearshift.errors import OptionError, UnsupportedModelError
from gearshift.gears.gear import GearSet
from gearshift.options import CompileOptions
from gearshift.program import Program
from gearshift.tensors import Array, Shape, TensorSpec, format_shape
from gearshift.verify.equivalence import Runner

_IMAGE_RANK: Final = 4
_DYNAMIC_RANKS: Final = (3, 4)
_MOST_PADDING: Final = 64
"""Pixels that padding adds at most, of both sides."""


@dataclass(frozen=True)
class Preprocessing:
    """AIPP in front of one input.

    Attributes:
        block: as it is recorded: on the input's name, every size filled in.
        spec: the model's own input.
        layout: how that lies.
    """

    block: AippBlock
    spec: TensorSpec
    layout: Layout

    @property
    def axes(self) -> tuple[int, int, int]:
        """Where the model's input has channels, height and width."""
        return axes(self.layout)

    def apply(self, images: Array) -> Array:
        """What the model's own input is for those source images, by numpy."""
        aipp = cast(StaticAipp, self.block.aipp)
        made = preprocess(aipp, images, self.spec.shape[self.axes[0]], self.spec.dtype.name)
        return made if self.layout == "NCHW" else np.ascontiguousarray(made.transpose(0, 2, 3, 1))


@dataclass(frozen=True)
class Preprocessed:
    """A program whose images are preprocessed, and its gears.

    Attributes:
        program: takes source images.
        gears: the same gears, of source images.
        steps: what was put in front of which input.
    """

    program: Program
    gears: GearSet
    steps: tuple[Preprocessing, ...] = ()


def preprocess_inputs(program: Program, gears: GearSet, options: CompileOptions) -> Preprocessed:
    """Puts the configuration's blocks in front of the inputs they are for.

    Raises:
        OptionErrors: the configuration is wrong (E19018, E10052), or does not go with the model.
        UnsupportedModelError: an input is not one of images.
    """
    made = Preprocessed(program, gears)
    if options.aipp is None:
        return made
    if gears.mode in ("dims", "range"):
        raise OptionError(
            "an AIPP configuration goes with batch gears, image gears or fixed shapes; declare "
            "what varies with dynamic_batch_size or dynamic_image_size.",
            code="E10001",
        )
    blocks = inputs_of(parse_aipp(options.aipp), [spec.name for spec in program.inputs])
    layout: Layout = "NHWC" if options.input_format == "NHWC" else "NCHW"
    is_dynamic = any(isinstance(block.aipp, DynamicAipp) for block in blocks.values())
    if is_dynamic and options.input_format == "ND":
        raise OptionError(
            "dynamic AIPP has to know how images lie, and input_format is ND; allowed: NCHW, NHWC.",
            code="E19014",
        )
    for name, block in blocks.items():
        spec = next(spec for spec in program.inputs if spec.name == name)
        made = _put_before(made, block, spec, layout)
    return made


def _put_before(
    before: Preprocessed, block: AippBlock, spec: TensorSpec, layout: Layout
) -> Preprocessed:
    if isinstance(block.aipp, DynamicAipp):
        _check_dynamic(block.aipp, spec, layout, before.gears)
    elif len(spec.shape) != _IMAGE_RANK:
        raise UnsupportedModelError(
            f"AIPP goes in front of images of 4 dims, and input {spec.name!r} is "
            f"{format_shape(spec.shape)}; name another input with related_input_name.",
            tensor=spec.name,
        )
    step = Preprocessing(block, spec, layout)
    aipp = block.aipp
    if isinstance(aipp, StaticAipp):
        aipp = _settled(aipp, step, before.gears)
    step = dataclasses.replace(
        step, block=dataclasses.replace(block, aipp=aipp, input_name=spec.name)
    )
    steps = (*before.steps, step)
    if isinstance(aipp, DynamicAipp):
        return dataclasses.replace(before, steps=steps)
    program = fold_static(before.program, spec.name, aipp, layout)
    return Preprocessed(program, _of_images(before.gears, program, step), steps)


def _settled(aipp: StaticAipp, step: Preprocessing, gears: GearSet) -> StaticAipp:
    """With the sizes that are left to the model; the images of every gear must suit it."""
    name, is_image = step.spec.name, gears.mode == "image"
    place = [spec.name for spec in gears.inputs].index(name)
    settled = aipp
    for shape in [dealt[place] for dealt in gears.dealt] if is_image else [step.spec.shape]:
        channels, height, width = (shape[axis] for axis in step.axes)
        settled = settle(aipp, name, channels, height, width, gears=is_image)
    return settled


def _check_dynamic(aipp: DynamicAipp, spec: TensorSpec, layout: Layout, gears: GearSet) -> None:
    """What the parameters of no call could make good."""
    where = f"insert_op_conf: input {spec.name!r}"
    if len(spec.shape) not in _DYNAMIC_RANKS:
        raise OptionError(
            f"{where} has the dims {format_shape(spec.shape)}; dynamic AIPP goes in front of "
            "images of 3 or 4 dims. Name another input with related_input_name.",
            code="E10001",
        )
    if spec.dtype.name not in DTYPES:
        raise UnsupportedModelError(
            f"AIPP cannot be put in front of input {spec.name!r}: it is of {spec.dtype.name}; AIPP "
            f"gives {', '.join(DTYPES)}. Name another input, or add a Cast to the model.",
            tensor=spec.name,
        )
    _check_source_bytes(aipp, where, spec, layout, gears)


def _check_source_bytes(
    aipp: DynamicAipp, where: str, spec: TensorSpec, layout: Layout, gears: GearSet
) -> None:
    """The smallest images that could fill the largest gear must be allowed."""
    channels = spec.shape[axes(layout)[0]]
    fitting = [each for each in ImageFormat if channels in _channels(each)]
    if not fitting:
        raise OptionError(
            f"{where}: the model takes {channels} channels as {layout}, and no format of AIPP "
            "gives so many; allowed: 1, 3 or 4. See input_format.",
            code="E81012",
        )
    largest = max((gears.shapes(gear)[spec.name] for gear in gears), key=math.prod)
    rows = largest[0] if len(largest) == _IMAGE_RANK else 1
    spare = 0 if gears.mode == "image" else _MOST_PADDING
    height, width = (max(largest[axis] - spare, 1) for axis in axes(layout)[1:])
    least = rows * min(source_bytes(each, height, width) for each in fitting)
    if aipp.max_source_bytes < least:
        raise OptionError(
            f"{where}: max_src_image_size is {aipp.max_source_bytes}; the smallest images that the "
            f"model can take at its largest gear are {least} bytes (rows: {rows}). Write the bytes "
            "of your largest ones: rows x width x height x bytes per pixel.",
            code="E10052",
        )


def _channels(image_format: ImageFormat) -> frozenset[int]:
    """What a model may have, with or without a conversion of colours."""
    return fitting_channels(image_format, converts=image_format is not ImageFormat.YUV400_U8)


def _of_images(gears: GearSet, program: Program, step: Preprocessing) -> GearSet:
    """The same gears for a program that takes source images."""
    place = [spec.name for spec in program.inputs].index(step.spec.name)
    dealt = tuple(
        (*shapes[:place], _source(step, shapes[place]), *shapes[place + 1 :])
        for shapes in gears.dealt
    )
    return dataclasses.replace(gears, inputs=program.inputs, dealt=dealt)


def _source(step: Preprocessing, shape: Shape) -> Shape:
    """The source image's shape at a gear, from that of the model's own input."""
    aipp = cast(StaticAipp, step.block.aipp)
    _, height, width = (shape[axis] for axis in step.axes)
    return source_shape(aipp.format, shape[0], aipp.height or height, aipp.width or width)


class PreparedRunner:
    """Runs the model as it came on what numpy makes of the source images."""

    def __init__(self, runner: Runner, steps: Sequence[Preprocessing]) -> None:
        self._runner = runner
        self._steps = {
            step.spec.name: step for step in steps if isinstance(step.block.aipp, StaticAipp)
        }

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """All outputs, in order."""
        return self._runner.run(
            {
                name: self._steps[name].apply(feed) if name in self._steps else feed
                for name, feed in feeds.items()
            }
        )


def config_text(step: Preprocessing) -> str:
    """What an artifact keeps of it."""
    return write_aipp([step.block])
