"""Reports of streams to threads: `acl.rt.subscribe_report` and what goes with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from gearshift.acl import reports
from gearshift.acl.call import ADDRESS, ANY, FUNCTION, INT, Refusal, public
from gearshift.acl.codes import Code
from gearshift.acl.runtime import stream_at


@public("acl.rt.subscribe_report", ADDRESS, ADDRESS)
def subscribe_report(thread: int, stream: int) -> int:
    """From now on, callbacks of a stream run in a thread.

    Args:
        thread: as `acl.util.start_thread` gave it, or `threading.get_ident()` of it.
        stream: its handle; 0 is the default one of the context.

    Returns:
        0; 107011 if the stream has a thread, codes of streams as `acl.rt.synchronize_stream`.
    """
    reports.subscribe(thread, stream_at(stream))
    return 0


@public("acl.rt.unsubscribe_report", ADDRESS, ADDRESS)
def unsubscribe_report(thread: int, stream: int) -> int:
    """Takes back `subscribe_report`; callbacks that have not run are dropped.

    Args:
        thread: as it was subscribed.
        stream: its handle; 0 is the default one of the context.

    Returns:
        0; 107012 if the thread has not subscribed to it.
    """
    reports.unsubscribe(thread, stream_at(stream))
    return 0


@public("acl.rt.launch_callback", FUNCTION, ANY, INT, ADDRESS)
def launch_callback(
    function: Callable[[Any], object], argument: object, block: int, stream: int
) -> int:
    """Puts a call into a stream: when the stream comes by, its thread runs it.

    Args:
        function: takes the argument.
        argument: any object.
        block: 1 if the stream waits until it has run, 0 if not.
        stream: its handle; 0 is the default one of the context.

    Returns:
        0; 100000 for another `block`, 107015 if no thread has subscribed to the stream.
    """
    if block not in (reports.NO_BLOCK, reports.BLOCK):
        raise Refusal(Code.INVALID_PARAM, f"block is {block}; it is 0 or 1")
    reports.launch(function, argument, bool(block), stream_at(stream))
    return 0


@public("acl.rt.process_report", INT)
def process_report(timeout: int) -> int:
    """Waits for the next callback of this thread, and runs it here.

    Args:
        timeout: milliseconds; -1 waits for ever.

    Returns:
        0; 107019 if none came in time, 107012 if this thread is subscribed to no stream.
    """
    if timeout < -1:
        raise Refusal(Code.RT_PARAM_INVALID, f"a timeout of {timeout} ms; it is -1 or more")
    seconds = None if timeout < 0 else timeout / 1000
    reports.next_report(threading.get_ident(), seconds).run()
    return 0
