"""Operators that move elements: other shapes, parts, joins, sizes of images."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Final

from gearshift.acl.op.jobs import NHWC, Job
from gearshift.acl.op.onnx import Builder, Input, Node, Pick, Value, int64s, node, operator
from gearshift.acl.op.strides import MASKS, Part, parts


def _permuted(setting: str) -> Builder:
    def build(job: Job) -> list[Value]:
        order = job.wholes(setting)
        if sorted(order) != list(range(len(job.shape()))):
            raise job.wrong(f"{setting} {order} is no order of the dims of {job.inputs[0]}")
        return [node("Transpose", Input(0), perm=order) if order else Input(0)]

    return build


operator("Transpose", _permuted("perm"), "x =perm")
operator("TransposeD", _permuted("perm"), perm=tuple)
operator("Permute", _permuted("order"), order=(0,))


def _reshaped(job: Job, shape: Sequence[int]) -> list[Value]:
    return [node("Reshape", Input(0), int64s(shape))]


def _reshape(job: Job) -> list[Value]:
    if (job.get("axis"), job.get("num_axes")) != (0, -1):
        raise job.wrong("axis other than 0, or num_axes other than -1")
    shape, elements = job.wholes("shape"), prod(job.shape())
    known = prod(dim for dim in shape if dim != -1)
    fits = elements % known == 0 if -1 in shape and known else known == elements
    if not fits or shape.count(-1) > 1 or min(shape, default=0) < -1:
        raise job.wrong(f"shape {shape} for the {elements} elements of {job.inputs[0]}")
    full = [elements // (known or 1) if dim == -1 else dim for dim in shape]
    return [node("Reshape", Input(0), int64s(full), allowzero=1)]


def _flatten(job: Job) -> list[Value]:
    shape = job.shape()
    first, last = job.axis(job.whole("axis")), job.axis(job.whole("end_axis"))
    if first > last:
        raise job.wrong(f"axis {first} is behind end_axis {last}")
    return _reshaped(job, [*shape[:first], -1, *shape[last + 1 :]])


def _squeeze(job: Job) -> list[Value]:
    shape = job.shape()
    axes = {job.axis(axis) for axis in job.wholes("axis")}
    axes = axes or {axis for axis, dim in enumerate(shape) if dim == 1}
    if any(shape[axis] != 1 for axis in axes):
        raise job.wrong(f"axes {sorted(axes)} of {job.inputs[0]} are not all 1")
    return _reshaped(job, [dim for axis, dim in enumerate(shape) if axis not in axes])


def _unsqueezed(setting: str) -> Builder:
    def build(job: Job) -> list[Value]:
        axes = job.wholes(setting)
        rank = len(job.shape()) + len(axes)
        places = sorted({job.axis(axis, rank) for axis in axes})
        if len(places) != len(axes):
            raise job.wrong(f"{setting} {axes} name one place twice")
        return [node("Unsqueeze", Input(0), int64s(places))]

    return build


operator("Reshape", _reshape, "x =shape", axis=0, num_axes=-1)
operator("Flatten", lambda job: [node("Flatten", Input(0), axis=job.whole("axis"))], axis=1)
operator("FlattenV2", _flatten, axis=1, end_axis=-1)
operator("Squeeze", _squeeze, axis=())
operator("Unsqueeze", _unsqueezed("axes"), axes=())
operator("ExpandDims", _unsqueezed("axis"), "x =axis")


def _join(job: Job) -> list[Value]:
    return [node("Concat", *_inputs(job), axis=job.axis(job.whole("concat_dim")))]


def _stack(job: Job) -> list[Value]:
    axis = job.axis(job.whole("axis"), len(job.shape()) + 1)
    raised = [node("Unsqueeze", value, int64s([axis])) for value in _inputs(job)]
    return [node("Concat", *raised, axis=axis)]


def _inputs(job: Job) -> list[Value]:
    return [Input(place) for place in job.positions("x")]


operator("Concat", _join, "=concat_dim *x", N=1)
operator("ConcatV2", _join, "*x =concat_dim", N=1)
operator("ConcatD", _join, "*x", concat_dim=int, N=1)
operator("ConcatV2D", _join, "*x", concat_dim=int, N=1)
operator("Pack", _stack, "*x", axis=0, N=1)


def _split(job: Job) -> list[Value]:
    count, axis = job.whole("num_split"), job.axis(job.whole("split_dim"))
    dim = job.shape()[axis]
    if count < 1 or dim % count:
        raise job.wrong(f"{dim} elements cannot be split into {count} equal parts")
    made = Node("Split", (Input(0),), {"axis": axis, "num_outputs": count}, outputs=count)
    return [Pick(made, place) for place in range(count)]


operator("Split", _split, "=split_dim x", outputs=0, num_split=int)
operator("SplitD", _split, outputs=0, split_dim=int, num_split=int)


def _sliced(job: Job, cuts: Sequence[Part]) -> Value:
    return node(
        "Slice",
        Input(0),
        int64s([part.start for part in cuts]),
        int64s([part.stop for part in cuts]),
        int64s(range(len(cuts))),
        int64s([part.step for part in cuts]),
    )


def _slice(job: Job) -> list[Value]:
    offsets, sizes, shape = job.wholes("offsets"), job.wholes("size"), job.shape()
    if not len(offsets) == len(sizes) == len(shape):
        raise job.wrong(f"offsets {offsets} and size {sizes} of {job.inputs[0]}")
    cuts = []
    for offset, size, dim in zip(offsets, sizes, shape, strict=True):
        end = dim if size == -1 else offset + size
        if not 0 <= offset <= end <= dim:
            raise job.wrong(f"{size} elements from {offset} of {dim}")
        cuts.append(Part(offset, end, 1))
    return [_sliced(job, cuts)]


def _strided_slice(job: Job) -> list[Value]:
    cuts, shape = parts(job)
    return [node("Reshape", _sliced(job, cuts), int64s(shape), allowzero=1)]


_MASKS: Final[dict[str, Any]] = {f"{name}_mask": 0 for name in MASKS}
operator("Slice", _slice, "x =offsets =size")
operator("SliceD", _slice, offsets=tuple, size=tuple)
operator("StridedSlice", _strided_slice, "x =begin =end =strides", **_MASKS)
operator("StridedSliceD", _strided_slice, begin=tuple, end=tuple, strides=tuple, **_MASKS)


def _gather(job: Job) -> list[Value]:
    if job.get("batch_dims"):
        raise job.wrong(f"batch_dims is {job.get('batch_dims')}; 0 is taken")
    axis = job.axis(job.whole("axis"))
    return [node("Gather", Input(0), Input(1), axis=axis)]


_GATHER: Final[dict[str, Any]] = {
    "batch_dims": 0,
    "is_preprocessed": False,
    "negative_index_support": False,
}
operator("Gather", _gather, "x indices", **_GATHER, validate_indices=True, axis=0)
operator("GatherV2", _gather, "x indices =axis", **_GATHER)
operator("GatherV2D", _gather, "x indices", axis=int, **_GATHER)


def _tile(job: Job) -> list[Value]:
    times = job.wholes("multiples")
    if len(times) != len(job.shape()) or any(count < 0 for count in times):
        raise job.wrong(f"multiples {times} of {job.inputs[0]}")
    return [node("Tile", Input(0), int64s(times))]


def _broadcast(job: Job) -> list[Value]:
    shape = job.wholes("shape")
    if any(dim < 0 for dim in shape) or len(shape) < len(job.shape()):
        raise job.wrong(f"shape {shape} for {job.inputs[0]}")
    return [node("Expand", Input(0), int64s(shape))]


operator("Tile", _tile, "x =multiples")
operator("TileD", _tile, multiples=tuple)
operator("BroadcastTo", _broadcast, "x =shape")
operator("BroadcastToD", _broadcast, shape=tuple)


def _resize(mode: str) -> Builder:
    """Images of another size, whose pixels lie where TensorFlow has them."""

    def build(job: Job) -> list[Value]:
        size, corners, centres = (
            job.wholes("size"), job.get("align_corners"), job.get("half_pixel_centers"),
        )  # fmt: skip
        is_nhwc = job.inputs[0].format == NHWC
        if len(job.shape()) != 4 or len(size) != 2 or min(size) < 1 or (corners and centres):
            raise job.wrong(
                f"size {size}, align_corners {corners}, half_pixel_centers {centres} for "
                f"{job.inputs[0]}; a height and a width, one of the two, four dims"
            )
        rows, *spatial = job.shape()
        channels = spatial[2] if is_nhwc else spatial[0]
        image = node("Transpose", Input(0), perm=[0, 3, 1, 2]) if is_nhwc else Input(0)
        where = "align_corners" if corners else "half_pixel" if centres else "asymmetric"
        resized = node(
            "Resize",
            image,
            None,
            None,
            int64s([rows, channels, *size]),
            mode=mode,
            coordinate_transformation_mode=where,
            nearest_mode="round_prefer_ceil" if corners or centres else "floor",
        )
        return [node("Transpose", resized, perm=[0, 2, 3, 1]) if is_nhwc else resized]

    return build


_PIXELS: Final[dict[str, Any]] = {"align_corners": False, "half_pixel_centers": False}
for _name, _mode in {"NearestNeighbor": "nearest", "Bilinear": "linear"}.items():
    operator(f"Resize{_name}V2", _resize(_mode), "x =size", **_PIXELS)
    operator(f"Resize{_name}V2D", _resize(_mode), size=tuple, **_PIXELS)
