"""``gearshift bench``: runs a model as ais_bench and msame do, and says how long it took."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from gearshift.bench import setting as settings
from gearshift.bench.aipp_file import read_aipp_file, with_images
from gearshift.bench.jobs import Job, jobs_by_shape, jobs_of_files
from gearshift.bench.latency import Latency
from gearshift.bench.outputs import make_folder
from gearshift.bench.runner import Record, Runner, Saving
from gearshift.bench.setting import Setting
from gearshift.bench.summary import file_summary, screen_summary, write_summary
from gearshift.bench.sweep import parse_sweep
from gearshift.cli import screen
from gearshift.cli.bench_words import given_idle
from gearshift.cli.console import write, write_json
from gearshift.cli.progress import share_printer
from gearshift.errors import OptionError
from gearshift.gears.gear import GearSet
from gearshift.opening import gear_set
from gearshift.session import Session, load
from gearshift.tensors import MBATCH_INPUT

_CHOICES: Final = ("dymBatch", "dymHW", "dymDims", "dymShape", "dymShape_range")
_AUTOS: Final = ("auto_set_dymdims_mode", "auto_set_dymshape_mode")
_COLUMNS: Final = ("time", "min", "max", "mean", "median", "p99", "runs", "rows/s")


def bench(arguments: argparse.Namespace) -> None:
    """Runs it.

    Raises:
        OptionError: an option is wrong, or does not go with the model.
        InputError: files do not fit the inputs.
        ArtifactError: the model cannot be used.
        EngineError: the engine failed.
    """
    path = _model_path(arguments)
    _check_together(arguments)
    for name, why in given_idle(arguments).items():
        _note(f"--{name} changes nothing here: {why}")
    with load(
        path,
        engine=arguments.engine,
        threads=arguments.threads,
        tune=arguments.tune,
        memory_budget=arguments.memory_budget,
    ) as model:
        gears = gear_set(model.manifest)
        jobs = _jobs(arguments, model, gears)
        folder = _folder(arguments)
        runner = Runner(
            model,
            arguments.loop,
            arguments.warmup_count,
            _saving(arguments, folder),
        )
        try:
            with share_printer() as on_progress:
                runner.run(jobs, on_progress)
        finally:  # what was run before Ctrl-C, or before a file that does not do, is kept
            _report(arguments, runner.record, folder)


def _model_path(arguments: argparse.Namespace) -> Path:
    words: tuple[Path | None, ...] = (arguments.model, arguments.model_option)
    given = {path for path in words if path is not None}
    if len(given) != 1:
        seen = " and ".join(str(path) for path in sorted(given)) or "none"
        raise OptionError(f"got {seen} for the model; give one: --model rec.om.")
    return given.pop()


def _check_together(arguments: argparse.Namespace) -> None:
    chosen = [name for name in (*_CHOICES, *_AUTOS) if getattr(arguments, name)]
    if len(chosen) > 1 and not set(chosen) <= set(_AUTOS):
        raise OptionError(f"{_dashed(chosen)} exclude each other; give one of them.")
    if set(chosen) & set(_AUTOS) and not arguments.input:
        raise OptionError(f"{_dashed(chosen)} takes shapes from .npy files; add --input.")
    if arguments.dymShape_range and arguments.input:
        raise OptionError("--dymShape_range runs on generated data; leave --input out.")
    if arguments.output_dirname and not arguments.output:
        raise OptionError("--output_dirname names a folder inside --output; add that.")
    if arguments.profiler and arguments.dump:
        raise OptionError("--profiler and --dump exclude each other; give one of them.")
    if arguments.aipp_config and (set(chosen) & set(_AUTOS) or arguments.dymShape_range):
        raise OptionError(f"--aipp_config does not go with {_dashed(chosen)}; leave one out.")


def _jobs(arguments: argparse.Namespace, model: Session, gears: GearSet) -> list[Job]:
    images = _image_inputs(arguments, model, gears)
    if any(getattr(arguments, name) for name in _AUTOS):
        return jobs_by_shape(gears, arguments.input)
    chosen, specs, extra = _settings(arguments, gears), gears.inputs, {}
    for image, parameters_name in images:
        parameters = read_aipp_file(Path(arguments.aipp_config))
        specs, chosen[0] = with_images(specs, chosen[0], image, parameters)
        extra[parameters_name] = parameters
    if arguments.input:
        made = jobs_of_files(specs, arguments.input, chosen[0], _note)
    else:
        made = [Job(setting, specs, pure=arguments.pure_data_type) for setting in chosen]
    return [replace(job, extra=extra) for job in made]


def _image_inputs(
    arguments: argparse.Namespace, model: Session, gears: GearSet
) -> list[tuple[str, str]]:
    """The input that takes source images, if one does, and the one of its parameters."""
    own = {spec.name: spec for spec in gears.inputs}
    images = [spec.name for spec in model.inputs if own.get(spec.name, spec) != spec]
    extra = [spec.name for spec in model.inputs if spec.name not in {*own, MBATCH_INPUT}]
    if arguments.aipp_config and len(extra) != 1:
        raise OptionError(
            f"--aipp_config is for models with dynamic AIPP of one input; this one has {len(extra)}"
            " such inputs. Leave it out."
        )
    if extra and not arguments.aipp_config:
        raise OptionError(
            f"the model takes {', '.join(extra)} with each call: its dynamic AIPP has to be told "
            "what to do. Add --aipp_config FILE, or use gearshift.AippParameters in Python."
        )
    return list(zip(images, extra, strict=True))


def _settings(arguments: argparse.Namespace, gears: GearSet) -> list[Setting]:
    if arguments.dymBatch:
        return [settings.set_batch(gears, arguments.dymBatch)]
    if arguments.dymHW:
        return [settings.set_image(gears, *arguments.dymHW)]
    if arguments.dymDims:
        return [settings.set_dims(gears, settings.parse_shapes("--dymDims", arguments.dymDims))]
    if arguments.dymShape:
        return [settings.set_shape(gears, settings.parse_shapes("--dymShape", arguments.dymShape))]
    if arguments.dymShape_range:
        return [settings.set_shape(gears, one) for one in parse_sweep(arguments.dymShape_range)]
    return [settings.set_static(gears)]


def _folder(arguments: argparse.Namespace) -> Path | None:
    if arguments.output is None:
        return None
    # Local time without a zone, which is how ais_bench names it.
    stamp = datetime.datetime.now().strftime("%Y_%m_%d-%H_%M_%S")
    return make_folder(arguments.output / (arguments.output_dirname or stamp))


def _saving(arguments: argparse.Namespace, folder: Path | None) -> Saving | None:
    if folder is None:
        return None
    return Saving(folder, arguments.outfmt, arguments.output_batchsize_axis)


def _report(arguments: argparse.Namespace, record: Record, folder: Path | None) -> None:
    rows = float(arguments.batchsize or record.rows)
    summary = folder and folder.with_name(f"{folder.name}_summary.json")
    if not record.samples:
        return
    if summary:
        write_summary(summary, file_summary(record, _plain(arguments), rows))
    if arguments.json:
        places = {"folder": folder and str(folder), "summary": summary and str(summary)}
        write_json({**screen_summary(record, rows), **places})
        return
    _print(record, rows, each=arguments.display_all_summary)
    if summary:
        write(f"wrote {sum(len(files) for _, files in record.files)} files to {folder}")
        write(f"wrote {summary}")


def _print(record: Record, rows: float, *, each: bool) -> None:
    """A table, and two lines as ais_bench writes them, which scripts look for."""
    engine, caller = record.engine, record.caller
    lines = [_line("engine", engine, rows), _line("caller", caller, rows)]
    if each:
        for setting, samples in record.by_setting():
            mine = float(setting.rows)
            engines = Latency.of([sample.engine for sample in samples])
            callers = Latency.of([sample.caller for sample in samples])
            lines.append(_line(f"engine {setting}", engines, mine))
            lines.append(_line(f"caller {setting}", callers, mine))
    screen.print_table(screen.out(), _COLUMNS, lines, ("time",), _COLUMNS[1:])
    write(
        f"[INFO] NPU_compute_time (ms): min = {engine.min:.5g}, max = {engine.max:.5g}, "
        f"mean = {engine.mean:.5g}, median = {engine.median:.5g}, "
        f"percentile(99%) = {engine.p99:.5g}"
    )
    write(
        f"[INFO] throughput 1000*batchsize.mean({rows:g})/NPU_compute_time.mean"
        f"({engine.mean:.6g}): {engine.throughput(rows):.6g}"
    )


def _line(name: str, latency: Latency, rows: float) -> Sequence[str]:
    times = (latency.min, latency.max, latency.mean, latency.median, latency.p99)
    shown = (f"{time:.3f} ms" for time in times)
    return (name, *shown, str(latency.count), f"{latency.throughput(rows):.1f}")


def _plain(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, in what JSON has."""
    return {
        name: str(value) if isinstance(value, Path) else value
        for name, value in vars(arguments).items()
        if name not in ("command", "model_option")
    }


def _dashed(names: Sequence[str]) -> str:
    return " and ".join(f"--{name}" for name in names)


def _note(text: str) -> None:
    write(f"note: {text}", sys.stderr)
