"""``--aipp_config``: parameters of dynamic AIPP from ais_bench's INI file."""

from __future__ import annotations

import configparser
from dataclasses import replace
from pathlib import Path
from typing import Final

from gearshift.aipp.parameters import AippParameters, AippRow
from gearshift.aipp.spec import Crop, Csc, ImageFormat, Padding
from gearshift.bench.setting import Setting
from gearshift.errors import OptionError, did_you_mean
from gearshift.tensors import TensorSpec, dtype_named

_SECTION: Final = "aipp_op"
_MATRIX: Final = tuple(f"matrix_r{row}c{column}" for row in range(3) for column in range(3))
_CROP: Final = ("load_start_pos_w", "load_start_pos_h", "crop_size_w", "crop_size_h")
_PADDING: Final = tuple(f"padding_size_{side}" for side in ("left", "right", "top", "bottom"))
_CHANNELS: Final = 4
_SWITCHES: Final = ("crop", "padding", "csc_switch", "rbuv_swap_switch", "ax_swap_switch")
_BY_CHANNEL: Final = ("mean_chn", "min_chn", "var_reci_chn")
_KEYS: Final = {
    "input_format",
    "src_image_size_w",
    "src_image_size_h",
    *_SWITCHES,
    *_MATRIX,
    *_CROP,
    *_PADDING,
    *(f"{name}_{channel}" for name in _BY_CHANNEL for channel in range(_CHANNELS)),
    *(f"{name}_{channel}" for name in ("input_bias", "output_bias") for channel in range(3)),
}


def read_aipp_file(path: Path) -> AippParameters:
    """The parameters that a file says, for every row alike.

    Raises:
        OptionError: it cannot be read, or says something that is not allowed.
    """
    values = _Values(path)
    left, top, width, height = (values.whole(key) for key in _CROP)
    crop = Crop(left, top, width, height) if values.switch("crop") else None
    sides = [values.whole(key) for key in _PADDING]
    padding = Padding(*sides) if values.switch("padding") else None
    try:
        return AippParameters(
            values.image_format(),
            values.whole("src_image_size_w", needed=True),
            values.whole("src_image_size_h", needed=True),
            AippRow(
                crop,
                padding,
                [values.whole(f"mean_chn_{channel}") for channel in range(_CHANNELS)],
                [values.number(f"min_chn_{channel}", 0) for channel in range(_CHANNELS)],
                [values.number(f"var_reci_chn_{channel}", 1) for channel in range(_CHANNELS)],
            ),
            values.csc(),
            values.switch("rbuv_swap_switch"),
            values.switch("ax_swap_switch"),
        )
    except OptionError as error:
        raise OptionError(f"--aipp_config {path}: {error.message}", code=error.code) from error


def with_images(
    specs: tuple[TensorSpec, ...], setting: Setting, image: str, parameters: AippParameters
) -> tuple[tuple[TensorSpec, ...], Setting]:
    """The inputs and what they are set to, with source images for the input of that name."""
    own = setting.shapes[image]
    shape = (own[0] if len(own) > 3 else 1, parameters.image_bytes)
    uint8 = dtype_named("uint8")
    fed = tuple(TensorSpec(image, uint8, shape) if s.name == image else s for s in specs)
    return fed, replace(setting, shapes={**setting.shapes, image: shape})


class _Values:
    """The file's values; what is not there is 0."""

    def __init__(self, path: Path) -> None:
        self._path = path
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(path.read_text("utf-8-sig"))
        except OSError as error:
            raise OptionError(f"--aipp_config {path}: {error.strerror}.") from error
        except (UnicodeDecodeError, configparser.Error) as error:
            raise OptionError(f"--aipp_config {path} is not an INI file: {error}.") from error
        if not parser.has_section(_SECTION):
            raise OptionError(f"--aipp_config {path} has no section [{_SECTION}]; begin with that.")
        self._values = dict(parser[_SECTION])
        for key in self._values:
            if key not in _KEYS:
                raise self._wrong(f"{key} is not a key of it.{did_you_mean(key, _KEYS)}")

    def image_format(self) -> ImageFormat:
        """The format of source images."""
        name = self._values.get("input_format", "")
        if name not in ImageFormat.__members__:
            allowed = ", ".join(ImageFormat.__members__)
            raise self._wrong(f"input_format is {name!r}; allowed: {allowed}.")
        return ImageFormat[name]

    def switch(self, key: str) -> bool:
        """0 or 1."""
        text = self._values.get(key, "0").lower()
        if text not in ("0", "1", "false", "true"):
            raise self._wrong(f"{key} is {text!r}; allowed: 0 or 1.")
        return text in ("1", "true")

    def whole(self, key: str, *, needed: bool = False) -> int:
        """A whole number."""
        text = self._values.get(key, "" if needed else "0")
        try:
            return int(text)
        except ValueError:
            raise self._wrong(f"{key} is {text!r}; give a whole number.") from None

    def number(self, key: str, default: float) -> float:
        """Any number."""
        text = self._values.get(key, str(default))
        try:
            return float(text)
        except ValueError:
            raise self._wrong(f"{key} is {text!r}; give a number.") from None

    def csc(self) -> Csc | None:
        """The conversion of colours, if it is on."""
        if not self.switch("csc_switch"):
            return None
        a, b, c, d, e, f, g, h, i = (self.whole(key) for key in _MATRIX)
        i0, i1, i2 = (self.whole(f"input_bias_{channel}") for channel in range(3))
        o0, o1, o2 = (self.whole(f"output_bias_{channel}") for channel in range(3))
        return Csc(((a, b, c), (d, e, f), (g, h, i)), (i0, i1, i2), (o0, o1, o2))

    def _wrong(self, what: str) -> OptionError:
        return OptionError(f"--aipp_config {self._path}: {what}")
