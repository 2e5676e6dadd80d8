"""Both commands' way out: plain lines, and what happens when they cannot be written.

Loads nothing of its own accord, so that Ctrl-C is understood from the first moment on.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final, TextIO

FAILED: Final = 1
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141
"""What a shell says of a program that SIGPIPE ended."""

# Control and format characters (bidirectional overrides among them), lone surrogates, private
# and unassigned code points, line and paragraph separators.
_UNSAFE: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


class OutputError(Exception):
    """A standard stream does not take what is written to it."""

    def __init__(self, stream: TextIO, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.stream = stream
        self.is_closed_pipe = isinstance(error, BrokenPipeError)


def guarded(command: Callable[[], int]) -> int:
    """Runs a command; however its output or the user ends it, no traceback is shown.

    Returns:
        The command's exit status, or 130 (Ctrl-C), 141 (the reader of a pipe went away) or
        1 (the output cannot be written for another reason).
    """
    prepare()
    try:
        status = _status(command)
        with delivering(sys.stdout):
            sys.stdout.flush()
    except OutputError as error:
        return _give_up(error)
    except KeyboardInterrupt:
        return _interrupted()
    return status


def prepare() -> None:
    """Makes both streams take any text, whatever their encoding lacks."""
    # A program started with a closed stream (>&-) has none; the new ones last as long as it does.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def write(text: str, stream: TextIO | None = None) -> None:
    """Writes a line to stdout (or that stream), safe for a terminal."""
    _write(shown(text), stream or sys.stdout)


def write_json(value: object) -> None:
    """Writes JSON to stdout: text as it is where the encoding has all of it, else escaped."""
    is_unicode = codecs.lookup(sys.stdout.encoding or "utf-8").name.startswith("utf")
    text = json.dumps(value, indent=2, ensure_ascii=not is_unicode)
    # JSON itself allows these raw, and a terminal may obey them.
    _write(re.sub("[\x7f-\x9f]", lambda match: f"\\u{ord(match[0]):04x}", text), sys.stdout)


def shown(text: str, *, one_line: bool = False) -> str:
    """Text from a file, which may hold anything, as a terminal can safely be given it."""
    if text.isprintable():
        return text
    keep = "" if one_line else "\n"
    return "".join(
        char if char in keep or unicodedata.category(char) not in _UNSAFE else _escaped(char)
        for char in text
    )


@contextlib.contextmanager
def delivering(stream: TextIO) -> Iterator[None]:
    """Tells a stream that fails from a file that does: its OSError becomes an OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(stream, error) from error


def _write(text: str, stream: TextIO) -> None:
    with delivering(stream):
        stream.write(text + "\n")
        stream.flush()


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _status(command: Callable[[], int]) -> int:
    try:
        return command()
    except SystemExit as end:  # argparse ends with one; what it printed is still to be flushed
        return end.code if isinstance(end.code, int) else 0


def _give_up(error: OutputError) -> int:
    _silence(error.stream)
    if error.is_closed_pipe:
        return PIPE_CLOSED
    try:
        write(f"error: the output cannot be written: {error}. Choose another place.", sys.stderr)
    except OutputError as second:  # then there is nowhere left to say it
        _silence(second.stream)
    return FAILED


def _interrupted() -> int:
    try:
        write("interrupted", sys.stderr)
    except OutputError as error:
        return _give_up(error)
    return INTERRUPTED


def _silence(stream: TextIO) -> None:
    """Points a stream at nothing, so that what it still holds does not fail again at the exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stream.fileno())
    os.close(devnull)
