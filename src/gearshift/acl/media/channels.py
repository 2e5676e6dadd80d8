"""Channels of DVPP: an operation on pictures goes through one, in the order of a stream."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gearshift.acl import contexts
from gearshift.acl.call import ADDRESS, UINT, Refusal, public
from gearshift.acl.codes import Code
from gearshift.acl.handles import Handles
from gearshift.acl.media.descs import PictureDesc
from gearshift.acl.media.fields import Family
from gearshift.acl.runtime import stream_at


@dataclass(eq=False)
class Channel:
    """A channel for still pictures.

    Attributes:
        mode: what it is for: 1 for resizing and the like, 2 to decode, 4 to encode, or a sum; all
            at 0.
        channel_id: its own, once it is there; 0 before.
    """

    mode: int = 0
    channel_id: int = 0


CHANNELS: Final[Handles[Channel]] = Handles("channel description")
_numbers: Final = itertools.count(1)

_channel: Final = Family("acl.media.dvpp_{}_channel_desc", CHANNELS, "a channel description")
_channel.made(Channel)
_channel.set("mode", UINT, "what it is for; 1, 2, 4 or a sum of them, taken note of", range(8))
_channel.got("channel_id", "number of the channel")


@public("acl.media.dvpp_create_channel", ADDRESS)
def dvpp_create_channel(channel: int) -> int:
    """Makes the channel that a description is of.

    Args:
        channel: handle of the description.

    Returns:
        0; 100000 if it is none, or its channel is there already, 107002 without a context.
    """
    held = CHANNELS.get(channel)
    contexts.current()
    if held.channel_id:
        raise Refusal(Code.INVALID_PARAM, "the channel was created before")
    held.channel_id = next(_numbers)
    return 0


@public("acl.media.dvpp_destroy_channel", ADDRESS)
def dvpp_destroy_channel(channel: int) -> int:
    """Ends a channel; the description stays, and what was asked for is still done.

    Args:
        channel: handle of the description.

    Returns:
        0; 100000 if it is none, or its channel is not there.
    """
    _there(channel).channel_id = 0
    return 0


def _there(channel: int) -> Channel:
    held = CHANNELS.get(channel)
    if not held.channel_id:
        raise Refusal(
            Code.INVALID_PARAM, "the channel is not there: acl.media.dvpp_create_channel makes it"
        )
    return held


def submit(channel: int, stream: int, desc: PictureDesc, work: Callable[[], None]) -> None:
    """Puts an operation into a stream; how it went is written into the picture description."""
    _there(channel)

    def task() -> None:
        try:
            work()
        except BaseException as error:
            desc.ret_code = int(getattr(error, "acl_code", Code.INTERNAL_ERROR))
            raise
        desc.ret_code = 0

    stream_at(stream).submit(task)
