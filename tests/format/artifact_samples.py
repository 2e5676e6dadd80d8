"""A tiny artifact, and a second writer made from docs/artifact-format.md alone, as the oracle."""

import copy
import hashlib
import json
import struct
import zlib
from pathlib import Path
from typing import Any

from gearshift.artifact.manifest import (
    ConstantRecord,
    DifferenceRecord,
    GearRecord,
    InputRecord,
    Manifest,
    OutputRecord,
    ProofRecord,
    SourceRecord,
    TopologyRecord,
)
from gearshift.artifact.pool import WeightPool
from gearshift.artifact.writer import write_artifact

GOLDEN = Path(__file__).parent / "golden" / "v1.bin"

NULL_TOPOLOGY = bytes(range(200))
XML_TOPOLOGY = b"<net/>" * 100
WEIGHTS = bytes(range(1, 25)) + bytes(40) + b"\xff" * 16

MANIFEST = Manifest(
    producer="gearshift 0.1.0",
    source=SourceRecord(
        file="识别 model.onnx", sha256="ab" * 32, opset=17, ir_version=8, producer="pytorch 2.3"
    ),
    mode="batch",
    inputs=(InputRecord("x", "float32", (-1, 3)), InputRecord("scale", "float16", ())),
    outputs=(
        OutputRecord("y", "float32", (-1, 2), row_axis=0, row_inner=2),
        OutputRecord("version", "int64", (1,), row_axis=None, row_inner=1),
    ),
    gears=(
        GearRecord(
            values=(4,),
            outputs=((8, 2), (1,)),
            predicted_bytes=4096,
            differences=(
                DifferenceRecord("null", "y", 1.1920928955078125e-07, 0.0),
                DifferenceRecord("null", "version", float("inf"), float("inf")),
            ),
        ),
        GearRecord(values=(1,), outputs=((2, 2), (1,)), predicted_bytes=0, differences=()),
    ),
    proof=ProofRecord("proved", "every op keeps rows apart", "", "", None, True),
    topologies=(
        TopologyRecord("openvino", "2026.4.1", "f32", "openvino.xml"),
        TopologyRecord("null", "1", "f32", "null"),
    ),
    constants=(
        ConstantRecord("w", "float32", (2, 3), 0),
        ConstantRecord("empty", "float32", (0, 3), 0),
        ConstantRecord("b", "int8", (16,), 64),
    ),
    metadata=(("character", "零一二\n三"),),
    options=(("dynamic_batch_size", "4,1"),),
    warnings=("gear 4 is slow",),
)
TOPOLOGIES = {"openvino.xml": XML_TOPOLOGY, "null": NULL_TOPOLOGY}


def sample_pool() -> WeightPool:
    pool = WeightPool()
    assert pool.add(WEIGHTS[:24]) == 0
    assert pool.add(WEIGHTS[64:]) == 64
    return pool


def write_sample(path: Path) -> bytes:
    """The tiny artifact by way of the real writer."""
    size = write_artifact(path, MANIFEST, TOPOLOGIES, sample_pool())
    data = path.read_bytes()
    assert len(data) == size
    return data


def versions(data: bytes) -> tuple[int, int]:
    """A file's format version, and the oldest reader that understands it."""
    version, min_reader = struct.unpack_from("<II", data, 8)
    return version, min_reader


def part(name: str, stored: bytes, raw_size: int | None = None, **changes: Any) -> dict[str, Any]:
    """The directory's record of a part; compressed if a raw size is given."""
    record = {
        "name": name,
        "size": len(stored),
        "encoding": "raw" if raw_size is None else "zlib",
        "raw_size": len(stored) if raw_size is None else raw_size,
        "sha256": hashlib.sha256(stored).hexdigest(),
    }
    return record | changes


def canonical(value: Any) -> bytes:
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=True
    ).encode()


def assemble(
    directory: bytes,
    stored: list[bytes],
    *,
    magic: bytes = b"GEARSHFT",
    version: int = 1,
    min_reader: int = 1,
    file_bytes: int | None = None,
    directory_bytes: int | None = None,
) -> bytes:
    """A file with a right checksum over whatever header and directory it is given."""
    body = directory
    for data in stored:
        body += bytes(-(64 + len(body)) % 4096) + data
    fields = struct.pack(
        "<8sIIQQ",
        magic,
        version,
        min_reader,
        64 + len(body) if file_bytes is None else file_bytes,
        len(directory) if directory_bytes is None else directory_bytes,
    )
    return fields + hashlib.sha256(fields + directory).digest() + body


STORED = [NULL_TOPOLOGY, zlib.compress(XML_TOPOLOGY, 9), WEIGHTS]
_PARTS = [
    part("null", STORED[0]),
    part("openvino.xml", STORED[1], raw_size=len(XML_TOPOLOGY)),
    part("weights", STORED[2]),
]
_MANIFEST = {
    "producer": "gearshift 0.1.0",
    "source": {
        "file": "识别 model.onnx",
        "sha256": "ab" * 32,
        "opset": 17,
        "ir_version": 8,
        "producer": "pytorch 2.3",
    },
    "mode": "batch",
    "inputs": [
        {"name": "x", "dtype": "float32", "shape": [-1, 3]},
        {"name": "scale", "dtype": "float16", "shape": []},
    ],
    "outputs": [
        {"name": "y", "dtype": "float32", "shape": [-1, 2], "row_axis": 0, "row_inner": 2},
        {"name": "version", "dtype": "int64", "shape": [1], "row_axis": None, "row_inner": 1},
    ],
    "gears": [
        {
            "values": [4],
            "outputs": [[8, 2], [1]],
            "predicted_bytes": 4096,
            "differences": [
                {
                    "engine": "null",
                    "output": "y",
                    "absolute": 1.1920928955078125e-07,
                    "relative": 0.0,
                },
                {"engine": "null", "output": "version", "absolute": "inf", "relative": "inf"},
            ],
        },
        {"values": [1], "outputs": [[2, 2], [1]], "predicted_bytes": 0, "differences": []},
    ],
    "proof": {
        "verdict": "proved",
        "reason": "every op keeps rows apart",
        "node": "",
        "op_type": "",
        "tested": None,
        "separable": True,
    },
    "topologies": [
        {
            "engine": "openvino",
            "version": "2026.4.1",
            "precision": "f32",
            "part": "openvino.xml",
        },
        {"engine": "null", "version": "1", "precision": "f32", "part": "null"},
    ],
    "constants": [
        {"name": "w", "dtype": "float32", "shape": [2, 3], "offset": 0},
        {"name": "empty", "dtype": "float32", "shape": [0, 3], "offset": 0},
        {"name": "b", "dtype": "int8", "shape": [16], "offset": 64},
    ],
    "metadata": [["character", "零一二\n三"]],
    "options": [["dynamic_batch_size", "4,1"]],
    "warnings": ["gear 4 is slow"],
}


def directory_json() -> dict[str, Any]:
    """The tiny artifact's directory, written out by hand; the caller may change it."""
    return copy.deepcopy({"parts": _PARTS, "manifest": _MANIFEST})


def with_directory(directory: Any) -> bytes:
    """The tiny artifact's parts under another directory, all checksums right."""
    return assemble(canonical(directory), STORED)
