"""Inputs to verify on: the user's own rows, or made-up ones that every run makes alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gearshift.errors import OptionError
from gearshift.tensors import Array, Shape, TensorSpec, format_shape


class Samples:
    """Gives feeds of any number of rows.

    Made-up floats are normally distributed, and made-up bytes are those of images, 0 to 255. Other
    made-up integers are 0 or 1, since they are most often ids, masks or lengths and nothing in the
    graph says how large one may be.
    """

    def __init__(self, specs: Sequence[TensorSpec], given: Mapping[str, Array] | None) -> None:
        self._specs = specs
        self.given = _checked(specs, given or {})
        """What the user gave, by input."""

    def feeds(self, shapes: Mapping[str, Shape], seed: int) -> list[Array]:
        """One array per input at those shapes; another seed gives other rows."""
        random = np.random.default_rng(seed)
        return [
            _rows_of(self.given[spec.name], shapes[spec.name], seed)
            if spec.name in self.given
            else _made_up(spec, shapes[spec.name], random)
            for spec in self._specs
        ]


def _made_up(spec: TensorSpec, shape: Shape, random: np.random.Generator) -> Array:
    if spec.dtype.numpy.kind == "f":
        return random.standard_normal(shape, np.float32).astype(spec.dtype.numpy, copy=False)
    highest = 256 if spec.dtype.name == "uint8" else 2
    return random.integers(0, highest, shape).astype(spec.dtype.numpy)


def _rows_of(given: Array, shape: Shape, seed: int) -> Array:
    """As much as asked for, taken round and round; rows from a start that depends on the seed."""
    if given.shape == shape:
        return given
    places = [np.arange(dim) for dim in shape]
    places[0] += seed
    places = [place % dim for place, dim in zip(places, given.shape, strict=True)]
    return np.ascontiguousarray(given[np.ix_(*places)])


def _checked(specs: Sequence[TensorSpec], given: Mapping[str, Array]) -> Mapping[str, Array]:
    known = {spec.name: spec for spec in specs}
    for name, array in given.items():
        spec = known.get(name)
        if spec is None:
            raise OptionError(
                f"sample_inputs names {name!r}; the model's inputs are {', '.join(known)}."
            )
        fits = len(array.shape) == len(spec.shape) and all(
            want in (-1, have) for want, have in zip(spec.shape, array.shape, strict=True)
        )
        if array.dtype != spec.dtype.numpy or not fits or not array.size:
            raise OptionError(
                f"sample_inputs gives {name!r} {array.dtype}{format_shape(array.shape)}; the model "
                f"takes {spec.dtype.name}{format_shape(spec.shape)}, at least one row."
            )
    return given
