"""The rules for paths on atc's command line.

Paths may hold any letters (Chinese too), blanks and most signs. Refused are only those that show
a slip: a line break, a shell variable or a pattern that nobody expanded.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from gearshift.cli.atc_argv import Args
from gearshift.errors import OptionError
from gearshift.gears.text import option_error, shown

PATH_MAX: Final = 4096
NAME_MAX: Final = 255
_REFUSED: Final = frozenset('*?"<>|;$`')
_SEPARATORS: Final = ("/", "\\")


def required(name: str) -> Callable[[Args], Iterator[OptionError]]:
    """A check that the flag has a value (E10004)."""

    def check(args: Args) -> Iterator[OptionError]:
        if not args[name]:
            yield option_error(
                "E10004",
                f"--{name}: no value was given but one is required; {_EXAMPLES[name]}.",
            )

    return check


_EXAMPLES: Final = {
    "model": "name the ONNX file, for example --model=rec.onnx",
    "output": "say where the compiled model goes, for example --output=rec for rec.om",
    "om": "name the file to read, for example --om=rec.om",
    "json": "say where the JSON text goes, for example --json=rec.json",
}


def input_file(name: str) -> Callable[[Args], Iterator[OptionError]]:
    """A check that the flag, if it is set, names a file that can be read (E10001)."""

    def check(args: Args) -> Iterator[OptionError]:
        value = args[name]
        if not value:
            return
        bad = _bad_characters(name, value)
        if bad is not None:
            yield bad
        elif not os.path.isfile(value):
            what = "is a folder" if os.path.isdir(value) else "does not exist"
            yield option_error(
                "E10001",
                f"--{name}: file {shown(value)} {what} (looked for {shown(os.path.abspath(value))})"
                "; check the name, and the folder atc was started in.",
            )
        elif not os.access(value, os.R_OK):
            yield option_error(
                "E10001", f"--{name}: file {shown(value)} cannot be read; check its permissions."
            )

    return check


def output_file(name: str, *, suffix: str = "") -> Callable[[Args], Iterator[OptionError]]:
    """A check that the flag, if it is set, names a file that can be written.

    E10021 (too long), E10022 (ends in a slash), E10001 (characters, not writable).
    """

    def check(args: Args) -> Iterator[OptionError]:
        value = args[name]
        if not value:
            return
        if value.endswith(_SEPARATORS) or os.path.basename(value) in (".", ".."):
            sample = os.path.join(value, "rec")
            yield option_error(
                "E10022",
                f"--{name}: {shown(value)} names a folder and no file; add the file's name, "
                f"for example {shown(sample)}.",
            )
            return
        target = value if value.lower().endswith(suffix) else value + suffix
        bad = _bad_characters(name, value)
        yield from [bad] if bad is not None else _unwritable(name, target)

    return check


def make_parents(path: Path) -> None:
    """Creates the folder that file goes to. Raises OptionError (E10001) where it cannot."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise option_error(
            "E10001",
            f"--output: folder {shown(str(path.parent))} cannot be created: {error.strerror}; "
            "choose another, or create it first.",
        ) from error


def _unwritable(name: str, target: str) -> Iterator[OptionError]:
    longest = max((_bytes(part) for part in Path(target).parts), default=0)
    if _bytes(target) > PATH_MAX or longest > NAME_MAX:
        yield option_error(
            "E10021",
            f"--{name}: the path {shown(target)} is {_bytes(target)} bytes long, its "
            f"longest part {longest}; allowed: {PATH_MAX} in all, {NAME_MAX} for each part. "
            "Shorten it.",
        )
    elif os.path.isdir(target):
        yield option_error(
            "E10001",
            f"--{name}: {shown(target)} is a folder; choose the name of a file.",
        )
    elif os.path.exists(target) and not os.access(target, os.W_OK):
        yield option_error(
            "E10001",
            f"--{name}: file {shown(target)} exists and cannot be overwritten; check its "
            "permissions or choose another name.",
        )


def _bad_characters(name: str, value: str) -> OptionError | None:
    bad = [char for char in dict.fromkeys(value) if not _can_be_in_a_path(char)]
    if not bad:
        return None
    return option_error(
        "E10001",
        f"--{name}: path {shown(value)} holds {', '.join(repr(char) for char in bad[:5])}; allowed "
        f"are letters, digits, blanks and signs other than {' '.join(sorted(_REFUSED))}. "
        "If a variable or pattern was meant, the shell did not expand it.",
    )


def _can_be_in_a_path(char: str) -> bool:
    # Surrogates 0xDC80 to 0xDCFF stand for bytes of a file name that are not UTF-8.
    lone = "\ud800" <= char <= "\udfff" and not "\udc80" <= char <= "\udcff"
    return char not in _REFUSED and unicodedata.category(char) != "Cc" and not lone


def _bytes(path: str) -> int:
    return len(path.encode("utf-8", "surrogatepass"))
