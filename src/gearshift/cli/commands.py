"""What the commands of `gearshift` do."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from gearshift.aipp.file import read_aipp
from gearshift.cli.arguments import artifact_path, named_array, parse
from gearshift.cli.console import write, write_json
from gearshift.cli.logs import log_on_stderr
from gearshift.errors import GearshiftError, OptionError, OptionErrors
from gearshift.options import CompileOptions
from gearshift.tensors import Array

_LONGEST_NAME: Final = 200
"""Bytes of an output's name in its file's name; file systems stop at 255."""


def run(argv: Sequence[str] | None) -> int:
    """Runs the command that the words ask for; None takes this process's own.

    Returns:
        0, or the failing error's exit code.
    """
    commands = (_compile, _run, _inspect, _tune, _cache, _bench)
    arguments = parse(sys.argv[1:] if argv is None else argv, commands)
    try:
        with log_on_stderr("warning", "gearshift: %(message)s"):
            arguments.command(arguments)
    except GearshiftError as error:
        for fault in error.errors if isinstance(error, OptionErrors) else (error,):
            label = f"error {fault.code}" if fault.code else "error"
            write(f"gearshift: {label}: {fault}", sys.stderr)
        return error.exit_code
    return 0


def _compile(arguments: argparse.Namespace) -> None:
    """Compile an ONNX model for batch sizes, image sizes, any dims, or one shape."""
    from gearshift.artifact.codec import encode
    from gearshift.cli.progress import progress_printer
    from gearshift.cli.report import print_report
    from gearshift.compiler import compile_model

    options = compile_options(arguments)
    with progress_printer() as on_progress:
        report = compile_model(options, on_progress)
    if arguments.json:
        manifest = encode(report.manifest)
        write_json({"output": str(report.output), "bytes": report.nbytes, "manifest": manifest})
        return
    print_report(report)
    for warning in report.warnings:
        write(f"warning: {warning}", sys.stderr)


def compile_options(arguments: argparse.Namespace) -> CompileOptions:
    """The compiler's options for the words of ``compile``.

    Raises:
        OptionError: a value breaks its grammar.
        OptionErrors: a list of gears was given that holds none.
    """
    from gearshift.gears import parse as grammar
    from gearshift.gears.checks import check_gear_list, count_open_dims
    from gearshift.gears.shape_range import read_inputs

    batches, images, dims = arguments.gears, arguments.image_sizes, arguments.dims
    shapes, ranges = read_inputs(
        arguments.shape or "", arguments.shape_range or "", gears=bool(batches or images or dims)
    )
    sizes = grammar.parse_batch_sizes(batches or "")
    if batches and not sizes:  # "," alone: not the same as a model without gears
        raise OptionErrors(check_gear_list(sizes))
    return CompileOptions(
        model=arguments.model,
        output=artifact_path(arguments.model, arguments.output),
        input_shape=shapes,
        dynamic_batch_size=sizes,
        dynamic_image_size=grammar.parse_image_sizes(images) if images else (),
        dynamic_dims=grammar.parse_dims(dims, count_open_dims(shapes) or None) if dims else (),
        input_shape_range=ranges,
        input_format=arguments.input_format or "",
        aipp=read_aipp("--aipp", arguments.aipp or ""),
        pad=grammar.parse_pads(arguments.pad),
        engine=arguments.engine,
        precision=arguments.precision,
        separability=arguments.separability,
        tolerance=arguments.tolerance,
        threads=arguments.threads,
        memory_limit=arguments.memory_limit,
        sample_inputs=_samples(arguments.model, arguments.sample) or None,
    )


def _run(arguments: argparse.Namespace) -> None:
    """Run a compiled model on arrays from files."""
    from gearshift.cli.frames import runs_line, size_text
    from gearshift.cli.report import print_run
    from gearshift.opening import gear_set
    from gearshift.session import load

    given = [named_array(text) for text in arguments.input]
    with load(
        arguments.model,
        engine=arguments.engine,
        threads=arguments.threads,
        tune=arguments.tune,
        memory_budget=arguments.memory_budget,
        batch_invariant=arguments.batch_invariant,
    ) as model:
        gears = gear_set(model.manifest)
        feeds = _by_name("--input", given, [spec.name for spec in gears.inputs])
        start = time.perf_counter()
        outputs = model.run(feeds, gear=arguments.gear)
        seconds = time.perf_counter() - start
        runs = {
            size_text(gears, number, rows): stats.runs
            for number, sizes in enumerate(model.stats().frames)
            for rows, stats in sizes.items()
        }
    files = save_outputs(outputs, arguments.output) if arguments.output else {}
    if arguments.json:
        shapes = {name: list(array.shape) for name, array in outputs.items()}
        write_json({"runs": runs, "seconds": seconds, "shapes": shapes, "files": files})
    else:
        print_run(outputs, files, runs_line(gears, runs), seconds)


def _inspect(arguments: argparse.Namespace) -> None:
    """Show what an artifact holds, and what is known of its costs here."""
    from gearshift.artifact.codec import encode
    from gearshift.artifact.reader import Artifact
    from gearshift.cli.inspection import aipp_json, print_artifact
    from gearshift.cli.known import known_costs, known_json, print_known

    with Artifact.open(arguments.model) as artifact:
        known = known_costs(artifact, arguments)
        if arguments.json:
            write_json(
                {
                    "bytes": artifact.size,
                    "identity": artifact.identity,
                    "parts": encode(artifact.parts),
                    "manifest": encode(artifact.manifest),
                    "aipp": aipp_json(artifact.manifest),
                    **known_json(known),
                }
            )
            return
        print_artifact(artifact, known.facts)
        print_known(known)


def _tune(arguments: argparse.Namespace) -> None:
    """Measure what runs an artifact quickest on this host, and keep it."""
    from gearshift.cli.tuning import tune

    tune(arguments)


def _cache(arguments: argparse.Namespace) -> None:
    """Show or clear what was measured and built on this host."""
    from gearshift.cli.cache import show_cache

    show_cache(arguments)


def _bench(arguments: argparse.Namespace) -> None:
    """Run a model from files as ais_bench and msame do, and say how long it takes."""
    from gearshift.cli.bench import bench

    bench(arguments)


def save_outputs(outputs: Mapping[str, Array], folder: Path) -> dict[str, str]:
    """Writes one .npy per output.

    Returns:
        The file of each, by output name.

    Raises:
        OptionError: the folder or a file in it cannot be written.
    """
    files: dict[str, str] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for (name, array), bare in zip(outputs.items(), _bare_names(outputs), strict=True):
            file = folder / f"{bare}.npy"
            np.save(file, array)
            files[name] = str(file)
    except OSError as error:
        raise OptionError(f"--output {folder}: {error.strerror}. Choose another folder.") from error
    return files


def _bare_names(names: Iterable[str]) -> list[str]:
    """A file name for each, all of them different even where a file system ignores case."""
    bare_names: list[str] = []
    used: set[str] = set()
    for index, name in enumerate(names):
        safe = re.sub(r"[^\w.-]", "_", name).encode()[:_LONGEST_NAME].decode(errors="ignore")
        plain = bare = safe if safe.strip("._") else f"output_{index}"
        number = 1
        while bare.casefold() in used:
            number += 1
            bare = f"{plain}_{number}"
        used.add(bare.casefold())
        bare_names.append(bare)
    return bare_names


def _samples(model: Path, texts: Sequence[str]) -> dict[str, Array]:
    given = [named_array(text) for text in texts]
    if all(name for name, _ in given):
        return _by_name("--sample", given, ())
    from gearshift.frontend.onnx import load_program

    return _by_name("--sample", given, [spec.name for spec in load_program(model).inputs])


def _by_name(
    option: str, given: Sequence[tuple[str, Array]], names: Sequence[str]
) -> dict[str, Array]:
    """The arrays by input name, which need not be written where there is but one input."""
    if len(names) == 1:
        given = [(name or names[0], array) for name, array in given]
    arrays = dict(given)
    if len(arrays) < len(given) or "" in arrays:
        takes = f"; this model takes {', '.join(names)}" if names else ""
        raise OptionError(
            f"{option} has to name each array once{takes}. "
            f"Write {option} {names[0] if names else 'NAME'}=FILE.npy for each."
        )
    return arrays
