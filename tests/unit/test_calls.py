"""Calls under way: whoever closes waits for them, and for nothing that Ctrl-C broke off."""

from __future__ import annotations

import random
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError  # a class of its own in 3.10

import pytest

from gearshift.calls import Calls
from gearshift.errors import ClosedError

_SECONDS = 10

posix_only = pytest.mark.skipif(
    sys.platform == "win32", reason="this system has no timer that interrupts"
)


def _call_until_interrupted(calls: Calls, seconds: float) -> None:
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        while True:
            calls.run(int)
    except KeyboardInterrupt:
        return


@pytest.fixture
def alarm() -> Iterator[None]:
    """Has the timer, which a time limit for tests may use, raise KeyboardInterrupt meanwhile."""
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    timer = signal.setitimer(signal.ITIMER_REAL, 0)
    yield
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, *timer)


@posix_only
@pytest.mark.usefixtures("alarm")
def test_nothing_is_left_of_a_call_that_ctrl_c_broke_off_wherever_it_came() -> None:
    rng = random.Random(3)
    for _ in range(2_000):
        calls = Calls()
        _call_until_interrupted(calls, rng.uniform(1e-5, 3e-4))
        released = threading.Event()
        other = threading.Thread(target=calls.close, args=[released.set], daemon=True)
        other.start()
        other.join(_SECONDS)
        assert released.is_set()
        assert not _is_inside(calls)


def test_closing_waits_for_the_last_call_and_then_releases() -> None:
    calls = Calls()
    inside, go, released = threading.Barrier(3), threading.Event(), threading.Event()

    def call() -> bool:
        inside.wait(_SECONDS)
        return go.wait(_SECONDS) and not released.is_set()

    with ThreadPoolExecutor(4) as others:
        under_way = [others.submit(calls.run, call) for _ in range(2)]
        inside.wait(_SECONDS)
        closing = [others.submit(calls.close, released.set) for _ in range(2)]
        with pytest.raises(FutureTimeoutError):
            closing[0].result(0.05)
        assert not released.is_set()
        go.set()
        assert all(each.result(_SECONDS) for each in under_way)
        assert [each.result(_SECONDS) for each in closing] == [None, None]
    assert released.is_set()


def test_closing_inside_a_call_returns_and_waits_for_it_elsewhere() -> None:
    calls, released = Calls(), threading.Event()

    def close_inside() -> str:
        calls.close(released.set)
        with pytest.raises(ClosedError, match="load the model again"):
            calls.run(pytest.fail)
        assert not released.wait(0.05)
        return calls.run(lambda: "ended", was_made_before=True)

    assert calls.run(close_inside) == "ended"
    assert released.wait(_SECONDS)


def test_closing_again_while_the_same_thread_closes_does_not_wait_for_itself() -> None:
    calls, building, released = Calls(), threading.Lock(), []

    def release() -> None:
        with building:
            if not released:
                released.append("by the first")
                calls.close(release)  # as a signal's handler may

    calls.close(release)
    assert released == ["by the first"]
    with building:
        assert not _is_inside(calls)


def test_a_worker_closes_elsewhere_between_its_calls_too() -> None:
    calls, released = Calls(), threading.Event()
    with ThreadPoolExecutor(1, initializer=calls.add_worker) as worker:

        def release() -> None:
            worker.shutdown()  # which the worker itself could not wait for
            released.set()

        assert worker.submit(calls.close, release).result(_SECONDS) is None
    assert released.wait(_SECONDS)


def test_a_call_may_hold_calls_and_raise() -> None:
    calls = Calls()
    assert calls.run(lambda: calls.run(lambda: 1)) == 1
    with pytest.raises(ZeroDivisionError):
        calls.run(lambda: 1 / 0)
    assert not _is_inside(calls)


def _is_inside(calls: Calls) -> bool:
    """Whether it takes this thread to be in one of them, so that closing makes another thread."""
    threads: list[int] = []
    calls.close(lambda: threads.append(threading.get_ident()))
    return threads != [threading.get_ident()]
