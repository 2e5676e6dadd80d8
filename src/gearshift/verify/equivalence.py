"""Does a gear give the reference's numbers?

The reference is the file as it came, run by ONNX Runtime with every optimisation off. Where the
file itself only takes another batch size than the gear's (its batch was fixed at 1, say), it runs
row by row; where it cannot take the shapes at all, the program after our passes stands in for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from gearshift.errors import VerificationError
from gearshift.gears.dispatch import Piece
from gearshift.gears.gear import Gear
from gearshift.options import Precision
from gearshift.results import join
from gearshift.rows import cut
from gearshift.tensors import Array, RowLayout, TensorSpec

_AT_ONCE: Final = 1 << 18
"""Elements that are compared at one time."""
TOLERANCES: Mapping[Precision, float] = {"f32": 1e-3, "f16": 2e-2, "bf16": 5e-2}
"""Largest difference that passes, as a fraction of the output's largest magnitude."""


@dataclass(frozen=True)
class Difference:
    """The worst difference of one output against the reference.

    Attributes:
        output: its name.
        absolute: largest |ours - reference|; infinite where only one of them is a finite number.
        relative: that, over the reference's largest magnitude.
    """

    output: str
    absolute: float
    relative: float


class Runner(Protocol):
    """Something that runs the model as it came."""

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """All outputs, in order."""
        ...


@dataclass(frozen=True)
class Reference:
    """The model as it came.

    Attributes:
        runner: runs it.
        layouts: how rows lie in the outputs; needed to run it row by row.
        chunk: the batch size it has to be run at; None runs any.
    """

    runner: Runner
    layouts: tuple[RowLayout | None, ...]
    chunk: int | None = None

    def outputs(self, specs: Sequence[TensorSpec], feeds: Sequence[Array]) -> list[Array]:
        """What the model gives for those feeds, of inputs that are -1 where rows are."""
        if self.chunk is None:
            return self._run(specs, feeds)
        rows = next(len(feed) for spec, feed in zip(specs, feeds, strict=True) if -1 in spec.shape)
        pieces = [
            Piece(self.chunk, min(self.chunk, rows - start)) for start in range(0, rows, self.chunk)
        ]
        results = [
            self._run(specs, cut(specs, feeds, index * self.chunk, piece))
            for index, piece in enumerate(pieces)
        ]
        return join(self.layouts, pieces, results)

    def _run(self, specs: Sequence[TensorSpec], feeds: Sequence[Array]) -> list[Array]:
        return self.runner.run({spec.name: feed for spec, feed in zip(specs, feeds, strict=True)})


def differences(
    names: Sequence[str], ours: Sequence[Array], reference: Sequence[Array]
) -> tuple[Difference, ...]:
    """The worst difference of each output."""
    return tuple(
        _difference(name, got, want) for name, got, want in zip(names, ours, reference, strict=True)
    )


def is_hollow(output: Array) -> bool:
    """Whether it is of floats of which none is finite: comparing with it says nothing."""
    return output.dtype.kind == "f" and bool(output.size) and not np.isfinite(output).any()


def check_gear(
    gear: Gear, engine: str, found: Sequence[Difference], reference: Sequence[Array], limit: float
) -> None:
    """Raises VerificationError if a difference is beyond the limit (integers must be equal)."""
    for difference, want in zip(found, reference, strict=True):
        allowed = limit if want.dtype.kind == "f" else 0.0
        if difference.relative <= allowed:
            continue
        raise VerificationError(
            f"gear {gear} on {engine} differs from the model as it came: output "
            f"{difference.output!r} by up to {difference.absolute:.3g} "
            f"({difference.relative:.3g} of its largest value, allowed {allowed:g}). Choose "
            "another precision or engine, give sample_inputs that the model was made for, or raise "
            "tolerance= if that is accurate enough for you."
        )


def _difference(name: str, ours: Array, reference: Array) -> Difference:
    if ours.shape != reference.shape or ours.dtype != reference.dtype:
        return Difference(name, float("inf"), float("inf"))
    if not ours.size:
        return Difference(name, 0.0, 0.0)
    got, want = ours.reshape(-1), reference.reshape(-1)
    # All at once, the numbers in float64 would take many times the output's own memory.
    parts = [
        _worst(got[start : start + _AT_ONCE], want[start : start + _AT_ONCE])
        for start in range(0, want.size, _AT_ONCE)
    ]
    absolute, scale = (max(column) for column in zip(*parts, strict=True))
    if absolute == 0.0:
        return Difference(name, 0.0, 0.0)
    # Below the smallest normal float32 there is no scale to speak of.
    return Difference(name, absolute, absolute / max(scale, float(np.finfo(np.float32).tiny)))


def _worst(ours: Array, reference: Array) -> tuple[float, float]:
    """The largest difference, and the reference's largest finite magnitude."""
    got, want = ours.astype(np.float64), reference.astype(np.float64)
    same = (got == want) | (np.isnan(got) & np.isnan(want))  # equal infinities have no difference
    with np.errstate(invalid="ignore"):
        gap = np.where(same, 0.0, np.abs(got - want))
    finite = np.abs(want[np.isfinite(want)])
    scale = float(finite.max()) if finite.size else 0.0
    return float(np.where(np.isnan(gap), np.inf, gap).max()), scale
