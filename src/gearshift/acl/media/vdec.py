"""Decoding video: `vdec_*`, by PyAV.

One call takes the coded data of one frame and the place for its picture. The callback gets both
back when the picture is there, which is in the order of display: a stream whose frames refer to
later ones answers a few calls late, and the end of the stream answers the rest.
"""

from __future__ import annotations

from typing import Any, Final

from gearshift.acl import contexts
from gearshift.acl.call import ADDRESS, ANY, FUNCTION, INT, SIZE, UINT, public
from gearshift.acl.handles import Handles
from gearshift.acl.media.descs import PICTURES, STREAM_DESCS, PictureDesc
from gearshift.acl.media.fields import Family
from gearshift.acl.media.library import RESIZING, VIDEO, needed
from gearshift.acl.media.memory import bytes_at
from gearshift.acl.media.vdec_channel import OUT_FORMATS, Sent, VdecChannel
from gearshift.acl.media.video import CODINGS, FRAME_CONFIGS

VDECS: Final[Handles[VdecChannel]] = Handles("video decoding channel description")

_channel: Final = Family(
    "acl.media.vdec_{}_channel_desc", VDECS, "a video decoding channel", VdecChannel.close
)
_channel.made(VdecChannel)
_channel.value("channel_id", UINT, "number of the channel; from 0 to 255", range(256))
_channel.value("thread_id", SIZE, "the thread for reports; as `acl.util.start_thread` gave it")
_channel.value("callback", FUNCTION, "the callback; takes stream and picture description, and data")
_channel.value("entype", INT, "the coding; 0 for H.265, 1 to 3 for H.264", CODINGS)
_channel.value("out_pic_format", INT, "format of the pictures; 1, 2, 12 or 13", OUT_FORMATS)
_channel.value("out_pic_width", UINT, "width of the pictures; taken note of")
_channel.value("out_pic_height", UINT, "height of the pictures; taken note of")
_channel.value("ref_frame_num", UINT, "number of frames that others refer to; taken note of")
_channel.value("out_mode", UINT, "order of the pictures; 0 as displayed, 1 as decoded", range(2))


@public("acl.media.vdec_create_channel", ADDRESS)
def vdec_create_channel(channel: int) -> int:
    """Makes the channel that a description is of; its thread for reports must ask for them.

    Args:
        channel: handle of the description.

    Returns:
        0; 100000 if it is none, or its channel is there, or it has no thread or callback, 107002
        without a context, 200006 without PyAV or OpenCV.
    """
    held = VDECS.get(channel)
    held.check()
    for library in (VIDEO, RESIZING):
        needed(library)
    held.start()
    return 0


@public("acl.media.vdec_destroy_channel", ADDRESS)
def vdec_destroy_channel(channel: int) -> int:
    """Ends a channel after the last callback; the description stays.

    Args:
        channel: handle of the description.

    Returns:
        0; 100000 if it is none, or its channel is not there.
    """
    VDECS.get(channel).stop()
    return 0


@public("acl.media.vdec_send_frame", *[ADDRESS] * 4, ANY)
def vdec_send_frame(channel: int, stream: int, target: int, config: int, data: Any) -> int:
    """Has one frame decoded; the callback gets its descriptions back with the picture.

    Args:
        channel: handle of a channel description whose channel is there.
        stream: stream description of the frame, in start-code form; with `eos` set it waits until
            every picture came out.
        target: picture description of where it goes: data and size; the rest is filled in.
        config: frame configuration, or 0.
        data: any object, for the callback.

    Returns:
        0; 100000 for a wrong handle or null, 107000 for memory that was freed or is not of the
        device, 107002 without a context, 107019 if the thread for reports does not take them. What
        is wrong with a frame is the code in its picture description.
    """
    _send(channel, stream, target, config, data)
    return 0


@public("acl.media.vdec_send_skipped_frame", *[ADDRESS] * 3, ANY)
def vdec_send_skipped_frame(channel: int, stream: int, config: int, data: Any) -> int:
    """Has one frame decoded for the sake of others; the callback gets 0 for its picture.

    Args:
        channel: handle of a channel description whose channel is there.
        stream: stream description of the frame, as for `vdec_send_frame`.
        config: frame configuration, or 0.
        data: any object, for the callback.

    Returns:
        as `vdec_send_frame`.
    """
    _send(channel, stream, None, config, data)
    return 0


def _send(channel: int, stream: int, target: int | None, config: int, data: Any) -> None:
    held, coded = VDECS.get(channel), STREAM_DESCS.get(stream)
    contexts.current()
    if config:
        FRAME_CONFIGS.get(config)
    if coded.eos:
        held.flush()
        return
    desc = PictureDesc() if target is None else PICTURES.get(target)
    if target is not None:
        bytes_at(desc.data, desc.size, "picture")
    sent = Sent(stream, target or 0, desc, data)
    frame = bytes_at(coded.data, coded.size, "coded frame").tobytes()
    held.submit(lambda: held.take(sent, frame))
