"""Static AIPP as standard ONNX operators in front of a model's input."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np
import onnx_ir as ir

from gearshift.aipp.image import Layout, axes, source_shape, subsampling
from gearshift.aipp.mixing import Mixing, mixing
from gearshift.aipp.nodes import Ops, opset_of
from gearshift.aipp.spec import Crop, ImageFormat, Normalisation, Padding, StaticAipp
from gearshift.errors import InternalError, UnsupportedModelError
from gearshift.program import Program
from gearshift.tensors import Array, TensorSpec, dtype_named, format_shape

_OLDEST_OPSET: Final = 11
"""Before it Clip and Pad took their numbers as attributes."""
DTYPES: Final = ("float32", "float16", "uint8", "int8")
"""What a model's input may be of that AIPP is put in front of."""
_END: Final = 2**31 - 1
_TO_NCHW: Final = (0, 3, 1, 2)
_TO_NHWC: Final = (0, 2, 3, 1)


def fold_static(program: Program, input_name: str, aipp: StaticAipp, layout: Layout) -> Program:
    """The program that takes source images in the place of one of its inputs.

    The graph is changed in place. It gives what `reference.preprocess` gives, number for number.

    Args:
        program: its input may have -1 for rows, and for height and width if `aipp` does not crop.
        input_name: the input, which keeps its name.
        aipp: with the sizes of the source image, or 0 where they are the open ones of the model.
        layout: how the model's input lies.

    Raises:
        UnsupportedModelError: the input or the model's opset is not one that images can be put
            in front of.
    """
    spec = next((spec for spec in program.inputs if spec.name == input_name), None)
    if spec is None:
        raise InternalError(f"there is no input {input_name!r} to fold AIPP into")
    _check(program, spec)
    source = _source_spec(spec, aipp, layout)
    graph = program.model.graph
    place = next(i for i, value in enumerate(graph.inputs) if value.name == input_name)
    old = graph.inputs[place]
    new = _source_value(source, old)
    ops = Ops(program.model, input_name)
    mix = mixing(aipp, spec.shape[axes(layout)[0]])
    mixed = _mixed(ops, new, aipp, mix, layout)
    result = _finished(ops, mixed, aipp, spec, layout)
    old.replace_all_uses_with(result)
    graph.inputs[place] = new
    if len(graph):
        graph.insert_before(graph[0], ops.nodes)
    inputs = tuple(source if each is spec else each for each in program.inputs)
    return dataclasses.replace(program, inputs=inputs)


def _check(program: Program, spec: TensorSpec) -> None:
    where = f"AIPP cannot be put in front of input {spec.name!r}"
    opset = opset_of(program.model)
    fault = None
    if opset < _OLDEST_OPSET:
        fault = f"the model uses opset {opset}, and it takes {_OLDEST_OPSET} or newer. Convert the "
        fault += "model with onnx.version_converter or export it again with another opset."
    elif len(spec.shape) != 4:
        fault = f"it has the dims {format_shape(spec.shape)}, and an image takes four: rows, "
        fault += "channels, height and width. Name another input in the AIPP configuration."
    elif spec.dtype.name not in DTYPES:
        fault = f"it is of {spec.dtype.name}; AIPP gives {', '.join(DTYPES)}. Name another input "
        fault += "in the AIPP configuration, or add a Cast to the model."
    elif any(value.name == spec.name for value in program.model.graph.outputs):
        fault = "the model also gives it as an output. Take it out of the model's outputs."
    if fault is not None:
        raise UnsupportedModelError(f"{where}: {fault}", tensor=spec.name)


def _source_spec(spec: TensorSpec, aipp: StaticAipp, layout: Layout) -> TensorSpec:
    """What a caller feeds from now on."""
    channels, height, width = (spec.shape[axis] for axis in axes(layout))
    sizes = (aipp.height or height, aipp.width or width)
    if channels < 1:
        raise InternalError(f"input {spec} leaves its channels open")
    for size, wanted in zip(_sizes(aipp, sizes), (height, width), strict=True):
        if size not in (wanted, -1) and wanted != -1:
            raise InternalError(f"input {spec} does not take what AIPP gives: {aipp}")
    shape = source_shape(aipp.format, spec.shape[0], *sizes)
    return TensorSpec(spec.name, dtype_named("uint8"), shape)


def _sizes(aipp: StaticAipp, sizes: tuple[int, int]) -> tuple[int, int]:
    """Height and width of what AIPP gives."""
    if aipp.crop is not None:
        sizes = (aipp.crop.height, aipp.crop.width)
    if aipp.padding is None:
        return sizes
    around = aipp.padding
    return sizes[0] + around.top + around.bottom, sizes[1] + around.left + around.right


def _source_value(source: TensorSpec, old: ir.Value) -> ir.Value:
    """The graph's new input; its rows go by the name that they had."""
    rows = old.shape[0] if old.shape is not None else source.shape[0]
    inner = [
        dim if dim >= 0 else f"{source.name}_aipp_dim_{axis}"
        for axis, dim in enumerate(source.shape[1:], 1)
    ]
    return ir.Value(
        name=source.name,
        type=ir.TensorType(ir.DataType.UINT8),
        shape=ir.Shape([rows, *inner]),
    )


def _mixed(ops: Ops, images: ir.Value, aipp: StaticAipp, mix: Mixing, layout: Layout) -> ir.Value:
    """Float32 in the model's layout: channels chosen, cropped, converted."""
    if aipp.format in (ImageFormat.YUV400_U8, ImageFormat.YUV420SP_U8, ImageFormat.YUV422SP_U8):
        cut = _semi_planar(ops, images, aipp)
    elif aipp.format is ImageFormat.YUYV_U8:
        cut = _packed_pairs(ops, images, aipp)
    else:
        return _packed(ops, images, aipp, mix, layout)
    values = _joined(ops, *cut, aipp, mix)
    values = _rounded(ops, values, mix, (-1, 1, 1))
    return values if layout == "NCHW" else ops("Transpose", values, perm=_TO_NHWC)


def _packed(ops: Ops, images: ir.Value, aipp: StaticAipp, mix: Mixing, layout: Layout) -> ir.Value:
    """Pixels that lie together: a product with the matrix along the last axis."""
    if aipp.crop is not None:
        images = ops.slice(images, *_window(aipp.crop), (1, 2))
    if not mix.converts:
        axis = 3
        if layout == "NCHW":
            images, axis = ops("Transpose", images, perm=_TO_NCHW), 1
        if mix.picks != tuple(range(mix.weights.shape[1])):
            images = ops.picked(images, mix.picks, axis)
        return ops.cast(images, "float32")
    values = ops.cast(images, "float32")
    merged = mix.merged()
    if merged is None:
        values = ops.by_channel("Sub", values, mix.before, (-1,))
    values = ops("MatMul", values, ops.constant(mix.weights.T / 256))
    if merged is not None:
        values = ops.by_channel("Add", values, merged / 256, (-1,))
    values = _rounded(ops, values, mix, (-1,))
    return ops("Transpose", values, perm=_TO_NCHW) if layout == "NCHW" else values


def _semi_planar(ops: Ops, images: ir.Value, aipp: StaticAipp) -> tuple[ir.Value, ir.Value | None]:
    """Luma ``[N, 1, H, W]`` and chroma ``[N, h, w, 2]``, both cropped, from planes on top of it."""
    if aipp.format is ImageFormat.YUV400_U8:
        luma = images
        if aipp.crop is not None:
            luma = ops.slice(images, *_window(aipp.crop), (1, 2))
        return ops.unsqueezed(luma), None
    if aipp.crop is not None:
        luma = ops.slice(images, *_window(aipp.crop), (1, 2))
        (top, left), (bottom, right) = _chroma_window(aipp)
        first, last = (aipp.height + top, left), (aipp.height + bottom, right)
        chroma = ops.slice(images, first, last, (1, 2))
    else:
        height = _height(ops, images, aipp)
        luma = ops.slice(images, (0,), height, (1,))
        chroma = ops.slice(images, height, (_END,), (1,))
    pairs = ops("Reshape", chroma, ops.constant((0, 0, -1, 2), np.int64))
    return ops.unsqueezed(luma), pairs


def _packed_pairs(ops: Ops, images: ir.Value, aipp: StaticAipp) -> tuple[ir.Value, ir.Value]:
    """The same from YUYV, where luma and chroma take turns."""
    halves = ops("Transpose", images, perm=_TO_NCHW)
    luma = ops.slice(halves, (0,), (1,), (1,))
    chroma = ops("Gather", halves, ops.constant(1, np.int64), axis=1)
    if aipp.crop is not None:
        luma = ops.slice(luma, *_window(aipp.crop), (2, 3))
        chroma = ops.slice(chroma, *_chroma_window(aipp), (1, 2))
    return luma, ops("Reshape", chroma, ops.constant((0, 0, -1, 2), np.int64))


def _height(ops: Ops, images: ir.Value, aipp: StaticAipp) -> Sequence[int] | ir.Value:
    """Rows of luma, as a vector of one."""
    if aipp.height:
        return (aipp.height,)
    down = subsampling(aipp.format)[0]
    dims = ops("Shape", images)
    lines = ops("Gather", dims, ops.constant((1,), np.int64), axis=0)
    double = ops("Mul", lines, ops.constant((down,), np.int64))
    return ops("Div", double, ops.constant((down + 1,), np.int64))


def _window(area: Crop) -> tuple[tuple[int, int], tuple[int, int]]:
    return (area.top, area.left), (area.top + area.height, area.left + area.width)


def _chroma_window(aipp: StaticAipp) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the chroma of the cropped pixels lies: lines, and columns of two bytes by pair."""
    assert aipp.crop is not None
    (top, left), (bottom, right) = _window(aipp.crop)
    down = subsampling(aipp.format)[0]
    return (top // down, left // 2 * 2), (-(-bottom // down), -(-right // 2) * 2)


def _joined(
    ops: Ops, luma: ir.Value, pairs: ir.Value | None, aipp: StaticAipp, mix: Mixing
) -> ir.Value:
    """The matrix applied to luma and, before it is spread over its pixels, to chroma."""
    merged = mix.merged()
    constant = np.zeros(len(mix.weights)) if merged is None else merged / 256
    values = ops.cast(luma, "float32")
    if merged is None:
        values = ops.by_channel("Sub", values, mix.before[:1], (-1, 1, 1))
    chroma_counts = len(mix.weights) > 1 or bool(mix.weights[:, 1:].any())
    values = ops.by_channel("Mul", values, mix.weights[:, 0] / 256, (-1, 1, 1))
    if pairs is None or not chroma_counts:
        return ops.by_channel("Add", values, constant, (-1, 1, 1))
    chroma = ops.cast(ops("Transpose", pairs, perm=_TO_NCHW), "float32")
    if merged is None:
        chroma = ops.by_channel("Sub", chroma, mix.before[1:], (-1, 1, 1))
    # Luma first: OpenVINO loops over the two as the first one lies, and chroma's lies badly.
    return ops("Add", values, _spread(ops, chroma, aipp, mix, constant))


def _spread(ops: Ops, chroma: ir.Value, aipp: StaticAipp, mix: Mixing, constant: Array) -> ir.Value:
    """The share of chroma in every channel, for every pixel: each is the copy of one product."""
    down, across = subsampling(aipp.format)
    kernel = np.tile((mix.weights[:, 1:].T / 256)[:, :, None, None], (1, 1, down, across))
    pads = (0, 0, 0, 0)
    if aipp.crop is not None:
        (top, left), (bottom, right) = _window(aipp.crop)
        pads = (top % down, left % across, -bottom % down, -right % across)
    return ops(
        "ConvTranspose",
        chroma,
        ops.constant(kernel),
        ops.constant(constant),
        kernel_shape=(down, across),
        strides=(down, across),
        pads=pads,
    )


def _rounded(ops: Ops, values: ir.Value, mix: Mixing, form: Sequence[int]) -> ir.Value:
    """Down to whole numbers, held within a byte."""
    if not mix.converts:
        return values
    values = ops("Floor", values)
    if mix.merged() is None:
        values = ops.by_channel("Add", values, mix.after, form)
    return ops("Clip", values, ops.constant(0.0), ops.constant(255.0))


def _finished(
    ops: Ops, values: ir.Value, aipp: StaticAipp, spec: TensorSpec, layout: Layout
) -> ir.Value:
    """Normalised, padded, and of the model's type."""
    form, axis = ((-1, 1, 1), 1) if layout == "NCHW" else ((-1,), 3)
    whole = spec.dtype.name in ("uint8", "int8")
    values = _normalised(ops, values, aipp.normalisation, spec.shape[axis], form, whole=whole)
    around = aipp.padding if aipp.padding is not None else Padding()
    values = ops.padded(values, _around(around, layout), around.value)
    if whole:
        ends = np.iinfo(spec.dtype.name)
        values = ops("Clip", values, ops.constant(float(ends.min)), ops.constant(float(ends.max)))
    return values if spec.dtype.name == "float32" else ops.cast(values, spec.dtype.name)


def _normalised(
    ops: Ops,
    values: ir.Value,
    by: Normalisation,
    channels: int,
    form: Sequence[int],
    *,
    whole: bool,
) -> ir.Value:
    """``(x - mean - minimum) * var_reci``, rounded as often as the reference rounds."""
    mean, low = np.array(by.mean[:channels], float), np.array(by.minimum[:channels], float)
    if whole:
        return ops.by_channel("Sub", values, mean, form)
    both = mean + low
    # Where float32 holds the sum, taking it off at once rounds once too.
    for part in [both] if (both == both.astype(np.float32)).all() else [mean, low]:
        values = ops.by_channel("Sub", values, part, form)
    return ops.by_channel("Mul", values, np.array(by.var_reci[:channels]), form)


def _around(padding: Padding, layout: Layout) -> list[int]:
    before, after = [padding.top, padding.left], [padding.bottom, padding.right]
    if layout == "NCHW":
        return [0, 0, *before, 0, 0, *after]
    return [0, *before, 0, 0, *after, 0]
