"""What ``atc`` prints: its start, success and failure lines, errors, notes, and the help text."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable
from typing import Final

from gearshift.cli.atc_flags import GROUPS, Flag
from gearshift.cli.console import write
from gearshift.errors import GearshiftError, OptionErrors

START: Final = "ATC start working now, please wait for a moment."
SUCCESS: Final = "ATC run success, welcome to the next use."
FAILURE: Final = (
    "ATC run failed, Please check the detail log, Try 'atc --help' for more information"
)
INDENT: Final = " " * 8

_EXAMPLES: Final = (
    "atc --model=rec.onnx --framework=5 --output=rec\n"
    '      --input_shape="x:-1,3,48,320" --dynamic_batch_size="1,2,4,8"\n'
    "  atc --model=det.onnx --framework=5 --output=det --insert_op_conf=camera.cfg\n"
    '      --input_shape="x:1,3,-1,-1" --dynamic_image_size="416,416;832,832"\n'
    "  atc --model=bert.onnx --framework=5 --output=bert --input_format=ND\n"
    '      --input_shape="ids:-1,-1" --dynamic_dims="1,64;8,64;8,128"\n'
    '  atc --model=rec.onnx --framework=5 --output=rec --input_shape_range="x:[1~8,3,48,-1]"'
)


def write_failure(errors: Iterable[GearshiftError]) -> None:
    """The failure line, then the errors: the first with its code, the others indented below."""
    write(FAILURE)
    for line in error_lines(errors):
        write(line)


def error_lines(errors: Iterable[GearshiftError]) -> list[str]:
    """The accumulated errors as lines; identical ones appear once."""
    flat: list[GearshiftError] = []
    for error in errors:
        flat += error.errors if isinstance(error, OptionErrors) else [error]
    distinct = dict.fromkeys((error.code, error.message) for error in flat)
    lines = []
    for position, (code, message) in enumerate(distinct):
        head = INDENT if position else f"{code}: " if code else ""
        lines.append(head + message.replace("\n", f"\n{INDENT}"))
    return lines


def write_warnings(warnings: Iterable[str]) -> None:
    """One line for each distinct warning."""
    for warning in dict.fromkeys(warnings):
        write(f"WARNING: {warning}")


def write_notes(notes: Iterable[str]) -> None:
    """One line for each note."""
    for note in notes:
        write(f"NOTE: {note}")


def help_text(width: int | None = None) -> str:
    """Every flag by group, made from the flag table."""
    width = width or min(shutil.get_terminal_size().columns, 100)
    parts = [
        "atc: compile an ONNX model for batch sizes, image sizes, any dims, or one shape.",
        f"Examples:\n  {_EXAMPLES}",
        "Flags are written --flag=value or --flag value. (accepted) means: checked, but without\n"
        "effect on this target. (refused) means: atc ends with the reason.",
    ]
    for title, flags in GROUPS.items():
        parts.append("\n".join([f"{title}:", *(_flag_help(flag, width) for flag in flags)]))
    return "\n\n".join(parts)


def _flag_help(flag: Flag, width: int) -> str:
    status = "" if flag.status == "supported" else f" ({flag.status})"
    default = f" Default: {flag.default}." if flag.default and flag.kind != "bool" else ""
    note = f" Here: {flag.note}." if flag.note else ""
    body = textwrap.fill(
        f"{flag.help}{default}{note}",
        width=width,
        initial_indent=INDENT,
        subsequent_indent=INDENT,
        break_long_words=False,
    )
    return f"  --{flag.name}{status}\n{body}"
