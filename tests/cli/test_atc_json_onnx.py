"""``atc --mode=1 --framework=5``: an ONNX file as JSON, held against ONNX and protobuf."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atc_json import EVERYTHING, Printed, convert, fails, inferred
from gearshift.cli import atc
from models import detector, save_text


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    return detector(tmp_path / "检测 模型.onnx")


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_text(EVERYTHING, tmp_path_factory.mktemp("onnx") / "everything.onnx")


def test_the_json_of_an_onnx_file(boxes: Path) -> None:
    found = convert(boxes, boxes.parent / "o.json", "--framework=5")
    model = onnx.load(str(boxes))
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
    assert json_format.ParseDict(found, onnx.ModelProto()) == model


def test_the_json_of_an_onnx_file_with_shapes(boxes: Path) -> None:
    flags = ("--framework=5", "--dump_mode=1", "--input_shape=data:4,3,416,416;img_info:4,4")
    found = convert(boxes, boxes.parent / "s.json", *flags)
    shapes = {
        value["name"]: [
            dim.get("dim_value") for dim in value["type"]["tensor_type"]["shape"]["dim"]
        ]
        for value in (*found["graph"]["input"], *found["graph"]["value_info"])
    }
    expected = inferred(onnx.load(str(boxes)), 4)
    names = {name for node in found["graph"]["node"] for name in node["output"]}
    for name in names - {"boxes", "scores"}:
        assert shapes[name] == expected[name]
    assert shapes["data"] == [4, 3, 416, 416]
    open_shapes = convert(boxes, boxes.parent / "s.json", "--framework=5", "--dump_mode=1")
    dims = open_shapes["graph"]["value_info"][0]["type"]["tensor_type"]["shape"]["dim"]
    assert dims[0] == {"dim_param": "N"}


def test_shapes_for_something_that_is_no_input(boxes: Path, capsys: Printed) -> None:
    argv = ["--mode=1", f"--om={boxes}", f"--json={boxes.parent / 'x.json'}"]
    argv += ["--framework=5", "--dump_mode=1"]
    assert fails(capsys, *argv, "--input_shape=dota:1,3,416,416").startswith("E10016: ")
    assert fails(capsys, *argv, "--input_shape=data:1,3,416").startswith("E10001: ")
    assert not (boxes.parent / "x.json").exists()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), mode=st.sampled_from(["0", "1"]))
def test_no_onnx_file_makes_it_raise(data: st.DataObject, mode: str, everything: Path) -> None:
    good = bytearray(everything.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    om = everything.with_name("hostile.onnx")
    om.write_bytes(good[: data.draw(st.integers(0, len(good)))] if mode == "0" else good)
    target = everything.with_name("hostile.json")
    target.unlink(missing_ok=True)
    argv = ["--mode=1", "--framework=5", f"--om={om}", f"--json={target}", f"--dump_mode={mode}"]
    assert atc.main(argv) == (0 if target.exists() else 255)
    if target.exists():
        json.loads(target.read_text("utf-8"))


def test_a_name_that_is_not_text_is_escaped(tmp_path: Path) -> None:
    head = '<ir_version: 8, opset_import: ["" : 17]>'
    file = save_text(
        f"{head} g (float[N] xxxx) => (float[N] y) {{ y = Relu (xxxx) }}", tmp_path / "m.onnx"
    )
    file.write_bytes(file.read_bytes().replace(b"xxxx", b"\xff\xfe\xfd\n"))
    found = convert(file, tmp_path / "m.json", "--framework=5")
    assert found["graph"]["input"][0]["name"] == "\\377\\376\\375\\n"
