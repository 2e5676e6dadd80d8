"""acl.media: resizing, cropping, pasting and converting, against numpy and OpenCV."""

from __future__ import annotations

import itertools
import threading

import cv2
import numpy as np
import pytest
from media_tools import (
    BGR,
    NV12,
    NV21,
    RGB,
    RGBA,
    YUV400,
    YUV422,
    YUV444,
    YVU422,
    YVU444,
    Memory,
    bytes_of,
    channel,
    held,
    media,
    noise,
    nv12_of,
    set_desc,
    smooth,
    yuv_of,
)

from gearshift.acl import memory as rt
from gearshift.acl import runtime, util
from gearshift.acl.call import ArgumentsError
from gearshift.acl.codes import Code
from gearshift.acl.system import get_recent_err_msg


class Bench:
    """A channel, memory, configurations and a stream, all given back at the end."""

    def __init__(self, via: int, memory: Memory) -> None:
        self.via, self.memory = via, memory
        self.stream, _ = runtime.create_stream()
        self.resize = media.dvpp_create_resize_config()

    def roi(self, left: int, right: int, top: int, bottom: int) -> int:
        return media.dvpp_create_roi_config(left, right, top, bottom)

    def wait(self) -> int:
        return runtime.synchronize_stream(self.stream)


@pytest.fixture
def bench():  # type: ignore[no-untyped-def]
    memory = Memory()
    with channel() as via:
        made = Bench(via, memory)
        yield made
        assert runtime.destroy_stream(made.stream) == 0
    assert media.dvpp_destroy_resize_config(made.resize) == 0
    memory.free()


def nv12_noise(width: int, height: int, row: int, rows: int):  # type: ignore[no-untyped-def]
    y, u, v = noise(height, width), noise(height // 2, width // 2), noise(height // 2, width // 2)
    return y, u, v, nv12_of(y, u, v, row, rows)


def bilinear(plane: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bilinear without looking at more pixels when it gets smaller, pixel centres in the middle."""

    def places(count: int, of: int):  # type: ignore[no-untyped-def]
        at = np.clip((np.arange(count) + 0.5) * of / count - 0.5, 0, of - 1)
        low = np.minimum(np.floor(at).astype(int), of - 1)
        return low, np.minimum(low + 1, of - 1), at - low

    top, bottom, down = places(height, plane.shape[0])
    left, right, across = places(width, plane.shape[1])
    source = plane.astype(float)
    rows = source[top] * (1 - down[:, None]) + source[bottom] * down[:, None]
    return rows[:, left] * (1 - across) + rows[:, right] * across


@pytest.mark.parametrize(
    ("size", "into"), [((64, 48), (32, 24)), ((64, 48), (96, 80)), ((60, 40), (46, 38))]
)
def test_resizing_is_bilinear_on_every_plane(bench: Bench, size, into) -> None:  # type: ignore[no-untyped-def]
    y, u, v, content = nv12_noise(*size, 80, 64)
    source = bench.memory.desc(NV12, *size, (80, 64), content)
    target = bench.memory.desc(NV12, *into, (128, 96))
    assert media.dvpp_set_pic_desc_ret_code(target, 9) == 0
    args = (bench.via, source, target, bench.resize, bench.stream)
    assert media.dvpp_vpc_resize_async(*args) == 0
    assert bench.wait() == 0
    assert media.dvpp_get_pic_desc_ret_code(target) == 0
    half = (into[0] // 2, into[1] // 2)
    found = yuv_of(held(target), *into, 128, 96)
    for plane, origin, wanted in zip(found, (y, u, v), (into, half, half), strict=True):
        assert np.abs(plane - bilinear(origin, *wanted)).max() <= 1


@pytest.mark.parametrize(("way", "nearest"), [(0, 0), (1, 0), (3, 0), (2, 1), (4, 1)])
def test_ways_to_resize(bench: Bench, way: int, nearest: int) -> None:
    picture = noise(48, 64, 3)
    source = bench.memory.desc(RGB, 64, 48, (192, 48), picture)
    target = bench.memory.desc(RGB, 32, 24, (96, 24))
    assert media.dvpp_set_resize_config_interpolation(bench.resize, way) == 0
    assert media.dvpp_get_resize_config_interpolation(bench.resize) == way
    media.dvpp_vpc_resize_async(bench.via, source, target, bench.resize, bench.stream)
    assert bench.wait() == 0
    way = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    wanted = cv2.resize(picture, (32, 24), interpolation=way)
    assert (held(target).reshape(24, 32, 3) == wanted).all()
    if nearest:
        assert (wanted == picture[::2, ::2]).all()


def test_cropping_takes_the_pixels_themselves(bench: Bench) -> None:
    y, u, v, content = nv12_noise(64, 48, 64, 48)
    source = bench.memory.desc(NV12, 64, 48, (64, 48), content)
    target = bench.memory.desc(NV21, 20, 12, (32, 16))
    roi = bench.roi(6, 25, 8, 19)
    assert media.dvpp_vpc_crop_async(bench.via, source, target, roi, bench.stream) == 0
    assert bench.wait() == 0
    luma, second, first = yuv_of(held(target), 20, 12, 32, 16)
    assert (luma == y[8:20, 6:26]).all()
    assert (first == u[4:10, 3:13]).all(), "NV21 has them the other way round"
    assert (second == v[4:10, 3:13]).all()
    beside = held(target).reshape(-1, 32)
    assert not beside[:, 20:].any()
    assert not beside[12:16].any()


def test_a_crop_of_another_size_is_resized(bench: Bench) -> None:
    picture = noise(48, 64, 3)
    source = bench.memory.desc(BGR, 64, 48, (192, 48), picture)
    target = bench.memory.desc(BGR, 40, 30, (128, 30))
    roi = bench.roi(3, 53, 5, 40)
    assert (
        media.dvpp_vpc_crop_resize_async(bench.via, source, target, roi, bench.resize, bench.stream)
        == 0
    )
    assert bench.wait() == 0
    wanted = cv2.resize(picture[5:41, 3:54], (40, 30), interpolation=cv2.INTER_LINEAR)
    assert (held(target).reshape(30, 128)[:, :120].reshape(30, 40, 3) == wanted).all()


def test_pasting_leaves_what_lies_around(bench: Bench) -> None:
    y, u, v, content = nv12_noise(64, 48, 64, 48)
    canvas = np.full((72, 96), 50, np.uint8)
    source = bench.memory.desc(NV12, 64, 48, (64, 48), content)
    target = bench.memory.desc(NV12, 96, 48, (96, 48), canvas)
    args = (bench.via, source, target, bench.roi(0, 31, 0, 15), bench.roi(16, 47, 20, 35))
    assert media.dvpp_vpc_crop_and_paste_async(*args, bench.stream) == 0
    assert bench.wait() == 0
    wanted = canvas.copy()
    wanted[20:36, 16:48] = y[:16, :32]
    wanted[58:66, 16:48:2] = u[:8, :16]
    wanted[58:66, 17:48:2] = v[:8, :16]
    assert (held(target).reshape(72, 96) == wanted).all()


def test_batches(bench: Bench) -> None:
    pictures = [noise(48, 64, 3, seed=seed) for seed in range(2)]
    sources, targets = (media.dvpp_create_batch_pic_desc(count) for count in (2, 3))
    for index, picture in enumerate(pictures):
        data = bench.memory.block(picture)
        desc = media.dvpp_get_pic_desc(sources, index)
        set_desc(desc, data, picture.nbytes, RGB, 64, 48, (192, 48))
    outputs = [media.dvpp_get_pic_desc(targets, index) for index in range(3)]
    for desc in outputs:
        set_desc(desc, bench.memory.block(96 * 32), 96 * 32, RGB, 32, 32, (96, 32))
    places = [(0, 31, 0, 31), (16, 47, 8, 39), (5, 36, 1, 32)]
    crops = [bench.roi(*place) for place in places]
    args = (bench.via, sources, [1, 2], targets, crops)
    assert media.dvpp_vpc_batch_crop_async(*args, bench.stream) == (targets, 0)
    assert bench.wait() == 0
    for desc, which, (left, right, top, bottom) in zip(outputs, (0, 1, 1), places, strict=True):
        wanted = pictures[which][top : bottom + 1, left : right + 1]
        assert (held(desc).reshape(32, 32, 3) == wanted).all()
    pastes = [bench.roi(16, 31, 0, 15)] * 3
    args = (bench.via, sources, [1, 2], targets, crops, pastes)
    assert media.dvpp_vpc_batch_crop_and_paste_async(*args, bench.stream) == (targets, 0)
    assert bench.wait() == 0
    for desc, which, (left, right, top, bottom) in zip(outputs, (0, 1, 1), places, strict=True):
        cut = pictures[which][top : bottom + 1, left : right + 1]
        wanted = cut.copy()
        wanted[:16, 16:] = cv2.resize(cut, (16, 16), interpolation=cv2.INTER_LINEAR)
        assert (held(desc).reshape(32, 32, 3) == wanted).all()
    for counts in ([1], [3], [1, 1], [2, 2], [-1, 4]):
        args = (bench.via, sources, counts, targets, crops)
        assert media.dvpp_vpc_batch_crop_async(*args, bench.stream) == (0, Code.INVALID_PARAM)
    for wrong in ([], [1] * 257, (1, 2), ["1", 2]):
        with pytest.raises(ArgumentsError):
            media.dvpp_vpc_batch_crop_async(bench.via, sources, wrong, targets, crops, 0)
    args = (bench.via, sources, [1, 2], targets, crops, pastes[:2])
    assert media.dvpp_vpc_batch_crop_and_paste_async(*args, 0) == (0, Code.INVALID_PARAM)
    for batch in (sources, targets):
        assert media.dvpp_destroy_batch_pic_desc(batch) == 0


def rgb_of(y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """BT.601 in full range, as the vendor writes its default matrix."""
    y, u, v = (plane.astype(float) for plane in (y, u - 128.0, v - 128.0))
    rgb = np.stack((y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u), -1)
    return np.clip(np.rint(rgb), 0, 255)


def yuv601(rgb: np.ndarray) -> np.ndarray:
    r, g, b = np.moveaxis(rgb.astype(float), -1, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return np.clip(np.rint(np.stack((y, (b - y) / 1.772 + 128, (r - y) / 1.402 + 128))), 0, 255)


@pytest.mark.parametrize("wanted", [RGB, BGR])
@pytest.mark.parametrize("layout", [NV12, NV21])
def test_luma_and_chroma_to_colour(bench: Bench, layout: int, wanted: int) -> None:
    y, u, v, content = nv12_noise(64, 48, 80, 48)
    if layout == NV21:
        content = nv12_of(y, v, u, 80, 48)
    source = bench.memory.desc(layout, 64, 48, (80, 48), content)
    target = bench.memory.desc(wanted, 64, 48, (192, 48))
    assert media.dvpp_vpc_convert_color_async(bench.via, source, target, bench.stream) == 0
    assert bench.wait() == 0
    found = held(target).reshape(48, 64, 3).astype(int)
    full_u, full_v = (plane.repeat(2, 0).repeat(2, 1) for plane in (u, v))
    right = rgb_of(y, full_u, full_v)
    assert np.abs(found - (right if wanted == RGB else right[..., ::-1])).max() <= 1


@pytest.mark.parametrize("layout", [NV12, NV21, YUV444, YVU444, YUV422, YVU422, YUV400])
def test_colour_to_luma_and_chroma(bench: Bench, layout: int) -> None:
    picture = noise(48, 64, 3)
    source = bench.memory.desc(RGB, 64, 48, (192, 48), picture)
    target = bench.memory.desc(layout, 64, 48, (64, 48))
    assert media.dvpp_vpc_convert_color_async(bench.via, source, target, bench.stream) == 0
    assert bench.wait() == 0
    y, u, v = yuv601(picture)
    found = held(target).astype(float)
    assert np.abs(found[: 64 * 48].reshape(48, 64) - y).max() <= 1
    across, down = {NV12: (2, 2), NV21: (2, 2), YUV422: (2, 1), YVU422: (2, 1)}.get(layout, (1, 1))
    chroma = found[64 * 48 :].reshape(-1, 2)
    if layout == YUV400:
        assert chroma.size == 0
        return
    order = (u, v) if layout in (NV12, YUV444, YUV422) else (v, u)
    for plane, right in zip(chroma.T, order, strict=True):
        shared = right.reshape(48 // down, down, 64 // across, across).mean((1, 3))
        assert np.abs(plane.reshape(shared.shape) - shared).max() <= 1.5


def test_chroma_shared_by_more_or_by_fewer(bench: Bench) -> None:
    u, v = noise(48, 32, seed=1), noise(48, 32, seed=2)
    y = noise(48, 64)
    content = np.concatenate((y.ravel(), np.dstack((u, v)).ravel()))
    source = bench.memory.desc(YUV422, 64, 48, (64, 48), content)
    fewer = bench.memory.desc(NV21, 64, 48, (64, 48))
    more = bench.memory.desc(YUV444, 64, 48, (64, 48))
    for target in (fewer, more):
        args = (bench.via, source, target, bench.resize, bench.stream)
        assert media.dvpp_vpc_resize_async(*args) == 0
    assert bench.wait() == 0
    luma, first, second = yuv_of(held(fewer), 64, 48, 64, 48)
    assert (luma == y).all()
    for plane, origin in ((first, v), (second, u)):
        mean = origin.reshape(24, 2, 32).mean(1)
        assert np.abs(plane - mean).max() <= 0.5
    whole = held(more)[64 * 48 :].reshape(48, 64, 2)
    assert (whole == np.dstack((u, v)).repeat(2, 1)).all()


def test_known_colours(bench: Bench) -> None:
    colours = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]])
    right = [[0, 128, 128], [255, 128, 128], [76, 85, 255], [150, 44, 21], [29, 255, 107]]
    for colour, (y, u, v) in zip(colours, right, strict=True):
        picture = np.full((16, 16, 3), colour, np.uint8)
        source = bench.memory.desc(RGB, 16, 16, (48, 16), picture)
        target, back = (
            bench.memory.desc(layout, 16, 16, (16 if layout == NV12 else 48, 16))
            for layout in (NV12, RGB)
        )
        media.dvpp_vpc_convert_color_async(bench.via, source, target, bench.stream)
        media.dvpp_vpc_convert_color_async(bench.via, target, back, bench.stream)
        assert bench.wait() == 0
        planes = yuv_of(held(target), 16, 16, 16, 16)
        for plane, value in zip(planes, (y, u, v), strict=True):
            assert np.abs(plane.astype(int) - value).max() <= 1
        assert np.abs(held(back).reshape(-1, 3).astype(int) - colour).max() <= 2


def test_gray(bench: Bench) -> None:
    y, _, _, content = nv12_noise(64, 48, 64, 48)
    source = bench.memory.desc(NV12, 64, 48, (64, 48), content)
    gray = bench.memory.desc(YUV400, 64, 48, (64, 48))
    back = bench.memory.desc(NV21, 64, 48, (64, 48))
    media.dvpp_vpc_convert_color_async(bench.via, source, gray, bench.stream)
    media.dvpp_vpc_convert_color_async(bench.via, gray, back, bench.stream)
    assert bench.wait() == 0
    assert (held(gray).reshape(48, 64) == y).all()
    assert (held(back)[: 64 * 48].reshape(48, 64) == y).all()
    assert (held(back)[64 * 48 :] == 128).all()


def test_a_conversion_may_leave_the_size_to_the_source(bench: Bench) -> None:
    picture = smooth(48, 64)
    source = bench.memory.desc(RGB, 64, 48, (192, 48), picture)
    target = bench.memory.desc(BGR, 0, 0, (192, 48))
    media.dvpp_set_pic_desc_width_stride(target, 0)
    media.dvpp_set_pic_desc_height_stride(target, 0)
    assert media.dvpp_vpc_convert_color_async(bench.via, source, target, bench.stream) == 0
    assert bench.wait() == 0
    assert (held(target).reshape(48, 64, 3) == picture[..., ::-1]).all()
    other = bench.memory.desc(BGR, 32, 48, (96, 48))
    assert (
        media.dvpp_vpc_convert_color_async(bench.via, source, other, bench.stream)
        == Code.INVALID_PARAM
    )


def test_wide_pictures_need_no_aligned_rows(bench: Bench) -> None:
    y, u, v, content = nv12_noise(4100, 8, 4100, 8)
    source = bench.memory.desc(NV12, 4100, 8, (4100, 8), content)
    target = bench.memory.desc(NV12, 4100, 8, (4112, 8))
    args = (bench.via, source, target, bench.resize, bench.stream)
    assert media.dvpp_vpc_resize_async(*args) == 0
    assert bench.wait() == 0
    for found, right in zip(yuv_of(held(target), 4100, 8, 4112, 8), (y, u, v), strict=True):
        assert (found == right).all()


def test_an_odd_size_is_the_next_smaller_even_one(bench: Bench) -> None:
    y, u, v, content = nv12_noise(64, 48, 64, 48)
    source = bench.memory.desc(NV12, 63, 47, (64, 48), content)
    target = bench.memory.desc(NV12, 62, 46, (64, 48))
    assert media.dvpp_vpc_resize_async(bench.via, source, target, bench.resize, bench.stream) == 0
    assert bench.wait() == 0
    for found, right in zip(yuv_of(held(target), 62, 46, 64, 48), (y, u, v), strict=True):
        assert (found == right[: found.shape[0], : found.shape[1]]).all()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"format": 7}, "format 7"),
        ({"format": -1}, "format -1"),
        ({"format": RGBA}, "format 16"),
        ({"width": 8}, "8 x 48"),
        ({"height": 4}, "64 x 4"),
        ({"width": 20000}, "20000 x 48"),
        ({"width_stride": 63}, "width stride of 63"),
        ({"width_stride": 56}, "width stride of 56"),
        ({"width_stride": 72}, "width stride of 72"),
        ({"height_stride": 47}, "height stride of 47"),
        ({"height_stride": 46}, "height stride of 46"),
        ({"height_stride": 49}, "height stride of 49"),
        ({"size": 64 * 72 - 1}, "4607 bytes for a picture of 4608"),
        ({"width_stride": 1 << 31}, "bytes for a picture of"),
        ({"width_stride": 80}, "bytes for a picture of 5760"),
    ],
)
@pytest.mark.parametrize("role", ["source", "target"])
def test_wrong_pictures(bench: Bench, values: dict[str, int], says: str, role: str) -> None:
    good, wrong = (bench.memory.desc(NV12, 64, 48, (64, 48)) for _ in range(2))
    for name, value in values.items():
        getattr(media, f"dvpp_set_pic_desc_{name}")(wrong, value)
    pair = (wrong, good) if role == "source" else (good, wrong)
    args = (bench.via, *pair, bench.resize, bench.stream)
    assert media.dvpp_vpc_resize_async(*args) == Code.INVALID_PARAM
    assert says in (get_recent_err_msg() or "")


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ((1, 20, 0, 19), "left is even and right odd"),
        ((0, 20, 0, 19), "left is even and right odd"),
        ((0, 19, 1, 20), "top is even and bottom odd"),
        ((0, 19, 0, 18), "top is even and bottom odd"),
        ((0, 64, 0, 19), "leaves the picture"),
        ((0, 65, 0, 19), "leaves the picture"),
        ((0, 19, 0, 49), "leaves the picture"),
        ((0, 7, 0, 19), "8 x 20"),
        ((0, 19, 0, 3), "20 x 4"),
        ((20, 1, 0, 19), "smallest"),
    ],
)
def test_wrong_areas(bench: Bench, place: tuple[int, ...], says: str) -> None:
    source, target = (bench.memory.desc(NV12, 64, 48, (64, 48)) for _ in range(2))
    roi, good = bench.roi(*place), bench.roi(0, 19, 0, 19)
    for areas in ((roi, good), (good, roi)):
        args = (bench.via, source, target, *areas, bench.stream)
        assert media.dvpp_vpc_crop_and_paste_async(*args) == Code.INVALID_PARAM
        assert says in (get_recent_err_msg() or "")


def test_what_is_pasted_starts_at_a_multiple_of_16(bench: Bench) -> None:
    source, target = (bench.memory.desc(NV12, 64, 48, (64, 48)) for _ in range(2))
    good, wrong = bench.roi(0, 19, 0, 19), bench.roi(8, 27, 0, 19)
    args = (bench.via, source, target)
    assert (
        media.dvpp_vpc_crop_and_paste_async(*args, good, wrong, bench.stream) == Code.INVALID_PARAM
    )
    assert media.dvpp_vpc_crop_and_paste_async(*args, wrong, good, bench.stream) == 0
    assert bench.wait() == 0


def test_odd_areas_of_formats_that_share_nothing(bench: Bench) -> None:
    picture = noise(48, 64, 3)
    source = bench.memory.desc(RGB, 64, 48, (192, 48), picture)
    target = bench.memory.desc(RGB, 19, 11, (64, 11))
    args = (bench.via, source, target, bench.roi(1, 19, 3, 13), bench.stream)
    assert media.dvpp_vpc_crop_async(*args) == 0
    assert bench.wait() == 0
    found = held(target).reshape(11, 64)[:, :57].reshape(11, 19, 3)
    assert (found == picture[3:14, 1:20]).all()


def test_wrong_handles(bench: Bench) -> None:
    pic = bench.memory.desc(NV12, 64, 48, (64, 48))
    roi = bench.roi(0, 19, 0, 19)
    for wrong in (0, 5, -1, roi, bench.resize, bench.via):
        for args in ((wrong, pic), (pic, wrong)):
            calls = (
                media.dvpp_vpc_resize_async(bench.via, *args, bench.resize, 0),
                media.dvpp_vpc_crop_async(bench.via, *args, roi, 0),
                media.dvpp_vpc_crop_resize_async(bench.via, *args, roi, bench.resize, 0),
                media.dvpp_vpc_crop_and_paste_async(bench.via, *args, roi, roi, 0),
                media.dvpp_vpc_convert_color_async(bench.via, *args, 0),
                media.dvpp_vpc_batch_crop_async(bench.via, wrong, [1], wrong, [roi], 0)[1],
            )
            assert set(calls) == {Code.INVALID_PARAM}
    for wrong in (0, 5, pic):
        calls = (
            media.dvpp_vpc_resize_async(wrong, pic, pic, bench.resize, 0),
            media.dvpp_vpc_resize_async(bench.via, pic, pic, wrong, 0),
            media.dvpp_vpc_crop_async(bench.via, pic, pic, wrong, 0),
            media.dvpp_vpc_crop_and_paste_async(bench.via, pic, pic, roi, wrong, 0),
        )
        assert set(calls) == {Code.INVALID_PARAM}


def test_wrong_memory(bench: Bench) -> None:
    good, other = (bench.memory.desc(NV12, 64, 48, (64, 48)) for _ in range(2))
    array = np.zeros(64 * 72, np.uint8)
    gone, _ = media.dvpp_malloc(64 * 72)
    assert media.dvpp_free(gone) == 0
    short, _ = media.dvpp_malloc(64 * 71)
    for address in (array.ctypes.data, gone, short, 4096, (1 << 64) - 1):
        media.dvpp_set_pic_desc_data(other, address)
        for pair in ((good, other), (other, good)):
            args = (bench.via, *pair, bench.resize, bench.stream)
            assert media.dvpp_vpc_resize_async(*args) == Code.RT_PARAM_INVALID
    assert media.dvpp_free(short) == 0
    empty = media.dvpp_create_pic_desc()
    set_desc(empty, 4096, 5000, NV12, 64, 48, (64, 48))
    bare = media.dvpp_create_pic_desc()
    args = (bench.via, good, bare, bench.resize, bench.stream)
    assert media.dvpp_vpc_resize_async(*args) == Code.INVALID_PARAM
    assert bench.wait() == 0, "nothing of it was started"


def test_memory_that_goes_while_it_waits(bench: Bench) -> None:
    good, other = (bench.memory.desc(NV12, 64, 48, (64, 48)) for _ in range(2))
    late, _ = media.dvpp_malloc(64 * 72)
    media.dvpp_set_pic_desc_data(other, late)
    gate = threading.Event()
    runtime.stream_at(bench.stream).submit(lambda: (gate.wait(10), None)[1])
    args = (bench.via, good, other, bench.resize, bench.stream)
    assert media.dvpp_vpc_resize_async(*args) == 0
    assert media.dvpp_free(late) == 0
    gate.set()
    assert bench.wait() == Code.RT_PARAM_INVALID
    assert media.dvpp_get_pic_desc_ret_code(other) == Code.RT_PARAM_INVALID
    assert bench.wait() == 0


def test_an_operation_sees_the_description_as_it_was(bench: Bench) -> None:
    y, _, _, content = nv12_noise(64, 48, 64, 48)
    source = bench.memory.desc(NV12, 64, 48, (64, 48), content)
    target = bench.memory.desc(NV12, 64, 48, (64, 48))
    data = media.dvpp_get_pic_desc_data(target)
    gate = threading.Event()
    runtime.stream_at(bench.stream).submit(lambda: (gate.wait(10), None)[1])
    args = (bench.via, source, target, bench.resize, bench.stream)
    assert media.dvpp_vpc_resize_async(*args) == 0
    for desc in (source, target):
        assert media.dvpp_destroy_pic_desc(desc) == 0
    gate.set()
    assert bench.wait() == 0
    check = media.dvpp_create_pic_desc()
    set_desc(check, data, bytes_of(NV12, 64, 48), NV12, 64, 48, (64, 48))
    assert (yuv_of(held(check), 64, 48, 64, 48)[0] == y).all()


def test_operations_come_in_the_order_of_the_stream(bench: Bench) -> None:
    """A chain of copies on the card: each takes what the one before left."""
    picture = noise(48, 64, 3)
    steps = [bench.memory.desc(RGB, 64, 48, (192, 48)) for _ in range(6)]
    first = media.dvpp_get_pic_desc_data(steps[0])
    host = picture.tobytes()
    assert (
        rt.memcpy_async(first, len(host), util.bytes_to_ptr(host), len(host), 1, bench.stream) == 0
    )
    for source, target in itertools.pairwise(steps):
        args = (bench.via, source, target, bench.resize, bench.stream)
        assert media.dvpp_vpc_resize_async(*args) == 0
    assert bench.wait() == 0
    assert (held(steps[-1]) == picture.ravel()).all()


def test_device_memory_will_do(bench: Bench) -> None:
    data, _ = rt.malloc(64 * 72, 0)
    source, target = media.dvpp_create_pic_desc(), bench.memory.desc(NV12, 64, 48, (64, 48))
    set_desc(source, data, 64 * 72, NV12, 64, 48, (64, 48))
    args = (bench.via, source, target, bench.resize, bench.stream)
    assert media.dvpp_vpc_resize_async(*args) == 0
    assert bench.wait() == 0
    assert rt.free(data) == 0
