"""Gears of height and width: the batch is fixed, every size is a program of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mode_models import ENGINES, IMAGES, IMAGES_NHWC, agree, feeds_of, folder, save

import gearshift
from gearshift.errors import GearError, InputError, OptionError, OptionErrors
from gearshift.tensors import MBATCH_INPUT

__all__ = ["folder"]

SIZES = ((8, 8), (8, 16), (32, 16), (33, 47))


@pytest.fixture(scope="module")
def onnx_file(folder: Path) -> Path:
    return save(IMAGES, folder)


@pytest.fixture(scope="module")
def artifact(onnx_file: Path) -> Path:
    report = gearshift.compile(
        onnx_file,
        output=onnx_file.with_suffix(".om"),
        input_shape="x:2,3,-1,-1",
        dynamic_image_size=";".join(f"{height},{width}" for height, width in SIZES),
    )
    assert report.manifest.mode == "image"
    assert [record.values for record in report.manifest.gears] == list(SIZES)
    assert not report.manifest.warnings
    return report.output


@pytest.mark.parametrize("engine", ENGINES)
def test_every_size(artifact: Path, onnx_file: Path, engine: str) -> None:
    with gearshift.load(artifact, engine=engine) as model:
        assert model.gears == SIZES
        assert [spec.shape for spec in model.inputs] == [(2, 3, -1, -1), (2,)]
        assert [spec.shape for spec in model.outputs] == [(2, 4, -1, -1), (2, 4)]
        for height, width in (*SIZES, *reversed(SIZES)):
            feeds = feeds_of({"x": (2, 3, height, width)})
            agree(model, onnx_file, feeds)
            asked = agree(model, onnx_file, feeds, gear=(height, width))
            fed = model.run({**feeds, MBATCH_INPUT: np.array([height, width], np.int32)})
            for name, array in asked.items():
                np.testing.assert_array_equal(fed[name], array)
        assert model.stats().calls == 6 * len(SIZES)


@pytest.mark.parametrize("engine", ENGINES)
def test_images_that_lie_the_other_way(folder: Path, engine: str) -> None:
    onnx_file = save(IMAGES_NHWC, folder)
    report = gearshift.compile(
        onnx_file,
        output=folder / "lying.om",
        input_shape={"x": (1, -1, -1, 3)},
        dynamic_image_size=[(4, 6), (6, 4)],
        input_format="NHWC",
        engine=engine,
    )
    with gearshift.load(report.output) as model:
        for shape in ((1, 4, 6, 3), (1, 6, 4, 3)):
            agree(model, onnx_file, feeds_of({"x": shape}))
        with pytest.raises(GearError, match=r"no gear takes x \[1, 4, 4, 3\]"):
            model.run(feeds_of({"x": (1, 4, 4, 3)}))


def test_a_second_input_keeps_its_shape(folder: Path) -> None:
    """As in detectors that are told the size of the picture they get."""
    onnx_file = save(
        "informed (float[N, 3, H, W] x, float[N, 4] info) => (float[N, 3, H, W] y, float[N, 4] z)"
        "{ y = Relu (x)  z = Neg (info) }",
        folder,
    )
    gearshift.compile(
        onnx_file,
        output=folder / "informed.om",
        input_shape="x:1,3,-1,-1;info:1,4",
        dynamic_image_size="4,4;8,8",
    )
    with gearshift.load(folder / "informed.om") as model:
        for side in (4, 8):
            agree(model, onnx_file, feeds_of({"x": (1, 3, side, side), "info": (1, 4)}))


def test_sizes_between_the_gears_are_refused_with_the_nearest(artifact: Path) -> None:
    with gearshift.load(artifact) as model:
        with pytest.raises(GearError) as caught:
            model.run(feeds_of({"x": (2, 3, 32, 46)}))
        said = caught.value.message
        assert said.startswith("no gear takes x [2, 3, 32, 46]; the nearest of 4 are x [2, 3, 33,")
        assert "[2, 3, 8, 8]" not in said  # the farthest of them
        for shape in ((1, 3, 8, 8), (2, 4, 8, 8), (2, 3, 8), (3, 8, 8)):
            with pytest.raises(InputError, match=r"the model takes \[2, 3, -1, -1\]"):
                model.run(feeds_of({"x": shape}))
        with pytest.raises(GearError, match=r"gear 8,16 takes x \[2, 3, 8, 16\], and got x \[2"):
            model.run(feeds_of({"x": (2, 3, 8, 8)}), gear=(8, 16))
        with pytest.raises(GearError, match="gear 16,8 was not compiled"):
            model.run(feeds_of({"x": (2, 3, 8, 16)}), gear=(16, 8))


def test_a_size_is_planned_as_one_run(artifact: Path) -> None:
    with gearshift.load(artifact) as model:
        assert len(model.plan(1, {"x": (2, 3, 8, 16)}).pieces) == 1
        with pytest.raises(GearError, match="every call is one run"):
            model.plan(2, {"x": (2, 3, 8, 16)})
        with pytest.raises(GearError, match="no gear takes"):
            model.plan(1, {"x": (2, 3, 16, 16)})


def test_programs_are_built_for_the_sizes_that_come(artifact: Path) -> None:
    with gearshift.load(artifact, engine="openvino") as model:
        programs = model.memory().programs
        assert [(each.frame, each.built) for each in programs] == [(n, False) for n in range(4)]
        sizes = [each.nbytes for each in programs]
        assert sizes == sorted(sizes)  # predicted: larger images take more
        model.run(feeds_of({"x": (2, 3, 32, 16)}))
        assert [each.built for each in model.memory().programs] == [False, False, True, False]
    with gearshift.load(artifact, engine="openvino", preload=True) as model:
        assert all(each.built for each in model.memory().programs)
    with pytest.raises(OptionError, match="the gears of this model are image"):
        gearshift.load(artifact, preload=[8])


@pytest.mark.parametrize("spare", [0, 6000])
def test_frames_share_the_budget(artifact: Path, onnx_file: Path, spare: int) -> None:
    with gearshift.load(artifact, engine="openvino") as model:
        sizes = [each.nbytes for each in model.memory().programs]
    budget = max(sizes) + spare
    assert budget < sum(sizes)
    with gearshift.load(artifact, engine="openvino", memory_budget=budget) as model:
        assert model.memory().limit == budget
        for height, width in (*SIZES, *SIZES):
            agree(model, onnx_file, feeds_of({"x": (2, 3, height, width)}))
            assert 0 < model.memory().built <= budget
        assert model.memory().total == sum(sizes)


@pytest.mark.parametrize(
    ("shape", "sizes", "code"),
    [
        ("x:-1,3,-1,-1", "8,8;16,16", "E10019"),
        ("x:2,3,8,-1", "8,8;16,16", "E10019"),
        ("x:2,-1,-1,8", "8,8;16,16", "E10019"),
        ("x:2,3,-1,-1", "8,8", "E10035"),
        ("x:2,3,-1,-1", "8,8;8,8", "E10039"),
        ("x:2,3,-1,-1", "8,8;8", "E10020"),
        ("x:2,3,-1,-1", [(8, 8), (0, 8)], "E10038"),
    ],
)
def test_declarations_that_are_refused(
    onnx_file: Path, folder: Path, shape: str, sizes: str | list[tuple[int, int]], code: str
) -> None:
    with pytest.raises((OptionError, OptionErrors)) as caught:
        gearshift.compile(
            onnx_file, output=folder / "never.om", input_shape=shape, dynamic_image_size=sizes
        )
    errors = caught.value.errors if isinstance(caught.value, OptionErrors) else [caught.value]
    assert code in [error.code for error in errors], [str(error) for error in errors]
