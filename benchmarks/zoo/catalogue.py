"""Every model of the benchmark by name: its file, its row shapes, and rows to run it on."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from examples.ocr.models import find_models
from examples.ocr.recognise import CLASSIFIER_SHAPE, RECOGNISER_SHAPE

from benchmarks.zoo import encoder, graphs, mobilenet, resnet
from gearshift.tensors import Array, Shape

_BUILDERS_VERSION: Final = 1
"""Raise it with any change to a builder: files of other versions are built anew."""

_DETECTOR_SHAPE: Final = (3, 256, 256)
_NUDENET_SHAPE: Final = (3, 320, 320)
_FIRST_WORD: Final = 1000  # what comes before it in BERT's vocabulary stands for no word
_SHORTEST: Final = 8

Draw = Callable[[np.random.Generator, int, Mapping[str, Shape]], dict[str, Array]]
"""Makes up a number of rows for inputs of those row shapes."""


class ZooError(Exception):
    """A model cannot be had; the message says what to do."""


@dataclass(frozen=True)
class Model:
    """A model to run the benchmark on.

    Attributes:
        name: short, for tables.
        onnx: the file, its batch dim open.
        inputs: row shapes by input name.
        made: what it is, in one line.
        draw: makes up rows.
    """

    name: str
    onnx: Path
    inputs: Mapping[str, Shape]
    made: str
    draw: Draw

    def rows(self, count: int, seed: int) -> dict[str, Array]:
        """That many rows by input name; the same for the same seed."""
        return self.draw(np.random.default_rng(seed), count, self.inputs)


def draw_images(
    dice: np.random.Generator, count: int, inputs: Mapping[str, Shape]
) -> dict[str, Array]:
    """Values from -1 to 1, as images come out of their preparation."""
    return {
        name: dice.uniform(-1, 1, (count, *row)).astype(np.float32) for name, row in inputs.items()
    }


def draw_sentences(
    dice: np.random.Generator, count: int, inputs: Mapping[str, Shape]
) -> dict[str, Array]:
    """Words of sentences of different lengths, each padded with zeros at its end."""
    (tokens,) = inputs[encoder.IDS]
    lengths = dice.integers(_SHORTEST, tokens, (count, 1), endpoint=True)
    mask = (np.arange(tokens) < lengths).astype(np.int64)
    words = dice.integers(_FIRST_WORD, encoder.VOCABULARY, mask.shape)
    return {encoder.IDS: words * mask, encoder.MASK: mask}


@dataclass(frozen=True)
class _Entry:
    file: Callable[[Path], Path]
    inputs: Mapping[str, Shape]
    made: str
    draw: Draw = draw_images


def _built(name: str, build: Callable[[], onnx.ModelProto], folder: Path) -> Path:
    path = folder / f"{name}-v{_BUILDERS_VERSION}.onnx"
    if not path.exists():
        graphs.save(build(), path)
    return path


def _nudenet() -> Path:
    """The model that the ``nudenet`` distribution carries. None of its code is run."""
    spec = importlib.util.find_spec("nudenet")
    if spec is None or spec.origin is None:
        raise ZooError(
            "the model 320n.onnx comes in the package 'nudenet', which is not installed; "
            "run: pip install nudenet"
        )
    path = Path(spec.origin).with_name("320n.onnx")
    if not path.exists():
        raise ZooError(
            f"no file 320n.onnx in {path.parent}; the benchmark needs a nudenet release that "
            "carries it (3.4 or newer): pip install --upgrade nudenet"
        )
    return path


_ENTRIES: Final[Mapping[str, _Entry]] = {
    "cls": _Entry(
        lambda _: find_models().classifier,
        {"x": CLASSIFIER_SHAPE},
        "PP-OCR text direction classifier, of the package rapidocr",
    ),
    "rec": _Entry(
        lambda _: find_models().recogniser,
        {"x": RECOGNISER_SHAPE},
        "PP-OCR text recogniser, of the package rapidocr",
    ),
    "det": _Entry(
        lambda _: find_models().detector,
        {"x": _DETECTOR_SHAPE},
        "PP-OCR text detector, of the package rapidocr",
    ),
    "nudenet": _Entry(
        lambda _: _nudenet(),
        {"images": _NUDENET_SHAPE},
        "YOLOv8n object detector 320n, of the package nudenet",
    ),
    "mobilenetv2": _Entry(
        partial(_built, "mobilenetv2", mobilenet.build),
        {mobilenet.INPUT: mobilenet.ROW},
        "MobileNetV2 1.0 image classifier, built here with random weights",
    ),
    "resnet50": _Entry(
        partial(_built, "resnet50", resnet.build),
        {resnet.INPUT: resnet.ROW},
        "ResNet-50 v1.5 image classifier, built here with random weights",
    ),
    "encoder": _Entry(
        partial(_built, "encoder", encoder.build),
        {encoder.IDS: (encoder.TOKENS,), encoder.MASK: (encoder.TOKENS,)},
        f"sentence encoder of MiniLM-L6's size on {encoder.TOKENS} tokens, "
        "built here with random weights",
        draw_sentences,
    ),
}

NAMES: Final = tuple(_ENTRIES)
"""Names of all models, the order of every table."""


def catalogue(folder: Path, names: Sequence[str] = NAMES) -> tuple[Model, ...]:
    """The models of those names, in that order.

    Args:
        folder: where files that are built are looked for, and written if they are not there.
        names: which of `NAMES`.

    Raises:
        ZooError: a name is unknown, or the package that carries a model is not installed.
        DemoError: the same for PP-OCR's models.
    """
    unknown = [name for name in names if name not in _ENTRIES]
    if unknown:
        raise ZooError(f"no model is called {unknown[0]!r}; there are {', '.join(NAMES)}.")
    return tuple(_model(name, folder) for name in names)


def _model(name: str, folder: Path) -> Model:
    entry = _ENTRIES[name]
    return Model(name, entry.file(folder), entry.inputs, entry.made, entry.draw)
