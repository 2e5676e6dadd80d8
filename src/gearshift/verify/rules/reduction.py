"""Operators that work along chosen axes: reductions, sums so far, softmax, sorting."""

from __future__ import annotations

from typing import Final

from gearshift.verify.rules.op import Op
from gearshift.verify.rules.registry import rule
from gearshift.verify.rules.state import Rows, State

_VERBS: Final = {
    "ReduceMean": "averages over",
    "ReduceMax": "takes the maximum over",
    "ReduceMin": "takes the minimum over",
    "ArgMax": "finds the maximum along",
    "ArgMin": "finds the minimum along",
    "ReduceProd": "multiplies over",
}


@rule(
    *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean"),
    *("ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"),
    known=(1,),
)
def reduce(op: Op) -> State:
    """Rows stay apart unless their axis is reduced; without axes all of them are."""
    axes = op.axes("axes", 1)
    if not axes:
        idle = op.integer("noop_with_empty_axes", 0)
        axes = () if idle else tuple(range(op.operand(0).rank))
    return _reduced(op, axes)


@rule("ArgMax", "ArgMin")
def arg_reduce(op: Op) -> State:
    """One axis is reduced."""
    return _reduced(op, (op.integer("axis", 0),))


def _reduced(op: Op, axes: tuple[int, ...]) -> State:
    data = op.operand(0)
    op.keeps_clear(data, axes, _VERBS.get(op.node.op_type, "sums over"))
    if op.integer("keepdims", 1) or not isinstance(data.state, Rows):
        return data.state
    gone = {data.resolve(axis) for axis in axes}
    return data.state.moved(sum(axis not in gone for axis in range(data.state.axis)))


@rule("CumSum", "CumProd", known=(1,))
def cumulate(op: Op) -> State:
    """Sums (or products) of all entries so far along one axis."""
    axis = op.constant(1)
    return _along(op, (0 if axis is None else int(axis.item()),), "accumulates along")


@rule("Hardmax", "LogSoftmax", "Softmax")
def softmax(op: Op) -> State:
    """One axis; before opset 13 that axis and all after it taken together."""
    data = op.operand(0)
    if op.version >= 13:
        return _along(op, (op.integer("axis", -1),), "normalises over")
    first = data.resolve(op.integer("axis", 1))
    return _along(op, tuple(range(first, data.rank)), "normalises over")


@rule("TopK", known=(1,))
def top_k(op: Op) -> State:
    """Sorts along one axis."""
    return _along(op, (op.integer("axis", -1),), "sorts along")


def _along(op: Op, axes: tuple[int, ...], verb: str) -> State:
    data = op.operand(0)
    op.keeps_clear(data, axes, verb)
    return data.state
