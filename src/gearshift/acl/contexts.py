"""Devices, contexts, and which of them a thread works in.

A device is only a number here. What is kept is who may do what: a thread without a context is
refused, as it would be on the card, and finds out on the laptop.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import Final

from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.handles import Handles
from gearshift.acl.reports import forget
from gearshift.acl.streams import Stream

DEFAULT_DEVICES: Final = 2
"""How many devices there are unless ``GEARSHIFT_ACL_DEVICES`` says otherwise."""


@dataclass(eq=False)
class Context:
    """One context.

    Attributes:
        device: the device it is on.
        own: whether a program made it, so that it may destroy it.
        stream: what runs when a program names no stream.
    """

    device: int
    own: bool
    stream: Stream = field(init=False)

    def __post_init__(self) -> None:
        self.stream = Stream(self)


CONTEXTS: Final[Handles[Context]] = Handles("context", Code.RT_PARAM_INVALID)
_default_of: Final[dict[int, int]] = {}
_times_set: Final[dict[int, int]] = {}
_lock: Final = threading.Lock()
_mine: Final = threading.local()


def device_count() -> int:
    """How many devices a program sees."""
    text = os.environ.get("GEARSHIFT_ACL_DEVICES", "")
    return int(text) if text.isdecimal() else DEFAULT_DEVICES


def check_device(device: int) -> None:
    """Refuses a number that is no device's."""
    if not 0 <= device < device_count():
        raise Refusal(
            Code.RT_INVALID_DEVICE_ID,
            f"device {device} does not exist: there are {device_count()}, from 0 "
            "(GEARSHIFT_ACL_DEVICES sets how many)",
        )


def use_device(device: int) -> None:
    """Makes the device's default context the one of this thread."""
    check_device(device)
    with _lock:
        if device not in _default_of:
            _default_of[device] = CONTEXTS.add(Context(device, own=False))
        _times_set[device] = _times_set.get(device, 0) + 1
        _mine.handle = _default_of[device]


def release_device(device: int, force: bool = False) -> None:
    """Takes back one `use_device`; the default context goes with the last."""
    check_device(device)
    with _lock:
        if device not in _times_set:
            raise Refusal(Code.RT_PARAM_INVALID, f"device {device} is not set")
        _times_set[device] -= 1
        if _times_set[device] and not force:
            return
        del _times_set[device]
        context = CONTEXTS.remove(_default_of.pop(device))
    _end(context)


def new_context(device: int) -> int:
    """Handle of a context of the program's own, which becomes the one of this thread."""
    check_device(device)
    _mine.handle = handle = CONTEXTS.add(Context(device, own=True))
    return handle


def end_context(handle: int) -> None:
    """Destroys a context that the program made."""
    if not CONTEXTS.get(handle).own:
        raise Refusal(
            Code.RT_PARAM_INVALID, f"{handle:#x} is a device's default context: reset the device"
        )
    _end(CONTEXTS.remove(handle))


def _end(context: Context) -> None:
    context.stream.end()
    forget(context.stream)


def enter(handle: int) -> None:
    """Makes a context the one of this thread."""
    CONTEXTS.get(handle)
    _mine.handle = handle


def current_handle() -> int:
    """Handle of this thread's context; refused if it has none."""
    handle: int = getattr(_mine, "handle", 0)
    if handle not in CONTEXTS:
        gone = (
            "the context of this thread was destroyed" if handle else "this thread has no context"
        )
        raise Refusal(
            Code.RT_CONTEXT_NULL, f"{gone}: acl.rt.set_device or acl.rt.set_context gives it one"
        )
    return handle


def current() -> Context:
    """This thread's context; refused if it has none."""
    return CONTEXTS.get(current_handle())
