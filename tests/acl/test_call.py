"""How functions take arguments and how they answer; handles; the table of functions."""

from __future__ import annotations

import inspect
import subprocess
import sys
import threading

import numpy as np
import pytest

from gearshift.acl import buffers, descs, events, memory, runtime, system, table, util
from gearshift.acl.call import FUNCTIONS, ArgumentsError, take_recent_message
from gearshift.acl.codes import Code

EVERY = sorted(FUNCTIONS.items())
NAMES = [name for name, _ in EVERY]


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (memory.malloc, ()),
        (memory.malloc, (1,)),
        (memory.malloc, (1, 0, 0)),
        (memory.malloc, (1.0, 0)),
        (memory.malloc, ("1", 0)),
        (memory.malloc, (1, None)),
        (memory.malloc, (1, 1 << 31)),
        (memory.free, (np.int64(4096),)),
        (memory.free, (4096.0,)),
        (memory.free, (None,)),
        (runtime.init, (b"x",)),
        (runtime.init, ("a\0b",)),
        (runtime.init, ("", "")),
        (util.bytes_to_ptr, (bytearray(3),)),
        (util.bytes_to_ptr, ("abc",)),
        (util.numpy_to_ptr, ([1, 2],)),
        (util.numpy_contiguous_to_ptr, (b"12",)),
        (util.ptr_to_numpy, (4096, [3], 1)),
        (util.ptr_to_numpy, (4096, (-3,), 1)),
        (util.ptr_to_numpy, (4096, (3,), 17)),
        (util.start_thread, (None, [])),
        (util.start_thread, (print, ())),
        (descs.create_tensor_desc, (0, (1, 2), 0)),
        (descs.create_tensor_desc, (0, [1.5], 0)),
        (descs.create_tensor_desc, (0, [0, 1 << 63], 0)),
        (descs.set_tensor_shape_range, (0, [[1, 1 << 63]])),
        (descs.set_tensor_shape_range, (1, [[1]])),
        (system.float_to_float16, ("one",)),
    ],
)
def test_arguments_that_cannot_be_read_raise(function, arguments) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ArgumentsError, match=r"^acl\.\S+ args parse failed") as caught:
        function(*arguments)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ValueError)


def test_the_message_names_the_argument() -> None:
    with pytest.raises(ArgumentsError, match=r"argument 2 is 'x' \(str\), it takes int"):
        memory.malloc(1, "x")  # type: ignore[arg-type]
    with pytest.raises(ArgumentsError, match=r"3 arguments were given, it takes 2 \(size, int\)"):
        memory.malloc(1, 2, 3)  # type: ignore[call-arg]
    with pytest.raises(ArgumentsError, match=r"2 arguments were given, it takes 0 to 1 \(str\)"):
        runtime.init("", "")  # type: ignore[call-arg]


@pytest.mark.parametrize(("name", "function"), EVERY, ids=NAMES)
def test_positional_only(name: str, function) -> None:  # type: ignore[no-untyped-def]
    for parameter in inspect.signature(function.call).parameters.values():
        assert parameter.kind is inspect.Parameter.POSITIONAL_ONLY
    with pytest.raises(TypeError):
        function.call(nothing=1)


@pytest.mark.parametrize(("name", "function"), EVERY, ids=NAMES)
def test_docstrings_name_arguments_and_answer(name: str, function) -> None:  # type: ignore[no-untyped-def]
    text = inspect.getdoc(function.call) or ""
    assert "Returns:\n" in text
    for parameter in inspect.signature(function.call).parameters:
        assert f"\n    {parameter}: " in text
    assert name.rpartition(".")[2] == function.call.__name__


def test_numbers_are_read_as_c_reads_them() -> None:
    assert memory.free(-1) == Code.RT_PARAM_INVALID
    assert "0xffffffffffffffff" in (system.get_recent_err_msg() or "")
    assert memory.free((1 << 64) + 4096) == Code.RT_PARAM_INVALID
    assert "0x1000 " in (system.get_recent_err_msg() or "")
    assert memory.malloc(np.int64(0), np.int32(0)) == (0, Code.INVALID_PARAM)
    assert memory.free(False) == Code.INVALID_PARAM


def test_answers_of_refused_calls() -> None:
    assert memory.malloc(0, 0) == (0, 100000)
    assert runtime.set_device(99) == 107001
    assert events.query_event(1) == (1, 107000)
    assert buffers.get_data_buffer_size(1) == 0
    assert descs.destroy_tensor_desc(1) is None  # type: ignore[func-returns-value]
    assert util.ptr_to_bytes(1, 1) is None
    assert type(memory.free(0)) is int


def test_a_function_without_a_code_tells_the_log(caplog: pytest.LogCaptureFixture) -> None:
    memory.free(0)
    assert not caplog.text
    buffers.get_data_buffer_addr(5)
    assert "acl.get_data_buffer_addr: 0x5 is not a data buffer" in caplog.text


def test_the_recent_message_is_of_the_thread_and_said_once() -> None:
    heard: list[str | None] = []
    memory.free(0)
    thread = threading.Thread(target=lambda: heard.append(take_recent_message()))
    thread.start()
    thread.join()
    assert heard == [None]
    assert system.get_recent_err_msg() == "acl.rt.free: the address is null"
    assert system.get_recent_err_msg() is None


def test_handles_are_typed_and_never_given_out_twice() -> None:
    seen = set()
    for _ in range(100):
        handle = buffers.create_data_buffer(1, 1)
        assert handle not in seen
        seen.add(handle)
        assert buffers.destroy_data_buffer(handle) == 0
        assert buffers.destroy_data_buffer(handle) == Code.INVALID_PARAM
        assert buffers.get_data_buffer_addr(handle) == 0
    stream, _ = runtime.create_stream()
    event, _ = events.create_event()
    assert runtime.destroy_stream(event) == Code.RT_PARAM_INVALID
    assert events.destroy_event(stream) == Code.RT_PARAM_INVALID
    assert runtime.set_context(stream) == Code.RT_PARAM_INVALID
    assert "handle of another kind" in (system.get_recent_err_msg() or "")
    assert memory.memset(stream, 8, 0, 8) == Code.RT_PARAM_INVALID
    assert events.destroy_event(event) == 0
    assert runtime.destroy_stream(stream) == 0


ALL_FILES = """
import importlib, pkgutil
import gearshift.acl
from gearshift.acl import table
from gearshift.acl.call import FUNCTIONS
listed = {f"{module}.{name}" for module in table.MODULES for name in table.functions(module)}
for found in pkgutil.walk_packages(gearshift.acl.__path__, "gearshift.acl."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
print(sorted(listed ^ set(FUNCTIONS)))
"""


def test_the_table_is_everything_that_is_declared() -> None:
    done = subprocess.run([sys.executable, "-c", ALL_FILES], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


# Functions that programs were seen to call, or that go with those.
CENSUS = {
    "acl": "app_log create_data_buffer create_tensor_desc data_type_size destroy_data_buffer "
    "destroy_tensor_desc finalize get_data_buffer_addr get_data_buffer_size "
    "get_data_buffer_size_v2 get_soc_name get_tensor_desc_dim_v2 get_tensor_desc_num_dims "
    "get_tensor_desc_size init set_tensor_const update_data_buffer",
    "acl.rt": "create_context create_stream destroy_context destroy_stream free free_host "
    "get_context get_device get_device_count get_mem_info get_run_mode launch_callback malloc "
    "malloc_host memcpy memcpy_async memset memset_async process_report reset_device set_context "
    "set_device subscribe_report synchronize_stream unsubscribe_report synchronize_device",
    "acl.mdl": "add_dataset_buffer create_dataset create_desc destroy_dataset destroy_desc execute "
    "execute_async get_cur_output_dims get_dataset_buffer get_dataset_num_buffers "
    "get_dataset_tensor_desc get_desc get_dynamic_batch get_dynamic_hw get_input_data_type "
    "get_input_dims get_input_dynamic_dims get_input_dynamic_gear_count get_input_format "
    "get_input_index_by_name get_input_size_by_index get_num_inputs get_num_outputs "
    "get_output_data_type get_output_dims get_output_format get_output_name_by_index "
    "get_output_size_by_index load_from_file load_from_mem set_dataset_tensor_desc "
    "set_dynamic_batch_size set_dynamic_hw_size set_input_dynamic_dims unload "
    "get_input_name_by_index get_output_index_by_name get_input_dims_v2 load_from_file_with_mem "
    "load_from_mem_with_mem query_size get_desc_from_file get_desc_from_mem execute_v2 "
    "create_config_handle set_config_opt load_with_config create_aipp destroy_aipp "
    "set_aipp_input_format set_aipp_csc_params set_aipp_rbuv_swap_switch "
    "set_aipp_ax_swap_switch set_aipp_src_image_size set_aipp_crop_params "
    "set_aipp_padding_params set_aipp_dtc_pixel_mean set_aipp_dtc_pixel_min "
    "set_aipp_pixel_var_reci set_aipp_scf_params set_input_aipp set_aipp_by_input_index "
    "get_aipp_type get_first_aipp_info get_aipp_data_size get_tensor_real_name get_op_attr",
    "acl.op": "cast create_attr create_handle destroy_attr destroy_handle execute_v2 "
    "execute_with_handle set_attr_bool set_model_dir",
    "acl.util": "bytes_to_ptr numpy_contiguous_to_ptr numpy_to_ptr ptr_to_bytes ptr_to_numpy "
    "start_thread stop_thread",
}


@pytest.mark.parametrize("module", sorted(CENSUS))
def test_what_programs_call_is_there(module: str) -> None:
    assert set(CENSUS[module].split()) <= set(table.functions(module))


def test_codes_are_all_different() -> None:
    assert len({int(code) for code in Code}) == len(Code.__members__)
