"""The text of OpenVINO's IR: where its constants lie. Text in, text out; OpenVINO is not needed."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree

from gearshift.engines.base import ConstantSink
from gearshift.tensors import Array

_CONSTANT: Final = re.compile(rb'(type="Const"[^>]*>\s*<data [^>]*?\boffset=")(\d+)(?=")')


def move_constants(text: bytes, data: Array, pool: ConstantSink) -> bytes:
    """Points every constant of an IR text at the pool instead of the IR's own weights file."""
    root = ElementTree.fromstring(text)
    for layer in root.iter("layer"):
        if layer.get("type") != "Const":
            continue
        where = layer.find("data")
        if where is None:
            continue
        start, size = int(where.attrib["offset"]), int(where.attrib["size"])
        where.set("offset", str(pool.add(data[start : start + size].tobytes())))
    return ElementTree.tostring(root)


def shift_constants(text: bytes, by: int) -> bytes:
    """Points every constant so many bytes further on. Takes what `move_constants` made."""
    return _CONSTANT.sub(lambda found: found[1] + b"%d" % (int(found[2]) + by), text)
