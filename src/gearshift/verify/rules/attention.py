"""Attention, written as one operator."""

from __future__ import annotations

from gearshift.verify.rules.labels import first_axis
from gearshift.verify.rules.op import Op, Operand
from gearshift.verify.rules.registry import CONTRIB, rule
from gearshift.verify.rules.state import State


@rule("Attention")
def attention(op: Op) -> State:
    """Axis 0 of queries, keys, values, pasts and lengths; the mask is broadcast to rank 4."""
    mask = op.optional(3)
    stacked = [op.optional(index) for index in (0, 1, 2, 4, 5, 6)]
    if mask is None:
        return first_axis(op, stacked)
    if mask.rows is not None:
        return first_axis(op, [*stacked, _of_rank_4(op, mask)])
    if mask.rank == 4 and set(mask.dims(0)) != {1}:
        raise op.unclear(f"has a mask '{mask.name}' for a fixed number of rows")
    return first_axis(op, stacked)


def _of_rank_4(op: Op, mask: Operand) -> Operand:
    if mask.rank != 4:
        raise op.unclear(f"has a mask '{mask.name}' with rows but without the four dims of a batch")
    return mask


@rule("Attention", domain=CONTRIB)
def fused_attention(op: Op) -> State:
    """Data and mask by rows; projections shared; nothing of what belongs to decoding."""
    op.shares(op.optional(1), op.optional(2), *op.operands[4:])
    return first_axis(op, [op.operand(0), op.optional(3)])


@rule("MultiHeadAttention", domain=CONTRIB)
def multi_head_attention(op: Op) -> State:
    """Queries, keys, values and mask by rows; nothing of what belongs to decoding."""
    op.shares(op.optional(3), *op.operands[5:])
    first = [op.optional(index) for index in range(3)]
    return first_axis(op, [*first, op.optional(4)])


@rule("RotaryEmbedding")
def rotary_embedding(op: Op) -> State:
    """Rows of data and positions; the tables of angles shared, or by rows without positions."""
    data, positions = op.operand(0), op.optional(3)
    tables = [op.operand(1), op.operand(2)]
    if positions is None:
        return first_axis(op, [data, *tables])
    op.shares(*tables)
    return first_axis(op, [data, positions])
