"""The table of rules: one decorator puts a rule in it."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Final

from gearshift.errors import InternalError
from gearshift.verify.rules.op import Op
from gearshift.verify.rules.state import State

Result = State | Sequence[State]
"""One state for all outputs of a node, or one for each."""
RuleFunction = Callable[[Op], Result]

CONTRIB: Final = "com.microsoft"
ANY: Final = range(1 << 30)
"""Every operand of a node."""
OLDEST_OPSET: Final = 7
NEWEST_OPSET: Final = 28
"""The versions of the default operator set that the rules were written for."""


@dataclass(frozen=True)
class Rule:
    """A rule and what it asks of its operands.

    Attributes:
        function: from the node to the states of its outputs.
        known: operands whose elements must be known at compile time; they may change with the batch
            size, and the rule looks at what that does.
        copes: operands that may be `Sized` or `Addresses`; anywhere else that ends the proof.
        always: whether it is asked even if no operand depends on the rows.
    """

    function: RuleFunction
    known: Container[int]
    copes: Container[int]
    always: bool


_RULES: Final[dict[tuple[str, str], Rule]] = {}


def rule(
    *op_types: str,
    domain: str = "",
    known: Container[int] = (),
    copes: Container[int] = (),
    always: bool = False,
) -> Callable[[RuleFunction], RuleFunction]:
    """Puts a function into the table as the rule of those operators; see `Rule`.

    It is asked with no operand poisoned, and not at all if every operand is shared. What it
    answers is checked against the shapes of the outputs at every batch size.
    """

    def register(function: RuleFunction) -> RuleFunction:
        entry = Rule(function, known, copes, always)
        for op_type in op_types:
            if (domain, op_type) in _RULES:
                raise InternalError(f"{domain or 'onnx'}::{op_type} has two rules")
            _RULES[domain, op_type] = entry
        return function

    return register


def rule_of(domain: str, op_type: str) -> Rule | None:
    """The operator's rule, or None."""
    return _RULES.get(("" if domain == "ai.onnx" else domain, op_type))


def covered() -> tuple[tuple[str, str], ...]:
    """(domain, operator) of every rule, sorted."""
    return tuple(sorted(_RULES))
