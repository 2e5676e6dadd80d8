"""Gear and GearSet: the declared values of a model's -1 dims."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gearshift.errors import GearError, InternalError
from gearshift.tensors import Shape, TensorSpec

Mode = Literal["batch", "image", "dims"]


@dataclass(frozen=True)
class Gear:
    """One declared value for each of the model's -1 dims; in batch mode a single number."""

    values: tuple[int, ...]

    @property
    def rows(self) -> int:
        """The batch size, in batch mode."""
        if len(self.values) != 1:
            raise InternalError(f"gear {self} has {len(self.values)} values, not one batch size")
        return self.values[0]

    def __str__(self) -> str:
        return ",".join(str(value) for value in self.values)


@dataclass(frozen=True)
class GearSet:
    """The ordered list of gears and the inputs they apply to.

    Attributes:
        mode: which of ATC's three grammars wrote the gears.
        gears: in the order written; gear ``i`` is the i-th one declared.
        inputs: every model input in the graph's order, -1 where a gear decides.
    """

    mode: Mode
    gears: tuple[Gear, ...]
    inputs: tuple[TensorSpec, ...]

    def __iter__(self) -> Iterator[Gear]:
        return iter(self.gears)

    def __len__(self) -> int:
        return len(self.gears)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The batch sizes as declared (batch mode only)."""
        return tuple(gear.rows for gear in self.gears)

    @property
    def largest(self) -> Gear:
        """The gear with the most elements; memory and buffers are sized for it."""
        return max(self.gears, key=lambda gear: gear.values)

    def of_rows(self, rows: int) -> Gear:
        """The gear of exactly that batch size. Raises GearError (145013) if none was declared."""
        for gear in self.gears:
            if gear.rows == rows:
                return gear
        declared = ", ".join(str(size) for size in self.sizes)
        raise GearError(
            f"gear {rows} was not compiled into this model; its gears are {declared}. "
            "Ask for one of these, or leave gear= out to have the plan chosen for you."
        )

    def shapes(self, gear: Gear) -> dict[str, Shape]:
        """Every input's shape at that gear, by name."""
        return self.shapes_of(gear.rows)

    def shapes_of(self, rows: int) -> dict[str, Shape]:
        """Every input's shape for that many rows, by name; with 0 the batch dim stays -1."""
        if self.mode != "batch":
            raise InternalError(f"gear mode {self.mode} cannot be dealt to inputs yet")
        size = rows or -1
        return {
            spec.name: tuple(size if dim == -1 else dim for dim in spec.shape)
            for spec in self.inputs
        }
