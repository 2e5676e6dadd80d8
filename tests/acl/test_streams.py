"""Streams, events and callbacks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from gearshift.acl import callbacks, events, memory, runtime, util
from gearshift.acl.codes import Code
from gearshift.acl.system import get_recent_err_msg
from gearshift.errors import GearError


class Gate:
    """A task that waits until it is let through."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.open.wait(10)


def submit(stream: int, task: Callable[[], object]) -> None:
    runtime.stream_at(stream).submit(lambda: (task(), None)[1])


def new_stream() -> int:
    stream, ret = runtime.create_stream()
    assert ret == 0
    return stream


def test_tasks_run_in_order_and_streams_side_by_side() -> None:
    one, two, gate = new_stream(), new_stream(), Gate()
    done: list[int] = []
    submit(one, gate)
    for number in range(100):
        submit(one, lambda number=number: done.append(number))
    submit(two, lambda: done.append(-1))
    assert runtime.synchronize_stream(two) == 0
    assert done == [-1]
    assert runtime.stream_query(one) == (1, 0)
    assert runtime.synchronize_stream_with_timeout(one, 10) == Code.RT_WAIT_TIMEOUT
    gate.open.set()
    assert runtime.synchronize_stream(one) == 0
    assert done == [-1, *range(100)]
    assert runtime.stream_query(one) == (0, 0)
    for stream in (one, two):
        assert runtime.destroy_stream(stream) == 0


def test_waiting_lets_other_threads_work() -> None:
    stream, gate, ticks = new_stream(), Gate(), []
    submit(stream, gate)

    def work() -> None:
        for _ in range(20):
            time.sleep(0.001)
            ticks.append(1)
        gate.open.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert runtime.synchronize_stream(stream) == 0
    assert len(ticks) == 20
    thread.join()
    assert runtime.destroy_stream(stream) == 0


def test_the_default_stream() -> None:
    done: list[int] = []
    submit(0, lambda: done.append(1))
    assert runtime.synchronize_stream(0) == 0
    assert done == [1]
    runtime.create_context(0)
    submit(0, lambda: done.append(2))
    assert runtime.synchronize_device() == 0
    assert done == [1, 2]
    context, _ = runtime.get_context()
    assert runtime.destroy_context(context) == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [(GearError("no such gear"), GearError.acl_code), (ValueError("x"), Code.RT_INTERNAL_ERROR)],
)
def test_a_task_that_fails(error: Exception, code: int) -> None:
    stream, done = new_stream(), []

    def fail() -> None:
        raise error

    submit(stream, fail)
    submit(stream, lambda: done.append(1))
    assert runtime.synchronize_stream(stream) == code
    assert str(error) in (get_recent_err_msg() or "")
    assert done == [1]
    assert runtime.synchronize_stream(stream) == 0
    submit(stream, fail)
    assert runtime.synchronize_device() == code
    submit(stream, fail)
    assert runtime.destroy_stream(stream) == 0
    assert runtime.destroy_stream(stream) == Code.RT_PARAM_INVALID


def test_destroying_waits() -> None:
    stream, done = new_stream(), []
    submit(stream, lambda: (time.sleep(0.05), done.append(1)))
    assert runtime.destroy_stream(stream) == 0
    assert done == [1]


def test_events() -> None:
    stream, gate = new_stream(), Gate()
    start, end = events.create_event()[0], events.create_event_with_flag(8)[0]
    assert events.query_event(start) == (1, 0)
    assert events.synchronize_event(start) == 0
    assert events.event_elapsed_time(start, end) == (0.0, Code.RT_EVENT_TIMESTAMP_INVALID)
    assert events.record_event(start, stream) == 0
    submit(stream, lambda: time.sleep(0.03))
    submit(stream, gate)
    assert events.record_event(end, stream) == 0
    assert events.synchronize_event(start) == 0
    assert events.query_event(start) == (0, 0)
    assert events.query_event(end) == (1, 0)
    assert events.event_elapsed_time(start, end)[1] == Code.RT_EVENT_TIMESTAMP_INVALID
    gate.open.set()
    assert events.synchronize_event(end) == 0
    milliseconds, ret = events.event_elapsed_time(start, end)
    assert ret == 0
    assert 30 <= milliseconds < 10000
    assert events.event_elapsed_time(end, start) == (0.0, Code.RT_EVENT_TIMESTAMP_REVERSAL)
    assert events.reset_event(end, stream) == 0
    assert runtime.synchronize_stream(stream) == 0
    assert events.query_event(end) == (1, 0)
    assert events.record_event(start, 99) == Code.RT_PARAM_INVALID
    assert events.record_event(99, stream) == Code.RT_PARAM_INVALID
    for event in (start, end):
        assert events.destroy_event(event) == 0
        assert events.destroy_event(event) == Code.RT_PARAM_INVALID
    assert runtime.destroy_stream(stream) == 0


def test_a_stream_waits_for_another() -> None:
    one, two, gate = new_stream(), new_stream(), Gate()
    event, done = events.create_event()[0], []
    submit(one, gate)
    submit(one, lambda: done.append("one"))
    events.record_event(event, one)
    assert events.stream_wait_event(two, event) == 0
    submit(two, lambda: done.append("two"))
    assert gate.reached.wait(10)
    time.sleep(0.02)
    assert done == []
    gate.open.set()
    assert runtime.synchronize_stream(two) == 0
    assert done == ["one", "two"]
    for stream in (one, two):
        assert runtime.destroy_stream(stream) == 0
    assert events.destroy_event(event) == 0


def test_a_wait_is_for_what_was_recorded_before_it() -> None:
    stream, other, gate = new_stream(), new_stream(), Gate()
    event, later = events.create_event()[0], events.create_event()[0]
    submit(stream, gate)  # so that nothing below runs before everything is in its queue
    assert events.record_event(event, stream) == 0
    assert events.stream_wait_event(stream, event) == 0
    assert events.record_event(event, stream) == 0, "behind the wait, which is not for it"
    assert events.stream_wait_event(other, event) == 0
    assert events.record_event(later, other) == 0
    assert events.stream_wait_event(stream, later) == 0
    assert events.record_event(event, stream) == 0
    gate.open.set()
    for each in (stream, other):
        assert runtime.synchronize_stream_with_timeout(each, 10_000) == 0
        assert runtime.destroy_stream(each) == 0
    assert events.query_event(event) == (0, 0)
    for each in (event, later):
        assert events.destroy_event(each) == 0


class Reports:
    """A thread for reports, as programs write it."""

    def __init__(self, timeout: int = 50) -> None:
        self.stop, self.codes = False, set()
        self.thread, ret = util.start_thread(self._loop, [runtime.get_context()[0], timeout])
        assert ret == 0

    def _loop(self, arguments: list[int]) -> None:
        context, timeout = arguments
        runtime.set_context(context)
        while not self.stop:
            self.codes.add(callbacks.process_report(timeout))

    def end(self) -> None:
        self.stop = True
        assert util.stop_thread(self.thread) == 0


@pytest.mark.parametrize("block", [0, 1])
def test_callbacks_run_in_the_thread_that_subscribed(block: int) -> None:
    stream, reports = new_stream(), Reports()
    ran: list[tuple[object, int]] = []
    order: list[object] = []

    def callback(argument: object) -> None:
        time.sleep(0.01)
        order.append(argument)
        ran.append((argument, threading.get_ident()))

    argument = object()
    assert callbacks.launch_callback(callback, 1, block, stream) == Code.RT_STREAM_NO_CALLBACK
    assert callbacks.subscribe_report(reports.thread, stream) == 0
    assert callbacks.subscribe_report(reports.thread, stream) == Code.RT_STREAM_SUBSCRIBE
    assert callbacks.launch_callback(callback, argument, 2, stream) == Code.INVALID_PARAM
    assert callbacks.launch_callback(callback, argument, block, stream) == 0
    submit(stream, lambda: order.append("behind"))
    assert runtime.synchronize_stream(stream) == 0
    deadline = time.monotonic() + 10
    while not ran and time.monotonic() < deadline:
        time.sleep(0.001)
    assert ran == [(argument, reports.thread)]
    assert order == ([argument, "behind"] if block else ["behind", argument])
    assert callbacks.unsubscribe_report(1, stream) == Code.RT_THREAD_SUBSCRIBE
    assert callbacks.unsubscribe_report(reports.thread, stream) == 0
    assert callbacks.unsubscribe_report(reports.thread, stream) == Code.RT_THREAD_SUBSCRIBE
    reports.end()
    assert util.stop_thread(reports.thread) == Code.INVALID_PARAM
    assert 0 in reports.codes
    assert runtime.destroy_stream(stream) == 0


def test_reports_that_nobody_takes_stop_no_stream() -> None:
    stream, done = new_stream(), []
    assert callbacks.subscribe_report(12345, stream) == 0
    assert callbacks.launch_callback(done.append, 1, 1, stream) == 0
    submit(stream, lambda: done.append(2))
    assert runtime.synchronize_stream_with_timeout(stream, 20) == Code.RT_WAIT_TIMEOUT
    assert callbacks.unsubscribe_report(12345, stream) == 0
    assert runtime.synchronize_stream(stream) == 0
    assert callbacks.subscribe_report(12345, stream) == 0
    assert callbacks.launch_callback(done.append, 3, 1, stream) == 0
    assert runtime.destroy_stream(stream) == 0
    assert done == [2]


def test_reports_in_this_thread() -> None:
    assert callbacks.process_report(1) == Code.RT_THREAD_SUBSCRIBE
    assert callbacks.process_report(-1) == Code.RT_THREAD_SUBSCRIBE
    assert callbacks.process_report(-2) == Code.RT_PARAM_INVALID
    me, stream, heard = threading.get_ident(), new_stream(), []
    assert callbacks.subscribe_report(me, stream) == 0
    assert callbacks.process_report(1) == Code.RT_WAIT_TIMEOUT
    for number in range(3):
        assert callbacks.launch_callback(heard.append, number, 0, stream) == 0
    for _ in range(3):
        assert callbacks.process_report(-1) == 0
    assert heard == [0, 1, 2]

    def fail(_: object) -> None:
        raise KeyError("mine")

    assert callbacks.launch_callback(fail, None, 1, stream) == 0
    with pytest.raises(KeyError):
        callbacks.process_report(-1)
    assert runtime.synchronize_stream(stream) == 0, "it does not wait for what has failed"
    assert runtime.destroy_stream(stream) == 0


def test_a_callback_may_use_memory() -> None:
    stream, me = new_stream(), threading.get_ident()
    callbacks.subscribe_report(me, stream)
    address, _ = memory.malloc(4, 0)
    callbacks.launch_callback(lambda at: memory.memset(at, 4, 1, 4), address, 1, stream)
    assert callbacks.process_report(1000) == 0
    assert util.ptr_to_bytes(address, 4) == b"\1" * 4
    assert memory.free(address) == 0
    assert runtime.destroy_stream(stream) == 0


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, seen = Gate(), []
    arguments = [1, 2]
    thread, ret = util.start_thread(seen.append, arguments)
    assert ret == 0
    assert util.stop_thread(thread) == 0
    assert seen[0] is arguments
    assert util.stop_thread(thread) == Code.INVALID_PARAM
    thread, _ = util.start_thread(lambda _: gate(), [])
    monkeypatch.setattr(util, "_JOIN_SECONDS", 0.01)
    assert util.stop_thread(thread) == Code.RT_WAIT_TIMEOUT
    gate.open.set()
    monkeypatch.undo()
    assert util.stop_thread(thread) == 0
    assert util.stop_thread(threading.get_ident()) == Code.INVALID_PARAM
