"""From an artifact to what a session runs: its gears, its outputs, its network on an engine."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import cast

import numpy as np

from gearshift.artifact.manifest import Manifest
from gearshift.artifact.reader import Artifact
from gearshift.engines.base import (
    Constant,
    EngineOptions,
    LoadedNetwork,
    MappedFile,
    Network,
)
from gearshift.engines.registry import get_engine
from gearshift.errors import OptionError
from gearshift.gears.gear import Gear, GearSet, Mode
from gearshift.options import Precision
from gearshift.tensors import Array, RowLayout, Shape, TensorSpec, dtype_named


@lru_cache(maxsize=16)
def gear_set(manifest: Manifest) -> GearSet:
    """The gears of an artifact."""
    inputs = tuple(
        TensorSpec(record.name, dtype_named(record.dtype), record.shape)
        for record in manifest.inputs
    )
    is_batch, is_range = manifest.mode == "batch", manifest.mode == "range"
    return GearSet(
        cast(Mode, manifest.mode),
        tuple(Gear(record.values) for record in manifest.gears),
        inputs,
        dealt=() if is_batch else tuple(record.inputs for record in manifest.gears),
        ranges=tuple(record.ranges for record in manifest.inputs) if is_range else (),
    )


def output_specs(manifest: Manifest) -> tuple[TensorSpec, ...]:
    """The outputs of an artifact."""
    return tuple(
        TensorSpec(record.name, dtype_named(record.dtype), record.shape)
        for record in manifest.outputs
    )


def frame_outputs(manifest: Manifest, number: int) -> tuple[TensorSpec, ...]:
    """The outputs within one frame, -1 for the dims that only the number of rows decides."""
    gears = gear_set(manifest)
    if gears.mode in ("batch", "range"):
        return output_specs(manifest)
    first, _ = gears.members(number)[0]
    record = manifest.gears[gears.gears.index(first)]
    return tuple(
        replace(spec, shape=_open_rows(shape, output.row_axis))
        for spec, shape, output in zip(
            output_specs(manifest), record.outputs, manifest.outputs, strict=True
        )
    )


def _open_rows(shape: Shape, axis: int | None) -> Shape:
    return shape if axis is None else (*shape[:axis], -1, *shape[axis + 1 :])


def row_layouts(manifest: Manifest) -> list[RowLayout | None]:
    """How rows lie in each output; None for one that is the same for every row."""
    return [
        None if record.row_axis is None else RowLayout(record.row_axis, record.row_inner)
        for record in manifest.outputs
    ]


def ones(gears: GearSet, number: int, rows: int) -> list[Array]:
    """Feeds of one frame that run on most models: ones divide anything, tables have a row 1."""
    is_range = gears.mode == "range"
    shapes = gears.dealt[0] if is_range else gears.frames[number].shapes_of(rows).values()
    return [
        np.ones(shape, spec.dtype.numpy) for spec, shape in zip(gears.inputs, shapes, strict=True)
    ]


def load_network(
    artifact: Artifact, engine: str, threads: int | None, *, alone: bool = False
) -> LoadedNetwork:
    """The artifact's network on that engine, over the artifact's own weights.

    Args:
        artifact: open for as long as the network is used.
        engine: its name.
        threads: threads of one run; None for one per core.
        alone: whether nothing runs beside it (`EngineOptions`).

    Raises:
        OptionError: there is no such engine, or the artifact was not compiled for it.
        EngineError: it is not installed, or refused the network.
    """
    manifest = artifact.manifest
    topologies = {record.engine: record for record in manifest.topologies}
    runner = get_engine(engine)
    if engine not in topologies:
        raise OptionError(
            f"engine={engine!r} cannot run {artifact.path.name!r}: it was compiled for "
            f"{', '.join(topologies)}. Choose one of these, or compile it again."
        )
    network = Network(
        topology=artifact.topology(topologies[engine].part),
        pool=artifact.pool,
        constants=tuple(
            Constant(record.name, dtype_named(record.dtype), record.shape, record.offset)
            for record in manifest.constants
        ),
        inputs=gear_set(manifest).inputs,
        outputs=output_specs(manifest),
        file=_mapped_file(artifact),
    )
    precision = cast(Precision, topologies[engine].precision)
    return runner.load(network, EngineOptions(precision, threads, alone))


def _mapped_file(artifact: Artifact) -> MappedFile | None:
    if artifact.inode is None:
        return None
    return MappedFile(artifact.path.absolute(), artifact.inode, artifact.content)
