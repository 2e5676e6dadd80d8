"""The libraries that decode, encode and resize: imported when first needed, refused when not there.

They are an extra of their own (``pip install gearshift[media]``). A program without it can create,
set and destroy everything, and is told what is missing by the first call that has to look into a
picture.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code

RESIZING: Final = "cv2"
"""OpenCV: the vendor states its bilinear and its nearest neighbour to be OpenCV's."""
STILLS: Final = "PIL.Image"
"""Pillow: JPEG in libjpeg's quality levels, luma and chroma as they are; headers; PNG."""
VIDEO: Final = "av"
"""PyAV: H.264, H.265, and the planes of a JPEG as they are in the file."""

_PACKAGES: Final = {RESIZING: "opencv-python-headless", STILLS: "pillow", VIDEO: "av"}


def needed(module: str) -> Any:
    """A library's module; refused with 200006 if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Refusal(
            Code.FEATURE_UNSUPPORTED,
            f"this takes the package {_PACKAGES[module]}, which cannot be imported ({error}): "
            "pip install gearshift[media]",
        ) from error
