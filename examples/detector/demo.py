"""Camera frames in NV12 through static AIPP into a detector compiled for gears 1, 2 and 4.

Run ``python examples/detector/demo.py [--threads N] [--folder DIR]``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # a script sees its own folder only

import cv2
import numpy as np
from benchmarks.zoo.catalogue import ZooError, catalogue

import gearshift
from examples.detector.boxes import Floats, find_boxes, kinds_of, written
from examples.detector.by_hand import largest_shift, open_detector, shifts, to_rgb
from examples.detector.frames import HEIGHT, SCENES, WIDTH, Pixels, camera_frames
from examples.ocr.models import DemoError
from examples.ocr.show import Show
from gearshift.placing import usable_cores

BUILD = Path(__file__).resolve().parents[2] / "build" / "detector"
CONFIG = Path(__file__).resolve().with_name("camera.cfg")
GEARS = (1, 2, 4)
CALLS = (1, 2, 4, 3, 7)
"""Frames of one call; with each, another plan."""
ALLOWED = 2.0
"""So many times as far as random changes of 0 or 1 in every number move the boxes."""


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    threads: int
    folder: Path


def main(arguments: Sequence[str] | None = None) -> int:
    """The demo as a command; its exit status."""
    options = _parse(arguments)
    os.environ.setdefault("GEARSHIFT_TUNE_SECONDS", "0")  # it is about numbers, and times nothing
    try:
        return run(options, Show())
    except KeyboardInterrupt:
        print("stopped by Ctrl-C")
        return 130
    except (DemoError, ZooError, gearshift.GearshiftError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


def _parse(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="demo.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, default=usable_cores(), help="of one run")
    parser.add_argument("--folder", type=Path, default=BUILD, help="for its files")
    return Options(**vars(parser.parse_args(arguments)))


def run(options: Options, show: Show) -> int:
    """The story, step by step. Returns the exit status."""
    frames = camera_frames()
    options.folder.mkdir(parents=True, exist_ok=True)
    (model,) = catalogue(options.folder, ["nudenet"])
    show.title("1. compile the detector with the camera's format in front of it")
    artifact = compile_detector(model.onnx, options, show)
    show.title("2. the same by hand: OpenCV, then ONNX Runtime")
    by_hand = open_detector(model.onnx, options.threads)
    rgb = to_rgb(frames)
    expected = by_hand(rgb)
    moved = largest_shift(by_hand, rgb, expected)
    show.line(
        f"lowering numbers of pixels by 0 or 1 at random moves boxes by {moved.pixels:.2f} pixels "
        f"and scores by {moved.score:.4f} at most"
    )
    show.title("3. frames as they come from the camera")
    right = True
    for engine in ("openvino", "onnxruntime"):
        with gearshift.load(artifact, engine=engine, threads=options.threads) as session:
            output = watch(session, frames, show)
        found = shifts(expected, output)
        same = [len(find_boxes(row)) for row in output] == [len(find_boxes(r)) for r in expected]
        near = found.pixels <= ALLOWED * moved.pixels and found.score <= ALLOWED * moved.score
        show.verdict(
            same and near,
            f"{engine}: the same boxes, {found.pixels:.2f} pixels and {found.score:.4f} in score "
            "from those by hand at most",
        )
        right = right and same and near
    _tell(output, rgb, kinds_of(model.onnx), options.folder, show)
    return 0 if right else 1


def compile_detector(model: Path, options: Options, show: Show) -> Path:
    """The artifact, whose input is NV12."""
    output = options.folder / "detector.om"
    show.line(f'>>> gearshift.compile("{model.name}", output="{output.name}",', "bold")
    show.line(f'...                   input_shape="images:-1,3,{HEIGHT},{WIDTH}",', "bold")
    show.line('...                   dynamic_batch_size="1,2,4", aipp="camera.cfg")', "bold")
    report = gearshift.compile(
        model,
        output=output,
        input_shape=f"images:-1,3,{HEIGHT},{WIDTH}",
        dynamic_batch_size=GEARS,
        aipp=CONFIG,
        threads=options.threads,
        sample_inputs={"images": camera_frames()[:2]},
    )
    show.report(report)
    return report.output


def watch(session: gearshift.Session, frames: Pixels, show: Show) -> Floats:
    """All frames at once, after calls with fewer of them, which must give the same."""
    for count in CALLS:
        output = session.run({"images": frames[:count]})["output0"]
        plan = session.plan(count)
        show.line(f"{count} frames: plan {plan.short}, output {output.shape}", "dim")
    return np.asarray(output, np.float32)


def _tell(output: Floats, rgb: Pixels, kinds: Mapping[int, str], folder: Path, show: Show) -> None:
    for number, (scene, row, picture) in enumerate(zip(SCENES, output, rgb, strict=True), 1):
        boxes = find_boxes(row)
        found = "; ".join(written(box, kinds) for box in boxes)
        show.line(f"{scene.title}: {found or 'nothing'}")
        drawn = np.ascontiguousarray(picture[..., ::-1])
        for box in boxes:
            left, top, right, bottom = (round(edge) for edge in box.edges)
            cv2.rectangle(drawn, (left, top), (right, bottom), (60, 60, 220), 2)
        cv2.imwrite(str(folder / f"frame{number}.png"), drawn)
    show.line(f"the frames with their boxes are in {folder}", "dim")


if __name__ == "__main__":
    sys.exit(main())
