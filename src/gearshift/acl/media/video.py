"""What decoding and encoding video have in common: a channel with a worker, and reports.

A channel has two streams. One works through the frames; the other belongs to the thread for
reports, in which the program's callback runs, one frame after the other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from gearshift.acl import contexts, reports
from gearshift.acl.call import UBYTE, Refusal
from gearshift.acl.codes import Code
from gearshift.acl.handles import Handles
from gearshift.acl.media.fields import Family
from gearshift.acl.streams import Stream, Task

H265: Final = 0
CODINGS: Final = range(4)
WAIT_SECONDS: Final = 30.0
"""How long a program waits for callbacks that its thread for reports does not take."""

Callback = Callable[[int, int, Any], object]


@dataclass(eq=False)
class FrameConfig:
    """What is to be done with one frame.

    Attributes:
        eos: 1 if no frame comes any more.
        force_i_frame: 1 if it is encoded for itself.
    """

    eos: int = 0
    force_i_frame: int = 0


FRAME_CONFIGS: Final[Handles[FrameConfig]] = Handles("frame configuration")

_decoding: Final = Family("acl.media.vdec_{}_frame_config", FRAME_CONFIGS, "a frame configuration")
_decoding.made(FrameConfig)
_encoding: Final = Family("acl.media.venc_{}_frame_config", FRAME_CONFIGS, "a frame configuration")
_encoding.made(FrameConfig)
_encoding.value("eos", UBYTE, "whether no frame comes any more; 1 if so, else 0", range(2))
_encoding.value("force_i_frame", UBYTE, "whether it stands for itself; 1 if so, else 0", range(2))


@dataclass(frozen=True)
class Streams:
    """The two streams of a channel that is there."""

    work: Stream
    reports: Stream


@dataclass(eq=False)
class VideoChannel:
    """A channel for video.

    Attributes:
        thread_id: the one for reports.
        callback: what is called there for each frame.
        channel_id: its own; the program's when decoding.
        entype: 0 for H.265, 1 to 3 for H.264 (baseline, main, high).
    """

    thread_id: int = 0
    callback: Callback | None = None
    channel_id: int = 0
    entype: int = H265
    _streams: Streams | None = field(default=None, repr=False)

    @property
    def streams(self) -> Streams:
        """Its streams; refused if the channel is not there."""
        if self._streams is None:
            raise Refusal(Code.INVALID_PARAM, "the channel is not there: it was not created")
        return self._streams

    def check(self) -> None:
        """Refuses what no channel can be made of."""
        contexts.current()
        if self._streams is not None:
            raise Refusal(Code.INVALID_PARAM, "the channel was created before")
        if not self.thread_id or self.callback is None:
            raise Refusal(Code.INVALID_PARAM, "the channel has no thread for reports or callback")

    def start(self) -> None:
        """Makes the channel."""
        owner = contexts.current()
        streams = Streams(Stream(owner), Stream(owner))
        reports.subscribe(self.thread_id, streams.reports)
        self._streams = streams

    def stop(self) -> None:
        """Ends the channel, once everything was done and reported."""
        streams = self.streams
        with contextlib.suppress(Refusal):  # nobody takes the reports: they are dropped
            self.flush()
        self._streams = None
        reports.forget(streams.reports)
        streams.work.abandon()
        streams.reports.abandon()

    def close(self) -> None:
        """Ends the channel if it is there: its description was destroyed."""
        if self._streams is not None:
            self.stop()

    def submit(self, task: Task) -> None:
        """Puts work behind all other."""
        contexts.current()
        self.streams.work.submit(task)

    def flush(self) -> None:
        """Comes to the end of the frames, and waits until all were reported."""
        streams = self.streams
        streams.work.submit(self.drain)
        streams.work.synchronize(WAIT_SECONDS)
        streams.reports.synchronize(WAIT_SECONDS)

    def drain(self) -> None:
        """Works off what the codec still holds."""
        raise NotImplementedError

    def report(self, source: int, target: int, data: Any) -> None:
        """Has the callback run in the thread for reports."""
        callback = self.callback
        assert callback is not None
        streams = self.streams
        reports.launch(lambda _: callback(source, target, data), None, True, streams.reports)
