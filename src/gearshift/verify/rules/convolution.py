"""Convolutions and pooling: they slide a window over every axis but the first two."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from gearshift.verify.rules.labels import Labels, first_axis, follow
from gearshift.verify.rules.op import Op, Operand
from gearshift.verify.rules.registry import CONTRIB, rule
from gearshift.verify.rules.state import Shared, State

SLIDES: Final = "slides its window over"


@rule("Conv", "ConvInteger", "ConvTranspose")
def convolution(op: Op) -> State:
    """The weights must be shared; channels are summed over."""
    return convolve(op, op.operand(0), op.operand(1))


@rule("FusedConv", domain=CONTRIB)
def fused_convolution(op: Op) -> State:
    """A convolution to which a tensor of the output's shape may be added."""
    state = convolve(op, op.operand(0), op.operand(1), exempt=3)
    out = tuple(range(op.result.rank))
    data = (op.operand(0), (0, *((axis, "in") for axis in out[1:])))
    added = op.optional(3)
    return state if added is None else follow(op, [data, (added, out)], out)


@rule("QLinearConv")
def quantized_convolution(op: Op) -> State:
    """A convolution of quantized data; every scale and zero point must be shared."""
    return convolve(op, op.operand(0), op.operand(3))


def convolve(op: Op, data: Operand, weights: Operand, exempt: int | None = None) -> State:
    """State of a convolution; all inputs but the data (and `exempt`) must be shared."""
    others = [operand for index, operand in enumerate(op.operands) if index != exempt]
    op.shares(*(operand for operand in others if operand is not data))
    if op.integer("group", 1) == 1:
        op.keeps_clear(data, (1,), "sums over")
    kernel = op.integers("kernel_shape") or weights.shapes[0][2:]
    before, after = _windows(op, data, kernel)
    parts = [(data, ("batch", "summed", *before))]
    return follow(op, parts, ("batch", "channel", *after), verb=_verb(data))


@rule("AveragePool", "LpPool")
def pool(op: Op) -> State:
    """Each channel by itself."""
    return _pooled(op)


def _pooled(op: Op) -> State:
    data = op.operand(0)
    before, after = _windows(op, data, op.integers("kernel_shape") or ())
    parts = [(data, ("batch", "channel", *before))]
    return follow(op, parts, ("batch", "channel", *after), verb=_verb(data))


# Asked even where the result was worked out at compile time: implementations disagree on how the
# places are numbered, and what counts is what ONNX says and the engines do.
@rule("MaxPool", always=True)
def max_pool(op: Op) -> tuple[State, ...]:
    """As the other pools; the places that it gives are counted through the whole batch."""
    maxima = _pooled(op)
    places = op.mixes("numbers the places of its maxima (second output) through the whole batch")
    second = maxima if isinstance(maxima, Shared) else places.state
    return (maxima, second)[: len(op.outputs)]


@rule("GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool")
def global_pool(op: Op) -> State:
    """Each channel by itself; all other axes are pooled."""
    data = op.operand(0)
    op.keeps_clear(data, range(2, data.rank), "pools")
    return data.state


@rule("DeformConv")
def deformable_convolution(op: Op) -> State:
    """Offsets and mask go with their row; the weights must be shared."""
    op.shares(op.optional(1), op.optional(3))
    return first_axis(op, [op.optional(index) for index in (0, 2, 4)])


def _verb(data: Operand) -> str | None:
    """A window as long as what one row holds, with that stride, would keep rows apart."""
    rows = data.rows
    return SLIDES if rows is not None and rows.outer == rows.inner == 1 else None


def _windows(op: Op, data: Operand, kernel: tuple[int, ...]) -> tuple[Labels, Labels]:
    """Labels of the spatial axes before and after; equal where the window is a single entry."""
    count = data.rank - 2
    plain = op.text("auto_pad", "NOTSET") in ("NOTSET", "VALID")
    strides = op.integers("strides") or (1,) * count
    pads = op.integers("pads") or (0,) * (2 * count)
    before: list[Hashable] = [f"in{axis}" for axis in range(count)]
    after: list[Hashable] = [f"out{axis}" for axis in range(count)]
    for axis in range(min(count, len(kernel)) if plain else 0):
        if kernel[axis] == strides[axis] == 1 and not pads[axis] and not pads[axis + count]:
            after[axis] = before[axis]
    return before, after
