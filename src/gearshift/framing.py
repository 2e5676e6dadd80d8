"""Finds the frame of a call by the shapes given, and pads inputs to fit it where that is safe."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gearshift.artifact.manifest import Manifest
from gearshift.errors import GearError, InputError
from gearshift.gears.gear import Gear
from gearshift.gears.pads import can_be_padded, cuts
from gearshift.opening import gear_set
from gearshift.rows import fill
from gearshift.tensors import Array, Shape, TensorSpec, format_shape

_SHOWN: Final = 3

Cost = Callable[[int], float]
"""What a call would take within the frame of that number; infinite if that cannot run it."""


@dataclass(frozen=True)
class Fit:
    """How a call fits.

    Attributes:
        frame: its number.
        feeds: the arrays, padded beside their rows if need be.
        cuts: for each output the dims to be cut off again, by axis.
    """

    frame: int
    feeds: list[Array]
    cuts: tuple[Mapping[int, int], ...] = ()


class Framing:
    """The frames of an artifact."""

    def __init__(self, manifest: Manifest) -> None:
        self._gears = gear_set(manifest)
        self._pads = {
            record.name: record.pad for record in manifest.inputs if record.pad is not None
        }
        self._padded = manifest.padded
        self._follows = [output.follows for output in manifest.outputs]
        self._shapes = [tuple(spec.shape for spec in frame.inputs) for frame in self._gears.frames]
        self._sizes = [frame.elements(frame.largest) for frame in self._gears.frames]
        self._by_shapes = {shapes: number for number, shapes in enumerate(self._shapes)}
        # Where arrays that have the inputs' shapes can only be of the one frame there is.
        own = tuple(spec.shape for spec in self._gears.inputs)
        opens_rows_only = all(
            -1 not in shape[carries:]
            for shape, carries in zip(own, self._gears.carriers, strict=True)
        )
        only = self._shapes == [own] and opens_rows_only
        self._has_one = only and not self._padded and not self._gears.ranges

    def find(self, feeds: list[Array], gear: Gear | None, cost: Cost) -> Fit:
        """The frame for those arrays, which have the inputs' dtypes and ranks already.

        Args:
            feeds: in input order, of the inputs' shapes but for dims that are -1.
            gear: one that was asked for; only its frame will do.
            cost: what tells frames apart if inputs may be padded into several.

        Raises:
            GearError: no frame takes arrays of these shapes.
            InputError: a dim is outside its range.
        """
        if self._has_one:
            return Fit(0, feeds)
        if self._gears.ranges:
            self._check_ranges(feeds)
            return Fit(0, feeds)
        shapes = tuple(
            (-1, *feed.shape[1:]) if carries else feed.shape
            for feed, carries in zip(feeds, self._gears.carriers, strict=True)
        )
        exact = self._by_shapes.get(shapes)
        if gear is None and exact is not None and (not self._padded or cost(exact) < math.inf):
            return Fit(exact, feeds)
        asked = None if gear is None else self._gears.frame_of(gear)[0]
        numbers = range(len(self._shapes)) if asked is None else [asked]
        fitting = [number for number in numbers if self._fits(shapes, self._shapes[number])]
        if not fitting:
            raise self._no_fit(shapes, gear)
        # If none can run so many rows, the one that fits exactly says so best.
        number = min(fitting, key=lambda each: (cost(each), each != exact, self._sizes[each]))
        return Fit(number, feeds) if number == exact else self._pad(number, feeds)

    def _fits(self, shapes: Sequence[Shape], frame: Sequence[Shape]) -> bool:
        if shapes == frame:
            return True
        names = [spec.name for spec in self._gears.inputs]
        given, wanted = dict(zip(names, shapes, strict=True)), dict(zip(names, frame, strict=True))
        return bool(self._padded) and can_be_padded(given, wanted, self._padded)

    def _pad(self, number: int, feeds: Sequence[Array]) -> Fit:
        specs = self._gears.inputs
        filled = [
            fill(feed, shape, self._pads.get(spec.name, 0))
            for spec, feed, shape in zip(specs, feeds, self._shapes[number], strict=True)
        ]
        given = {spec.name: feed.shape for spec, feed in zip(specs, feeds, strict=True)}
        return Fit(number, filled, cuts(self._follows, given))

    def _check_ranges(self, feeds: Sequence[Array]) -> None:
        for spec, feed, ranges in zip(self._gears.inputs, feeds, self._gears.ranges, strict=True):
            for axis, (dim, (low, high)) in enumerate(zip(feed.shape, ranges, strict=True)):
                if dim < low or (high != -1 and dim > high):
                    upto = "on" if high == -1 else f"to {high}"
                    raise InputError(
                        f"input {spec.name!r} has shape {format_shape(feed.shape)}; dim {axis} "
                        f"goes from {low} {upto} in this model. Compile it for a wider range."
                    )

    def _no_fit(self, shapes: Sequence[Shape], gear: Gear | None) -> GearError:
        seen = _written(self._gears.inputs, shapes)
        if gear is not None:
            dealt = self._shapes[self._gears.frame_of(gear)[0]]
            return GearError(
                f"gear {gear} takes {_written(self._gears.inputs, dealt)}, and got {seen}. Leave "
                "gear= out to have it chosen by the shapes."
            )
        near = sorted(self._shapes, key=lambda frame: _distance(shapes, frame))[:_SHOWN]
        nearest = "; or ".join(_written(self._gears.inputs, frame) for frame in near)
        if len(self._shapes) == 1:
            return GearError(f"no gear takes {seen}: the model takes {nearest}.")
        how = (
            "none of which these can be padded to"
            if self._pads
            else "and beside its rows nothing is padded"
        )
        return GearError(
            f"no gear takes {seen}; the nearest of {len(self._shapes)} are {nearest}, {how}. Bring "
            "the inputs to one of these, or compile the model with such a gear as well."
        )


def _distance(shapes: Sequence[Shape], frame: Sequence[Shape]) -> float:
    return sum(
        abs(have - want) / max(have, want, 1)
        for given, wanted in zip(shapes, frame, strict=True)
        for have, want in zip(given, wanted, strict=True)
    )


def _written(specs: Sequence[TensorSpec], shapes: Sequence[Shape]) -> str:
    return ", ".join(
        f"{spec.name} {format_shape(shape)}" for spec, shape in zip(specs, shapes, strict=True)
    )
