"""What ``atc`` does in the modes that compile nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from gearshift.cli import console
from gearshift.cli.atc_argv import Args
from gearshift.cli.atc_info import show_model
from gearshift.cli.atc_inputs import inputs
from gearshift.cli.atc_json import (
    artifact_to_json,
    onnx_to_json,
    reading_om,
    refuse_to_overwrite,
)
from gearshift.cli.atc_report import check_model, report_path
from gearshift.options import CompileOptions

MakeOptions = Callable[[Args], CompileOptions]


def run_mode(args: Args, make_options: MakeOptions) -> None:
    """Does what a mode other than 0 asks for; the command line passed every check.

    Args:
        args: the command line.
        make_options: from a command line to the compiler's options.

    Raises:
        GearshiftError: it cannot be done.
        OSError: a file cannot be written.
    """
    _MODES[args.number("mode")](args, make_options)


def _convert(args: Args, make_options: MakeOptions) -> None:
    om, target = Path(args["om"]), Path(args["json"])
    refuse_to_overwrite("json", target, om)
    if args.number("framework") < 0:
        artifact_to_json(om, target)
    else:
        onnx_to_json(om, target, inputs(args)[0] if args["dump_mode"] == "1" else None)
    console.write(f"wrote {target}")


def _check(args: Args, make_options: MakeOptions) -> None:
    # This mode takes no --output, which the compiler's options cannot do without.
    options = make_options(Args({**args.given, "output": args["output"] or "none"}))
    target = report_path(args)
    refuse_to_overwrite("check_report", target, options.model)
    console.write(check_model(options, target))


def _show(args: Args, make_options: MakeOptions) -> None:
    om = Path(args["om"])
    with reading_om(om):
        show_model(om)


_MODES: Final[Mapping[int, Callable[[Args, MakeOptions], None]]] = {
    1: _convert,
    3: _check,
    6: _show,
}
