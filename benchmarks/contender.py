"""What a contender is: a way to run a model at any number of rows. One is open per process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gearshift.tensors import Array, Shape

Feeds = Mapping[str, Array]
"""Arrays by input name; rows at axis 0."""


@dataclass(frozen=True)
class Setup:
    """What every contender is given, and nothing else.

    Attributes:
        onnx: the model as it came.
        artifact: the same model, compiled for gears.
        rows: an ``.npz`` file, rows to time on by input name; at least as many as are ever timed.
        threads: threads of one run.
        gears: batch sizes of the artifact, for those who make a program for each by hand.
        row_shapes: shape of one row by input name, for the same.
    """

    onnx: Path
    artifact: Path
    rows: Path
    threads: int
    gears: tuple[int, ...]
    row_shapes: Mapping[str, Shape]

    def read_rows(self) -> dict[str, Array]:
        """The rows, in memory."""
        return read_arrays(self.rows)


@dataclass(frozen=True)
class Runner:
    """An opened contender.

    Attributes:
        run: rows in, every output out.
        plan: the gears that it would take for so many rows; empty if it has none.
    """

    run: Callable[[Feeds], Sequence[Array]]
    plan: Callable[[int], str] = lambda rows: ""


@dataclass(frozen=True)
class Contender:
    """A way to run a model.

    Attributes:
        name: short, for a table's head and the command line.
        how: what it does, in one line.
        open: opens it; called in the contender's own process.
        imports: what can be imported before it is opened.
        every: it is timed in every round (1), in every second one (2), ... More than 1 marks
            one that is there to compare with only: it runs no number of rows twice in a block.
        cools: seconds after a call until its threads sleep and the next contender may go.
    """

    name: str
    how: str
    open: Callable[[Setup], AbstractContextManager[Runner]]
    imports: tuple[str, ...] = ()
    every: int = 1
    cools: float = 0.02


def first_rows(feeds: Feeds, rows: int) -> dict[str, Array]:
    """The first rows of every input, not copied."""
    return {name: array[:rows] for name, array in feeds.items()}


def read_arrays(path: Path) -> dict[str, Array]:
    """Every array of an ``.npz`` file, by name, in the order they were written."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
