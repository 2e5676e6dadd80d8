"""What atc takes well-formed and still cannot do here, each with the reason; and the notes.

A flag that would change the compiled model is refused, never ignored; one that only steers how an
Ascend card is used is accepted with a note.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gearshift.cli.atc_argv import Args
from gearshift.cli.atc_flags import FLAGS, FRAMEWORKS
from gearshift.cli.atc_inputs import inputs
from gearshift.errors import OptionError
from gearshift.gears.text import shown

_MODES: Final = {
    5: "nothing here dumps graphs as Ascend's text; --mode=1 converts the models themselves",
}
_WAYS_TO_ONNX: Final = {
    0: "convert it to ONNX",
    1: "export it as ONNX (mindspore.export with file_format='ONNX')",
    3: "convert it to ONNX (python -m tf2onnx.convert)",
}


def refuse_mode(args: Args) -> Iterator[OptionError]:
    """Modes that there is no use for here."""
    mode = args.number("mode")
    if mode in _MODES:
        yield OptionError(
            f"--mode={mode} is refused: {_MODES[mode]}. Allowed: 0 (compile), 1 (convert to JSON), "
            "3 (check only), 6 (show a model)."
        )


def refuse_framework(args: Args) -> Iterator[OptionError]:
    """Frameworks other than ONNX."""
    framework = args.number("framework")
    if framework in _WAYS_TO_ONNX:
        yield OptionError(
            f"--framework={framework}: {FRAMEWORKS[framework]} models are not read in this "
            f"version; allowed: 5 (ONNX). To go on, {_WAYS_TO_ONNX[framework]} and give "
            "--framework=5."
        )


def refuse_flags(args: Args) -> Iterator[OptionError]:
    """Flags that the table marks as refused, and the values of accepted ones that it rules out."""
    for name, value in args.given.items():
        flag = FLAGS[name]
        if flag.status == "refused" and flag.asks_for_something(value):
            yield OptionError(
                f"--{name}={shown(value)} is refused: {flag.note}. Leave the flag out to go on."
            )
    if args["output_type"] not in ("", "FP32"):
        yield OptionError(
            f"--output_type={shown(args['output_type'])} is refused: outputs keep the types the "
            "model gives them; allowed: FP32, or nothing. Put a Cast behind the output in the "
            "model, or convert the array that run() returns."
        )


def notes(args: Args) -> list[str]:
    """One line for each flag that was given and has no effect here, and for what is easily missed.

    The command line is one that passed every check.
    """
    lines = [
        f"--{name}={shown(value)}: {FLAGS[name].note}."
        for name, value in args.given.items()
        if FLAGS[name].status == "accepted" and FLAGS[name].asks_for_something(value)
    ]
    compiles = args.number("mode") in (0, 3)
    if compiles and not args["input_shape_range"] and inputs(args)[1]:
        lines.append(
            f"--input_shape={shown(args['input_shape'])}: no gears are declared, so -1 and ranges "
            "are left open; for a program of each size, declare them, for example with "
            "--dynamic_batch_size."
        )
    return lines
