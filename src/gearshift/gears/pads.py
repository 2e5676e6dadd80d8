"""Dims that may be padded beside the rows, and how dims of the outputs grow with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from gearshift.tensors import Shape

Place = tuple[str, int]
"""An axis of an input."""
Shapes = Mapping[str, Shape]


@dataclass(frozen=True)
class Padded:
    """Dims that are padded together, because the model takes them only if they are alike.

    Attributes:
        places: which they are.
        least: the smallest size they may be padded from.
    """

    places: tuple[Place, ...]
    least: int


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


def find_follow(axis: int, place: Place, seen: Sequence[tuple[int, int]]) -> tuple[Follow, int]:
    """The rule that gives the output's dim for the most sizes, and the least size it holds from.

    Args:
        axis: of the output.
        place: of the input.
        seen: pairs of the input's dim and the output's, the largest first.
    """
    ratio = Fraction(seen[0][1], seen[0][0])
    rules = [Follow(axis, *place, ratio.numerator, ratio.denominator, up) for up in (True, False)]
    return min(((rule, _holds_from(rule, seen)) for rule in rules), key=lambda found: found[1])


def _holds_from(rule: Follow, seen: Iterable[tuple[int, int]]) -> int:
    least = 0
    for given, made in seen:
        if rule.of(given) != made:
            break
        least = given
    return least


def can_be_padded(given: Shapes, wanted: Shapes, padded: Sequence[Padded]) -> bool:
    """Whether inputs of those shapes can be padded to the others; -1 stands for rows.

    Dims that are padded together have to be alike.
    """
    allowed = {place: each for each in padded for place in each.places}
    for name, shape in wanted.items():
        for axis, (have, want) in enumerate(zip(given[name], shape, strict=True)):
            each = allowed.get((name, axis))
            if have != want and (each is None or not each.least <= have < want):
                return False
    return all(len({given[name][axis] for name, axis in each.places}) == 1 for each in padded)


def cuts(follows: Iterable[Iterable[Follow]], given: Shapes) -> tuple[Mapping[int, int], ...]:
    """For each output the dims that are left of it, by axis, for inputs of those shapes."""
    return tuple(
        {rule.axis: rule.of(given[rule.input][rule.input_axis]) for rule in rules}
        for rules in follows
    )
