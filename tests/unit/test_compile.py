"""The compile line: what it takes, what it refuses and how it says so, what it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import gearshift
from gearshift.errors import (
    EngineError,
    GearshiftError,
    MemoryLimitError,
    ModelError,
    OptionErrors,
    UnsupportedModelError,
    VerificationError,
)
from gearshift.tensors import Array
from graphs import rapidocr_model
from models import run_onnxruntime, save_text

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
DENSE = """
m (float[N, 4] x) => (float[N, 3] y)
<float[4, 3] w = {1, 0, 2, 0, 1, 0, 3, 1, 0, 1, 1, 1}>
{ y = MatMul (x, w) }
"""


def compile_text(
    text: str, folder: Path, *, head: str = HEAD, **options: Any
) -> gearshift.CompileReport:
    path = save_text(head + text, folder / "model.onnx")
    options = {"input_shape": None, "dynamic_batch_size": [1, 2, 4], **options}
    return gearshift.compile(path, output=folder / "model.om", **options)


def agree(folder: Path, feeds: dict[str, Array], *, engine: str | None = None) -> None:
    """The artifact gives what ONNX Runtime gives for the file."""
    expected = run_onnxruntime(folder / "model.onnx", feeds)
    with gearshift.load(folder / "model.om", engine=engine) as model:
        ours = model.run(feeds)
    for name, output in expected.items():
        assert ours[name].dtype == output.dtype
        np.testing.assert_allclose(ours[name], output, atol=1e-5)


def numbers(*shape: int) -> Array:
    return np.random.default_rng(3).standard_normal(shape, np.float32)


def test_the_models_own_open_batch_needs_no_input_shape(tmp_path: Path) -> None:
    compile_text(DENSE, tmp_path)
    agree(tmp_path, {"x": numbers(7, 4)})


# The newest that every ONNX Runtime we allow takes; what an engine does not take, it says itself.
@pytest.mark.parametrize("opset", [7, 11, 13, 18, 21])
def test_opsets(tmp_path: Path, opset: int) -> None:
    head = f'<ir_version: 8, opset_import: ["" : {opset}]>'
    compile_text(DENSE, tmp_path, head=head)
    agree(tmp_path, {"x": numbers(3, 4)})


@pytest.mark.parametrize("opset", [6, 999])
def test_opsets_that_no_engine_takes(tmp_path: Path, opset: int) -> None:
    head = f'<ir_version: 8, opset_import: ["" : {opset}]>'
    with pytest.raises(ModelError, match=f"uses opset {opset}; opsets 7 to") as raised:
        compile_text(DENSE, tmp_path, head=head)
    assert raised.value.code == "E16005"


def test_initializers_listed_as_inputs_as_before_ir_4(tmp_path: Path) -> None:
    w = np.ones((4, 3), np.float32)
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4]),
        helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3]),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "old", inputs, [output], [numpy_helper.from_array(w, "w")])
    opset = helper.make_opsetid("", 8)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=3), tmp_path / "m.onnx")
    gearshift.compile(tmp_path / "m.onnx", output=tmp_path / "m.om", dynamic_batch_size=[1, 4])
    with gearshift.load(tmp_path / "m.om") as model:
        assert [spec.name for spec in model.inputs] == ["x", "ascend_mbatch_shape_data"]
        np.testing.assert_allclose(model.run({"x": np.ones((5, 4), "f4")})["y"], 4)


def with_raw_weights() -> onnx.ModelProto:
    """The dense model with its weights as bytes, which alone can lie in a file of their own."""
    model = onnx.parser.parse_model(HEAD + DENSE)
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
    return model


def test_external_data_and_a_path_with_chinese_and_blanks(tmp_path: Path) -> None:
    folder = tmp_path / "模型 文件夹"
    folder.mkdir()
    model = with_raw_weights()
    onnx.save(
        model,
        str(folder / "识别 模型.onnx"),
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    assert (folder / "weights.bin").stat().st_size
    report = gearshift.compile(
        folder / "识别 模型.onnx", output=folder / "输出 目录" / "识别", dynamic_batch_size=[1, 2]
    )
    assert report.output == folder / "输出 目录" / "识别.om"
    (folder / "weights.bin").unlink()  # the artifact stands alone
    with gearshift.load(report.output) as loaded:
        assert loaded.run({"x": numbers(3, 4)})["y"].shape == (3, 3)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "does not exist"), (b"", "empty or not an ONNX file"), (b"%PDF-1.7 \xff\xff", "ONNX")],
)
def test_files_that_are_no_model(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=words):
        gearshift.compile(path, output=tmp_path / "m.om", dynamic_batch_size=[1, 2])


def test_a_model_cut_off_anywhere_is_refused_or_checked(tmp_path: Path) -> None:
    whole = save_text(HEAD + DENSE, tmp_path / "whole.onnx").read_bytes()
    for length in range(0, len(whole), 7):
        path = tmp_path / "cut.onnx"
        path.write_bytes(whole[:length])
        with pytest.raises(GearshiftError):
            gearshift.compile(path, output=tmp_path / "cut.om", dynamic_batch_size=[1, 2])
    assert not (tmp_path / "cut.om").exists()


def test_missing_external_data_is_named(tmp_path: Path) -> None:
    model = with_raw_weights()
    onnx.save(
        model,
        str(tmp_path / "m.onnx"),
        save_as_external_data=True,
        location="gone.bin",
        size_threshold=0,
    )
    (tmp_path / "gone.bin").unlink()
    with pytest.raises(ModelError, match=r"gone\.bin"):
        gearshift.compile(tmp_path / "m.onnx", output=tmp_path / "m.om", dynamic_batch_size=[1, 2])


NONZERO = """
m (float[N, 4] x) => (float[N, 4] y, int64[M] many)
{ y = Relu (x)
  where = NonZero (x)
  shape = Constant <value_ints = [-1]> ()
  many = Reshape (where, shape) }
"""


def test_an_inner_shape_that_depends_on_the_data_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="NonZero") as raised:
        compile_text(NONZERO, tmp_path)
    assert raised.value.op_type == "NonZero"
    assert raised.value.tensor == "where"
    assert not (tmp_path / "model.om").exists()


BAKED = """
m (float[1, 2, 4] x) => (float[1, 8] y)
<int64[2] flat = {1, 8}>
{ r = Relu (x)
  y = Reshape (r, flat) }
"""


def test_a_baked_batch_is_repaired_and_reported(tmp_path: Path) -> None:
    report = compile_text(BAKED, tmp_path, input_shape={"x": (-1, 2, 4)})
    assert [repair.op_type for repair in report.repairs] == ["Reshape"]
    x = numbers(7, 2, 4)
    one_by_one = [
        run_onnxruntime(tmp_path / "model.onnx", {"x": x[i : i + 1]})["y"] for i in range(7)
    ]
    with gearshift.load(tmp_path / "model.om") as model:
        np.testing.assert_allclose(model.run({"x": x})["y"], np.concatenate(one_by_one), atol=1e-6)


def test_a_baked_batch_over_coupled_rows_is_refused(tmp_path: Path) -> None:
    coupled = BAKED.replace("r = Relu (x)", "r = Softmax <axis = 0> (x)")
    with pytest.raises(UnsupportedModelError, match=r"baked in.*Softmax") as raised:
        compile_text(coupled, tmp_path, input_shape={"x": (-1, 2, 4)})
    assert raised.value.op_type == "Reshape"


def test_rows_on_the_second_axis_and_rows_of_several_lines(tmp_path: Path) -> None:
    text = """
    m (float[N, 3, 4] x) => (float[3, N, 4] t, float[L, 4] flat)
    <int64[2] lines = {-1, 4}>
    { t = Transpose <perm = [1, 0, 2]> (x)
      flat = Reshape (x, lines) }
    """
    report = compile_text(text, tmp_path)
    layouts = {o.name: (o.row_axis, o.row_inner) for o in report.manifest.outputs}
    assert layouts == {"t": (1, 1), "flat": (0, 3)}
    for rows in (0, 1, 3, 7):
        agree(tmp_path, {"x": numbers(rows, 3, 4)})


def test_side_inputs_and_other_dtypes(tmp_path: Path) -> None:
    text = """
    m (int64[N, 3] ids, float16[N, 2] half, float scale, bool[N] flag)
      => (float[N, 3, 2] e, float16[N, 2] h, bool[N] no, float[2] same)
    <float[5, 2] table = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, float[2] constant = {1, 2}>
    { rows = Gather (table, ids)
      e = Mul (rows, scale)
      h = Add (half, half)
      no = Not (flag)
      same = Mul (constant, scale) }
    """
    report = compile_text(text, tmp_path)
    same = report.manifest.outputs[-1]
    assert (same.name, same.row_axis) == ("same", None)
    for rows in (0, 5):
        random = np.random.default_rng(rows)
        feeds: dict[str, Array] = {
            "ids": random.integers(0, 5, (rows, 3)),
            "half": random.standard_normal((rows, 2)).astype(np.float16),
            "scale": np.array(2.5, np.float32),
            "flag": random.random(rows) < 0.5,
        }
        for engine in ("openvino", "onnxruntime"):
            agree(tmp_path, feeds, engine=engine)


def test_an_input_listed_open_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionErrors) as raised:
        compile_text(DENSE, tmp_path, input_shape={"x": (-1, -1)})
    assert raised.value.code == "E10018"


def test_every_wrong_name_is_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(OptionErrors) as raised:
        compile_text(DENSE, tmp_path, input_shape={"X": (-1, 4), "w": (-1, 3), "x": (-1, 4, 1)})
    assert [error.code for error in raised.value.errors] == ["E10016", "E10017", "E10001"]
    assert "Did you mean 'x'" in str(raised.value)


@pytest.mark.parametrize(
    ("gears", "code"),
    [([4], "E10035"), ([1, 1], "E10039"), ([0, 1], "E10038"), (range(1, 102), "E10036")],
)
def test_gear_lists(tmp_path: Path, gears: list[int], code: str) -> None:
    with pytest.raises(OptionErrors) as raised:
        compile_text(DENSE, tmp_path, dynamic_batch_size=gears)
    assert raised.value.code == code


def test_gears_keep_their_order_and_large_ones_are_warned_about(tmp_path: Path) -> None:
    report = compile_text(DENSE, tmp_path, dynamic_batch_size=[4096, 1, 3])
    assert [gear.values for gear in report.manifest.gears] == [(4096,), (1,), (3,)]
    assert any("4096" in warning and "2048" in warning for warning in report.warnings)


def test_a_gear_that_cannot_fit_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(MemoryLimitError, match="gear 2000000000 needs about 80 GB") as raised:
        compile_text(DENSE, tmp_path, dynamic_batch_size=[1, 2_000_000_000])
    assert "drop it or lower it" in str(raised.value)
    with pytest.raises(MemoryLimitError, match="gear 4 needs"):
        compile_text(DENSE, tmp_path, memory_limit=100)


def test_a_gear_that_differs_fails_the_compile(tmp_path: Path) -> None:
    x = np.full((1, 4), 0.1, np.float32)
    # exp of a sum of many terms: no two libraries give the same last bit
    text = DENSE.replace("y = MatMul (x, w)", "z = MatMul (x, w)\n y = Exp (z)")
    with pytest.raises(VerificationError, match=r"gear \d on .* differs .* allowed 0\)"):
        compile_text(text, tmp_path, tolerance=0.0, sample_inputs={"x": np.repeat(x, 64, 0) * 17})
    assert not (tmp_path / "model.om").exists()


def test_an_older_artifact_survives_a_compile_that_fails(tmp_path: Path) -> None:
    report = compile_text(DENSE, tmp_path)
    before = report.output.read_bytes()
    with pytest.raises(GearshiftError):
        compile_text(NONZERO, tmp_path)
    assert report.output.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.om", "model.onnx"]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    first = compile_text(DENSE, tmp_path).output.read_bytes()
    assert compile_text(DENSE, tmp_path).output.read_bytes() == first


def test_five_gears_of_a_20_mb_model_take_one_copy_of_its_weights(tmp_path: Path) -> None:
    source = rapidocr_model("rec")
    report = gearshift.compile(
        source,
        output=tmp_path / "rec.om",
        input_shape={"x": (-1, 3, 48, 320)},
        dynamic_batch_size=[1, 2, 3, 4, 5],
        engine="openvino",
    )
    assert report.nbytes == report.output.stat().st_size
    assert report.nbytes < 1.05 * source.stat().st_size
    assert dict(report.manifest.metadata).keys() == {"character"}


def test_one_engine_only(tmp_path: Path) -> None:
    report = compile_text(DENSE, tmp_path, engine="onnxruntime")
    assert [topology.engine for topology in report.manifest.topologies] == ["onnxruntime"]
    agree(tmp_path, {"x": numbers(3, 4)})
    with pytest.raises(GearshiftError, match="it was compiled for onnxruntime"):
        gearshift.load(report.output, engine="openvino")


def test_an_engine_that_refuses_the_model_is_left_out_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gearshift.engines.openvino import OpenVINOEngine

    def refuse(*_: object) -> bytes:
        raise EngineError("openvino failed while reading the model: no such operator.")

    monkeypatch.setattr(OpenVINOEngine, "lower", refuse)
    report = compile_text(DENSE, tmp_path)
    assert [topology.engine for topology in report.manifest.topologies] == ["onnxruntime"]
    assert any("no such operator" in warning for warning in report.warnings)
    with pytest.raises(EngineError, match="no such operator"):
        compile_text(DENSE, tmp_path, engine="openvino")


def test_sample_inputs_are_what_is_verified_on(tmp_path: Path) -> None:
    text = """
    m (int64[N] id) => (float[N, 2] y)
    <float[3, 2] table = {0, 1, 2, 3, 4, 5}, int64 base = {1000}>
    { index = Sub (id, base)
      y = Gather (table, index) }
    """
    with pytest.raises(GearshiftError):  # made-up ids are 0 and 1, and 1 - 1000 is no row
        compile_text(text, tmp_path)
    compile_text(text, tmp_path, sample_inputs={"id": np.array([1000, 1002])})
    agree(tmp_path, {"id": np.array([1002, 1001, 1000, 1002, 1001])})


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ({"z": np.zeros((1, 4), "f4")}, "names 'z'"),
        ({"x": np.zeros((1, 4))}, "float64"),
        ({"x": np.zeros((1, 5), "f4")}, r"\[1, 5\]"),
        ({"x": np.zeros((0, 4), "f4")}, "at least one row"),
    ],
)
def test_sample_inputs_that_do_not_fit(
    tmp_path: Path, samples: dict[str, Array], words: str
) -> None:
    with pytest.raises(GearshiftError, match=words):
        compile_text(DENSE, tmp_path, sample_inputs=samples)


def test_the_artifact_never_replaces_the_model(tmp_path: Path) -> None:
    path = save_text(HEAD + DENSE, tmp_path / "model.om")
    with pytest.raises(GearshiftError, match="is the model itself"):
        gearshift.compile(path, output=tmp_path / "model", dynamic_batch_size=[1, 2])


def test_progress_names_every_step(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    compile_text(DENSE, tmp_path, on_progress=lambda *event: seen.append(event))
    assert list(dict.fromkeys(step for step, _, _ in seen)) == [
        "reading the model",
        "fixing every shape",
        "proving that rows are independent",
        "handing the network to the engines",
        "running every gear",
        "writing the artifact",
    ]
    assert ("running every gear", 6, 6) in seen
    assert all(0 <= done <= total for _, done, total in seen)


def test_lists_that_engines_read_with_the_model_do_not_go_to_the_pool(tmp_path: Path) -> None:
    """The pads of an image are 64 bytes, and ONNX Runtime infers shapes from them."""
    padded = """
    m (float[N, 3, 4, 4] x) => (float[N, 3, 7, 6] y)
    <int64[8] pads = {0, 0, 1, 1, 0, 0, 2, 1}>
    { y = Pad (x, pads) }
    """
    for engine in ("openvino", "onnxruntime"):
        report = compile_text(padded, tmp_path, engine=engine)
        assert report.manifest.constants == ()
        agree(tmp_path, {"x": numbers(3, 3, 4, 4)})


def test_weights_of_branches_go_to_the_pool_too(tmp_path: Path) -> None:
    w = {name: numbers(8, 8) + index for index, name in enumerate(("a", "b"))}
    branches = {
        f"{kind}_branch": helper.make_graph(
            [helper.make_node("MatMul", ["x", name], [f"y_{name}"])],
            kind,
            [],
            [helper.make_tensor_value_info(f"y_{name}", TensorProto.FLOAT, ["N", 8])],
            [numpy_helper.from_array(w[name], name)],
        )
        for kind, name in (("then", "a"), ("else", "b"))
    }
    graph = helper.make_graph(
        [helper.make_node("If", ["which"], ["y"], "if", **branches)],
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8]),
            helper.make_tensor_value_info("which", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 8])],
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")
    report = gearshift.compile(
        tmp_path / "model.onnx", output=tmp_path / "model.om", dynamic_batch_size=[1, 4]
    )
    assert {constant.name for constant in report.manifest.constants} == {"a", "b"}
    for which in (True, False):
        agree(tmp_path, {"x": numbers(5, 8), "which": np.array(which)})


def test_a_full_disk_while_staging_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gearshift.compiler.stage", full)
    with pytest.raises(GearshiftError, match=r"cannot be laid out in .*No space left.*TMPDIR"):
        compile_text(DENSE, tmp_path)


def test_steps_and_checks_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "gearshift"):
        compile_text(DENSE, tmp_path, dynamic_batch_size=[1, 4096])
    said = "\n".join(caplog.messages)
    for words in ("reading the model", "rows: proved", "gear 4096 on openvino", "recommended 1 to"):
        assert words in said
