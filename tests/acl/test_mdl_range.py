"""Models whose dims go from one number to another: shapes come with the datasets of each call."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from mdl_tools import (
    ENGINES,
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
    numbers,
    pairs_feeds,
    started,
)

from gearshift.acl import descs, runtime
from gearshift.acl.codes import Code
from gearshift.acl.descs import DESCS
from gearshift.acl.mdl import datasets
from gearshift.acl.mdl import gears as mdl_gears
from gearshift.acl.mdl import run as mdl_run
from gearshift.acl.mdl import tensors as mdl_tensors
from gearshift.tensors import Array

__all__ = ["folder", "started"]

PARAM = Code.GE_PARAM_INVALID
SHAPE = Code.GE_SHAPE_INVALID
BIG = 1 << 16


@pytest.fixture(scope="module", params=ENGINES)
def ranged(folder: Path, request: pytest.FixtureRequest) -> Path:
    words = {"input_shape_range": "x:[1~8,3,8~32,-1]", "engine": request.param}
    return compiled(IMAGES, folder, f"range{request.param}", **words)


def say(dataset: int, at: int, dims: list[int], dtype: int = 0) -> int:
    """Describes a buffer by a description that is destroyed at once."""
    desc = descs.create_tensor_desc(dtype, dims, 2)
    assert desc
    given, ret = datasets.set_dataset_tensor_desc(dataset, desc, at)
    descs.destroy_tensor_desc(desc)
    assert given == (0 if ret else dataset)
    return ret


def dims_of(dataset: int, at: int) -> list[int]:
    """What a run said of an output."""
    desc = datasets.get_dataset_tensor_desc(dataset, at)
    assert desc
    count = descs.get_tensor_desc_num_dims(desc)
    got = [descs.get_tensor_desc_dim_v2(desc, place) for place in range(count)]
    assert all(ret == 0 for _, ret in got)
    dims = [dim for dim, _ in got]
    assert descs.get_tensor_desc_size(desc) == 4 * int(np.prod(dims))
    assert descs.get_tensor_desc_type(desc) == 0
    return dims


def test_any_shape_within(ranged: Path, folder: Path) -> None:
    held = len(DESCS)
    with Loaded.of(ranged) as model, Memory([BIG * 4]) as given:
        for shape in ((1, 3, 8, 1), (8, 3, 32, 50), (3, 3, 9, 33), (1, 3, 31, 8)):
            feeds = {"x": numbers(shape[0], shape)}
            wanted = expected(IMAGES, folder, feeds)
            given.put(0, feeds["x"])
            for room in (0, 100):  # exactly what it takes, and more
                with Memory([array.nbytes + room for array in wanted]) as taken:
                    assert say(given.dataset, 0, list(shape)) == 0
                    assert mdl_run.execute(model.number, given.dataset, taken.dataset) == 0
                    for at, array in enumerate(wanted):
                        agree(taken.get(at, array), array)
                        assert dims_of(taken.dataset, at) == list(array.shape)
    assert len(DESCS) == held, "descriptions go with their datasets"


def test_a_shape_stays_and_outputs_are_described_under_one_handle(
    ranged: Path, folder: Path
) -> None:
    with Loaded.of(ranged) as model, Memory([BIG]) as given, Memory([BIG, BIG]) as taken:
        assert say(given.dataset, 0, [2, 3, 8, 4]) == 0
        assert datasets.get_dataset_tensor_desc(taken.dataset, 0) == 0, "nothing ran yet"
        for _ in range(2):
            assert mdl_run.execute(model.number, given.dataset, taken.dataset) == 0
        first = datasets.get_dataset_tensor_desc(taken.dataset, 0)
        assert dims_of(taken.dataset, 0) == [2, 2, 4, 2]
        assert say(given.dataset, 0, [1, 3, 9, 7]) == 0
        assert mdl_run.execute(model.number, given.dataset, taken.dataset) == 0
        assert datasets.get_dataset_tensor_desc(taken.dataset, 0) == first
        assert dims_of(taken.dataset, 0) == [1, 2, 5, 4]
        descs.destroy_tensor_desc(first)  # the dataset's, but a program may
        assert mdl_run.execute(model.number, given.dataset, taken.dataset) == 0
        assert dims_of(taken.dataset, 0) == [1, 2, 5, 4]


@pytest.mark.parametrize(
    "dims",
    [
        [],
        [3, 8, 8],
        [1, 3, 8, 8, 1],
        [1, 4, 8, 8],
        [9, 3, 8, 8],
        [0, 3, 8, 8],
        [1, 3, 7, 8],
        [1, 3, 33, 8],
        [1, 3, -1, 8],
        [1, 3, 8, -1],
        [-2],
        [1, 3, 8, 1 << 40],
        [1, 3, 8, (1 << 63) - 1],
        [1, 3, 8, 1 << 62],
    ],
)
def test_shapes_outside(ranged: Path, dims: list[int]) -> None:
    with Loaded.of(ranged) as model, Memory([BIG]) as given, Memory([BIG, BIG]) as taken:
        assert mdl_run.execute(model.number, given.dataset, taken.dataset) == SHAPE, "none said"
        huge = dataset_over((given.addresses[0], (1 << 64) - 1))
        for dataset in (given.dataset, huge):
            assert say(dataset, 0, dims) == 0
            assert mdl_run.execute(model.number, dataset, taken.dataset) == SHAPE
            assert mdl_run.execute_async(model.number, dataset, taken.dataset, 0) == SHAPE
        assert runtime.synchronize_stream(0) == 0
        assert set(taken.bytes_of(0)) == {taken.fill}
        assert datasets.destroy_dataset(huge) == 0


def test_a_shape_that_was_said_with_another_type(ranged: Path) -> None:
    with Loaded.of(ranged) as model, Memory([BIG]) as given, Memory([BIG, BIG]) as taken:
        for dtype, code in ((1, 145022), (9, 145022), (-1, 0), (0, 0)):
            assert say(given.dataset, 0, [1, 3, 8, 8], dtype) == 0
            assert mdl_run.execute(model.number, given.dataset, taken.dataset) == code


def test_too_little_memory(ranged: Path) -> None:
    with Loaded.of(ranged) as model, Memory([3 * 64 * 4]) as given, Memory([127, 8]) as taken:
        assert say(given.dataset, 0, [1, 3, 8, 9]) == 0
        assert mdl_run.execute(model.number, given.dataset, taken.dataset) == PARAM
        assert say(given.dataset, 0, [1, 3, 8, 8]) == 0
        assert mdl_run.execute(model.number, given.dataset, taken.dataset) == PARAM, "a byte short"
        assert mdl_run.execute_async(model.number, given.dataset, taken.dataset, 0) == 0
        assert runtime.synchronize_stream(0) == PARAM
        assert say(given.dataset, 0, [1, 3, 8, 7]) == 0
        with Memory([2 * 4 * 4 * 4, 8]) as enough:
            assert mdl_run.execute(model.number, given.dataset, enough.dataset) == 0


def test_shapes_are_those_of_when_it_was_asked_for(ranged: Path, folder: Path) -> None:
    gate = threading.Event()
    stream, _ = runtime.create_stream()
    runtime.stream_at(stream).submit(lambda: (gate.wait(20), None)[1])
    shapes = [(1, 3, 8, 8), (2, 3, 16, 4), (1, 3, 9, 5)]
    content = numbers(3, (1, 3, 8, 200))
    held = len(DESCS)
    with Loaded.of(ranged) as model, Memory([BIG]) as given:
        given.put(0, content)
        takens: list[tuple[list[Array], Memory]] = []
        for shape in shapes:
            flat = content.reshape(-1)[: int(np.prod(shape))]
            wanted = expected(IMAGES, folder, {"x": flat.reshape(shape)})
            taken = Memory([array.nbytes for array in wanted]).__enter__()
            assert say(given.dataset, 0, list(shape)) == 0
            assert mdl_run.execute_async(model.number, given.dataset, taken.dataset, stream) == 0
            assert datasets.destroy_dataset(taken.dataset) == 0
            takens.append((wanted, taken))
        gate.set()
        assert runtime.synchronize_stream(stream) == 0
        for wanted, taken in takens:
            for at, array in enumerate(wanted):
                agree(taken.get(at, array), array)
            taken.__exit__()
    assert len(DESCS) == held, "nothing is described in datasets that are gone"
    assert runtime.destroy_stream(stream) == 0


def test_several_inputs_one_of_which_is_fixed(folder: Path) -> None:
    path = compiled(PAIRS, folder, "pairs", input_shape_range="q:[2,-1,4];bias:[2];k:[2,1~9,4]")
    with Loaded.of(path) as model, Memory([BIG, 8, BIG]) as given, Memory([BIG, BIG]) as taken:
        for of_q, of_k in ((1, 9), (7, 1)):
            feeds = pairs_feeds(2, of_q, of_k)
            for at, array in enumerate(feeds.values()):
                given.put(at, array)
            assert say(given.dataset, 0, [2, of_q, 4]) == 0
            if of_q == 1:
                ret = mdl_run.execute(model.number, given.dataset, taken.dataset)
                assert ret == SHAPE, "k was not said"
            assert say(given.dataset, 2, [2, of_k, 4]) == 0
            assert mdl_run.execute(model.number, given.dataset, taken.dataset) == 0
            p, total = expected(PAIRS, folder, feeds)
            agree(np.frombuffer(taken.bytes_of(0)[: p.nbytes], p.dtype).reshape(p.shape), p)
            agree(np.frombuffer(taken.bytes_of(1)[: total.nbytes], p.dtype), total.reshape(-1))
            assert dims_of(taken.dataset, 0) == [2, of_q, of_k]
        assert say(given.dataset, 1, [2], 3) == 0, "a fixed one may be said"
        assert mdl_run.execute(model.number, given.dataset, taken.dataset) == 0
        assert say(given.dataset, 1, [3], 3) == 0
        assert mdl_run.execute(model.number, given.dataset, taken.dataset) == SHAPE


def test_memory_that_is_not_ours(ranged: Path, folder: Path) -> None:
    feeds = {"x": numbers(3, (2, 3, 8, 5))}
    wanted = expected(IMAGES, folder, feeds)
    into = [np.zeros(array.shape, np.float32) for array in wanted]
    source = dataset_over((feeds["x"].ctypes.data, feeds["x"].nbytes))
    target = dataset_over(*[(array.ctypes.data, array.nbytes) for array in into])
    with Loaded.of(ranged) as model:
        assert say(source, 0, [2, 3, 8, 5]) == 0
        assert mdl_run.execute(model.number, source, target) == 0
        for given, array in zip(into, wanted, strict=True):
            agree(given, array)
    for dataset in (source, target):
        assert datasets.destroy_dataset(dataset) == 0


def test_descriptions_of_datasets(folder: Path) -> None:
    """They are copies, may be set for any model, and say nothing to one without ranges."""
    path = compiled(ROWS, folder, "fixed", input_shape="x:2,4")
    feeds = {"x": numbers(3, (2, 4))}
    y, _ = expected(ROWS, folder, feeds)
    with Loaded.of(path) as model, Memory([32]) as given, Memory([24, 32]) as taken:
        given.put(0, feeds["x"])
        assert say(given.dataset, 0, [77]) == 0
        assert mdl_run.execute(model.number, given.dataset, taken.dataset) == 0
        agree(taken.get(0, y), y)
        assert datasets.get_dataset_tensor_desc(taken.dataset, 0) == 0
        copied = datasets.get_dataset_tensor_desc(given.dataset, 0)
        assert descs.get_tensor_desc_dim(copied, 0) == 77
        assert say(given.dataset, 1, [1]) == Code.INVALID_PARAM
        assert say(0, 0, [1]) == Code.INVALID_PARAM
        for wrong in (0, 7, given.dataset):
            ret = datasets.set_dataset_tensor_desc(given.dataset, wrong, 0)
            assert ret == (0, Code.INVALID_PARAM)
        for index in (-1, 1, 1 << 40):
            assert datasets.get_dataset_tensor_desc(given.dataset, index) == 0
        assert mdl_tensors.get_input_dims_range(model.desc, 0)[0]["rangeCount"] == 0
    assert descs.get_tensor_desc_dim(copied, 0) == -1, "it went with the dataset"


def test_there_are_no_gears_to_set(ranged: Path) -> None:
    with Loaded.of(ranged) as model, Memory([BIG]) as given:
        for index in (0, 1):
            ret = mdl_gears.set_dynamic_batch_size(model.number, given.dataset, index, 1)
            assert ret == Code.GE_DYNAMIC_BATCH_SIZE_INVALID
