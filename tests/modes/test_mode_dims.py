"""Gears over several dims of several inputs: every frame, every number of rows, both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mode_models import ENGINES, IMAGES, PAIRS, agree, feeds_of, folder, save

import gearshift
from gearshift.errors import GearError, InputError, OptionError, OptionErrors
from gearshift.tensors import MBATCH_INPUT, Shape

__all__ = ["folder"]

# Values go to k before q, as they are written, although the graph has q first.
WRITTEN = "k:-1,-1,4;q:-1,-1,4"
GEARS = ((1, 3, 1, 2), (4, 3, 4, 2), (2, 5, 2, 2), (1, 5, 1, 7), (2, 3, 2, 2))
FRAMES = {(3, 2): (1, 4, 2), (5, 2): (2,), (5, 7): (1,)}
"""Lengths of k and q, and the numbers of rows there is a gear for."""


def pairs(rows: int, of_k: int, of_q: int) -> dict[str, Shape]:
    return {"q": (rows, of_q, 4), "k": (rows, of_k, 4)}


@pytest.fixture(scope="module")
def onnx_file(folder: Path) -> Path:
    return save(PAIRS, folder)


@pytest.fixture(scope="module")
def report(onnx_file: Path) -> gearshift.CompileReport:
    return gearshift.compile(
        onnx_file,
        output=onnx_file.with_suffix(".om"),
        input_shape=WRITTEN,
        dynamic_dims=";".join(",".join(map(str, gear)) for gear in GEARS),
    )


def test_the_artifact_says_what_was_dealt(report: gearshift.CompileReport) -> None:
    manifest = report.manifest
    assert manifest.mode == "dims"
    assert manifest.proof.verdict == "proved"
    assert manifest.proof.tested
    assert [record.name for record in manifest.inputs] == ["q", "k"]
    dealt = {record.values: record.inputs for record in manifest.gears}
    assert dealt == {
        gear: ((gear[2], gear[3], 4), (gear[0], gear[1], 4)) for gear in GEARS
    }  # the values in the order written, the shapes in the graph's


@pytest.mark.parametrize("engine", ENGINES)
def test_every_number_of_rows_of_every_frame(
    report: gearshift.CompileReport, onnx_file: Path, engine: str
) -> None:
    with gearshift.load(report.output, engine=engine, preload=True) as model:
        assert model.gears == GEARS
        assert model.inputs[-1].name == MBATCH_INPUT
        assert model.inputs[-1].shape == (4,)
        calls = 0
        for (of_k, of_q), sizes in FRAMES.items():
            for rows in range(2 * max(sizes) + 1):
                feeds = feeds_of(pairs(rows, of_k, of_q))
                if not rows:
                    given = model.run(feeds)
                    assert given["scores"].shape == (0, of_q, of_k)
                    assert given["total"].shape == (0, 4)
                else:
                    agree(model, onnx_file, feeds)
                calls += 1
        assert model.stats().calls == calls


@pytest.mark.parametrize("engine", ENGINES)
def test_a_gear_by_its_values_in_either_spelling(
    report: gearshift.CompileReport, onnx_file: Path, engine: str
) -> None:
    with gearshift.load(report.output, engine=engine, preload=True) as model:
        for gear in GEARS:
            full = feeds_of(pairs(gear[0], gear[1], gear[3]))
            asked = agree(model, onnx_file, full, gear=gear)
            fed = model.run({**full, MBATCH_INPUT: np.array(gear, np.int32)})
            for name, array in asked.items():
                np.testing.assert_array_equal(fed[name], array)
        fewer = feeds_of(pairs(3, 3, 2))
        agree(model, onnx_file, fewer, gear=(4, 3, 4, 2))  # filled up to four rows
        assert model.stats().gears[4].padded_rows == 1


def test_a_frame_s_plan_is_of_that_frame_s_gears(report: gearshift.CompileReport) -> None:
    with gearshift.load(report.output) as model:
        for (of_k, of_q), sizes in FRAMES.items():
            for rows in range(2 * max(sizes) + 1):
                plan = model.plan(rows, pairs(rows, of_k, of_q))
                assert plan.rows == rows
                assert {piece.gear for piece in plan.pieces} <= set(sizes)
        with pytest.raises(InputError, match=r"give shapes= of all inputs, q, k"):
            model.plan(3)
        with pytest.raises(InputError, match=r"give shapes= of all inputs, q, k.*got .*q"):
            model.plan(3, {"q": (3, 2, 4)})
        with pytest.raises(GearError, match=r"no gear takes q \[-1, 2, 4\], k \[-1, 4, 4\]"):
            model.plan(3, pairs(3, 4, 2))
        for shape in ((3, 4), (3, -2, 4), (3, 2, 4, 4)):
            with pytest.raises(InputError, match=r"for input 'q'; give 3 sizes of 0 or more"):
                model.plan(3, {"q": shape, "k": (3, 3, 4)})


def test_plans_by_the_costs_given_are_the_cheapest_of_each_frame(
    report: gearshift.CompileReport,
) -> None:
    """Against brute force: every multiset of gears that holds the rows."""
    costs = {1: 3.0, 2: 4.0, 4: 9.0}

    def cheapest(rows: int, sizes: tuple[int, ...]) -> float:
        best = [0.0]
        for left in range(1, rows + 1):
            best.append(min(costs[size] + best[max(0, left - size)] for size in sizes))
        return best[rows]

    with gearshift.load(report.output, engine="onnxruntime", costs=costs) as model:
        for (of_k, of_q), sizes in FRAMES.items():
            for rows in range(2 * max(sizes) + 1):
                plan = model.plan(rows, pairs(rows, of_k, of_q))
                assert plan.cost == pytest.approx(cheapest(rows, sizes))
    for wrong in ({1: 3.0, 2: 4.0}, {**costs, 8: 20.0}):
        with pytest.raises(OptionError, match=r"the model's are \[1, 2, 4\]"):
            gearshift.load(report.output, engine="onnxruntime", costs=wrong)


def test_what_fits_no_gear_is_refused_with_the_nearest(report: gearshift.CompileReport) -> None:
    with gearshift.load(report.output) as model:
        with pytest.raises(GearError) as caught:
            model.run(feeds_of(pairs(1, 5, 6)))
        said = caught.value.message
        assert said.startswith("no gear takes q [-1, 6, 4], k [-1, 5, 4]")
        nearest = said.index("q [-1, 7, 4], k [-1, 5, 4]")
        assert nearest < said.index("q [-1, 2, 4], k [-1, 5, 4]")
        assert "compile the model with such a gear" in said
        with pytest.raises(InputError, match=r"'k' has shape \[1, 5\]; the model takes \[-1, -1"):
            model.run(feeds_of({"q": (1, 7, 4), "k": (1, 5)}))
        with pytest.raises(InputError, match=r"'k' has shape \[1, 5, 3\]"):
            model.run(feeds_of({"q": (1, 7, 4), "k": (1, 5, 3)}))
        with pytest.raises(InputError, match="'q' has 1, 'k' has 2"):
            model.run(feeds_of({"q": (1, 2, 4), "k": (2, 3, 4)}))


@pytest.mark.parametrize(
    ("gear", "message"),
    [
        ((9, 3, 9, 2), r"gear 9,3,9,2 was not compiled .* 1,3,1,2; 4,3,4,2; 2,5,2,2; 1,5,1,7"),
        (4, "gear 4 was not compiled into this model"),
        ((1, 5, 1, 7), r"gear 1,5,1,7 takes q \[-1, 7, 4\], k \[-1, 5, 4\], and got q \[-1, 2"),
        ((1, 3, 1, 2), r"gear=1,3,1,2 was asked for with 3 rows"),
    ],
)
def test_gears_that_cannot_be_asked_for(
    report: gearshift.CompileReport, gear: int | tuple[int, ...], message: str
) -> None:
    with gearshift.load(report.output) as model, pytest.raises(GearError, match=message):
        model.run(feeds_of(pairs(3, 3, 2)), gear=gear)


def test_a_gear_is_said_to_be_what_it_is_here(report: gearshift.CompileReport) -> None:
    message = "'wide' is not a gear, which is 4 whole numbers"
    with gearshift.load(report.output) as model, pytest.raises(InputError, match=message):
        model.run(feeds_of(pairs(3, 3, 2)), gear="wide")  # type: ignore[arg-type]


def test_the_two_spellings_of_a_gear_must_not_differ(report: gearshift.CompileReport) -> None:
    feeds = {**feeds_of(pairs(1, 3, 2)), MBATCH_INPUT: np.array([4, 3, 4, 2], np.int32)}
    with (
        gearshift.load(report.output) as model,
        pytest.raises(GearError, match=r"\(1, 3, 1, 2\) and ascend_mbatch_shape_data=\(4, 3, 4, 2"),
    ):
        model.run(feeds, gear=(1, 3, 1, 2))


def test_preload_and_memory_tell_frames_apart(report: gearshift.CompileReport) -> None:
    with gearshift.load(report.output, engine="openvino") as model:
        programs = model.memory().programs
        assert {each.frame for each in programs} == {0, 1, 2}
        rows = {frame: set[int]() for frame in range(3)}
        for each in programs:
            rows[each.frame].add(each.build.rows)
            assert not each.built
        assert rows == {0: {1, 2, 4}, 1: {2}, 2: {1}}
        model.run(feeds_of(pairs(2, 5, 2)))
        assert [each.frame for each in model.memory().programs if each.built] == [1]
    with gearshift.load(report.output, engine="openvino", preload=True) as model:
        assert all(each.built for each in model.memory().programs)
    with pytest.raises(OptionError, match="give preload=True for all"):
        gearshift.load(report.output, preload=[1])


@pytest.mark.parametrize("engine", ENGINES)
def test_where_inputs_differ_in_their_rows_a_gear_is_one_shape(folder: Path, engine: str) -> None:
    """One row of x meets every row of y: nothing may be split, and nothing is."""
    broadcast = """
    broadcast (float[A, 3] x, float[B, 3] y) => (float[C, 3] z) { z = Add (x, y) }
    """
    onnx_file = save(broadcast, folder)
    report = gearshift.compile(
        onnx_file,
        output=folder / "broadcast.om",
        input_shape="x:-1,3;y:-1,3",
        dynamic_dims="1,4;4,4;1,2",
        engine=engine,
    )
    with gearshift.load(report.output) as model:
        for first, second in ((1, 4), (4, 4), (1, 2)):
            agree(model, onnx_file, feeds_of({"x": (first, 3), "y": (second, 3)}))
        with pytest.raises(GearError, match=r"no gear takes x \[2, 3\], y \[4, 3\]"):
            model.run(feeds_of({"x": (2, 3), "y": (4, 3)}))


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_that_depend_on_each_other_run_exactly_their_gears(folder: Path, engine: str) -> None:
    """A softmax over the rows: a gear of two rows is never part of one of three."""
    over_rows = "over_rows (float[N, T] x) => (float[N, T] y) { y = Softmax <axis = 0> (x) }"
    onnx_file = save(over_rows, folder)
    report = gearshift.compile(
        onnx_file,
        output=folder / "over_rows.om",
        input_shape="x:-1,-1",
        dynamic_dims="2,5;3,5;2,8",
        engine=engine,
    )
    assert report.manifest.proof.verdict == "refuted"
    with gearshift.load(report.output) as model:
        for shape in ((2, 5), (3, 5), (2, 8)):
            agree(model, onnx_file, feeds_of({"x": shape}))
        for rows, width, allowed in ((1, 5, "2, 3"), (4, 5, "2, 3"), (3, 8, "2")):
            with pytest.raises(GearError, match=f"runs exactly {allowed} rows"):
                model.run(feeds_of({"x": (rows, width)}))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_image_of_which_rows_and_width_vary(folder: Path, engine: str) -> None:
    onnx_file = save(IMAGES, folder)
    report = gearshift.compile(
        onnx_file,
        output=folder / "images.om",
        input_shape={"x": (-1, 3, 16, -1)},
        dynamic_dims=[(1, 16), (4, 16), (1, 33), (2, 33)],
        engine=engine,
    )
    with gearshift.load(report.output) as model:
        for rows in (1, 2, 3, 5, 8):
            for width in (16, 33):
                agree(model, onnx_file, feeds_of({"x": (rows, 3, 16, width)}))


TWO = {"input_shape": WRITTEN, "dynamic_dims": "1,3,1,2;4,3,4,2"}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"input_shape": WRITTEN, "dynamic_dims": "1,3,1,2"}, "E10035"),
        ({"input_shape": WRITTEN, "dynamic_dims": "1,3,1,2;1,3,1"}, "E10003"),
        ({"input_shape": WRITTEN, "dynamic_dims": "1,3;2,3"}, "E10003"),
        ({"input_shape": "k:1,2,4;q:1,2,4", "dynamic_dims": [(1, 3), (1, 2)]}, "E10001"),
        ({"input_shape": "k:-1,-1,4", "dynamic_dims": "1,3;1,2"}, "E10001"),
        ({"input_shape": "k:-1,-1,4;p:-1,4", "dynamic_dims": "1,3,1;1,2,1"}, "E10016"),
        ({**TWO, "dynamic_batch_size": "1,2"}, "E10009"),
        ({**TWO, "input_format": "NCHW"}, "E10001"),
        ({"dynamic_dims": [(1, 3), (2, 3)], "input_shape_range": "q:[1~2,3,4]"}, "E10047"),
        ({"dynamic_image_size": "3,4;5,6", "input_shape": WRITTEN}, "E10019"),
    ],
)  # fmt: skip
def test_declarations_that_are_refused(
    onnx_file: Path, folder: Path, options: dict[str, Any], code: str
) -> None:
    with pytest.raises((OptionError, OptionErrors)) as caught:
        gearshift.compile(onnx_file, output=folder / "never.om", **options)
    errors = caught.value.errors if isinstance(caught.value, OptionErrors) else [caught.value]
    assert code in [error.code for error in errors], [str(error) for error in errors]
    assert not (folder / "never.om").exists()


SCALED = """
scaled (float[N, W] x, float k) => (float[N, W] y)
{ y = Mul (x, k) }
"""
DECLARED: dict[str, dict[str, object]] = {
    "dims": {"dynamic_dims": "1,4;2,4", "input_shape": "x:-1,-1;k:"},
    "batch": {"dynamic_batch_size": "1,2", "input_shape": "k:;x:-1,4"},
    "fixed": {"input_shape": "x:2,4;k: "},
    "in Python": {"dynamic_dims": [(1, 4), (2, 4)], "input_shape": {"x": (-1, -1), "k": ()}},
}


@pytest.mark.parametrize("declared", DECLARED.values(), ids=DECLARED)
def test_scalars_may_be_listed(folder: Path, declared: dict[str, Any]) -> None:
    onnx_file = save(SCALED, folder)
    report = gearshift.compile(onnx_file, output=folder / "scaled.om", **declared)
    with gearshift.load(report.output) as model:
        agree(model, onnx_file, feeds_of({"x": (2, 4), "k": ()}))


def test_an_input_that_is_no_scalar_is_not_listed_as_one(folder: Path) -> None:
    with pytest.raises(OptionErrors, match="gives 'x' 0 dims") as caught:
        gearshift.compile(save(SCALED, folder), output=folder / "no.om", input_shape="x:;k:")
    assert [error.code for error in caught.value.errors] == ["E10001"]
