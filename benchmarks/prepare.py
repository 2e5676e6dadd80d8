"""Everything a model's contenders find ready: the compiled artifact, rows, the right answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

import gearshift
from benchmarks.contender import Setup
from benchmarks.contenders import ONNX_RUNTIME
from benchmarks.ours import tuner
from benchmarks.worker import open_workers
from benchmarks.zoo.catalogue import Model
from gearshift.tuning.bystanders import Bystanders

GEARS: Final = (1, 2, 4, 8, 16)
COUNTS: Final = tuple(range(1, 17))
"""Numbers of rows that are run."""

_SEED: Final = 7
_SAMPLE_ROWS: Final = 3


@dataclass(frozen=True)
class Ready:
    """A model that can be run.

    Attributes:
        model: which.
        setup: what contenders are given.
        reference: an ``.npz`` file with ONNX Runtime's outputs for all rows.
        bystanders: share of the machine that other programs took while gearshift measured, 0..1.
    """

    model: Model
    setup: Setup
    reference: Path
    bystanders: float = 0.0


def prepare(model: Model, folder: Path, threads: int, tune_seconds: float) -> Ready:
    """Compiles the model, writes rows and reference, and measures this host for it.

    Raises:
        GearshiftError: the model does not compile.
        WorkerError: the reference, or the measuring, failed.
    """
    artifact = folder / f"{model.name}.om"
    gearshift.compile(
        model.onnx,
        output=artifact,
        input_shape={name: (-1, *row) for name, row in model.inputs.items()},
        dynamic_batch_size=GEARS,
        sample_inputs=model.rows(_SAMPLE_ROWS, _SEED),
    )
    rows = folder / f"{model.name}-rows.npz"
    feeds = model.rows(max(COUNTS), _SEED)
    np.savez(rows, **feeds)  # type: ignore[arg-type]
    setup = Setup(model.onnx, artifact, rows, threads, GEARS, dict(model.inputs))
    reference = folder / f"{model.name}-reference.npz"
    with open_workers([ONNX_RUNTIME], setup) as (peer,):
        np.savez(reference, *peer.run(feeds))
    others = Bystanders()
    with open_workers([tuner(tune_seconds)], setup):
        bystanders = others.share()
    return Ready(model, setup, reference, bystanders)
