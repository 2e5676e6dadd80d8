"""JSON files of atc: ``--mode=1`` writes a model as one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gearshift.artifact.reader import Artifact
from gearshift.artifact.replacing import replacing
from gearshift.errors import ArtifactError, ModelError, NotAnArtifactError, OptionError
from gearshift.gears.text import option_error, shown
from gearshift.tensors import Shape

_OWNER_ONLY: Final = 0o600
"""Permissions that ATC gives the JSON of a model."""


def artifact_to_json(om: Path, target: Path) -> None:
    """Writes an artifact as ATC's ModelDef.

    Raises:
        OptionError: `om` is no artifact (E10003), or none that holds ops.
        OSError: the target cannot be written.
    """
    from gearshift.dump.artifact import artifact_json

    with reading_om(om), Artifact.open(om) as artifact:
        value = artifact_json(artifact)
    write_json(target, value, _OWNER_ONLY)


def onnx_to_json(om: Path, target: Path, shapes: Mapping[str, Shape] | None) -> None:
    """Writes an ONNX file as JSON.

    Args:
        om: the ONNX file, which this mode takes under that name.
        target: where the JSON goes.
        shapes: of inputs, to infer the others from; None leaves the file as it is.

    Raises:
        OptionError: `om` is no ONNX file (E10003), or a shape is that of no input.
        ModelError: it is not valid ONNX.
        OSError: the target cannot be written.
    """
    from gearshift.dump.onnx_file import onnx_json, with_shapes
    from gearshift.frontend.message import read_message

    try:
        message = read_message(om)
    except ModelError as error:
        raise option_error("E10003", f"--om: {error.message}") from error
    value = onnx_json(message) if shapes is None else with_shapes(om, message, shapes)
    write_json(target, value, _OWNER_ONLY)


def write_json(target: Path, value: object, mode: int | None = None) -> None:
    """Writes a file of JSON, whole or not at all. Raises OSError."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    with replacing(target, mode) as file:
        # What stands for bytes that are no text is the same escape in JSON.
        file.write(text.encode("utf-8", "backslashreplace"))


@contextmanager
def reading_om(om: Path) -> Iterator[None]:
    """Makes E10003, ATC's code for a wrong ``--om``, of whatever is wrong with the artifact."""
    try:
        yield
    except ArtifactError as error:
        hint = ""
        if isinstance(error, NotAnArtifactError):
            hint = " To convert an ONNX file, give --mode=1 and --framework=5."
        raise option_error(
            "E10003", f"--om: {shown(str(om))} is an invalid om file: {error.message}{hint}"
        ) from error


def refuse_to_overwrite(flag: str, target: Path, *others: Path) -> None:
    """Raises OptionError if a file that is to be written is one of those others."""
    for other in others:
        if os.path.realpath(target) == os.path.realpath(other):
            raise OptionError(
                f"--{flag}: {shown(str(target))} would overwrite {shown(str(other))}; choose "
                "another name.",
                code="E10001",
            )
