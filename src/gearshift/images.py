"""Dynamic AIPP on the run line: source images and their parameters in, the model's own inputs out.

Engines never see it: what they run takes the model's own inputs, which numpy makes here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from gearshift.aipp.block import DYNAMIC_AIPP_INPUT, block_bytes, unpack
from gearshift.aipp.config import parse_aipp
from gearshift.aipp.dynamic import apply, as_images
from gearshift.aipp.image import Layout, axes
from gearshift.aipp.parameters import AippParameters
from gearshift.aipp.spec import DynamicAipp, StaticAipp
from gearshift.artifact.manifest import AippRecord, Manifest
from gearshift.errors import CorruptArtifactError, InputError, OptionError, OptionErrors
from gearshift.tensors import Array, Shape, TensorSpec, dtype_named

_ONE_IMAGE: Final = 3
"""Dims of an input without rows."""
_MISSING: Final = 145011
_TOO_SHORT: Final = 145012
_WRONG_GEAR: Final = 145013


class Images:
    """The inputs of an artifact that take source images with parameters for each call.

    Attributes:
        fed: these inputs, in the order of their parameters.
    """

    def __init__(self, manifest: Manifest) -> None:
        """Raises CorruptArtifactError if the manifest's AIPP cannot be."""
        fed: list[Fed] = []
        for record in manifest.aipp:
            aipp = read_aipp(record)
            if isinstance(aipp, DynamicAipp):
                fed.append(_fed(manifest, record, aipp, is_first=not fed))
        self.fed = tuple(fed)

    def shown(self, specs: Iterable[TensorSpec]) -> tuple[TensorSpec, ...]:
        """The inputs as a caller sees them: images as bytes, and the parameters behind."""
        images = {fed.name: fed.images for fed in self.fed}
        return (
            *(images.get(spec.name, spec) for spec in specs),
            *(fed.parameters for fed in self.fed),
        )

    def prepare(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the model takes for what a caller gave.

        Raises:
            InputError: images and parameters do not fit each other or the model, or there are no
                parameters.
            OptionError: a parameter is not allowed.
        """
        if not self.fed:
            return inputs
        made = dict(inputs)
        for fed in self.fed:
            given = made.pop(fed.parameters.name, None)
            if fed.name in made:
                made[fed.name] = fed.prepared(made[fed.name], given)
        return made


@dataclass(frozen=True)
class Fed:
    """An input that takes source images.

    Attributes:
        own: the model's own input, at its largest gear.
        layout: how that lies.
        images: what a caller gives instead.
        parameters: the extra input.
        rows: the most of one run.
        most_bytes: what the images of one run may take.
        is_geared: whether height and width are the gears.
    """

    own: TensorSpec
    layout: Layout
    images: TensorSpec
    parameters: TensorSpec
    rows: int
    most_bytes: int
    is_geared: bool

    @property
    def name(self) -> str:
        """As the model spells it."""
        return self.own.name

    def prepared(self, value: object, given: object) -> Array:
        """The model's own input for what a caller gave."""
        parameters = self._parameters(given)
        images = as_images(parameters, _array(self.name, value))
        self._check(parameters, len(images))
        channels, height, width = (self.own.shape[axis] for axis in axes(self.layout))
        dtype = self.own.dtype.name
        made = apply(parameters, images, channels, height, width, dtype, self.layout)
        return made if len(self.own.shape) == made.ndim else made[0]

    def _parameters(self, given: object) -> AippParameters:
        if isinstance(given, AippParameters):
            return given
        if given is None:
            raise _refused(
                f"input {self.name!r} takes source images, and what to do with them comes with "
                f"each call: add {self.parameters.name!r}: gearshift.AippParameters(format, width, "
                "height, rows) to the inputs, or its block of bytes.",
                _MISSING,
            )
        return unpack(_array(self.parameters.name, given))

    def _check(self, parameters: AippParameters, rows: int) -> None:
        if parameters.count not in (None, rows) and (
            rows > self.rows or parameters.count != self.rows
        ):
            raise _refused(
                f"{self.parameters.name} is for {_rows(parameters.count)}, and {rows} images were "
                "given; allowed: as many rows as images, or those of the largest gear "
                f"({self.rows}), of which the first ones are used.",
                _TOO_SHORT,
            )
        if len(self.own.shape) == _ONE_IMAGE and rows != 1:
            raise InputError(f"input {self.name!r} takes one image; got {rows}.")
        needed = min(rows, self.rows) * parameters.image_bytes
        if needed > self.most_bytes:
            raise InputError(
                f"input {self.name!r}: {min(rows, self.rows)} images of {parameters.image_bytes} "
                f"bytes are {needed} bytes; max_src_image_size allows {self.most_bytes} in one "
                "run. Give smaller images, or compile the model with a larger one."
            )
        if self.is_geared:
            self._check_geared(parameters)

    def _check_geared(self, parameters: AippParameters) -> None:
        """On a card AIPP works before the gear is looked at, always in the largest one's shape."""
        _, height, width = (self.own.shape[axis] for axis in axes(self.layout))
        rows = parameters.first(parameters.count or 1)
        wrong = [word for word in ("crop", "padding") if any(getattr(row, word) for row in rows)]
        if wrong:
            raise _refused(
                f"with image gears {' and '.join(wrong)} must be off: images are of their gear's "
                "size.",
                _WRONG_GEAR,
            )
        if (parameters.height, parameters.width) != (height, width):
            raise _refused(
                f"the source images are {parameters.width} x {parameters.height} pixels; dynamic "
                f"AIPP with image gears takes the largest gear alone: {width} x {height}. Use "
                "static AIPP for images of every gear.",
                _WRONG_GEAR,
            )


def _fed(manifest: Manifest, record: AippRecord, aipp: DynamicAipp, *, is_first: bool) -> Fed:
    place = [each.name for each in manifest.inputs].index(record.input)
    spec = TensorSpec(record.input, dtype_named(record.dtype), _largest(manifest, place))
    own = manifest.inputs[place]
    if (own.shape, own.dtype) != (record.shape, record.dtype):
        raise CorruptArtifactError(
            f"dynamic AIPP of input {record.input!r} in its manifest is for another shape or dtype "
            "than the input has. Compile the model again."
        )
    rows = spec.shape[0] if len(spec.shape) > _ONE_IMAGE else 1
    shown = -1 if manifest.mode == "batch" else rows
    suffix = "" if is_first else f"_{record.input}_0_huawei_aipp"
    uint8 = dtype_named("uint8")
    return Fed(
        own=spec,
        layout=cast(Layout, record.layout),
        images=TensorSpec(record.input, uint8, (shown, -1)),
        parameters=TensorSpec(DYNAMIC_AIPP_INPUT + suffix, uint8, (block_bytes(rows),)),
        rows=rows,
        most_bytes=aipp.max_source_bytes,
        is_geared=manifest.mode == "image",
    )


def _largest(manifest: Manifest, place: int) -> Shape:
    """An input's shape at its largest gear: the first of those with the most elements."""
    record = manifest.inputs[place]
    if manifest.mode == "batch":
        return (max(gear.values[0] for gear in manifest.gears), *record.shape[1:])
    return max((gear.inputs[place] for gear in manifest.gears), key=math.prod)


def read_aipp(record: AippRecord) -> StaticAipp | DynamicAipp:
    """What a record says. Raises CorruptArtifactError if that cannot be read."""
    try:
        (block,) = parse_aipp(record.config)
    except (OptionError, OptionErrors, ValueError) as error:
        raise CorruptArtifactError(
            f"the AIPP configuration of input {record.input!r} in its manifest cannot be read: "
            f"{error} Compile the model again."
        ) from error
    return block.aipp


def _rows(count: int | None) -> str:
    return f"{count} row{'s' * (count != 1)}"


def _array(name: str, value: object) -> Array:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise InputError(f"input {name!r} is not an array: {error}.") from error


def _refused(message: str, acl_code: int) -> InputError:
    error = InputError(message)
    error.acl_code = acl_code
    return error
