"""Operators that draw random numbers: what they give is no function of their inputs."""

from __future__ import annotations

from gearshift.verify.rules.op import Op
from gearshift.verify.rules.registry import rule
from gearshift.verify.rules.state import State


@rule(
    *("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform"),
    "RandomUniformLike",
    always=True,
)
def draw(op: Op) -> State:
    """A row drawn in another place is another row."""
    raise op.mixes("draws random numbers: the same row gives something else each time")
