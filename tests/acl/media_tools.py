"""What the tests of acl.media share: the functions as programs call them, and pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
from PIL import Image

from gearshift.acl import table, util
from gearshift.acl.blocks import BLOCKS

media = SimpleNamespace(
    **{name: function.call for name, function in table.functions("acl.media").items()}
)

YUV400, NV12, NV21, YUV422, YVU422, YUV444, YVU444, RGB, BGR, RGBA = 0, 1, 2, 3, 4, 5, 6, 12, 13, 16


def smooth(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """A picture without sharp edges: what is lost when chroma is shared stays small."""
    down, across = np.mgrid[0:height, 0:width]
    waves = [
        128 + 100 * np.sin(across / (17.0 + 3 * c + seed) + c) * np.cos(down / (23.0 - 2 * c))
        for c in range(channels)
    ]
    picture = np.rint(np.dstack(waves)).astype(np.uint8)
    return picture if channels > 1 else picture[..., 0]


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


class Memory:
    """Blocks and descriptions of one test, given back at its end."""

    def __init__(self) -> None:
        self.blocks: list[int] = []

    def block(self, data: np.ndarray | bytes | int) -> int:
        """A block of that size, or with that in it."""
        raw = bytes(data) if isinstance(data, (bytes, int)) else data.tobytes()
        address, ret = media.dvpp_malloc(len(raw))
        assert ret == 0
        self.blocks.append(address)
        BLOCKS.write(address, raw)
        return address

    def desc(
        self,
        layout: int,
        width: int,
        height: int,
        strides: tuple[int, int],
        content: np.ndarray | None = None,
        size: int | None = None,
    ) -> int:
        """A picture description with memory of its own."""
        count = bytes_of(layout, *strides)
        data = self.block(count if content is None else content)
        desc = media.dvpp_create_pic_desc()
        assert desc
        set_desc(desc, data, count if size is None else size, layout, width, height, strides)
        return desc

    def free(self) -> None:
        for address in self.blocks:
            assert media.dvpp_free(address) == 0


def set_desc(desc, data, size, layout, width, height, strides) -> None:  # type: ignore[no-untyped-def]
    values = {
        "data": data, "size": size, "format": layout, "width": width, "height": height,
        "width_stride": strides[0], "height_stride": strides[1],
    }  # fmt: skip
    for name, value in values.items():
        assert getattr(media, f"dvpp_set_pic_desc_{name}")(desc, value) == 0


def bytes_of(layout: int, row: int, rows: int) -> int:
    if layout in (NV12, NV21):
        return row * rows * 3 // 2
    if layout in (YUV422, YVU422):
        return row * rows * 2
    return row * rows * (3 if layout in (YUV444, YVU444) else 1)


def held(desc: int) -> np.ndarray:
    """All bytes of a picture, as they lie in memory."""
    data = media.dvpp_get_pic_desc_data(desc)
    size = media.dvpp_get_pic_desc_size(desc)
    return np.frombuffer(util.ptr_to_bytes(data, size), np.uint8)


def nv12_of(y: np.ndarray, u: np.ndarray, v: np.ndarray, row: int, rows: int) -> np.ndarray:
    """Memory of a YUV420SP picture with such strides; 7 where no pixel is."""
    height, width = y.shape
    memory = np.full((rows * 3 // 2, row), 7, np.uint8)
    memory[:height, :width] = y
    memory[rows : rows + height // 2, 0:width:2] = u
    memory[rows : rows + height // 2, 1:width:2] = v
    return memory


def yuv_of(memory: np.ndarray, width: int, height: int, row: int, rows: int):  # type: ignore[no-untyped-def]
    """Y, first and second chroma of a YUV420SP picture in memory."""
    lines = memory.reshape(-1, row)
    chroma = lines[rows : rows + height // 2, :width]
    return lines[:height, :width], chroma[:, 0::2], chroma[:, 1::2]


def jpeg_of(picture: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", **options)
    return file.getvalue()


@contextmanager
def channel() -> Iterator[int]:
    """A channel that is there."""
    desc = media.dvpp_create_channel_desc()
    assert media.dvpp_create_channel(desc) == 0
    yield desc
    assert media.dvpp_destroy_channel(desc) == 0
    assert media.dvpp_destroy_channel_desc(desc) == 0
