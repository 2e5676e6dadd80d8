"""Operators on signals."""

from __future__ import annotations

from gearshift.verify.rules.labels import first_axis
from gearshift.verify.rules.op import Op
from gearshift.verify.rules.registry import rule
from gearshift.verify.rules.state import State


@rule("DFT", known=(1, 2))
def fourier(op: Op) -> State:
    """Transforms along one axis."""
    data = op.operand(0)
    op.constant(1)
    axis = op.constant(2) if op.version >= 20 else None
    default = op.integer("axis", 1) if op.version < 20 else -2
    along = default if axis is None else int(axis.item())
    op.keeps_clear(data, (along, -1), "transforms along")
    return data.state


@rule("STFT", known=(1, 3))
def short_time_fourier(op: Op) -> State:
    """Each signal by itself."""
    op.constant(1)
    op.constant(3)
    op.shares(op.optional(2))
    return first_axis(op, [op.operand(0)])


@rule("BlackmanWindow", "HammingWindow", "HannWindow", "MelWeightMatrix")
def window(op: Op) -> State:
    """Numbers that come from constants; nothing else is covered."""
    raise op.unclear("takes its size from something else than a constant")


@rule("Det")
def determinant(op: Op) -> State:
    """One number for each matrix, which lies in the last two axes."""
    data = op.operand(0)
    op.keeps_clear(data, (-2, -1), "takes determinants over")
    return data.state
