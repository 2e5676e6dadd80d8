"""Threads that keep off each other's CPU, and systems on which nobody can tell."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from gearshift import placing
from gearshift.lanes import Lanes
from gearshift.placing import Place, this_cpu

if sys.platform != "linux":
    pytest.skip("Linux lets threads choose a CPU", allow_module_level=True)

_Made = TypeVar("_Made")

CPUS = sorted(os.sched_getaffinity(0))
ALL = set(CPUS)
needs_two = pytest.mark.skipif(len(CPUS) < 2, reason="there is one CPU, and nowhere to move to")


def in_a_thread(work: Callable[[], _Made]) -> _Made:
    """Where it may be moved without moving the tests."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(10)


def pin(cpu: int) -> None:
    os.sched_setaffinity(0, {cpu})


def here() -> Place:
    return Place(threading.get_native_id())


def test_it_knows_where_it_runs() -> None:
    def where(cpu: int) -> int | None:
        pin(cpu)
        return this_cpu()

    assert [in_a_thread(lambda cpu=cpu: where(cpu)) for cpu in CPUS] == CPUS  # type: ignore[misc]


@needs_two
def test_a_thread_leaves_what_is_taken_and_comes_back() -> None:
    wanted = (CPUS[0], CPUS[0], CPUS[1], -1, CPUS[0], None)

    def move() -> list[tuple[int | None, set[int]]]:
        place, seen = here(), []
        for taken in wanted:
            place.keep_off(taken)
            seen.append((this_cpu(), os.sched_getaffinity(0)))
        return seen

    seen = in_a_thread(move)
    assert [each for _, each in seen] == [ALL - {taken} for taken in wanted]
    assert all(cpu in each for cpu, each in seen)
    assert os.sched_getaffinity(0) == ALL


@needs_two
def test_another_thread_is_moved_while_it_waits() -> None:
    go, told, moved = threading.Event(), threading.Event(), []

    def wait() -> None:
        told.set()
        assert go.wait(10)
        moved.append(os.sched_getaffinity(0))

    other = threading.Thread(target=wait)
    other.start()
    assert told.wait(10)
    place = Place(other.native_id)
    place.keep_off(CPUS[0])
    go.set()
    other.join(10)
    assert moved == [ALL - {CPUS[0]}]
    place.keep_off(CPUS[1])  # it has ended by now
    place.keep_off(None)
    assert os.sched_getaffinity(0) == ALL


@needs_two
def test_what_somebody_else_chose_since_is_kept_to() -> None:
    def move() -> list[set[int]]:
        place, seen = here(), []
        place.keep_off(CPUS[0])
        pin(CPUS[0])  # as an administrator may
        for taken in (CPUS[1], None):
            place.keep_off(taken)
            seen.append(os.sched_getaffinity(0))
        return seen

    assert in_a_thread(move) == [{CPUS[0]}, {CPUS[0]}]


def test_it_stays_where_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def move() -> None:
        pin(CPUS[0])
        with monkeypatch.context() as patch:
            patch.setattr(os, "sched_setaffinity", lambda *_: pytest.fail("nowhere to move to"))
            here().keep_off(CPUS[0])

    in_a_thread(move)


@needs_two
def test_what_the_system_refuses_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def refuse(_: int, wanted: set[int]) -> None:
        tried.append(wanted)
        raise PermissionError(1, "Operation not permitted")

    place = here()
    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    for taken in (CPUS[0], CPUS[1], CPUS[0]):
        place.keep_off(taken)
    assert tried == [ALL - {CPUS[0]}]


def test_a_thread_without_a_number_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: pytest.fail("0 is the caller itself"))
    Place(None).keep_off(CPUS[0])


def test_a_system_that_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "_find_cpu", lambda: -1)
    assert this_cpu() is None


@needs_two
@pytest.mark.parametrize(("threads", "moves"), [(2, True), (4, False)])
def test_a_lane_of_one_thread_keeps_off_its_callers_cpu(threads: int, moves: bool) -> None:
    allowed: list[set[int]] = []
    lanes = Lanes(2, threads)

    def run(cpu: int) -> None:
        pin(cpu)
        lanes.run([lambda: None, lambda: allowed.append(os.sched_getaffinity(0))])

    for cpu in (CPUS[0], CPUS[1], CPUS[1]):
        in_a_thread(lambda cpu=cpu: run(cpu))  # type: ignore[misc]
    lanes.close()
    assert allowed == [ALL - {cpu} if moves else ALL for cpu in (CPUS[0], CPUS[1], CPUS[1])]
    assert os.sched_getaffinity(0) == ALL


@needs_two
def test_lanes_of_one_thread_keep_off_whether_all_are_busy_or_not() -> None:
    allowed: list[set[int]] = []
    lanes = Lanes(4, 4)

    def note() -> None:
        allowed.append(os.sched_getaffinity(0))

    def run() -> None:
        pin(CPUS[0])
        for tasks in (4, 2):
            lanes.run([lambda: None, *[note] * (tasks - 1)])

    in_a_thread(run)
    lanes.close()
    assert allowed == [ALL - {CPUS[0]}] * 4


@needs_two
def test_lanes_stay_where_they_are_while_another_caller_uses_them() -> None:
    """Or it would be put onto that one's CPU, and both would take turns there."""
    allowed: list[set[int]] = []
    lanes = Lanes(2, 2)
    began, go = threading.Event(), threading.Event()

    def first() -> None:
        pin(CPUS[0])
        lanes.run([lambda: None, lambda: (began.set(), go.wait(10))])  # type: ignore[func-returns-value]

    def second() -> None:
        pin(CPUS[1])
        lanes.run([go.set, lambda: allowed.append(os.sched_getaffinity(0))])

    caller = threading.Thread(target=first)
    caller.start()
    assert began.wait(10)
    in_a_thread(second)
    caller.join(10)
    lanes.close()
    assert allowed == [ALL - {CPUS[0]}]
