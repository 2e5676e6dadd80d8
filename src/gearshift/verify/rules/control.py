"""Control flow."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from gearshift.verify.rules.op import Op
from gearshift.verify.rules.registry import rule
from gearshift.verify.rules.state import Shared, State


@rule("If", copes=(0,), always=True)
def branch(op: Op) -> tuple[State, ...]:
    """The branch that is taken; both, and alike, where that is decided by a shared input."""
    condition = op.operand(0)
    if condition.values is not None:
        taken = {bool(np.ravel(value)[0]) for value in condition.values}
        if len(taken) > 1:
            raise op.unclear(f"branches on '{condition.name}', which depends on the batch size")
        return op.branch(_graph(op, "then_branch" if taken.pop() else "else_branch"))
    if not isinstance(condition.state, Shared):
        raise op.unclear(f"branches on '{condition.name}', which depends on the rows")
    ways = [op.branch(_graph(op, name)) for name in ("then_branch", "else_branch")]
    if ways[0] != ways[1]:
        raise op.unclear("has branches between which rows lie unlike")
    return ways[0]


def _graph(op: Op, name: str) -> ir.Graph:
    return op.node.attributes[name].as_graph()
