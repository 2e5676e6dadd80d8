"""The fields of an ``aipp_op``: their types and ranges, and the values that one block gives."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gearshift.aipp import scalars
from gearshift.aipp.spec import ImageFormat
from gearshift.aipp.textformat import Field, Message, Scalar
from gearshift.aipp.tokens import Place, format_error
from gearshift.errors import OptionError, did_you_mean
from gearshift.gears.text import option_error

FLOAT16_MAX: Final = 65504.0
MODES: Final = {"undefined": 0, "static": 1, "dynamic": 2}
FORMATS: Final = {
    "UNDEFINED": 0,
    **{image_format.name: int(image_format) for image_format in ImageFormat},
    "NC1HWC0DI_FP16": 5,
    "NC1HWC0DI_S8": 6,
    "RAW10": 11,
    "RAW12": 12,
    "RAW16": 13,
    "RAW24": 14,
    "RGB16": 15,
    "RGB20": 16,
    "RGB24": 17,
    "RGB8_IR": 18,
    "RGB16_IR": 19,
    "RGB24_IR": 20,
}
SUPPORTED: Final = tuple(image_format.name for image_format in ImageFormat)

EDGES: Final = (
    "AIPP applies to an input as a whole, for all that read it; write 0 alone or leave it out"
)

Value = int | float | bool | str


class Type(Enum):
    """What protobuf takes for a field."""

    INT32 = 1
    UINT32 = 2
    FLOAT = 3
    BOOL = 4
    STRING = 5
    MODE = 6
    FORMAT = 7


@dataclass(frozen=True)
class FieldSpec:
    """One field of the message.

    Attributes:
        type: what protobuf takes for it.
        low: least value that means anything; None for any.
        high: greatest one.
        zero: whether 0 is right too, though it is less than `low`.
        repeated: whether the message has it as a list, of which AIPP takes one value.
    """

    type: Type
    low: float | None = None
    high: float | None = None
    zero: bool = False
    repeated: bool = False

    def holds(self, number: float) -> bool:
        """Whether that number is in the range."""
        if self.low is None or self.high is None or (self.zero and number == 0):
            return True
        return self.low <= number <= self.high

    @property
    def allowed(self) -> str:
        """The range in words."""
        return f"{self.low:g} to {self.high:g}" + (", or 0" if self.zero else "")


_BYTE: Final = FieldSpec(Type.INT32, 0, 255)
_BIAS: Final = FieldSpec(Type.INT32, 0, 255, repeated=True)
_FACTOR: Final = FieldSpec(Type.INT32, -32768, 32767, repeated=True)
_HALF: Final = FieldSpec(Type.FLOAT, -FLOAT16_MAX, FLOAT16_MAX)
_SWITCH: Final = FieldSpec(Type.BOOL)

FIELDS: Final[Mapping[str, FieldSpec]] = {
    "aipp_mode": FieldSpec(Type.MODE),
    "related_input_rank": FieldSpec(Type.UINT32),
    "related_input_name": FieldSpec(Type.STRING),
    "input_edge_idx": FieldSpec(Type.UINT32, repeated=True),
    "max_src_image_size": FieldSpec(Type.UINT32),
    "support_rotation": _SWITCH,
    "input_format": FieldSpec(Type.FORMAT),
    "src_image_size_w": FieldSpec(Type.INT32, 2, 4096, zero=True),
    "src_image_size_h": FieldSpec(Type.INT32, 1, 4096, zero=True),
    "rbuv_swap_switch": _SWITCH,
    "ax_swap_switch": _SWITCH,
    "single_line_mode": _SWITCH,
    "crop": _SWITCH,
    "load_start_pos_w": FieldSpec(Type.INT32, 0, 4095),
    "load_start_pos_h": FieldSpec(Type.INT32, 0, 4095),
    "crop_size_w": FieldSpec(Type.INT32, 0, 4096),
    "crop_size_h": FieldSpec(Type.INT32, 0, 4096),
    "csc_switch": _SWITCH,
    **{f"matrix_r{row}c{column}": _FACTOR for row in range(3) for column in range(3)},
    **{f"input_bias_{channel}": _BIAS for channel in range(3)},
    **{f"output_bias_{channel}": _BIAS for channel in range(3)},
    "resize": _SWITCH,
    "resize_output_w": FieldSpec(Type.INT32),
    "resize_output_h": FieldSpec(Type.INT32),
    **{f"mean_chn_{channel}": _BYTE for channel in range(4)},
    **{f"min_chn_{channel}": FieldSpec(Type.FLOAT, 0, 255) for channel in range(4)},
    **{
        f"var_reci_chn_{channel}": FieldSpec(Type.FLOAT, -FLOAT16_MAX, FLOAT16_MAX, repeated=True)
        for channel in range(4)
    },
    "padding": _SWITCH,
    **{
        f"{side}_padding_size": FieldSpec(Type.INT32, 0, 32)
        for side in ("left", "right", "top", "bottom")
    },
    "padding_value": _HALF,
    "cpadding_value": _HALF,
    "rotation_angle": FieldSpec(Type.UINT32),
    "raw_rgbir_to_f16_n": FieldSpec(Type.UINT32),
}


@dataclass(frozen=True)
class _Given:
    value: Value
    place: Place


class Block:
    """The values of one ``aipp_op``.

    Ranges are looked at when a value is asked for: what has no effect is not judged, as in ATC,
    where the numbers of a crop that is off may be anything.
    """

    def __init__(self, message: Message, errors: list[OptionError]) -> None:
        """Reads every field; what protobuf itself would refuse is added to `errors` (E19018)."""
        self.place = message.place
        self._given: dict[str, _Given] = {}
        self._broken: set[str] = set()
        self._errors = errors
        for field in message.fields:
            self._read_or_refuse(field)

    def _read_or_refuse(self, field: Field) -> None:
        try:
            self._read(field)
        except OptionError as error:
            self._broken.add(field.name)
            self._errors.append(error)

    def _read(self, field: Field) -> None:
        name, spec = field.name, FIELDS.get(field.name)
        if spec is None:
            raise format_error(
                field.place, f"aipp_op has no field {name}", did_you_mean(name, FIELDS)
            )
        if field.is_list and not spec.repeated:
            raise format_error(field.place, f"{name} takes one value, not a list")
        for value in field.values:
            if isinstance(value, Message):
                raise format_error(value.place, f"{name} takes a value, not a message in brackets")
            if name in self._given:
                raise self._twice(name, spec, value.place)
            self._given[name] = _Given(_converted(name, spec, value), value.place)

    def _twice(self, name: str, spec: FieldSpec, place: Place) -> OptionError:
        first = self._given[name].place
        # protobuf takes a list of any length; it is AIPP that wants one value.
        code = "E10052" if spec.repeated else "E19018"
        advice = EDGES if name == "input_edge_idx" else "keep one"
        return option_error(
            code, f"insert_op_conf: {place}: {name} has a value already, at {first}; {advice}."
        )

    def knows(self, *names: str) -> bool:
        """Whether none of these fields was refused: if one was, what follows from it is unknown."""
        return self._broken.isdisjoint(names)

    def refuse(self, name: str, problem: str) -> None:
        """Adds an E10052 about a field, or about the block if the field is not written."""
        given = self._given.get(name)
        place = given.place if given else self.place
        self._errors.append(option_error("E10052", f"insert_op_conf: {place}: {problem}"))

    def switch(self, name: str) -> bool:
        """Whether it is on; off if it is not written."""
        return bool(self._number(name, 0))

    def whole(self, name: str, default: int = 0) -> int:
        """A whole number within the field's range."""
        return int(self._number(name, default))

    def half(self, name: str, default: float = 0.0) -> float:
        """A number within the field's range, rounded to float16."""
        (single,) = struct.unpack("<f", struct.pack("<f", self._number(name, default)))
        (value,) = struct.unpack("<e", struct.pack("<e", single))
        return float(value)

    def string(self, name: str) -> str:
        """The text; empty if it is not written."""
        given = self._given.get(name)
        return str(given.value) if given else ""

    def _number(self, name: str, default: float) -> float:
        given = self._given.get(name)
        if given is None:
            return default
        number, spec = float(given.value), FIELDS[name]
        if not spec.holds(number):
            self.refuse(name, f"{name} is {given.value}; allowed: {spec.allowed}.")
            return default
        return number


def _converted(name: str, spec: FieldSpec, scalar: Scalar) -> Value:
    if spec.type is Type.FLOAT:
        return scalars.real(name, scalar)
    if spec.type is Type.BOOL:
        return scalars.switch(name, scalar)
    if spec.type is Type.STRING:
        return scalars.text(name, scalar)
    if spec.type is Type.MODE:
        return scalars.choice(name, scalar, MODES, ("static", "dynamic"))
    if spec.type is Type.FORMAT:
        return scalars.choice(name, scalar, FORMATS, SUPPORTED)
    return scalars.whole(name, scalar, signed=spec.type is Type.INT32)
