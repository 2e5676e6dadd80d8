"""Where rows are taken to lie in the outputs when the pad-row test runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gearshift.analysis.facts import Facts
from gearshift.gears.gear import Gear, GearSet
from gearshift.tensors import RowLayout, TensorSpec
from gearshift.verify.separability import Proof


def layouts_to_test(
    proof: Proof, gears: GearSet, outputs: Sequence[TensorSpec], facts: Mapping[Gear, Facts]
) -> tuple[RowLayout | None, ...] | None:
    """The proof's layouts; where it has none to give, those that the shapes suggest.

    Returns:
        One per output (None: the same for every row), or None if no layout fits, in which case
        there is nothing to test: such a model runs at exact gears only.
    """
    if proof.verdict == "proved":
        return tuple(proof.outputs[spec.name] for spec in outputs)
    if proof.verdict == "refuted":
        return None
    found = set()
    for number in range(len(gears.frames)):
        within = {there: facts[gear] for gear, there in gears.members(number)}
        if len(within) > 1:  # else nothing grows with the rows
            found.add(_suggested_for(outputs, within))
    return found.pop() if len(found) == 1 else None


def _suggested_for(
    outputs: Sequence[TensorSpec], facts: Mapping[Gear, Facts]
) -> tuple[RowLayout | None, ...] | None:
    guesses = []
    for spec in outputs:
        fits, layout = _suggested({gear: known[spec.name].shape for gear, known in facts.items()})
        if not fits:
            return None
        guesses.append(layout)
    return tuple(guesses)


def _suggested(shapes: Mapping[Gear, Sequence[int]]) -> tuple[bool, RowLayout | None]:
    """Whether the shapes fit some layout, and which: the only axis that grows with the gear."""
    growing = [
        axis for axis, dims in enumerate(zip(*shapes.values(), strict=True)) if len(set(dims)) > 1
    ]
    if not growing:
        return True, None
    axis = growing[0]
    per_row = {shape[axis] / gear.rows for gear, shape in shapes.items()}
    if len(growing) > 1 or len(per_row) > 1 or not per_row.copy().pop().is_integer():
        return False, None
    return True, RowLayout(axis, int(per_row.pop()))
