"""Model files: external data that does not hold, names that do not work, edges that clash."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import gearshift
from gearshift.errors import ModelError, UnsupportedModelError
from gearshift.frontend.onnx import load_program
from models import save_text

X = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])
Y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 300])
WEIGHTS = np.arange(1200, dtype=np.float32).reshape(4, 300)


def outside(**where: str) -> onnx.TensorProto:
    """The weights as a tensor that lies elsewhere."""
    tensor = numpy_helper.from_array(WEIGHTS, "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in where.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def save(folder: Path, graph: onnx.GraphProto, data: bytes | None) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    if data is not None:
        (folder / "w.bin").write_bytes(data)
    return folder / "m.onnx"


def dense(tensor: onnx.TensorProto) -> onnx.GraphProto:
    return helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [X], [Y], [tensor]
    )


def in_a_constant(tensor: onnx.TensorProto) -> onnx.GraphProto:
    nodes = [
        helper.make_node("Constant", [], ["w"], value=tensor),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    return helper.make_graph(nodes, "g", [X], [Y])


def in_branches(tensor: onnx.TensorProto) -> onnx.GraphProto:
    branches = {
        f"{kind}_branch": helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], [f"y_{kind}"])],
            kind,
            [],
            [helper.make_tensor_value_info(f"y_{kind}", TensorProto.FLOAT, ["N", 300])],
            [tensor],
        )
        for kind in ("then", "else")
    }
    which = helper.make_tensor_value_info("which", TensorProto.BOOL, [])
    node = helper.make_node("If", ["which"], ["y"], **branches)
    return helper.make_graph([node], "g", [X, which], [Y])


WHOLE = WEIGHTS.tobytes()


@pytest.mark.parametrize("graph", [dense, in_a_constant, in_branches])
@pytest.mark.parametrize(
    ("where", "data", "words"),
    [
        ({}, WHOLE[:100], "bytes 0 to 4800, but that file has only 100 bytes"),
        ({"length": "4800"}, WHOLE[:-1], "has only 4799 bytes"),
        ({}, b"", "has only 0 bytes"),
        ({"offset": "4", "length": "4800"}, WHOLE, "bytes 4 to 4804"),
        ({"offset": str(2**70)}, WHOLE, "has only 4800 bytes"),
        ({"length": "100"}, WHOLE, r"as 100 bytes, but FLOAT\[4,300\] takes 4800"),
    ],
)
def test_external_data_that_is_cut_off_is_named(
    graph: object, where: dict[str, str], data: bytes, words: str, tmp_path: Path
) -> None:
    assert callable(graph)
    path = save(tmp_path, graph(outside(location="w.bin", **where)), data)
    with pytest.raises(ModelError, match=words) as raised:
        gearshift.compile(path, output=tmp_path / "m.om", dynamic_batch_size=[1, 2])
    assert "tensor 'w'" in raised.value.message
    assert str(tmp_path / "w.bin") in raised.value.message
    assert raised.value.code == "E16005"


@pytest.mark.parametrize("where", [{}, {"offset": "0"}, {"offset": "8", "length": "4800"}])
def test_external_data_that_is_whole_is_read(where: dict[str, str], tmp_path: Path) -> None:
    data = bytes(int(where.get("offset", 0))) + WHOLE + b"more"
    path = save(tmp_path, dense(outside(location="w.bin", **where)), data)
    report = gearshift.compile(path, output=tmp_path / "m.om", dynamic_batch_size=[1, 2])
    x = np.eye(4, dtype=np.float32)
    with gearshift.load(report.output) as model:
        np.testing.assert_array_equal(model.run({"x": x})["y"], WEIGHTS)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"location": "../w.bin"}, "points outside"),
        ({"location": "/etc/passwd"}, "absolute path"),
        ({"location": "."}, "not regular file"),
        ({"location": "gone.bin"}, r"gone\.bin"),
        ({"offset": "0"}, "doesn't have a location"),
        ({"location": "w.bin", "offset": "-4"}, "cannot be read|bytes -4"),
        ({"location": "w.bin", "offset": "abc"}, "cannot be read: invalid literal.*'abc'"),
    ],
)
def test_external_data_in_no_right_place(where: dict[str, str], words: str, tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(WHOLE)
    path = save(folder, dense(outside(**where)), WHOLE)
    with pytest.raises(ModelError, match=words) as raised:
        load_program(path)
    assert raised.value.code == "E16005"


def test_the_provenance_covers_the_data_of_branches(tmp_path: Path) -> None:
    path = save(tmp_path, in_branches(outside(location="w.bin")), WHOLE)
    before = load_program(path).source.sha256
    (tmp_path / "w.bin").write_bytes(WHOLE[::-1])
    assert load_program(path).source.sha256 != before


def test_a_model_damaged_anywhere_is_read_or_refused(tmp_path: Path) -> None:
    path = save(tmp_path, dense(outside(location="w.bin", offset="0", length="4800")), WHOLE)
    whole = path.read_bytes()
    random = np.random.default_rng(7)
    refused = 0
    for _ in range(400):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), random.integers(1, 4)):
            damaged[place] = random.integers(0, 256)
        path.write_bytes(damaged)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of unknown keys of external data
            try:
                load_program(path)
            except ModelError:
                refused += 1
    assert 0 < refused < 400


def test_a_name_that_is_not_text(tmp_path: Path) -> None:
    path = save(tmp_path, dense(outside(location="w.bin")), WHOLE)
    path.write_bytes(path.read_bytes().replace(b"MatMul", b"MatM\xff\xff"))
    with pytest.raises(ModelError, match="not UTF-8"):
        load_program(path)


def test_an_element_type_that_onnx_does_not_know(tmp_path: Path) -> None:
    tensor = numpy_helper.from_array(WEIGHTS, "w")
    tensor.data_type = 99
    path = save(tmp_path, dense(tensor), None)
    with pytest.raises(ModelError):
        load_program(path)


TEXT = """<ir_version: 8, opset_import: ["" : 17]>
m (float[N, 4] NAME) => (float[N, 4] y) { y = Relu (NAME) }
"""


def test_the_gear_inputs_name_is_taken(tmp_path: Path) -> None:
    path = save_text(TEXT.replace("NAME", "ascend_mbatch_shape_data"), tmp_path / "m.onnx")
    with pytest.raises(UnsupportedModelError, match=r"carries the gear.*Rename it") as raised:
        gearshift.compile(path, output=tmp_path / "m.om", dynamic_batch_size=[1, 2])
    assert raised.value.tensor == "ascend_mbatch_shape_data"


def test_a_path_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"m\xff.onnx")
    try:
        save_text(TEXT.replace("NAME", "x"), tmp_path / "m.onnx").rename(path)
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    with pytest.raises(ModelError, match=r"not UTF-8.*Rename"):
        gearshift.compile(path, output=tmp_path / "m.om", dynamic_batch_size=[1, 2])


@pytest.mark.parametrize(
    ("name", "words"), [("n" * 300, "does not exist"), (".", "is a folder, not a file")]
)
def test_paths_that_are_no_file(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=words) as raised:
        load_program(tmp_path / name)
    assert raised.value.code == "E10041"


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="no such device")
def test_a_device_is_no_model() -> None:
    with pytest.raises(ModelError, match="no ordinary file"):
        load_program(Path("/dev/null"))
