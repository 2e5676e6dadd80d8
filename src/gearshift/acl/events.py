"""Events: `acl.rt.create_event` and what goes with it."""

from __future__ import annotations

from typing import Final

from gearshift.acl import contexts
from gearshift.acl.call import ADDRESS, UINT, beside, public
from gearshift.acl.codes import Code
from gearshift.acl.handles import Handles
from gearshift.acl.runtime import stream_at
from gearshift.acl.streams import Event

EVENTS: Final[Handles[Event]] = Handles("event", Code.RT_PARAM_INVALID)
COMPLETE: Final = 0
NOT_READY: Final = 1


@public("acl.rt.create_event", failed=beside(0))
def create_event() -> tuple[int, int]:
    """Makes an event.

    Returns:
        (event, 0); 107002 if the thread has no context.
    """
    contexts.current()
    return EVENTS.add(Event()), 0


@public("acl.rt.create_event_with_flag", UINT, failed=beside(0))
def create_event_with_flag(flag: int) -> tuple[int, int]:
    """Makes an event; it can time and synchronize, whatever was asked for.

    Args:
        flag: what it is for.

    Returns:
        (event, 0); 107002 if the thread has no context.
    """
    contexts.current()
    return EVENTS.add(Event()), 0


@public("acl.rt.destroy_event", ADDRESS)
def destroy_event(event: int) -> int:
    """Destroys an event.

    Args:
        event: its handle.

    Returns:
        0; 107000 if it is none.
    """
    EVENTS.remove(event)
    return 0


@public("acl.rt.record_event", ADDRESS, ADDRESS)
def record_event(event: int, stream: int) -> int:
    """Marks the place behind everything that a stream was given so far.

    Args:
        event: its handle.
        stream: its handle; 0 is the default one of the context.

    Returns:
        0; 107000 if one of them is none, 107002 and 107003 as `acl.rt.synchronize_stream`.
    """
    EVENTS.get(event).record(stream_at(stream))
    return 0


@public("acl.rt.reset_event", ADDRESS, ADDRESS)
def reset_event(event: int, stream: int) -> int:
    """Makes an event unrecorded again, when the stream comes by.

    Args:
        event: its handle.
        stream: its handle; 0 is the default one of the context.

    Returns:
        0; codes as `record_event`.
    """
    EVENTS.get(event).reset(stream_at(stream))
    return 0


@public("acl.rt.synchronize_event", ADDRESS)
def synchronize_event(event: int) -> int:
    """Waits until the stream has come by; does not wait for an event that was never recorded.

    Args:
        event: its handle.

    Returns:
        0; 107000 if it is none.
    """
    EVENTS.get(event).wait()
    return 0


@public("acl.rt.stream_wait_event", ADDRESS, ADDRESS)
def stream_wait_event(stream: int, event: int) -> int:
    """Lets a stream wait until another has come by an event.

    Args:
        stream: handle of the one that waits; 0 is the default one of the context.
        event: its handle.

    Returns:
        0; codes as `record_event`.
    """
    EVENTS.get(event).hold(stream_at(stream))
    return 0


@public("acl.rt.query_event", ADDRESS, failed=beside(NOT_READY))
def query_event(event: int) -> tuple[int, int]:
    """Whether the stream has come by.

    Args:
        event: its handle.

    Returns:
        (0 if so, 1 if not or never recorded, 0); 107000 if it is no event.
    """
    return COMPLETE if EVENTS.get(event).complete else NOT_READY, 0


@public("acl.rt.event_elapsed_time", ADDRESS, ADDRESS, failed=beside(0.0))
def event_elapsed_time(start: int, end: int) -> tuple[float, int]:
    """Time between two events.

    Args:
        start: handle of the first.
        end: handle of the second.

    Returns:
        (milliseconds, 0); 107000 if one is none, 107006 if one has not come by, 107007 if the end
        came first.
    """
    return EVENTS.get(start).milliseconds_until(EVENTS.get(end)), 0
