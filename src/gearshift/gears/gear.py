"""Gear and GearSet: the declared values of a model's -1 dims.

Gears may differ in their number of rows, along axis 0, and in other dims. Rows can be padded, split
and run side by side; the others have to fit. So a set is taken apart into *frames*: the gears of a
frame differ in their number of rows only, and everything is planned within one frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal, get_args

from gearshift.errors import GearError, InternalError
from gearshift.tensors import Range, Shape, TensorSpec

Mode = Literal["fixed", "batch", "image", "dims", "range"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
ROWLESS: Final = 1
"""The one size of a frame whose batch is fixed, or open to the engine: each call is one run."""


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
        mode: which of ATC's grammars wrote the gears. "fixed": there are none, and one shape;
            "range": dims go from one number to another, and the gears are the ends of the ranges.
        gears: in the order written; gear ``i`` is the i-th one declared.
        inputs: every model input in the graph's order, -1 where a gear decides.
        dealt: for each gear the shape of each input; empty where a gear is a number of rows.
        ranges: in mode "range", for each input from what to what each dim may go.
    """

    mode: Mode
    gears: tuple[Gear, ...]
    inputs: tuple[TensorSpec, ...]
    dealt: tuple[tuple[Shape, ...], ...] = ()
    ranges: tuple[tuple[Range, ...], ...] = ()

    def __iter__(self) -> Iterator[Gear]:
        return iter(self.gears)

    def __len__(self) -> int:
        return len(self.gears)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of rows as declared (of a frame, or in batch mode)."""
        return tuple(gear.rows for gear in self.gears)

    @property
    def has_gears(self) -> bool:
        """Whether gears were declared that a call could ask for: not one shape, nor ranges."""
        return self.mode not in ("fixed", "range")

    @property
    def has_rows(self) -> bool:
        """Whether the number of rows may vary."""
        return any(self.carriers)

    @cached_property
    def carriers(self) -> tuple[bool, ...]:
        """Which inputs carry rows: those open at axis 0, if they agree there at every gear."""
        if self.mode not in ("batch", "dims"):
            return (False,) * len(self.inputs)
        leading = tuple(spec.shape[:1] == (-1,) for spec in self.inputs)
        alike = all(
            len({shape[0] for shape, leads in zip(shapes, leading, strict=True) if leads}) <= 1
            for shapes in self.dealt
        )
        return leading if alike else (False,) * len(self.inputs)

    @cached_property
    def row_inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs, -1 only where rows are: of others a call gives what it gives."""
        return tuple(
            spec if carries else replace(spec, shape=())
            for spec, carries in zip(self.inputs, self.carriers, strict=True)
        )

    @cached_property
    def frames(self) -> tuple[GearSet, ...]:
        """The gears apart by all that is not their number of rows, in the order declared."""
        if self.mode == "range":
            return (replace(self, gears=(Gear((ROWLESS,)),), dealt=()),)
        if not self.dealt:
            return (self,)
        sizes: dict[tuple[Shape, ...], list[Gear]] = {}
        for dealt in self.dealt:
            rows, shapes = self._within_frame(dealt)
            sizes.setdefault(shapes, []).append(Gear((rows,)))
        mode: Mode = "batch" if self.has_rows else "fixed"
        return tuple(
            GearSet(
                mode,
                tuple(gears),
                tuple(
                    replace(spec, shape=shape)
                    for spec, shape in zip(self.inputs, shapes, strict=True)
                ),
            )
            for shapes, gears in sizes.items()
        )

    def members(self, number: int) -> tuple[tuple[Gear, Gear], ...]:
        """The declared gears in that frame, each with what it is called there."""
        places = ((gear, *self.frame_of(gear)) for gear in self.gears)
        return tuple((gear, there) for gear, frame, there in places if frame == number)

    def frame_of(self, gear: Gear) -> tuple[int, Gear]:
        """Which frame a declared gear is in, and what it is called there."""
        if self.mode == "range":
            return 0, self.frames[0].gears[0]
        return self._places[gear] if self.dealt else (0, gear)

    @cached_property
    def _places(self) -> dict[Gear, tuple[int, Gear]]:
        numbers = {
            tuple(spec.shape for spec in frame.inputs): number
            for number, frame in enumerate(self.frames)
        }
        found = {}
        for gear, dealt in zip(self.gears, self.dealt, strict=True):
            rows, shapes = self._within_frame(dealt)
            found[gear] = numbers[shapes], Gear((rows,))
        return found

    @property
    def largest(self) -> Gear:
        """The gear whose inputs have the most elements; of batch gears that of most rows."""
        return max(self.gears, key=self.elements)

    def elements(self, gear: Gear) -> int:
        """Elements of all inputs at that gear."""
        return sum(math.prod(shape) for shape in self.shapes(gear).values())

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

    def of_values(self, values: tuple[int, ...]) -> Gear:
        """The gear of exactly those values. Raises GearError if none was declared."""
        gear = Gear(values)
        if gear in self.gears and self.has_gears:
            return gear
        declared = "; ".join(str(each) for each in self.gears)
        raise GearError(
            f"gear {gear} was not compiled into this model, "
            + (
                f"whose gears are {declared}. Ask for one of these, or leave gear= out to have it "
                "chosen by the shapes given."
                if self.has_gears
                else "which has no gears. Leave gear= out."
            )
        )

    def shapes(self, gear: Gear) -> dict[str, Shape]:
        """Every input's shape at that gear, by name."""
        if not self.dealt:
            return self.shapes_of(gear.rows)
        dealt = self.dealt[self.gears.index(gear)]
        return {spec.name: shape for spec, shape in zip(self.inputs, dealt, strict=True)}

    def shapes_of(self, rows: int) -> dict[str, Shape]:
        """Every input's shape for that many rows of a frame, by name; with 0 they stay open."""
        if self.dealt:
            raise InternalError(f"gears of mode {self.mode} are not numbers of rows")
        size = rows or -1
        return {
            spec.name: (size, *spec.shape[1:]) if carries else spec.shape
            for spec, carries in zip(self.inputs, self.carriers, strict=True)
        }

    def _within_frame(self, dealt: tuple[Shape, ...]) -> tuple[int, tuple[Shape, ...]]:
        """The rows of a gear, and every input's shape with its rows open."""
        rows = ROWLESS
        shapes = []
        for shape, carries in zip(dealt, self.carriers, strict=True):
            rows = shape[0] if carries else rows
            shapes.append((-1, *shape[1:]) if carries else shape)
        return rows, tuple(shapes)
