"""Loading: from files and memory, with memory to work in, by settings, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mdl_tools import ROWS, Loaded, Memory, agree, compiled, expected, folder, numbers, started

from gearshift.acl import memory, runtime, util
from gearshift.acl.call import ArgumentsError
from gearshift.acl.codes import Code
from gearshift.acl.mdl import config as mdl_config
from gearshift.acl.mdl import desc as mdl_desc
from gearshift.acl.mdl import load as mdl_load
from gearshift.acl.mdl import run as mdl_run

__all__ = ["folder", "started"]

# The header of a model for a card: its magic, checksums and lengths, and partitions behind.
CARD = b"IMOD" + bytes(range(252)) + b"\0" * 4096


@pytest.fixture(scope="module")
def path(folder: Path) -> Path:
    return compiled(ROWS, folder, "fixed", input_shape="x:2,4")


def in_memory(content: bytes) -> tuple[int, int]:
    """The content in memory of the device: its address and size."""
    address, ret = memory.malloc(len(content), 0)
    assert ret == 0
    source = np.frombuffer(content, np.uint8).ctypes.data
    assert memory.memcpy(address, len(content), source, len(content), 1) == 0
    return address, len(content)


def works(number: int, folder: Path) -> None:
    """The model of that number gives the right numbers; unloads it."""
    feeds = {"x": numbers(number, (2, 4))}
    y, _ = expected(ROWS, folder, feeds)
    with Memory([32]) as given, Memory([24, 32]) as taken:
        given.put(0, feeds["x"])
        assert mdl_run.execute(number, given.dataset, taken.dataset) == 0
        agree(taken.get(0, y), y)
    assert mdl_load.unload(number) == 0


def damaged(content: bytes) -> dict[str, bytes]:
    """Content that is no model."""
    middle = bytearray(content)
    middle[len(content) // 2] ^= 0xFF
    return {
        "a card's": CARD,
        "a card's magic alone": b"IMOD",
        "text": b"no model at all\n" * 100,
        "one byte": b"x",
        "cut in its header": content[:20],
        "cut in the middle": content[: len(content) // 2],
        "cut at its end": content[:-1],
        "longer than it says": content + b"\0",
        "a byte changed": bytes(middle),
    }


CASES = tuple(damaged(bytes(100)))


@pytest.mark.parametrize("case", CASES)
def test_files_that_are_no_models(path: Path, tmp_path: Path, case: str) -> None:
    content, code = damaged(path.read_bytes())[case], Code.GE_PARAM_INVALID
    file = tmp_path / "damaged.om"
    file.write_bytes(content)
    desc = mdl_desc.create_desc()
    at, size = in_memory(content)
    assert mdl_load.load_from_file(str(file)) == (0, code)
    assert mdl_load.load_from_file_with_mem(str(file), 0, 0, 0, 0) == (0, code)
    assert mdl_load.load_from_mem(at, size) == (0, code)
    assert mdl_load.load_from_mem_with_mem(at, size, 0, 0, 0, 0) == (0, code)
    assert mdl_desc.get_desc_from_file(desc, str(file)) == code
    assert mdl_desc.get_desc_from_mem(desc, at, size) == code
    assert mdl_load.query_size(str(file)) == (0, 0, code)
    assert mdl_load.query_size_from_mem(at, size) == (0, 0, code)
    assert memory.free(at) == 0
    assert mdl_desc.destroy_desc(desc) == 0


@pytest.mark.parametrize("where", ["nowhere.om", "", ".", "fixed.om/x", "\u4e2d.om", "x" * 5000])
def test_files_that_are_not_there(path: Path, folder: Path, where: str) -> None:
    missing = Code.GE_MODEL_PATH_INVALID
    place = str(folder / where) if where else ""
    desc = mdl_desc.create_desc()
    assert mdl_load.load_from_file(place) == (0, missing)
    assert mdl_load.query_size(place) == (0, 0, missing)
    assert mdl_desc.get_desc_from_file(desc, place) == missing
    assert mdl_desc.destroy_desc(desc) == 0


def test_an_empty_file(tmp_path: Path) -> None:
    file = tmp_path / "empty.om"
    file.write_bytes(b"")
    assert mdl_load.load_from_file(str(file)) == (0, Code.GE_PARAM_INVALID)


def test_names_of_files(path: Path, folder: Path, tmp_path: Path) -> None:
    """A name says nothing of what is in a file."""
    for name in ("model", "model.bin", "\u4e2d\u6587 a.om"):
        copied = tmp_path / name
        shutil.copy(path, copied)
        works(mdl_load.load_from_file(str(copied))[0], folder)
    with pytest.raises(ArgumentsError):
        mdl_load.load_from_file(path)  # type: ignore[arg-type]
    with pytest.raises(ArgumentsError):
        mdl_load.load_from_file(str(path).encode())  # type: ignore[arg-type]


def test_before_and_after_the_runtime_runs(path: Path, folder: Path) -> None:
    at, size = in_memory(path.read_bytes())
    assert runtime.finalize() == 0
    stopped = (0, Code.GE_NOT_INITIALIZED)
    assert mdl_load.load_from_file(str(path)) == stopped
    assert mdl_load.load_from_mem(at, size) == stopped
    assert mdl_load.query_size(str(path))[2] == 0, "asked before it runs"
    assert runtime.init() == 0
    works(mdl_load.load_from_file(str(path))[0], folder)
    number, _ = mdl_load.load_from_file(str(path))
    assert runtime.finalize() == 0
    assert mdl_load.unload(number) == 0, "also after the end"
    assert memory.free(at) == 0


def test_a_thread_without_a_context(path: Path) -> None:
    answers: list[tuple[int, int]] = []
    thread, _ = util.start_thread(lambda _: answers.append(mdl_load.load_from_file(str(path))), [])
    assert util.stop_thread(thread) == 0
    assert answers == [(0, Code.RT_CONTEXT_NULL)]


def test_memory_that_a_model_is_not_in(path: Path) -> None:
    content = path.read_bytes()
    at, size = in_memory(content)
    desc = mdl_desc.create_desc()
    calls: tuple[Callable[[int, int], int], ...] = (
        lambda address, count: mdl_load.load_from_mem(address, count)[1],
        lambda address, count: mdl_load.query_size_from_mem(address, count)[2],
        lambda address, count: mdl_desc.get_desc_from_mem(desc, address, count),
    )
    for call in calls:
        for address, count, code in (
            (0, size, Code.INVALID_PARAM),
            (at, 0, Code.INVALID_PARAM),
            (at, size + 1, Code.RT_PARAM_INVALID),
            (8, 100, Code.RT_PARAM_INVALID),
            (at, 1 << 63, Code.RT_PARAM_INVALID),
            (desc, size, Code.RT_PARAM_INVALID),
            (at, size - 1, Code.GE_PARAM_INVALID),
            (at + 1, size - 1, Code.GE_PARAM_INVALID),
        ):
            assert call(address, count) == code
    assert memory.free(at) == 0
    assert mdl_load.load_from_mem(at, size) == (0, Code.RT_PARAM_INVALID)
    assert mdl_desc.destroy_desc(desc) == 0


def test_memory_of_other_kinds(path: Path, folder: Path) -> None:
    """A bytes object, an array, an odd address."""
    content = path.read_bytes()
    array = np.frombuffer(b"-" + content, np.uint8)
    for address in (util.bytes_to_ptr(content), array.ctypes.data + 1):
        number, ret = mdl_load.load_from_mem(address, len(content))
        assert ret == 0
        works(number, folder)


def test_with_memory_to_work_in(path: Path, folder: Path) -> None:
    work, weight, ret = mdl_load.query_size(str(path))
    assert ret == 0
    at, size = in_memory(path.read_bytes())
    with Memory([work, weight]) as given:
        one, two = given.addresses
        works(mdl_load.load_from_file_with_mem(str(path), one, work, two, weight)[0], folder)
        works(mdl_load.load_from_mem_with_mem(at, size, one, work, two, weight)[0], folder)
        works(mdl_load.load_from_file_with_mem(str(path), 0, 0, 0, 0)[0], folder)
        for wrong, code in (
            ((one, 0, two, weight), Code.INVALID_PARAM),
            ((0, work, two, weight), Code.INVALID_PARAM),
            ((one, work, two, 0), Code.INVALID_PARAM),
            ((one, work + (1 << 20), two, weight), Code.RT_PARAM_INVALID),
            ((one, work, 8, weight), Code.RT_PARAM_INVALID),
        ):
            assert mdl_load.load_from_file_with_mem(str(path), *wrong) == (0, code)
            assert mdl_load.load_from_mem_with_mem(at, size, *wrong) == (0, code)
    assert memory.free(at) == 0
    refused = (0, Code.FEATURE_UNSUPPORTED)
    assert mdl_load.load_from_file_with_q(str(path), 0, 0, 0, 0) == refused
    assert mdl_load.load_from_mem_with_q(at, size, 0, 0, 0, 0) == refused


def settings_of(**values: object) -> int:
    handle = mdl_config.create_config_handle()
    for name, value in values.items():
        assert mdl_config.set_config_opt(handle, getattr(mdl_config, name), value) == 0
    return handle


def test_by_settings(path: Path, folder: Path) -> None:
    at, size = in_memory(path.read_bytes())
    with Memory([4096, 4096]) as given:
        one, two = given.addresses
        room = {"WORK_ADDRESS": one, "WORK_SIZE": 4096, "WEIGHT_ADDRESS": two, "WEIGHT_SIZE": 4096}
        for handle in (
            settings_of(LOAD_TYPE=1, PATH=str(path), PRIORITY=-1),
            settings_of(LOAD_TYPE=2, PATH=str(path), **room),
            settings_of(LOAD_TYPE=3, MODEL_ADDRESS=at, MODEL_SIZE=size),
            settings_of(LOAD_TYPE=4, MODEL_ADDRESS=at, MODEL_SIZE=size, **room),
        ):
            number, ret = mdl_config.load_with_config(handle)
            assert ret == 0
            assert mdl_config.destroy_config_handle(handle) == 0
            works(number, folder)
            assert mdl_config.load_with_config(handle) == (0, Code.INVALID_PARAM)
        for handle, code in (
            (settings_of(), Code.INVALID_PARAM),
            (settings_of(LOAD_TYPE=1), Code.INVALID_PARAM),
            (settings_of(PATH=str(path)), Code.INVALID_PARAM),
            (settings_of(LOAD_TYPE=3, PATH=str(path)), Code.INVALID_PARAM),
            (settings_of(LOAD_TYPE=5, PATH=str(path)), Code.FEATURE_UNSUPPORTED),
            (settings_of(LOAD_TYPE=9), Code.INVALID_PARAM),
            (settings_of(LOAD_TYPE=1, PATH="nowhere"), Code.GE_MODEL_PATH_INVALID),
            (settings_of(LOAD_TYPE=2, PATH=str(path), WORK_SIZE=9), Code.INVALID_PARAM),
        ):
            assert mdl_config.load_with_config(handle) == (0, code)
            assert mdl_config.destroy_config_handle(handle) == 0
    assert memory.free(at) == 0


def test_settings_that_are_none() -> None:
    handle = mdl_config.create_config_handle()
    for attribute in (-1, 16, 1 << 30):
        assert mdl_config.set_config_opt(handle, attribute, 1) == Code.INVALID_PARAM
    for attribute, value in ((2, 1), (2, None), (1, "1"), (3, 1.5), (4, "x"), (0, 1 << 40)):
        with pytest.raises(ArgumentsError, match="set_config_opt args parse failed"):
            mdl_config.set_config_opt(handle, attribute, value)
    assert mdl_config.destroy_config_handle(handle) == 0
    assert mdl_config.destroy_config_handle(handle) == Code.INVALID_PARAM
    assert mdl_config.set_config_opt(handle, 1, 1) == Code.INVALID_PARAM


def test_dumps_are_taken_note_of() -> None:
    assert mdl_config.init_dump() == 0
    assert mdl_config.set_dump("dump.json") == 0
    assert mdl_config.finalize_dump() == 0
    assert mdl_config.dump_reg_callback(print, 0) == 0
    assert mdl_config.dump_unreg_callback() is None  # type: ignore[func-returns-value]


def test_many_models_at_once(path: Path) -> None:
    loaded = [Loaded.of(path) for _ in range(20)]
    assert len({model.number for model in loaded}) == 20
    for model in loaded:
        with model:
            assert model.output_sizes() == [24, 32]
