"""Ranges, where the engines' own dynamic shapes run, and fixed shapes, where nothing varies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mode_models import ENGINES, IMAGES, PAIRS, agree, feeds_of, folder, save

import gearshift
from gearshift.analysis.machine import MachineMemory
from gearshift.errors import GearError, InputError, MemoryLimitError, OptionError, OptionErrors
from gearshift.tensors import MBATCH_INPUT

__all__ = ["folder"]


@pytest.fixture(scope="module")
def images(folder: Path) -> Path:
    return save(IMAGES, folder)


@pytest.fixture(scope="module")
def ranged(images: Path) -> Path:
    report = gearshift.compile(
        images, output=images.with_suffix(".om"), input_shape_range="x:[1~8,3,8~32,-1]"
    )
    assert report.manifest.mode == "range"
    (record,) = report.manifest.inputs
    assert record.shape == (-1, 3, -1, -1)
    assert record.ranges[0] == (1, 8)
    assert record.ranges[2] == (8, 32)
    assert record.ranges[3][1] == -1
    return report.output


@pytest.mark.parametrize("engine", ENGINES)
def test_all_within_the_range(ranged: Path, images: Path, engine: str) -> None:
    with gearshift.load(ranged, engine=engine) as model:
        assert model.gears == ()
        assert [spec.name for spec in model.inputs] == ["x"]  # no gear to ask for
        for shape in ((1, 3, 8, 1), (8, 3, 32, 100), (3, 3, 9, 33), (1, 3, 31, 8)):
            agree(model, images, feeds_of({"x": shape}))
        assert model.stats().calls == 4
        assert len(model.memory().programs) == 1


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((9, 3, 8, 8), r"dim 0 goes from 1 to 8 in this model"),
        ((0, 3, 8, 8), r"dim 0 goes from 1 to 8"),
        ((1, 3, 7, 8), r"shape \[1, 3, 7, 8\]; dim 2 goes from 8 to 32"),
        ((1, 3, 33, 8), r"dim 2 goes from 8 to 32"),
        ((1, 4, 8, 8), r"the model takes \[-1, 3, -1, -1\]"),
        ((3, 8, 8), r"the model takes \[-1, 3, -1, -1\]"),
    ],
)
def test_what_is_outside_the_range(ranged: Path, shape: tuple[int, ...], message: str) -> None:
    with gearshift.load(ranged) as model:
        with pytest.raises(InputError, match=message):
            model.run(feeds_of({"x": shape}))
        assert model.stats().calls == 0


def test_a_range_has_no_gears(ranged: Path) -> None:
    feeds = feeds_of({"x": (2, 3, 8, 8)})
    with gearshift.load(ranged) as model:
        with pytest.raises(GearError, match="which has no gears"):
            model.run(feeds, gear=(8, 8))
        with pytest.raises(GearError, match="which has no gears"):
            model.run({**feeds, MBATCH_INPUT: np.array([2], np.int32)})
        assert len(model.plan(1).pieces) == 1
        with pytest.raises(GearError, match="every call is one run"):
            model.plan(2)


@pytest.fixture(scope="module")
def pairs_in_ranges(folder: Path) -> tuple[Path, Path]:
    """Two inputs by their order, one dim of each without an end."""
    onnx_file = save(PAIRS, folder)
    gearshift.compile(
        onnx_file,
        output=folder / "pairs.om",
        input_shape_range="[1~6,-1,4],[1~6,1~9,4]",
    )
    return onnx_file, folder / "pairs.om"


@settings(max_examples=25)
@given(rows=st.integers(1, 6), of_q=st.integers(1, 40), of_k=st.integers(1, 9))
def test_any_shapes_of_two_inputs(
    pairs_in_ranges: tuple[Path, Path], rows: int, of_q: int, of_k: int
) -> None:
    onnx_file, artifact = pairs_in_ranges
    feeds = feeds_of({"q": (rows, of_q, 4), "k": (rows, of_k, 4)})
    for engine in ENGINES:
        with gearshift.load(artifact, engine=engine) as model:
            agree(model, onnx_file, feeds)


@pytest.mark.parametrize(
    ("ranges", "code"),
    [
        ("y:[1~8,3,8,8]", "E10016"),
        ("map:[1~8,3,8,8]", "E10017"),
        ("kernel:[1~8,3,8,8]", "E10017"),
        ("x:[1~8,3,8]", "E10049"),
        ("x:[1~8,4,8,8]", "E10050"),
        ("[1,3,8,8],[1,3,8,8]", "E10048"),
        ("x:[8~1,3,8,8]", "E10048"),
    ],
)
def test_ranges_that_are_refused(images: Path, folder: Path, ranges: str, code: str) -> None:
    with pytest.raises((OptionError, OptionErrors)) as caught:
        gearshift.compile(images, output=folder / "never.om", input_shape_range=ranges)
    errors = caught.value.errors if isinstance(caught.value, OptionErrors) else [caught.value]
    assert code in [error.code for error in errors], [str(error) for error in errors]


@pytest.mark.parametrize("ranges", ["x:[1~4,3,8,8]", "[1~4,3,8,8]"])
def test_a_shape_beside_ranges_lies_within_them(images: Path, folder: Path, ranges: str) -> None:
    """The range counts; a shape that it does not hold says that one of the two is a slip."""
    for shape, code in (("x:9,3,8,8", "E10050"), ("x:4,3,8", "E10049")):
        with pytest.raises(OptionErrors) as caught:
            gearshift.compile(
                images, output=folder / "no.om", input_shape=shape, input_shape_range=ranges
            )
        assert caught.value.code == code
    report = gearshift.compile(
        images, output=folder / "yes.om", input_shape="x:4,3,8,8", input_shape_range=ranges
    )
    assert report.manifest.inputs[0].shape == (-1, 3, 8, 8)


@pytest.mark.parametrize("engine", ENGINES)
def test_fixed_shapes(images: Path, folder: Path, engine: str) -> None:
    report = gearshift.compile(
        images, output=folder / "fixed.om", input_shape="x:2,3,8,10", engine=engine
    )
    assert report.manifest.mode == "fixed"
    with gearshift.load(report.output, preload=True) as model:
        assert model.gears == ()
        assert [spec.shape for spec in model.inputs] == [(2, 3, 8, 10)]
        assert [spec.shape for spec in model.outputs] == [(2, 4, 4, 5), (2, 4)]
        agree(model, images, feeds_of({"x": (2, 3, 8, 10)}))
        for shape in ((1, 3, 8, 10), (2, 3, 10, 8), (0, 3, 8, 10), (3, 8, 10)):
            with pytest.raises(InputError, match=r"the model takes \[2, 3, 8, 10\]"):
                model.run(feeds_of({"x": shape}))
        with pytest.raises(GearError, match="which has no gears"):
            model.run(feeds_of({"x": (2, 3, 8, 10)}), gear=2)
        (program,) = model.memory().programs
        assert program.built
        assert model.stats().calls == 1


def test_a_model_of_its_own_fixed_shapes_needs_no_words(folder: Path) -> None:
    onnx_file = save("own (float[2, 3] x) => (float[2, 3] y) { y = Neg (x) }", folder)
    gearshift.compile(onnx_file, output=folder / "own.om")
    with gearshift.load(folder / "own.om") as model:
        agree(model, onnx_file, feeds_of({"x": (2, 3)}))


def test_an_open_dim_of_which_nothing_was_said(images: Path, folder: Path) -> None:
    with pytest.raises(OptionErrors) as caught:
        gearshift.compile(images, output=folder / "never.om")
    (error,) = caught.value.errors
    assert error.code == "E10001"
    assert "set input_shape" in error.message


TAIL = """
tail (float[A] a, float[B] b) => (float[C] y, float[2] ends)
<int64[1] zero = {0}, int64[1] most = {100}, int64[2] both = {0, -1}>
{
    from = Shape (b)
    y = Slice (a, from, most, zero)
    ends = Gather (a, both)
}
"""
"""a[len(b):], which is as long where both are at their least as where both are at their most."""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_dim_that_is_the_same_at_both_ends_alone_is_open(folder: Path, engine: str) -> None:
    onnx_file = save(TAIL, folder)
    report = gearshift.compile(
        onnx_file, output=folder / "tail.om", input_shape_range="a:[5~9];b:[1~5]", engine=engine
    )
    with gearshift.load(report.output) as model:
        assert [spec.shape for spec in model.outputs] == [(-1,), (2,)]
        for of_a, of_b in ((5, 1), (9, 5), (9, 1), (5, 5), (7, 3)):
            agree(model, onnx_file, feeds_of({"a": (of_a,), "b": (of_b,)}))


def test_a_dim_that_moves_only_between_the_ends_is_open(folder: Path) -> None:
    text = """
    half (float[A] a) => (float[B] y)
    <int64[1] zero = {0}, int64[1] two = {2}>
    { n = Shape (a)  odd = Mod (n, two)  y = Slice (a, zero, odd, zero) }
    """
    report = gearshift.compile(
        save(text, folder), output=folder / "half.om", input_shape_range="a:[4~8]"
    )
    assert [output.shape for output in report.manifest.outputs] == [(-1,)]


def test_many_dims_are_moved_one_at_a_time(folder: Path) -> None:
    """Only where the first dim is not at the others' end does the output differ."""
    text = """
    wide (float[A] a, float[B, C, D, E, F] b) => (float[N] y)
    <int64[1] zero = {0}, int64[1] most = {100}>
    { n = Shape <start = 4> (b)  y = Slice (a, n, most, zero) }
    """
    report = gearshift.compile(
        save(text, folder),
        output=folder / "wide.om",
        input_shape_range="a:[5~9];b:[1~2,1~2,1~2,1~2,1~5]",
    )
    assert [output.shape for output in report.manifest.outputs] == [(-1,)]


def test_an_end_that_does_not_fit_while_it_is_verified(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run takes 3.2 GB, and the reference's output 1.6 GB more."""
    machine = MachineMemory(total=4 << 30, available=4 << 30, swap=0)
    monkeypatch.setattr("gearshift.analysis.memory.machine_memory", lambda: machine)
    onnx_file = save("plain (float[N, W] x) => (float[N, W] y) { y = Relu (x) }", folder)
    with pytest.raises(MemoryLimitError, match=r"gear 4,99999999 needs about 4\.8 GB"):
        gearshift.compile(
            onnx_file, output=folder / "never.om", input_shape_range="x:[1~4,2~99999999]"
        )
