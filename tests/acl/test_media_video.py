"""acl.media: video both ways, with a thread for reports as programs write it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from media_tools import BGR, NV12, NV21, RGB, Memory, bytes_of, held, media, set_desc, smooth

from gearshift.acl import callbacks, runtime, util
from gearshift.acl.codes import Code
from gearshift.acl.media import video as media_video
from gearshift.acl.system import get_recent_err_msg

WIDTH, HEIGHT = 160, 128
H265, BASELINE, MAIN, HIGH = range(4)


class Reports:
    """A thread that takes reports until it is told to stop."""

    def __init__(self) -> None:
        self.stop = False
        self.thread, ret = util.start_thread(self._loop, [runtime.get_context()[0]])
        assert ret == 0

    def _loop(self, arguments: list[int]) -> None:
        runtime.set_context(arguments[0])
        while not self.stop:
            callbacks.process_report(20)

    def end(self) -> None:
        self.stop = True
        assert util.stop_thread(self.thread) == 0


@pytest.fixture
def reports() -> Iterator[Reports]:
    made = Reports()
    yield made
    made.end()


@pytest.fixture
def memory() -> Iterator[Memory]:
    made = Memory()
    yield made
    made.free()


def picture(number: int) -> np.ndarray:
    """Planes of frame `number`, which differ from those of the others."""
    y = smooth(HEIGHT, WIDTH, 1, seed=number)
    u, v = (np.full((HEIGHT // 2, WIDTH // 2), base + 4 * number, np.uint8) for base in (60, 120))
    return np.concatenate((y.ravel(), u.ravel(), v.ravel())).reshape(-1, WIDTH)


def coded(codec: str, count: int, **options: str) -> list[bytes]:
    """The frames of a small film, one piece of data each, in the order of the stream."""
    encoder = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(25), Fraction(1, 25)
    encoder.thread_count = 1
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    encoder.options = {"crf": "5"} | quiet | options
    packets = []
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(picture(number), format="yuv420p")
        frame.pts = number
        packets += encoder.encode(frame)
    return [bytes(packet) for packet in packets + encoder.encode(None)]


class Decoder:
    """A channel, and what its callback was given."""

    def __init__(self, reports: Reports, memory: Memory, entype: int, layout: int = NV12) -> None:
        self.memory, self.layout = memory, layout
        self.got: list[tuple[Any, int, np.ndarray, int]] = []
        self.freed: list[tuple[int, int]] = []
        self.desc = media.vdec_create_channel_desc()
        assert media.vdec_set_channel_desc_channel_id(self.desc, 10) == 0
        assert media.vdec_set_channel_desc_thread_id(self.desc, reports.thread) == 0
        assert media.vdec_set_channel_desc_callback(self.desc, self.callback) == 0
        assert media.vdec_set_channel_desc_entype(self.desc, entype) == 0
        assert media.vdec_set_channel_desc_out_pic_format(self.desc, layout) == 0

    def callback(self, stream: int, target: int, data: object) -> None:
        code = media.dvpp_get_pic_desc_ret_code(target) if target else 0
        content = held(target) if target else np.zeros(0, np.uint8)
        self.got.append((data, code, content, threading.get_ident()))
        self.freed.append((stream, target))
        assert media.dvpp_destroy_stream_desc(stream) == 0
        assert media.dvpp_destroy_pic_desc(target) == 0

    def stream(self, data: bytes) -> int:
        desc = media.dvpp_create_stream_desc()
        assert media.dvpp_set_stream_desc_data(desc, self.memory.block(data)) == 0
        assert media.dvpp_set_stream_desc_size(desc, len(data)) == 0
        return desc

    def target(self) -> int:
        """As clients describe it: where it goes, and nothing else."""
        desc = media.dvpp_create_pic_desc()
        size = bytes_of(self.layout, WIDTH * (3 if self.layout in (RGB, BGR) else 1), HEIGHT)
        assert media.dvpp_set_pic_desc_data(desc, self.memory.block(size)) == 0
        assert media.dvpp_set_pic_desc_size(desc, size) == 0
        return desc

    def send(self, data: bytes, user: object, config: int = 0) -> int:
        return media.vdec_send_frame(self.desc, self.stream(data), self.target(), config, user)

    def finish(self) -> int:
        """Sends the end; by then every picture was reported."""
        desc = media.dvpp_create_stream_desc()
        assert media.dvpp_set_stream_desc_eos(desc, 1) == 0
        ret = media.vdec_send_frame(self.desc, desc, 0, 0, None)
        assert media.dvpp_destroy_stream_desc(desc) == 0
        return int(ret)

    def destroy(self) -> None:
        assert media.vdec_destroy_channel(self.desc) == 0
        assert media.vdec_destroy_channel_desc(self.desc) == 0


def near(content: np.ndarray, number: int, swapped: bool = False) -> None:
    """Whether it is the frame of that number."""
    right = picture(number).astype(int)
    y, chroma = right[:HEIGHT], right[HEIGHT:].reshape(2, -1)
    found = content[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)
    assert np.abs(found - y).mean() < 2, number
    pairs = content[WIDTH * HEIGHT :].reshape(-1, 2).T.astype(int)
    assert np.abs(pairs - (chroma[::-1] if swapped else chroma)).mean() < 2, number


KINDS = [("libx264", MAIN), ("libx264", HIGH), ("libx265", H265)]


@pytest.mark.parametrize("layout", [NV12, NV21])
@pytest.mark.parametrize(("codec", "entype"), KINDS)
def test_decoding(reports: Reports, memory: Memory, codec: str, entype: int, layout: int) -> None:
    decoder = Decoder(reports, memory, entype, layout)
    assert media.vdec_create_channel(decoder.desc) == 0
    for number, data in enumerate(coded(codec, 8, tune="zerolatency")):
        assert decoder.send(data, ["frame", number]) == 0
    assert decoder.finish() == 0
    assert [user for user, *_ in decoder.got] == [["frame", number] for number in range(8)]
    for number, (_, code, content, thread) in enumerate(decoder.got):
        assert code == 0
        assert thread == reports.thread
        near(content, number, swapped=layout == NV21)
    decoder.destroy()


def test_what_the_description_is_told(reports: Reports, memory: Memory) -> None:
    seen = []

    def callback(stream: int, target: int, data: object) -> None:
        names = "format width height width_stride height_stride ret_code"
        seen.append([getattr(media, f"dvpp_get_pic_desc_{n}")(target) for n in names.split()])

    decoder = Decoder(reports, memory, MAIN)
    assert media.vdec_set_channel_desc_callback(decoder.desc, callback) == 0
    assert media.vdec_create_channel(decoder.desc) == 0
    target = decoder.target()
    data = coded("libx264", 1, tune="zerolatency")[0]
    assert media.vdec_send_frame(decoder.desc, decoder.stream(data), target, 0, None) == 0
    assert decoder.finish() == 0
    assert seen == [[NV12, WIDTH, HEIGHT, WIDTH, HEIGHT, 0]]
    decoder.destroy()


@pytest.mark.parametrize("layout", [RGB, BGR])
def test_decoding_to_colour(reports: Reports, memory: Memory, layout: int) -> None:
    decoder = Decoder(reports, memory, MAIN, layout)
    assert media.vdec_create_channel(decoder.desc) == 0
    assert decoder.send(coded("libx264", 1, tune="zerolatency")[0], 0) == 0
    assert decoder.finish() == 0
    (_, code, content, _) = decoder.got[0]
    assert code == 0
    y = picture(0)[:HEIGHT].astype(float)
    right = np.clip(
        np.dstack((y + 1.402 * -8, y + 0.344 * 68 + 0.714 * 8, y + 1.772 * -68)), 0, 255
    )
    found = content.reshape(HEIGHT, WIDTH, 3)
    assert np.abs(found - (right if layout == RGB else right[..., ::-1])).mean() < 4
    decoder.destroy()


@pytest.mark.parametrize(("codec", "entype"), KINDS[1:])
def test_frames_that_refer_to_later_ones(
    reports: Reports, memory: Memory, codec: str, entype: int
) -> None:
    """The callback gets the place that was sent with the data of the picture."""
    frames = coded(codec, 12)
    decoder = Decoder(reports, memory, entype)
    assert media.vdec_create_channel(decoder.desc) == 0
    for number, data in enumerate(frames):
        assert decoder.send(data, number) == 0
    assert decoder.finish() == 0
    order = [user for user, *_ in decoder.got]
    assert sorted(order) == list(range(12))
    assert order != sorted(order), "it is the order of display, the data came in another"
    for number, (_, code, content, _) in enumerate(decoder.got):
        assert code == 0
        near(content, number)
    decoder.destroy()


def test_pictures_in_the_order_of_the_data(reports: Reports, memory: Memory) -> None:
    decoder = Decoder(reports, memory, HIGH)
    assert media.vdec_set_channel_desc_out_mode(decoder.desc, 1) == 0
    assert media.vdec_create_channel(decoder.desc) == 0
    for number, data in enumerate(coded("libx264", 8, bf="0")):
        assert decoder.send(data, number) == 0
        deadline = time.monotonic() + 10
        while len(decoder.got) <= number and time.monotonic() < deadline:
            time.sleep(0.001)
        assert len(decoder.got) == number + 1, "it is there before the next one is sent"
    assert decoder.finish() == 0
    decoder.destroy()


def test_a_channel_goes_on_after_the_end(reports: Reports, memory: Memory) -> None:
    decoder = Decoder(reports, memory, MAIN)
    assert media.vdec_create_channel(decoder.desc) == 0
    frames = coded("libx264", 3, tune="zerolatency")
    for _ in range(2):
        for data in frames:
            assert decoder.send(data, None) == 0
        assert decoder.finish() == 0
        assert decoder.finish() == 0
    assert [code for _, code, *_ in decoder.got] == [0] * 6
    decoder.destroy()


def test_destroying_a_channel_waits_for_its_pictures(reports: Reports, memory: Memory) -> None:
    decoder = Decoder(reports, memory, HIGH)
    assert media.vdec_create_channel(decoder.desc) == 0
    for number, data in enumerate(coded("libx264", 6)):
        assert decoder.send(data, number) == 0
    decoder.destroy()
    assert len(decoder.got) == 6


def test_skipped_frames(reports: Reports, memory: Memory) -> None:
    decoder = Decoder(reports, memory, MAIN)
    assert media.vdec_create_channel(decoder.desc) == 0
    config = media.vdec_create_frame_config()
    for number, data in enumerate(coded("libx264", 4, tune="zerolatency")):
        if number % 2:
            assert decoder.send(data, number, config) == 0
        else:
            stream = decoder.stream(data)
            assert media.vdec_send_skipped_frame(decoder.desc, stream, config, number) == 0
    assert decoder.finish() == 0
    assert [user for user, *_ in decoder.got] == [0, 1, 2, 3]
    assert [bool(target) for _, target in decoder.freed] == [False, True, False, True]
    near(decoder.got[3][2], 3)
    decoder.destroy()
    assert media.vdec_destroy_frame_config(config) == 0


def test_data_that_is_no_picture(reports: Reports, memory: Memory) -> None:
    first, second = coded("libx264", 2, tune="zerolatency")
    head = first[: first.index(b"\0\0\1\x65")]
    damaged = first[: len(first) // 2] + bytes(len(first) - len(first) // 2)
    decoder = Decoder(reports, memory, MAIN)
    assert media.vdec_create_channel(decoder.desc) == 0
    for name, data in {
        "rubbish": b"x" * 50, "start": b"\0\0\1", "head": head, "alone": second[:12],
        "first": first, "second": second,
    }.items():  # fmt: skip
        assert decoder.send(data, name) == 0
    assert decoder.finish() == 0
    codes = {user: code for user, code, *_ in decoder.got}
    assert set(codes) == {"rubbish", "start", "head", "alone", "first", "second"}
    assert codes["first"] == codes["second"] == 0
    for name in ("rubbish", "start", "head"):
        assert codes[name] == Code.INVALID_PARAM
    assert codes["alone"] == Code.FAILURE
    assert decoder.send(damaged, "damaged") == 0
    assert decoder.finish() == 0
    assert len(decoder.got) == 7
    decoder.destroy()


def test_a_place_that_is_too_small(reports: Reports, memory: Memory) -> None:
    decoder = Decoder(reports, memory, MAIN)
    assert media.vdec_create_channel(decoder.desc) == 0
    data = coded("libx264", 1, tune="zerolatency")[0]
    small, other = decoder.target(), decoder.target()
    assert media.dvpp_set_pic_desc_size(small, WIDTH * HEIGHT) == 0
    assert media.dvpp_set_pic_desc_width(other, WIDTH - 32) == 0
    for target in (small, other):
        assert media.vdec_send_frame(decoder.desc, decoder.stream(data), target, 0, None) == 0
        assert decoder.finish() == 0
    assert [code for _, code, *_ in decoder.got] == [Code.INVALID_PARAM] * 2
    decoder.destroy()


def test_wrong_arguments_of_decoding(reports: Reports, memory: Memory) -> None:
    decoder = Decoder(reports, memory, MAIN)
    desc, target, stream = decoder.desc, decoder.target(), decoder.stream(b"\0\0\1\x65data")
    send = media.vdec_send_frame
    assert send(desc, stream, target, 0, None) == Code.INVALID_PARAM
    assert "was not created" in (get_recent_err_msg() or "")
    assert media.vdec_destroy_channel(desc) == Code.INVALID_PARAM
    bare = media.vdec_create_channel_desc()
    assert media.vdec_create_channel(bare) == Code.INVALID_PARAM
    assert media.vdec_create_channel(0) == Code.INVALID_PARAM
    assert media.vdec_create_channel(desc) == 0
    assert media.vdec_create_channel(desc) == Code.INVALID_PARAM
    for wrong in (0, 5, target):
        assert send(wrong, stream, target, 0, None) == Code.INVALID_PARAM
        assert send(desc, wrong, target, 0, None) == Code.INVALID_PARAM
    for wrong in (0, 5, stream):
        assert send(desc, stream, wrong, 0, None) == Code.INVALID_PARAM
    assert send(desc, stream, target, 5, None) == Code.INVALID_PARAM
    empty = media.dvpp_create_stream_desc()
    assert send(desc, empty, target, 0, None) == Code.INVALID_PARAM
    gone, _ = media.dvpp_malloc(100)
    media.dvpp_free(gone)
    media.dvpp_set_stream_desc_data(empty, gone)
    media.dvpp_set_stream_desc_size(empty, 100)
    assert send(desc, empty, target, 0, None) == Code.RT_PARAM_INVALID
    media.dvpp_set_pic_desc_size(target, 1 << 30)
    assert send(desc, stream, target, 0, None) == Code.RT_PARAM_INVALID
    runtime.reset_device(0)
    media.dvpp_set_pic_desc_size(target, 100)
    assert send(desc, stream, target, 0, None) == Code.RT_CONTEXT_NULL
    runtime.set_device(0)
    decoder.destroy()
    assert decoder.got == []
    assert media.vdec_destroy_channel_desc(bare) == 0


def test_reports_that_nobody_takes(monkeypatch: pytest.MonkeyPatch, memory: Memory) -> None:
    monkeypatch.setattr(media_video, "WAIT_SECONDS", 0.05)

    class Nobody:
        thread = 4711

    decoder = Decoder(Nobody(), memory, MAIN)  # type: ignore[arg-type]
    assert media.vdec_create_channel(decoder.desc) == 0
    assert decoder.send(coded("libx264", 1, tune="zerolatency")[0], 0) == 0
    assert decoder.finish() == Code.RT_WAIT_TIMEOUT
    decoder.destroy()
    assert decoder.got == []


class Encoder:
    """A channel, and what its callback was given."""

    def __init__(self, reports: Reports, memory: Memory, entype: int, layout: int = NV12) -> None:
        self.memory, self.layout = memory, layout
        self.got: list[tuple[Any, int, bytes, int]] = []
        self.desc = media.venc_create_channel_desc()
        self.config = media.venc_create_frame_config()
        for name, value in {
            "thread_id": reports.thread, "callback": self.callback, "entype": entype,
            "pic_format": layout, "pic_width": WIDTH, "pic_height": HEIGHT,
            "key_frame_interval": 4,
        }.items():  # fmt: skip
            assert getattr(media, f"venc_set_channel_desc_{name}")(self.desc, value) == 0

    def callback(self, source: int, stream: int, data: object) -> None:
        code = media.dvpp_get_stream_desc_ret_code(stream)
        at, size = (getattr(media, f"dvpp_get_stream_desc_{n}")(stream) for n in ("data", "size"))
        assert media.dvpp_get_pic_desc_ret_code(source) == code
        file = util.ptr_to_bytes(at, size) if size else b""
        self.got.append((data, code, file, threading.get_ident()))

    def source(self, number: int) -> int:
        planes = picture(number)
        y, (u, v) = planes[:HEIGHT], planes[HEIGHT:].reshape(2, -1)
        pair = (u, v) if self.layout == NV12 else (v, u)
        content = np.concatenate((y.ravel(), np.stack(pair, -1).ravel()))
        desc = media.dvpp_create_pic_desc()
        assert media.dvpp_set_pic_desc_data(desc, self.memory.block(content)) == 0
        assert media.dvpp_set_pic_desc_size(desc, content.nbytes) == 0
        return desc

    def send(self, source: int, user: object = None) -> int:
        return media.venc_send_frame(self.desc, source, 0, self.config, user)

    def finish(self) -> int:
        assert media.venc_set_frame_config_eos(self.config, 1) == 0
        ret = media.venc_send_frame(self.desc, 0, 0, self.config, None)
        assert media.venc_set_frame_config_eos(self.config, 0) == 0
        return int(ret)

    def destroy(self) -> None:
        assert media.venc_destroy_channel(self.desc) == 0
        assert media.venc_destroy_channel_desc(self.desc) == 0
        assert media.venc_destroy_frame_config(self.config) == 0


def frames_of(files: list[bytes], entype: int) -> list[tuple[bool, np.ndarray]]:
    """Whether each stands for itself, and its planes."""
    decoder = av.CodecContext.create("hevc" if entype == H265 else "h264", "r")
    decoder.thread_count = 1
    frames = [frame for file in files for frame in decoder.decode(av.Packet(file))]
    frames += decoder.decode(None)
    return [(frame.key_frame, frame.to_ndarray(format="yuv420p")) for frame in frames]


@pytest.mark.parametrize("layout", [NV12, NV21])
@pytest.mark.parametrize("entype", range(4))
def test_encoding(reports: Reports, memory: Memory, entype: int, layout: int) -> None:
    encoder = Encoder(reports, memory, entype, layout)
    assert media.venc_create_channel(encoder.desc) == 0
    for number in range(6):
        assert encoder.send(encoder.source(number), number) == 0
    assert encoder.finish() == 0
    assert [(user, code) for user, code, *_ in encoder.got] == [(n, 0) for n in range(6)]
    assert {thread for *_, thread in encoder.got} == {reports.thread}
    first = encoder.got[0][2]
    if entype != H265:
        assert first[first.index(b"\0\0\1\x67") + 4] == {BASELINE: 66, MAIN: 77, HIGH: 100}[entype]
    frames = frames_of([file for _, _, file, _ in encoder.got], entype)
    assert len(frames) == 6
    assert [key for key, _ in frames][:5] == [True, False, False, False, True]
    for number, (_, found) in enumerate(frames):
        assert np.abs(found.astype(int) - picture(number)).mean() < 3
    encoder.destroy()


def test_a_frame_may_be_made_to_stand_for_itself(reports: Reports, memory: Memory) -> None:
    encoder = Encoder(reports, memory, MAIN)
    for name, value in {"key_frame_interval": 100, "src_rate": 30, "max_bit_rate": 4000}.items():
        assert getattr(media, f"venc_set_channel_desc_{name}")(encoder.desc, value) == 0
    assert media.venc_create_channel(encoder.desc) == 0
    for number in range(5):
        assert media.venc_set_frame_config_force_i_frame(encoder.config, int(number == 3)) == 0
        assert encoder.send(encoder.source(number)) == 0
    assert encoder.finish() == 0
    frames = frames_of([file for _, _, file, _ in encoder.got], MAIN)
    assert [key for key, _ in frames] == [True, False, False, True, False]
    encoder.destroy()


def test_strides_of_what_is_encoded(reports: Reports, memory: Memory) -> None:
    encoder = Encoder(reports, memory, MAIN)
    assert media.venc_create_channel(encoder.desc) == 0
    content = np.full((192 * 3 // 2, 192), 9, np.uint8)
    content[:HEIGHT, :WIDTH] = picture(0)[:HEIGHT]
    content[192 : 192 + HEIGHT // 2, :WIDTH] = 128
    desc = media.dvpp_create_pic_desc()
    set_desc(desc, memory.block(content), content.nbytes, 0, 0, 0, (192, 192))
    assert encoder.send(desc) == 0
    assert encoder.finish() == 0
    ((_, found),) = frames_of([encoder.got[0][2]], MAIN)
    assert np.abs(found[:HEIGHT].astype(int) - picture(0)[:HEIGHT]).mean() < 3
    assert np.abs(found[HEIGHT:].astype(int) - 128).max() <= 2
    encoder.destroy()


def test_the_buffer_stays_while_the_callback_runs(reports: Reports, memory: Memory) -> None:
    encoder = Encoder(reports, memory, MAIN)
    answers = []

    def callback(source: int, stream: int, data: object) -> None:
        at, size = (getattr(media, f"dvpp_get_stream_desc_{n}")(stream) for n in ("data", "size"))
        before = util.ptr_to_bytes(at, size)
        time.sleep(0.02)
        answers.append(before == util.ptr_to_bytes(at, size))

    media.venc_set_channel_desc_callback(encoder.desc, callback)
    assert media.venc_create_channel(encoder.desc) == 0
    for number in range(5):
        assert encoder.send(encoder.source(number)) == 0
    encoder.destroy()
    assert answers == [True] * 5


def test_a_buffer_of_the_programs_own(reports: Reports, memory: Memory) -> None:
    encoder = Encoder(reports, memory, MAIN)
    room = 5 << 20
    buffer = memory.block(room)
    assert media.venc_set_channel_desc_buf_addr(encoder.desc, buffer) == 0
    assert media.venc_create_channel(encoder.desc) == Code.INVALID_PARAM, "its size is missing"
    assert media.venc_set_channel_desc_buf_size(encoder.desc, room + 1) == 0
    assert media.venc_create_channel(encoder.desc) == Code.RT_PARAM_INVALID
    assert media.venc_set_channel_desc_buf_size(encoder.desc, room) == 0
    assert media.venc_create_channel(encoder.desc) == 0
    assert encoder.send(encoder.source(0)) == 0
    assert encoder.finish() == 0
    (_, code, file, _) = encoder.got[0]
    assert code == 0
    assert util.ptr_to_bytes(buffer, len(file)) == file
    encoder.destroy()


def test_wrong_arguments_of_encoding(reports: Reports, memory: Memory) -> None:
    encoder = Encoder(reports, memory, MAIN)
    desc, source, config = encoder.desc, encoder.source(0), encoder.config
    assert encoder.send(source) == Code.INVALID_PARAM, "there is no channel yet"
    assert media.venc_destroy_channel(desc) == Code.INVALID_PARAM
    for name, wrong in (("pic_width", 100), ("pic_height", 129), ("pic_width", 5000)):
        setter = getattr(media, f"venc_set_channel_desc_{name}")
        assert setter(desc, wrong) == 0
        assert media.venc_create_channel(desc) == Code.INVALID_PARAM
        assert "even, from 128 to 4096" in (get_recent_err_msg() or "")
        assert setter(desc, WIDTH if name == "pic_width" else HEIGHT) == 0
    assert media.venc_create_channel(0) == Code.INVALID_PARAM
    assert media.venc_create_channel(desc) == 0
    assert media.venc_create_channel(desc) == Code.INVALID_PARAM
    send = media.venc_send_frame
    for wrong in (0, 5, source):
        assert send(wrong, source, 0, config, None) == Code.INVALID_PARAM
        assert send(desc, source, 0, wrong, None) == Code.INVALID_PARAM
    for wrong in (0, 5, config):
        assert send(desc, wrong, 0, config, None) == Code.INVALID_PARAM
    assert media.dvpp_set_pic_desc_size(source, WIDTH * HEIGHT) == 0
    assert send(desc, source, 0, config, None) == Code.INVALID_PARAM
    gone, _ = media.dvpp_malloc(WIDTH * HEIGHT * 2)
    media.dvpp_free(gone)
    media.dvpp_set_pic_desc_size(source, WIDTH * HEIGHT * 2)
    media.dvpp_set_pic_desc_data(source, gone)
    assert send(desc, source, 0, config, None) == Code.RT_PARAM_INVALID
    encoder.destroy()
    assert encoder.got == []


@pytest.mark.parametrize("entype", [H265, MAIN])
def test_from_pictures_to_pictures(reports: Reports, memory: Memory, entype: int) -> None:
    encoder, decoder = Encoder(reports, memory, entype), Decoder(reports, memory, entype)
    assert media.venc_create_channel(encoder.desc) == 0
    assert media.vdec_create_channel(decoder.desc) == 0
    for number in range(5):
        assert encoder.send(encoder.source(number), number) == 0
    assert encoder.finish() == 0
    for user, _, file, _ in encoder.got:
        assert decoder.send(file, user) == 0
    assert decoder.finish() == 0
    assert [user for user, *_ in decoder.got] == list(range(5))
    for number, (_, code, content, _) in enumerate(decoder.got):
        assert code == 0
        assert (
            np.abs(
                content[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH).astype(int)
                - picture(number)[:HEIGHT]
            ).mean()
            < 3
        )
    encoder.destroy()
    decoder.destroy()


def test_a_description_takes_its_channel_along(reports: Reports, memory: Memory) -> None:
    encoder, decoder = Encoder(reports, memory, MAIN), Decoder(reports, memory, MAIN)
    assert media.venc_create_channel(encoder.desc) == 0
    assert media.vdec_create_channel(decoder.desc) == 0
    assert encoder.send(encoder.source(0)) == 0
    assert media.venc_destroy_channel_desc(encoder.desc) == 0
    assert decoder.send(encoder.got[0][2], 0) == 0
    assert media.vdec_destroy_channel_desc(decoder.desc) == 0
    assert len(decoder.got) == 1
    assert media.venc_destroy_frame_config(encoder.config) == 0


def test_a_channel_may_be_made_again(reports: Reports, memory: Memory) -> None:
    encoder = Encoder(reports, memory, MAIN)
    for _ in range(3):
        assert media.venc_create_channel(encoder.desc) == 0
        assert encoder.send(encoder.source(0)) == 0
        assert media.venc_destroy_channel(encoder.desc) == 0
    assert len(encoder.got) == 3
    assert media.venc_destroy_channel_desc(encoder.desc) == 0
    assert media.venc_destroy_frame_config(encoder.config) == 0
