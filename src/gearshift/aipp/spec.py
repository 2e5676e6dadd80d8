"""What an AIPP block says once it was read: plain values, every default filled in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

Triple = tuple[int, int, int]
Matrix = tuple[Triple, Triple, Triple]


class ImageFormat(IntEnum):
    """Formats of a source image, by AIPP's numbers. All have 8 bits per value."""

    YUV420SP_U8 = 1
    XRGB8888_U8 = 2
    RGB888_U8 = 3
    YUV400_U8 = 4
    ARGB8888_U8 = 7
    YUYV_U8 = 8
    YUV422SP_U8 = 9
    AYUV444_U8 = 10

    @property
    def is_yuv(self) -> bool:
        """Whether it holds luma and chroma (or luma alone)."""
        return self in _YUV


_YUV: Final = {
    ImageFormat.YUV420SP_U8,
    ImageFormat.YUV400_U8,
    ImageFormat.YUYV_U8,
    ImageFormat.YUV422SP_U8,
    ImageFormat.AYUV444_U8,
}


@dataclass(frozen=True)
class Crop:
    """The part of the source image that is used, in pixels; 0 as a size means the model's own."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Padding:
    """Pixels of one value around the normalised image."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0
    value: float = 0.0


@dataclass(frozen=True)
class Csc:
    """Colour space conversion, in whole numbers.

    From YUV: ``out[c] = sum(matrix[c][j] * (in[j] - input_bias[j])) >> 8``; from RGB:
    ``out[c] = (sum(matrix[c][j] * in[j]) >> 8) + output_bias[c]``; then held within 0 to 255.
    """

    matrix: Matrix
    input_bias: Triple
    output_bias: Triple


@dataclass(frozen=True)
class Normalisation:
    """By channel of the converted image: ``(x - mean - minimum) * var_reci``.

    `minimum` and `var_reci` are float16 numbers.
    """

    mean: tuple[int, int, int, int] = (0, 0, 0, 0)
    minimum: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    var_reci: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)


@dataclass(frozen=True)
class StaticAipp:
    """Preprocessing that is fixed when the model is compiled.

    The steps, in order: swap, crop, conversion, normalisation, padding.

    Attributes:
        format: of the source image.
        width: of the source image; 0 means as wide as the model's input.
        height: of the source image; 0 means as high as the model's input.
        rbuv_swap: exchanges R and B, or U and V (NV12 becomes NV21).
        ax_swap: moves the alpha or X byte from one end of a pixel to the other.
        crop: None for the whole image.
        csc: None for no conversion.
        normalisation: always there; its defaults change nothing.
        padding: None for none.
        channel_fill: as written; a model has as many channels as the image, so none is filled.
    """

    format: ImageFormat
    width: int = 0
    height: int = 0
    rbuv_swap: bool = False
    ax_swap: bool = False
    crop: Crop | None = None
    csc: Csc | None = None
    normalisation: Normalisation = Normalisation()
    padding: Padding | None = None
    channel_fill: float = 0.0


@dataclass(frozen=True)
class DynamicAipp:
    """Preprocessing whose parameters come with each call.

    Attributes:
        max_source_bytes: the most that the source images of one run may take together.
        support_rotation: as written; rotation itself is not supported by any target.
    """

    max_source_bytes: int
    support_rotation: bool = False


@dataclass(frozen=True)
class AippBlock:
    """One ``aipp_op`` of a configuration.

    Attributes:
        aipp: what it does.
        input_rank: position of its input among the model's; not used if a name is given.
        input_name: name of its input; None for by position.
    """

    aipp: StaticAipp | DynamicAipp
    input_rank: int = 0
    input_name: str | None = None
