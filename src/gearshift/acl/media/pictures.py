"""Pictures as arrays: where the bytes of each format lie, and how one format becomes another.

Colour follows BT.601 in full range, the rule of JPEG files and the vendor's default matrix
(``ACL_DVPP_CSC_MATRIX_BT601_WIDE``): Y = 0.299 R + 0.587 G + 0.114 B, and U and V are the
differences of B and R from it, scaled to a byte around 128. Between formats of luma and chroma
nothing is converted, so that video keeps the range it came with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gearshift.acl.media.library import RESIZING, needed

Pixels = npt.NDArray[np.uint8]
Planes = tuple[Pixels, ...]

NEUTRAL: Final = 128
"""The value of chroma without colour."""

YUV_TO_RGB: Final = np.array(
    [[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], np.float32
)  # fmt: skip
RGB_TO_YUV: Final = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)
_CENTRE: Final = np.array([0, NEUTRAL, NEUTRAL], np.float32)


@dataclass(frozen=True)
class Layout:
    """How the bytes of a picture lie.

    Attributes:
        number: the vendor's, of the format.
        name: as the vendor writes it.
        planes: the components of each plane, in the order of their bytes.
        across: pixels of a row that share their chroma.
        down: rows that share it.
    """

    number: int
    name: str
    planes: tuple[str, ...]
    across: int = 1
    down: int = 1

    @property
    def row_factor(self) -> int:
        """Bytes of a pixel in the first plane."""
        return len(self.planes[0])

    def shapes(self, width: int, height: int) -> list[tuple[int, ...]]:
        """Shape of each plane of a picture."""
        if len(self.planes) == 2:
            return [(height, width), (height // self.down, width // self.across, 2)]
        return [(height, width, self.row_factor) if self.row_factor > 1 else (height, width)]

    def size(self, row_bytes: int, rows: int) -> int:
        """Bytes of a picture whose first plane has such rows."""
        chroma = row_bytes * 2 * rows // (self.across * self.down)
        return row_bytes * rows + (chroma if len(self.planes) == 2 else 0)


LAYOUTS: Final = {
    layout.number: layout
    for layout in (
        Layout(0, "YUV400", ("y",)),
        Layout(1, "YUV420SP", ("y", "uv"), 2, 2),
        Layout(2, "YVU420SP", ("y", "vu"), 2, 2),
        Layout(3, "YUV422SP", ("y", "uv"), 2),
        Layout(4, "YVU422SP", ("y", "vu"), 2),
        Layout(5, "YUV444SP", ("y", "uv")),
        Layout(6, "YVU444SP", ("y", "vu")),
        Layout(12, "RGB888", ("rgb",)),
        Layout(13, "BGR888", ("bgr",)),
        Layout(16, "RGBA8888", ("rgba",)),
    )
}
"""The formats that are known here, by the vendor's numbers."""

NV12: Final = LAYOUTS[1]
NV21: Final = LAYOUTS[2]
RGB: Final = LAYOUTS[12]
RGBA: Final = LAYOUTS[16]
FULL: Final = LAYOUTS[5]


@dataclass(frozen=True)
class Area:
    """A rectangle of a picture, its last row and column included."""

    left: int
    right: int
    top: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left + 1

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top + 1


def on_memory(
    memory: Pixels, layout: Layout, size: tuple[int, int], rows: tuple[int, int]
) -> Planes:
    """Arrays that lie on memory.

    Args:
        memory: all bytes of the picture.
        layout: how they lie.
        size: width and height of the picture.
        rows: bytes of a row and number of rows of the first plane, those beside the picture too.
    """
    row_bytes, count = rows
    planes: list[Pixels] = []
    offset = 0
    for shape in layout.shapes(*size):
        pixel = shape[2] if len(shape) == 3 else 1
        strides = (row_bytes, pixel, 1)[: len(shape)]
        planes.append(np.ndarray(shape, np.uint8, memory, offset, strides))
        offset += row_bytes * count
        row_bytes = row_bytes * 2 // layout.across
    return tuple(planes)


def part(planes: Planes, layout: Layout, area: Area) -> Planes:
    """The same planes, an area of them only."""
    cut: list[Pixels] = []
    across = down = 1
    for plane in planes:
        rows = slice(area.top // down, -(-(area.bottom + 1) // down))
        columns = slice(area.left // across, -(-(area.right + 1) // across))
        cut.append(plane[rows, columns])
        across, down = layout.across, layout.down
    return tuple(cut)


def scaled(planes: Planes, layout: Layout, size: tuple[int, int], nearest: bool = False) -> Planes:
    """Every plane in the size that it has in a picture of another size."""
    cv2 = needed(RESIZING)
    way = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    return tuple(
        plane
        if plane.shape[:2] == shape[:2]
        else cv2.resize(plane, shape[1::-1], interpolation=way)
        for plane, shape in zip(planes, layout.shapes(*size), strict=True)
    )


def converted(planes: Planes, source: Layout, target: Layout) -> Planes:
    """A picture in another format; its size must be one that the format can have."""
    if (source.planes, source.across, source.down) == (target.planes, target.across, target.down):
        return planes
    if "y" not in source.planes[0]:
        if "y" not in target.planes[0]:
            return (_reordered(planes[0], source.planes[0], target.planes[0]),)
        planes = _to_yuv(_reordered(planes[0], source.planes[0], "rgb"))
        source = FULL
    if target.planes == ("y",):
        return planes[:1]
    height, width = planes[0].shape
    chroma = _chroma(planes, source, target, (width, height))
    if "y" not in target.planes[0]:
        rgb = _transformed(np.dstack((planes[0], chroma)), YUV_TO_RGB, -YUV_TO_RGB @ _CENTRE)
        return (_reordered(rgb, "rgb", target.planes[0]),)
    return planes[0], chroma


def _to_yuv(rgb: Pixels) -> Planes:
    yuv = _transformed(rgb, RGB_TO_YUV, _CENTRE)
    return yuv[..., 0], yuv[..., 1:]


def _transformed(
    pixels: Pixels, matrix: npt.NDArray[np.float32], offset: npt.NDArray[np.float32]
) -> Pixels:
    moved: Pixels = needed(RESIZING).transform(pixels, np.column_stack((matrix, offset)))
    return moved


def _reordered(pixels: Pixels, before: str, after: str) -> Pixels:
    if before == after:
        return pixels
    opaque = np.full_like(pixels[..., 0], 255)
    return np.dstack([pixels[..., before.index(c)] if c in before else opaque for c in after])


def _chroma(planes: Planes, source: Layout, target: Layout, size: tuple[int, int]) -> Pixels:
    """Chroma at the target's places: the mean of more, the same value for fewer."""
    width, height = size[0] // target.across, size[1] // target.down
    if len(source.planes) == 1:
        return np.full((height, width, 2), NEUTRAL, np.uint8)
    cv2 = needed(RESIZING)
    chroma = planes[1]
    order = target.planes[1] if len(target.planes) == 2 else "uv"
    if chroma.shape[:2] != (height, width):
        fewer = height < chroma.shape[0] or width < chroma.shape[1]
        way = cv2.INTER_AREA if fewer else cv2.INTER_NEAREST
        chroma = cv2.resize(chroma, (width, height), interpolation=way)
    return _reordered(chroma, source.planes[1], order)
