"""Tasks side by side: all of them end, whatever one of them does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gearshift.lanes import Lanes


@pytest.mark.parametrize("count", [1, 2, 4])
def test_every_task_runs_once(count: int) -> None:
    done: list[int] = []
    lanes = Lanes(count)
    lanes.run([lambda number=number: done.append(number) for number in range(count)])  # type: ignore[misc]
    assert sorted(done) == list(range(count))
    lanes.close()


def test_tasks_run_at_the_same_time_the_first_on_the_callers_thread() -> None:
    meeting = threading.Barrier(3)
    names: list[str] = []

    def meet() -> None:
        meeting.wait(10)
        names.append(threading.current_thread().name)

    lanes = Lanes(3)
    lanes.run([meet] * 3)
    assert names.count(threading.current_thread().name) == 1
    assert sum(name.startswith("gearshift-lane") for name in names) == 2
    lanes.close()


@pytest.mark.parametrize("failing", [0, 1])
def test_a_failure_waits_for_the_other_lanes(failing: int) -> None:
    broken, ended = threading.Event(), threading.Event()

    def fail() -> None:
        broken.set()
        raise ValueError("no")

    def slow() -> None:
        assert broken.wait(10)
        ended.set()

    lanes = Lanes(2)
    with pytest.raises(ValueError, match="no"):
        lanes.run([fail, slow] if failing == 0 else [slow, fail])
    assert ended.is_set()
    lanes.close()


def test_callers_share_the_lanes() -> None:
    lanes = Lanes(2)
    counts = [0] * 8

    def work(caller: int) -> None:
        def step() -> None:
            counts[caller] += 1

        for _ in range(50):
            lanes.run([step, lambda: None])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert counts == [50] * 8
    lanes.close()
