"""Files of one picture: opened, read from memory, and decoded when a stream comes to it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from gearshift.acl.blocks import BLOCKS
from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.media.channels import submit
from gearshift.acl.media.descs import PictureDesc
from gearshift.acl.media.library import STILLS, needed
from gearshift.acl.media.memory import aligned, bytes_at
from gearshift.acl.media.pictures import LAYOUTS, Layout

MOST_BYTES: Final = 1 << 28
ROW_STEP: Final = 128
COUNT_STEP: Final = 16


def opened(data: bytes, kind: str) -> Any:
    """A file as Pillow sees it before it decodes; refused if it is of another kind."""
    stills = needed(STILLS)
    try:
        return stills.open(io.BytesIO(data), formats=(kind,))
    except (OSError, ValueError, SyntaxError, stills.DecompressionBombError) as error:
        raise Refusal(
            Code.INVALID_PARAM, f"{len(data)} bytes that are no {kind} file: {error}"
        ) from error


def file_at(data: int, size: int) -> bytes:
    """A copy of a file in memory, of the device or of the host."""
    _check_size(size)
    return BLOCKS.read(data, size)


def check_file(data: int, size: int) -> None:
    """Refuses a file that is not in memory of the device, or of a size that is not taken."""
    _check_size(size)
    bytes_at(data, size, "file")


def _check_size(size: int) -> None:
    if not 1 <= size <= MOST_BYTES:
        raise Refusal(Code.INVALID_PARAM, f"a file of {size} bytes; 1 to {MOST_BYTES} are taken")


def decoded_size(number: int, width: int, height: int, allowed: tuple[Layout, ...]) -> int:
    """Bytes of a decoded picture, in the strides of every chip."""
    layout = LAYOUTS.get(number)
    if layout is None or layout not in allowed:
        names = ", ".join(f"{each.number} ({each.name})" for each in allowed)
        raise Refusal(Code.FORMAT_NOT_MATCH, f"format {number}; it decodes to {names}")
    return layout.size(aligned(width, ROW_STEP) * layout.row_factor, aligned(height, COUNT_STEP))


def decode_later(
    channel: int,
    stream: int,
    file: tuple[int, int],
    desc: PictureDesc,
    decode_into: Callable[[PictureDesc, bytes], None],
) -> None:
    """Puts the decoding of a file into a stream.

    The description counts as it is now; what it is filled up with is told when it is done.

    Args:
        channel: handle of a channel description.
        stream: its handle.
        file: where it lies and its bytes.
        desc: of where the picture goes.
        decode_into: fills a description's picture from a file's bytes.
    """
    wanted = replace(desc)

    def work() -> None:
        decode_into(wanted, bytes_at(*file, "file").tobytes())
        desc.width, desc.height = wanted.width, wanted.height
        desc.width_stride, desc.height_stride = wanted.width_stride, wanted.height_stride

    submit(channel, stream, desc, work)
