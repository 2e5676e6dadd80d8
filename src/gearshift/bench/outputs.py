"""Output files: their names, their formats, and the folder they go to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Final, Literal, get_args

import numpy as np

from gearshift.errors import OptionError
from gearshift.tensors import Array

Format = Literal["BIN", "NPY", "TXT"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
PURE_STEM: Final = "pure_infer_data"
"""What outputs are named after where no file was given."""


class Stems:
    """A name for each input file that no other has, even where a file system ignores case."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def of(self, paths: Iterable[Path]) -> list[str]:
        """The files' own names without their ends; ``_2`` and so on follow where one is taken."""
        return [self._free(path.stem) for path in paths]

    def _free(self, stem: str) -> str:
        name, number = stem, 1
        while name.casefold() in self._used:
            number += 1
            name = f"{stem}_{number}"
        self._used.add(name.casefold())
        return name


def split_output(output: Array, count: int, axis: int) -> list[Array] | None:
    """The parts of an output that belong to each of the files joined; None if it has no such parts.

    Args:
        output: of one run.
        count: how many files were joined.
        axis: along which to cut.
    """
    if count == 1:
        return [output]
    if not -output.ndim <= axis < output.ndim or output.shape[axis] % count:
        return None
    return np.split(output, count, axis)


def save_run(
    folder: Path, stems: Sequence[str], count: int, outputs: Sequence[Array], how: Format, axis: int
) -> list[list[str]]:
    """Writes the outputs of one run, one file per input file where they can be cut.

    Args:
        folder: there already.
        stems: one per input file that is not filling.
        count: how many files were joined, filling included.
        outputs: in output order.
        how: the format.
        axis: along which outputs are cut.

    Returns:
        The files written, for each stem; one that could not be cut counts for the first.

    Raises:
        OptionError: a file cannot be written.
    """
    written: list[list[str]] = [[] for _ in stems]
    for index, output in enumerate(outputs):
        parts = split_output(output, count, axis) or [output]
        for stem, part, files in zip(stems, parts, written, strict=False):
            path = folder / f"{stem}_{index}.{how.lower()}"
            _save(path, part, how)
            files.append(str(path))
    return written


def make_folder(path: Path) -> Path:
    """Creates it, parents included. Raises OptionError if that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"--output {path}: {error.strerror}. Choose another folder.") from error
    return path


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Writes a file that is there in full or not at all. Raises OptionError if it cannot be."""
    part = path.with_name(f"{path.name}.part")
    try:
        with open(part, "wb") as stream:
            write(stream)
        os.replace(part, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            raise OptionError(
                f"{path} cannot be written: {error.strerror}. Choose another --output."
            ) from error
        raise


def _save(path: Path, array: Array, how: Format) -> None:
    if how == "NPY":
        write_whole(path, lambda stream: np.save(stream, array))
    elif how == "BIN":
        write_whole(path, lambda stream: stream.write(np.ascontiguousarray(array).tobytes()))
    else:
        write_whole(path, lambda stream: _write_text(stream, array))


def _write_text(stream: IO[bytes], array: Array) -> None:
    """One line for each row of the last dim; numbers as short as they can be read back exactly."""
    array = array.astype(np.uint8) if array.dtype == np.bool_ else array
    lines = (
        array.reshape(-1, array.shape[-1]) if array.ndim and array.size else array.reshape(1, -1)
    )
    for line in lines:
        stream.write((" ".join(str(number) for number in line) + "\n").encode("ascii"))
