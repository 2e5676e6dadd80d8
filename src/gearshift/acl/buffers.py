"""Data buffers: an address and a size, which a dataset takes. They own no memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gearshift.acl.call import ADDRESS, SIZE, fallback, public
from gearshift.acl.handles import Handles


@dataclass
class DataBuffer:
    """Memory that a program hands over.

    Attributes:
        address: where it starts; may be null.
        size: bytes.
    """

    address: int
    size: int


BUFFERS: Final[Handles[DataBuffer]] = Handles("data buffer")


@public("acl.create_data_buffer", ADDRESS, SIZE, failed=fallback(0))
def create_data_buffer(ptr: int, size: int) -> int:
    """Makes a data buffer; the memory is looked at when a model runs.

    Args:
        ptr: where the memory starts.
        size: bytes.

    Returns:
        its handle.
    """
    return BUFFERS.add(DataBuffer(ptr, size))


@public("acl.destroy_data_buffer", ADDRESS)
def destroy_data_buffer(buffer: int) -> int:
    """Destroys a data buffer, and leaves its memory alone.

    Args:
        buffer: its handle.

    Returns:
        0; 100000 if it is none.
    """
    BUFFERS.remove(buffer)
    return 0


@public("acl.update_data_buffer", ADDRESS, ADDRESS, SIZE)
def update_data_buffer(buffer: int, ptr: int, size: int) -> int:
    """Gives a data buffer other memory.

    Args:
        buffer: its handle.
        ptr: where the memory starts.
        size: bytes.

    Returns:
        0; 100000 if it is none.
    """
    held = BUFFERS.get(buffer)
    held.address, held.size = ptr, size
    return 0


@public("acl.get_data_buffer_addr", ADDRESS, failed=fallback(0))
def get_data_buffer_addr(buffer: int) -> int:
    """Address of a data buffer's memory.

    Args:
        buffer: its handle.

    Returns:
        the address; 0 if it is none.
    """
    return BUFFERS.get(buffer).address


@public("acl.get_data_buffer_size", ADDRESS, failed=fallback(0))
def get_data_buffer_size(buffer: int) -> int:
    """Size of a data buffer's memory, in 32 bits.

    Args:
        buffer: its handle.

    Returns:
        bytes; 0 if it is none.
    """
    return BUFFERS.get(buffer).size & 0xFFFFFFFF


@public("acl.get_data_buffer_size_v2", ADDRESS, failed=fallback(0))
def get_data_buffer_size_v2(buffer: int) -> int:
    """Size of a data buffer's memory.

    Args:
        buffer: its handle.

    Returns:
        bytes; 0 if it is none.
    """
    return BUFFERS.get(buffer).size
