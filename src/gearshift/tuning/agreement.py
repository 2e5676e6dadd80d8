"""Whether builds give the same numbers: a program that computes something else is no candidate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gearshift.artifact.manifest import Manifest
from gearshift.errors import EngineError
from gearshift.opening import output_specs, row_layouts
from gearshift.tensors import Array, RowLayout
from gearshift.verify.equivalence import differences


class Agreement:
    """Holds what builds give for rows that are all alike to what the first build gave.

    Where rows are independent every row of every build is held to the first row that came;
    elsewhere each build to the first one that ran as many rows.
    """

    def __init__(self, manifest: Manifest, tolerance: float) -> None:
        """Takes the largest difference that passes, as a fraction of the largest magnitude."""
        self._separable = manifest.proof.separable
        self._specs = output_specs(manifest)
        self._layouts = row_layouts(manifest)
        self._tolerance = tolerance
        self._first: dict[int, list[Array]] = {}

    def check(self, rows: int, outputs: Sequence[Array]) -> None:
        """Raises EngineError if the outputs of that many rows are others than they were before."""
        if self._separable:
            first = self._first.setdefault(0, self._first_rows(outputs))
            expected = [
                one if layout is None else np.concatenate([one] * rows, axis=layout.axis)
                for one, layout in zip(first, self._layouts, strict=True)
            ]
        else:
            expected = self._first.setdefault(rows, list(outputs))
        names = [spec.name for spec in self._specs]
        for spec, found in zip(self._specs, differences(names, outputs, expected), strict=True):
            allowed = self._tolerance if spec.dtype.numpy.kind == "f" else 0.0
            if found.relative > allowed:
                raise EngineError(
                    f"its output {found.output!r} differs by {found.relative:.3g} of the largest "
                    f"value from what the engine gave before, allowed {allowed:g}"
                )

    def _first_rows(self, outputs: Sequence[Array]) -> list[Array]:
        return [
            output if layout is None else _first_row(output, layout)
            for output, layout in zip(outputs, self._layouts, strict=True)
        ]


def _first_row(output: Array, layout: RowLayout) -> Array:
    return output[(slice(None),) * layout.axis + (slice(layout.inner),)].copy()
