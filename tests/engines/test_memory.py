"""Memory given back after a build: it must leave, and nothing may be lost by it."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from networks import EXACT

from gearshift.engines import mappings, memory
from gearshift.engines.base import EngineOptions, Network
from gearshift.engines.mappings import libc
from gearshift.engines.memory import give_back_memory
from gearshift.engines.registry import get_engine
from gearshift.staging import stage
from gearshift.tensors import Array
from graphs import program_from_text

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is given back")
SIZE = 32 << 20


@pytest.fixture
def mapped(tmp_path: Path) -> Array:
    """A file of 32 MB, mapped as artifacts are, every page of it read."""
    path = tmp_path / "pool"
    np.random.default_rng(0).integers(0, 256, SIZE, np.uint8).tofile(path)
    pool = np.memmap(path, np.uint8, "c")
    pool.sum()
    give_back_memory()  # what other tests left does not belong in figures
    return pool


def resident() -> int:
    """Without what was freed but not given back, which would leave in the middle of a figure."""
    if hasattr(libc(), "malloc_trim"):
        libc().malloc_trim(0)
    return int(psutil.Process().memory_info().rss)


@on_linux
def test_pages_of_a_mapped_pool_leave_and_come_back(mapped: Array) -> None:
    kept = mapped.copy()
    before = resident()
    give_back_memory(mapped)
    assert before - resident() > 0.9 * SIZE
    np.testing.assert_array_equal(mapped, kept)


@on_linux
def test_a_pool_within_a_mapping_takes_nothing_beside_it(mapped: Array) -> None:
    kept = mapped.copy()
    for part in (mapped[5000:-3000], mapped[100:200], mapped[:0]):
        give_back_memory(part)
    np.testing.assert_array_equal(mapped, kept)


class Keeper:
    """What holds a mapping, as an engine's program does."""

    def __init__(self, array: Array) -> None:
        self.array: Array | None = array


@on_linux
def test_mappings_that_others_keep_are_given_back_while_they_live(
    mapped: Array, tmp_path: Path
) -> None:
    own = memory.mappings_like(mapped)
    keeper = Keeper(np.memmap(tmp_path / "pool", np.uint8, "c"))
    memory.keep_mappings(keeper, memory.mappings_like(mapped) - own)
    array = keeper.array
    assert array is not None
    assert len(memory._kept[keeper]) == 1
    assert array.ctypes.data in next(iter(memory._kept[keeper]))
    for written in (False, True):
        kept = array.copy()
        array.sum()
        before = resident()
        give_back_memory()
        assert (before - resident() > 0.9 * SIZE) is not written
        np.testing.assert_array_equal(array, kept)
        array[12345] ^= 255


@on_linux
def test_what_took_the_place_of_a_mapping_is_kept(mapped: Array, tmp_path: Path) -> None:
    """The keeper says it still has it, but the system knows better."""
    own = memory.mappings_like(mapped)
    keeper = Keeper(np.memmap(tmp_path / "pool", np.uint8, "c"))
    memory.keep_mappings(keeper, memory.mappings_like(mapped) - own)
    (place,) = memory._kept[keeper]
    keeper.array = None  # unmapped
    assert place not in memory.mappings_like(mapped)
    other = mmap.mmap(-1, SIZE)  # the system likes to use the same addresses again
    other[:] = b"x" * SIZE
    give_back_memory(mapped)
    assert other[:] == b"x" * SIZE
    other.close()


@pytest.mark.parametrize("where", [0, SIZE // 2 + 77, SIZE - 1])
def test_what_was_written_to_a_pool_is_kept(mapped: Array, where: int) -> None:
    mapped[where] ^= 255  # copy-on-write: this page is ours now, and nowhere else
    kept = mapped.copy()
    give_back_memory(mapped)
    np.testing.assert_array_equal(mapped, kept)


@pytest.mark.parametrize("size", [100, 5 << 20, 40 << 20])
def test_a_pool_that_is_no_file_is_kept(size: int) -> None:
    pool = np.random.default_rng(1).integers(0, 256, size, np.uint8)
    kept = pool.copy()
    give_back_memory(pool)
    np.testing.assert_array_equal(pool, kept)


@on_linux
def test_freed_memory_leaves() -> None:
    if not hasattr(libc(), "malloc_trim"):
        pytest.skip("not glibc")
    blocks = [bytes(100_000) for _ in range(1000)]  # too small to be mapped one by one
    before = resident()
    pinned = blocks[-1]  # the heap cannot shrink from its end
    del blocks
    give_back_memory()
    assert before - resident() > 50e6
    assert not any(pinned)


@on_linux
@pytest.mark.parametrize("unreadable", ["missing", "empty"])
def test_a_system_that_does_not_say_what_is_mapped_keeps_it(
    unreadable: str, mapped: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "nothing"
    if unreadable == "empty":
        place.touch()
    monkeypatch.setattr(mappings, "_PAGEMAP", place)
    monkeypatch.setattr(mappings, "_MAPS", place)
    before = resident()
    give_back_memory(mapped)
    assert before - resident() < 0.5 * SIZE


def test_elsewhere_nothing_happens(mapped: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(memory, "libc", None)  # calling it would fail
    give_back_memory(mapped)


# Engines have reasons to touch such weights: OpenVINO flushes subnormal numbers to zero.
SUBNORMAL = """
model (float[N, 64] x) => (float[N, 64] y, float[N, 64] z)
<float[64, 64] a, float[64, 64] b>
{
  y = MatMul (x, a)
  t = Transpose <perm = [1, 0]> (b)
  z = MatMul (y, t)
}
"""


@on_linux
@pytest.mark.parametrize("engine", EXACT)
def test_engines_leave_the_pool_as_it_is(engine: str, tmp_path: Path) -> None:
    """Or its pages could not be given back, and processes would not share them."""
    values = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    values[::3] *= np.float32(1e-39)
    listed = ", ".join(f"{value:.9g}" for value in values.reshape(-1))
    text = SUBNORMAL.replace("] a", f"] a = {{{listed}}}").replace("] b", f"] b = {{{listed}}}")
    program = program_from_text(text)
    staged = stage(program, tmp_path)
    topology = get_engine(engine).lower(staged.model, staged.pool)
    pool = staged.map_pool()
    kept = pool.copy()
    network = Network(topology, pool, staged.constants, program.inputs, program.outputs)
    loaded = get_engine(engine).load(network, EngineOptions(threads=2))
    x = np.random.default_rng(1).standard_normal((4, 64)).astype(np.float32)
    for rows, lanes in ((4, 1), (4, 2), (-1, 1)):
        executable = loaded.executable({"x": (rows, 64)}, lanes)
        first = executable.run([x])
        places = memory.mappings_like(pool)
        assert places
        assert all(memory._only_of_file(place) for place in places)
        give_back_memory(pool)
        for got, wanted in zip(executable.run([x]), first, strict=True):
            np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(pool, kept)
