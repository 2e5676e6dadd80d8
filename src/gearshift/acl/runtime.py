"""Start and end, devices, contexts, and streams: `acl.init` and the like, and most of `acl.rt`."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import Final

from gearshift.acl import contexts
from gearshift.acl.call import ADDRESS, ANY, INT, TEXT, Refusal, beside, public
from gearshift.acl.codes import Code
from gearshift.acl.handles import Handles
from gearshift.acl.reports import forget
from gearshift.acl.streams import Stream

RUN_MODE_HOST: Final = 1
STREAMS: Final[Handles[Stream]] = Handles("stream", Code.RT_PARAM_INVALID)

_lock: Final = threading.Lock()
_state: Final = {"starts": 0, "running": 0}


def stream_at(handle: int) -> Stream:
    """The stream of a handle, or for 0 the one of this thread's context; checked to be of it."""
    context = contexts.current()
    if not handle:
        return context.stream
    stream = STREAMS.get(handle)
    if stream.owner is not context:
        raise Refusal(
            Code.RT_STREAM_CONTEXT,
            f"stream {handle:#x} belongs to another context than this thread",
        )
    return stream


def is_running() -> bool:
    """Whether `acl.init` was called, and `acl.finalize` not since."""
    return bool(_state["running"])


@public("acl.init", TEXT, optional=1)
def init(config_path: str = "") -> int:
    """Starts the runtime.

    Args:
        config_path: a JSON file; its settings of dumps and profiles have no meaning here.

    Returns:
        0; 100002 if it runs already, 100003 if there is no such file, 100006 if it is not JSON.
    """
    with _lock:
        if _state["running"]:
            raise Refusal(Code.REPEAT_INITIALIZE, "acl.init was called before")
        if config_path:
            _check_config(config_path)
        _state["running"] = 1
        _state["starts"] += 1
    return 0


def _check_config(path: str) -> None:
    try:
        json.loads(Path(path).read_bytes() or b"{}")
    except OSError as error:
        raise Refusal(Code.INVALID_FILE, f"{path!r} cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:  # the latter for brackets without end
        raise Refusal(Code.PARSE_FILE, f"{path!r} is not JSON: {error}") from error


@public("acl.finalize")
def finalize() -> int:
    """Ends the runtime. What is destroyed or freed after it is destroyed or freed all the same.

    Returns:
        0; 100037 if it was ended before, 100001 if it never ran.
    """
    with _lock:
        if not _state["running"]:
            if _state["starts"]:
                raise Refusal(Code.REPEAT_FINALIZE, "acl.finalize was called before")
            raise Refusal(Code.UNINITIALIZE, "acl.init was never called")
        _state["running"] = 0
    return 0


@public("acl.rt.get_run_mode", failed=beside(0))
def get_run_mode() -> tuple[int, int]:
    """Where the program runs.

    Returns:
        (1, 0): on the host, beside the device.
    """
    return RUN_MODE_HOST, 0


@public("acl.rt.set_device", INT)
def set_device(device: int) -> int:
    """Uses a device in this thread, by its default context.

    Args:
        device: from 0.

    Returns:
        0; 107001 if there is no such device.
    """
    contexts.use_device(device)
    return 0


@public("acl.rt.reset_device", INT)
def reset_device(device: int) -> int:
    """Takes back one `set_device`; the last one ends the default context.

    Args:
        device: from 0.

    Returns:
        0; 107001 if there is no such device, 107000 if it is not set.
    """
    contexts.release_device(device)
    return 0


@public("acl.rt.reset_device_force", INT)
def reset_device_force(device: int) -> int:
    """Takes back every `set_device` of a device.

    Args:
        device: from 0.

    Returns:
        0; 107001 if there is no such device, 107000 if it is not set.
    """
    contexts.release_device(device, force=True)
    return 0


@public("acl.rt.get_device", failed=beside(0))
def get_device() -> tuple[int, int]:
    """The device of this thread.

    Returns:
        (device, 0); 107002 while this thread has none.
    """
    return contexts.current().device, 0


@public("acl.rt.get_device_count", failed=beside(0))
def get_device_count() -> tuple[int, int]:
    """How many devices there are: two, or what ``GEARSHIFT_ACL_DEVICES`` says.

    Returns:
        (count, 0).
    """
    return contexts.device_count(), 0


@public("acl.rt.create_context", INT, failed=beside(0))
def create_context(device: int) -> tuple[int, int]:
    """Makes a context, and makes it the one of this thread.

    Args:
        device: from 0.

    Returns:
        (context, 0); 107001 if there is no such device.
    """
    return contexts.new_context(device), 0


@public("acl.rt.destroy_context", ADDRESS)
def destroy_context(context: int) -> int:
    """Destroys a context made by `create_context`.

    Args:
        context: its handle.

    Returns:
        0; 107000 if it is no such context.
    """
    contexts.end_context(context)
    return 0


@public("acl.rt.set_context", ADDRESS)
def set_context(context: int) -> int:
    """Makes a context the one of this thread.

    Args:
        context: its handle.

    Returns:
        0; 107000 if it is none.
    """
    contexts.enter(context)
    return 0


@public("acl.rt.get_context", failed=beside(0))
def get_context() -> tuple[int, int]:
    """The context of this thread.

    Returns:
        (context, 0); 107002 if it has none.
    """
    return contexts.current_handle(), 0


@public("acl.rt.create_stream", failed=beside(0))
def create_stream() -> tuple[int, int]:
    """Makes a stream in the context of this thread.

    Returns:
        (stream, 0); 107002 if the thread has no context.
    """
    return STREAMS.add(Stream(contexts.current())), 0


@public("acl.rt.destroy_stream", ADDRESS)
def destroy_stream(stream: int) -> int:
    """Destroys a stream, once it has done what it was given.

    Args:
        stream: its handle.

    Returns:
        0; 107000 if it is none.
    """
    ended = STREAMS.remove(stream)
    ended.end()
    forget(ended)
    with contextlib.suppress(Refusal):  # of a task that failed, which nobody asked about
        ended.synchronize()
    return 0


@public("acl.rt.synchronize_stream", ADDRESS)
def synchronize_stream(stream: int) -> int:
    """Waits until a stream has done what it was given so far.

    Args:
        stream: its handle; 0 is the default one of the context.

    Returns:
        0, or the code of the first task that failed since the last time; 107000 if it is no stream,
        107002 without a context, 107003 for a stream of another context.
    """
    stream_at(stream).synchronize()
    return 0


@public("acl.rt.synchronize_stream_with_timeout", ADDRESS, INT)
def synchronize_stream_with_timeout(stream: int, timeout: int) -> int:
    """Waits like `synchronize_stream`, but not for ever.

    Args:
        stream: its handle; 0 is the default one of the context.
        timeout: milliseconds; -1 waits for ever.

    Returns:
        as `synchronize_stream`; 107019 if it is not done in time.
    """
    if timeout < -1:
        raise Refusal(Code.RT_PARAM_INVALID, f"a timeout of {timeout} ms; it is -1 or more")
    stream_at(stream).synchronize(None if timeout < 0 else timeout / 1000)
    return 0


@public("acl.rt.stream_query", ADDRESS, failed=beside(0))
def stream_query(stream: int) -> tuple[int, int]:
    """Whether a stream has done everything.

    Args:
        stream: its handle; 0 is the default one of the context.

    Returns:
        (0 for done or 1 for not yet, 0); codes as `synchronize_stream`.
    """
    return int(not stream_at(stream).idle()), 0


@public("acl.rt.synchronize_device", ANY, optional=1)
def synchronize_device(device: object = None) -> int:
    """Waits until every stream of this thread's device has done what it was given.

    Args:
        device: has no meaning.

    Returns:
        0, or the code of a task that failed; 107002 without a context.
    """
    number = contexts.current().device
    everyone = [context.stream for context in contexts.CONTEXTS.values()]
    first: Refusal | None = None
    for stream in (*everyone, *STREAMS.values()):
        owner = stream.owner
        if isinstance(owner, contexts.Context) and owner.device == number:
            try:
                stream.synchronize()
            except Refusal as refusal:
                first = first or refusal
    if first is not None:
        raise first
    return 0


@public("acl.rt.set_exception_info_callback", ANY, status="accepted")
def set_exception_info_callback(function: object) -> int:
    """Takes a function for exceptions of the card, of which there are none here.

    Args:
        function: any, or None.

    Returns:
        0.
    """
    return 0
