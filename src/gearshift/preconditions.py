"""What can be said of a compile's options before the model is read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from gearshift.errors import OptionError, OptionErrors
from gearshift.gears.declared import check_declared
from gearshift.options import CompileOptions


def check_options(options: CompileOptions) -> None:
    """Raises OptionErrors with all that is wrong."""
    errors = check_declared(options)
    artifact = os.path.realpath(options.artifact)  # Path.resolve raises where links go in a circle
    if artifact == os.path.realpath(options.model):
        errors.append(
            OptionError(
                f"output {str(options.artifact)!r} is the model itself, which would be "
                "overwritten; choose another name."
            )
        )
    elif why_not := _unwritable(Path(artifact)):
        errors.append(
            OptionError(
                f"output {str(options.artifact)!r} cannot be written: {why_not}. Choose another.",
                code="E19004",
            )
        )
    if errors:
        raise OptionErrors(errors)


def _unwritable(target: Path) -> str | None:
    """Why no file could be put there, so far as it can be told without trying."""
    try:
        mode = os.lstat(target).st_mode
    except (FileNotFoundError, NotADirectoryError):
        pass  # nothing is there yet
    except OSError as error:
        return error.strerror
    else:
        if not stat.S_ISREG(mode):
            kinds = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a link that leads to itself"}
            return f"{str(target)!r} is {kinds.get(stat.S_IFMT(mode), 'no ordinary file')}"
    folder = next(filter(os.path.lexists, target.parents), target.parent)
    if not os.path.isdir(folder):
        return f"{str(folder)!r} is not a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"the folder {str(folder)!r} is not yours to write in"
    return None
