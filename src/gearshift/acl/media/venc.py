"""Encoding video: `venc_*`, by PyAV.

One call takes one picture, and the callback gets its coded data. No frame refers to a later one, so
that each call is answered at once. Coded data lies in a buffer of the channel, which holds it while
the callback runs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from gearshift.acl import contexts
from gearshift.acl.call import ADDRESS, ANY, FUNCTION, INT, SIZE, UINT, public
from gearshift.acl.handles import Handles
from gearshift.acl.media.descs import PICTURES
from gearshift.acl.media.fields import Family
from gearshift.acl.media.library import VIDEO, needed
from gearshift.acl.media.memory import picture
from gearshift.acl.media.pictures import NV12, NV21
from gearshift.acl.media.venc_channel import BUFFER_SIZES, Sent, VencChannel
from gearshift.acl.media.video import CODINGS, FRAME_CONFIGS

VENCS: Final[Handles[VencChannel]] = Handles("video encoding channel description")

_channel: Final = Family(
    "acl.media.venc_{}_channel_desc", VENCS, "a video encoding channel", VencChannel.close
)
_channel.made(VencChannel)
_channel.got("channel_id", "number of the channel")
_channel.value("thread_id", SIZE, "the thread for reports; as `acl.util.start_thread` gave it")
_channel.value("callback", FUNCTION, "the callback; takes picture and stream description, and data")
_channel.value("entype", INT, "the coding; 0 is H.265, 1 to 3 H.264 baseline, main, high", CODINGS)
_channel.value("pic_format", INT, "format of the pictures; 1 or 2", (1, 2))
_channel.value("pic_width", UINT, "width of the pictures; even, from 128 to 4096")
_channel.value("pic_height", UINT, "height of the pictures; even, from 128 to 4096")
_channel.value("key_frame_interval", UINT, "frames from key to key; 1 to 65536", range(1, 65537))
_channel.value("buf_addr", ADDRESS, "where coded data goes; memory of the device")
_channel.value("buf_size", UINT, "bytes for coded data; 5 MiB or more", BUFFER_SIZES)
_channel.value("rc_mode", UINT, "how the rate is kept; 0, 1 or 2, taken note of", range(3))
_channel.value("src_rate", UINT, "frames in a second; from 1 to 120", range(1, 121))
_channel.value("max_bit_rate", UINT, "thousands of bits in a second; 0 leaves it open")


@public("acl.media.venc_create_channel", ADDRESS)
def venc_create_channel(channel: int) -> int:
    """Makes the channel that a description is of; its thread for reports must ask for them.

    Args:
        channel: handle of the description.

    Returns:
        0; 100000 if it is none, or its channel is there, or something of it is missing or wrong,
        107002 without a context, 200006 without PyAV.
    """
    held = VENCS.get(channel)
    held.check()
    needed(VIDEO)
    held.start()
    return 0


@public("acl.media.venc_destroy_channel", ADDRESS)
def venc_destroy_channel(channel: int) -> int:
    """Ends a channel after the last callback; the description stays.

    Args:
        channel: handle of the description.

    Returns:
        0; 100000 if it is none, or its channel is not there.
    """
    VENCS.get(channel).stop()
    return 0


@public("acl.media.venc_send_frame", *[ADDRESS] * 4, ANY)
def venc_send_frame(channel: int, source: int, reserve: int, config: int, data: Any) -> int:
    """Has one picture encoded; the callback gets its description and the coded data.

    Args:
        channel: handle of a channel description whose channel is there.
        source: picture description: data and size, and strides if they are not the least ones; has
            no meaning at the end.
        reserve: has no meaning.
        config: frame configuration; with `eos` set it waits until everything was reported.
        data: any object, for the callback.

    Returns:
        0; 100000 for a wrong handle or picture, 107000 for memory that was freed or is not of the
        device, 107002 without a context, 107019 if the thread for reports does not take them.
    """
    held, frame = VENCS.get(channel), FRAME_CONFIGS.get(config)
    contexts.current()
    if frame.eos:
        held.flush()
        return 0
    desc = PICTURES.get(source)
    wanted = replace(desc, format=held.pic_format, width=held.pic_width, height=held.pic_height)
    made = picture(wanted, (NV12, NV21))
    sent = Sent(source, desc, made, bool(frame.force_i_frame), data)
    held.submit(lambda: held.take(sent))
    return 0
