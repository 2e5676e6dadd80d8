"""What a manifest has to keep beyond its types."""

from typing import Any

import pytest
from artifact_samples import MANIFEST, directory_json, with_directory

from gearshift.artifact.check import check_manifest
from gearshift.artifact.reader import Artifact
from gearshift.errors import CorruptArtifactError

BAD: list[tuple[str, Any, str]] = [
    ("mode", "other", "mode .* fixed, batch, image, dims, range"),
    ("inputs", [], "inputs .* at least one"),
    ("inputs[0].name", "", "unique and not empty"),
    ("inputs[1].name", "x", "unique and not empty"),
    ("inputs[0].name", "ascend_mbatch_shape_data", "the gear's own"),
    ("inputs[0].dtype", "float31", r"inputs\[0\].dtype .* 'float31', .* one of float32"),
    ("inputs[0].dtype", "object", "one of float32"),
    ("inputs[0].shape", [-2, 3], "dims from -1 up"),
    ("inputs[0].shape", [3, -1], "-1 in the first place only"),
    ("inputs[0].shape", [1, 3], "a first dim of -1"),
    ("inputs[0].shape", [-1, 2**50], "dims from -1 up"),
    ("inputs[0].shape", [-1, 2**62, 2**62, 2**62], "dims from -1 up"),
    ("inputs[0].shape", [-1, 0, 2**62], "dims from -1 up"),
    ("inputs[0].shape", [1] * 65, "at most 64 dims"),
    ("inputs[0].shape", [-1, 2**43], r"gears\[0\].values .* small enough for inputs"),
    ("outputs", [], "outputs .* at least one"),
    ("outputs[1].name", "y", "unique and not empty"),
    ("outputs[0].dtype", "", "one of float32"),
    ("outputs[0].row_axis", 2, r"outputs\[0\].row_axis .* is 2, .* an axis of \[-1, 2\]"),
    ("outputs[0].row_axis", -1, "an axis of"),
    ("outputs[0].row_inner", 0, "1 or more"),
    ("outputs[0].row_inner", 3, r"gears\[0\].outputs\[0\] .* 12 long along its row axis 0"),
    ("outputs[0].shape", [-1, 3], r"gears\[0\].outputs\[0\] .* what \[-1, 3\] allows"),
    ("outputs[0].shape", [-1, 2, 1], "what .* allows"),
    ("gears", [], "number of gears .* 1 to 1024"),
    ("gears[0].values", [], "one number from 1"),
    ("gears[0].values", [4, 4], "one number from 1"),
    ("gears[0].values", [0], "one number from 1"),
    ("gears[0].values", [-4], "one number from 1"),
    ("gears[0].values", [2**31], "one number from 1"),
    ("gears[1].values", [4], "different from one another"),
    ("gears[0].values", [8], r"gears\[0\].outputs\[0\] .* 16 long"),
    ("gears[0].outputs", [[8, 2]], "2 shapes, one per output"),
    ("gears[0].outputs[0]", [8, -1], "dims from 0 up"),
    ("gears[0].outputs[0]", [8, 2**60], "dims from 0 up"),
    ("gears[0].outputs[1]", [2], r"what \[1\] allows"),
    ("gears[0].predicted_bytes", -1, "0 or more"),
    ("gears[0].differences[0].output", "z", "an engine and an output of the file"),
    ("gears[0].differences[0].engine", "z", "an engine and an output of the file"),
    ("gears[0].differences[0].output", "version", "one record per engine and output"),
    ("proof.verdict", "refuted", "false where proof.verdict"),
    ("proof.verdict", "perhaps", "one of proved, refuted, unknown"),
    ("topologies", [], "topologies .* at least one"),
    ("topologies[0].engine", "null", "unique"),
    ("topologies[0].part", "elsewhere", "one of the parts"),
    ("topologies[0].part", "weights", "one of the parts"),
    ("topologies[0].precision", "f8", "one of f32, f16, bf16"),
    ("constants[0].offset", -64, "a multiple of 64"),
    ("constants[0].offset", 4, "a multiple of 64"),
    ("constants[0].offset", 64, r"constants\[0\] .* inside the 80 bytes"),
    ("constants[0].offset", 2**62, "inside the 80 bytes"),
    ("constants[1].offset", 128, "inside the 80 bytes"),
    ("constants[2].shape", [17], "inside the 80 bytes"),
    ("constants[2].shape", [-1], "dims from 0 up"),
    ("constants[2].dtype", "float64", "inside the 80 bytes"),
    ("constants[2].name", "w", "unique"),
]


@pytest.mark.parametrize(("key", "value", "words"), BAD)
def test_a_rule_broken_is_named(key: str, value: Any, words: str) -> None:
    directory = directory_json()
    *steps, last = key.replace("]", "").replace("[", ".").split(".")
    place: Any = directory["manifest"]
    for step in steps:
        place = place[int(step) if step.isdigit() else step]
    place[int(last) if last.isdigit() else last] = value
    with pytest.raises(CorruptArtifactError, match=f"(?s){words}"):
        Artifact.from_bytes(with_directory(directory))


def test_more_gears_than_allowed() -> None:
    directory = directory_json()
    gear = directory["manifest"]["gears"][1]
    directory["manifest"]["gears"] = [
        gear | {"values": [rows], "outputs": [[2 * rows, 2], [1]]} for rows in range(1, 1026)
    ]
    with pytest.raises(CorruptArtifactError, match=r"number of gears .* is 1025"):
        Artifact.from_bytes(with_directory(directory))
    del directory["manifest"]["gears"][-1]
    assert len(Artifact.from_bytes(with_directory(directory)).manifest.gears) == 1024


def test_constants_may_end_where_the_pool_ends() -> None:
    parts = {"null": 200, "openvino.xml": 600, "weights": 80}
    check_manifest(MANIFEST, parts)
    with pytest.raises(CorruptArtifactError):
        check_manifest(MANIFEST, parts | {"weights": 79})
