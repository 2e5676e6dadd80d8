"""Real shapes of work: text lines of different widths, sentences of different lengths."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from mode_models import ENGINES, agree, folder

import gearshift
from encoders import Encoder, sentences
from gearshift.cli import atc
from gearshift.errors import GearError
from gearshift.tensors import Array
from graphs import rapidocr_model

__all__ = ["folder"]

LINES = ((1, 160), (4, 160), (1, 320), (2, 320), (4, 320))
"""Rows and widths of the recogniser's gears."""
SENTENCES = ((1, 8), (4, 8), (1, 16), (2, 16), (8, 16))
"""Rows and lengths of the encoder's."""


@pytest.fixture(scope="module")
def recogniser(folder: Path) -> Path:
    shutil.copy(rapidocr_model("rec"), folder / "rec.onnx")
    status = atc.main(
        [
            f"--model={folder / 'rec.onnx'}",
            "--framework=5",
            f"--output={folder / 'rec'}",
            "--soc_version=Ascend310P3",
            "--input_format=ND",
            "--input_shape=x:-1,3,48,-1",
            f"--dynamic_dims={';'.join(f'{rows},{width}' for rows, width in LINES)}",
        ]
    )
    assert status == 0
    return folder / "rec.om"


@pytest.mark.parametrize("engine", ENGINES)
def test_lines_of_two_widths(recogniser: Path, engine: str) -> None:
    """As many lines as come, brought to the width that is next: a time step is 8 pixels."""
    random = np.random.default_rng(5)
    with gearshift.load(recogniser, engine=engine, preload=True) as model:
        assert model.gears == LINES
        assert model.manifest.proof.verdict == "proved"
        for width in (320, 160):
            for rows in (1, 3, 4, 7):
                feeds: dict[str, Array] = {"x": random.random((rows, 3, 48, width), np.float32)}
                (scores,) = agree(model, rapidocr_model("rec"), feeds, tolerance=1e-4).values()
                assert scores.shape[:2] == (rows, width // 8)
        with pytest.raises(GearError, match=r"the nearest of 2 are x \[-1, 3, 48, 160\]"):
            model.run({"x": np.zeros((1, 3, 48, 168), np.float32)})


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Path:
    return Encoder().save(folder / "encoder.onnx")


@pytest.mark.parametrize("engine", ENGINES)
def test_sentences_of_two_lengths(encoder: Path, folder: Path, engine: str) -> None:
    report = gearshift.compile(
        encoder,
        output=folder / f"encoder-{engine}.om",
        input_shape="input_ids:-1,-1;attention_mask:-1,-1",
        dynamic_dims=[(rows, length, rows, length) for rows, length in SENTENCES],
        engine=engine,
        sample_inputs=sentences(3, 16),
    )
    assert report.manifest.proof.verdict == "proved"
    with gearshift.load(report.output, preload=True) as model:
        for length, largest in ((8, 4), (16, 8)):
            for rows in range(2 * largest + 1):
                feeds = sentences(rows, length)
                if rows:
                    agree(model, encoder, feeds, tolerance=1e-4)
                else:
                    assert model.run(feeds)["hidden"].shape == (0, length, Encoder.HIDDEN)
        with pytest.raises(GearError, match=r"no gear takes input_ids \[-1, 12\]"):
            model.run(sentences(1, 12))
