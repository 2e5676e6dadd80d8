"""Reads pages with PP-OCR models compiled for gears, then times the recogniser by crop count.

Run with ``make demo``, or ``python examples/ocr/demo.py [--quick] [--seconds S] [--threads N]``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # a script sees its own folder only

from benchmarks.host import versions
from benchmarks.worker import WorkerError

import gearshift
from examples.ocr import pages
from examples.ocr.build import compile_all, copy_models
from examples.ocr.models import DemoError, OcrModels, characters
from examples.ocr.reader import Reading, open_reader, save_picture
from examples.ocr.show import Show
from examples.ocr.timing import compare_with_reference, save_rows, time_contenders
from gearshift.placing import usable_cores
from gearshift.tuning.cpu import cpu_name

BUILD = Path(__file__).resolve().parents[2] / "build" / "ocr"
# Of a probability, against ONNX Runtime, whose own optimiser moves this model's by up to 4e-4.
TOLERANCE = 1e-3
MEASURE_SECONDS = 5.0


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    quick: bool
    seconds: float
    threads: int
    folder: Path


def main(arguments: Sequence[str] | None = None) -> int:
    """The demo as a command; its exit status."""
    options = _parse(arguments)
    # What is measured is kept beside the demo's other files, and not in the user's cache.
    os.environ.setdefault("GEARSHIFT_CACHE_DIR", str(options.folder.absolute() / "cache"))
    show = Show()
    try:
        return run(options, show)
    except KeyboardInterrupt:
        show.line("stopped by Ctrl-C")
        return 130
    except (DemoError, WorkerError, gearshift.GearshiftError) as error:
        show.flush()
        print(f"demo: {error}", file=sys.stderr)
        return 1


def run(options: Options, show: Show) -> int:
    """The story, step by step. Returns the exit status."""
    show.title("gearshift reads pages: a different number of crops on each")
    _introduce(options, show)
    show.title("1. compile once, for a list of batch sizes")
    models = copy_models(options.folder)
    compile_all(models, options.threads, show)
    show.title("2. read pages, whatever number of crops comes out")
    readings = _read(models, options, show)
    setup = save_rows(models, readings, options.threads)
    difference = compare_with_reference(setup, readings)
    right = judge(readings, difference, options.folder, show)
    if not options.quick:
        show.title("3. time the recogniser by number of crops")
        time_contenders(setup, options.seconds, show)
    return 0 if right else 1


def _parse(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="demo.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="read the pages, measure and time nothing"
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to time (30)")
    parser.add_argument("--threads", type=int, default=usable_cores(), help="of one run")
    parser.add_argument("--folder", type=Path, default=BUILD, help="for its files")
    return Options(**vars(parser.parse_args(arguments)))


def _introduce(options: Options, show: Show) -> None:
    parts = ", ".join(f"{name} {version}" for name, version in versions().items())
    show.line(f"{cpu_name()}, {options.threads} of {usable_cores()} cores")
    show.line(parts, "dim")


def _read(models: OcrModels, options: Options, show: Show) -> list[Reading]:
    story = pages.story()
    sheets = [pages.draw(page) for page in story]
    readings = []
    seconds = 0.0 if options.quick else MEASURE_SECONDS
    known = characters(models.recogniser)
    with open_reader(models, options.threads, known, seconds) as reader:
        if seconds:
            show.programs(reader.recogniser.memory())
        maps = reader.find(sheets)
        show.line(f"detector: {len(sheets)} pages in one call, plan {reader.detector_plan(sheets)}")
        for number, (page, sheet, text_map) in enumerate(zip(story, sheets, maps, strict=True), 1):
            readings.append(reader.read(sheet, text_map))
            show.reading(number, page, readings[-1])
            save_picture(options.folder / f"page{number}.png", sheet, readings[-1])
    return readings


def judge(readings: Sequence[Reading], difference: float, folder: Path, show: Show) -> bool:
    """Says whether texts and numbers are right; both must be."""
    drawn = [line for page in pages.story() for line in page.lines]
    pairs = zip(pages.story(), readings, strict=True)
    exact = sum(
        line == text
        for page, reading in pairs
        for line, text in zip(page.lines, reading.texts, strict=False)
    )
    found = sum(len(reading.texts) for reading in readings)
    texts_right = found == len(drawn) and exact >= 0.97 * len(drawn)
    numbers_right = difference <= TOLERANCE
    show.line()
    show.verdict(
        texts_right, f"text: {exact} of {len(drawn)} lines read exactly as drawn, {found} found"
    )
    show.verdict(
        numbers_right,
        f"numbers: largest difference to ONNX Runtime {difference:.1e} (allowed {TOLERANCE:.0e})",
    )
    show.line(f"the pages with their boxes are in {folder}", "dim")
    return texts_right and numbers_right


if __name__ == "__main__":
    sys.exit(main())
