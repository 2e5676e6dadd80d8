"""Reads the file of an AIPP configuration, for either command."""

from __future__ import annotations

from gearshift.aipp.textformat import decode
from gearshift.gears.text import option_error, shown

_MOST_BYTES = 2**20
"""Many times the largest configuration; a model given by mistake is not read whole."""


def read_aipp(option: str, file: str) -> str | None:
    """The configuration's text; None if no file is named.

    Args:
        option: the option that names the file, as the user writes it.
        file: path, or "".

    Raises:
        OptionError: E10001 (no such file), E19018 (it cannot be read, is empty, UTF-16, or far
            too long).
    """
    if not file:
        return None
    content = _read(option, file)
    text = decode(content).removeprefix("\ufeff")
    if len(content) > _MOST_BYTES or not text.strip() or "\0" in text:
        what = "is empty" if not text.strip() else "is no configuration but something else"
        raise option_error(
            "E19018",
            f"{option}: file {shown(file)} {what}; an AIPP configuration is text such as "
            '"aipp_op { aipp_mode: static input_format: YUV420SP_U8 ... }".',
        )
    return text


def _read(option: str, file: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read(_MOST_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise option_error(
            "E10001",
            f"{option}: {shown(file)} is not a file ({error.strerror}); name the text file with "
            "the AIPP configuration.",
        ) from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise option_error(
            "E19018", f"{option}: file {shown(file)} cannot be read: {why}; check its permissions."
        ) from error
