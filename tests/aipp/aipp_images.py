"""Made-up images and made-up static AIPP, for hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from gearshift.aipp.image import plane_count, source_shape, subsampling
from gearshift.aipp.parameters import AippParameters, AippRow
from gearshift.aipp.spec import (
    Crop,
    Csc,
    ImageFormat,
    Normalisation,
    Padding,
    StaticAipp,
)
from gearshift.tensors import Array

FORMATS = tuple(ImageFormat)
BT601 = Csc(
    ((298, 0, 409), (298, -100, -208), (298, 516, 0)), (16, 128, 128), (16, 128, 128)
)  # to R G B, from video's narrow range
TO_YUV = Csc(
    ((66, 129, 25), (-38, -74, 112), (112, -94, -18)), (16, 128, 128), (16, 128, 128)
)  # from R G B

_byte = st.integers(0, 255)
_weight = st.one_of(st.integers(-600, 600), st.sampled_from([-32768, 0, 256, 32767]))
_half = st.floats(width=16, allow_nan=False, allow_infinity=False)


def triples(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[int, int, int]]:
    return st.tuples(numbers, numbers, numbers)


cscs = st.builds(Csc, matrix=st.tuples(*[triples(_weight)] * 3), input_bias=triples(_byte),
                 output_bias=triples(_byte))  # fmt: skip
normalisations = st.builds(
    Normalisation,
    mean=st.tuples(*[_byte] * 4),
    minimum=st.tuples(*[st.floats(0, 255, width=16)] * 4),
    var_reci=st.tuples(*[_half] * 4),
)
_side = st.integers(0, 3)
paddings = st.builds(Padding, _side, _side, _side, _side, st.floats(-300, 300, width=16))


@st.composite
def crops(draw: st.DrawFn, height: int, width: int) -> Crop:
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return Crop(left, top, draw(st.integers(1, width - left)), draw(st.integers(1, height - top)))


@st.composite
def static_aipps(draw: st.DrawFn, formats: tuple[ImageFormat, ...] = FORMATS) -> StaticAipp:
    """Any mixture of stages, with sizes of a few pixels."""
    image_format = draw(st.sampled_from(formats))
    down, across = subsampling(image_format)
    height = draw(st.integers(1, 4)) * down
    width = draw(st.integers(1, 5)) * across
    has_colours = image_format is not ImageFormat.YUV400_U8
    return StaticAipp(
        format=image_format,
        width=width,
        height=height,
        rbuv_swap=draw(st.booleans()),
        ax_swap=draw(st.booleans()),
        crop=draw(st.none() | crops(height, width)),
        csc=draw(st.none() | cscs) if has_colours else None,
        normalisation=draw(st.just(Normalisation()) | normalisations),
        padding=draw(st.none() | paddings),
        channel_fill=draw(st.floats(-300, 300, width=16)),
    )


def channel_counts(image_format: ImageFormat) -> st.SearchStrategy[int]:
    """Channels of models that could take such an image, and some that lie between."""
    return st.integers(1, plane_count(image_format))


def images_for(aipp: StaticAipp, rows: int, seed: int = 0) -> Array:
    generator = np.random.default_rng(seed)
    shape = source_shape(aipp.format, rows, aipp.height, aipp.width)
    return generator.integers(0, 256, shape, np.uint8)


@st.composite
def aipp_rows(
    draw: st.DrawFn, source: tuple[int, int], target: tuple[int, int], steps: tuple[int, int]
) -> AippRow:
    """What makes an image of the target's height and width of one of the source's."""
    inner, start, before = [], [], []
    for have, want, step in zip(source, target, steps, strict=True):
        size = step * draw(st.integers(1, min(have, want) // step))
        inner.append(size)
        start.append(step * draw(st.integers(0, (have - size) // step)))
        before.append(draw(st.integers(0, want - size)))
    after = [target[axis] - inner[axis] - before[axis] for axis in (0, 1)]
    channels = st.integers(0, 4)
    return AippRow(
        Crop(start[1], start[0], inner[1], inner[0])
        if tuple(inner) != source or draw(st.booleans())
        else None,
        Padding(before[1], after[1], before[0], after[0])
        if any((*before, *after)) or draw(st.booleans())
        else None,
        mean=draw(st.lists(_byte, max_size=draw(channels))),
        minimum=draw(st.lists(st.floats(0, 255), max_size=draw(channels))),
        var_reci=draw(st.lists(st.floats(-65504, 65504), max_size=draw(channels))),
    )


@st.composite
def aipp_parameters(
    draw: st.DrawFn,
    rows: int | None = None,
    target: tuple[int, int] | None = None,
    formats: tuple[ImageFormat, ...] = FORMATS,
) -> AippParameters:
    """Parameters of every kind: for so many rows (None: any), each with a record of its own."""
    image_format = draw(st.sampled_from(formats))
    down, across = subsampling(image_format)
    source = (draw(st.integers(1, 4)) * down, draw(st.integers(1, 4)) * max(across, 2))
    wanted = target or (draw(st.integers(2, 7)), draw(st.integers(2, 7)))
    row = aipp_rows(source, wanted, (down, across))
    count = draw(st.integers(1, 4)) if rows is None else rows
    has_colours = image_format is not ImageFormat.YUV400_U8
    return AippParameters(
        image_format,
        width=source[1],
        height=source[0],
        rows=draw(st.lists(row, min_size=count, max_size=count)),
        csc=draw(st.none() | cscs) if has_colours else None,
        rbuv_swap=draw(st.booleans()),
        ax_swap=draw(st.booleans()),
    )
