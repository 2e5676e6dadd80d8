"""Operators that subtract a mean or divide by a norm taken over some axes."""

from __future__ import annotations

from collections.abc import Iterable

from gearshift.verify.rules.labels import Part, broadcast, follow
from gearshift.verify.rules.op import Op, Operand
from gearshift.verify.rules.registry import CONTRIB, rule
from gearshift.verify.rules.state import State

NORMALISES = "normalises over"


@rule("BatchNormalization")
def batch_normalization(op: Op) -> State:
    """Fixed statistics keep rows apart; statistics of the batch at hand do not."""
    trains = op.integer("training_mode", 0) if op.version >= 14 else _outputs_in_use(op) > 1
    if trains and op.operand(0).rows is not None:
        raise op.mixes(
            "normalises over the batch (it computes the statistics as in training): "
            f"row i of '{op.result.name}' depends on every row"
        )
    return _by_channel(op)


@rule("InstanceNormalization")
def instance_normalization(op: Op) -> State:
    """Statistics over every axis but the first two."""
    op.keeps_clear(op.operand(0), range(2, op.operand(0).rank), NORMALISES)
    return _by_channel(op)


def _by_channel(op: Op) -> State:
    """Further operands have an entry for each index of axis 1 (and of those after it)."""
    data = tuple(range(op.operand(0).rank))
    parts: list[Part] = [(op.operand(0), data)]
    parts += [(each, data[1 : 1 + each.rank]) for each in op.operands[1:] if each is not None]
    return follow(op, parts, data)


@rule("GroupNormalization")
def group_normalization(op: Op) -> State:
    """Statistics over every axis but the first, in groups of channels."""
    data = op.operand(0)
    op.shares(*op.operands[1:])
    op.keeps_clear(data, range(1, data.rank), NORMALISES)
    return data.state


@rule("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")
@rule("SimplifiedLayerNormalization", domain=CONTRIB)
def layer_normalization(op: Op) -> State:
    """Statistics over `axis` and all after it; scale and bias are broadcast."""
    data = op.operand(0)
    _spares_tail(op, [data], op.integer("axis", -1))
    return broadcast(op, op.operands, data.rank)


@rule("SkipLayerNormalization", "SkipSimplifiedLayerNormalization", domain=CONTRIB)
def skip_layer_normalization(op: Op) -> State:
    """A sum of tensors, normalised over the last axis."""
    _spares_tail(op, op.given(), -1)
    return broadcast(op, op.operands, op.operand(0).rank)


@rule("LpNormalization")
def lp_normalization(op: Op) -> State:
    """The norm along one axis."""
    return _over(op, (op.integer("axis", -1),))


@rule("LRN")
def local_response_normalization(op: Op) -> State:
    """Sums over neighbouring channels."""
    return _over(op, (1,))


@rule("MeanVarianceNormalization")
def mean_variance_normalization(op: Op) -> State:
    """The axes are 0, 2 and 3 unless given, so that by default it takes in the batch."""
    axes = op.integers("axes")
    return _over(op, (0, 2, 3) if axes is None else axes)


def _over(op: Op, axes: tuple[int, ...]) -> State:
    data = op.operand(0)
    op.keeps_clear(data, axes, NORMALISES)
    return data.state


def _spares_tail(op: Op, operands: Iterable[Operand], axis: int) -> None:
    """No operand may carry rows along that axis of the (aligned) data, nor after it."""
    tail = -axis if axis < 0 else op.operand(0).rank - axis
    for operand in operands:
        op.keeps_clear(operand, range(max(operand.rank - tail, 0), operand.rank), NORMALISES)


def _outputs_in_use(op: Op) -> int:
    return sum(output is not None for output in op.outputs)
