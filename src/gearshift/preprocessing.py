"""AIPP on the compile line: which input it is put in front of, and what the model takes then."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np

from gearshift.aipp.checks import inputs_of, settle
from gearshift.aipp.config import parse_aipp
from gearshift.aipp.fold import fold_static
from gearshift.aipp.image import source_shape
from gearshift.aipp.reference import preprocess
from gearshift.aipp.spec import AippBlock, DynamicAipp, StaticAipp
from gearshift.aipp.writing import write_aipp
from gearshift.errors import OptionError, UnsupportedModelError
from gearshift.gears.gear import GearSet
from gearshift.options import CompileOptions
from gearshift.program import Program
from gearshift.tensors import Array, Shape, TensorSpec, format_shape
from gearshift.verify.equivalence import Runner

Layout = Literal["NCHW", "NHWC"]

_IMAGE_RANK = 4


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
        return (1, 2, 3) if self.layout == "NCHW" else (3, 1, 2)

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
    for name, block in blocks.items():
        spec = next(spec for spec in program.inputs if spec.name == name)
        made = _put_before(made, block, spec, layout)
    return made


def _put_before(
    before: Preprocessed, block: AippBlock, spec: TensorSpec, layout: Layout
) -> Preprocessed:
    if len(spec.shape) != _IMAGE_RANK:
        raise UnsupportedModelError(
            f"AIPP goes in front of images of 4 dims, and input {spec.name!r} is "
            f"{format_shape(spec.shape)}; name another input with related_input_name.",
            tensor=spec.name,
        )
    step = Preprocessing(block, spec, layout)
    channels, height, width = (spec.shape[axis] for axis in step.axes)
    aipp = block.aipp
    if isinstance(aipp, StaticAipp):
        is_image = before.gears.mode == "image"
        aipp = settle(aipp, spec.name, channels, height, width, gears=is_image)
    step = dataclasses.replace(
        step, block=dataclasses.replace(block, aipp=aipp, input_name=spec.name)
    )
    steps = (*before.steps, step)
    if isinstance(aipp, DynamicAipp):
        return dataclasses.replace(before, steps=steps)
    program = fold_static(before.program, spec.name, aipp, layout)
    return Preprocessed(program, _of_images(before.gears, program, step), steps)


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
