"""What ``atc`` does: flags -> checks -> one call of the compiler -> report."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gearshift._version import __version__
from gearshift.aipp.file import read_aipp
from gearshift.cli import atc_output as out
from gearshift.cli import console
from gearshift.cli.atc_argv import Args, UsageError, parse_argv
from gearshift.cli.atc_checks import check_log, find_errors
from gearshift.cli.atc_flags import FLAGS
from gearshift.cli.atc_inputs import gears, inputs
from gearshift.cli.atc_paths import make_parents
from gearshift.cli.atc_refusals import notes
from gearshift.cli.logs import log_on_stderr
from gearshift.errors import EngineError, GearshiftError, ModelError
from gearshift.options import CompileOptions

if TYPE_CHECKING:
    from gearshift.compiler import CompileReport

OK: Final = 0
USAGE: Final = 1
FAILED: Final = 255
"""ATC returns -1, which a shell shows as 255."""


def run(argv: Sequence[str]) -> int:
    """Runs atc on the words after the program's name.

    Returns:
        Exit status: 0, 1 (unknown flag) or 255 (failed).
    """
    try:
        args = parse_argv(argv)
    except UsageError as error:
        console.write(f"ERROR: {error.message}", sys.stderr)
        return USAGE
    if args.is_on("h") or args.is_on("help"):
        console.write(out.help_text())
        return OK
    if args.is_on("version"):
        console.write(f"atc (gearshift) {__version__}")
        return OK
    return _run(args)


def _run(args: Args) -> int:
    console.write(out.START)
    if log_errors := list(check_log(args)):
        # ATC prints this one by itself, ahead of the failure line.
        for line in out.error_lines(log_errors):
            console.write(line)
        out.write_failure(())
        return FAILED
    if errors := find_errors(args):
        out.write_failure(errors)
        return FAILED
    out.write_notes(notes(args))
    try:
        with log_on_stderr(args["log"], "[%(levelname)s] %(name)s: %(message)s"):
            warnings = _act(args)
    except GearshiftError as error:
        out.write_failure([error])
        return FAILED
    except OSError as error:
        out.write_failure([GearshiftError(f"reading or writing a file failed: {error}")])
        return FAILED
    console.write(out.SUCCESS)
    out.write_warnings(warnings)
    return OK


def _act(args: Args) -> Sequence[str]:
    """Does what the mode asks for; gives the compiler's warnings."""
    # Imported here so that help, version and every refusal answer at once.
    from gearshift.cli.atc_info import show_model
    from gearshift.cli.atc_json import refuse_to_overwrite
    from gearshift.cli.atc_modes import run_mode
    from gearshift.cli.atc_report import report_failures, report_path

    if args.number("mode"):
        run_mode(args, compile_options)
        return ()
    options = compile_options(args)
    check_report = report_path(args)
    refuse_to_overwrite("check_report", check_report, options.model, options.artifact)
    try:
        report = _compile(options)
    except (ModelError, EngineError):
        if note := report_failures(options, check_report):
            out.write_notes([note])
        raise
    if args["display_model_info"] == "1":
        show_model(report.output)
    return report.warnings


def compile_options(args: Args) -> CompileOptions:
    """The compiler's options for a command line that passed every check.

    Raises:
        OptionError: the AIPP configuration cannot be read (E19018).
    """
    shapes, ranges = inputs(args)
    return CompileOptions(
        model=Path(args["model"]),
        output=Path(args["output"]),
        input_shape=shapes,
        dynamic_batch_size=tuple(size for (size,) in gears(args, "dynamic_batch_size")),
        dynamic_image_size=gears(args, "dynamic_image_size"),
        dynamic_dims=gears(args, "dynamic_dims"),
        input_shape_range=ranges,
        input_format=args["input_format"],
        aipp=read_aipp("--insert_op_conf", args["insert_op_conf"]),
        soc_version=args["soc_version"] or None,
        command=_recorded(args),
    )


def _recorded(args: Args) -> str:
    """The command line for the artifact, where no path may make a difference to the bytes."""
    words = (
        f"--{name}={Path(value).name if FLAGS[name].kind == 'path' else value}"
        for name, value in args.given.items()
        if name != "output"
    )
    return shlex.join(["atc", *words])


def _compile(options: CompileOptions) -> CompileReport:
    from gearshift.cli.progress import progress_printer
    from gearshift.cli.report import print_report
    from gearshift.compiler import compile_model

    make_parents(options.artifact)
    with progress_printer() as on_progress:
        report = compile_model(options, on_progress)
    print_report(report)
    return report
