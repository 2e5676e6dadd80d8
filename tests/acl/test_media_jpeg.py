"""acl.media: JPEG and PNG files, against Pillow."""

from __future__ import annotations

import io
import threading

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
    Memory,
    bytes_of,
    channel,
    held,
    jpeg_of,
    media,
    noise,
    nv12_of,
    set_desc,
    smooth,
    yuv_of,
)
from PIL import Image

from gearshift.acl import memory as rt
from gearshift.acl import runtime, util
from gearshift.acl.codes import Code
from gearshift.acl.system import get_recent_err_msg


class Bench:
    """A channel, memory and the default stream."""

    def __init__(self, via: int, memory: Memory) -> None:
        self.via, self.memory = via, memory
        self.config = media.dvpp_create_jpege_config()

    def decode(self, file: bytes, target: int, size: int | None = None) -> int:
        """What the call answered, or else what synchronizing did."""
        data = self.memory.block(file)
        count = len(file) if size is None else size
        return media.dvpp_jpeg_decode_async(
            self.via, data, count, target, 0
        ) or runtime.synchronize_stream(0)

    def encode(self, source: int, room: int) -> tuple[int, bytes]:
        """The code, and the file."""
        data = self.memory.block(max(room, 1))
        size = np.array([room], np.int32)
        args = (self.via, source, data, size.ctypes.data, self.config, 0)
        ret = media.dvpp_jpeg_encode_async(*args) or runtime.synchronize_stream(0)
        return ret, b"" if ret else util.ptr_to_bytes(data, int(size[0]))


@pytest.fixture
def bench():  # type: ignore[no-untyped-def]
    memory = Memory()
    with channel() as via:
        made = Bench(via, memory)
        yield made
    assert media.dvpp_destroy_jpege_config(made.config) == 0
    memory.free()


def host(file: bytes) -> tuple[int, int]:
    return util.bytes_to_ptr(file), len(file)


def planes_of(file: bytes) -> np.ndarray:
    """Luma and chroma of every pixel, as libjpeg has them."""
    image = Image.open(io.BytesIO(file))
    image.draft("YCbCr", image.size)
    return np.asarray(image).astype(int)


def same(found: np.ndarray, right: np.ndarray, most: float) -> None:
    """Within that of each other: decoders of JPEG round in their own ways."""
    assert np.abs(found.astype(float) - right).max() <= most


SAMPLINGS = [("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)]


@pytest.mark.parametrize(("sampling", "number"), SAMPLINGS)
def test_headers(sampling: str, number: int) -> None:
    file = jpeg_of(smooth(47, 65), subsampling=sampling)
    assert media.dvpp_jpeg_get_image_info(*host(file)) == (65, 47, 3, 0)
    assert media.dvpp_jpeg_get_image_info_v2(*host(file)) == (65, 47, 3, number, 0)
    for layout, size in ((NV12, 128 * 48 * 3 // 2), (YUV444, 128 * 48 * 3), (RGB, 384 * 48)):
        assert media.dvpp_jpeg_predict_dec_size(*host(file), layout) == (size, 0)
    for layout in (7, -1, RGBA):
        answer = media.dvpp_jpeg_predict_dec_size(*host(file), layout)
        assert answer == (0, Code.FORMAT_NOT_MATCH)


def test_header_of_gray() -> None:
    file = jpeg_of(smooth(40, 48, 1))
    assert media.dvpp_jpeg_get_image_info(*host(file)) == (48, 40, 1, 0)
    assert media.dvpp_jpeg_get_image_info_v2(*host(file)) == (48, 40, 1, 3, 0)


def test_headers_that_are_none() -> None:
    file = jpeg_of(smooth(40, 48))
    png = io.BytesIO()
    Image.fromarray(smooth(40, 48)).save(png, "PNG")
    for wrong in (b"x" * 100, file[:10], png.getvalue(), b"\xff\xd8\xff"):
        at = host(wrong)
        assert media.dvpp_jpeg_get_image_info(*at) == (0, 0, 0, Code.INVALID_PARAM)
        assert media.dvpp_jpeg_get_image_info_v2(*at) == (0, 0, 0, 1000, Code.INVALID_PARAM)
        assert media.dvpp_jpeg_predict_dec_size(*at, NV12) == (0, Code.INVALID_PARAM)
    for data, size in ((0, 10), (host(file)[0], 0), (host(file)[0], 1 << 31)):
        assert media.dvpp_jpeg_get_image_info(data, size) == (0, 0, 0, Code.INVALID_PARAM)
    gone, _ = media.dvpp_malloc(100)
    assert media.dvpp_free(gone) == 0
    assert media.dvpp_jpeg_get_image_info(gone, 100) == (0, 0, 0, Code.RT_PARAM_INVALID)
    assert media.dvpp_jpeg_get_image_info(4096, 100) == (0, 0, 0, Code.RT_PARAM_INVALID)


@pytest.mark.parametrize("strides", [(128, 64), (64, 48), (80, 48)])
@pytest.mark.parametrize("layout", [NV12, NV21])
def test_shared_chroma_comes_out_as_it_is_in_the_file(bench: Bench, layout: int, strides) -> None:  # type: ignore[no-untyped-def]
    y, u, v = noise(48, 64), noise(24, 32, seed=1), noise(24, 32, seed=2)
    image = Image.merge(
        "YCbCr",
        [Image.fromarray(p) for p in (y, u.repeat(2, 0).repeat(2, 1), v.repeat(2, 0).repeat(2, 1))],
    )
    file = io.BytesIO()
    image.save(file, "JPEG", quality=100, subsampling="4:2:0")
    target = bench.memory.desc(layout, 64, 48, strides)
    media.dvpp_set_pic_desc_ret_code(target, 9)
    assert bench.decode(file.getvalue(), target) == 0
    assert media.dvpp_get_pic_desc_ret_code(target) == 0
    luma, first, second = yuv_of(held(target), 64, 48, *strides)
    same(luma, y, 3)
    same(first, u if layout == NV12 else v, 3)
    same(second, v if layout == NV12 else u, 3)
    beside = held(target).reshape(-1, strides[0])
    assert not beside[:, 64:].any()
    assert not beside[48 : strides[1]].any()


@pytest.mark.parametrize("sampling", [name for name, _ in SAMPLINGS])
@pytest.mark.parametrize("size", [(64, 48), (101, 67), (33, 32)])
def test_decoding(bench: Bench, sampling: str, size: tuple[int, int]) -> None:
    width, height = size
    file = jpeg_of(smooth(height, width), subsampling=sampling, quality=95)
    target = bench.memory.desc(NV12, width, height, (128, 80))
    assert bench.decode(file, target) == 0
    even = (width // 2 * 2, height // 2 * 2)
    assert media.dvpp_get_pic_desc_width(target) == even[0]
    assert media.dvpp_get_pic_desc_height(target) == even[1]
    right = planes_of(file)[: even[1], : even[0]]
    luma, first, second = yuv_of(held(target), *even, 128, 80)
    same(luma, right[..., 0], 2)
    shared = right.reshape(even[1] // 2, 2, even[0] // 2, 2, 3).mean((1, 3))
    same(first, shared[..., 1], 4)
    same(second, shared[..., 2], 4)


def test_decoding_gray(bench: Bench) -> None:
    file = jpeg_of(smooth(48, 64, 1), quality=95)
    target, gray = (
        bench.memory.desc(NV12, 64, 48, (64, 48)),
        bench.memory.desc(YUV400, 64, 48, (64, 48)),
    )
    for desc in (target, gray):
        assert bench.decode(file, desc) == 0
    same(held(gray).reshape(48, 64), np.asarray(Image.open(io.BytesIO(file))), 2)
    assert (held(target)[: 64 * 48] == held(gray)).all()
    assert (held(target)[64 * 48 :] == 128).all()


def test_decoding_to_formats_that_share_less(bench: Bench) -> None:
    file = jpeg_of(smooth(48, 64), subsampling="4:4:4", quality=95)
    right = planes_of(file)
    full = bench.memory.desc(YUV444, 64, 48, (64, 48))
    half = bench.memory.desc(YUV422, 64, 48, (64, 48))
    for desc in (full, half):
        assert bench.decode(file, desc) == 0
    same(held(full)[64 * 48 :].reshape(48, 64, 2), right[..., 1:], 2)
    same(held(half)[64 * 48 :].reshape(48, 32, 2), right[..., 1:].reshape(48, 32, 2, 2).mean(2), 2)


@pytest.mark.parametrize("layout", [RGB, BGR])
def test_decoding_to_colour(bench: Bench, layout: int) -> None:
    file = jpeg_of(smooth(47, 65), subsampling="4:4:4", quality=95)
    target = bench.memory.desc(layout, 65, 47, (208, 48))
    assert bench.decode(file, target) == 0
    assert media.dvpp_get_pic_desc_width(target) == 65, "no chroma is shared: it may be odd"
    found = held(target).reshape(48, 208)[:47, :195].reshape(47, 65, 3)
    right = np.asarray(Image.open(io.BytesIO(file)))
    same(found if layout == RGB else found[..., ::-1], right.astype(int), 4)


def test_a_description_may_leave_the_size_to_the_file(bench: Bench) -> None:
    file = jpeg_of(smooth(48, 100))
    room = bench.memory.block(128 * 48 * 3 // 2)
    target = media.dvpp_create_pic_desc()
    set_desc(target, room, 128 * 48 * 3 // 2, NV12, 0, 0, (0, 0))
    assert bench.decode(file, target) == 0
    assert media.dvpp_get_pic_desc_width(target) == 100
    assert media.dvpp_get_pic_desc_height(target) == 48
    assert media.dvpp_get_pic_desc_width_stride(target) == 128
    assert media.dvpp_get_pic_desc_height_stride(target) == 48
    same(yuv_of(held(target), 100, 48, 128, 48)[0], planes_of(file)[..., 0], 2)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_files_that_end_early(bench: Bench, part: float) -> None:
    file = jpeg_of(noise(48, 64, 3))
    target = bench.memory.desc(NV12, 64, 48, (64, 48))
    assert bench.decode(file[: int(len(file) * part)], target) == Code.INVALID_PARAM
    assert media.dvpp_get_pic_desc_ret_code(target) == Code.INVALID_PARAM
    assert bench.decode(file, target) == 0
    assert media.dvpp_get_pic_desc_ret_code(target) == 0


def test_files_that_are_none(bench: Bench) -> None:
    target = bench.memory.desc(NV12, 64, 48, (64, 48))
    for wrong in (b"x" * 100, b"\xff\xd8\xff\xe0" + b"\0" * 100):
        assert bench.decode(wrong, target) == Code.INVALID_PARAM
    assert bench.decode(jpeg_of(smooth(48, 64), progressive=True), target) == (
        Code.FEATURE_UNSUPPORTED
    )
    assert "progressive" in (get_recent_err_msg() or "")
    cmyk = io.BytesIO()
    Image.fromarray(noise(48, 64, 4), "CMYK").save(cmyk, "JPEG")
    assert bench.decode(cmyk.getvalue(), target) == Code.INVALID_PARAM


def test_descriptions_that_do_not_fit(bench: Bench) -> None:
    file = jpeg_of(smooth(48, 64))
    for size, strides in (((66, 48), (80, 48)), ((64, 46), (64, 48)), ((32, 32), (64, 48))):
        target = bench.memory.desc(NV12, *size, strides)
        assert bench.decode(file, target) == Code.INVALID_PARAM
        assert f"{size[0]} x {size[1]}" in (get_recent_err_msg() or "")
    small = bench.memory.desc(NV12, 64, 48, (64, 48), size=64 * 72 - 1)
    assert bench.decode(file, small) == Code.INVALID_PARAM
    assert bench.decode(jpeg_of(smooth(24, 24)), bench.memory.desc(NV12, 24, 24, (32, 24))) == (
        Code.INVALID_PARAM
    )
    open_size = media.dvpp_create_pic_desc()
    set_desc(open_size, bench.memory.block(1000), 1000, NV12, 0, 0, (0, 0))
    assert bench.decode(file, open_size) == Code.INVALID_PARAM
    assert media.dvpp_get_pic_desc_width(open_size) == 0
    tiny = media.dvpp_create_pic_desc()
    set_desc(tiny, bench.memory.block(1000), 1000, NV12, 0, 0, (0, 0))
    assert bench.decode(jpeg_of(smooth(24, 24)), tiny) == Code.INVALID_PARAM


def test_wrong_arguments_of_decoding(bench: Bench) -> None:
    file = jpeg_of(smooth(48, 64))
    data, target = bench.memory.block(file), bench.memory.desc(NV12, 64, 48, (64, 48))
    gone, _ = media.dvpp_malloc(100)
    media.dvpp_free(gone)
    decode = media.dvpp_jpeg_decode_async
    for wrong in (0, 5, target):
        assert decode(wrong, data, len(file), target, 0) == Code.INVALID_PARAM
    assert decode(bench.via, data, len(file), 0, 0) == Code.INVALID_PARAM
    assert decode(bench.via, data, len(file), bench.via, 0) == Code.INVALID_PARAM
    assert decode(bench.via, data, 0, target, 0) == Code.INVALID_PARAM
    assert decode(bench.via, data, 1 << 31, target, 0) == Code.INVALID_PARAM
    assert decode(bench.via, 0, len(file), target, 0) == Code.INVALID_PARAM
    for address in (gone, host(file)[0], 4096):
        assert decode(bench.via, address, len(file), target, 0) == Code.RT_PARAM_INVALID
    assert decode(bench.via, data, len(file) + 1, target, 0) == Code.RT_PARAM_INVALID
    assert decode(bench.via, data, len(file), target, 5) == Code.RT_PARAM_INVALID
    assert runtime.synchronize_stream(0) == 0


def test_a_file_is_read_when_the_stream_comes_to_it(bench: Bench) -> None:
    file = jpeg_of(smooth(48, 64))
    data, target = bench.memory.block(len(file)), bench.memory.desc(NV12, 64, 48, (64, 48))
    gate = threading.Event()
    runtime.stream_at(0).submit(lambda: (gate.wait(10), None)[1])
    assert rt.memcpy_async(data, len(file), *host(file), 1, 0) == 0
    assert media.dvpp_jpeg_decode_async(bench.via, data, len(file), target, 0) == 0
    gate.set()
    assert runtime.synchronize_stream(0) == 0
    same(yuv_of(held(target), 64, 48, 64, 48)[0], planes_of(file)[..., 0], 2)


@pytest.mark.parametrize("layout", [NV12, NV21])
def test_encoding(bench: Bench, layout: int) -> None:
    y, u, v = smooth(48, 64, 1), smooth(24, 32, 1, seed=3), smooth(24, 32, 1, seed=5)
    content = nv12_of(y, u, v, 80, 48) if layout == NV12 else nv12_of(y, v, u, 80, 48)
    source = bench.memory.desc(layout, 64, 48, (80, 48), content)
    room, ret = media.dvpp_jpeg_predict_enc_size(source, bench.config)
    assert ret == 0
    assert room % (2 << 20) == 0
    ret, file = bench.encode(source, room)
    assert ret == 0
    assert media.dvpp_jpeg_get_image_info_v2(*host(file)) == (64, 48, 3, 2, 0)
    found = planes_of(file)
    same(found[..., 0], y, 2)
    same(found[::2, ::2, 1], u, 5)
    same(found[::2, ::2, 2], v, 5)
    back = bench.memory.desc(layout, 64, 48, (80, 48))
    assert bench.decode(file, back) == 0
    for plane, origin in zip(
        yuv_of(held(back), 64, 48, 80, 48), yuv_of(content, 64, 48, 80, 48), strict=True
    ):
        same(plane, origin, 3)


def test_levels(bench: Bench) -> None:
    content = noise(72, 64)
    source = bench.memory.desc(NV12, 64, 48, (64, 48), content)
    files = {}
    for level in (0, 1, 20, 50, 80, 100):
        assert media.dvpp_set_jpege_config_level(bench.config, level) == 0
        assert media.dvpp_get_jpege_config_level(bench.config) == level
        ret, files[level] = bench.encode(source, 1 << 20)
        assert ret == 0
    assert files[0] == files[100]
    sizes = [len(files[level]) for level in (1, 20, 50, 80, 100)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 5
    assert media.dvpp_set_jpege_config_level(bench.config, 101) == Code.INVALID_PARAM


def test_a_file_needs_room(bench: Bench) -> None:
    source = bench.memory.desc(NV12, 64, 48, (64, 48), noise(72, 64))
    ret, file = bench.encode(source, 1 << 20)
    assert ret == 0
    assert bench.encode(source, len(file))[0] == 0
    assert bench.encode(source, len(file) - 1)[0] == Code.INVALID_PARAM
    assert f"a JPEG of {len(file)} bytes" in (get_recent_err_msg() or "")
    assert media.dvpp_get_pic_desc_ret_code(source) == Code.INVALID_PARAM
    assert bench.encode(source, 0)[0] == Code.INVALID_PARAM


def test_the_size_comes_back_in_bytes_objects_too(bench: Bench) -> None:
    source = bench.memory.desc(NV12, 64, 48, (64, 48), noise(72, 64))
    size = np.array([1 << 20], np.int32).tobytes()
    data = bench.memory.block(1 << 20)
    args = (bench.via, source, data, util.bytes_to_ptr(size), bench.config, 0)
    assert media.dvpp_jpeg_encode_async(*args) == 0
    assert runtime.synchronize_stream(0) == 0
    count = int.from_bytes(size, "little")
    assert Image.open(io.BytesIO(util.ptr_to_bytes(data, count))).size == (64, 48)


def test_wrong_arguments_of_encoding(bench: Bench) -> None:
    source = bench.memory.desc(NV12, 64, 48, (64, 48))
    data, size = bench.memory.block(1000), np.array([1000], np.int32)
    encode, at = media.dvpp_jpeg_encode_async, size.ctypes.data
    gone, _ = media.dvpp_malloc(1000)
    media.dvpp_free(gone)
    for wrong in (0, 5, source):
        assert encode(wrong, source, data, at, bench.config, 0) == Code.INVALID_PARAM
        assert encode(bench.via, source, data, at, wrong, 0) == Code.INVALID_PARAM
    assert encode(bench.via, 0, data, at, bench.config, 0) == Code.INVALID_PARAM
    assert encode(bench.via, source, 0, at, bench.config, 0) == Code.INVALID_PARAM
    assert encode(bench.via, source, data, 0, bench.config, 0) == Code.INVALID_PARAM
    assert encode(bench.via, source, gone, at, bench.config, 0) == Code.RT_PARAM_INVALID
    assert encode(bench.via, source, at, at, bench.config, 0) == Code.RT_PARAM_INVALID
    assert encode(bench.via, source, data, gone, bench.config, 0) == Code.RT_PARAM_INVALID
    size[0] = 1001
    assert encode(bench.via, source, data, at, bench.config, 0) == Code.RT_PARAM_INVALID
    assert media.dvpp_jpeg_predict_enc_size(source, 0) == (0, Code.INVALID_PARAM)
    assert media.dvpp_jpeg_predict_enc_size(0, bench.config) == (0, Code.INVALID_PARAM)
    for layout in (YUV400, RGB, YUV444):
        other = bench.memory.desc(layout, 64, 48, (192, 48))
        answer = media.dvpp_jpeg_predict_enc_size(other, bench.config)
        assert answer == (0, Code.INVALID_PARAM)
    tiny = bench.memory.desc(NV12, 30, 30, (32, 30))
    assert media.dvpp_jpeg_predict_enc_size(tiny, bench.config) == (0, Code.INVALID_PARAM)
    assert runtime.synchronize_stream(0) == 0


def png_of(picture: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("channels", "layout"), [(1, RGB), (3, RGB), (4, RGBA), (3, RGBA), (4, RGB)]
)
def test_png(bench: Bench, channels: int, layout: int) -> None:
    picture = noise(40, 50, channels) if channels > 1 else noise(40, 50)
    file = png_of(picture)
    assert media.dvpp_png_get_image_info(*host(file)) == (50, 40, channels, 0)
    pixel = 3 if layout == RGB else 4
    size, ret = media.dvpp_png_predict_dec_size(*host(file), layout)
    assert (size, ret) == (128 << 10, 0)
    target = media.dvpp_create_pic_desc()
    set_desc(target, bench.memory.block(size), size, layout, 50, 40, (128 * pixel, 48))
    data = bench.memory.block(file)
    assert media.dvpp_png_decode_async(bench.via, data, len(file), target, 0) == 0
    assert runtime.synchronize_stream(0) == 0
    found = held(target)[: 128 * pixel * 48].reshape(48, 128, pixel)[:40, :50]
    right = np.asarray(Image.fromarray(picture).convert("RGBA"))[..., :pixel]
    assert (found == right).all()


def test_png_that_is_none(bench: Bench) -> None:
    deep = png_of(noise(40, 50).astype(np.uint16))
    jpeg, whole = jpeg_of(smooth(40, 50)), png_of(noise(40, 50, 3))
    for wrong in (deep, jpeg, b"x" * 100, whole[:20]):
        assert media.dvpp_png_get_image_info(*host(wrong))[3] == Code.INVALID_PARAM
        assert media.dvpp_png_predict_dec_size(*host(wrong), RGB) == (0, Code.INVALID_PARAM)
    assert media.dvpp_png_predict_dec_size(*host(whole), NV12) == (0, Code.FORMAT_NOT_MATCH)
    target = bench.memory.desc(RGB, 50, 40, (160, 40))
    decode = media.dvpp_png_decode_async
    for wrong in (deep, jpeg, whole[: len(whole) // 2]):
        data = bench.memory.block(wrong)
        assert decode(bench.via, data, len(wrong), target, 0) == 0
        assert runtime.synchronize_stream(0) == Code.INVALID_PARAM
        assert media.dvpp_get_pic_desc_ret_code(target) == Code.INVALID_PARAM
    data = bench.memory.block(whole)
    media.dvpp_set_pic_desc_format(target, NV12)
    assert decode(bench.via, data, len(whole), target, 0) == Code.INVALID_PARAM
    media.dvpp_set_pic_desc_format(target, RGB)
    assert decode(bench.via, data, 0, target, 0) == Code.INVALID_PARAM
    assert decode(bench.via, host(whole)[0], len(whole), target, 0) == Code.RT_PARAM_INVALID
    assert decode(bench.via, data, len(whole), 0, 0) == Code.INVALID_PARAM
    small = bench.memory.desc(RGB, 50, 40, (160, 40), size=100)
    assert decode(bench.via, data, len(whole), small, 0) == 0
    assert runtime.synchronize_stream(0) == Code.INVALID_PARAM


def test_from_file_to_file(bench: Bench) -> None:
    """What a program does: decode, resize to the size of a model, encode again."""
    file = jpeg_of(smooth(120, 200), quality=95)
    width, height, _, _ = media.dvpp_jpeg_get_image_info(*host(file))
    size, _ = media.dvpp_jpeg_predict_dec_size(*host(file), NV12)
    full, small = media.dvpp_create_pic_desc(), bench.memory.desc(NV12, 96, 64, (96, 64))
    set_desc(full, bench.memory.block(size), size, NV12, width, height, (256, 128))
    data, out = bench.memory.block(file), bench.memory.block(1 << 20)
    config, count = media.dvpp_create_resize_config(), np.array([1 << 20], np.int32)
    assert media.dvpp_jpeg_decode_async(bench.via, data, len(file), full, 0) == 0
    assert media.dvpp_vpc_resize_async(bench.via, full, small, config, 0) == 0
    args = (bench.via, small, out, count.ctypes.data, bench.config, 0)
    assert media.dvpp_jpeg_encode_async(*args) == 0
    assert runtime.synchronize_stream(0) == 0
    made = Image.open(io.BytesIO(util.ptr_to_bytes(out, int(count[0])))).convert("RGB")
    right = Image.fromarray(smooth(120, 200)).resize((96, 64), Image.Resampling.BOX)
    assert np.abs(np.asarray(made).astype(int) - np.asarray(right)).mean() < 4
    assert media.dvpp_destroy_resize_config(config) == 0
    assert bytes_of(NV12, 256, 128) <= size
