"""``atc --mode=1``: artifacts and ONNX files as JSON, held against ONNX itself."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto

import gearshift
from artifacts import null_artifact
from atc_json import EVERYTHING, Json, Printed, convert, fails, inferred
from gearshift.artifact.pool import WeightPool
from gearshift.artifact.reader import Artifact
from gearshift.artifact.writer import write_artifact
from gearshift.cli import atc
from gearshift.cli.atc_output import SUCCESS
from models import detector, save_text

GEARS = (1, 2, 5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("json")


@pytest.fixture(scope="module")
def everything(folder: Path) -> Path:
    model = save_text(EVERYTHING, folder / "everything.onnx")
    gearshift.compile(
        model, output=folder / "everything", dynamic_batch_size=GEARS, engine="onnxruntime"
    )
    return folder / "everything.om"


@pytest.fixture(scope="module")
def boxes(folder: Path) -> Path:
    model = detector(folder / "检测 模型.onnx")
    argv = [
        f"--model={model}",
        "--framework=5",
        f"--output={folder / '输出 目录' / '检测 模型'}",
        "--input_shape=data:-1,3,416,416;img_info:-1,4",
        "--dynamic_batch_size=2,1",
        "--soc_version=Ascend310P3",
    ]
    assert atc.main(argv) == 0
    return folder / "输出 目录" / "检测 模型.om"


def topology(om: Path) -> onnx.ModelProto:
    """What the artifact holds, read by ONNX."""
    with Artifact.open(om) as artifact:
        return onnx.ModelProto.FromString(artifact.topology("onnxruntime"))


def attrs(entry: Json) -> Json:
    return {pair["key"]: pair["value"] for pair in entry.get("attr", [])}


def tensor_at(ops: dict[str, Json], source: str) -> str:
    """The name of the tensor that ``op:index`` means; "" for an input left out."""
    if not source:
        return ""
    op, _, index = source.rpartition(":")
    return str(ops[op]["output_desc"][int(index)].get("name", ""))


def plain_attribute(value: Json) -> Any:
    """An AttrDef as onnx.helper gives attributes; None for a tensor."""
    ((kind, held),) = value.items()
    if kind == "list":
        (name,) = set(held) - {"val_type"}
        expected = {"i": "VT_LIST_INT", "f": "VT_LIST_FLOAT", "s": "VT_LIST_STRING"}[name]
        assert held["val_type"] == expected
        return [plain_attribute({name: item}) for item in held[name]]
    return {"i": lambda: held, "f": lambda: float(held), "s": lambda: held.encode()}.get(
        kind, lambda: None
    )()


def nodes_and_ops(model: onnx.ModelProto, found: Json) -> Iterator[tuple[onnx.NodeProto, Json]]:
    """Each node of each graph beside the op that stands for it."""
    graphs = {graph["name"]: graph for graph in found["graph"]}
    assert len(graphs) == len(found["graph"])
    waiting = [(model.graph, found["graph"][0])]
    while waiting:
        graph, written = waiting.pop(0)
        ops = [op for op in written["op"] if op["type"] not in ("Data", "Const", "NetOutput")]
        assert len(ops) == len(graph.node)
        for node, op in zip(graph.node, ops, strict=True):
            yield node, op
            inner = [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
            names = op.get("subgraph_name", [])
            waiting += zip(inner, (graphs[name] for name in names), strict=True)


@pytest.mark.parametrize("which", ["everything", "boxes"])
def test_every_node_is_there_with_its_edges_and_attributes(
    which: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    om = request.getfixturevalue(which)
    model, found = topology(om), convert(om, folder / f"{which}.json")
    ops = {op["name"]: op for graph in found["graph"] for op in graph["op"]}
    assert len(ops) == sum(len(graph["op"]) for graph in found["graph"]), "names are unique"
    kinds = set()
    for node, op in nodes_and_ops(model, found):
        assert op["name"].startswith(node.name or node.op_type)
        assert op["type"] == (f"{node.domain}::{node.op_type}" if node.domain else node.op_type)
        assert [tensor_at(ops, source) for source in op.get("input", [])] == list(node.input)
        assert [desc.get("name", "") for desc in op.get("input_desc", [])] == list(node.input)
        assert [desc.get("name", "") for desc in op["output_desc"]] == list(node.output)
        given = {a.name: a for a in node.attribute if a.type != onnx.AttributeProto.GRAPH}
        assert set(attrs(op)) == set(given)
        for name, value in attrs(op).items():
            kinds.update(value)
            expected = onnx.helper.get_attribute_value(given[name])
            if isinstance(expected, TensorProto):
                assert value["t"]["desc"]["shape"].get("dim", []) == list(expected.dims)
            elif given[name].floats or given[name].f:
                assert plain_attribute(value) == pytest.approx(expected, rel=1e-5)
            else:
                assert plain_attribute(value) == expected
    assert which != "everything" or kinds == {"i", "f", "s", "t", "list"}
    *_, output = found["graph"][0]["op"]
    assert output["type"] == "NetOutput"
    assert [tensor_at(ops, source) for source in output["input"]] == [
        value.name for value in model.graph.output
    ]


@pytest.mark.parametrize(("which", "gears"), [("everything", GEARS), ("boxes", (2, 1))])
def test_every_shape_is_what_onnx_infers(
    which: str, gears: tuple[int, ...], folder: Path, request: pytest.FixtureRequest
) -> None:
    om = request.getfixturevalue(which)
    model, found = topology(om), convert(om, folder / f"{which}.json")
    by_gear = [inferred(model, size) for size in gears]
    seen = 0
    for op in found["graph"][0]["op"]:
        for desc in (*op.get("input_desc", []), *op.get("output_desc", [])):
            # ONNX knows no shapes behind an operator of ONNX Runtime's; which those are is tested
            # by what is seen, below.
            shapes = [shapes.get(desc.get("name", "")) for shapes in by_gear]
            if None in shapes:
                continue
            dims = [sizes[0] if len({*sizes}) == 1 else -1 for sizes in zip(*shapes, strict=True)]
            assert desc["shape"].get("dim", []) == dims, desc
            seen += 1
    assert seen >= 25
    for op in found["graph"][0]["op"]:
        for desc in op.get("output_desc", []):
            assert desc == {} or "shape" in desc, "all is known in the main graph"


def test_dtypes_go_by_atcs_names(everything: Path, folder: Path) -> None:
    found = convert(everything, folder / "e.json")
    dtypes = {
        desc["name"]: desc["dtype"]
        for graph in found["graph"]
        for op in graph["op"]
        for desc in op.get("output_desc", [])
        if desc
    }
    assert dtypes["x"] == dtypes["a"] == "DT_FLOAT"
    assert dtypes["flag"] == "DT_BOOL"
    assert dtypes["parts"] == "DT_INT64"
    assert dtypes["ascend_mbatch_shape_data"] == "DT_INT32"


def test_the_facts_of_gears(boxes: Path, folder: Path) -> None:
    found = convert(boxes, folder / "b.json")
    ops = {op["name"]: op for op in found["graph"][0]["op"]}
    data = attrs(ops["data"])
    assert data["_mbatch_origin_input_dims"]["list"]["i"] == [-1, 3, 416, 416]
    nbytes = 3 * 416 * 416 * 4
    assert data["_all_origin_gears_inputs"]["list"]["s"] == [
        f"ND:DT_FLOAT:data:{2 * nbytes}:4:2,3,416,416",
        f"ND:DT_FLOAT:data:{nbytes}:4:1,3,416,416",
    ]
    gear = attrs(ops["ascend_mbatch_shape_data"])
    assert [gear[f"_pred_value_{index}"]["list"]["i"] for index in range(2)] == [[2], [1]]
    assert gear["_batch_num"] == {"i": 2}
    assert gear["mbatch_dynamic_type"] == {"i": 1}
    assert gear["user_designate_shape_order"]["list"]["s"] == ["data", "img_info"]
    assert [attrs(ops[name])["index"]["i"] for name in ("data", "img_info")] == [0, 1]
    assert gear["index"] == {"i": 2}
    dims = attrs(ops["Node_Output"])["_dynamic_output_dims"]["list"]["s"]
    assert dims == ["0,0,2,24", "0,1,2,20", "1,0,1,24", "1,1,1,20"]


def test_an_output_that_gears_leave_alone(everything: Path, folder: Path) -> None:
    found = convert(everything, folder / "e.json")
    output = attrs(found["graph"][0]["op"][-1])["_dynamic_output_dims"]["list"]["s"]
    assert [line for line in output if line.startswith("-1")] == ["-1,2,", "-1,3,"]
    assert sum(line.split(",")[1] == "0" for line in output) == len(GEARS)


def test_what_the_model_says_of_itself(boxes: Path, folder: Path) -> None:
    found = convert(boxes, folder / "b.json")
    said = attrs(found)
    with Artifact.open(boxes) as artifact:
        manifest, sizes = artifact.manifest, {part.name: part.size for part in artifact.parts}
    assert found["name"] == manifest.source.file
    assert said["atc_version"] == {"s": f"gearshift {gearshift.__version__}"}
    assert said["soc_version"] == {"s": "Ascend310P3"}
    assert said["framework_type"] == {"s": "Onnx"}
    assert said["memory_size"]["i"] == max(gear.predicted_bytes for gear in manifest.gears)
    assert said["weight_size"] == {"i": sizes["weights"]}
    assert said["om_info_list"]["list"]["i"] == [sizes["weights"], 0, 0, 0]
    assert said["attr_model_out_nodes_name"]["list"]["s"] == ["boxes:0", "scores:0"]
    command = dict(manifest.options)["command"]
    # Bytes are escaped as in C, and what is not ASCII is bytes.
    escaped = said["atc_cmdline"]["s"]
    assert escaped.isascii()
    assert escaped.replace("\\'", "'").encode().decode("unicode_escape").encode("latin-1") == (
        command.encode()
    )


def test_the_file_is_its_owners_and_comes_whole_or_not_at_all(boxes: Path, tmp_path: Path) -> None:
    target = tmp_path / "新的 目录" / "模型.json"
    convert(boxes, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    text = target.read_text("utf-8")
    assert text.startswith('{\n  "name": "检测 模型.onnx"')
    assert [path.name for path in target.parent.iterdir()] == ["模型.json"]
    target.chmod(0o644)
    convert(boxes, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert target.read_text("utf-8") == text


def test_weights_are_left_out(boxes: Path, folder: Path) -> None:
    target = folder / "b.json"
    convert(boxes, target)
    for key in ("data", "data_offset", "memory_size", "weight_size", "size", "output", "bt"):
        assert f'"{key}":' not in target.read_text("utf-8")


def test_an_artifact_without_an_onnx_graph_says_so(tmp_path: Path, capsys: Printed) -> None:
    om = null_artifact(tmp_path)
    said = fails(capsys, "--mode=1", f"--om={om}", f"--json={tmp_path / 'n.json'}")
    assert "holds no ONNX graph" in said
    assert "compiled for null alone" in said
    assert not (tmp_path / "n.json").exists()


def rewritten(om: Path, target: Path, graph: bytes) -> Path:
    """The same artifact around another ONNX graph, with every checksum right."""
    with Artifact.open(om) as artifact:
        parts = {
            record.part: artifact.topology(record.part) for record in artifact.manifest.topologies
        }
        pool = WeightPool()
        pool.add(artifact.pool)
        write_artifact(target, artifact.manifest, {**parts, "onnxruntime": graph}, pool)
    return target


def test_a_graph_that_reads_files_of_others_is_refused(
    everything: Path, tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_bytes(b"\x05\0\0\0\0\0\0\0" * 2)
    model = topology(everything)
    (parts,) = (tensor for tensor in model.graph.initializer if tensor.name == "parts")
    parts.ClearField("raw_data")
    parts.ClearField("int64_data")
    parts.data_location = TensorProto.EXTERNAL
    parts.external_data.add(key="location", value="secret")
    om = rewritten(everything, tmp_path / "bad.om", model.SerializeToString())
    said = fails(capsys, "--mode=1", f"--om={om}", "--json=bad.json")
    assert said.startswith("E10003: --om: ")
    assert "another file" in said


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_graph_makes_it_raise(data: st.DataObject, everything: Path, folder: Path) -> None:
    good = bytearray(topology(everything).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(good) - 1))
        good[place] = data.draw(st.integers(0, 255))
    om = rewritten(everything, folder / "hostile.om", bytes(good))
    target = folder / "hostile.json"
    target.unlink(missing_ok=True)
    status = atc.main(["--mode=1", f"--om={om}", f"--json={target}"])
    assert status == (0 if target.exists() else 255)


@settings(max_examples=60)
@given(data=st.data())
def test_no_damaged_file_makes_it_raise(data: st.DataObject, boxes: Path, folder: Path) -> None:
    good = boxes.read_bytes()
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, 9000)] * 2)))
    junk = data.draw(st.binary(max_size=40))
    om = folder / "damaged.om"
    om.write_bytes(good[:start] + junk + (good[stop:] if data.draw(st.booleans()) else b""))
    target = folder / "damaged.json"
    target.unlink(missing_ok=True)
    for argv in (["--mode=1", f"--json={target}"], ["--mode=6"]):
        assert atc.main([*argv, f"--om={om}"]) == (0 if om.read_bytes() == good else 255)


def test_it_says_what_it_wrote(boxes: Path, tmp_path: Path, capsys: Printed) -> None:
    convert(boxes, tmp_path / "b.json")
    assert capsys.readouterr().out.splitlines()[1:] == [f"wrote {tmp_path / 'b.json'}", SUCCESS]
