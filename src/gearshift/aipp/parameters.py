"""Parameters of dynamic AIPP: what one call does to its images, row by row."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from gearshift.aipp.checks import WIDEST_PADDED
from gearshift.aipp.fields import FLOAT16_MAX
from gearshift.aipp.image import source_bytes, subsampling
from gearshift.aipp.spec import Crop, Csc, ImageFormat, Normalisation, Padding, StaticAipp
from gearshift.errors import OptionError

_CHANNELS: Final = 4
_Range = tuple[float, float]
_BYTE: Final[_Range] = (0, 255)
_INT16: Final[_Range] = (-32768, 32767)
_SIDE: Final[_Range] = (0, 32)
_START: Final[_Range] = (0, 4095)
_SIZE: Final[_Range] = (1, 4096)
_SOURCE_WIDTH: Final[_Range] = (2, 4096)


@dataclass(frozen=True)
class AippRow:
    """What is done to one image, in this order: crop, ``(x - mean - minimum) * var_reci``, padding.

    Numbers by channel are of the image after its conversion of colours. Up to four may be given;
    further channels keep what they are.

    Attributes:
        crop: the part that is used; None for the whole image.
        padding: pixels of 0 around the result; None for none.
        mean: whole numbers, 0 to 255.
        minimum: 0 to 255, rounded to float16.
        var_reci: -65504 to 65504, rounded to float16.

    Raises:
        OptionError: a number is not allowed.
    """

    crop: Crop | None = None
    padding: Padding | None = None
    mean: Sequence[int] = ()
    minimum: Sequence[float] = ()
    var_reci: Sequence[float] = ()

    def __post_init__(self) -> None:
        _raise_first(self._problems())
        for name, default in (("mean", 0), ("minimum", 0.0), ("var_reci", 1.0)):
            given = getattr(self, name)
            full = (*given, *(default,) * (_CHANNELS - len(given)))
            made = map(int, full) if name == "mean" else (float(np.float16(one)) for one in full)
            object.__setattr__(self, name, tuple(made))

    @property
    def normalisation(self) -> Normalisation:
        """Mean, minimum and factor of all four channels."""
        (m0, m1, m2, m3), (n0, n1, n2, n3), (v0, v1, v2, v3) = (
            self.mean,
            self.minimum,
            self.var_reci,
        )
        return Normalisation((m0, m1, m2, m3), (n0, n1, n2, n3), (v0, v1, v2, v3))

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what becomes of a source image of that size."""
        if self.crop is not None:
            height, width = self.crop.height, self.crop.width
        around = self.padding or Padding()
        return height + around.top + around.bottom, width + around.left + around.right

    def _problems(self) -> Iterator[str]:
        for name, bounds in (
            ("mean", _BYTE),
            ("minimum", _BYTE),
            ("var_reci", (-FLOAT16_MAX, FLOAT16_MAX)),
        ):
            given = getattr(self, name)
            if len(given) > _CHANNELS:
                yield f"{name} has {len(given)} numbers; give one for each channel, up to 4"
            for place, number in enumerate(given):
                yield from _outside(f"{name}[{place}]", number, bounds, whole=name == "mean")
        if self.crop is not None:
            yield from _outside("crop.left", self.crop.left, _START)
            yield from _outside("crop.top", self.crop.top, _START)
            yield from _outside("crop.width", self.crop.width, _SIZE)
            yield from _outside("crop.height", self.crop.height, _SIZE)
        if self.padding is not None:
            for side in ("left", "right", "top", "bottom"):
                yield from _outside(f"padding.{side}", getattr(self.padding, side), _SIDE)
            if self.padding.value != 0:
                yield f"padding.value is {self.padding.value}; dynamic AIPP pads with 0 alone"


@dataclass(frozen=True)
class AippParameters:
    """What dynamic AIPP does to the images of one call.

        AippParameters(ImageFormat.YUV420SP_U8, width=640, height=480, csc=Csc(...),
                       rows=AippRow(crop=Crop(0, 0, 224, 224), var_reci=(1 / 255,) * 3))

    Attributes:
        format: of the source images.
        width: of every source image, in pixels.
        height: of every source image.
        rows: what is done to each image; one `AippRow` by itself is for all of them.
        csc: conversion of colours; None for none.
        rbuv_swap: exchanges R and B, or U and V (NV12 becomes NV21).
        ax_swap: moves the alpha or X byte from one end of a pixel to the other.

    Raises:
        OptionError: something is not allowed, or rows come out in different sizes.
    """

    format: ImageFormat
    width: int
    height: int
    rows: AippRow | Sequence[AippRow] = field(default_factory=AippRow)
    csc: Csc | None = None
    rbuv_swap: bool = False
    ax_swap: bool = False

    def __post_init__(self) -> None:
        _raise_first(self._problems())
        if not isinstance(self.rows, AippRow):
            object.__setattr__(self, "rows", tuple(self.rows))
        different = list(dict.fromkeys(self._different()))
        for row in different:
            _raise_first(self._problems_of(row))
        sizes = {row.size(self.height, self.width) for row in different}
        if len(sizes) != 1:
            seen = ", ".join(f"{height} x {width}" for height, width in sorted(sizes))
            raise _refused(f"its rows come out in different sizes ({seen}); a model takes one")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that every image comes to."""
        return self._different()[0].size(self.height, self.width)

    @property
    def image_bytes(self) -> int:
        """Bytes of one source image."""
        return source_bytes(self.format, self.height, self.width)

    @property
    def count(self) -> int | None:
        """How many rows it is for; None for any number of them, all alike."""
        return None if isinstance(self.rows, AippRow) else len(self.rows)

    def first(self, count: int) -> tuple[AippRow, ...]:
        """The first rows. Raises OptionError if it has fewer."""
        if isinstance(self.rows, AippRow):
            return (self.rows,) * count
        if count > len(self.rows):
            raise _refused(f"it has {len(self.rows)} rows, and {count} are needed")
        return tuple(self.rows[:count])

    def static(self, row: AippRow) -> StaticAipp:
        """The preprocessing of one row, as static AIPP."""
        return StaticAipp(
            format=self.format,
            width=self.width,
            height=self.height,
            rbuv_swap=self.rbuv_swap,
            ax_swap=self.ax_swap,
            crop=row.crop,
            csc=self.csc,
            normalisation=row.normalisation,
            padding=row.padding,
        )

    def _different(self) -> Sequence[AippRow]:
        return (self.rows,) if isinstance(self.rows, AippRow) else self.rows

    def _problems(self) -> Iterator[str]:
        given: object = self.format
        if not isinstance(given, ImageFormat):
            known = ", ".join(ImageFormat.__members__)
            yield f"format is {given!r}; allowed: gearshift.ImageFormat's {known}"
            return
        down, across = subsampling(self.format)
        yield from _outside("width", self.width, _SOURCE_WIDTH, across)
        yield from _outside("height", self.height, _SIZE, down)
        if not self._different():
            yield "it has no rows; give an AippRow for each image, or one for all"
        if self.csc is None:
            return
        if self.format is ImageFormat.YUV400_U8:
            yield "csc is given, but YUV400_U8 has no colours to convert"
        for factors in self.csc.matrix:
            for factor in factors:
                yield from _outside("a factor of csc.matrix", factor, _INT16)
        for bias in (*self.csc.input_bias, *self.csc.output_bias):
            yield from _outside("a bias of csc", bias, _BYTE)

    def _problems_of(self, row: AippRow) -> Iterator[str]:
        down, across = subsampling(self.format)
        crop = row.crop
        for word, source, step, start, size in (
            () if crop is None else (
                ("wide", self.width, across, crop.left, crop.width),
                ("high", self.height, down, crop.top, crop.height),
            )
        ):  # fmt: skip
            if start + size > source:
                yield (
                    f"a crop of {size} pixels from {start} on goes beyond the source image, which "
                    f"is {source} pixels {word}"
                )
            if start % step or size % step:
                yield f"a crop of {size} pixels from {start} on: {self.format.name} takes even ones"
        width = row.size(self.height, self.width)[1]
        if row.padding is not None and width > WIDEST_PADDED:
            yield f"the padded image is {width} pixels wide; with padding: up to {WIDEST_PADDED}"


def _outside(
    name: str, number: object, bounds: _Range, step: int = 1, *, whole: bool = True
) -> Iterator[str]:
    """What is wrong with a number, if anything."""
    low, high = bounds
    try:
        value = operator.index(number) if whole else float(number)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        yield f"{name} is {number!r}; it takes a {'whole ' if whole else ''}number"
        return
    if not low <= value <= high:
        yield f"{name} is {number}; allowed: {low:g} to {high:g}"
    if step > 1 and value % step:
        yield f"{name} is {number}; for this format it must be even"


def _raise_first(problems: Iterable[str]) -> None:
    for problem in problems:
        raise _refused(problem)


def _refused(problem: str) -> OptionError:
    return OptionError(f"parameters of dynamic AIPP: {problem}.")
