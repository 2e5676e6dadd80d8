"""Compiling the three models: the recogniser through ``atc``, the others through the API."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import gearshift
from examples.ocr.models import DemoError, OcrModels, find_models
from examples.ocr.pages import PAGE_HEIGHT, PAGE_WIDTH
from examples.ocr.recognise import CLASSIFIER_SHAPE, RECOGNISER_SHAPE
from examples.ocr.show import Show

GEARS = (1, 2, 4, 8, 16)
DETECTOR_GEARS = (1, 2)


def copy_models(folder: Path) -> OcrModels:
    """The models under short names, so that the commands shown are short too."""
    folder.mkdir(parents=True, exist_ok=True)
    found = find_models()
    copies = OcrModels(folder / "det.onnx", folder / "cls.onnx", folder / "rec.onnx")
    shutil.copyfile(found.detector, copies.detector)
    shutil.copyfile(found.classifier, copies.classifier)
    shutil.copyfile(found.recogniser, copies.recogniser)
    return copies


def compile_all(models: OcrModels, threads: int, show: Show) -> None:
    """Writes an ``.om`` beside each model."""
    _with_atc(models.recogniser, show)
    page_shape = (3, PAGE_HEIGHT, PAGE_WIDTH)
    _with_api(models.detector, page_shape, DETECTOR_GEARS, threads, show)
    _with_api(models.classifier, CLASSIFIER_SHAPE, GEARS, threads, show)


def _with_atc(model: Path, show: Show) -> None:
    """Compiles through the command line, in a process of its own, as a person would."""
    shape = ",".join(map(str, (-1, *RECOGNISER_SHAPE)))
    gears = ",".join(map(str, GEARS))
    first = [f"--model={model.name}", "--framework=5", f"--output={model.stem}"]
    second = [f"--input_shape=x:{shape}", f"--dynamic_batch_size={gears}"]
    third = ["--soc_version=Ascend310P3"]
    show.line(f"$ cd {model.parent}", "dim")
    show.line(f"$ atc {' '.join(map(_quoted, first))} \\", "bold")
    show.line(f"      {' '.join(map(_quoted, second))} \\", "bold")
    show.line(f"      {' '.join(third)}", "bold")
    show.flush()
    command = [sys.executable, "-m", "gearshift.cli.atc", *first, *second, *third]
    status = subprocess.run(command, cwd=model.parent, check=False).returncode
    if status:
        raise DemoError(f"atc ended with status {status}; what it says is above")


def _quoted(flag: str) -> str:
    name, _, value = flag.partition("=")
    return f'{name}="{value}"' if "," in value else flag


def _with_api(
    model: Path, shape: tuple[int, ...], gears: tuple[int, ...], threads: int, show: Show
) -> None:
    """Compiles through Python."""
    output = model.with_suffix(".om")
    row = ", ".join(map(str, shape))
    show.line()
    show.line(f'>>> gearshift.compile("{model.name}", output="{output.name}",', "bold")
    show.line(f'...                   input_shape={{"x": (-1, {row})}},', "bold")
    show.line(f"...                   dynamic_batch_size={list(gears)})", "bold")
    report = gearshift.compile(
        model,
        output=output,
        input_shape={"x": (-1, *shape)},
        dynamic_batch_size=gears,
        threads=threads,
    )
    show.report(report)
