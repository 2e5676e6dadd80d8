"""JPEG files: what their headers say, decoding and encoding.

A JPEG holds luma and chroma of BT.601 in full range, and so do the pictures here: both ways the
planes go over as they are, and colour is converted only for a program that wants RGB. PyAV decodes,
because it hands out the planes of the file; Pillow encodes, because its quality is libjpeg's.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import numpy as np

from gearshift.acl.blocks import BLOCKS
from gearshift.acl.call import ADDRESS, INT, UINT, Refusal, beside, public
from gearshift.acl.codes import Code
from gearshift.acl.media.channels import submit
from gearshift.acl.media.configs import JPEGES
from gearshift.acl.media.descs import PICTURES, PictureDesc
from gearshift.acl.media.files import (
    COUNT_STEP,
    ROW_STEP,
    check_file,
    decode_later,
    decoded_size,
    file_at,
    opened,
)
from gearshift.acl.media.frames import frame_planes, place
from gearshift.acl.media.library import RESIZING, STILLS, VIDEO, needed
from gearshift.acl.media.memory import aligned, bytes_at, picture
from gearshift.acl.media.pictures import (
    LAYOUTS,
    NV12,
    NV21,
    RGBA,
    Layout,
    Pixels,
    Planes,
)

SMALLEST: Final = (32, 32)
UNKNOWN_SAMPLING: Final = 1000
_OUT: Final = tuple(layout for layout in LAYOUTS.values() if layout is not RGBA)
_IN: Final = (NV12, NV21)
_HEADER_BYTES: Final = 640 + 128
_MEGABYTES: Final = 2 << 20
# The vendor's numbers, by how often luma is sampled across and down for one chroma.
_SAMPLINGS: Final = {(1, 1): 0, (2, 1): 1, (2, 2): 2, (1, 2): 4, (4, 1): 5}
_GRAY: Final = 3


@dataclass(frozen=True)
class Header:
    """What a file says of its picture.

    Attributes:
        width: pixels of a row.
        height: rows.
        components: 1 for gray, 3 for colour.
        sampling: the vendor's number of how chroma is sampled; 1000 if it has none.
        progressive: whether it comes in several scans.
    """

    width: int
    height: int
    components: int
    sampling: int
    progressive: bool


def header_of(data: bytes) -> Header:
    """What a JPEG says of itself."""
    image = opened(data, "JPEG")
    components = [(across, down) for _, across, down, _ in image.layer]
    if not all(across and down for across, down in components):
        raise Refusal(Code.INVALID_PARAM, "a JPEG with a component that is never sampled")
    sampling = _GRAY
    if len(components) > 1:
        first, *others = components
        ratios = {(first[0] / across, first[1] / down) for across, down in others}
        sampling = _SAMPLINGS.get(ratios.pop(), UNKNOWN_SAMPLING) if len(ratios) == 1 else 1000
    progressive = bool(image.info.get("progressive"))
    return Header(image.width, image.height, len(components), sampling, progressive)


@public("acl.media.dvpp_jpeg_get_image_info", ADDRESS, UINT, failed=beside(0, 0, 0))
def dvpp_jpeg_get_image_info(data: int, size: int) -> tuple[int, int, int, int]:
    """What a JPEG says of itself.

    Args:
        data: where the file lies, on the host or the device.
        size: its bytes.

    Returns:
        (width, height, components, 0); 100000 if it is no JPEG, 107000 for memory that cannot be
        read, 200006 without Pillow.
    """
    header = header_of(file_at(data, size))
    return header.width, header.height, header.components, 0


@public(
    "acl.media.dvpp_jpeg_get_image_info_v2",
    ADDRESS,
    UINT,
    failed=beside(0, 0, 0, UNKNOWN_SAMPLING),
)
def dvpp_jpeg_get_image_info_v2(data: int, size: int) -> tuple[int, int, int, int, int]:
    """What a JPEG says of itself, with how its chroma is sampled.

    Args:
        data: where the file lies, on the host or the device.
        size: its bytes.

    Returns:
        (width, height, components, sampling, 0): sampling is 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0,
        3 for gray, 4 for 4:4:0, 5 for 4:1:1, 1000 for another; codes as `dvpp_jpeg_get_image_info`.
    """
    header = header_of(file_at(data, size))
    return header.width, header.height, header.components, header.sampling, 0


@public("acl.media.dvpp_jpeg_predict_dec_size", ADDRESS, UINT, INT, failed=beside(0))
def dvpp_jpeg_predict_dec_size(data: int, size: int, layout: int) -> tuple[int, int]:
    """Memory that a decoded JPEG takes, with rows of a multiple of 128 and 16 of them.

    Args:
        data: where the file lies, on the host or the device.
        size: its bytes.
        layout: the vendor's number of the format that it is decoded to.

    Returns:
        (bytes, 0); 100027 for a format it is not decoded to, codes as `dvpp_jpeg_get_image_info`.
    """
    header = header_of(file_at(data, size))
    return decoded_size(layout, header.width, header.height, _OUT), 0


@public("acl.media.dvpp_jpeg_decode_async", ADDRESS, ADDRESS, UINT, ADDRESS, ADDRESS)
def dvpp_jpeg_decode_async(channel: int, data: int, size: int, target: int, stream: int) -> int:
    """Decodes a JPEG when a stream comes to it.

    The picture keeps the strides that its description carries, and what lies beside it in memory.
    An odd size becomes the next smaller even one where chroma is shared; the description tells.

    Args:
        channel: handle of a channel description whose channel is there.
        data: where the file lies, in memory of the device.
        size: its bytes.
        target: picture description of where it goes; sizes and strides of 0 are filled in.
        stream: its handle; 0 is the default one of the context.

    Returns:
        0; 100000 for a wrong handle, picture or size, 107000 for memory that was freed or is not of
        the device, 200006 without PyAV; for what the file turns out to be, 100000 and for a
        progressive one 200006, from `acl.rt.synchronize_stream`.
    """
    for library in (STILLS, VIDEO, RESIZING):
        needed(library)
    desc = PICTURES.get(target)
    check_file(data, size)
    if desc.width and desc.height:
        picture(desc, _OUT, SMALLEST)
    decode_later(channel, stream, (data, size), desc, decode_into)
    return 0


def decode_into(desc: PictureDesc, data: bytes) -> None:
    """Decodes a JPEG into the picture of a description, which is then told its size."""
    header = header_of(data)
    if header.progressive:
        raise Refusal(Code.FEATURE_UNSUPPORTED, "a progressive JPEG, which DVPP does not decode")
    place(desc, *planes_of(data), SMALLEST, (ROW_STEP, COUNT_STEP))


def planes_of(data: bytes) -> tuple[Planes, Layout]:
    """The planes of a JPEG as the file has them, and how its chroma is shared."""
    av = needed(VIDEO)
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.thread_count = 1
    decoder.options = {"err_detect": "explode"}
    try:
        frames = decoder.decode(av.Packet(data)) + decoder.decode(None)
    except (av.error.FFmpegError, EOFError) as error:
        raise Refusal(Code.INVALID_PARAM, f"the JPEG cannot be decoded: {error}") from error
    if len(frames) != 1 or frames[0].is_corrupt:
        raise Refusal(Code.INVALID_PARAM, "the JPEG cannot be decoded to the end")
    return frame_planes(frames[0])


@public("acl.media.dvpp_jpeg_predict_enc_size", ADDRESS, ADDRESS, failed=beside(0))
def dvpp_jpeg_predict_enc_size(source: int, config: int) -> tuple[int, int]:
    """Memory that is enough for a picture as a JPEG: what it takes itself and a header, in 2 MiB.

    Args:
        source: picture description of what will be encoded.
        config: JPEG encoding configuration.

    Returns:
        (bytes, 0); 100000 for a wrong handle or picture.
    """
    JPEGES.get(config)
    return aligned(picture(PICTURES.get(source), _IN, SMALLEST).size + _HEADER_BYTES, _MEGABYTES), 0


@public("acl.media.dvpp_jpeg_encode_async", *[ADDRESS] * 6)
def dvpp_jpeg_encode_async(
    channel: int, source: int, data: int, size_ptr: int, config: int, stream: int
) -> int:
    """Encodes a picture as a JPEG when a stream comes to it; its chroma is sampled 4:2:0.

    Args:
        channel: handle of a channel description whose channel is there.
        source: picture description of what is encoded: YUV420SP or YVU420SP.
        data: where the file goes, in memory of the device.
        size_ptr: address of 32 bits: the bytes there are, and then the bytes of the file.
        config: JPEG encoding configuration.
        stream: its handle; 0 is the default one of the context.

    Returns:
        0; 100000 for a wrong handle, picture or null, 107000 for memory that was freed or is not of
        the device, 200006 without Pillow; 100000 from `acl.rt.synchronize_stream` if the file is
        larger than the memory.
    """
    needed(STILLS)
    desc, quality = PICTURES.get(source), JPEGES.get(config).level or 100
    made = picture(desc, _IN, SMALLEST)
    room = int.from_bytes(BLOCKS.read(size_ptr, 4), "little")
    bytes_at(data, max(room, 1), "output")

    def work() -> None:
        file = encoded(made.planes(), made.layout, quality)
        if len(file) > room:
            raise Refusal(Code.INVALID_PARAM, f"a JPEG of {len(file)} bytes, and room for {room}")
        bytes_at(data, len(file), "output")[:] = np.frombuffer(file, np.uint8)
        count = np.array([len(file)], "<u4")
        BLOCKS.copy(size_ptr, count.ctypes.data, 4)

    submit(channel, stream, desc, work)
    return 0


def encoded(planes: Planes, layout: Layout, quality: int) -> bytes:
    """A picture of shared chroma as a JPEG of the same luma and chroma."""
    stills = needed(STILLS)
    luma, chroma = planes
    # Libjpeg wants chroma for every pixel, and takes the mean of four: of four that are the same.
    full = chroma.repeat(2, axis=0).repeat(2, axis=1)
    parts: list[Pixels] = [luma, *(full[..., layout.planes[1].index(each)] for each in "uv")]
    image = stills.merge("YCbCr", [stills.fromarray(np.ascontiguousarray(each)) for each in parts])
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return file.getvalue()
