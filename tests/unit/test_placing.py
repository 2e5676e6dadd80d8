"""Threads that keep off each other's CPU, and systems on which nobody can tell."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from gearshift import lanes as lanes_module
from gearshift import placing
from gearshift.lanes import Lanes
from gearshift.placing import Place, this_cpu

_Made = TypeVar("_Made")

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="Linux lets threads choose a CPU")
cpus = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
needs_two = pytest.mark.skipif(len(cpus) < 2, reason="there is one CPU, and nowhere to move to")


def in_a_thread(work: Callable[[], _Made]) -> _Made:
    """Where it may be moved without moving the tests."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(10)


@linux_only
def test_it_knows_where_it_runs() -> None:
    def pinned(cpu: int) -> int | None:
        os.sched_setaffinity(0, {cpu})
        return this_cpu()

    assert [in_a_thread(lambda cpu=cpu: pinned(cpu)) for cpu in cpus] == cpus  # type: ignore[misc]


@needs_two
def test_it_leaves_the_cpu_that_is_taken_at_once_and_comes_back_for_another() -> None:
    def move() -> list[tuple[int | None, set[int]]]:
        place = Place()
        seen = []
        for taken in (cpus[0], cpus[0], cpus[1], -1):
            place.keep_off(taken)
            seen.append((this_cpu(), os.sched_getaffinity(0)))
        return seen

    seen = in_a_thread(move)
    allowed = [set(cpus) - {taken} for taken in (cpus[0], cpus[0], cpus[1], -1)]
    assert [each for _, each in seen] == allowed
    assert all(cpu in each for cpu, each in seen)
    assert os.sched_getaffinity(0) == set(cpus)


@linux_only
def test_it_stays_where_there_is_no_other() -> None:
    def move() -> set[int]:
        os.sched_setaffinity(0, {cpus[0]})
        Place().keep_off(cpus[0])
        return os.sched_getaffinity(0)

    assert in_a_thread(move) == {cpus[0]}


@needs_two
def test_what_the_system_refuses_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def refuse(_: int, wanted: set[int]) -> None:
        tried.append(wanted)
        raise OSError(22, "Invalid argument")

    place = Place()
    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    for taken in (cpus[0], cpus[1], cpus[0]):
        place.keep_off(taken)
    assert tried == [set(cpus) - {cpus[0]}]


def test_a_system_that_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "_find_cpu", None)
    assert this_cpu() is None
    monkeypatch.setattr(placing, "_find_cpu", lambda: -1)
    assert this_cpu() is None


@needs_two
@pytest.mark.parametrize(
    ("threads", "shortest", "is_moved"), [(2, -1, True), (4, -1, False), (2, 60, False)]
)
def test_a_lane_keeps_off_its_callers_cpu_if_it_has_one_thread_and_long_tasks(
    threads: int, shortest: float, is_moved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "_LONG", shortest)
    allowed: list[set[int]] = []
    lanes = Lanes(2, threads)
    for _ in range(3):
        lanes.run([lambda: None, lambda: allowed.append(os.sched_getaffinity(0))])
    lanes.close()
    assert allowed[0] == set(cpus)  # how long tasks take is not known yet
    assert [len(each) for each in allowed[1:]] == [len(cpus) - is_moved] * 2
    assert os.sched_getaffinity(0) == set(cpus)
