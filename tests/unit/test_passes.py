"""The passes that every program goes through."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from gearshift.errors import ModelError
from gearshift.passes import PASSES, run_passes
from gearshift.passes.constants import LiftConstants
from gearshift.passes.dead import RemoveDead
from gearshift.passes.inline import Inline
from gearshift.passes.names import UniqueNames
from gearshift.passes.stale import DropStale
from gearshift.program import Program
from graphs import (
    program_from_file,
    program_from_text,
    program_of,
    random_feeds,
    rapidocr_model,
    run_in_onnxruntime,
)

FUNCTION = """
    <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
    g (float[N, 3] x) => (float[N, 3] y) {
        a = local.double <by = 2> (x)
        y = local.double <by = 3> (a)
    }
    <domain: "local", opset_import: ["" : 17]>
    double <by> (v) => (w) {
        f = Constant<value_int: int = @by>()
        c = Cast<to = 1>(f)
        w = Mul(v, c)
    }"""


def op_types(program: Program) -> list[str]:
    return [node.op_type for node in program.model.graph]


def test_functions_are_inlined() -> None:
    program = program_from_text(FUNCTION)
    assert Inline()(program.model).modified
    assert op_types(program) == ["Constant", "Cast", "Mul"] * 2
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(run_in_onnxruntime(program.model, {"x": x})[0], 6 * x)
    assert not Inline()(program.model).modified


def test_dead_nodes_go_and_their_weights_with_them() -> None:
    program = program_from_text("""g (float[N] x) => (float[N] y) <float w = {2}, float v = {3}> {
        dead = Mul(x, w) deader = NonZero(dead) y = Mul(x, v) }""")
    assert RemoveDead()(program.model).modified
    assert op_types(program) == ["Mul"]
    assert list(program.model.graph.initializers) == ["v"]
    assert not RemoveDead()(program.model).modified


def test_dead_nodes_inside_a_branch_go_and_what_a_branch_reads_stays() -> None:
    program = program_from_text("""
        g (float[N] x, bool c) => (float[N] y) {
            a = Neg(x)
            y = If(c) <
                then_branch = t () => (float[N] ty) { d = Abs(x) ty = Relu(a) },
                else_branch = e () => (float[N] ey) { ey = Identity(x) }
            >
        }""")
    RemoveDead()(program.model)
    assert op_types(program) == ["Neg", "If"]
    branch = program.model.graph[1].attributes["then_branch"].as_graph()
    assert [node.op_type for node in branch] == ["Relu"]


def test_training_mode_is_not_touched() -> None:
    """A BatchNormalization in training mode mixes rows, even if only its result is read."""
    program = program_from_text("""
        g (float[N, 2] x) => (float[N, 2] y) <float[2] p = {1, 1}> {
            y, m, v = BatchNormalization<training_mode = 1>(x, p, p, p, p)
        }""")
    run_passes(program)
    assert program.model.graph[0].attributes.get_int("training_mode") == 1


def test_names_become_unique_and_the_edge_keeps_its_own() -> None:
    model = ir.from_proto(
        onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[N] x) => (float[N] y) { a = Relu(x) [n] b = Neg(a) [n] y = Abs(b) }""")
    )
    model.graph[0].outputs[0].name = None
    UniqueNames()(model)
    names = [node.name for node in model.graph]
    assert names[0] == "Relu"
    assert len(set(names)) == 3
    values = [value.name for node in model.graph for value in node.outputs]
    assert all(values)
    assert len({*values, "x"}) == 4
    assert values[-1] == "y"


def test_what_the_file_says_of_inner_tensors_goes() -> None:
    """The batch of the export stands in every inner shape and in the outputs'."""
    proto = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[1, 4] x) => (float[1, 4] y) { a = Relu(x) y = Neg(a) }""")
    proto.graph.value_info.append(onnx.helper.make_tensor_value_info("a", 1, [1, 4]))
    proto.graph.node[0].metadata_props.add(key="source", value="/home/somebody/model.py")
    proto.graph.node[0].doc_string = "trace"
    program = program_of(ir.from_proto(proto))
    assert DropStale()(program.model).modified
    assert not DropStale()(program.model).modified
    after = ir.to_proto(program.model)
    assert not after.graph.value_info
    assert not after.graph.node[0].metadata_props
    assert not after.graph.node[0].doc_string
    output = after.graph.output[0].type.tensor_type
    assert output.elem_type == onnx.TensorProto.FLOAT
    assert [dim.WhichOneof("value") for dim in output.shape.dim] == [None, None]
    assert [dim.dim_value for dim in after.graph.input[0].type.tensor_type.shape.dim] == [1, 4]
    onnx.checker.check_model(after)


def test_weights_written_as_nodes_become_initializers() -> None:
    weights = ", ".join(str(i) for i in range(20))
    program = program_from_text(f"""g (float[N, 20] x) => (float[A, B] y) {{
        w = Constant<value = float[20] {{{weights}}}>()
        t = Constant<value = int64[2] {{-1, 10}}>()
        a = Mul(x, w)
        y = Reshape(a, t)
    }}""")
    assert LiftConstants()(program.model).modified
    assert list(program.model.graph.initializers) == ["w"]
    assert op_types(program) == ["Constant", "Mul", "Reshape"]


@pytest.mark.parametrize("part", ["rec", "cls", "det"])
def test_real_models_compute_what_they_did(part: str) -> None:
    program = program_from_file(rapidocr_model(part))
    feeds = random_feeds({"x": (2, 3, 48, 64) if part == "rec" else (2, 3, 64, 64)})
    before = run_in_onnxruntime(program.model, feeds)
    assert run_passes(program) is program
    after = run_in_onnxruntime(program.model, feeds)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)
    assert not any(step(program.model).modified for step in PASSES)


def test_a_broken_model_is_said_to_be_one() -> None:
    """Two functions that call each other cannot be inlined."""
    program = program_from_text("""
        <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
        g (float[N] x) => (float[N] y) { y = local.a(x) }
        <domain: "local", opset_import: ["" : 17, "local" : 1]> a (v) => (w) { w = local.b(v) }
        <domain: "local", opset_import: ["" : 17, "local" : 1]> b (v) => (w) { w = local.a(v) }""")
    with pytest.raises(ModelError, match=r"cannot be prepared: .* circle: local::[ab]"):
        run_passes(program)
