"""Single values of ATC's JSON, and messages as a whole, held against protobuf's own writers."""

from __future__ import annotations

from typing import Any

import onnx
import onnx_ir as ir
import pytest
from google.protobuf import json_format, text_encoding
from hypothesis import given
from hypothesis import strategies as st

from gearshift.analysis.facts import Fact
from gearshift.dump import attributes
from gearshift.dump.graphs import known_at_all, merged
from gearshift.dump.values import escaped, floating, message_json


@given(st.binary() | st.text())
def test_bytes_are_escaped_as_protobuf_escapes_them(data: bytes | str) -> None:
    try:
        raw = data.encode() if isinstance(data, str) else data
    except UnicodeEncodeError:
        return  # lone surrogates stand for bytes that no protobuf text can be compared on
    assert escaped(data) == text_encoding.CEscape(raw, as_utf8=False)


def test_text_that_was_no_text_gives_its_bytes() -> None:
    assert escaped(b"a\xff".decode("utf-8", "surrogateescape")) == "a\\377"


@given(st.floats(width=32))
def test_floats_are_those_of_c(value: float) -> None:
    assert floating(value) == "%g" % value  # noqa: UP031 - C's own notation is the point


NAMES = st.text('abc模\n"', max_size=4)
ATTRIBUTES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0.0, 0.5, -1.25, 3e20]),
    NAMES,
    st.lists(st.integers(-5, 5), min_size=1),
    st.lists(st.sampled_from([0.5, 2.0]), min_size=1),
    st.lists(NAMES, min_size=1),
)
NODES = st.builds(
    lambda names, attrs: onnx.helper.make_node("Op", names[:2], names[2:], "n", **attrs),
    st.lists(NAMES, max_size=5),
    st.dictionaries(st.sampled_from("pqrs"), ATTRIBUTES),
)


@given(st.lists(NODES, max_size=4), st.integers(-3, 2**40))
def test_a_message_says_what_protobufs_own_json_says(
    nodes: list[onnx.NodeProto], version: int
) -> None:
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 3, None])],
        [],
    )
    model = onnx.helper.make_model(graph, model_version=version)
    expected = json_format.MessageToDict(model, preserving_proto_field_name=True)
    assert alike(message_json(model), expected)


def alike(ours: Any, theirs: Any) -> bool:
    """Equal but for how 64-bit numbers, floats and bytes are written."""
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(alike(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(alike, ours, theirs))
    if isinstance(ours, int):
        return ours == int(theirs)
    if isinstance(theirs, float):
        return isinstance(ours, str) and float(ours) == theirs
    import base64

    return ours == theirs or ours == escaped(base64.b64decode(theirs))


def test_fields_can_be_left_out_at_every_depth() -> None:
    tensor = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [2], [1, 2])
    node = onnx.helper.make_node("Constant", [], ["w"], value=tensor)
    graph = onnx.helper.make_graph([node], "g", [], [], [tensor])
    found = message_json(graph, {"float_data", "data_type"})
    assert found["initializer"] == [{"dims": [2], "name": "w"}]
    assert found["node"][0]["attribute"][0]["t"] == {"dims": [2], "name": "w"}
    assert "float_data" in message_json(graph)["initializer"][0]


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(1, 3), (2, 3)], (-1, 3)),
        ([(4,)], (4,)),
        ([(), ()], ()),
        ([(1, 2), (1,)], (-2,)),
        ([(0, 2), (0, 2), (0, 3)], (0, -1)),
    ],
)
def test_shapes_of_all_gears_in_one(
    shapes: list[tuple[int, ...]], expected: tuple[int, ...]
) -> None:
    assert merged(shapes) == expected
    facts = [{"v": Fact(ir.DataType.INT8, shape)} for shape in shapes]
    (known,) = known_at_all([*facts]).values()
    assert (known.dtype, known.shape) == (ir.DataType.INT8, expected)


def test_a_value_that_only_some_gears_have_is_left_out() -> None:
    fact = Fact(ir.DataType.INT8, (1,))
    assert known_at_all([{"a": fact, "b": fact}, {"a": fact}]).keys() == {"a"}


def test_types_by_atcs_names() -> None:
    named = {dtype.name: attributes.dtype_name(dtype) for dtype in ir.DataType}
    assert named["BFLOAT16"] == "DT_BF16"
    assert named["FLOAT8E5M2"] == named["UNDEFINED"] == "DT_UNDEFINED"
    assert named["DOUBLE"] == "DT_DOUBLE"
    assert attributes.dtype_name(None) == "DT_UNDEFINED"


def test_fields_that_hold_nothing_are_left_out_and_values_are_not() -> None:
    assert attributes.descriptor("", None, None) == {"layout": "ND"}
    assert attributes.descriptor("s", ir.DataType.BOOL, ()) == {
        "name": "s",
        "dtype": "DT_BOOL",
        "shape": {},
        "layout": "ND",
    }
    assert attributes.integer(0) == {"i": 0}
    assert attributes.integers([]) == {"list": {"val_type": "VT_LIST_INT"}}
    assert attributes.attribute(ir.AttrFloat32("a", 0.0)) == {"f": "0"}
    many = ir.AttrTensors("t", [ir.tensor([1, 2], name="one")])
    (tensor,) = attributes.attribute(many)["list"]["t"]
    assert tensor["desc"]["shape"] == {"dim": [2]}
