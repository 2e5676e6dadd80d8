"""The null engine: computes next to nothing, needs no library, and shows which row went where.

Every element of output row i is the sum of row i of the inputs that carry rows (float64 arithmetic,
cast to the output's dtype). It lets dispatch, padding and sessions be tested without an engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from gearshift.engines.base import (
    ConstantSink,
    Engine,
    EngineOptions,
    Executable,
    LoadedNetwork,
    Network,
    place,
)
from gearshift.tensors import Array, Shape


class NullEngine(Engine):
    """Sums rows; for tests."""

    name: ClassVar[str] = "null"
    package: ClassVar[str] = "gearshift"

    def version(self) -> str:
        """Its only version."""
        return "1"

    def lower(self, model: Path, pool: ConstantSink) -> bytes:
        """Nothing is needed of the model."""
        return b"null"

    def load(self, network: Network, options: EngineOptions) -> LoadedNetwork:
        """Nothing to load."""
        return _NullNetwork(network)


class _NullNetwork(LoadedNetwork):
    def __init__(self, network: Network) -> None:
        self._network = network

    def executable(
        self,
        shapes: Mapping[str, Shape],
        lanes: int = 1,
        blob: bytes | None = None,
        threads: int = 0,
    ) -> Executable:
        return _RowSums(self._network, shapes)


class _RowSums(Executable):
    def __init__(self, network: Network, shapes: Mapping[str, Shape]) -> None:
        self._network = network
        self._shapes = [shapes[spec.name] for spec in network.inputs]
        self._carries = [-1 in spec.shape for spec in network.inputs]

    def run(self, feeds: Sequence[Array], into: Sequence[Array | None] = ()) -> list[Array]:
        for feed, shape in zip(feeds, self._shapes, strict=True):
            assert _fits(feed.shape, shape), f"the session fed {feed.shape} for {shape}"
        rows = [feed for feed, carries in zip(feeds, self._carries, strict=True) if carries]
        sums = sum(feed.reshape(len(feed), -1).astype(np.float64).sum(axis=1) for feed in rows)
        outputs = []
        for spec in self._network.outputs:
            output_shape = [len(rows[0]) if dim == -1 else dim for dim in spec.shape]
            output = np.zeros(output_shape, spec.dtype.numpy)
            if -1 in spec.shape:
                np.moveaxis(output, spec.shape.index(-1), -1)[...] = sums
            outputs.append(output)
        return place(outputs, into)


def _fits(have: Shape, want: Shape) -> bool:
    return len(have) == len(want) and all(
        dim in (-1, size) for dim, size in zip(want, have, strict=True)
    )
