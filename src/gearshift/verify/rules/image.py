"""Operators on pictures: resizing, sampling, cropping."""

from __future__ import annotations

import numpy as np

from gearshift.verify.rules.labels import first_axis
from gearshift.verify.rules.op import Op, Operand
from gearshift.verify.rules.registry import rule
from gearshift.verify.rules.state import State


@rule("Upsample", known=(1,))
def upsample(op: Op) -> State:
    """The axis of the rows must keep its size."""
    return _resized(op, op.operand(0), _written(op, op.optional(1)))


@rule("Resize", known=(1, 2, 3))
def resize(op: Op) -> State:
    """The axis of the rows must keep its size, and no region may be cut out of it."""
    data = op.operand(0)
    if op.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize":
        op.constant(1)
        if data.rows is not None and _cropped(op, data.rows.axis):
            raise op.unclear("cuts out a region, for which there is no rule along the rows")
    if op.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise op.unclear("has no rule for keep_aspect_ratio_policy other than stretch")
    scales = op.optional(1 if op.version < 11 else 2)
    return _resized(op, data, _written(op, scales))


def _written(op: Op, scales: Operand | None) -> list[list[float]]:
    """The scales at each batch size; none where sizes are given instead."""
    if scales is None:
        return [list(attribute)] if (attribute := op.node.attributes.get_floats("scales")) else []
    if scales.values is None or not scales.values[0].size:
        return []
    return [np.ravel(value).tolist() for value in scales.values]


def _resized(op: Op, data: Operand, scales: list[list[float]]) -> State:
    """The axis of the rows stays, the others change alike at every batch size."""
    axes = [data.resolve(axis) for axis in op.integers("axes") or range(data.rank)]
    rows = data.rows
    if rows is not None and data.dims(rows.axis) != op.result.dims(rows.axis):
        raise op.unclear(f"resizes axis {rows.axis} of '{data.name}', which carries the rows")
    for place, axis in enumerate(axes if scales else ()):
        written = {each[place] for each in scales}
        if rows is not None and axis == rows.axis and written != {1.0}:
            raise op.unclear(f"scales axis {axis}, which carries the rows")
        if len(written) > 1:
            raise op.unclear("has scales that depend on the batch size")
    return data.state


def _cropped(op: Op, axis: int) -> bool:
    axes = op.integers("axes")
    return axes is None or axis in {op.operand(0).resolve(each) for each in axes}


@rule("AffineGrid", known=(1,))
def affine_grid(op: Op) -> State:
    """One grid for each transformation."""
    return first_axis(op, [op.operand(0)])


@rule("CenterCropPad", known=(1,))
def center_crop_pad(op: Op) -> State:
    """The axis of the rows must keep its size."""
    data = op.operand(0)
    if data.rows is not None and data.dims(data.rows.axis) != op.result.dims(data.rows.axis):
        raise op.unclear(f"crops or pads axis {data.rows.axis}, which carries the rows")
    return data.state


@rule("Col2Im", known=(1, 2))
def columns_to_image(op: Op) -> State:
    """Each row is put together by itself."""
    op.constant(1)
    op.constant(2)
    return first_axis(op, [op.operand(0)])


@rule("GridSample")
def grid_sample(op: Op) -> State:
    """Picture i is sampled at grid i."""
    return first_axis(op, [op.operand(0), op.operand(1)])
