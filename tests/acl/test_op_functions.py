"""The functions of `acl.op`: attributes, handles, streams, constants, and every refusal."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from op_tools import Tensor, attributes

from gearshift.acl import buffers, descs, memory, runtime, util
from gearshift.acl.call import ArgumentsError
from gearshift.acl.codes import Code
from gearshift.acl.op import attrs as op_attrs  # fmt: skip
from gearshift.acl.op import card as op_card
from gearshift.acl.op import run as op_run
from gearshift.acl.op.attrs import attributes_at
from gearshift.acl.op.calls import MOST_KEPT, PREPARED
from gearshift.acl.op.jobs import OPERATORS
from gearshift.acl.system import get_recent_err_msg

WRONG = (1, 4096, -1, 0x00A5 << 48, (0x00A5 << 48) + 8)


def execute(name: str, inputs: list[Tensor], outputs: list[Tensor], attr: int = 0) -> int:
    return op_run.execute(
        name,
        [tensor.desc for tensor in inputs],
        [tensor.buffer for tensor in inputs],
        [tensor.desc for tensor in outputs],
        [tensor.buffer for tensor in outputs],
        attr,
        0,
    )


@pytest.fixture
def three():  # type: ignore[no-untyped-def]
    tensors = [Tensor(np.full((2, 2), value, np.float32)) for value in (1, 2, 0)]
    yield tensors
    runtime.synchronize_stream(0)
    for tensor in tensors:
        tensor.free()


def test_attributes() -> None:
    attr = attributes({"a": True, "b": -(1 << 63), "c": 0.5, "d": "text", "e": [True, False]})
    assert op_attrs.set_attr_list_int(attr, "f", np.array([1, 2], np.int32)) == 0
    assert op_attrs.set_attr_list_float(attr, "g", np.array([1.5])) == 0
    assert op_attrs.set_attr_list_string(attr, "h", ["x", "y"]) == 0
    assert op_attrs.set_attr_list_list_int(attr, "i", [[1], [], np.array([2, 3])]) == 0
    assert op_attrs.set_attr_data_type(attr, "j", 3) == (attr, 0)
    assert op_attrs.set_attr_list_data_type(attr, "k", [3, 9]) == (attr, 0)
    assert op_attrs.set_attr_bool(attr, "a", 0) == 0
    assert [attribute.value for attribute in attributes_at(attr).values()] == [
        False, -(1 << 63), 0.5, "text", (True, False), (1, 2), (1.5,), ("x", "y"),
        ((1,), (), (2, 3)), 3, (3, 9),
    ]  # fmt: skip
    assert op_attrs.destroy_attr(attr) is None
    for wrong in (*WRONG, 0, attr):
        assert op_attrs.set_attr_int(wrong, "b", 1) == Code.INVALID_PARAM
        assert op_attrs.set_attr_data_type(wrong, "b", 1) == (0, Code.INVALID_PARAM)
        assert op_attrs.destroy_attr(wrong) is None


@pytest.mark.parametrize(
    ("setter", "value"),
    [
        (op_attrs.set_attr_bool, "x"),
        (op_attrs.set_attr_int, 1 << 63),
        (op_attrs.set_attr_int, 1.5),
        (op_attrs.set_attr_float, "x"),
        (op_attrs.set_attr_string, b"x"),
        (op_attrs.set_attr_list_bool, (1,)),
        (op_attrs.set_attr_list_int, [1.5]),
        (op_attrs.set_attr_list_int, np.array([1.5])),
        (op_attrs.set_attr_list_int, 3),
        (op_attrs.set_attr_list_float, ["x"]),
        (op_attrs.set_attr_list_string, [b"x"]),
        (op_attrs.set_attr_list_list_int, [1]),
        (op_attrs.set_attr_list_list_int, ([1],)),
    ],
)
def test_values_that_cannot_be_read(setter, value) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ArgumentsError, match="argument 3"):
        setter(op_attrs.create_attr(), "name", value)


def test_nothing_heavy_is_loaded_before_an_operator_runs() -> None:
    code = (
        "import sys; from gearshift.acl import table; "
        "print({'onnx', 'onnxruntime', 'openvino'} & set(sys.modules))"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "set()"


def test_a_program_that_adds(tmp_path: Path, three: list[Tensor]) -> None:
    assert op_card.set_model_dir(str(tmp_path)) == 0
    attr = op_attrs.create_attr()
    lists = [tensor.desc for tensor in three], [tensor.buffer for tensor in three]
    stream, _ = runtime.create_stream()
    given = (lists[0][:2], lists[1][:2], lists[0][2:], lists[1][2:], attr, stream)
    assert op_run.update_params("Add", given[0], given[2], attr) == 0
    for function in (op_run.execute_v2, op_run.execute):
        assert function("Add", *given) == 0
        assert runtime.synchronize_stream(stream) == 0
        assert (three[2].read() == 3).all()
        assert memory.memset(three[2].address, 16, 0, 16) == 0
    op_attrs.destroy_attr(attr)
    assert runtime.destroy_stream(stream) == 0


def test_a_program_that_looks_for_the_best_of_a_thousand() -> None:
    """A cast, then a place whose axis is a constant in bytes that are gone before it runs."""
    scores = np.random.default_rng(2).permutation(1000).astype(np.float32)
    source, half = Tensor(scores), Tensor(np.zeros(1000, np.float16))
    label = Tensor(np.zeros(1, np.int32))
    axis = descs.create_tensor_desc(3, [1], 2)
    value = bytes(4)
    assert descs.set_tensor_const(axis, util.bytes_to_ptr(value), 4) == 0
    del value
    nothing = buffers.create_data_buffer(0, 0)
    assert op_run.cast(source.desc, source.buffer, half.desc, half.buffer, 0, 0) == 0
    arguments = ([half.desc, axis], [half.buffer, nothing], [label.desc], [label.buffer])
    assert op_run.execute_v2("ArgMaxV2", *arguments, 0, 0) == 0
    assert runtime.synchronize_stream(0) == 0
    assert label.read().tolist() == [int(scores.argmax())]
    assert buffers.destroy_data_buffer(nothing) == 0
    descs.destroy_tensor_desc(axis)
    for tensor in (source, half, label):
        tensor.free()


def test_a_program_that_keeps_a_handle() -> None:
    """As one public program slices: values in `bytes`, descriptions gone before it runs."""
    whole = np.arange(12, dtype=np.float16).reshape(3, 4)
    target = Tensor(np.zeros((2, 2), np.float16))
    pieces = [whole.tobytes(), np.int32([1, 1]).tobytes(), np.int32([2, 2]).tobytes()]
    inputs = [descs.create_tensor_desc(1, [3, 4], 2), *(
        descs.create_tensor_desc(3, [2], 2) for _ in range(2)
    )]  # fmt: skip
    attr = op_attrs.create_attr()
    handle, ret = op_run.create_handle("Slice", inputs, [target.desc], attr)
    assert ret == 0
    for desc in inputs:
        descs.destroy_tensor_desc(desc)
    op_attrs.destroy_attr(attr)
    held = [buffers.create_data_buffer(util.bytes_to_ptr(piece), len(piece)) for piece in pieces]
    for _ in range(2):
        assert op_run.execute_with_handle(handle, held, [target.buffer], 0) == 0
        assert runtime.synchronize_stream(0) == 0
        assert target.read().tolist() == whole[1:, 1:3].tolist()
    assert op_run.execute_with_handle(handle, held[:2], [target.buffer], 0) == 100000
    assert op_run.execute_with_handle(handle, held, [], 0) == 100000
    op_run.destroy_handle(handle)
    for wrong in (handle, 0, *WRONG):
        assert op_run.execute_with_handle(wrong, held, [target.buffer], 0) == 100000
        assert op_run.destroy_handle(wrong) is None
    for buffer in held:
        assert buffers.destroy_data_buffer(buffer) == 0
    target.free()


def test_operators_keep_the_order_of_their_stream(three: list[Tensor]) -> None:
    stream, _ = runtime.create_stream()
    gate = threading.Event()
    runtime.stream_at(stream).submit(lambda: (gate.wait(10), None)[1])
    lists = [tensor.desc for tensor in three], [tensor.buffer for tensor in three]
    one, two, three_ = zip(*lists, strict=True)
    for first, second, target in ((one, two, three_), (three_, two, one), (one, three_, two)):
        arguments = ([first[0], second[0]], [first[1], second[1]], [target[0]], [target[1]])
        assert op_run.execute_v2("Add", *arguments, 0, stream) == 0
    assert (three[2].read() == 0).all(), "nothing runs yet"
    gate.set()
    assert runtime.synchronize_stream(stream) == 0
    assert [tensor.read()[0, 0] for tensor in three] == [5, 8, 3]
    assert runtime.destroy_stream(stream) == 0


def test_a_call_outlives_what_it_was_made_of() -> None:
    stream, _ = runtime.create_stream()
    gate = threading.Event()
    runtime.stream_at(stream).submit(lambda: (gate.wait(10), None)[1])
    data, _ = memory.malloc(16, 0)
    assert memory.memset(data, 16, 0, 16) == 0
    desc = descs.create_tensor_desc(3, [4], 2)
    buffer = buffers.create_data_buffer(data, 16)
    attr = attributes({})
    assert op_run.execute_v2("LogicalNot", [desc], [buffer], [desc], [buffer], attr, stream) != 0
    assert op_run.execute_v2("Add", [desc] * 2, [buffer] * 2, [desc], [buffer], attr, stream) == 0
    assert op_run.execute_v2("Exp", [desc], [buffer], [desc], [buffer], attr, stream) == 100021
    descs.destroy_tensor_desc(desc)
    assert buffers.destroy_data_buffer(buffer) == 0
    op_attrs.destroy_attr(attr)
    gate.set()
    assert runtime.synchronize_stream(stream) == 0
    assert runtime.destroy_stream(stream) == 0
    assert memory.free(data) == 0


def test_memory_that_is_freed_before_it_runs(three: list[Tensor]) -> None:
    stream, _ = runtime.create_stream()
    gate = threading.Event()
    for freed in (0, 2):
        gate.clear()
        runtime.stream_at(stream).submit(lambda: (gate.wait(10), None)[1])
        address, _ = memory.malloc(16, 0)
        other = buffers.create_data_buffer(address, 16)
        held = [tensor.buffer for tensor in three]
        held[freed] = other
        desc = three[0].desc
        assert op_run.execute("Add", [desc] * 2, held[:2], [desc], held[2:], 0, stream) == 0
        assert memory.free(address) == 0
        gate.set()
        assert runtime.synchronize_stream(stream) == Code.RT_PARAM_INVALID
        assert buffers.destroy_data_buffer(other) == 0
    assert runtime.destroy_stream(stream) == 0


def test_memory_that_is_not_there(three: list[Tensor]) -> None:
    desc, freed = three[0].desc, memory.malloc(16, 0)[0]
    assert memory.free(freed) == 0
    for address, size, codes in (
        (0, 16, {100000}),
        (4096, 16, {107000}),
        (freed, 16, {107000}),
        (three[0].address, 15, {100021, 100022}),
        (three[0].address + 4, 16, {107000}),
        ((1 << 64) - 8, 16, {107000}),
    ):
        wrong = buffers.create_data_buffer(address, size)
        for place in range(3):
            held = [tensor.buffer for tensor in three]
            held[place] = wrong
            for function in (op_run.execute, op_run.execute_v2):
                ret = function("Add", [desc] * 2, held[:2], [desc], held[2:], 0, 0)
                assert ret in codes, f"{address:#x}, {size}, {place}"
        assert buffers.destroy_data_buffer(wrong) == 0


def test_handles_that_are_none(three: list[Tensor]) -> None:
    desc, held = three[0].desc, three[0].buffer
    good = ("Add", [desc] * 2, [held] * 2, [desc], [held], 0, 0)
    for wrong in (*WRONG, 0):
        for place in range(1, 5):
            given = list(good)
            given[place] = [wrong, *good[place][1:]]  # type: ignore[misc]
            kind = held if place in (1, 3) else desc
            assert op_run.execute_v2(*given) == 100000
            given[place] = [kind, *good[place][1:]]  # type: ignore[misc]
            assert op_run.execute_v2(*given) == 100000
        if wrong:
            assert op_run.execute_v2(*good[:5], wrong, 0) == 100000
            assert op_run.execute_v2(*good[:5], 0, wrong) == 107000
            assert op_run.create_handle("Add", [desc] * 2, [desc], wrong) == (0, 100000)
        assert op_run.create_handle("Add", [desc, wrong], [desc], 0) == (0, 100000)
        assert op_run.infer_shape("Add", [desc] * 2, [held, wrong], 1, [desc], 0) == 100000
        assert op_run.create_handle_for_cast(wrong, desc, 0) == (0, 100000)


def test_lists_that_are_none(three: list[Tensor]) -> None:
    for wrong in ((three[0].desc,), None, three[0].desc, ["x"], [1.5]):
        with pytest.raises(ArgumentsError, match="argument 2"):
            op_run.execute_v2("Add", wrong, [], [], [], 0, 0)  # type: ignore[arg-type]
    with pytest.raises(ArgumentsError):
        op_run.execute_v2("Add", [], [], [], [], None, 0)  # type: ignore[arg-type]


def test_operators_and_tensors_that_do_not_fit(three: list[Tensor]) -> None:
    one, two, out = three
    attr = attributes({"axis": 1})
    assert execute("Adder", [one, two], [out]) == Code.OP_NOT_FOUND
    message = get_recent_err_msg() or ""
    assert all(name in message for name in OPERATORS)
    assert execute("Add", [one], [out]) == Code.OP_INPUT_NOT_MATCH
    assert execute("Add", [one, two, two], [out]) == Code.OP_INPUT_NOT_MATCH
    assert execute("Add", [one, two], []) == Code.OP_OUTPUT_NOT_MATCH
    assert execute("Add", [one, two], [out, out]) == Code.OP_OUTPUT_NOT_MATCH
    assert execute("Add", [one, two], [out], attr) == Code.OP_ATTR_NOT_MATCH
    assert "Add has no attribute 'axis' of kind int; its attributes are: none" in (
        get_recent_err_msg() or ""
    )
    assert op_run.execute("Relu", [one.desc], [], [out.desc], [out.buffer], 0, 0) == 100000
    odd = Tensor(np.zeros(3, np.float32))
    assert execute("Add", [one, odd], [out]) == Code.OP_INPUT_NOT_MATCH
    assert execute("Add", [one, two], [odd]) == Code.OP_OUTPUT_NOT_MATCH
    whole = Tensor(np.zeros((2, 2), np.int32))
    assert execute("Add", [one, whole], [out]) == Code.OP_INPUT_NOT_MATCH
    assert execute("Add", [one, two], [whole]) == Code.OP_OUTPUT_NOT_MATCH
    assert "Add gives float32[2, 2] where int32[2, 2] is described" in (get_recent_err_msg() or "")
    assert execute("ArgMaxV2", [one, two], [whole]) == 0
    assert runtime.synchronize_stream(0) == Code.OP_INPUT_NOT_MATCH, "an axis that is float32"
    for number, layout, code in ((27, 2, 100026), (16, 2, 100026), (0, 3, 100027), (-1, 2, 100021)):
        wrong = Tensor(np.zeros((2, 2), np.complex128), number, layout)
        assert execute("Add", [one, wrong], [out]) == code
        wrong.free()
    op_attrs.destroy_attr(attr)
    for tensor in (odd, whole):
        tensor.free()


def test_types_that_the_engine_has_no_kernel_for(three: list[Tensor]) -> None:
    whole = Tensor(np.zeros((2, 2), np.uint64))
    assert execute("MatMul", [whole, whole], [whole]) == 0
    assert execute("Neg", [whole], [whole]) in (100021, Code.UNSUPPORTED_DATA_TYPE)
    assert execute("Sign", [whole], [whole]) in (0, Code.UNSUPPORTED_DATA_TYPE)
    runtime.synchronize_stream(0)
    whole.free()


def open_desc(number: int, *dims: int) -> int:
    return descs.create_tensor_desc(number, list(dims), 2)


def dims_of(desc: int) -> list[int]:
    return [
        descs.get_tensor_desc_dim(desc, at) for at in range(descs.get_tensor_desc_num_dims(desc))
    ]


def test_dims_that_are_found(three: list[Tensor]) -> None:
    desc, held = three[0].desc, three[0].buffer
    out = open_desc(0, -1, -1)
    assert op_run.infer_shape("Add", [desc] * 2, [held] * 2, 1, [out], 0) == 0
    assert dims_of(out) == [2, 2]
    assert op_run.infer_shape("Add", [desc] * 2, [held] * 2, 2, [out], 0) == 100000
    assert op_run.infer_shape("Add", [desc] * 2, [held], 1, [out], 0) == 100000
    shape = Tensor(np.array([4, 1], np.int32))
    given = ([desc, shape.desc], [held, shape.buffer], 1)
    assert op_run.infer_shape("Reshape", *given, [out], 0) == 0
    assert dims_of(out) == [4, 1]
    wrong = open_desc(1, -1)
    assert op_run.infer_shape("Reshape", *given, [wrong], 0) == Code.OP_OUTPUT_NOT_MATCH
    unknown = open_desc(0, -1, 2)
    assert op_run.infer_shape("Relu", [unknown], [held], 1, [out], 0) == 100000
    for each in (out, wrong, unknown):
        descs.destroy_tensor_desc(each)
    shape.free()


def test_open_outputs_without_room_are_refused_before_they_are_calculated() -> None:
    one, times = Tensor(np.ones(1, np.float32)), Tensor(np.array([1 << 45]))
    target, out = Tensor(np.zeros(4, np.float32)), open_desc(0, -1)
    given = ([one.desc, times.desc], [one.buffer, times.buffer], [out], [target.buffer], 0, 0)
    assert op_run.execute_v2("Tile", *given) == 0
    assert runtime.synchronize_stream(0) == Code.OP_OUTPUT_NOT_MATCH  # no host has the memory
    assert "140737488355328 bytes" in (get_recent_err_msg() or "")
    descs.destroy_tensor_desc(out)
    for each in (one, times, target):
        each.free()


def test_dims_that_are_open_until_it_has_run(three: list[Tensor]) -> None:
    one, two, target = three
    out = open_desc(0, -1, -1)
    given = ([one.desc, two.desc], [one.buffer, two.buffer], [out], [target.buffer], 0, 0)
    assert op_run.execute("Add", *given) == 100000
    assert op_run.execute_v2("Add", *given) == 0
    assert runtime.synchronize_stream(0) == 0
    assert dims_of(out) == [2, 2]
    assert (target.read() == 3).all()
    small = buffers.create_data_buffer(target.address, 8)
    out_again = open_desc(0, -1)
    assert op_run.execute_v2("Add", *given[:2], [out_again], [small], 0, 0) == 0
    assert runtime.synchronize_stream(0) == Code.OP_OUTPUT_NOT_MATCH
    unknown = open_desc(0, 2, -1)
    assert (
        op_run.execute_v2("Relu", [unknown], [one.buffer], [out], [target.buffer], 0, 0) == 100000
    )
    assert op_run.create_handle("Relu", [unknown], [out], 0) == (0, 100000)
    assert buffers.destroy_data_buffer(small) == 0
    for each in (out, out_again, unknown):
        descs.destroy_tensor_desc(each)


def test_tensors_without_elements(three: list[Tensor]) -> None:
    nothing = Tensor(np.zeros((0, 2), np.float32))
    assert execute("Relu", [nothing], [nothing]) == 0
    assert execute("Add", [nothing, nothing], [nothing]) == 0
    assert op_run.cast(nothing.desc, nothing.buffer, nothing.desc, nothing.buffer, 0, 0) == 0
    assert runtime.synchronize_stream(0) == 0
    attr = attributes({"axes": [0]})
    row = Tensor(np.zeros(2, np.float32))
    assert execute("ReduceMaxD", [nothing], [row], attr) == Code.OP_INPUT_NOT_MATCH
    op_attrs.destroy_attr(attr)
    for tensor in (nothing, row):
        tensor.free()


def test_what_may_be_left_out(three: list[Tensor]) -> None:
    one, two, out = three
    absent = open_desc(-1)
    held = [one.buffer, two.buffer, 0, 0]
    inputs = [one.desc, two.desc, absent, absent]
    assert op_run.execute_v2("MatMulV2", inputs, held, [out.desc], [out.buffer], 0, 0) == 0
    assert runtime.synchronize_stream(0) == 0
    assert (out.read() == 4).all()
    descs.destroy_tensor_desc(absent)


def test_as_many_stay_prepared_as_are_wanted(three: list[Tensor]) -> None:
    assert op_card.set_max_op_queue_num(0) == 100000
    assert op_card.set_max_op_queue_num(2) == 0
    for name in ("Relu", "Tanh", "Exp", "Relu"):
        assert execute(name, three[:1], three[2:]) == 0
    assert runtime.synchronize_stream(0) == 0
    assert len(PREPARED) == 2
    assert op_card.set_max_op_queue_num(MOST_KEPT) == 0


def test_several_threads(three: list[Tensor]) -> None:
    context, _ = runtime.get_context()
    codes: set[int] = set()

    def work(number: int) -> None:
        runtime.set_context(context)
        stream, _ = runtime.create_stream()
        mine = [Tensor(np.full((3,), number + by, np.int32)) for by in range(2)]
        lists = [tensor.desc for tensor in mine], [tensor.buffer for tensor in mine]
        for _ in range(20):
            codes.add(op_run.execute_v2("Add", *lists, lists[0][1:], lists[1][1:], 0, stream))
        codes.add(runtime.synchronize_stream(stream))
        codes.add(int(not (mine[1].read() == number * 21 + 1).all()))
        for tensor in mine:
            tensor.free()
        codes.add(runtime.destroy_stream(stream))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == {0}


def test_files_and_kernels_of_a_card(tmp_path: Path) -> None:
    assert op_card.set_model_dir(str(tmp_path / "none")) == Code.INVALID_FILE
    (tmp_path / "file").touch()
    assert op_card.set_model_dir(str(tmp_path / "file")) == Code.INVALID_FILE
    data = b"not looked at"
    assert op_card.load(util.bytes_to_ptr(data), len(data)) == 0
    assert op_card.load(util.bytes_to_ptr(data), 0) == 100000
    assert op_card.load(0, 9) == 100000
    assert op_card.load(4096, 9) == 107000
    assert op_card.start_dump_args(1, "anywhere") == op_card.stop_dump_args(1) == 0
    assert op_card.register_compile_func("Add", print) == Code.API_NOT_SUPPORT
    assert op_card.unregister_compile_func("Add") == Code.API_NOT_SUPPORT
    assert op_card.create_kernel("Add", "1", "add", 0, 0, 0, 0) == Code.API_NOT_SUPPORT
    assert op_card.set_kernel_args(0, "1", 2, 0, 0) == Code.API_NOT_SUPPORT
    assert op_card.set_kernel_workspaces_sizes(0, 0, 0) == Code.API_NOT_SUPPORT
    assert op_run.update_params("Nothing", [], [], 0) == Code.OP_NOT_FOUND
