"""Dataclasses to JSON and back."""

import json
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
from artifact_samples import MANIFEST
from hypothesis import given
from hypothesis import strategies as st

from gearshift.artifact.codec import decode, dumps, encode, loads, shorten
from gearshift.artifact.manifest import Manifest
from gearshift.errors import CorruptArtifactError, InternalError


@dataclass(frozen=True)
class Leaf:
    word: str
    maybe: int | None
    kind: Literal["a", "b"]


@dataclass(frozen=True)
class Tree:
    leaves: tuple[Leaf, ...]
    pair: tuple[str, float]
    flag: bool
    grid: tuple[tuple[int, ...], ...]
    later: int = 5


LEAVES = st.builds(
    Leaf,
    word=st.text(),
    maybe=st.none() | st.integers(-(2**63), 2**63 - 1),
    kind=st.sampled_from(["a", "b"]),
)
TREES = st.builds(
    Tree,
    leaves=st.lists(LEAVES, max_size=4).map(tuple),
    pair=st.tuples(st.text(), st.floats(allow_nan=False)),
    flag=st.booleans(),
    grid=st.lists(st.lists(st.integers(-1, 9), max_size=3).map(tuple), max_size=3).map(tuple),
    later=st.integers(-(2**63), 2**63 - 1),
)


@given(TREES)
def test_round_trip(tree: Tree) -> None:
    data = dumps(tree)
    back = decode(Tree, loads(data))
    assert back == tree
    assert math.copysign(1, back.pair[1]) == math.copysign(1, tree.pair[1])
    assert dumps(back) == data


@given(TREES)
def test_the_text_is_plain_json_for_anyone(tree: Tree) -> None:
    value = json.loads(dumps(tree))
    assert value["flag"] is tree.flag
    assert [leaf["word"] for leaf in value["leaves"]] == [leaf.word for leaf in tree.leaves]


def test_the_manifest_survives() -> None:
    assert decode(Manifest, loads(dumps(MANIFEST))) == MANIFEST


@pytest.mark.parametrize(
    ("value", "text"), [(math.nan, '"nan"'), (math.inf, '"inf"'), (-math.inf, '"-inf"')]
)
def test_numbers_that_are_not_finite(value: float, text: str) -> None:
    assert dumps(value) == text.encode()
    assert repr(decode(float, loads(dumps(value)))) == repr(value)


def test_canonical_form() -> None:
    assert dumps(Leaf("é", None, "a")) == '{"kind":"a","maybe":null,"word":"é"}'.encode()


def test_a_file_name_that_is_no_text_is_spelled_out() -> None:
    assert dumps("bad\udcff.onnx") == rb'"bad\\udcff.onnx"'
    assert decode(str, loads(dumps("bad\udcff.onnx"))) == r"bad\udcff.onnx"


def test_unknown_keys_are_ignored_and_defaults_fill_in() -> None:
    data = {"leaves": [], "pair": ["", 1], "flag": True, "grid": [], "new": {"x": [1]}}
    assert decode(Tree, data) == Tree((), ("", 1.0), True, ())


@pytest.mark.parametrize(
    ("change", "where", "allowed"),
    [
        ({"leaves": None}, "leaves", "a list"),
        ({"leaves": [3]}, r"leaves\[0\]", "a record"),
        ({"leaves": [{"word": "", "kind": "a"}]}, r"leaves\[0\]\.maybe", "missing"),
        ({"leaves": [{"word": "", "kind": "a", "maybe": "x"}]}, r"leaves\[0\]\.maybe", "whole"),
        ({"leaves": [{"word": "", "kind": "c", "maybe": 1}]}, r"leaves\[0\]\.kind", "one of a, b"),
        ({"leaves": [{"word": "", "kind": ["a"], "maybe": 1}]}, r"\.kind", "one of a, b"),
        ({"pair": ["a"]}, "pair", "a list of 2"),
        ({"pair": ["a", 1, 2]}, "pair", "a list of 2"),
        ({"pair": ["a", "1"]}, r"pair\[1\]", "a number"),
        ({"pair": ["a", True]}, r"pair\[1\]", "a number"),
        ({"pair": [1, 1]}, r"pair\[0\]", "text"),
        ({"flag": 1}, "flag", "true or false"),
        ({"grid": [[1], [1.0]]}, r"grid\[1\]\[0\]", "whole number"),
        ({"grid": [[True]]}, r"grid\[0\]\[0\]", "whole number"),
        ({"grid": [[2**63]]}, r"grid\[0\]\[0\]", "64 bits"),
        ({"grid": "12"}, "grid", "a list"),
        ({"grid": {"0": []}}, "grid", "a list"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, object], where: str, allowed: str) -> None:
    data = {"leaves": [], "pair": ["", 1.0], "flag": True, "grid": []} | change
    with pytest.raises(CorruptArtifactError, match=f"(?s){where}.*{allowed}"):
        decode(Tree, data)


@pytest.mark.parametrize("value", [{"a": 1}, {1}, b"x", np.float32(1), np.int64(1), 2**63, Leaf])
def test_what_has_no_place_in_a_manifest(value: object) -> None:
    with pytest.raises(InternalError, match="no place in a manifest"):
        encode(value)


def test_endless_digits_are_never_turned_into_a_number() -> None:
    with pytest.raises(CorruptArtifactError, match="a number has 4000 digits"):
        loads(b"9" * 4000)


@pytest.mark.parametrize("hint", [dict, bytes, int | str, list[int]])
def test_hints_that_the_codec_does_not_know(hint: type) -> None:
    with pytest.raises(InternalError, match="codec"):
        decode(hint, "x")


def test_messages_stay_short() -> None:
    assert len(shorten("x" * 10_000)) <= 60
    assert len(shorten(list(range(10_000)))) <= 60
    with pytest.raises(CorruptArtifactError) as refusal:
        decode(Tree, {"leaves": "x" * 10_000})
    assert len(str(refusal.value)) < 200
