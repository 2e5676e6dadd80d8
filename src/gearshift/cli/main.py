"""The `gearshift` command: compile, run, inspect."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from gearshift._version import __version__
from gearshift.cli import console
from gearshift.engines.registry import ENGINE_NAMES
from gearshift.errors import GearshiftError, InputError, OptionError, OptionErrors
from gearshift.options import PRECISIONS, CompileOptions
from gearshift.tensors import Array, format_shape

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0, or the failing error's exit code (1 in most cases, 2 for a wrong command line, 130 after
        Ctrl-C).
    """
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], None] = arguments.command
    try:
        command(arguments)
    except GearshiftError as error:
        for fault in error.errors if isinstance(error, OptionErrors) else (error,):
            label = f"error {fault.code}" if fault.code else "error"
            sys.stderr.write(f"gearshift: {label}: {fault}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("gearshift: interrupted\n")
        return _INTERRUPTED
    return 0


def _compile(arguments: argparse.Namespace) -> None:
    """Compile an ONNX model for a list of batch sizes."""
    from gearshift.artifact.codec import encode
    from gearshift.cli.progress import progress_printer
    from gearshift.cli.report import print_report
    from gearshift.compiler import compile_model
    from gearshift.gears.parse import parse_batch_sizes, parse_input_shape

    options = CompileOptions(
        model=arguments.model,
        output=arguments.output or arguments.model.with_suffix(".om"),
        input_shape=dict(parse_input_shape(arguments.shape)) if arguments.shape else {},
        dynamic_batch_size=parse_batch_sizes(arguments.gears),
        engine=arguments.engine,
        precision=arguments.precision,
        separability=arguments.separability,
        tolerance=arguments.tolerance,
        threads=arguments.threads,
        memory_limit=arguments.memory_limit,
        sample_inputs=dict(map(_named_array, arguments.sample)) or None,
    )
    with progress_printer() as on_progress:
        report = compile_model(options, on_progress)
    if arguments.json:
        manifest = encode(report.manifest)
        _print_json({"output": str(report.output), "bytes": report.nbytes, "manifest": manifest})
        return
    print_report(report)
    for warning in report.warnings:
        sys.stderr.write(f"warning: {warning}\n")


def _run(arguments: argparse.Namespace) -> None:
    """Run a compiled model on arrays from files."""
    from gearshift.session import load

    given = [_named_array(text) for text in arguments.input]
    with load(arguments.model, engine=arguments.engine, threads=arguments.threads) as model:
        alone = [spec.name for spec in model.inputs[:-1]]
        if len(alone) == 1:  # then the name need not be written
            given = [(name or alone[0], array) for name, array in given]
        if len({name for name, _ in given}) < len(given) or "" in dict(given):
            raise OptionError(
                f"--input has to name each array once; this model takes {', '.join(alone)}. "
                f"Write --input {alone[0]}=FILE.npy for each."
            )
        start = time.perf_counter()
        outputs = model.run(dict(given), gear=arguments.gear)
        seconds = time.perf_counter() - start
        runs = {str(gear): stats.runs for gear, stats in model.stats().gears.items()}
    files = _save(outputs, arguments.output)
    if arguments.json:
        shapes = {name: list(array.shape) for name, array in outputs.items()}
        _print_json({"runs": runs, "seconds": seconds, "shapes": shapes, "files": files})
        return
    out = console.out()
    table = console.table("output", "dtype", "shape", "file")
    for name, array in outputs.items():
        table.add_row(name, str(array.dtype), format_shape(array.shape), files.get(name, "-"))
    out.print(table)
    ran = ", ".join(f"gear {gear} x {count}" for gear, count in runs.items()) or "nothing to run"
    out.print(f"{ran}; {seconds * 1000:.1f} ms, building gears included")


def _inspect(arguments: argparse.Namespace) -> None:
    """Show what an artifact holds."""
    from gearshift.artifact.codec import encode
    from gearshift.artifact.reader import Artifact
    from gearshift.cli.report import print_artifact

    with Artifact.open(arguments.model) as artifact:
        if arguments.json:
            parts = [encode(part) for part in artifact.parts]
            manifest = encode(artifact.manifest)
            _print_json({"bytes": artifact.size, "parts": parts, "manifest": manifest})
        else:
            print_artifact(artifact)


def _save(outputs: dict[str, Array], folder: Path | None) -> dict[str, str]:
    if folder is None:
        return {}
    files: dict[str, str] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for index, (name, array) in enumerate(outputs.items()):
            safe = re.sub(r"[^\w.-]", "_", name)
            taken = f"{safe}.npy" in files.values() or not safe.strip("._")
            file = folder / (f"{index}_{safe}.npy" if taken else f"{safe}.npy")
            np.save(file, array)
            files[name] = str(file)
    except OSError as error:
        raise OptionError(f"--output {folder}: {error.strerror}. Choose another folder.") from error
    return files


def _named_array(text: str) -> tuple[str, Array]:
    """``name=file.npy`` or ``file.npy`` -> name (or "") and array."""
    name, equals, file = text.rpartition("=")
    if not equals or Path(text).is_file():
        name, file = "", text
    try:
        return name, np.load(file, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(
            f"{file} does not exist; give NAME=FILE.npy, as numpy.save wrote it."
        ) from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file} is not a .npy file that can be read: {error}.") from error


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gearshift",
        description="Compile a model for a list of batch sizes; run any number of rows.",
        epilog="The same compiler under ATC's command line is the command `atc`.",
    )
    parser.add_argument("--version", action="version", version=f"gearshift {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_compile(_add_command(commands, "compile", _compile))
    _add_run(_add_command(commands, "run", _run))
    inspect = _add_command(commands, "inspect", _inspect)
    inspect.add_argument("model", type=Path, help="the .om file")
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def _add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    function: Callable[[argparse.Namespace], None],
) -> argparse.ArgumentParser:
    summary = (function.__doc__ or "").strip()
    command = commands.add_parser(name, help=summary, description=summary)
    command.set_defaults(command=function)
    return command


def _add_compile(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("model", type=Path, help="the .onnx file")
    add("-g", "--gears", required=True, metavar="1,2,4,8", help="batch sizes, 2 to 100 of them")
    add("-s", "--shape", metavar="NAME:DIMS;...", help='input shapes, as "x:-1,3,48,320"')
    add("-o", "--output", type=Path, help="the .om file (default: beside the model)")
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
    add("--memory-limit", type=_positive, metavar="BYTES", help="what a gear may take")
    add("--sample", action="append", default=[], metavar="NAME=FILE.npy", help="rows to verify on")


def _add_run(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("model", type=Path, help="the .om file")
    add("-i", "--input", action="append", required=True, metavar="NAME=FILE.npy", help="an input")
    add("-o", "--output", type=Path, metavar="DIR", help="folder for the outputs, one .npy each")
    add("--gear", type=int, help="run exactly this gear")
    add("--engine", choices=ENGINE_NAMES[:2], help="engine to run on")
    add("--threads", type=_positive, help="threads of one run (default: every core)")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


if __name__ == "__main__":
    raise SystemExit(main())
