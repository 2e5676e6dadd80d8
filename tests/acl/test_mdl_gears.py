"""Setting gears: what is written, what is refused in which order, and how long a gear stays."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mdl_tools import (
    IMAGES,
    PAIRS,
    ROWS,
    Loaded,
    Memory,
    agree,
    compiled,
    dataset_over,
    expected,
    folder,
    joined,
    numbers,
    started,
)

from gearshift.acl import buffers, memory, runtime, util
from gearshift.acl.call import ArgumentsError
from gearshift.acl.codes import Code
from gearshift.acl.mdl import datasets
from gearshift.acl.mdl import gears as mdl_gears
from gearshift.acl.mdl import load as mdl_load
from gearshift.acl.mdl import run as mdl_run

__all__ = ["folder", "started"]

BATCH = Code.GE_DYNAMIC_BATCH_SIZE_INVALID
LENGTH = Code.GE_DYNAMIC_INPUT_LENGTH_INVALID
ADDRESS = Code.GE_DYNAMIC_INPUT_ADDRESS_INVALID


@pytest.fixture(scope="module")
def models(folder: Path) -> dict[str, Path]:
    return {
        "batch": compiled(ROWS, folder, "batch", input_shape="x:-1,4", dynamic_batch_size="4,1,2"),
        "image": compiled(
            IMAGES, folder, "image", input_shape="x:1,3,-1,-1", dynamic_image_size="8,8;16,12;4,6"
        ),
        "dims": compiled(
            PAIRS, folder, "dims", input_shape="q:-1,-1,4;bias:-1;k:-1,-1,4",
            dynamic_dims="2,3,2,2,5;1,6,1,1,2",
        ),
        "fixed": compiled(ROWS, folder, "fixed", input_shape="x:2,4"),
    }  # fmt: skip


DIMS = joined((1, 6, 4), (1,), (1, 2, 4))
VALUES = (1, 6, 1, 1, 2)


@pytest.mark.parametrize(
    ("mode", "gear", "values"),
    [("batch", (2,), (2,)), ("image", (16, 12), (16, 12)), ("dims", DIMS, VALUES)],
)
def test_values_are_written_in_four_or_eight_bytes(
    models: dict[str, Path], mode: str, gear: Any, values: Sequence[int]
) -> None:
    count = len(values)
    narrow = b"".join(value.to_bytes(4, "little") for value in values)
    wide = b"".join(value.to_bytes(8, "little") for value in values)
    with Loaded.of(models[mode]) as model:
        at = model.shape_index
        for size, wanted in (
            (4 * count, narrow),
            (8 * count - 1, narrow),
            (8 * count, wide),
            (8 * count + 9, wide),
            (4 * count - 1, None),
            (1, None),
        ):
            with Memory([*model.input_sizes()[:at], size]) as given:
                ret = model.set_gear(given.dataset, gear)
                held = given.bytes_of(at)
                written = wanted or b""
                assert ret == (0 if wanted else LENGTH)
                assert held[: len(written)] == written
                assert set(held[len(written) :]) <= {given.fill}


def test_the_buffer_of_the_gear_lies_anywhere(models: dict[str, Path]) -> None:
    with Loaded.of(models["batch"]) as model, Memory([64]) as given:
        array = np.full(5, 7, np.int32)
        for address, size in (
            (array.ctypes.data, 4),
            (array.ctypes.data + 9, 8),
            (given.addresses[0] + 3, 4),
        ):
            source = dataset_over((given.addresses[0], 64), (address, size))
            assert model.set_gear(source, (4,)) == 0
            assert util.ptr_to_bytes(address, size) == (4).to_bytes(size, "little")
            assert datasets.destroy_dataset(source) == 0


def test_the_order_of_checks(models: dict[str, Path]) -> None:
    """A null address comes before a length, a length before a gear; of any dims the gear first."""
    batch, dims = Loaded.of(models["batch"]), Loaded.of(models["dims"])
    wrong = joined((9, 6, 4), (1,), (1, 2, 4))
    with Memory([64, 64]) as held, batch, dims:
        at = held.addresses[0]
        ones = [(at, 64)]
        for size, gear, code in ((0, 3, ADDRESS), (0, 2, ADDRESS)):
            null = dataset_over(*ones, (0, size))
            assert batch.set_gear(null, (gear,)) == code
        short = dataset_over(*ones, (at, 3))
        assert batch.set_gear(short, (3,)) == LENGTH
        three = dataset_over(*ones * 3, (at, 3))
        assert dims.set_gear(three, wrong) == BATCH
        assert dims.set_gear(three, DIMS) == LENGTH
        assert dims.current() == [[2, 3, 5], [2, 4]], "nothing was set"
        freed, _ = memory.malloc(8, 0)
        assert memory.free(freed) == 0
        gone = dataset_over(*ones, (freed, 8))
        assert batch.set_gear(gone, (2,)) == Code.RT_PARAM_INVALID
        assert batch.current() == [[4, 3], [4, 4]]


def test_gears_that_are_none(models: dict[str, Path]) -> None:
    g = mdl_gears
    batch, image = Loaded.of(models["batch"]), Loaded.of(models["image"])
    with batch, image, Memory([1024, 64]) as given:
        one, two, held = batch.number, image.number, given.dataset
        for size in (0, 3, 5, 1 << 32, (1 << 32) + 2, -1):
            assert g.set_dynamic_batch_size(one, held, 1, size) == BATCH
        for height, width in ((8, 9), (12, 16), (0, 0), (16, 6), (1 << 40, 1)):
            assert g.set_dynamic_hw_size(two, held, 1, height, width) == BATCH
        assert given.bytes_of(1) == bytes([given.fill]) * 64, "nothing was written"
        assert g.set_dynamic_hw_size(one, held, 1, 2, 2) == BATCH, "another kind"
        assert g.set_dynamic_batch_size(two, held, 1, 2) == BATCH
        assert g.set_input_dynamic_dims(one, held, 1, joined((2, 4))) == BATCH
        assert g.set_input_dynamic_dims(two, held, 1, joined((1, 3, 8, 8))) == BATCH
        for wrong in (0, 2, -1, 1 << 40):
            assert g.set_dynamic_batch_size(one, held, wrong, 2) == Code.INVALID_PARAM
        assert g.set_dynamic_batch_size(one, 0, 1, 2) == Code.INVALID_PARAM
        assert g.set_dynamic_batch_size(one, one, 1, 2) == Code.INVALID_PARAM
        assert g.set_dynamic_batch_size(one, batch.desc, 1, 2) == Code.INVALID_PARAM
        for model in (0, 99999, -1):
            assert g.set_dynamic_batch_size(model, held, 1, 2) == Code.GE_MODEL_ID_INVALID
        short = dataset_over((given.addresses[0], 64))
        assert g.set_dynamic_batch_size(one, short, 1, 2) == Code.INVALID_PARAM
        buffers.destroy_data_buffer(given.handles[1])
        assert g.set_dynamic_batch_size(one, held, 1, 2) == Code.INVALID_PARAM
    with Loaded.of(models["fixed"]) as fixed, Memory([32]) as given:
        assert g.set_dynamic_batch_size(fixed.number, given.dataset, 0, 2) == BATCH
        assert g.set_dynamic_batch_size(fixed.number, given.dataset, 1, 2) == BATCH


@pytest.mark.parametrize(
    ("dims", "code"),
    [
        ([1, 6, 4, 1, 1, 2], LENGTH),
        ([1, 6, 4, 1, 1, 2, 4, 1], LENGTH),
        ([], LENGTH),
        ([1, 6, 5, 1, 1, 2, 4], LENGTH),
        ([1, 6, 4, 1, 1, 2, -1], LENGTH),
        ([1, 6, 4, 2, 1, 2, 4], BATCH),
        ([1, 6, 4, 1, 1, 5, 4], BATCH),
        ([-1, -1, 4, -1, -1, -1, 4], BATCH),
        ([1 << 70, 6, 4, 1, 1, 2, 4], BATCH),
        ([1, 6, 4, 1, 1, 2, 4], 0),
    ],
)
def test_dims_that_are_no_gear(models: dict[str, Path], dims: list[int], code: int) -> None:
    with Loaded.of(models["dims"]) as model, Memory([96, 8, 160, 20]) as given:
        asked = {"dimCount": len(dims), "name": "", "dims": dims}
        assert model.set_gear(given.dataset, asked) == code
        if not code:
            longer = {"dimCount": 7, "name": "q", "dims": [*dims, 5, 6]}
            assert model.set_gear(given.dataset, longer) == 0, "dimCount says how many count"


@pytest.mark.parametrize(
    "dims",
    [
        {},
        {"dimCount": 7},
        {"dims": [1]},
        {"dimCount": 2, "dims": [1]},
        {"dimCount": -1, "dims": [1]},
        {"dimCount": 1, "dims": (1,)},
        {"dimCount": 1, "dims": [1.0]},
        {"dimCount": 1, "dims": [None]},
        {"dimCount": "1", "dims": [1]},
        [1, 2],
        None,
    ],
)
def test_dims_that_cannot_be_read(models: dict[str, Path], dims: Any) -> None:
    with pytest.raises(ArgumentsError, match=r"set_input_dynamic_dims args parse failed"):
        mdl_gears.set_input_dynamic_dims(1, 2, 3, dims)
    # Also of a model that is there.
    with (
        Loaded.of(models["dims"]) as model,
        pytest.raises(ArgumentsError, match=r"set_input_dynamic_dims args parse failed"),
    ):
        mdl_gears.set_input_dynamic_dims(model.number, 0, 3, dims)


def run(model: Loaded, dataset: int, batch: int, folder: Path, given: Memory, seed: int) -> None:
    """Executes, and holds it to that batch size."""
    feeds = {"x": numbers(seed, (batch, 4))}
    wanted = expected(ROWS, folder, feeds)
    given.put(0, feeds["x"])
    with Memory(model.output_sizes()) as taken:
        assert mdl_run.execute(model.number, dataset, taken.dataset) == 0
        for at, array in enumerate(wanted):
            agree(taken.get(at, array), array)


def test_a_gear_stays(models: dict[str, Path], folder: Path) -> None:
    """Across executions, across datasets that set none, and until the model is unloaded."""
    with Loaded.of(models["batch"]) as model, Memory([64, 4]) as one, Memory([64, 4]) as two:
        assert model.set_gear(one.dataset, (2,)) == 0
        for seed in range(3):
            run(model, one.dataset, 2, folder, one, seed)
        run(model, two.dataset, 2, folder, two, 7)
        assert model.set_gear(one.dataset, (1,)) == 0
        run(model, two.dataset, 1, folder, two, 8)
        # Nothing reads the value: the buffer may hold another gear's, or be taken away.
        assert memory.memset(one.addresses[1], 4, 0xFF, 4) == 0
        run(model, one.dataset, 1, folder, one, 9)


def test_datasets_of_different_gears(models: dict[str, Path], folder: Path) -> None:
    """A dataset that a gear was set with keeps it whatever is set with another."""
    with Loaded.of(models["batch"]) as model, Memory([64, 4]) as one, Memory([64, 4]) as two:
        assert model.set_gear(one.dataset, (4,)) == 0
        assert model.set_gear(two.dataset, (1,)) == 0
        for seed in range(3):
            run(model, one.dataset, 4, folder, one, seed)
            run(model, two.dataset, 1, folder, two, seed)
        assert model.current() == [[1, 3], [1, 4]], "what was set last"


def test_one_file_loaded_twice(models: dict[str, Path], folder: Path) -> None:
    with Loaded.of(models["batch"]) as one, Loaded.of(models["batch"]) as two:
        assert one.number != two.number
        with Memory([64, 4]) as given:
            assert one.set_gear(given.dataset, (4,)) == 0
            assert two.current() == [[4, 3], [4, 4]]
            with Memory([48, 64]) as taken:
                ret = mdl_run.execute(two.number, given.dataset, taken.dataset)
                assert ret == BATCH, "none was set for this one"
            assert two.set_gear(given.dataset, (2,)) == 0
            for seed in range(2):
                run(one, given.dataset, 4, folder, given, seed)
                run(two, given.dataset, 2, folder, given, seed)
            assert (one.current()[0], two.current()[0]) == ([4, 3], [2, 3])
            assert mdl_load.unload(one.number) == 0
            run(two, given.dataset, 2, folder, given, 5)


@pytest.mark.parametrize("mode", ["batch", "image"])
def test_threads_on_one_model(models: dict[str, Path], folder: Path, mode: str) -> None:
    """Each sets and executes with datasets of its own, over and over, and gets its own numbers."""
    text = ROWS if mode == "batch" else IMAGES
    gears: list[Any] = [(4,), (1,), (2,)] if mode == "batch" else [(8, 8), (16, 12), (4, 6)]
    failures: list[BaseException] = []
    start = threading.Barrier(len(gears))
    context, _ = runtime.get_context()

    def work(number: int) -> None:
        try:
            assert runtime.set_context(context) == 0
            start.wait(20)
            for turn in range(60):
                gear = gears[(number + turn // 20) % len(gears)]
                shape = (*gear, 4) if mode == "batch" else (1, 3, *gear)
                feeds = {"x": numbers(number + turn, shape)}
                with Memory(model.input_sizes()) as given, Memory(model.output_sizes()) as taken:
                    given.put(0, feeds["x"])
                    assert model.set_gear(given.dataset, gear) == 0
                    assert mdl_run.execute(model.number, given.dataset, taken.dataset) == 0
                    for at, array in enumerate(expected(text, folder, feeds)):
                        agree(taken.get(at, array), array)
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)

    with Loaded.of(models[mode]) as model:
        threads = [threading.Thread(target=work, args=(at,)) for at in range(len(gears))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures
