"""The weight pool."""

import io

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gearshift.artifact.pool import WeightPool


def written(pool: WeightPool) -> bytes:
    file = io.BytesIO()
    pool.write(file)
    return file.getvalue()


@given(st.lists(st.binary(max_size=200)))
def test_every_constant_is_found_at_its_offset_once(items: list[bytes]) -> None:
    pool = WeightPool()
    offsets = [pool.add(item) for item in items]
    data = written(pool)
    assert len(data) == pool.nbytes
    for item, offset in zip(items, offsets, strict=True):
        assert offset % 64 == 0
        assert data[offset : offset + len(item)] == item
    distinct = {item for item in items if item}
    assert len({offset for item, offset in zip(items, offsets, strict=True) if item}) == len(
        distinct
    )
    assert pool.nbytes <= sum(-(-len(item) // 64) * 64 for item in distinct)
    assert data.count(0) >= len(data) - sum(map(len, distinct))


@given(st.lists(st.binary(max_size=100)))
def test_the_same_adds_give_the_same_pool(items: list[bytes]) -> None:
    first, second = WeightPool(), WeightPool()
    for item in items:
        first.add(item)
        second.add(item)
        second.add(item)
    assert written(first) == written(second)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.arange(12, dtype=np.float32).reshape(3, 4).T,
        np.arange(24, dtype=np.int16)[::2],
        np.arange(6, dtype=">i4"),
        np.array([True, False]),
        np.array(3.5),
        np.arange(4, dtype=np.float16),
        np.arange(4).astype(ml_dtypes.bfloat16),
        np.zeros((0, 3), np.float32),
    ],
)
def test_arrays_are_stored_row_major_and_little_endian(array: np.ndarray) -> None:
    pool = WeightPool()
    pool.add(b"first")
    offset = pool.add(array)
    little = array.astype(array.dtype.newbyteorder("<")) if array.dtype.byteorder == ">" else array
    assert written(pool)[offset : offset + array.nbytes] == little.tobytes()


def test_bytes_views_and_arrays_of_equal_content_are_one() -> None:
    pool = WeightPool()
    array = np.arange(10, dtype=np.int32)
    assert pool.add(array) == pool.add(array.tobytes()) == pool.add(memoryview(array)) == 0
    assert pool.add(memoryview(array)[::-1]) == pool.add(array[::-1]) == 64
    assert pool.nbytes == 104


def test_nothing_takes_no_room() -> None:
    pool = WeightPool()
    assert pool.add(b"") == 0
    assert pool.nbytes == 0
    assert written(pool) == b""
    pool.add(b"x")
    assert pool.add(b"") == 0
    assert pool.nbytes == 1


def test_large_arrays_are_not_copied() -> None:
    pool = WeightPool()
    array = np.zeros(1000, np.uint8)
    offset = pool.add(array)
    array[0] = 7  # against the rules, but shows whose bytes are written
    assert written(pool)[offset] == 7
