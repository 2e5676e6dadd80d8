"""The text of OpenVINO's IR: where its constants lie. Text in, text out; OpenVINO is not needed."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree

from gearshift.engines.base import ConstantSink
from gearshift.tensors import Array

_CONSTANT: Final = re.compile(rb'(type="Const"[^>]*>\s*<data [^>]*?\boffset=")(\d+)(?=")')

_JOINING: Final = {
    *("Add", "Subtract", "Multiply", "Divide", "Maximum", "Minimum", "Power", "Mod", "FloorMod"),
    *("SquaredDifference", "PRelu", "Select"),
}
"""Types of layers that take several tensors element by element."""
_CARRYING: Final = {"Identity", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Convert"}
"""Types of layers that compute nothing, and may be left out."""


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


def adds_attention(text: bytes) -> bool:
    """Whether what attention gives meets another tensor element by element, before it is projected.

    That is a product of a softmax which goes into a sum or the like, with nothing between that
    computes. OpenVINO 2026.4's compiler ends the process on some such networks (where the other
    tensor is itself made element by element, and the sum is used twice).
    """
    if b'type="SoftMax"' not in text and b'type="Softmax"' not in text:
        return False
    root = ElementTree.fromstring(text)
    types = {layer.get("id"): layer.get("type", "") for layer in root.iter("layer")}
    readers: dict[str | None, list[str | None]] = {}
    for edge in root.iter("edge"):
        readers.setdefault(edge.get("from-layer"), []).append(edge.get("to-layer"))
    carried = [
        product
        for softmax, kind in types.items()
        if kind.lower() == "softmax"
        for product in readers.get(softmax, ())
        if types.get(product) == "MatMul"
    ]
    while carried:
        for reader in readers.get(carried.pop(), ()):
            if types.get(reader) in _JOINING:
                return True
            if types.get(reader) in _CARRYING:
                carried.append(reader)
    return False
