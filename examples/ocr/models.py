"""Where the PP-OCR models are, and the characters the recogniser knows."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import onnx


class DemoError(Exception):
    """The demo cannot go on; the message says what to do."""


@dataclass(frozen=True)
class OcrModels:
    """The three ONNX files of one PP-OCR pipeline."""

    detector: Path
    classifier: Path
    recogniser: Path


def find_models() -> OcrModels:
    """The models that the ``rapidocr`` distribution carries. None of its code is run."""
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or spec.origin is None:
        raise DemoError(
            "the PP-OCR models come in the package 'rapidocr', which is not installed; "
            "run: pip install rapidocr"
        )
    folder = Path(spec.origin).parent / "models"
    return OcrModels(
        detector=_only(folder, "*_det_*.onnx"),
        classifier=_only(folder, "*_cls_*.onnx"),
        recogniser=_only(folder, "*_rec_*.onnx"),
    )


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise DemoError(
            f"no file {pattern} in {folder}; the demo needs a rapidocr release that carries "
            "its models (3.4 or newer): pip install --upgrade rapidocr"
        )
    return found[-1]


def characters(recogniser: Path) -> tuple[str, ...]:
    """What each class of the recogniser stands for; class 0 is CTC's blank, the last a space."""
    model = onnx.load(str(recogniser), load_external_data=False)
    for entry in model.metadata_props:
        if entry.key == "character":
            return ("", *entry.value.split("\n"), " ")
    raise DemoError(
        f"{recogniser.name} has no list of characters in its metadata (key 'character'); "
        "the demo needs a rapidocr release of 3.4 or newer: pip install --upgrade rapidocr"
    )
