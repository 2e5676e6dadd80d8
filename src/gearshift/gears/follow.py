"""How a dim of an output grows with a dim of an input, so that what padding adds can be cut off."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Follow:
    """An output's dim that is an input's dim times a ratio, rounded.

    Attributes:
        axis: of the output.
        input: name of the input.
        input_axis: of the input.
        times: the ratio's upper part.
        over: the ratio's lower part.
        up: whether it is rounded up; down if not.
    """

    axis: int
    input: str
    input_axis: int
    times: int
    over: int
    up: bool

    def of(self, dim: int) -> int:
        """The output's dim for that dim of the input."""
        scaled = dim * self.times
        return -(-scaled // self.over) if self.up else scaled // self.over


def find_follow(
    axis: int, name: str, input_axis: int, seen: Iterable[tuple[int, int]]
) -> Follow | None:
    """The rule that gives every output dim that was seen for an input dim; None if none does.

    Args:
        axis: of the output.
        name: of the input.
        input_axis: of the input.
        seen: pairs of the input's dim and the output's, the largest first.
    """
    pairs = list(seen)
    ratio = Fraction(pairs[0][1], pairs[0][0])
    if ratio <= 0:
        return None
    for up in (True, False):
        rule = Follow(axis, name, input_axis, ratio.numerator, ratio.denominator, up)
        if all(rule.of(given) == made for given, made in pairs):
            return rule
    return None
