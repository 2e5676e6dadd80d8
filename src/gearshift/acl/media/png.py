"""PNG files: what their headers say, and decoding (by Pillow)."""

from __future__ import annotations

from typing import Final

import numpy as np

from gearshift.acl.call import ADDRESS, INT, UINT, Refusal, beside, public
from gearshift.acl.codes import Code
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
from gearshift.acl.media.frames import place
from gearshift.acl.media.library import RESIZING, STILLS, needed
from gearshift.acl.media.memory import layout_of
from gearshift.acl.media.pictures import RGB, RGBA

_OUT: Final = (RGB, RGBA)
_LEAST_BYTES: Final = 128 << 10
_COMPONENTS: Final = {"1": 1, "L": 1, "LA": 2, "P": 3, "RGB": 3, "RGBA": 4}


@public("acl.media.dvpp_png_get_image_info", ADDRESS, UINT, failed=beside(0, 0, 0))
def dvpp_png_get_image_info(data: int, size: int) -> tuple[int, int, int, int]:
    """What a PNG says of itself.

    Args:
        data: where the file lies, on the host or the device.
        size: its bytes.

    Returns:
        (width, height, components, 0); 100000 if it is no PNG of 8 bits, 107000 for memory that
        cannot be read, 200006 without Pillow.
    """
    width, height, components = _header(file_at(data, size))
    return width, height, components, 0


@public("acl.media.dvpp_png_predict_dec_size", ADDRESS, UINT, INT, failed=beside(0))
def dvpp_png_predict_dec_size(data: int, size: int, layout: int) -> tuple[int, int]:
    """Memory that a decoded PNG takes, with rows of a multiple of 128 pixels and 16 of them.

    Args:
        data: where the file lies, on the host or the device.
        size: its bytes.
        layout: the vendor's number of the format: 12 (RGB888) or 16 (RGBA8888).

    Returns:
        (bytes, 0); 100027 for another format, codes as `dvpp_png_get_image_info`.
    """
    width, height, _ = _header(file_at(data, size))
    return max(decoded_size(layout, width, height, _OUT), _LEAST_BYTES), 0


@public("acl.media.dvpp_png_decode_async", ADDRESS, ADDRESS, UINT, ADDRESS, ADDRESS)
def dvpp_png_decode_async(channel: int, data: int, size: int, target: int, stream: int) -> int:
    """Decodes a PNG when a stream comes to it.

    Args:
        channel: handle of a channel description whose channel is there.
        data: where the file lies, in memory of the device.
        size: its bytes.
        target: picture description of where it goes; sizes and strides of 0 are filled in.
        stream: its handle; 0 is the default one of the context.

    Returns:
        0; 100000 for a wrong handle, format or size, 107000 for memory that was freed or is not of
        the device, 200006 without Pillow; 100000 from `acl.rt.synchronize_stream` for a file that
        cannot be decoded, or does not fit the description.
    """
    for library in (STILLS, RESIZING):
        needed(library)
    desc = PICTURES.get(target)
    layout_of(desc.format, _OUT)
    check_file(data, size)
    decode_later(channel, stream, (data, size), desc, _decode_into)
    return 0


def _header(data: bytes) -> tuple[int, int, int]:
    image = opened(data, "PNG")
    if image.mode not in _COMPONENTS:
        raise Refusal(Code.INVALID_PARAM, f"a PNG of mode {image.mode}; those of 8 bits are taken")
    return image.width, image.height, _COMPONENTS[image.mode]


def _decode_into(desc: PictureDesc, data: bytes) -> None:
    _header(data)
    try:
        pixels = np.asarray(opened(data, "PNG").convert("RGBA"))
    except (OSError, ValueError, SyntaxError) as error:
        raise Refusal(Code.INVALID_PARAM, f"the PNG cannot be decoded: {error}") from error
    place(desc, (pixels,), RGBA, steps=(ROW_STEP, COUNT_STEP))
