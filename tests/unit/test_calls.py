"""Calls under way: whoever closes waits for them, and for nothing that Ctrl-C broke off."""

from __future__ import annotations

import random
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError  # a class of its own in 3.10
from types import FrameType

import pytest

from gearshift.calls import Calls
from gearshift.errors import ClosedError

_SECONDS = 10


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _call_until_interrupted(calls: Calls, seconds: float) -> None:
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        while True:
            calls.run(int)
    except KeyboardInterrupt:
        return


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no timer that interrupts")
def test_nothing_is_left_of_a_call_that_ctrl_c_broke_off_wherever_it_came() -> None:
    rng = random.Random(3)
    before = signal.signal(signal.SIGALRM, _interrupt)
    try:
        for _ in range(2_000):
            calls = Calls()
            _call_until_interrupted(calls, rng.uniform(1e-5, 3e-4))
            other = threading.Thread(target=calls.wait, daemon=True)
            other.start()
            other.join(_SECONDS)
            assert not other.is_alive()
            assert not calls.has_this_thread()
    finally:
        signal.signal(signal.SIGALRM, before)


def test_waiting_lasts_until_the_last_call_has_ended() -> None:
    calls = Calls()
    inside, go = threading.Barrier(3), threading.Event()

    def call() -> bool:
        inside.wait(_SECONDS)
        return go.wait(_SECONDS) and calls.has_this_thread()

    with ThreadPoolExecutor(3) as others:
        under_way = [others.submit(calls.run, call) for _ in range(2)]
        inside.wait(_SECONDS)
        waiting = others.submit(calls.wait)
        assert not calls.has_this_thread()
        with pytest.raises(FutureTimeoutError):
            waiting.result(0.05)
        go.set()
        assert all(each.result(_SECONDS) for each in under_way)
        waiting.result(_SECONDS)


def test_once_closed_a_call_does_not_begin_and_one_under_way_ends() -> None:
    calls = Calls()

    def close_inside() -> str:
        calls.close()
        with pytest.raises(ClosedError, match="load the model again"):
            calls.run(pytest.fail)
        return "ended"

    assert calls.run(close_inside) == "ended"
    calls.wait()


def test_a_call_may_hold_calls_and_raise() -> None:
    calls = Calls()
    assert calls.run(calls.run, max, [1, 2], key=lambda number: -number) == 1
    with pytest.raises(ZeroDivisionError):
        calls.run(lambda: 1 / 0)
    calls.wait()
    assert not calls.has_this_thread()
