"""Files made to do harm, with every checksum right: refused in plain words, at little cost."""

import copy
import tracemalloc
import zlib
from typing import Any

import pytest
from artifact_samples import (
    NULL_TOPOLOGY,
    STORED,
    WEIGHTS,
    XML_TOPOLOGY,
    assemble,
    canonical,
    directory_json,
    part,
    with_directory,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gearshift.artifact.reader import Artifact
from gearshift.errors import (
    ArtifactError,
    CorruptArtifactError,
    NewerArtifactError,
    TruncatedArtifactError,
)

DIRECTORY = canonical(directory_json())
U32, U64 = 2**32 - 1, 2**64 - 1


def test_the_samples_are_good() -> None:
    assert Artifact.from_bytes(with_directory(directory_json())).topology("null") == NULL_TOPOLOGY


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"file_bytes": 0}, TruncatedArtifactError),
        ({"file_bytes": U64}, TruncatedArtifactError),
        ({"directory_bytes": U64}, CorruptArtifactError),
        ({"directory_bytes": (8 << 20) + 1}, CorruptArtifactError),
        ({"directory_bytes": len(DIRECTORY) + 1}, CorruptArtifactError),
        ({"directory_bytes": len(DIRECTORY) - 1}, CorruptArtifactError),
        ({"directory_bytes": 0}, CorruptArtifactError),
        ({"version": 0, "min_reader": 0}, CorruptArtifactError),
        ({"version": 0}, CorruptArtifactError),
        ({"version": 1, "min_reader": 0}, CorruptArtifactError),
        ({"version": 5, "min_reader": 5}, NewerArtifactError),
        ({"version": U32, "min_reader": U32}, NewerArtifactError),
    ],
)
def test_header_fields(fields: dict[str, int], error: type[ArtifactError]) -> None:
    with pytest.raises(error):
        Artifact.from_bytes(assemble(DIRECTORY, STORED, **fields))


@pytest.mark.parametrize("claimed", [(8 << 20) + 1, len(DIRECTORY) + 20_000, U64])
def test_a_directory_larger_than_allowed_is_not_looked_at(claimed: int) -> None:
    with pytest.raises(CorruptArtifactError, match=f"claims a directory of {claimed} bytes"):
        Artifact.from_bytes(assemble(DIRECTORY, STORED, directory_bytes=claimed))


def test_the_directory_may_be_as_large_as_allowed() -> None:
    spaces = b" " * ((8 << 20) - len(DIRECTORY))
    Artifact.from_bytes(assemble(DIRECTORY + spaces, STORED)).close()
    with pytest.raises(CorruptArtifactError, match="at most 8388608 are allowed"):
        Artifact.from_bytes(assemble(DIRECTORY + spaces + b" ", STORED))


def test_a_newer_file_says_what_to_do() -> None:
    data = assemble(b'{"format":"unknown"}', [], version=7, min_reader=5)
    with pytest.raises(NewerArtifactError, match=r"version 7 .* version 5 or newer.*Upgrade"):
        Artifact.from_bytes(data)


def test_a_newer_file_that_old_readers_may_read() -> None:
    directory = directory_json()
    directory["colour"] = {"deep": [1, 2, {"x": None}]}
    directory["manifest"]["gears"][0]["tuned"] = [1.5]
    directory["parts"][0]["mirror"] = "elsewhere"
    directory["parts"].insert(0, part("cost-table", b"{}"))
    data = assemble(canonical(directory), [b"{}", *STORED], version=9, min_reader=1)
    with Artifact.from_bytes(data) as artifact:
        assert artifact.manifest.gears[0].values == (4,)
        assert artifact.pool.tobytes() == WEIGHTS


def test_damage_is_told_from_newness() -> None:
    data = bytearray(assemble(DIRECTORY, STORED))
    data[12] = 3
    with pytest.raises(CorruptArtifactError, match="checksum"):
        Artifact.from_bytes(data)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf" + DIRECTORY,
        b"[" * 1_000_000,
        b'{"a":' * 500_000,
        DIRECTORY + b"}",
        DIRECTORY.replace(b'"opset":17', b'"opset":NaN'),
        DIRECTORY.replace(b'"opset":17', b'"opset":Infinity'),
        DIRECTORY.replace(b'"opset":17', b'"opset":' + b"9" * 2_000_000),
        DIRECTORY.replace(b'"opset":17', b'"opset":18446744073709551615'),
        DIRECTORY.replace(b'"opset":17', b'"opset":17,"opset":17'),
        DIRECTORY.replace(b'"opset":17', b'"opset":17.0'),
        DIRECTORY.replace(b'"opset":17', b'"opset":"17"'),
        DIRECTORY.replace(b'"opset":17', b'"opset":true'),
        DIRECTORY.replace(b'"relative":0.0', b'"relative":1e999'),
        DIRECTORY.replace(b'"relative":0.0', b'"relative":"infinity"'),
        DIRECTORY.replace(b"pytorch 2.3", b"\\ud800"),
        DIRECTORY.replace(b"pytorch 2.3", b"\xff"),
        DIRECTORY.replace("识别".encode(), "识别".encode("gb18030")),
    ],
    ids=lambda text: repr(text[:12]) + str(len(text)),
)
def test_json_abuse(text: bytes) -> None:
    with pytest.raises(CorruptArtifactError) as refusal:
        Artifact.from_bytes(assemble(text, STORED))
    assert len(str(refusal.value)) < 500


PARTS_EDITS: list[tuple[str, Any, list[bytes], str]] = [
    ("parts", [], STORED, "meet"),
    ("size", -1, STORED, "negative"),
    ("size", 0, STORED, "two sizes"),
    ("size", 2**62, STORED, "two sizes"),
    ("raw_size", -1, STORED, "negative"),
    ("raw_size", 2**62, STORED, "two sizes"),
    ("encoding", "zlib", STORED, "checksum|unpack"),
    ("encoding", "gzip", STORED, "one of raw, zlib"),
    ("name", "weights", STORED, "two parts named"),
    ("name", "openvino.xml", STORED, "two parts named"),
    ("name", "../../etc/passwd", STORED, "bad name"),
    ("name", "", STORED, "bad name"),
    ("name", "n" * 65, STORED, "bad name"),
    ("name", "null\n", STORED, "bad name"),
    ("name", "other", STORED, "topologies"),
    ("sha256", "0" * 64, STORED, "checksum"),
    ("sha256", "0" * 63, STORED, "64 hexadecimal"),
    ("sha256", "AB" * 32, STORED, "64 hexadecimal"),
]


@pytest.mark.parametrize(("key", "value", "stored", "words"), PARTS_EDITS)
def test_part_records(key: str, value: Any, stored: list[bytes], words: str) -> None:
    directory = directory_json()
    if key == "parts":
        directory["parts"] = value
    else:
        directory["parts"][0][key] = value
    with pytest.raises(CorruptArtifactError, match=words):
        Artifact.from_bytes(assemble(canonical(directory), stored)).topology("null")


def test_sizes_that_do_not_meet_the_end() -> None:
    for size in (len(NULL_TOPOLOGY) + 4096, 2**63 - 1):
        directory = directory_json()
        directory["parts"][0] |= {"size": size, "raw_size": size}
        with pytest.raises(CorruptArtifactError, match="have to meet"):
            Artifact.from_bytes(with_directory(directory))


def test_sizes_that_overlap_the_next_part() -> None:
    # One byte longer still ends in the padding: nothing moves, so only the checksum can tell.
    directory = directory_json()
    directory["parts"][0] |= {"size": 201, "raw_size": 201}
    with pytest.raises(CorruptArtifactError, match="checksum"):
        Artifact.from_bytes(with_directory(directory))


def test_bytes_hidden_in_the_padding() -> None:
    good = with_directory(directory_json())
    for place in (64 + len(DIRECTORY), 4095, 4096 + len(NULL_TOPOLOGY), 8191, 12287):
        data = bytearray(good)
        data[place] = 1
        with pytest.raises(CorruptArtifactError, match="padding"):
            Artifact.from_bytes(data)


def test_a_file_without_weights() -> None:
    directory = directory_json()
    directory["parts"][2]["name"] = "wights"
    with pytest.raises(CorruptArtifactError, match="no part named 'weights'"):
        Artifact.from_bytes(with_directory(directory))


def test_compressed_weights() -> None:
    directory = directory_json()
    packed = zlib.compress(WEIGHTS)
    directory["parts"][2] = part("weights", packed, raw_size=len(WEIGHTS))
    with pytest.raises(CorruptArtifactError, match="has to be raw"):
        Artifact.from_bytes(assemble(canonical(directory), [*STORED[:2], packed]))


BOMB = zlib.compress(bytes(200 << 20), 9)


@pytest.mark.parametrize(
    ("stored", "raw_size", "words"),
    [
        (BOMB, 600, "does not unpack to the 600 bytes"),
        (BOMB, 2**40, "268435456 are allowed"),
        (zlib.compress(XML_TOPOLOGY), len(XML_TOPOLOGY) + 1, "does not unpack"),
        (zlib.compress(XML_TOPOLOGY), len(XML_TOPOLOGY) - 1, "does not unpack"),
        (zlib.compress(XML_TOPOLOGY)[:-1], len(XML_TOPOLOGY), "does not unpack"),
        (zlib.compress(XML_TOPOLOGY) + b"x", len(XML_TOPOLOGY), "does not unpack"),
        (zlib.compress(XML_TOPOLOGY)[:-4] + b"1234", len(XML_TOPOLOGY), "cannot be unpacked"),
        (b"", 0, "does not unpack"),
        (b"not a zlib stream", 600, "cannot be unpacked"),
    ],
)
def test_zlib_abuse(stored: bytes, raw_size: int, words: str) -> None:
    directory = directory_json()
    directory["parts"][1] = part("openvino.xml", stored, raw_size=raw_size)
    data = assemble(canonical(directory), [STORED[0], stored, STORED[2]])
    tracemalloc.start()
    try:
        with pytest.raises(CorruptArtifactError, match=words):
            Artifact.from_bytes(data).topology("openvino.xml")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(data) + (1 << 20)


def test_the_memory_a_directory_can_make_is_bounded() -> None:
    # The densest JSON there is. With the limit on the directory's size this bounds the whole.
    directory = directory_json()
    directory["filler"] = [{}] * 200_000
    text = canonical(directory)
    tracemalloc.start()
    try:
        Artifact.from_bytes(assemble(text, STORED)).close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50 * len(text)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["weights", "null", "float32", "bool", "zlib", "batch", "x", "y"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON tree."""
    found = []
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree))
    for key in list(keys):
        found.append((tree, key))
        if isinstance(tree[key], dict | list):
            found += _places(tree[key])
    return found


def _refused_or_whole(data: bytes) -> None:
    try:
        artifact = Artifact.from_bytes(data)
        topologies = [artifact.topology(record.part) for record in artifact.manifest.topologies]
    except ArtifactError:
        return
    assert topologies
    for constant in artifact.manifest.constants:
        assert 0 <= constant.offset <= artifact.pool.nbytes
    sizes = [gear.values[0] for gear in artifact.manifest.gears]
    assert min(sizes) >= 1
    assert len(set(sizes)) == len(sizes)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_fuzzed_directories(data: st.DataObject) -> None:
    directory = directory_json()
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(_places(directory)))
        action = data.draw(st.sampled_from(["set", "delete", "repeat", "swap"]))
        if action == "set":
            container[key] = data.draw(JSON)
        elif action == "delete":
            del container[key]
        elif action == "repeat" and isinstance(container, list):
            container.append(container[key])
        elif action == "swap":
            other, place = data.draw(st.sampled_from(_places(directory)))
            container[key] = copy.deepcopy(other[place])
        if not _places(directory):
            break
    text = canonical(directory)
    _refused_or_whole(assemble(text, STORED))


@settings(max_examples=400, deadline=None)
@given(
    place=st.integers(0, len(DIRECTORY)),
    cut=st.integers(0, 20),
    put=st.binary(max_size=8) | st.sampled_from([b"[", b"{", b'"', b"-1", b"e9", b"null", b","]),
)
def test_fuzzed_text(place: int, cut: int, put: bytes) -> None:
    _refused_or_whole(assemble(DIRECTORY[:place] + put + DIRECTORY[place + cut :], STORED))


@settings(max_examples=200, deadline=None)
@given(head=st.binary(max_size=200))
def test_arbitrary_bytes(head: bytes) -> None:
    for data in (head, b"GEARSHFT" + head):
        with pytest.raises(ArtifactError):
            Artifact.from_bytes(data)
