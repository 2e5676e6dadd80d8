"""Misfits of a node's inputs that ONNX's own inference lets pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import onnx_ir as ir

from gearshift.tensors import Shape, format_shape

Shapes = Sequence[Shape | None]
"""Input shapes by position; None for an optional input left out."""

Check = Callable[[ir.Node, Shapes, Shape], str | None]
"""Node, input shapes and first output's shape to what is wrong, or None."""


def _reshape(node: ir.Node, inputs: Shapes, output: Shape) -> str | None:
    have, want = math.prod(inputs[0] or ()), math.prod(output)
    if have == want:
        return None
    problem = f"{have} elements do not fill shape {format_shape(output)}"
    if want and have % want == 0:
        problem += (
            f"; there are {have // want} times as many, so it looks as if a batch size was baked "
            "into that shape when the model was exported"
        )
    return problem


def _conv(node: ir.Node, inputs: Shapes, output: Shape) -> str | None:
    data, weight = inputs[0], inputs[1]
    if data is None or weight is None:
        return None
    channels = weight[1] * node.attributes.get_int("group", 1)
    return _differ("channels", data[1], channels)


def _conv_transpose(node: ir.Node, inputs: Shapes, output: Shape) -> str | None:
    data, weight = inputs[0], inputs[1]
    return None if data is None or weight is None else _differ("channels", data[1], weight[0])


def _recurrent(node: ir.Node, inputs: Shapes, output: Shape) -> str | None:
    """Sequence lengths and initial states are checked against the data's batch."""
    data = inputs[0]
    if data is None:
        return None
    in_front = node.attributes.get_int("layout", 0) == 1
    rows = data[0 if in_front else 1]
    for position, what in ((4, "sequence_lens"), (5, "initial_h"), (6, "initial_c")):
        state = inputs[position] if position < len(inputs) else None
        if state is None:
            continue
        axis = 1 if position > 4 and not in_front else 0
        problem = _differ(f"rows in {what}", rows, state[axis])
        if problem is not None:
            return problem
    return None


def _grid_sample(node: ir.Node, inputs: Shapes, output: Shape) -> str | None:
    data, grid = inputs[0], inputs[1]
    return None if data is None or grid is None else _differ("rows in grid", data[0], grid[0])


def _differ(what: str, data: int, other: int) -> str | None:
    return None if data == other else f"the data has {data} where {other} {what} are expected"


CHECKS: Final[dict[str, Check]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GRU": _recurrent,
    "GridSample": _grid_sample,
    "LSTM": _recurrent,
    "RNN": _recurrent,
    "Reshape": _reshape,
}
