"""Tasks side by side: all of them end, whatever one of them does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError  # a class of its own in 3.10

import pytest

from gearshift.lanes import Lanes
from threads import threads_allowed


@pytest.mark.parametrize("count", [1, 2, 4])
def test_every_task_runs_once(count: int) -> None:
    done: list[int] = []
    lanes = Lanes(count, count)
    lanes.run([lambda number=number: done.append(number) for number in range(count)])  # type: ignore[misc]
    assert sorted(done) == list(range(count))
    lanes.close()


def test_tasks_run_at_the_same_time_the_first_on_the_callers_thread() -> None:
    meeting = threading.Barrier(3)
    names: list[str] = []

    def meet() -> None:
        meeting.wait(10)
        names.append(threading.current_thread().name)

    lanes = Lanes(3, 3)
    lanes.run([meet] * 3)
    assert names.count(threading.current_thread().name) == 1
    assert sum(name.startswith("gearshift-lane") for name in names) == 2
    lanes.close()


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_where_no_more_threads_may_be_started(
    allowed: int, caplog: pytest.LogCaptureFixture
) -> None:
    with threads_allowed(allowed) as started:
        lanes = Lanes(4, 4)
    assert f"of 4 lanes only {allowed + 1} run side by side: can't start" in caplog.text
    ran: list[int] = []
    lanes.run([lambda: ran.append(threading.get_ident()) for _ in range(4)])
    assert len(ran) == 4
    assert set(ran) <= {threading.get_ident(), *(thread.ident for thread in started)}
    with pytest.raises(ValueError, match="no"):
        lanes.run([lambda: None, lambda: int("no"), lambda: None])
    lanes.close()
    assert not any(thread.is_alive() for thread in started)


@pytest.mark.parametrize("failing", [0, 1])
def test_a_failure_waits_for_the_other_lanes(failing: int) -> None:
    broken, ended = threading.Event(), threading.Event()

    def fail() -> None:
        broken.set()
        raise ValueError("no")

    def slow() -> None:
        assert broken.wait(10)
        ended.set()

    lanes = Lanes(2, 2)
    with pytest.raises(ValueError, match="no"):
        lanes.run([fail, slow] if failing == 0 else [slow, fail])
    assert ended.is_set()
    lanes.close()


@pytest.mark.skipif(sys.platform == "win32", reason="this system sends no such signal")
def test_closing_waits_for_what_a_call_left_that_ctrl_c_broke_off() -> None:
    started, go, ended = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        started.set()
        assert go.wait(10)
        ended.set()

    def interrupt() -> None:
        assert started.wait(10)
        time.sleep(0.05)  # until the caller waits for good
        # To this very thread: another one's would not wake it.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    lanes = Lanes(2, 2)
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    try:
        with ThreadPoolExecutor(2) as pool:
            pool.submit(interrupt)
            with pytest.raises(KeyboardInterrupt):
                lanes.run([lambda: None, slow])
            closing = pool.submit(lanes.close)
            with pytest.raises(FutureTimeoutError):
                closing.result(0.05)
            go.set()
            closing.result(10)
            assert ended.is_set()
    finally:
        signal.signal(signal.SIGUSR1, before)
    lanes.close()  # once more does no harm


def test_callers_share_the_lanes() -> None:
    lanes = Lanes(2, 2)
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


_KEPT_TO_THE_END = """
from gearshift.lanes import Lanes

class Model:
    def __init__(self):
        self.lanes = Lanes(3, 3)
        self.lanes.run([int] * 3)
        self.itself = self

    def __del__(self):
        self.lanes.close()
        print("closed")

model = Model()
"""


def test_closing_while_the_interpreter_ends_waits_for_nothing() -> None:
    """From Python 3.13 on, a daemon thread that is joined then never comes to its end."""
    ended = subprocess.run(
        [sys.executable, "-c", _KEPT_TO_THE_END], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "closed\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no process")
def test_a_forked_process_has_its_own_threads() -> None:
    lanes = Lanes(3, 3)
    lanes.run([lambda: None] * 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of what is tested here
        process = os.fork()
    if process == 0:  # in the child, where no test may go on
        done: list[int] = []
        try:
            callers = [
                threading.Thread(target=lanes.run, args=([lambda: done.append(1)] * 3,))
                for _ in range(4)
            ]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join(10)
            lanes.close()
        finally:
            os._exit(len(done))
    deadline = time.monotonic() + 30
    while (ended := os.waitpid(process, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    if ended == (0, 0):
        os.kill(process, 9)
        os.waitpid(process, 0)
    assert ended == (process, 12 << 8), "12 tasks ran in the child"
    lanes.run([lambda: None] * 3)  # and the parent's lanes are as they were
    lanes.close()
