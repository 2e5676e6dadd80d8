"""Decoding video: `vdec_*`, by PyAV.

One call takes the coded data of one frame and the place for its picture. The callback gets both
back when the picture is there, which is in the order of display: a stream whose frames refer to
later ones answers a few calls late, and the end of the stream answers the rest.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, Final

from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.media.descs import PictureDesc
from gearshift.acl.media.frames import frame_planes, place
from gearshift.acl.media.library import VIDEO, needed
from gearshift.acl.media.video import H265, VideoChannel

_log: Final = logging.getLogger("gearshift.acl")
OUT_FORMATS: Final = (1, 2, 12, 13)
_START: Final = b"\0\0\1"


@dataclass(frozen=True)
class Sent:
    """One call: what it brought, and what the callback gets.

    Attributes:
        stream: handle of the stream description.
        picture: handle of the picture description; 0 if nobody wants the picture.
        desc: the picture description.
        data: the program's own.
    """

    stream: int
    picture: int
    desc: PictureDesc
    data: Any


@dataclass(eq=False)
class VdecChannel(VideoChannel):
    """A channel that decodes.

    Attributes:
        out_pic_format: the vendor's number of the format of the pictures.
        out_pic_width: taken note of.
        out_pic_height: taken note of.
        ref_frame_num: taken note of.
        out_mode: 0 in order of display, 1 as soon as a picture is there.
    """

    out_pic_format: int = 1
    out_pic_width: int = 0
    out_pic_height: int = 0
    ref_frame_num: int = 0
    out_mode: int = 0
    _decoder: Any = None
    _waiting: dict[int, Sent] = field(default_factory=dict)
    _count: int = 0

    def take(self, sent: Sent, coded: bytes) -> None:
        """Decodes one frame; what comes out may be earlier ones."""
        if not _has_picture(coded, self.entype):
            self._failed(sent, Code.INVALID_PARAM, f"no picture is in the {len(coded)} bytes")
            return
        av = needed(VIDEO)
        self._decoder = self._decoder or self._new_decoder()
        self._count += 1
        packet = av.Packet(coded)
        packet.pts = packet.dts = self._count
        self._waiting[self._count] = sent
        try:
            frames = self._decoder.decode(packet)
        except av.error.FFmpegError as error:
            del self._waiting[self._count]
            self._failed(sent, Code.FAILURE, f"a frame cannot be decoded: {error}")
            return
        for frame in frames:
            self._came(frame)

    def drain(self) -> None:
        """Lets everything out; what was sent and is no picture has failed."""
        decoder, self._decoder = self._decoder, None
        for frame in decoder.decode(None) if decoder else ():
            self._came(frame)
        waiting, self._waiting = self._waiting, {}
        for sent in waiting.values():
            self._failed(sent, Code.FAILURE, "no picture came of a frame")

    def _new_decoder(self) -> Any:
        name = "hevc" if self.entype == H265 else "h264"
        decoder = needed(VIDEO).CodecContext.create(name, "r")
        decoder.thread_count = 1  # several would hold back as many pictures
        if self.out_mode:
            decoder.options = {"flags": "low_delay"}
        return decoder

    def _came(self, frame: Any) -> None:
        sent = self._waiting.pop(frame.pts, None)
        if sent is None:
            return
        if frame.is_corrupt:
            self._failed(sent, Code.FAILURE, "a frame is damaged")
            return
        sent.desc.format = self.out_pic_format
        try:
            if sent.picture:
                place(sent.desc, *frame_planes(frame))
        except Refusal as refusal:
            self._failed(sent, Code(refusal.acl_code), refusal.message)
            return
        self._done(sent, Code.SUCCESS)

    def _failed(self, sent: Sent, code: Code, message: str) -> None:
        _log.error("acl.media.vdec_send_frame: %s", message)
        self._done(sent, code)

    def _done(self, sent: Sent, code: Code) -> None:
        sent.desc.ret_code = int(code)
        self.report(sent.stream, sent.picture, sent.data)


def _has_picture(coded: bytes, coding: int) -> bool:
    """Whether one of the units between start codes is (a part of) a picture."""
    at = coded.find(_START)
    while 0 <= at < len(coded) - 3:
        first = coded[at + 3]
        if (first >> 1 & 0x3F) < 32 if coding == H265 else 1 <= first & 0x1F <= 5:
            return True
        at = coded.find(_START, at + 3)
    return False
