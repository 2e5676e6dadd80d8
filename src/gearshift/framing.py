"""Finds the frame of a call by the shapes given, and pads inputs to fit it where that is safe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gearshift.artifact.manifest import Manifest
from gearshift.errors import GearError, InputError
from gearshift.gears.gear import Gear
from gearshift.opening import gear_set
from gearshift.rows import fill
from gearshift.tensors import Array, Shape, TensorSpec, format_shape

_SHOWN: Final = 3

Cost = Callable[[int], float]
"""What a call would take within the frame of that number."""


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
        self._follows = [output.follows for output in manifest.outputs]
        self._shapes = [tuple(spec.shape for spec in frame.inputs) for frame in self._gears.frames]
        self._by_shapes = {shapes: number for number, shapes in enumerate(self._shapes)}

    def find(self, feeds: list[Array], gear: Gear | None, cost: Cost) -> Fit:
        """The frame for those arrays, which have the inputs' dtypes and ranks already.

        Args:
            feeds: in input order.
            gear: one that was asked for; only its frame will do.
            cost: what tells frames apart if inputs may be padded into several.

        Raises:
            GearError: no frame takes arrays of these shapes.
            InputError: a dim is outside its range.
        """
        if self._gears.ranges:
            self._check_ranges(feeds)
            return Fit(0, feeds)
        asked = None if gear is None else self._gears.frame_of(gear)[0]
        shapes = tuple(
            (-1, *feed.shape[1:]) if carries else feed.shape
            for feed, carries in zip(feeds, self._gears.carriers, strict=True)
        )
        number = self._by_shapes.get(shapes) if asked is None else asked
        if number is not None and self._shapes[number] == shapes:
            return Fit(number, feeds)
        fitting = [
            index
            for index in (range(len(self._shapes)) if asked is None else [asked])
            if self._fits(shapes, self._shapes[index])
        ]
        if not fitting:
            raise self._no_fit(shapes, gear)
        number = min(fitting, key=cost) if len(fitting) > 1 else fitting[0]
        return self._padded(number, feeds)

    def _fits(self, shapes: Sequence[Shape], frame: Sequence[Shape]) -> bool:
        return all(
            have == want or (have < want and spec.name in self._pads)
            for spec, given, wanted in zip(self._gears.inputs, shapes, frame, strict=True)
            for have, want in zip(given, wanted, strict=True)
        )

    def _padded(self, number: int, feeds: Sequence[Array]) -> Fit:
        filled = [
            fill(feed, shape, self._pads.get(spec.name, 0))
            for spec, feed, shape in zip(
                self._gears.inputs, feeds, self._shapes[number], strict=True
            )
        ]
        given = {
            spec.name: feed.shape for spec, feed in zip(self._gears.inputs, feeds, strict=True)
        }
        cuts = tuple(
            {rule.axis: rule.of(given[rule.input][rule.input_axis]) for rule in follows}
            for follows in self._follows
        )
        return Fit(number, filled, cuts)

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
            return GearError(f"the model takes {nearest}, and got {seen}.")
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
