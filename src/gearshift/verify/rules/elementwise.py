"""Operators that compute each entry from the entries at the same place, with broadcasting."""

from __future__ import annotations

from gearshift.verify.rules.labels import broadcast
from gearshift.verify.rules.op import Op
from gearshift.verify.rules.registry import CONTRIB, rule
from gearshift.verify.rules.state import State


@rule(
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitCast", "BitwiseNot", "Cast"),
    *("Ceil", "Celu", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid"),
    *("HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Log", "Mish", "Neg", "Not"),
    *("Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh"),
    *("Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu"),
    *("Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Clip", "Div", "Equal"),
    *("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul"),
    *("Or", "PRelu", "Pow", "Sub", "Sum", "Where", "Xor"),
)
@rule("BiasGelu", "FastGelu", "Gelu", "QuickGelu", domain=CONTRIB)
def elementwise(op: Op) -> State:
    """Rows stay where they are; operands must carry them along the same axis."""
    return broadcast(op, op.operands)


@rule("CastLike")
def cast_like(op: Op) -> State:
    """Only the type of the second operand is used."""
    return broadcast(op, op.operands[:1])


@rule("Dropout", known=(1, 2))
def dropout(op: Op) -> State:
    """Passes its input on, unless it is told to train."""
    training = op.constant(2)
    if training is not None and training.any():
        raise op.mixes("draws random numbers (training_mode is on)")
    return broadcast(op, op.operands[:1])
