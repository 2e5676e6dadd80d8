"""Artifacts made by hand, for what runs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gearshift.artifact.manifest import (
    GearRecord,
    InputRecord,
    Manifest,
    OutputRecord,
    ProofRecord,
    SourceRecord,
    TopologyRecord,
)
from gearshift.artifact.pool import WeightPool
from gearshift.artifact.writer import write_artifact
from gearshift.tensors import Shape

X = InputRecord("x", "float32", (-1, 3))
Y = OutputRecord("y", "float32", (-1, 2), row_axis=0, row_inner=1)


def null_artifact(
    folder: Path,
    *,
    sizes: Sequence[int] = (1, 2, 4, 8),
    inputs: tuple[InputRecord, ...] = (X,),
    outputs: tuple[OutputRecord, ...] = (Y,),
    separable: bool = True,
) -> Path:
    """An artifact for the null engine: row i of each output is the sum of row i of the inputs."""

    def at(shape: Shape, size: int) -> Shape:
        return tuple(size if dim == -1 else dim for dim in shape)

    manifest = Manifest(
        producer="tests",
        source=SourceRecord("hand-made", "0" * 64, 17, 8, "tests"),
        mode="batch",
        inputs=inputs,
        outputs=outputs
        if separable
        else tuple(OutputRecord(o.name, o.dtype, o.shape, None, 1) for o in outputs),
        gears=tuple(
            GearRecord((size,), tuple(at(o.shape, size) for o in outputs), 0, ()) for size in sizes
        ),
        proof=ProofRecord(
            verdict="proved" if separable else "refuted",
            reason="by hand" if separable else "node 'mean' (ReduceMean) averages over the rows",
            node="" if separable else "mean",
            op_type="" if separable else "ReduceMean",
            tested=True if separable else None,
            separable=separable,
        ),
        topologies=(TopologyRecord("null", "1", "f32", "null"),),
        constants=(),
        metadata=(),
        options=(),
        warnings=(),
    )
    path = folder / "null.om"
    write_artifact(path, manifest, {"null": b"null"}, WeightPool())
    return path
