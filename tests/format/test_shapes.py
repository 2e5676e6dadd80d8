"""Version 3 of the format: gears that are more than a number of rows, and preprocessing."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from artifact_samples import MANIFEST, TOPOLOGIES, sample_pool, versions, write_sample

from gearshift.artifact import format as artifact_format
from gearshift.artifact import manifest as records
from gearshift.artifact.check import check_manifest
from gearshift.artifact.codec import LEFT_OUT, decode, encode
from gearshift.artifact.manifest import AippRecord, GearRecord, InputRecord, Manifest, OutputRecord
from gearshift.artifact.reader import Artifact
from gearshift.artifact.writer import write_artifact
from gearshift.errors import CorruptArtifactError, NewerArtifactError
from gearshift.gears.pads import Follow

PAGE = (Path(__file__).parents[2] / "docs" / "artifact-format.md").read_text("utf-8")
SCALE = InputRecord("scale", "float16", ())
VERSION = OutputRecord("version", "int64", (1,), row_axis=None, row_inner=1)
FOLLOW = Follow(axis=1, input="x", input_axis=1, times=1, over=2, up=True)


def gear(values: tuple[int, ...], x: tuple[int, ...], y: tuple[int, ...]) -> GearRecord:
    return GearRecord(values, (y, (1,)), 64, (), inputs=(x, ()))


def made(
    mode: str, x: InputRecord, y: OutputRecord, *gears: GearRecord, **changes: Any
) -> Manifest:
    return replace(
        MANIFEST, mode=mode, inputs=(x, SCALE), outputs=(y, VERSION), gears=gears, **changes
    )


DIMS = made(
    "dims",
    InputRecord("x", "float32", (-1, -1), pad=0.5),
    OutputRecord("y", "float32", (-1, -1), row_axis=0, row_inner=2, follows=(FOLLOW,)),
    gear((4, 6), (4, 6), (8, 3)),
    gear((1, 7), (1, 7), (2, 4)),
)
IMAGE = made(
    "image",
    InputRecord("x", "uint8", (1, -1, -1, 3)),
    OutputRecord("y", "float32", (1, 3, -1, -1), row_axis=None, row_inner=1),
    gear((4, 6), (1, 4, 6, 3), (1, 3, 4, 6)),
    gear((8, 6), (1, 8, 6, 3), (1, 3, 8, 6)),
    aipp=(AippRecord("x", "aipp_op { }", (1, -1, -1, 3), "float32", layout="NHWC"),),
)
RANGE = made(
    "range",
    InputRecord("x", "float32", (-1, 3), ranges=((1, -1), (3, 3))),
    OutputRecord("y", "float32", (-1, 2), row_axis=None, row_inner=1),
    gear((1, 3), (1, 3), (1, 2)),
    gear((2, 3), (2, 3), (2, 2)),
)
FIXED = made(
    "fixed",
    InputRecord("x", "float32", (2, 3)),
    OutputRecord("y", "float32", (2, 2), row_axis=None, row_inner=1),
    gear((), (2, 3), (2, 2)),
)
ALL = {"dims": DIMS, "image": IMAGE, "range": RANGE, "fixed": FIXED}


def write(path: Path, manifest: Manifest) -> bytes:
    write_artifact(path, manifest, TOPOLOGIES, sample_pool())
    return path.read_bytes()


@pytest.mark.parametrize("manifest", ALL.values(), ids=ALL)
def test_what_was_written_is_read(manifest: Manifest, tmp_path: Path) -> None:
    data = write(tmp_path / "a.om", manifest)
    assert versions(data) == (3, 3)
    with Artifact.open(tmp_path / "a.om") as artifact:
        assert artifact.manifest == manifest


def test_a_reader_of_version_2_refuses_them_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.om", DIMS)
    monkeypatch.setattr(artifact_format, "FORMAT_VERSION", 2)
    with pytest.raises(NewerArtifactError, match="reader of version 3"):
        Artifact.open(tmp_path / "a.om")


def test_preprocessing_asks_for_the_new_reader_and_plain_batches_do_not(tmp_path: Path) -> None:
    assert versions(write_sample(tmp_path / "a.om")) == (1, 1)
    aipp = (AippRecord("x", "aipp_op { }", (-1, 3, 4, 4), "float32"),)
    assert versions(write(tmp_path / "b.om", replace(MANIFEST, aipp=aipp))) == (3, 3)


def new_keys(record: type) -> set[str]:
    """The fields that are left out of a file where they say nothing."""
    return {field.name for field in dataclasses.fields(record) if LEFT_OUT in field.metadata}


def test_the_page_lists_every_key_that_may_be_absent() -> None:
    section = PAGE.partition("### Gears that are more")[2].partition("\n## ")[0]
    written = set(re.findall(r"^\| `(.*?)` \|", section, re.MULTILINE))
    places = {
        "inputs[].": records.InputRecord,
        "outputs[].": records.OutputRecord,
        "gears[].": records.GearRecord,
        "aipp[].": records.AippRecord,
        "": records.Manifest,
    }
    assert written == {f"{at}{key}" for at, record in places.items() for key in new_keys(record)}
    for record, word in ((Follow, "A record of `follows`"), (AippRecord, "A record of `aipp`")):
        lines = section.partition(word)[2].partition("\n- ")[0]
        assert {field.name for field in dataclasses.fields(record)} <= set(
            re.findall(r"`(\w+)`", lines)
        )


def test_keys_that_say_nothing_are_not_written() -> None:
    encoded = encode(MANIFEST)
    assert isinstance(encoded, dict)
    assert "aipp" not in encoded
    assert "ranges" not in encoded["inputs"][0]
    assert "inputs" not in encoded["gears"][0]
    assert encode(DIMS)["inputs"][0]["pad"] == 0.5  # type: ignore[index]


@pytest.mark.parametrize(
    ("mode", "key", "value", "words"),
    [
        ("dims", "inputs[0].shape", [4, 6], "such that one has a dim of -1"),
        ("fixed", "inputs[0].shape", [-1, 3], "fixed in every dim"),
        ("dims", "inputs[0].ranges", [[1, 2], [1, 2]], "in mode range alone"),
        ("range", "inputs[0].ranges", [[1, 2]], "one for each dim"),
        ("range", "inputs[0].ranges", [[3, 2], [3, 3]], "from a least to a most"),
        ("dims", "outputs[0].follows[0].input", "z", "of the file's inputs"),
        ("dims", "outputs[0].follows[0].over", 0, "whole numbers from 1"),
        ("dims", "outputs[0].follows[0].times", 0, "whole numbers from 1"),
        ("dims", "outputs[0].follows[0].axis", 2, "axes that the output and the input have"),
        ("dims", "outputs[0].follows[0].axis", -1, "axes that the output and the input have"),
        ("dims", "outputs[0].follows[0].input_axis", 2, "axes that the output"),
        ("dims", "outputs[0].follows[0].times", 2**62, "whole numbers from 1"),
        ("dims", "outputs[0].follows[0].over", 2**62, "whole numbers from 1"),
        ("dims", "outputs[0].follows[0].axis", 0, "other axes than the row axis"),
        ("dims", "inputs[0].shape", [-1, 6], "of dims of an input that are -1"),
        ("dims", "inputs[0].pad", "nan", "a finite number that float32 holds"),
        ("dims", "inputs[0].pad", "inf", "a finite number"),
        ("range", "inputs[0].pad", 0, "left out in mode range"),
        ("fixed", "inputs[0].pad", 0, "left out in mode fixed"),
        ("range", "outputs[0].follows", [encode(FOLLOW)], "left out in mode range"),
        ("dims", "gears[0].values", [], r"gears\[0\].values .* one number from 1"),
        ("dims", "gears[1].values", [1], "2 numbers from 1"),
        ("image", "gears[1].values", [8], "2 numbers from 1"),
        ("fixed", "gears[0].values", [1], "0 numbers from 1"),
        ("dims", "gears[1].inputs[0]", [0, 7], "1 or more where the gear decides"),
        ("range", "gears[0].inputs[0]", [0, 3], "1 or more where the gear decides"),
        ("image", "aipp[0].shape", [2, -1, -1, 3], "of the first dim that the input has"),
        ("dims", "gears[0].inputs", [[4, 6]], "2 shapes, one per input"),
        ("image", "gears[0].inputs[0]", [2, 4, 6, 3], r"what \[1, -1, -1, 3\] allows"),
        ("dims", "gears[0].inputs[0]", [4, -1], "dims from 0 up"),
        ("dims", "gears[0].outputs[0]", [4, 3], "8 long along its row axis 0"),
        ("image", "outputs[0].row_axis", 0, "without rows along its row axis 0"),
        ("dims", "gears[0].values", [4, 0], "numbers from 1"),
        ("image", "mode", "dims", "one of fixed, batch, image with AIPP"),
        ("image", "aipp[0].input", "z", "one of the file's inputs"),
        ("image", "aipp[0].shape", [1, 3], "3 or 4 dims"),
        ("image", "aipp[0].layout", "ND", "one of NCHW, NHWC"),
        ("image", "aipp[0].dtype", "float31", "one of float32"),
    ],
)
def test_a_rule_broken_is_named(mode: str, key: str, value: Any, words: str) -> None:
    data: Any = encode(ALL[mode])
    *steps, last = key.replace("]", "").replace("[", ".").split(".")
    place = data
    for step in steps:
        place = place[int(step) if step.isdigit() else step]
    place[int(last) if last.isdigit() else last] = value
    parts = {"null": 200, "openvino.xml": 600, "weights": 80}
    check_manifest(ALL[mode], parts)
    with pytest.raises(CorruptArtifactError, match=words):
        check_manifest(decode(Manifest, data), parts)


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        ("int64", -(2.0**63), 2.0**63),
        ("int64", 7, 0.5),
        ("int64", 0, 1e300),
        ("uint8", 255, -1),
        ("bool", 1, 2),
        ("bool", 0, 1e300),
    ],
)
def test_a_pad_is_one_that_the_dtype_holds(dtype: str, good: float, bad: float) -> None:
    def padded(value: float) -> Manifest:
        (x, scale) = DIMS.inputs
        return replace(DIMS, inputs=(replace(x, dtype=dtype, pad=float(value)), scale))

    parts = {"null": 200, "openvino.xml": 600, "weights": 80}
    check_manifest(padded(good), parts)
    with pytest.raises(CorruptArtifactError, match=f"finite number that {dtype} holds"):
        check_manifest(padded(bad), parts)


def test_batch_gears_have_none_of_it() -> None:
    parts = {"null": 200, "openvino.xml": 600, "weights": 80}
    first, second = MANIFEST.gears
    x, scale = MANIFEST.inputs
    y, version = MANIFEST.outputs
    for changed, words in (
        (replace(MANIFEST, gears=(replace(first, inputs=((4, 3), ())), second)), "gears.*inputs"),
        (replace(MANIFEST, inputs=(replace(x, pad=0.0), scale)), "pad .* left out in mode batch"),
        (replace(MANIFEST, outputs=(replace(y, follows=(FOLLOW,)), version)), "follows .* batch"),
    ):
        with pytest.raises(CorruptArtifactError, match=words):
            check_manifest(changed, parts)


@pytest.mark.parametrize(("mode", "most"), [("dims", 256), ("range", 2), ("fixed", 1)])
def test_more_gears_than_the_mode_has(mode: str, most: int) -> None:
    parts = {"null": 200, "openvino.xml": 600, "weights": 80}
    manifest = ALL[mode]
    gears = tuple(
        replace(manifest.gears[0], values=(4, number) if mode != "fixed" else (number,))
        for number in range(1, most + 2)
    )
    with pytest.raises(CorruptArtifactError, match=f"number of gears .* is {most + 1}"):
        check_manifest(replace(manifest, gears=gears), parts)
    if mode != "fixed":
        check_manifest(replace(manifest, gears=gears[1:]), parts)
