"""Executions that are refused: datasets, buffers, models and threads that are wrong."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mdl_tools import (
    PAIRS,
    ROWS,
    Loaded,
    Memory,
    agree,
    compiled,
    dataset_over,
    expected,
    folder,
    numbers,
    started,
)

from gearshift.acl import buffers, memory, runtime, system
from gearshift.acl.codes import Code
from gearshift.acl.mdl import config as mdl_config
from gearshift.acl.mdl import datasets
from gearshift.acl.mdl import desc as mdl_desc
from gearshift.acl.mdl import load as mdl_load
from gearshift.acl.mdl import run as mdl_run

__all__ = ["folder", "started"]

PARAM = Code.GE_PARAM_INVALID


@pytest.fixture(scope="module")
def models(folder: Path) -> dict[str, Path]:
    return {
        "batch": compiled(ROWS, folder, "batch", input_shape="x:-1,4", dynamic_batch_size="4,1,2"),
        "fixed": compiled(ROWS, folder, "fixed", input_shape="x:2,4"),
        "three": compiled(PAIRS, folder, "three", input_shape="q:1,3,4;bias:1;k:1,2,4"),
    }


def executed(model: Loaded, source: int, target: int) -> int:
    """The code of every way to execute, which is the same, with a word on what was wrong."""
    now = mdl_run.execute(model.number, source, target)
    now_too = mdl_config.execute_v2(model.number, source, target, 0, 0)
    stream, _ = runtime.create_stream()
    later = mdl_run.execute_async(model.number, source, target, stream)
    done = runtime.synchronize_stream(stream)
    assert runtime.synchronize_stream(stream) == 0, "said once"
    assert runtime.destroy_stream(stream) == 0
    assert now == now_too == (later or done)
    assert not now or system.get_recent_err_msg()
    return now


def test_no_gear_was_ever_set(models: dict[str, Path]) -> None:
    with Loaded.of(models["batch"]) as model, Memory([64, 4]) as given, Memory([48, 64]) as taken:
        value = np.array([2], np.int32)
        given.put(1, value)  # a program must not write it, and that sets no gear
        ret = mdl_run.execute(model.number, given.dataset, taken.dataset)
        assert ret == Code.GE_DYNAMIC_BATCH_SIZE_INVALID
        assert "set_dynamic_batch_size" in (system.get_recent_err_msg() or "")
        assert executed(model, given.dataset, taken.dataset) == ret
        assert model.set_gear(given.dataset, (3,)) == ret
        assert executed(model, given.dataset, taken.dataset) == ret, "a refused one sets none"
        assert set(taken.bytes_of(0)) == {taken.fill}
        assert model.set_gear(given.dataset, (2,)) == 0
        assert executed(model, given.dataset, taken.dataset) == 0


@pytest.mark.parametrize(("given_count", "taken_count"), [(0, 2), (1, 2), (3, 2), (2, 1), (2, 3)])
def test_numbers_of_buffers(models: dict[str, Path], given_count: int, taken_count: int) -> None:
    with Loaded.of(models["batch"]) as model, Memory([64, 4]) as right:
        assert model.set_gear(right.dataset, (1,)) == 0
        with Memory([64] * given_count) as given, Memory([64] * taken_count) as taken:
            assert executed(model, given.dataset, taken.dataset) == PARAM


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_buffers_that_are_too_small(models: dict[str, Path], batch: int) -> None:
    sizes = [(16 * batch, 4), (12 * batch, 16 * batch)]
    with Loaded.of(models["batch"]) as model, Memory([64, 4]) as given, Memory([48, 64]) as taken:
        assert model.set_gear(given.dataset, (batch,)) == 0
        for role, at in ((0, 0), (1, 0), (1, 1)):
            pieces = [
                [[address, size] for address, size in zip(held.addresses, wanted, strict=True)]
                for held, wanted in zip((given, taken), sizes, strict=True)
            ]
            size = pieces[role][at][1]
            for given_size, code in ((size, 0), (size - 1, PARAM), (0, PARAM)):
                pieces[role][at][1] = given_size
                source, target = (dataset_over(*map(tuple, side)) for side in pieces)
                assert executed(model, source, target) == code


def wrong_address(kind: str, held: Memory) -> tuple[int, int, int]:
    """An address that is wrong, the size said of it, and the code for it."""
    if kind == "null":
        return 0, 64, PARAM
    if kind == "freed":
        freed, _ = memory.malloc(64, 0)
        assert memory.free(freed) == 0
        return freed, 64, Code.RT_PARAM_INVALID
    if kind == "behind the end of its block":
        return held.addresses[0] + 32, 64, Code.RT_PARAM_INVALID
    if kind == "a handle":
        return held.handles[0], 64, Code.RT_PARAM_INVALID
    address = {"low": 8, "high": 1 << 63, "the last": (1 << 64) - 64}[kind]
    return address, 64, Code.RT_PARAM_INVALID


KINDS = ("null", "freed", "behind the end of its block", "a handle", "low", "high", "the last")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", ["input", "output", "both"])
def test_addresses_that_are_wrong(models: dict[str, Path], kind: str, side: str) -> None:
    with Loaded.of(models["fixed"]) as model, Memory([64]) as given, Memory([64, 64]) as taken:
        address, size, code = wrong_address(kind, given)
        source = given.dataset if side == "output" else dataset_over((address, size))
        target = taken.dataset
        if side != "input":
            target = dataset_over((taken.addresses[0], 64), (address, size))
            if kind == "behind the end of its block":
                address, code = taken.addresses[0] + 40, Code.RT_PARAM_INVALID
                target = dataset_over((taken.addresses[1], 64), (address, size))
        if kind == "behind the end of its block" and side == "input":
            # 32 bytes are read of it: all that is there.
            assert executed(model, source, target) == 0
            return
        assert executed(model, source, target) == code


def test_memory_that_can_only_be_read(models: dict[str, Path]) -> None:
    """The text of a library, say: it is read, but refused as an output."""
    function = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value or 0
    with Loaded.of(models["fixed"]) as model, Memory([64, 64]) as held:
        first = (held.addresses[0], 64)
        assert executed(model, dataset_over((function, 32)), held.dataset) == 0
        target = dataset_over(first, (function, 64))
        assert executed(model, dataset_over((held.addresses[1], 64)), target) == (
            Code.RT_PARAM_INVALID
        )


def test_buffers_and_datasets_that_are_gone(models: dict[str, Path]) -> None:
    with Loaded.of(models["fixed"]) as model, Memory([32]) as given, Memory([24, 32]) as taken:
        for wrong in (0, -1, 17, model.number, model.desc, given.handles[0], given.addresses[0]):
            assert executed(model, wrong, taken.dataset) == Code.INVALID_PARAM
            assert executed(model, given.dataset, wrong) == Code.INVALID_PARAM
        assert executed(model, given.dataset, taken.dataset) == 0
        assert buffers.destroy_data_buffer(taken.handles[1]) == 0
        assert executed(model, given.dataset, taken.dataset) == Code.INVALID_PARAM
        gone = datasets.create_dataset()
        assert datasets.destroy_dataset(gone) == 0
        assert datasets.destroy_dataset(gone) == Code.INVALID_PARAM
        assert executed(model, gone, taken.dataset) == Code.INVALID_PARAM
        assert datasets.get_dataset_num_buffers(gone) == 0
        assert datasets.get_dataset_buffer(gone, 0) == 0
        assert datasets.add_dataset_buffer(gone, given.handles[0]) == (0, Code.INVALID_PARAM)
        assert datasets.add_dataset_buffer(given.dataset, gone) == (0, Code.INVALID_PARAM)


def test_a_buffer_is_given_other_memory(models: dict[str, Path], folder: Path) -> None:
    """`update_data_buffer` counts from the next execution on."""
    feeds = {"x": numbers(4, (2, 4))}
    y, _ = expected(ROWS, folder, feeds)
    with Loaded.of(models["fixed"]) as model, Memory([32]) as given, Memory([24, 32]) as taken:
        source = feeds["x"]
        assert buffers.update_data_buffer(given.handles[0], source.ctypes.data, 32) == 0
        assert mdl_run.execute(model.number, given.dataset, taken.dataset) == 0
        agree(taken.get(0, y), y)
        assert buffers.update_data_buffer(given.handles[0], source.ctypes.data, 31) == 0
        assert mdl_run.execute(model.number, given.dataset, taken.dataset) == PARAM
        assert buffers.update_data_buffer(given.handles[0], 0, 0) == 0
        assert mdl_run.execute(model.number, given.dataset, taken.dataset) == PARAM


def test_models_that_are_not_loaded(models: dict[str, Path]) -> None:
    missing = Code.GE_MODEL_ID_INVALID
    model = Loaded.of(models["fixed"])
    with Memory([32]) as given, Memory([24, 32]) as taken:
        assert mdl_load.unload(model.number) == 0
        assert mdl_load.unload(model.number) == missing
        assert executed(model, given.dataset, taken.dataset) == missing
        for number in (0, 1 << 31, -1):
            assert mdl_load.unload(number) == missing
            assert mdl_run.execute(number, given.dataset, taken.dataset) == missing
        again = mdl_load.load_from_file(str(models["fixed"]))[0]
        assert again > model.number, "a number is never given out twice"
        assert mdl_load.unload(again) == 0
    assert mdl_desc.destroy_desc(model.desc) == 0


def test_settings_of_executions(models: dict[str, Path]) -> None:
    handle = mdl_config.create_exec_config_handle()
    with Loaded.of(models["fixed"]) as model, Memory([32]) as given, Memory([24, 32]) as taken:
        words = (model.number, given.dataset, taken.dataset, 0)
        assert mdl_config.set_exec_config_opt(handle, 0, 100) == 0
        assert mdl_config.set_exec_config_opt(handle, 9, 100) == Code.INVALID_PARAM
        assert mdl_config.execute_v2(*words, handle) == 0
        assert mdl_config.execute_async_v2(*words, handle) == 0
        assert runtime.synchronize_stream(0) == 0
        assert mdl_config.destroy_exec_config_handle(handle) == 0
        for call in (mdl_config.execute_v2, mdl_config.execute_async_v2):
            assert call(*words, handle) == Code.INVALID_PARAM


def _end(model: Loaded, given: Memory, taken: Memory) -> list[Callable[[], Any]]:
    """All that a program gives back."""
    return [
        runtime.finalize,
        lambda: runtime.reset_device(0),
        lambda: mdl_load.unload(model.number),
        lambda: mdl_desc.destroy_desc(model.desc),
        *[lambda held=held: datasets.destroy_dataset(held.dataset) for held in (given, taken)],
        *[
            lambda handle=handle: buffers.destroy_data_buffer(handle)
            for held in (given, taken)
            for handle in held.handles
        ],
        *[
            lambda address=address: memory.free(address)
            for held in (given, taken)
            for address in held.addresses
        ],
    ]


@pytest.mark.parametrize("seed", range(12))
def test_ends_in_any_order(models: dict[str, Path], folder: Path, seed: int) -> None:
    """Programs take things down in whatever order their objects go, also after the end."""
    feeds = {"x": numbers(4, (2, 4))}
    y, _ = expected(ROWS, folder, feeds)
    model, given, taken = Loaded.of(models["batch"]), Memory([64, 4]), Memory([48, 64])
    given.__enter__()
    taken.__enter__()
    given.put(0, feeds["x"])
    assert model.set_gear(given.dataset, (2,)) == 0
    assert mdl_run.execute_async(model.number, given.dataset, taken.dataset, 0) == 0
    assert runtime.synchronize_stream(0) == 0
    agree(taken.get(0, y), y)
    steps = _end(model, given, taken)
    for at in np.random.default_rng(seed).permutation(len(steps)):
        assert steps[at]() == 0
    assert mdl_run.execute(model.number, given.dataset, taken.dataset) != 0
