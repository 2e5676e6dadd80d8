"""Quantized data: scales and zero points must not be taken over the batch."""

from __future__ import annotations

from collections.abc import Sequence

from gearshift.verify.rules.contraction import product
from gearshift.verify.rules.labels import Part, broadcast, follow
from gearshift.verify.rules.op import Op
from gearshift.verify.rules.registry import CONTRIB, rule
from gearshift.verify.rules.state import State


@rule("DequantizeLinear", "QuantizeLinear")
@rule("DequantizeLinear", "QuantizeLinear", domain=CONTRIB)
def quantize(op: Op) -> State:
    """Scale and zero point: one for all, one per entry of an axis, or one per block."""
    data = op.operand(0)
    axis = data.resolve(op.integer("axis", 1))
    out = tuple(range(data.rank))
    parts: list[Part] = [(data, out)]
    parts += [
        (operand, (axis,) if operand.rank == 1 else out)
        for operand in op.operands[1:]
        if operand is not None and operand.rank
    ]
    return follow(op, parts, out, stretch=True)


@rule("DynamicQuantizeLinear")
@rule("DynamicQuantizeMatMul", domain=CONTRIB)
def dynamic_quantize(op: Op) -> State:
    """One scale for the whole tensor."""
    for operand in op.given():
        op.keeps_clear(operand, range(operand.rank), "takes its scale from all entries along")
    return broadcast(op, op.operands)


@rule("MatMulInteger")
def integer_product(op: Op) -> State:
    """Zero points: of the left operand per row of the matrix, of the right one per column."""
    points = _points(op, ((2, "m"), (3, "n")))
    return product(op, op.operand(0), op.operand(1), extra=points)


@rule("QLinearMatMul")
def quantized_product(op: Op) -> State:
    """Scales and zero points as in MatMulInteger; those of the output as of the left operand."""
    points = _points(op, ((1, "m"), (2, "m"), (4, "n"), (5, "n"), (6, "m"), (7, "m")))
    return product(op, op.operand(0), op.operand(3), extra=points)


def _points(op: Op, places: Sequence[tuple[int, str]]) -> list[Part]:
    found: list[Part] = []
    for index, label in places:
        operand = op.optional(index)
        if operand is None or operand.rank == 0:
            continue
        if operand.rank > 1:
            op.shares(operand)
            raise op.unclear(f"has no rule for '{operand.name}' of more than one dim")
        found.append((operand, (label,)))
    return found
