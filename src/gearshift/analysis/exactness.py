"""Which nodes compute in numbers that an engine with narrow arithmetic would get wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import onnx_ir as ir

from gearshift.analysis.facts import Facts
from gearshift.analysis.nodes import INTEGERS, describe
from gearshift.gears.gear import Gear
from gearshift.program import Program

_ARITHMETIC: Final = frozenset(
    {
        *("Abs", "Add", "BitShift", "Clip", "CumSum", "Div", "Einsum", "Gemm", "MatMul", "Max"),
        *("Mean", "Min", "Mod", "Mul", "Neg", "Pow", "Sub", "Sum"),
        *("ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd"),
        *("ReduceSum", "ReduceSumSquare"),
    }
)
"""Operators whose integer results can leave the range, or the precision, of their operands."""


def wide_arithmetic(program: Program, facts: Mapping[Gear, Facts]) -> str | None:
    """The first node that computes in float64 or does arithmetic on integers, or None.

    Integers that are only moved, compared, made into floats or used as indices do not count, nor
    does what is known at compile time, such as arithmetic on shapes. Quantised operators saturate
    by definition and do not count either.
    """
    known = next(iter(facts.values()))
    for node in program.model.graph:
        for output in node.outputs:
            fact = known.get(output.name or "")
            if fact is None or fact.value is not None:
                continue
            if fact.dtype == ir.DataType.DOUBLE:
                return f"{describe(node)} computes in float64"
            if fact.dtype in INTEGERS and (node.op_type in _ARITHMETIC or _from_float(node, known)):
                return f"{describe(node)} does arithmetic on integers"
    return None


def _from_float(node: ir.Node, facts: Facts) -> bool:
    if node.op_type != "Cast" or node.inputs[0] is None:
        return False
    source = facts.get(node.inputs[0].name or "")
    return source is not None and source.dtype not in INTEGERS | {ir.DataType.BOOL}
