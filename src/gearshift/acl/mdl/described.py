"""A model as AscendCL describes it: every input and output, extra ones included, at every gear."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Final, cast

from gearshift.aipp.image import Layout, axes, plane_count, source_height
from gearshift.aipp.spec import StaticAipp
from gearshift.artifact.manifest import AippRecord, Manifest
from gearshift.errors import GearError
from gearshift.gears.gear import Gear, GearSet
from gearshift.gears.parse import parse_input_shape
from gearshift.images import Fed, Images, read_aipp
from gearshift.opening import gear_set, output_specs
from gearshift.tensors import MBATCH_INPUT, DType, Shape, TensorSpec, dtype_named

NCHW: Final = 0
NHWC: Final = 1
ND: Final = 2
_FORMATS: Final = {"NCHW": NCHW, "NHWC": NHWC}
_IMAGE_RANK: Final = 4
_WORD: Final = 4
"""Bytes of one value of the gear: the extra input is int32."""


@dataclass(frozen=True)
class Tensor:
    """An input or output.

    Attributes:
        name: as the model spells it.
        dtype: of its elements.
        format: AscendCL's number of its layout.
        dims: its shape, -1 where the gear decides; of a source image its pixels, as NHWC.
        memory_dims: the same, but whose product is its elements in memory.
        at: its shape at each gear, in the order declared; empty where gears do not decide it.
        nbytes: what it takes at most; 0 if that is not known.
    """

    name: str
    dtype: DType
    format: int
    dims: Shape
    memory_dims: Shape
    at: tuple[Shape, ...]
    nbytes: int

    @cached_property
    def largest(self) -> Shape:
        """Its shape at the gear where it is largest; -1 where there is no end."""
        return max(self.at, key=math.prod) if self.at else self.dims


@dataclass(frozen=True)
class Aipp:
    """Preprocessing of one input.

    Attributes:
        static: what was compiled in; None if parameters come with each call.
        own: the model's own input behind it, at each gear.
        own_dtype: its element type.
        own_format: AscendCL's number of its layout.
        parameters: position of the input for parameters; None for static.
    """

    static: StaticAipp | None
    own: tuple[Shape, ...]
    own_dtype: DType
    own_format: int
    parameters: int | None


@dataclass(frozen=True)
class Description:
    """What an artifact says of itself, in AscendCL's words. Outlives the model.

    Attributes:
        gears: the gear set.
        inputs: the model's own, then one for the gear, then those for parameters of AIPP.
        outputs: in order.
        gear_input: position of the input that carries the gear; None where there are no gears.
        aipp: preprocessing, by position of the input.
        fed: inputs of images that come with parameters, by position.
        written: positions of the model's own inputs in the order in which their shapes were
            written for the compiler: gears of any dims join shapes in that order.
    """

    gears: GearSet
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    gear_input: int | None
    aipp: dict[int, Aipp]
    fed: dict[int, Fed]
    written: tuple[int, ...]

    @property
    def own_inputs(self) -> tuple[Tensor, ...]:
        """The inputs without the extra ones."""
        return self.inputs[: len(self.gears.inputs)]

    def position(self, gear: Gear) -> int:
        """Number of a declared gear. Raises GearError (145013) if there is no such gear."""
        if self.gear_input is not None and gear in self.gears.gears:
            return self.gears.gears.index(gear)
        declared = "; ".join(map(str, self.gears.gears)) if self.gear_input is not None else "none"
        raise GearError(f"gear {gear} was not compiled into this model; its gears are: {declared}.")

    def joined(self, number: int | None = None) -> list[int]:
        """The shapes of all own inputs in one list, at a gear or with -1 where it decides."""
        inputs = [self.inputs[position] for position in self.written]
        shapes = [each.dims if number is None else each.at[number] for each in inputs]
        return [dim for shape in shapes for dim in shape]


@lru_cache(maxsize=16)
def describe(manifest: Manifest) -> Description:
    """The description of an artifact.

    Raises:
        CorruptArtifactError: its preprocessing cannot be read.
    """
    gears = gear_set(manifest)
    images = Images(manifest)
    names = [spec.name for spec in gears.inputs]
    layout = dict(manifest.options).get("input_format", "NCHW")
    inputs = [_plain(spec, layout, _shapes(gears, spec.name)) for spec in gears.inputs]
    gear_input = None
    if gears.has_gears:
        gear_input = len(inputs)
        inputs.append(_extra(MBATCH_INPUT, "int32", len(gears.gears[0].values)))
    aipp: dict[int, Aipp] = {}
    for record in manifest.aipp:
        place = names.index(record.input)
        block = read_aipp(record)
        if isinstance(block, StaticAipp):
            own = tuple(_behind(record, block, at) for at in inputs[place].at)
            form = _FORMATS.get(record.layout, ND) if len(own[0]) == _IMAGE_RANK else ND
            aipp[place] = Aipp(block, own, dtype_named(record.dtype), form, None)
            inputs[place] = _image(inputs[place], block)
    for fed in images.fed:
        place = names.index(fed.name)
        own_at, form = inputs[place].at, inputs[place].format
        aipp[place] = Aipp(None, own_at, fed.own.dtype, form, parameters=len(inputs))
        inputs[place] = _unknown_image(fed)
        inputs.append(_extra(fed.parameters.name, "uint8", fed.parameters.shape[0]))
    return Description(
        gears=gears,
        inputs=tuple(inputs),
        outputs=tuple(_outputs(manifest, layout)),
        gear_input=gear_input,
        aipp=aipp,
        fed={names.index(fed.name): fed for fed in images.fed},
        written=_written(manifest, names),
    )


def _written(manifest: Manifest, names: Sequence[str]) -> tuple[int, ...]:
    text = dict(manifest.options).get("input_shape")
    listed = [name for name, _ in parse_input_shape(text)] if text else []
    order = [name for name in listed if name in names]
    rest = [name for name in names if name not in order]
    return tuple(names.index(name) for name in (*order, *rest))


def _shapes(gears: GearSet, name: str) -> tuple[Shape, ...]:
    if gears.mode == "range":
        return ()
    return tuple(gears.shapes(gear)[name] for gear in gears)


def _plain(spec: TensorSpec, layout: str, at: tuple[Shape, ...]) -> Tensor:
    form = _FORMATS.get(layout, ND) if len(spec.shape) == _IMAGE_RANK else ND
    nbytes = max((spec.nbytes(shape) for shape in at), default=0)
    return Tensor(spec.name, spec.dtype, form, spec.shape, spec.shape, at, nbytes)


def _extra(name: str, dtype: str, count: int) -> Tensor:
    kind = dtype_named(dtype)
    return Tensor(name, kind, ND, (count,), (count,), ((count,),), count * kind.itemsize)


def _image(tensor: Tensor, aipp: StaticAipp) -> Tensor:
    """An input of source images whose format is known."""
    memory = (*tensor.dims, 1)[:_IMAGE_RANK]
    dims = pixels(aipp, tensor.dims)
    return replace(tensor, format=NHWC, dims=dims, memory_dims=memory)


def pixels(aipp: StaticAipp, images: Shape) -> Shape:
    """Rows, height, width and channels of source images of that shape in memory."""
    rows, height, width, *values = images
    height = source_height(aipp.format, images) if height > 0 else height
    return rows, height, width, values[0] if values else plane_count(aipp.format)


def _unknown_image(fed: Fed) -> Tensor:
    """An input of source images whose format and size come with each call."""
    dims = (fed.images.shape[0], -1, -1, -1)
    return Tensor(fed.name, fed.images.dtype, NHWC, dims, dims, (), fed.most_bytes)


def _behind(record: AippRecord, aipp: StaticAipp, images: Shape) -> Shape:
    """The model's own input behind images of that shape: open dims are those of the images."""
    _, height, width = axes(cast(Layout, record.layout))
    rank = len(record.shape)
    known = {0: images[0], rank + height: source_height(aipp.format, images)}
    known[rank + width] = images[2]
    return tuple(known[axis] if dim < 0 else dim for axis, dim in enumerate(record.shape))


def _outputs(manifest: Manifest, layout: str) -> Iterator[Tensor]:
    is_range = manifest.mode == "range"
    for index, spec in enumerate(output_specs(manifest)):
        at = () if is_range else tuple(gear.outputs[index] for gear in manifest.gears)
        yield _plain(spec, layout, at)
