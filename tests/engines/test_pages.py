"""Huge pages: they must come where programs compute, hold the same bytes, and come nowhere else."""

from __future__ import annotations

import mmap
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import gearshift
from gearshift.engines import pages
from gearshift.engines.base import Executable
from gearshift.engines.mappings import mappings
from gearshift.engines.pages import HugePages
from gearshift.errors import EngineError
from gearshift.running import Running
from gearshift.tensors import Array

MB = 1 << 20


def huge_bytes(place: range) -> int:
    """Bytes of huge pages in the mappings that reach into a place, as the system says."""
    found, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            start, end = (int(each, 16) for each in words[0].split("-"))
            inside = start < place.stop and end > place.start
        elif inside and words[0] == "AnonHugePages:":
            found += int(words[1]) * 1024
    return found


def can_merge() -> bool:
    """Whether this system gives huge pages to who asks: others have nothing to be tested."""
    if not HugePages()._size:
        return False
    huge = HugePages()
    with huge.watch():
        memory = Memory(8 * MB)
        memory.fill(8 * MB)
    huge.merge()
    return huge_bytes(memory.place) > 0


class Memory:
    """Pages of this process, apart from what allocators hold."""

    def __init__(self, size: int) -> None:
        self._map = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.bytes = np.frombuffer(self._map, np.uint8)
        self.place = range(self.bytes.ctypes.data, self.bytes.ctypes.data + size)

    def fill(self, size: int) -> None:
        self.bytes[:size] = np.random.default_rng(0).integers(0, 256, size, np.uint8)


merging = pytest.mark.skipif(not can_merge(), reason="this system gives no huge pages on demand")


@merging
def test_what_appeared_while_watched_moves_and_is_the_same() -> None:
    huge = HugePages()
    earlier = Memory(16 * MB)
    earlier.fill(16 * MB)
    # A mapping that others touch would be one with theirs.
    gap = mmap.mmap(-1, MB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ)
    with huge.watch():
        memory = Memory(16 * MB)
        memory.fill(16 * MB)
    kept, kept_earlier = memory.bytes.copy(), earlier.bytes.copy()
    assert huge.pending
    while huge.pending:
        huge.merge(2)
    assert huge_bytes(memory.place) >= 12 * MB
    np.testing.assert_array_equal(memory.bytes, kept)
    np.testing.assert_array_equal(earlier.bytes, kept_earlier)
    gap.close()


@merging
def test_what_was_there_before_is_left_alone() -> None:
    huge = HugePages()
    memory = Memory(16 * MB)
    memory.fill(16 * MB)
    before = huge_bytes(memory.place)  # its mapping may have become one with another
    with huge.watch():
        memory.fill(16 * MB)
    huge.merge()
    assert huge_bytes(memory.place) == before


@merging
def test_memory_that_is_hardly_used_is_not_filled_up_for_it() -> None:
    huge = HugePages()
    with huge.watch():
        memory = Memory(16 * MB)
        memory.bytes[:: 16 * mmap.PAGESIZE] = 1
        before = huge_bytes(memory.place)
    huge.merge()
    assert huge_bytes(memory.place) == before
    assert not huge.pending
    memory.fill(16 * MB)
    with huge.watch():
        pass
    assert huge.pending, "it is looked at again when something else has come"
    huge.merge()
    assert huge_bytes(memory.place) >= before + 12 * MB


@merging
def test_memory_that_went_before_it_was_moved_does_no_harm() -> None:
    huge = HugePages()
    with huge.watch():
        memory = mmap.mmap(-1, 16 * MB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.write(b"x" * (16 * MB))
    memory.close()
    huge.merge()
    assert not huge.pending


_HUGE = """
def huge():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("AnonHuge"))
"""
_FORK = """
import mmap, os
import numpy as np
from gearshift.engines.pages import HugePages

pages = HugePages()
with pages.watch():
    memory = mmap.mmap(-1, 16 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.write(b"x" * (16 << 20))
before = huge()
child = os.fork()
if not child:
    pages.merge()
    os._exit(huge() != before)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status))
pages.merge()
print(huge() > before)
"""


@merging
def test_a_forked_process_does_not_copy_what_it_shares() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _HUGE + _FORK], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["0", "True"], "and its parent moves what is its own again"


class Mappings:
    """What the system says of a process that has these blocks, and how often it was asked."""

    def __init__(self) -> None:
        self.blocks = {1}
        self.asked = 0

    def __call__(self) -> list[bytes]:
        self.asked += 1
        places = [range(block * 2 * MB, (block + 1) * 2 * MB) for block in sorted(self.blocks)]
        return [b"%x-%x rw-p 00000000 00:00 0 " % (each.start, each.stop) for each in places]


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Mappings:
    """What this system says from now on."""
    said = Mappings()
    monkeypatch.setattr(pages, "mapping_lines", said)
    return said


@pytest.fixture
def huge() -> HugePages:
    """As on a system that has them, be this one without."""
    made = HugePages()
    made._size = 2 * MB
    return made


def test_where_the_system_says_nothing_nothing_is_new(
    huge: HugePages, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = b"00000000-04000000 rw-p 00000000 00:00 0 "
    monkeypatch.setattr(pages, "mapping_lines", iter([[], [line]]).__next__)
    with huge.watch():
        pass
    huge.look()
    assert not huge.pending


def test_a_run_waits_for_one_reading_and_what_it_took_is_seen_later(
    huge: HugePages, there: Mappings
) -> None:
    for runs, block in enumerate((3, 5), 1):
        with huge.watch():
            there.blocks.add(block)
        assert there.asked == runs
        assert huge.pending
    huge.look()
    assert (there.asked, huge._blocks) == (3, {3, 5})
    huge.look()
    assert there.asked == 3, "there is nothing that was not looked at"
    there.blocks.add(7)  # somebody else's
    with huge.watch():
        there.blocks.add(9)
    huge.look()
    assert huge._blocks == {3, 5, 9}


def test_what_appears_while_somebody_looks_is_seen_when_that_is_done_again(
    huge: HugePages, there: Mappings
) -> None:
    with huge.watch():
        there.blocks.add(3)
        with huge.watch():  # as in the handler of a signal, or in another thread
            there.blocks.add(5)
        huge.look()
        assert huge._blocks == {5}
        there.blocks.add(7)
    assert huge.pending
    huge.look()
    assert huge._blocks == {3, 5, 7}


def test_threads_that_look_at_once_lose_nothing(huge: HugePages, there: Mappings) -> None:
    is_over = threading.Event()

    def look() -> None:
        while not is_over.is_set():
            huge.look()

    lookers = [threading.Thread(target=look) for _ in range(2)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for looker in lookers:
            looker.start()
        for block in range(3, 303, 2):
            with huge.watch():
                there.blocks = there.blocks | {block}  # another set: somebody may read this one
    finally:
        sys.setswitchinterval(interval)
        is_over.set()
        for looker in lookers:
            looker.join()
    huge.look()
    assert huge._blocks == set(range(3, 303, 2))


@pytest.mark.parametrize("release", ["5.15.0-91-generic", "6.0.1", "unheard-of"])
def test_an_older_system_is_left_as_it_is(release: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages.platform, "release", lambda: release)
    assert not HugePages()._size


@pytest.mark.parametrize("setting", ["[always] madvise never", "always madvise [never]", None])
def test_a_system_that_is_set_otherwise_is_left_as_it_is(
    setting: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if setting is not None:
        (tmp_path / "enabled").write_text(setting + "\n")
        (tmp_path / "hpage_pmd_size").write_text("2097152\n")
    monkeypatch.setattr(pages, "_SETTINGS", tmp_path)
    huge = HugePages()
    with huge.watch():
        memory = Memory(8 * MB)
        memory.fill(8 * MB)
    assert not huge.pending


@st.composite
def places(draw: st.DrawFn) -> list[range]:
    """Ranges that are ascending and apart, like mappings."""
    edges = sorted(draw(st.sets(st.integers(0, 60), max_size=12)))
    return [range(*pair) for pair in zip(edges[::2], edges[1::2], strict=False)]


@given(before=places(), after=places())
def test_what_has_grown_is_what_was_not_there(before: list[range], after: list[range]) -> None:
    grown = [number for place in pages._grown(before, after) for number in place]
    there = {number for place in before for number in place}
    assert grown == [number for place in after for number in place if number not in there]


def test_mappings_are_in_order_and_know_this_array() -> None:
    array = np.zeros(40 * MB, np.uint8)
    found = list(mappings())
    if not found:
        pytest.skip("this system does not say")
    starts = [each.place.start for each in found]
    assert starts == sorted(starts)
    (own,) = [each for each in found if array.ctypes.data in each.place]
    assert own.is_allocated
    assert not own.is_file
    assert any(each.is_file for each in found)


class Counting(HugePages):
    """Counts what is watched."""

    def __init__(self) -> None:
        super().__init__(wanted=False)
        self.watched = 0

    @contextmanager
    def watch(self) -> Iterator[None]:
        self.watched += 1
        yield


class Together(Executable):
    """Ends a run when as many are under way as were asked for."""

    def __init__(self) -> None:
        self.barrier = threading.Barrier(1)

    def run(self, feeds: Sequence[Array], into: Sequence[Array | None] = ()) -> list[Array]:
        self.barrier.wait(10)
        return list(feeds)


def test_a_run_that_failed_counts_for_nothing() -> None:
    class Failing(Executable):
        fails = True

        def run(self, feeds: Sequence[Array], into: Sequence[Array | None] = ()) -> list[Array]:
            if self.fails:
                raise EngineError("not yet")
            return list(feeds)

    seen, engine = Counting(), Failing()
    for is_open in (False, True):
        seen.watched, engine.fails = 0, True
        program = Running(engine, seen, np.empty(0, np.uint8), is_open=is_open)
        with pytest.raises(EngineError):
            program.run([])
        engine.fails = False
        program.run([])
        program.run([])
        assert seen.watched == 2, "nor does one of nothing count as one that was seen"


def test_runs_are_watched_when_they_are_more_or_larger_than_ever() -> None:
    seen, engine = Counting(), Together()
    program = Running(engine, seen, np.empty(0, np.uint8), is_open=True)

    def run(rows: int) -> None:
        program.run([np.zeros((rows, 3), np.float32)])

    for rows in (2, 2, 1, 4, 4, 3, 2):
        run(rows)
    assert seen.watched == 2, "of 2 rows and of 4, which were the largest"
    engine.barrier = threading.Barrier(2)
    for _ in range(3):
        threads = [threading.Thread(target=run, args=(4,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen.watched == 3, "once for the second one at a time"
    fixed = Running(Together(), seen, np.empty(0, np.uint8), is_open=False)
    for rows in (1, 2, 3):
        fixed.run([np.zeros((rows, 3), np.float32)])
    assert seen.watched == 4


def wide(folder: Path) -> Path:
    """A model with 17 MB of weights."""
    dice = np.random.default_rng(0)
    weights = [dice.normal(size=size).astype(np.float32) for size in ((64, 2048), (2048, 2048))]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w0"], ["h"]),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("MatMul", ["r", "w1"], ["y"]),
        ],
        "wide",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2048])],
        [numpy_helper.from_array(each, f"w{index}") for index, each in enumerate(weights)],
    )
    path = folder / "wide.onnx"
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


@merging
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("budget", ["balanced", "memory"])
def test_a_session_moves_its_programs_in_a_pause(engine: str, budget: str, tmp_path: Path) -> None:
    path = tmp_path / "wide.om"
    gearshift.compile(wide(tmp_path), output=path, dynamic_batch_size=[1, 4])
    # In a process of its own: here programs may come to lie in memory that others let go of.
    words = [sys.executable, "-c", _HUGE + _SESSION, str(path), engine, budget]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=120)
    grown = int(done.stdout)
    assert grown == 0 if budget == "memory" else grown >= 8 * MB


def test_what_programs_took_does_not_wait_for_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or what the user allocates until then would be taken for theirs."""
    path, x = tmp_path / "wide.om", np.zeros((4, 64), np.float32)
    gearshift.compile(wide(tmp_path), output=path, dynamic_batch_size=[1, 4])
    with gearshift.load(path, tune=0) as model:
        huge, (track,) = model._networks.pages, model._tracks
        huge._size = 2 * MB  # also where the system has none
        model.prepare(4)
        assert not huge._unseen
        tended: list[bool] = []
        monkeypatch.setattr(track._programs, "tend", lambda: tended.append(True))
        model.run({"x": x[:0]})
        assert len(tended) == 1
        monkeypatch.setattr(track, "_bound", _fail)
        with pytest.raises(EngineError):
            model.run({"x": x})
        assert len(tended) == 2


def _fail(*_: object) -> None:
    raise EngineError("it fails")


_SESSION = """
import sys, time
import numpy as np
import gearshift

path, engine, budget = sys.argv[1:]
x = np.random.default_rng(0).normal(size=(4, 64)).astype(np.float32)
with gearshift.load(path, engine=engine, memory_budget=budget, tune=0) as model:
    before = huge()
    first = model.run({"x": x})["y"].copy()
    end = time.monotonic() + 20
    while any(track._programs._builder is not None for track in model._tracks):
        assert time.monotonic() < end
        time.sleep(0.01)
    print(huge() - before)
    np.testing.assert_array_equal(model.run({"x": x})["y"], first)
"""
