"""The figures of an artifact that ATC shows of an ``.om`` file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gearshift.artifact.format import COSTS, WEIGHTS
from gearshift.artifact.reader import Artifact

THIS_COMPUTER: Final = "CPU"
"""What stands for the chip where none was named."""
FRAMEWORK: Final = "Onnx"


@dataclass(frozen=True)
class Summary:
    """What ATC shows of a model, with what it is here.

    Attributes:
        command: the atc command line; "" for a model that was compiled in another way.
        producer: name and version of what compiled it.
        soc_version: the chip named, or `THIS_COMPUTER`.
        memory_bytes: what the gear that takes most is predicted to take besides the weights.
        weight_bytes: the weights, once.
        modeldef_bytes: the directory and the networks, as they lie in the file.
        weight_data_bytes: the weights, as they lie in the file.
        task_bytes: the measured costs, as they lie in the file; 0 if there are none.
    """

    command: str
    producer: str
    soc_version: str
    memory_bytes: int
    weight_bytes: int
    modeldef_bytes: int
    weight_data_bytes: int
    task_bytes: int


def summarize(artifact: Artifact) -> Summary:
    """The figures of an open artifact."""
    options = dict(artifact.manifest.options)
    sizes = {part.name: part.size for part in artifact.parts}
    weights, task = sizes.pop(WEIGHTS), sizes.pop(COSTS, 0)
    raw = {part.name: part.raw_size for part in artifact.parts}
    return Summary(
        command=options.get("command", ""),
        producer=artifact.manifest.producer,
        soc_version=options.get("soc_version", THIS_COMPUTER),
        memory_bytes=max((gear.predicted_bytes for gear in artifact.manifest.gears), default=0),
        weight_bytes=raw[WEIGHTS],
        modeldef_bytes=artifact.header.directory_bytes + sum(sizes.values()),
        weight_data_bytes=weights,
        task_bytes=task,
    )
