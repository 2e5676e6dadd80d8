"""The words of the `gearshift` command, and how single values of it are read."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from gearshift._version import __version__
from gearshift.cli.bench_words import add_bench
from gearshift.cli.console import write
from gearshift.engines.registry import ENGINE_NAMES
from gearshift.errors import InputError, OptionError
from gearshift.options import BUDGETS, INPUT_FORMATS, PRECISIONS
from gearshift.tensors import Array
from gearshift.tuning.seconds import read_seconds

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

Command = Callable[[argparse.Namespace], None]

# What a model is compiled for: our spelling, and atc's, which is taken without being advertised.
_GEARS: Final = ("-g", "--gears")
_SHAPE: Final = ("-s", "--shape")
_AS_ATC: Final = {
    _GEARS: "dynamic_batch_size",
    ("--image-sizes",): "dynamic_image_size",
    ("--dims",): "dynamic_dims",
    _SHAPE: "input_shape",
    ("--shape-range",): "input_shape_range",
    ("--input-format",): "input_format",
    ("--aipp",): "insert_op_conf",
}
_SPELLINGS: Final = {
    ours: tuple(dict.fromkeys((*ours, f"--{atc}", f"--{atc.replace('_', '-')}")))
    for ours, atc in _AS_ATC.items()
}
_EXAMPLES: Final = """examples:
  gearshift compile rec.onnx --gears 1,2,4,8 --shape "x:-1,3,48,320"
  gearshift compile det.onnx --image-sizes "416,416;832,832" --shape "x:1,3,-1,-1"
  gearshift compile rec.onnx --dims "1,320;4,320;4,640" --shape "x:-1,3,48,-1"
  gearshift compile bert.onnx --dims "1,64;8,64;8,128" --shape "ids:-1,-1" --pad ids=0
  gearshift compile cls.onnx --shape "x:1,3,48,192"
  gearshift compile det.onnx --shape-range "x:[1~8,3,-1,-1]"
  gearshift compile cls.onnx --gears 1,2,4 --aipp camera.cfg"""
_UNITS: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}
_MOST_ROWS: Final = 1_000_000
_NPY_MAGIC: Final = b"\x93NUMPY"
_ZIP_MAGIC: Final = b"PK"


class _Parser(argparse.ArgumentParser):
    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        # argparse's own takes a full disk or a closed pipe for success.
        is_result = file is sys.stdout
        write(message.removesuffix("\n"), sys.stdout if is_result else sys.stderr)


def parse(argv: Sequence[str], commands: Sequence[Command]) -> argparse.Namespace:
    """Reads a command line; the function it asks for is the attribute `command`.

    Args:
        argv: the words after the program's name.
        commands: the functions of compile, run, inspect, tune, cache and bench.
    """
    parser = _Parser(
        prog="gearshift",
        description="Compile a model for the sizes it will run at; run any number of rows.",
        epilog="The same compiler under ATC's command line is the command `atc`.",
    )
    parser.add_argument("--version", action="version", version=f"gearshift {__version__}")
    names = parser.add_subparsers(metavar="COMMAND", required=True)
    adders = {
        "compile": _add_compile,
        "run": _add_run,
        "inspect": _add_inspect,
        "tune": _add_tune,
        "cache": _add_cache,
        "bench": _add_bench,
    }
    for (name, add_arguments), function in zip(adders.items(), commands, strict=True):
        summary = (function.__doc__ or "").strip()
        command = names.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=_EXAMPLES if name == "compile" else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(command=function)
        add_arguments(command)
        command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args(list(_joined(argv)))


def artifact_path(model: Path, output: str | None) -> Path:
    """Where ``compile`` writes: a file, or into a folder that is written with a slash.

    Raises:
        OptionError: one of the two names no file, or there is no such folder.
    """
    if model.name in ("", ".."):
        raise OptionError(
            f"the model {str(model)!r} is a folder; name the ONNX file, for example "
            f"{str(model / 'rec.onnx')!r}."
        )
    file = f"{model.stem}.om"
    if output is None:
        return model.with_name(file)
    if not output.strip("/\\") or output in (".", ".."):
        raise OptionError(
            f"--output {output!r} names no file; write for example "
            f"--output {os.path.join(output, file)!r}, or leave it out to write beside the model."
        )
    if not output.endswith(("/", os.sep)):
        return Path(output)
    if not os.path.isdir(output):
        raise OptionError(
            f"--output {output!r} ends like a folder, and there is no such folder; create it, or "
            "leave the slash out to name a file."
        )
    return Path(output, file)


def named_array(text: str) -> tuple[str, Array]:
    """``name=file.npy`` or ``file.npy`` -> name (or "") and array.

    Raises:
        InputError: there is no such file, or it does not hold one plain array.
    """
    name, equals, file = text.rpartition("=")
    if not equals or os.path.isfile(text):
        name, file = "", text
    try:
        with open(file, "rb") as stream:
            magic = stream.read(len(_NPY_MAGIC))
            if magic != _NPY_MAGIC:
                raise InputError(f"{file} {_what_else(magic)}")
            stream.seek(0)
            return name, np.load(stream, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(
            f"{file} does not exist; give NAME=FILE.npy, as numpy.save wrote it."
        ) from None
    except OSError as error:
        raise InputError(f"{file} is not a .npy file that can be read: {error.strerror}.") from None
    except (ValueError, EOFError, MemoryError) as error:
        raise InputError(
            f"{file} begins like a .npy file but is cut off, damaged, or holds Python objects "
            "instead of numbers. Write it again: numpy.save(file, array) with an array of numbers."
        ) from error


def _what_else(magic: bytes) -> str:
    if magic.startswith(_ZIP_MAGIC):
        return (
            "is an archive (.npz?), which may hold several arrays; allowed: a .npy file with one. "
            "Take the array out: numpy.save('x.npy', numpy.load('x.npz')['x'])."
        )
    return (
        "is not a .npy file: it does not begin with numpy's mark. Write it with "
        "numpy.save('x.npy', array)."
    )


def _joined(argv: Sequence[str]) -> Iterator[str]:
    """The words, with a value such as ``-1,4`` tied to its option.

    argparse would take it for an option, and say no more than that one is missing.
    """
    words = iter(argv)
    takes_text = {spelling for spellings in _SPELLINGS.values() for spelling in spellings}
    for word in words:
        if word in takes_text and (value := next(words, None)) is not None:
            is_value = re.match(r"-\d", value)
            yield from (f"{word}={value}",) if is_value else (word, value)
        else:
            yield word


def _add_compile(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("model", type=Path, help="the .onnx file")
    _add_declared(command)
    add("-o", "--output", help="the .om file, or a folder/ (default: beside the model)")
    add("--engine", choices=ENGINE_NAMES[:2], help="compile for one engine only (default: both)")
    add("--precision", choices=PRECISIONS, default="f32", help="of float32 networks (default: f32)")
    add(
        "--separability",
        choices=("proved", "tested"),
        default="proved",
        help="what it takes to pad and split rows (default: the static proof)",
    )
    add("--tolerance", type=float, help="largest relative difference that passes")
    add("--threads", type=_positive, help="threads of one run (default: every core)")
    add("--memory-limit", type=_size, metavar="SIZE", help="what a gear may take, such as 2GiB")
    add("--sample", action="append", default=[], metavar="NAME=FILE.npy", help="rows to verify on")


def _add_declared(command: argparse.ArgumentParser) -> None:
    """What the model is compiled for; without gears and ranges it has one fixed shape."""
    formats = ", ".join(filter(None, INPUT_FORMATS))
    for ours, dest, metavar, what in (
        (_GEARS, "gears", "1,2,4,8", "batch sizes, 2 to 100 of them"),
        (("--image-sizes",), "image_sizes", "H,W;H,W;...", "heights and widths, 2 to 100 of them"),
        (("--dims",), "dims", "1,320;2,640;...", "values for every -1 of --shape, 2 to 100 times"),
        (_SHAPE, "shape", "NAME:DIMS;...", 'input shapes, as "x:-1,3,48,320"'),
        (("--shape-range",), "shape_range", "RANGES", 'without gears: such as "x:[1~8,3,-1]"'),
        (("--input-format",), "input_format", "FORMAT", f"of images: {formats} (default: NCHW)"),
        (("--aipp",), "aipp", "FILE", "AIPP configuration: preprocessing inside the model"),
    ):
        spellings = _SPELLINGS[ours]
        added = command.add_argument(
            *spellings, dest=dest, type=_written, metavar=metavar, help=what
        )
        added.option_strings = spellings[: len(ours)]
    command.add_argument(
        "--pad",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="this input may be padded with VALUE along any dim (checked on real runs)",
    )


def _add_run(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("model", type=Path, help="the .om file")
    add("-i", "--input", action="append", required=True, metavar="NAME=FILE.npy", help="an input")
    add("-o", "--output", type=Path, metavar="DIR", help="folder for the outputs, one .npy each")
    add("--gear", type=_gear, help="run exactly this gear: its rows, or its values as 4,320")
    what = "measure for so long, if it was not measured here yet (default: never)"
    add("--tune", type=_seconds, default=0.0, metavar="SECONDS", help=what)
    what = "give each row the same bits however many come with it"
    add("--batch-invariant", action="store_true", help=what)
    _add_session(command, "run on")


def _add_inspect(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", type=Path, help="the .om file")
    _add_session(command, "show the costs of")


def _add_tune(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("model", type=Path, help="the .om file")
    what = "about how long to measure (default: $GEARSHIFT_TUNE_SECONDS, or 10)"
    add("--seconds", type=_seconds, metavar="S", help=what)
    what = "numbers of rows to show the plans of (default: 1-16, and on to the largest gear)"
    add("--rows", type=_rows, metavar="1-32,64", help=what)
    add("--embed", action="store_true", help="put what was measured into the .om file as well")
    _add_session(command, "measure")


def _add_cache(command: argparse.ArgumentParser) -> None:
    command.add_argument("--clear", action="store_true", help="remove all of it")


def _add_bench(command: argparse.ArgumentParser) -> None:
    add_bench(command)
    what = "measure for so long, if it was not measured here yet (default: never)"
    command.add_argument("--tune", type=_seconds, default=0.0, metavar="SECONDS", help=what)
    _add_session(command, "run on")


def _add_session(command: argparse.ArgumentParser, what_for: str) -> None:
    """What a session is opened with, which is also what costs depend on."""
    add = command.add_argument
    what = f"{what_for} this engine only (default: what is quickest of all)"
    add("--engine", choices=ENGINE_NAMES[:2], help=what)
    add("--threads", type=_positive, help="threads of one run (default: every core)")
    what = f"what programs may take: {', '.join(BUDGETS)}, or such as 200MB (default: balanced)"
    add("--memory-budget", type=_budget, default=BUDGETS[0], metavar="BUDGET", help=what)


def _written(text: str) -> str:
    """An option that is there says something: an empty value is a variable that was never set."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"got {text!r}; write a value, or leave the option out")
    return text


def _positive(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}; allowed: a whole number, 1 or more")
    return int(text)


def _gear(text: str) -> int | tuple[int, ...]:
    """A batch size, or the values of a gear of several."""
    values = text.split(",")
    if not all(re.fullmatch("-?[0-9]{1,10}", value.strip()) for value in values):
        raise argparse.ArgumentTypeError(
            f"got {text!r}; allowed: a whole number, or several with commas, as declared"
        )
    numbers = tuple(int(value) for value in values)
    return numbers if len(numbers) > 1 else numbers[0]


def _size(text: str, words: str = "") -> int:
    """``2GiB``, ``1.5 GB`` or a plain number of bytes; `words` are what else is allowed."""
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)", text)
    unit = _UNITS.get(match[2].lower()) if match else None
    size = int(Decimal(match[1]) * unit) if match and unit else 0
    if size < 1:
        raise argparse.ArgumentTypeError(
            f"got {text!r}; allowed: {words}bytes, or a number with kB, MB, GB, kiB, MiB or GiB. "
            "Write for example 2GiB"
        )
    return size


def _budget(text: str) -> str | int:
    return text if text in BUDGETS else _size(text, f"{', '.join(BUDGETS)}, ")


def _seconds(text: str) -> float:
    seconds = read_seconds(text)
    if seconds is None:
        raise argparse.ArgumentTypeError(f"got {text!r}; allowed: a number of seconds, such as 2.5")
    return seconds


def _rows(text: str) -> tuple[int, ...]:
    """``1-32,64``: single numbers and ranges."""
    rows: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch("([0-9]{1,9})(?:-([0-9]{1,9}))?", part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last:
            raise argparse.ArgumentTypeError(
                f"got {text!r}; allowed: numbers of 1 or more and ranges. Write for example 1-32,64"
            )
        # Each is planned and shown piece by piece, so it is the rows in all that take time.
        if (first + last) * (last - first + 1) // 2 + sum(rows) > _MOST_ROWS:
            raise argparse.ArgumentTypeError(
                f"got {text!r}; allowed: numbers that make {_MOST_ROWS} together, such as 1-1000. "
                "Name fewer or smaller ones"
            )
        rows.update(range(first, last + 1))
    return tuple(sorted(rows))
