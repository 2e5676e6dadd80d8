"""Encoding video: `venc_*`, by PyAV.

One call takes one picture, and the callback gets its coded data. No frame refers to a later one, so
that each call is answered at once. Coded data lies in a buffer of the channel, which holds it while
the callback runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np

from gearshift.acl.blocks import BLOCKS
from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.media.descs import DVPP, STREAM_DESCS, PictureDesc, StreamDesc
from gearshift.acl.media.library import VIDEO, needed
from gearshift.acl.media.memory import Picture, bytes_at
from gearshift.acl.media.video import H265, VideoChannel

SIZES: Final = range(128, 4097, 2)
BUFFER_SIZES: Final = range(5 << 20, 1 << 32)
_BUFFER: Final = 8 << 20
_RATE: Final = 25
_PROFILES: Final = {1: "Baseline", 2: "Main", 3: "High"}


@dataclass(frozen=True)
class Sent:
    """One call: its picture, and what the callback gets.

    Attributes:
        handle: of the picture description.
        desc: the picture description.
        picture: as it stood.
        alone: whether the frame is encoded for itself.
        data: the program's own.
    """

    handle: int
    desc: PictureDesc
    picture: Picture
    alone: bool
    data: Any


@dataclass(eq=False)
class VencChannel(VideoChannel):
    """A channel that encodes.

    Attributes:
        pic_format: the vendor's number of the format of the pictures.
        pic_width: pixels of a row.
        pic_height: rows.
        key_frame_interval: frames from one that stands for itself to the next; 0 leaves it open.
        buf_addr: where coded data goes, if the program says it.
        buf_size: bytes there.
        rc_mode: 1 variable, 2 constant; taken note of.
        src_rate: frames in a second; 0 is 25.
        max_bit_rate: thousands of bits in a second; 0 leaves it open.
    """

    pic_format: int = 1
    pic_width: int = 0
    pic_height: int = 0
    key_frame_interval: int = 0
    buf_addr: int = 0
    buf_size: int = 0
    rc_mode: int = 0
    src_rate: int = 0
    max_bit_rate: int = 0
    _own: int = 0
    _out: int = 0
    _encoder: Any = None
    _count: int = 0

    def check(self) -> None:
        """Refuses what no channel can be made of."""
        super().check()
        if self.pic_width not in SIZES or self.pic_height not in SIZES:
            raise Refusal(
                Code.INVALID_PARAM,
                f"pictures of {self.pic_width} x {self.pic_height}; even, from 128 to 4096",
            )
        if bool(self.buf_addr) != bool(self.buf_size):
            raise Refusal(Code.INVALID_PARAM, "only one of buffer and its size was set")
        if self.buf_addr:
            bytes_at(self.buf_addr, self.buf_size, "buffer")

    def start(self) -> None:
        """Makes the channel, and its buffer."""
        if not self.buf_addr:
            self._own = BLOCKS.allocate(_BUFFER, DVPP)
        super().start()
        self._out = STREAM_DESCS.add(StreamDesc())

    def stop(self) -> None:
        """Ends the channel, and its buffer."""
        super().stop()
        if self._own:
            BLOCKS.release(self._own, DVPP)
        STREAM_DESCS.remove(self._out)
        self._own = self._out = 0

    def take(self, sent: Sent) -> None:
        """Encodes one picture, and waits until the callback has had it."""
        code = int(Code.INTERNAL_ERROR)
        try:
            code = self._give(self._encoded(sent))
        except Refusal as refusal:
            code = int(refusal.acl_code)
        finally:  # whatever happened: the program waits for the callback
            sent.desc.ret_code = STREAM_DESCS.get(self._out).ret_code = code
            self.report(sent.handle, self._out, sent.data)
            self.streams.reports.synchronize()

    def drain(self) -> None:
        """Ends the encoder; it holds nothing back."""
        encoder, self._encoder = self._encoder, None
        if encoder:
            encoder.encode(None)

    def _give(self, coded: bytes) -> int:
        place, room = self.buf_addr or self._own, self.buf_size or _BUFFER
        desc = STREAM_DESCS.get(self._out)
        desc.data, desc.format, desc.size = place, self.entype, 0
        if not 0 < len(coded) <= room:
            raise Refusal(Code.INVALID_PARAM, f"a frame of {len(coded)} bytes, and room for {room}")
        bytes_at(place, len(coded), "buffer")[:] = np.frombuffer(coded, np.uint8)
        desc.size = len(coded)
        return 0

    def _encoded(self, sent: Sent) -> bytes:
        av = needed(VIDEO)
        self._encoder = self._encoder or self._new_encoder()
        luma, chroma = sent.picture.planes()
        parts = [luma, *(chroma[..., sent.picture.layout.planes[1].index(each)] for each in "uv")]
        joined = np.concatenate([each.ravel() for each in parts]).reshape(-1, self.pic_width)
        frame = av.VideoFrame.from_ndarray(joined, format="yuv420p")
        frame.pts = self._count
        self._count += 1
        if sent.alone:
            frame.pict_type = av.video.frame.PictureType.I
        try:
            return b"".join(bytes(packet) for packet in self._encoder.encode(frame))
        except av.error.FFmpegError as error:
            raise Refusal(Code.FAILURE, f"a picture cannot be encoded: {error}") from error

    def _new_encoder(self) -> Any:
        name = "libx265" if self.entype == H265 else "libx264"
        encoder = needed(VIDEO).CodecContext.create(name, "w")
        encoder.width, encoder.height, encoder.pix_fmt = self.pic_width, self.pic_height, "yuv420p"
        rate = Fraction(self.src_rate or _RATE)
        encoder.framerate, encoder.time_base, encoder.thread_count = rate, 1 / rate, 1
        if self.key_frame_interval:
            encoder.gop_size = self.key_frame_interval
        if self.max_bit_rate:
            encoder.bit_rate = self.max_bit_rate * 1000
        encoder.options = {"tune": "zerolatency", "preset": "veryfast"}
        if self.entype == H265:
            encoder.options = {**encoder.options, "x265-params": "log-level=none"}
        else:
            encoder.profile = _PROFILES[self.entype]
        return encoder
