"""What is to be run: the inputs of each run, and the setting they run at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np

from gearshift.bench.files import (
    NPY,
    Group,
    check_lies_alike,
    count_joined,
    find_files,
    group_files,
    open_npy,
    read_input,
)
from gearshift.bench.setting import Setting, set_by_feeds
from gearshift.errors import InputError
from gearshift.gears.gear import GearSet
from gearshift.tensors import Array, TensorSpec

Pure = Literal["zero", "random"]
PURES: Final[tuple[Pure, ...]] = get_args(Pure)
_SEED: Final = 0


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        setting: what the model is set to.
        specs: the inputs.
        group: the files they are read from; None for generated data.
        pure: how data is generated.
        extra: what else the model is given with each call: parameters of dynamic AIPP.
    """

    setting: Setting
    specs: tuple[TensorSpec, ...]
    group: Group | None = None
    pure: Pure = "zero"
    extra: Mapping[str, Any] = field(default_factory=dict)

    def feeds(self) -> dict[str, Any]:
        """The inputs, read or generated now. Raises InputError if a file does not do."""
        return {**self._arrays(), **self.extra}

    def _arrays(self) -> dict[str, Array]:
        shapes = self.setting.shapes
        if self.group is None:
            random = np.random.default_rng(_SEED)
            return {
                spec.name: generate(spec, shapes[spec.name], self.pure, random)
                for spec in self.specs
            }
        return {
            spec.name: read_input(spec, shapes[spec.name], files)
            for spec, files in zip(self.specs, self.group.files, strict=True)
        }


def jobs_of_files(
    specs: tuple[TensorSpec, ...],
    words: Sequence[str],
    setting: Setting,
    note: Callable[[str], None],
) -> list[Job]:
    """The runs for files and folders, files being joined until they fill the inputs.

    Args:
        specs: the inputs.
        words: see `find_files`.
        setting: what the model is set to.
        note: is told what is worth knowing of a file.

    Raises:
        InputError: files are missing, or do not fit the inputs.
    """
    files = find_files(words, specs)
    joined = []
    for spec, paths in zip(specs, files, strict=True):
        joined.append(count_joined(spec, setting.shapes[spec.name], paths[0]))
        differs = check_lies_alike(spec, setting.shapes[spec.name], paths[0])
        if differs:
            note(differs)
    return [Job(setting, specs, group) for group in group_files(files, joined)]


def jobs_by_shape(gears: GearSet, words: Sequence[str]) -> list[Job]:
    """The runs for .npy files, each of its own shape and by itself.

    Raises:
        InputError: files are missing, are not .npy, or do not fit the inputs.
        GearError: no gear has a file's shape.
    """
    files = find_files(words, gears.inputs)
    return [
        Job(_setting_of(gears, group), gears.inputs, group)
        for group in group_files(files, [1] * len(files))
    ]


def generate(
    spec: TensorSpec, shape: tuple[int, ...], pure: Pure, random: np.random.Generator
) -> Array:
    """Data for an input where no file is given.

    Random floats lie between 0 and 1, and whole numbers are 0 or 1, so that neither is a NaN or an
    index that no table has.
    """
    dtype = spec.dtype.numpy
    if pure == "zero":
        return np.zeros(shape, dtype)
    if dtype.kind == "f":
        return random.random(shape).astype(dtype)
    return random.integers(0, 2, shape).astype(dtype)


def _setting_of(gears: GearSet, group: Group) -> Setting:
    shapes = {}
    for spec, (path, *_) in zip(gears.inputs, group.files, strict=True):
        if path.suffix.lower() != NPY:
            raise InputError(
                f"{path} has no shape to take the gear from; give .npy files, or say the gear with "
                "--dymBatch, --dymHW, --dymDims or --dymShape."
            )
        shapes[spec.name] = _shape_of(path)
    return set_by_feeds(gears, shapes)


def _shape_of(path: Path) -> tuple[int, ...]:
    return tuple(open_npy(path).shape)
