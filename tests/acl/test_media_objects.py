"""acl.media: memory, descriptions, configurations, channels; libraries that may be missing."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
from media_tools import NV12, Memory, channel, jpeg_of, media, smooth

from gearshift.acl import memory as rt
from gearshift.acl import runtime, table
from gearshift.acl.call import ArgumentsError
from gearshift.acl.codes import Code
from gearshift.acl.system import get_recent_err_msg

# Every function that programs were seen to call.
CENSUS = """
dvpp_create_batch_pic_desc dvpp_create_channel dvpp_create_channel_desc dvpp_create_jpege_config
dvpp_create_pic_desc dvpp_create_resize_config dvpp_create_roi_config dvpp_create_stream_desc
dvpp_destroy_batch_pic_desc dvpp_destroy_channel dvpp_destroy_channel_desc dvpp_destroy_jpege_config
dvpp_destroy_pic_desc dvpp_destroy_resize_config dvpp_destroy_roi_config dvpp_destroy_stream_desc
dvpp_free dvpp_get_pic_desc dvpp_get_pic_desc_data dvpp_get_pic_desc_height
dvpp_get_pic_desc_ret_code dvpp_get_pic_desc_size dvpp_get_pic_desc_width dvpp_get_stream_desc_data
dvpp_get_stream_desc_ret_code dvpp_get_stream_desc_size dvpp_jpeg_decode_async
dvpp_jpeg_encode_async dvpp_jpeg_get_image_info dvpp_jpeg_predict_dec_size
dvpp_jpeg_predict_enc_size dvpp_malloc dvpp_set_jpege_config_level dvpp_set_pic_desc_data
dvpp_set_pic_desc_format dvpp_set_pic_desc_height dvpp_set_pic_desc_height_stride
dvpp_set_pic_desc_size dvpp_set_pic_desc_width dvpp_set_pic_desc_width_stride
dvpp_set_stream_desc_data dvpp_set_stream_desc_eos dvpp_set_stream_desc_format
dvpp_set_stream_desc_ret_code dvpp_set_stream_desc_size dvpp_set_stream_desc_timestamp
dvpp_vpc_batch_crop_and_paste_async dvpp_vpc_batch_crop_async dvpp_vpc_crop_and_paste_async
dvpp_vpc_crop_async dvpp_vpc_resize_async vdec_create_channel vdec_create_channel_desc
vdec_create_frame_config vdec_destroy_channel vdec_destroy_channel_desc vdec_destroy_frame_config
vdec_get_channel_desc_out_mode vdec_send_frame vdec_set_channel_desc_callback
vdec_set_channel_desc_channel_id vdec_set_channel_desc_entype vdec_set_channel_desc_out_mode
vdec_set_channel_desc_out_pic_format vdec_set_channel_desc_thread_id venc_create_channel
venc_create_channel_desc venc_create_frame_config venc_destroy_channel venc_destroy_channel_desc
venc_destroy_frame_config venc_get_frame_config_eos venc_get_frame_config_force_i_frame
venc_send_frame venc_set_channel_desc_callback venc_set_channel_desc_entype
venc_set_channel_desc_key_frame_interval venc_set_channel_desc_pic_format
venc_set_channel_desc_pic_height venc_set_channel_desc_pic_width venc_set_channel_desc_thread_id
venc_set_frame_config_eos venc_set_frame_config_force_i_frame
"""

# Each kind of object: its values, with one that can be set and one that cannot.
VALUES = {
    "dvpp_{}_pic_desc": {
        "data": (4096, 0), "size": (7, None), "format": (1, None), "width": (640, None),
        "height": (480, None), "width_stride": (640, None), "height_stride": (480, None),
        "ret_code": (5, None),
    },
    "dvpp_{}_stream_desc": {
        "data": (4096, 0), "size": (7, None), "format": (3, None), "timestamp": (1 << 40, None),
        "ret_code": (5, None), "eos": (1, None),
    },
    "dvpp_{}_resize_config": {"interpolation": (2, 5)},
    "dvpp_{}_jpege_config": {"level": (0, 101)},
    "venc_{}_frame_config": {"eos": (1, 2), "force_i_frame": (1, 2)},
    "vdec_{}_channel_desc": {
        "channel_id": (255, 256), "thread_id": (1 << 40, None), "callback": (print, None),
        "entype": (3, 4), "out_pic_format": (13, 0), "out_pic_width": (640, None),
        "out_pic_height": (480, None), "ref_frame_num": (2, None), "out_mode": (1, 2),
    },
    "venc_{}_channel_desc": {
        "thread_id": (1 << 40, None), "callback": (print, None), "entype": (3, 4),
        "pic_format": (2, 3), "pic_width": (640, None), "pic_height": (480, None),
        "key_frame_interval": (65536, 0), "buf_addr": (4096, None), "buf_size": (5 << 20, 4 << 20),
        "rc_mode": (2, 3), "src_rate": (120, 121), "max_bit_rate": (5000, None),
    },
}  # fmt: skip


def test_what_programs_call_is_there() -> None:
    called = set(CENSUS.split())
    assert len(called) == 83
    assert called <= set(table.functions("acl.media"))


@pytest.mark.parametrize("kind", VALUES)
def test_values(kind: str) -> None:
    make, destroy, get, set_ = (
        lambda *arguments, verb=verb, name="": getattr(media, kind.format(verb) + name)(*arguments)
        for verb in ("create", "destroy", "get", "set")
    )
    handle = make()
    assert handle
    for name, (good, bad) in VALUES[kind].items():
        assert set_(handle, good, name=f"_{name}") == 0
        if bad is not None:
            assert set_(handle, bad, name=f"_{name}") == Code.INVALID_PARAM
            assert "cannot be set" in (get_recent_err_msg() or "")
        assert set_(1, good, name=f"_{name}") == Code.INVALID_PARAM
        assert get(1, name=f"_{name}") == 0
    for name, (good, _) in VALUES[kind].items():
        assert get(handle, name=f"_{name}") == good, "each value is one of its own"
    other = make()
    assert destroy(handle) == 0
    assert destroy(handle) == Code.INVALID_PARAM
    assert destroy(0) == 0, "as the vendor's"
    assert destroy(other) == 0
    if kind != "venc_{}_frame_config":
        with pytest.raises(ArgumentsError, match="args parse failed"):
            set_(handle, "x", name=f"_{next(iter(VALUES[kind]))}")


def test_defaults() -> None:
    jpege, vdec = media.dvpp_create_jpege_config(), media.vdec_create_channel_desc()
    assert media.dvpp_get_jpege_config_level(jpege) == 100
    assert media.vdec_get_channel_desc_out_mode(vdec) == 0
    assert media.vdec_get_channel_desc_out_pic_format(vdec) == NV12
    assert media.dvpp_destroy_jpege_config(jpege) == 0
    assert media.vdec_destroy_channel_desc(vdec) == 0


def test_a_frame_configuration_is_one_for_both_ways() -> None:
    config = media.vdec_create_frame_config()
    assert media.venc_set_frame_config_eos(config, 1) == 0
    assert media.venc_get_frame_config_eos(config) == 1
    assert media.venc_destroy_frame_config(config) == 0
    assert media.vdec_destroy_frame_config(config) == Code.INVALID_PARAM


def test_areas() -> None:
    roi = media.dvpp_create_roi_config(0, 65535, 2, 11)
    assert roi
    assert media.dvpp_create_roi_config(0, 65536, 0, 11) == 0
    assert media.dvpp_create_roi_config(-1, 65535, 0, 11) == 0
    assert media.dvpp_set_roi_config(roi, 2, 21, 4, 13) == 0
    assert media.dvpp_set_roi_config(roi, 2, 21, 4, 1 << 16) == Code.INVALID_PARAM
    assert media.dvpp_set_roi_config(0, 2, 21, 4, 13) == Code.INVALID_PARAM
    for side in ("left", "right", "top", "bottom"):
        assert getattr(media, f"dvpp_set_roi_config_{side}")(roi, 7) == 0
        assert getattr(media, f"dvpp_set_roi_config_{side}")(roi, 1 << 16) == Code.INVALID_PARAM
    assert media.dvpp_destroy_roi_config(roi) == 0
    assert media.dvpp_destroy_roi_config(roi) == Code.INVALID_PARAM
    assert media.dvpp_destroy_roi_config(0) == 0


def test_memory_of_its_own_kind() -> None:
    address, ret = media.dvpp_malloc(100)
    assert ret == 0
    assert rt.free(address) == Code.RT_PARAM_INVALID
    assert rt.free_host(address) == Code.RT_PARAM_INVALID
    assert "dvpp memory" in (get_recent_err_msg() or "")
    assert media.dvpp_free(address + 32) == Code.RT_PARAM_INVALID
    assert media.dvpp_free(address) == 0
    assert media.dvpp_free(address) == Code.RT_PARAM_INVALID
    assert media.dvpp_free(0) == Code.INVALID_PARAM
    assert media.dvpp_malloc(0) == (0, Code.INVALID_PARAM)
    assert media.dvpp_malloc(1 << 60) == (0, Code.RT_MEMORY_ALLOCATION)
    device, _ = rt.malloc(100, 0)
    assert media.dvpp_free(device) == Code.RT_PARAM_INVALID
    assert rt.free(device) == 0
    runtime.reset_device(0)
    assert media.dvpp_malloc(100) == (0, Code.RT_CONTEXT_NULL)


def test_batches() -> None:
    assert media.dvpp_create_batch_pic_desc(0) == 0
    assert media.dvpp_create_batch_pic_desc(257) == 0
    batch = media.dvpp_create_batch_pic_desc(3)
    pictures = [media.dvpp_get_pic_desc(batch, index) for index in range(3)]
    assert len(set(pictures)) == 3
    assert all(pictures)
    assert pictures[1] == media.dvpp_get_pic_desc(batch, 1)
    assert media.dvpp_get_pic_desc(batch, 3) == 0
    assert media.dvpp_get_pic_desc(5, 0) == 0
    assert media.dvpp_set_pic_desc_width(pictures[2], 12) == 0
    assert media.dvpp_get_pic_desc_width(pictures[2]) == 12
    assert media.dvpp_destroy_batch_pic_desc(batch) == 0
    assert media.dvpp_get_pic_desc_width(pictures[2]) == 0
    assert media.dvpp_destroy_batch_pic_desc(batch) == Code.INVALID_PARAM
    assert media.dvpp_destroy_batch_pic_desc(0) == 0


def test_channels() -> None:
    desc = media.dvpp_create_channel_desc()
    assert media.dvpp_set_channel_desc_mode(desc, 7) == 0
    assert media.dvpp_set_channel_desc_mode(desc, 8) == Code.INVALID_PARAM
    assert media.dvpp_get_channel_desc_channel_id(desc) == 0
    assert media.dvpp_destroy_channel(desc) == Code.INVALID_PARAM
    assert media.dvpp_create_channel(desc) == 0
    assert media.dvpp_create_channel(desc) == Code.INVALID_PARAM
    assert media.dvpp_get_channel_desc_channel_id(desc) > 0
    assert media.dvpp_destroy_channel(desc) == 0
    assert media.dvpp_destroy_channel(desc) == Code.INVALID_PARAM
    assert media.dvpp_create_channel(desc) == 0, "the description can be used again"
    assert media.dvpp_destroy_channel_desc(desc) == 0
    assert media.dvpp_create_channel(desc) == Code.INVALID_PARAM
    other = media.dvpp_create_channel_desc()
    runtime.reset_device(0)
    assert media.dvpp_create_channel(other) == Code.RT_CONTEXT_NULL
    assert media.dvpp_destroy_channel_desc(other) == 0


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing of the extra were installed."""
    for name in ("av", "cv2", "PIL", "PIL.Image"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("bare")
def test_without_the_libraries() -> None:
    with pytest.raises(ImportError):
        importlib.import_module("PIL.Image")
    memory = Memory()
    first, second = (memory.desc(NV12, 64, 64, (64, 64)) for _ in range(2))
    file, size = memory.block(100), memory.block(4)
    roi, resize = media.dvpp_create_roi_config(0, 31, 0, 31), media.dvpp_create_resize_config()
    jpege = media.dvpp_create_jpege_config()
    vdec, venc = media.vdec_create_channel_desc(), media.venc_create_channel_desc()
    for name, desc in (("vdec", vdec), ("venc", venc)):
        getattr(media, f"{name}_set_channel_desc_thread_id")(desc, 1)
        getattr(media, f"{name}_set_channel_desc_callback")(desc, print)
    media.venc_set_channel_desc_pic_width(venc, 128)
    media.venc_set_channel_desc_pic_height(venc, 128)
    png = media.dvpp_create_pic_desc()
    media.dvpp_set_pic_desc_format(png, 12)
    with channel() as via:
        answers = {
            "info": media.dvpp_jpeg_get_image_info(file, 100),
            "info_v2": media.dvpp_jpeg_get_image_info_v2(file, 100),
            "predict": media.dvpp_jpeg_predict_dec_size(file, 100, NV12),
            "png_info": media.dvpp_png_get_image_info(file, 100),
            "png_predict": media.dvpp_png_predict_dec_size(file, 100, 12),
            "png": media.dvpp_png_decode_async(via, file, 100, png, 0),
            "decode": media.dvpp_jpeg_decode_async(via, file, 100, first, 0),
            "encode": media.dvpp_jpeg_encode_async(via, first, file, size, jpege, 0),
            "resize": media.dvpp_vpc_resize_async(via, first, second, resize, 0),
            "crop": media.dvpp_vpc_crop_async(via, first, second, roi, 0),
            "paste": media.dvpp_vpc_crop_and_paste_async(via, first, second, roi, roi, 0),
            "color": media.dvpp_vpc_convert_color_async(via, first, second, 0),
            "vdec": media.vdec_create_channel(vdec),
            "venc": media.venc_create_channel(venc),
        }
        for name, answer in answers.items():
            code = answer[-1] if isinstance(answer, tuple) else answer
            assert code == Code.FEATURE_UNSUPPORTED, name
    assert "pip install gearshift[media]" in (get_recent_err_msg() or "")
    memory.free()


def test_a_picture_is_needed_for_the_libraries_only() -> None:
    code = (
        "import sys; from gearshift.acl import table; media = table.functions('acl.media');"
        "print([name for name in ('av', 'cv2', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_operations_need_a_channel_and_a_context() -> None:
    memory = Memory()
    file = jpeg_of(smooth(64, 64))
    data, desc = memory.block(file), memory.desc(NV12, 64, 64, (128, 64))
    via = media.dvpp_create_channel_desc()
    assert media.dvpp_jpeg_decode_async(via, data, len(file), desc, 0) == Code.INVALID_PARAM
    assert "acl.media.dvpp_create_channel" in (get_recent_err_msg() or "")
    assert media.dvpp_jpeg_decode_async(0, data, len(file), desc, 0) == Code.INVALID_PARAM
    assert media.dvpp_create_channel(via) == 0
    assert media.dvpp_jpeg_decode_async(via, data, len(file), desc, 5) == Code.RT_PARAM_INVALID
    runtime.reset_device(0)
    assert media.dvpp_jpeg_decode_async(via, data, len(file), desc, 0) == Code.RT_CONTEXT_NULL
    assert media.dvpp_destroy_channel_desc(via) == 0
    memory.free()
