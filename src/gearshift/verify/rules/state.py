"""What is known of one tensor while rows are followed through a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["refuted", "unknown"]


@dataclass(frozen=True)
class Shared:
    """The same tensor for every row, at every batch size."""


@dataclass(frozen=True)
class Rows:
    """Each row of the batch has its own entries, which depend on that row of the inputs only.

    Along `axis` the dim is ``outer * N * inner``; the entries of row n are the indices
    ``(o * N + n) * inner + k``. No other dim follows the batch size, so that what one row holds
    has the same shape, and is the same function of that row, at every batch size and place.
    """

    axis: int
    outer: int = 1
    inner: int = 1

    def moved(self, axis: int) -> Rows:
        """The same entries along another axis."""
        return Rows(axis, self.outer, self.inner)


@dataclass(frozen=True)
class Sized:
    """Numbers known at compile time that change with the batch size or with the place in it."""


@dataclass(frozen=True)
class Addresses:
    """Rows along `axis` of coordinate tuples, the last axis, that point into a batch.

    Coordinate `column` of row n is n itself; the others depend on row n of the inputs only.
    """

    axis: int
    column: int


@dataclass(frozen=True)
class Poison:
    """Nothing can be promised of this tensor, nor of what is computed from it.

    Attributes:
        verdict: "refuted" if rows were seen to mix, "unknown" if no rule covers the case.
        reason: one sentence that names the node.
        node: name of the node where it began.
        op_type: its operator.
        tensor: the tensor that this node gives.
    """

    verdict: Verdict
    reason: str
    node: str
    op_type: str
    tensor: str


State = Shared | Rows | Sized | Addresses | Poison


class Stop(Exception):
    """Ends a rule: all outputs of the node are poisoned with `state`."""

    def __init__(self, state: Poison) -> None:
        super().__init__(state.reason)
        self.state = state
