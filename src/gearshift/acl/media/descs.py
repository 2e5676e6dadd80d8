"""Memory of DVPP, and descriptions of pictures and of coded streams in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gearshift.acl import contexts
from gearshift.acl.blocks import BLOCKS
from gearshift.acl.call import ADDRESS, INT, SIZE, UBYTE, UINT, Refusal, beside, public
from gearshift.acl.codes import Code
from gearshift.acl.handles import Handles
from gearshift.acl.media.fields import NOTHING, Family

DVPP: Final = "dvpp"
MOST_IN_BATCH: Final = 256


@public("acl.media.dvpp_malloc", SIZE, failed=beside(0))
def dvpp_malloc(size: int) -> tuple[int, int]:
    """Allocates memory for pictures and coded streams.

    Args:
        size: bytes.

    Returns:
        (address, 0); 100000 for no bytes, 107002 if the thread has no context, 207001 if there is
        not as much.
    """
    contexts.current()
    return BLOCKS.allocate(size, DVPP), 0


@public("acl.media.dvpp_free", ADDRESS)
def dvpp_free(ptr: int) -> int:
    """Frees memory that `dvpp_malloc` gave; also in a thread without a context.

    Args:
        ptr: as it was allocated.

    Returns:
        0; 100000 for null, 107000 if it was freed before, or was not allocated by `dvpp_malloc`, or
        lies inside a block.
    """
    BLOCKS.release(ptr, DVPP)
    return 0


@dataclass(eq=False)
class PictureDesc:
    """What a program says of a picture, and what it is told of it.

    Attributes:
        data: where it lies.
        size: bytes there.
        format: the vendor's number.
        width: pixels of a row.
        height: rows.
        width_stride: bytes of a row in memory.
        height_stride: rows in memory.
        ret_code: how the last operation on it went.
    """

    data: int = 0
    size: int = 0
    format: int = 0
    width: int = 0
    height: int = 0
    width_stride: int = 0
    height_stride: int = 0
    ret_code: int = 0


@dataclass(eq=False)
class StreamDesc:
    """What a program says of coded data, and what it is told of it.

    Attributes:
        data: where it lies.
        size: bytes there.
        format: 0 for H.265, 1 to 3 for H.264.
        timestamp: the program's.
        ret_code: how the last operation on it went.
        eos: 1 if nothing comes after it.
    """

    data: int = 0
    size: int = 0
    format: int = 0
    timestamp: int = 0
    ret_code: int = 0
    eos: int = 0


PICTURES: Final[Handles[PictureDesc]] = Handles("picture description")
STREAM_DESCS: Final[Handles[StreamDesc]] = Handles("stream description")
BATCHES: Final[Handles[tuple[int, ...]]] = Handles("batch of picture descriptions")
_EXISTING: Final = range(1, 1 << 64)

_picture: Final = Family("acl.media.dvpp_{}_pic_desc", PICTURES, "a picture description")
_picture.made(PictureDesc)
_picture.value("data", ADDRESS, "where the picture lies; not null", _EXISTING)
_picture.value("size", UINT, "bytes of the memory of the picture")
_picture.value("format", INT, "the format; looked at when the picture is used")
_picture.value("width", UINT, "width in pixels")
_picture.value("height", UINT, "height in rows")
_picture.value("width_stride", UINT, "bytes of a row in memory; 0 is as few as there can be")
_picture.value("height_stride", UINT, "rows in memory; 0 is as few as there can be")
_picture.value("ret_code", UINT, "code of the last operation")

_stream: Final = Family("acl.media.dvpp_{}_stream_desc", STREAM_DESCS, "a stream description")
_stream.made(StreamDesc)
_stream.value("data", ADDRESS, "where the data lies; not null", _EXISTING)
_stream.value("size", UINT, "bytes of the data")
_stream.value("format", INT, "the coding; 0 is H.265, 1 to 3 are H.264")
_stream.value("timestamp", SIZE, "time in the program's own unit")
_stream.value("ret_code", UINT, "code of the last operation")
_stream.value("eos", UBYTE, "whether it is the end; 1 if so")


@public("acl.media.dvpp_create_batch_pic_desc", UINT, failed=NOTHING)
def dvpp_create_batch_pic_desc(batch_size: int) -> int:
    """Makes several picture descriptions at once.

    Args:
        batch_size: how many, from 1 to 256.

    Returns:
        handle of all of them together; 0 for another number.
    """
    if not 1 <= batch_size <= MOST_IN_BATCH:
        raise Refusal(Code.INVALID_PARAM, f"{batch_size} pictures; there are 1 to {MOST_IN_BATCH}")
    return BATCHES.add(tuple(PICTURES.add(PictureDesc()) for _ in range(batch_size)))


@public("acl.media.dvpp_destroy_batch_pic_desc", ADDRESS)
def dvpp_destroy_batch_pic_desc(batch: int) -> int:
    """Destroys a batch, and the picture descriptions of it.

    Args:
        batch: its handle.

    Returns:
        0, for null too; 100000 if it is no batch.
    """
    for each in BATCHES.remove(batch) if batch else ():
        if each in PICTURES:
            PICTURES.remove(each)
    return 0


@public("acl.media.dvpp_get_pic_desc", ADDRESS, UINT, failed=NOTHING)
def dvpp_get_pic_desc(batch: int, index: int) -> int:
    """One picture description of a batch; the batch keeps it.

    Args:
        batch: its handle.
        index: from 0.

    Returns:
        handle of the picture description; 0 if there is none.
    """
    handles = BATCHES.get(batch)
    if index >= len(handles):
        raise Refusal(Code.INVALID_PARAM, f"picture {index} of a batch of {len(handles)}")
    return handles[index]
