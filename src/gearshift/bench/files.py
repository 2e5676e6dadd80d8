"""Input files: which there are, which go together in one run, and what they hold."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gearshift.errors import InputError
from gearshift.tensors import Array, Shape, TensorSpec, format_shape

NPY: Final = ".npy"
_SUFFIXES: Final = (NPY, ".bin")


@dataclass(frozen=True)
class Group:
    """The files of one run.

    Attributes:
        files: for each input, in order, those that are joined.
        real: how many of the first input's are not there only to fill up the last run.
    """

    files: tuple[tuple[Path, ...], ...]
    real: int

    @property
    def names(self) -> list[Path]:
        """The files that outputs are named after."""
        return list(self.files[0][: self.real])


def find_files(words: Sequence[str], specs: Sequence[TensorSpec]) -> list[list[Path]]:
    """The files of each input, in the order in which they run.

    Args:
        words: folders, one for each input, or files: those of the first input, then those of the
            second, equally many of each. Files of folders come in natural order.
        specs: the inputs.

    Raises:
        InputError: one does not exist, or they cannot be shared out.
    """
    paths = [Path(word) for word in words]
    folders = [path.is_dir() for path in paths]
    if any(folders) and not all(folders):
        raise InputError(
            f"--input mixes folders ({paths[folders.index(True)]}) and files "
            f"({paths[folders.index(False)]}); give one folder for each input, or files only."
        )
    names = ", ".join(spec.name for spec in specs)
    if not paths or len(paths) % len(specs) or (all(folders) and len(paths) != len(specs)):
        what = "folders" if all(folders) else "files"
        raise InputError(
            f"--input has {len(paths)} {what} for {len(specs)} inputs ({names}); give one folder "
            "for each, or equally many files for each: all of the first input, then the next."
        )
    if all(folders):
        return [_in_folder(path) for path in paths]
    for path in paths:
        _check_file(path)
    each = len(paths) // len(specs)
    return [paths[start : start + each] for start in range(0, len(paths), each)]


def group_files(files: Sequence[Sequence[Path]], joined: Sequence[int]) -> list[Group]:
    """Shares files out over runs.

    Args:
        files: of each input.
        joined: for each input how many fill it. A last run that lacks some is filled up with the
            first file, and `Group.real` tells.

    Raises:
        InputError: inputs would not run equally often.
    """
    runs = [-(-len(paths) // count) for paths, count in zip(files, joined, strict=True)]
    if len(set(runs)) != 1:
        seen = ", ".join(
            f"{len(paths)} files, {count} for each run"
            for paths, count in zip(files, joined, strict=True)
        )
        raise InputError(
            f"the inputs have files for {' and '.join(map(str, runs))} runs ({seen}). Give each "
            "input files for equally many."
        )
    return [
        Group(
            tuple(
                _filled(paths, run * count, count)
                for paths, count in zip(files, joined, strict=True)
            ),
            min(joined[0], len(files[0]) - run * joined[0]),
        )
        for run in range(runs[0])
    ]


def count_joined(spec: TensorSpec, shape: Shape, path: Path) -> int:
    """How many files like that one fill an input of that shape. Raises InputError if none do."""
    want, have = spec.nbytes(shape), nbytes_of(path)
    if have and want % have == 0:
        return want // have
    part = f", or files of a whole fraction of that, such as {want // shape[0]}" if shape else ""
    raise InputError(
        f"{path}: input {spec.name!r} is {spec.dtype.name}{format_shape(shape)}, expected {want} "
        f"bytes{part if shape and shape[0] > 1 else ''}; found {have} bytes."
    )


def nbytes_of(path: Path) -> int:
    """Bytes of numbers in a file. Raises InputError if it cannot be read."""
    if path.suffix.lower() == NPY:
        return int(open_npy(path).nbytes)
    try:
        return path.stat().st_size
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def open_npy(path: Path) -> Array:
    """The array of a .npy file, mapped and not yet read. Raises InputError if it holds none."""
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, EOFError) as error:
        raise InputError(
            f"{path} is not a .npy file of numbers: it is cut off, empty, or of another kind. "
            "Write it again: numpy.save(file, array)."
        ) from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path} holds several arrays (.npz?); save each to a .npy of its own.")
    return array


def read_input(spec: TensorSpec, shape: Shape, files: Sequence[Path]) -> Array:
    """One input of that shape from the files that fill it, end to end.

    Raises:
        InputError: one cannot be read, is of another dtype, or together they are not its size.
    """
    parts = [_read_bytes(spec, path) for path in files]
    want = spec.nbytes(shape)
    each = want // len(parts)
    for path, part in zip(files, parts, strict=True):
        if part.nbytes != each:
            raise InputError(
                f"{path}: expected {each} bytes, "
                + (f"like the {len(parts)} files that fill " if len(parts) > 1 else "for ")
                + f"input {spec.name!r} {spec.dtype.name}{format_shape(shape)}; found "
                f"{part.nbytes} bytes."
            )
    joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return joined.view(spec.dtype.numpy).reshape(shape)


def check_lies_alike(spec: TensorSpec, shape: Shape, path: Path) -> str | None:
    """What to tell if a .npy file has the input's size and another shape, which is not converted.

    A dim of 1 more or less, and rows in files of their own, are alike.
    """
    if path.suffix.lower() != NPY:
        return None
    have = tuple(dim for dim in open_npy(path).shape if dim != 1)
    want = tuple(dim for dim in shape if dim != 1)
    if len(have) < 2 or have == want or have in (want[1:], (*have[:1], *want[1:])):
        return None
    return (
        f"{path} holds {format_shape(open_npy(path).shape)} and input {spec.name!r} takes "
        f"{format_shape(shape)}: its numbers are taken in the order they lie in, not transposed"
    )


def _read_bytes(spec: TensorSpec, path: Path) -> Array:
    if path.suffix.lower() != NPY:
        try:
            return np.fromfile(path, np.uint8)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    array = open_npy(path)
    if array.dtype != spec.dtype.numpy:
        raise InputError(
            f"{path} holds {array.dtype}; input {spec.name!r} takes {spec.dtype.name}. Convert "
            f"it: numpy.save(file, array.astype('{spec.dtype.name}'))."
        )
    return np.array(array, order="C").reshape(-1).view(np.uint8)


def _filled(paths: Sequence[Path], start: int, count: int) -> tuple[Path, ...]:
    some = tuple(paths[start : start + count])
    return some + (paths[0],) * (count - len(some))


def _in_folder(folder: Path) -> list[Path]:
    try:
        found = [path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES]
    except OSError as error:
        raise InputError(f"--input {folder}: {error.strerror}.") from error
    files = sorted((path for path in found if path.is_file()), key=_natural)
    if not files:
        raise InputError(f"--input {folder} holds no {' or '.join(_SUFFIXES)} file.")
    return files


def _natural(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Numbers within names count as numbers: 2.bin comes before 10.bin."""
    parts = re.split("([0-9]+)", path.name.lower())
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part
    ], path.name


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(
            f"--input {path} does not exist or is no ordinary file; give files or folders, with "
            "commas between them."
        )
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(
            f"--input {os.fspath(path)} is neither .npy (an array) nor .bin (its bytes); rename "
            "it to the one it is."
        )
