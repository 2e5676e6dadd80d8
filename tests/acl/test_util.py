"""Arrays and bytes as addresses; data buffers; tensor descriptions; what is asked of the system."""

from __future__ import annotations

import ctypes
import logging
import struct

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gearshift.acl import buffers, descs, memory, system, util
from gearshift.acl.codes import Code
from gearshift.tensors import DTYPE_NAMES, dtype_named

# By the running numpy's own word for it.
NUMBERED = {np.dtype(char).num: np.dtype(char) for char in "?bBhHiIlLfdFDe"}


@given(st.binary(max_size=300), st.integers(0, 300))
def test_bytes(data: bytes, start: int) -> None:
    pointer = util.bytes_to_ptr(data)
    start = min(start, len(data))
    assert util.ptr_to_bytes(pointer + start, len(data) - start) == data[start:]
    assert pointer == np.frombuffer(data, np.uint8).ctypes.data or not data


@pytest.mark.parametrize("number", sorted(NUMBERED))
def test_arrays_on_memory(number: int) -> None:
    dtype = NUMBERED[number]
    address, _ = memory.malloc(24 * dtype.itemsize, 0)
    view = util.ptr_to_numpy(address, (2, 3, 4), number)
    assert view.dtype == dtype
    assert view.shape == (2, 3, 4)
    view[...] = np.arange(24).reshape(2, 3, 4).astype(dtype)
    expected = np.arange(24).astype(dtype).tobytes()
    assert util.ptr_to_bytes(address, 24 * dtype.itemsize) == expected
    assert util.ptr_to_numpy(address, (25,), number) is None
    assert util.ptr_to_numpy(address + dtype.itemsize, (24,), number) is None
    assert util.ptr_to_numpy(address, (0, 7), number).shape == (0, 7)
    for shape in ((0, 1 << 62, 1 << 62), (0, 1 << 70), (1,) * 100):  # numpy has no such array
        assert util.ptr_to_numpy(address, shape, number) is None
    assert util.ptr_to_numpy(address, (), number).item() == view[0, 0, 0]
    assert memory.free(address) == 0


def test_arrays_on_foreign_memory() -> None:
    array = np.arange(12, dtype=np.float32)
    view = util.ptr_to_numpy(util.numpy_to_ptr(array), (3, 4), 11)
    view[1, 1] = 50
    assert array[5] == 50
    assert util.ptr_to_numpy(0, (1,), 11) is None


def test_contiguous() -> None:
    array = np.arange(12, dtype=np.int16).reshape(3, 4)
    pointer, same = util.numpy_contiguous_to_ptr(array)
    assert same.ctypes.data == pointer == array.ctypes.data
    pointer, copy = util.numpy_contiguous_to_ptr(array.T)
    assert copy.flags.c_contiguous
    np.testing.assert_array_equal(copy, array.T)
    assert ctypes.string_at(pointer, 24) == array.T.tobytes()
    with pytest.warns(UserWarning, match="not contiguous"):
        assert util.numpy_to_ptr(array.T) == array.ctypes.data
    scalar = np.array(3.0)
    assert util.numpy_contiguous_to_ptr(scalar)[1].shape == ()


def test_data_buffers_own_nothing() -> None:
    address, _ = memory.malloc(10, 0)
    buffer = buffers.create_data_buffer(address, 10)
    assert buffer
    assert buffers.get_data_buffer_addr(buffer) == address
    assert buffers.get_data_buffer_size(buffer) == 10
    assert buffers.update_data_buffer(buffer, address + 5, (1 << 32) + 5) == 0
    assert buffers.get_data_buffer_addr(buffer) == address + 5
    assert buffers.get_data_buffer_size(buffer) == 5
    assert buffers.get_data_buffer_size_v2(buffer) == (1 << 32) + 5
    assert buffers.destroy_data_buffer(buffer) == 0
    assert buffers.update_data_buffer(buffer, address, 1) == Code.INVALID_PARAM
    assert buffers.get_data_buffer_size_v2(buffer) == 0
    assert memory.free(address) == 0
    empty = buffers.create_data_buffer(0, 0)
    assert empty
    assert buffers.destroy_data_buffer(empty) == 0


@pytest.mark.parametrize("name", DTYPE_NAMES)
def test_sizes_of_types(name: str) -> None:
    dtype = dtype_named(name)
    assert system.data_type_size(dtype.acl) == np.dtype(name).itemsize
    desc = descs.create_tensor_desc(dtype.acl, [2, 3, 4], 0)
    assert descs.get_tensor_desc_size(desc) == 24 * np.dtype(name).itemsize
    descs.destroy_tensor_desc(desc)
    assert descs.get_tensor_desc_size(desc) == 0


def test_sizes_of_other_types() -> None:
    assert [system.data_type_size(number) for number in (16, 17, 27, -1, 13, 99)] == [
        8, 16, 2, 0, 0, 0,
    ]  # fmt: skip


def test_tensor_descriptions() -> None:
    desc = descs.create_tensor_desc(3, [-1, 5], 2)
    assert descs.get_tensor_desc_type(desc) == 3
    assert descs.get_tensor_desc_format(desc) == 2
    assert descs.get_tensor_desc_num_dims(desc) == 2
    assert descs.get_tensor_desc_dim_v2(desc, 0) == (-1, 0)
    assert descs.get_tensor_desc_dim_v2(desc, 1) == (5, 0)
    assert descs.get_tensor_desc_dim_v2(desc, 2) == (0, Code.INVALID_PARAM)
    assert descs.get_tensor_desc_dim(desc, 1) == 5
    assert descs.get_tensor_desc_dim(desc, -1) == -1
    assert descs.get_tensor_desc_size(desc) == descs.get_tensor_desc_element_count(desc) == 0
    assert descs.get_tensor_desc_dim_range(desc, 0) == ([], Code.INVALID_PARAM)
    assert descs.set_tensor_shape_range(desc, [[1, 9]]) == Code.INVALID_PARAM
    assert descs.set_tensor_shape_range(desc, [[1, 9], [5, 5]]) == 0
    assert descs.get_tensor_desc_dim_range(desc, 0) == ([1, 9], 0)
    assert descs.get_tensor_desc_name(desc) == ""
    descs.set_tensor_desc_name(desc, "x")
    assert descs.get_tensor_desc_name(desc) == "x"
    value = b"eight..."
    assert descs.set_tensor_const(desc, util.bytes_to_ptr(value), 8) == 0
    assert descs.set_tensor_const(desc, 4096, 8) == Code.RT_PARAM_INVALID
    assert descs.set_tensor_const(desc, 4096, 0) == Code.INVALID_PARAM
    assert descs.set_tensor_const(desc, 0, 0) == 0
    descs.destroy_tensor_desc(desc)
    assert descs.set_tensor_const(desc, 4096, 8) == Code.INVALID_PARAM
    assert descs.get_tensor_desc_type(desc) == descs.get_tensor_desc_format(desc) == -1
    assert descs.create_tensor_desc(0, [-3], 0) == 0
    assert descs.create_tensor_desc(0, [1] * 129, 0) == 0


def test_a_scalar_has_one_element() -> None:
    desc = descs.create_tensor_desc(0, [], 2)
    assert descs.get_tensor_desc_element_count(desc) == 1
    assert descs.get_tensor_desc_size(desc) == 4
    descs.destroy_tensor_desc(desc)


def test_every_float16() -> None:
    bits: npt.NDArray[np.uint16] = np.arange(1 << 16, dtype=np.uint16)
    expected = bits.view(np.float16).astype(np.float64)
    got = np.array([system.float16_to_float(number) for number in range(1 << 16)])
    np.testing.assert_array_equal(got, expected)
    back = np.array([system.float_to_float16(number) for number in got], np.uint16)
    same = ~np.isnan(expected)
    np.testing.assert_array_equal(back[same], bits[same])


@given(st.floats(allow_nan=False))
def test_nearest_float16(value: float) -> None:
    with np.errstate(over="ignore"):
        expected = np.float64(value).astype(np.float16)
    assert system.float_to_float16(value) == struct.unpack("<H", expected.tobytes())[0]


def test_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert system.get_soc_name() == "Ascend310P3"
    monkeypatch.setenv("GEARSHIFT_ACL_SOC", "Ascend910A")
    assert system.get_soc_name() == "Ascend910A"
    assert system.get_version() == (1, 14, 0, 0)
    assert system.get_device_capability(0, 0) == (0, Code.FEATURE_UNSUPPORTED)
    assert system.finalize_reference()[0] == 0


@pytest.mark.parametrize(
    ("level", "name"), [(-5, "DEBUG"), (1, "INFO"), (2, "WARNING"), (3, "ERROR"), (9, "ERROR")]
)
def test_the_log(level: int, name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "gearshift.acl.app"):
        assert system.app_log(level, "100 % done") is None  # type: ignore[func-returns-value]
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == (name, "100 % done")
