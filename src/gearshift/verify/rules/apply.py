"""From a node's operands to the states of its outputs: by value, by rule, and checked."""

from __future__ import annotations

from collections.abc import Sequence

from gearshift.tensors import format_shape
from gearshift.verify.rules.known import judge
from gearshift.verify.rules.op import Op, Operand, Tensor
from gearshift.verify.rules.registry import NEWEST_OPSET, OLDEST_OPSET, Rule, rule_of
from gearshift.verify.rules.state import (
    Addresses,
    Poison,
    Rows,
    Shared,
    Sized,
    State,
    Stop,
)


def judge_node(op: Op) -> tuple[State, ...]:
    """States of the node's outputs.

    What is known at compile time is judged by its elements. Of the rest, an operand of which
    nothing can be promised poisons all; shared operands give shared outputs; the rule has the word
    otherwise.
    """
    rule = rule_of(op.node.domain, op.node.op_type)
    # A poisoned operand of known elements is one whose elements are not to be relied on.
    reliable = not any(o.values and isinstance(o.state, Poison) for o in op.given())
    known = [
        judge(output.values, op.sizes) if reliable and output and output.values else None
        for output in op.outputs
    ]
    if None not in known and not (rule is not None and rule.always):
        return tuple(state for state in known if state is not None)
    states = [
        ruled if fixed is None or isinstance(ruled, Poison) else fixed
        for fixed, ruled in zip(known, _ruled(op, rule), strict=True)
    ]
    return tuple(
        state if output is None else _checked(op, output, state)
        for output, state in zip(op.outputs, states, strict=True)
    )


def worst(poisons: Sequence[Poison]) -> Poison:
    """The first that says "refuted", or else the first."""
    return next((each for each in poisons if each.verdict == "refuted"), poisons[0])


def _ruled(op: Op, rule: Rule | None) -> tuple[State, ...]:
    count = len(op.outputs)
    try:
        result = _by_rule(op, rule)
    except Stop as stop:
        result = stop.state
    return tuple(result) if isinstance(result, Sequence) else (result,) * count


def _by_rule(op: Op, rule: Rule | None) -> State | Sequence[State]:
    poisons = [o.state for o in op.given() if isinstance(o.state, Poison)]
    if poisons:
        return worst(poisons)
    if rule is None:
        raise op.unclear("has no rule that says what it does with rows")
    if not rule.always and all(isinstance(operand.state, Shared) for operand in op.given()):
        return Shared()
    if op.node.domain in ("", "ai.onnx") and not OLDEST_OPSET <= op.version <= NEWEST_OPSET:
        raise op.unclear(
            f"is of operator set {op.version}; the rules are for {OLDEST_OPSET} to {NEWEST_OPSET}"
        )
    for index, operand in enumerate(op.operands):
        if operand is not None:
            _admit(op, rule, index, operand)
    return rule.function(op)


def _admit(op: Op, rule: Rule, index: int, operand: Operand) -> None:
    """Lets an operand that is not plain data or shared through to a rule that is made for it."""
    if index in rule.known:
        if operand.values is None:
            raise op.unclear(f"takes '{operand.name}' from data instead of from a constant")
    elif isinstance(operand.state, Sized | Addresses) and index not in rule.copes:
        raise op.place_dependent(operand)


def _checked(op: Op, output: Tensor, state: State) -> State:
    """The state if the output's shapes bear it out: no dim but that of the rows may follow N."""
    if isinstance(state, Rows):
        fits = all(
            len(shape) > state.axis and shape[state.axis] == state.outer * size * state.inner
            for shape, size in zip(output.shapes, op.sizes, strict=True)
        )
        rest = {(*shape[: state.axis], *shape[state.axis + 1 :]) for shape in output.shapes}
    else:
        fits, rest = True, set(output.shapes)
    if isinstance(state, Poison | Sized | Addresses) or (fits and len(rest) == 1):
        return state
    seen = " and ".join(
        f"{format_shape(shape)} at batch size {size}"
        for shape, size in list(zip(output.shapes, op.sizes, strict=True))[:2]
    )
    return op.unclear(f"gives '{output.name}' with shapes that do not follow rows: {seen}").state
