"""Reads the numbers of rows, gears and shapes that callers name, in any of their spellings."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from gearshift.errors import GearError, InputError
from gearshift.gears.gear import Gear, GearSet
from gearshift.tensors import MBATCH_INPUT, Array, TensorSpec, format_shape


class Asking:
    """What callers may ask one model for."""

    def __init__(self, gears: GearSet) -> None:
        self._gears = gears

    def either_gear(self, gear: object, shape_data: object) -> Gear | None:
        """The gear asked for by argument or by the input that carries it; None if by neither.

        Raises:
            GearError: they differ, or it is none that was compiled.
            InputError: it is not written like a gear.
        """
        asked = None if gear is None else _numbers(gear, self._what_a_gear_is)
        fed = None if shape_data is None else _numbers(shape_data, self._what_a_gear_is)
        if asked is not None and fed is not None and asked != fed:
            raise GearError(f"gear={asked} and {MBATCH_INPUT}={fed} differ: give one.")
        values = fed if asked is None else asked
        return None if values is None else self._gear_of(values)

    def gear(self, gear: object) -> Gear:
        """The gear of that name: a number of rows, or its values. Raises as `either_gear` does."""
        return self._gear_of(_numbers(gear, self._what_a_gear_is))

    def dummies(self, shapes: object) -> list[Array]:
        """Arrays of the shapes given for each input by name, which take no memory.

        Raises:
            InputError: inputs are missing or unknown, or what is given is no shape of theirs.
        """
        names = [spec.name for spec in self._gears.inputs]
        if not isinstance(shapes, Mapping) or set(shapes) != set(names):
            raise InputError(
                f"the gears of this model differ in more than their rows: give shapes= of all "
                f"inputs, {', '.join(names)}, by name; got {shapes!r}."
            )
        return [_dummy(spec, shapes[spec.name]) for spec in self._gears.inputs]

    def _gear_of(self, values: tuple[int, ...]) -> Gear:
        if self._gears.mode != "batch":
            return self._gears.of_values(values)
        if len(values) != 1:
            raise InputError(f"{values!r} is not {self._what_a_gear_is}.")
        return self._gears.of_rows(values[0])

    @cached_property
    def _what_a_gear_is(self) -> str:
        count = len(self._gears.gears[0].values) if self._gears.has_gears else 1
        return "a gear, which is " + (f"{count} whole numbers" if count > 1 else "one whole number")


def whole_number(value: object, what: str) -> int:
    """The number. Raises InputError, which says what it should have been, for anything else."""
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{value!r} is not {what}.") from None


def _dummy(spec: TensorSpec, shape: Sequence[int]) -> Array:
    dims = _numbers(shape, f"the shape of input {spec.name!r}, which is whole numbers")
    if len(dims) != len(spec.shape) or min(dims, default=0) < 0:
        raise InputError(
            f"shapes= has {format_shape(dims)} for input {spec.name!r}; give {len(spec.shape)} "
            f"sizes of 0 or more, as they go with {format_shape(spec.shape)}."
        )
    return np.broadcast_to(np.zeros((), spec.dtype.numpy), dims)


def _numbers(value: object, what: str) -> tuple[int, ...]:
    """One number, or several."""
    try:
        given = np.asarray(value).reshape(-1)
    except ValueError:
        raise InputError(f"{value!r} is not {what}.") from None
    return tuple(whole_number(one, what) for one in given.tolist())
