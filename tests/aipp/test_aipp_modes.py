"""Static AIPP with every kind of gear: source images in, what the model makes of them out.

Held to the preprocessing in numpy, then ONNX Runtime on the model as it came.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aipp_images import BT601, images_for
from hypothesis import given, settings
from hypothesis import strategies as st

import gearshift
from gearshift.aipp.config import parse_aipp
from gearshift.aipp.image import source_shape
from gearshift.aipp.reference import preprocess
from gearshift.aipp.spec import AippBlock, Crop, ImageFormat, Normalisation, Padding, StaticAipp
from gearshift.aipp.writing import write_aipp
from gearshift.cli import atc
from gearshift.errors import GearError, InputError, OptionError, OptionErrors
from gearshift.tensors import Array, Shape
from models import run_onnxruntime, save_text

ENGINES = ("openvino", "onnxruntime")
SCALED = Normalisation(
    mean=(104, 117, 123, 0),
    minimum=(0.5, 0.0, 0.25, 0.0),
    var_reci=(1 / 64, 3 / 128, 1 / 32, 1 / 256),  # float16 numbers, as the configuration's are
)


def convolution(channels: int, folder: Path) -> Path:
    """A model of images of so many channels, all of their dims open."""
    weights = np.random.default_rng(channels).integers(-4, 5, (2, channels, 3, 3))
    numbers = ", ".join(map(str, weights.reshape(-1)))
    return save_text(
        f"""<ir_version: 8, opset_import: ["" : 17]>
        m (float[N, {channels}, H, W] x) => (float[N, 2, P, Q] map, float[N, 2, 1, 1] mean)
        <float[2, {channels}, 3, 3] w = {{{numbers}}}>
        {{
            map = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, w)
            mean = GlobalAveragePool (map)
        }}""",
        folder / f"convolution{channels}.onnx",
    )


@dataclass(frozen=True)
class Kind:
    """A camera's images, and the channels of a model for them."""

    aipp: StaticAipp
    channels: int = 3


YUV = StaticAipp(ImageFormat.YUV420SP_U8, csc=BT601, normalisation=SCALED)
KINDS = {
    "NV12": Kind(YUV),
    "NV21": Kind(replace(YUV, rbuv_swap=True)),
    "RGB": Kind(StaticAipp(ImageFormat.RGB888_U8, normalisation=SCALED)),
    "BGR": Kind(StaticAipp(ImageFormat.RGB888_U8, rbuv_swap=True, normalisation=SCALED)),
    "XRGB": Kind(StaticAipp(ImageFormat.XRGB8888_U8, normalisation=SCALED)),
    "RGBX": Kind(StaticAipp(ImageFormat.XRGB8888_U8, ax_swap=True, normalisation=SCALED), 4),
    "ABGR": Kind(StaticAipp(ImageFormat.ARGB8888_U8, rbuv_swap=True, normalisation=SCALED), 4),
    "VUYA": Kind(
        StaticAipp(ImageFormat.AYUV444_U8, rbuv_swap=True, ax_swap=True, normalisation=SCALED), 4
    ),
    "grey": Kind(StaticAipp(ImageFormat.YUV400_U8, normalisation=SCALED), 1),
    "luma": Kind(YUV, 1),  # the first row of the matrix alone
}


def compile_with(
    folder: Path, blocks: StaticAipp | Sequence[AippBlock], onnx_file: Path, **words: Any
) -> gearshift.CompileReport:
    """Compiles a model with a configuration file."""
    given = [AippBlock(blocks)] if isinstance(blocks, StaticAipp) else blocks
    config = folder / "aipp.cfg"
    config.write_text(write_aipp(given))
    return gearshift.compile(onnx_file, output=folder / "model.om", aipp=config, **words)


def agree(
    model: gearshift.Session,
    onnx_file: Path,
    kind: Kind,
    images: Array,
    gear: int | tuple[int, int] | None = None,
) -> None:
    """The session gives what numpy's preprocessing and then ONNX Runtime give."""
    expected = run_onnxruntime(onnx_file, {"x": preprocess(kind.aipp, images, kind.channels)})
    given = model.run({"x": images}, gear=gear)
    for name, array in expected.items():
        assert given[name].shape == array.shape
        np.testing.assert_allclose(given[name], array, atol=2e-4, err_msg=f"{name} {images.shape}")


def pictures(kind: Kind, rows: int, height: int, width: int) -> Array:
    return images_for(replace(kind.aipp, width=width, height=height), rows, seed=height + rows)


@pytest.mark.parametrize("name", KINDS)
def test_batch_gears(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    onnx_file = convolution(kind.channels, tmp_path)
    words = {"input_shape": {"x": (-1, kind.channels, 8, 12)}, "dynamic_batch_size": [1, 2, 4]}
    report = compile_with(tmp_path, kind.aipp, onnx_file, **words)
    assert report.manifest.proof.verdict == "proved"
    (record,) = report.manifest.inputs
    assert record.dtype == "uint8"
    assert record.shape == source_shape(kind.aipp.format, -1, 8, 12)
    for engine in ENGINES:
        with gearshift.load(report.output, engine=engine, preload=True) as model:
            for rows in range(1, 9):
                agree(model, onnx_file, kind, pictures(kind, rows, 8, 12))
            agree(model, onnx_file, kind, pictures(kind, 3, 8, 12), gear=4)
            assert model.run({"x": pictures(kind, 0, 8, 12)})["map"].shape == (0, 2, 4, 6)


@pytest.mark.parametrize("name", KINDS)
def test_image_gears(name: str, tmp_path: Path) -> None:
    """Every gear has source images of its own size."""
    kind, sizes = KINDS[name], ((8, 12), (16, 8), (6, 6))
    onnx_file = convolution(kind.channels, tmp_path)
    words = {"input_shape": {"x": (2, kind.channels, -1, -1)}, "dynamic_image_size": sizes}
    report = compile_with(tmp_path, kind.aipp, onnx_file, **words)
    dealt = [record.inputs for record in report.manifest.gears]
    assert dealt == [(source_shape(kind.aipp.format, 2, *size),) for size in sizes]
    for engine in ENGINES:
        with gearshift.load(report.output, engine=engine) as model:
            assert model.gears == sizes
            for height, width in sizes:
                images = pictures(kind, 2, height, width)
                agree(model, onnx_file, kind, images)
                agree(model, onnx_file, kind, images, gear=(height, width))
            with pytest.raises(GearError, match="no gear takes x"):
                model.run({"x": pictures(kind, 2, 10, 10)})


@pytest.mark.parametrize("name", KINDS)
def test_fixed_shapes(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    onnx_file = convolution(kind.channels, tmp_path)
    report = compile_with(
        tmp_path, kind.aipp, onnx_file, input_shape={"x": (2, kind.channels, 8, 12)}
    )
    for engine in ENGINES:
        with gearshift.load(report.output, engine=engine) as model:
            agree(model, onnx_file, kind, pictures(kind, 2, 8, 12))
            with pytest.raises(InputError, match=r"shape \[1, .*; the model takes \[2, "):
                model.run({"x": pictures(kind, 1, 8, 12)})


def test_what_the_artifact_carries_is_the_configuration(tmp_path: Path) -> None:
    onnx_file = convolution(3, tmp_path)
    words: dict[str, Any] = {"input_shape": "x:-1,3,8,12", "dynamic_batch_size": "1,2"}
    cut = replace(YUV, width=20, height=10, crop=Crop(4, 2, 0, 0))
    report = compile_with(tmp_path, cut, onnx_file, **words)
    (record,) = report.manifest.aipp
    (block,) = parse_aipp(record.config)
    assert block.input_name == "x"
    assert isinstance(block.aipp, StaticAipp)
    assert block.aipp.crop == Crop(4, 2, 12, 8)  # as large as the model's own image
    assert block.aipp.csc == BT601
    assert block.aipp.normalisation.mean == SCALED.mean


images_of = st.sampled_from([ImageFormat.YUV420SP_U8, ImageFormat.RGB888_U8, ImageFormat.YUV400_U8])


@settings(max_examples=12)
@given(
    image_format=images_of,
    corner=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    around=st.tuples(*[st.integers(0, 3)] * 4),
    engine=st.sampled_from(ENGINES),
    sizes=st.lists(st.integers(1, 5), min_size=2, max_size=3, unique=True),
    rows=st.integers(1, 10),
)
def test_any_crop_and_padding_with_any_batch_gears(
    tmp_path_factory: pytest.TempPathFactory,
    image_format: ImageFormat,
    corner: tuple[int, int],
    around: tuple[int, int, int, int],
    engine: str,
    sizes: list[int],
    rows: int,
) -> None:
    left, top = (2 * place for place in corner)
    before, after, above, below = around
    crop = Crop(left, top, 14 - before - after, 12 - above - below)
    aipp = StaticAipp(
        image_format,
        width=left + 14,
        height=top + 12,
        crop=crop,
        padding=Padding(before, after, above, below, value=-1.5),
        normalisation=SCALED,
        csc=None if image_format is ImageFormat.YUV400_U8 else YUV.csc,
    )
    kind = Kind(aipp, 1 if image_format is ImageFormat.YUV400_U8 else 3)
    folder = tmp_path_factory.mktemp("crops")
    onnx_file = convolution(kind.channels, folder)
    shape = {"x": (-1, kind.channels, 12, 14)}
    words = {"input_shape": shape, "dynamic_batch_size": sizes, "engine": engine}
    report = compile_with(folder, aipp, onnx_file, **words)
    with gearshift.load(report.output) as model:
        agree(model, onnx_file, kind, images_for(aipp, rows))


@pytest.mark.parametrize("engine", ENGINES)
def test_images_that_lie_with_their_channels_last(engine: str, tmp_path: Path) -> None:
    onnx_file = save_text(
        '<ir_version: 8, opset_import: ["" : 17]>'
        "m (float[N, H, W, 3] x) => (float[N, H, W, 3] y) { y = Neg (x) }",
        tmp_path / "m.onnx",
    )
    words: dict[str, Any] = {"input_shape": "x:1,-1,-1,3", "dynamic_image_size": "4,6;6,4"}
    report = compile_with(tmp_path, YUV, onnx_file, input_format="NHWC", engine=engine, **words)
    with gearshift.load(report.output) as model:
        for height, width in ((4, 6), (6, 4)):
            images = pictures(Kind(YUV), 1, height, width)
            expected = -preprocess(YUV, images, 3).transpose(0, 2, 3, 1)
            given = model.run({"x": images})["y"]
            np.testing.assert_allclose(given, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("by_name", [True, False])
def test_a_block_for_each_of_two_inputs(engine: str, by_name: bool, tmp_path: Path) -> None:
    """A camera's colour image and a grey one; a third input has nothing in front of it."""
    onnx_file = save_text(
        '<ir_version: 8, opset_import: ["" : 17]>'
        "m (float[N, 3, 4, 4] x, float[N, 2] info, float[N, 1, 6, 2] g)"
        "=> (float[N, 3, 4, 4] y, float[N, 2] z, float[N, 1, 6, 2] h)"
        "{ y = Relu (x)  z = Neg (info)  h = Abs (g) }",
        tmp_path / "m.onnx",
    )
    grey = StaticAipp(ImageFormat.YUV400_U8, normalisation=SCALED)
    blocks = [
        AippBlock(grey, input_rank=2, input_name="g" if by_name else None),
        AippBlock(YUV, input_rank=0, input_name="x" if by_name else None),
    ]
    report = compile_with(tmp_path, blocks, onnx_file, dynamic_batch_size="1,2", engine=engine)
    with gearshift.load(report.output) as model:
        assert [spec.dtype.name for spec in model.inputs[:3]] == ["uint8", "float32", "uint8"]
        for rows in (1, 2, 5):
            x, g = pictures(Kind(YUV), rows, 4, 4), pictures(Kind(grey, 1), rows, 6, 2)
            info = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
            given = model.run({"x": x, "info": info, "g": g})
            expected = {
                "y": np.maximum(preprocess(YUV, x, 3), 0),
                "z": -info,
                "h": np.abs(preprocess(grey, g, 1)),
            }
            for name, array in expected.items():
                np.testing.assert_allclose(given[name], array, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        ((2, 3, 8, 12), r"the model takes \[-1, 12, 12\]"),
        ((2, 8, 12), r"has shape \[2, 8, 12\]; the model takes \[-1, 12, 12\]"),
        ("float32", "is float32; the model takes uint8"),
    ],
)
def test_what_is_no_source_image(feed: Shape | str, message: str, tmp_path: Path) -> None:
    words: dict[str, Any] = {"input_shape": "x:-1,3,8,12", "dynamic_batch_size": "1,2"}
    report = compile_with(tmp_path, YUV, convolution(3, tmp_path), **words)
    shape, dtype = ((2, 12, 12), feed) if isinstance(feed, str) else (feed, "uint8")
    with gearshift.load(report.output) as model, pytest.raises(InputError, match=message):
        model.run({"x": np.zeros(shape, dtype)})


BATCH = ("input_shape=x:-1,3,8,12", "dynamic_batch_size=1,2")
IMAGE = ("input_shape=x:1,3,-1,-1", "dynamic_image_size=8,12;6,6")
STATIC = "aipp_op {{ aipp_mode: static input_format: RGB888_U8 {} }}"
REFUSED: dict[str, tuple[str, tuple[str, ...], str]] = {
    "no text format": ("aipp_op { aipp_mode: }", BATCH, "E19018"),
    "an unknown field": (STATIC.format("crop_size: 3"), BATCH, "E19018"),
    "nothing in it": (" ", BATCH, "E19018"),
    "no format": ("aipp_op { aipp_mode: static }", BATCH, "E10052"),
    "resize": (STATIC.format("resize: true"), BATCH, "E10052"),
    "no such input": (STATIC.format('related_input_name: "y"'), BATCH, "E10052"),
    "no such rank": (STATIC.format("related_input_rank: 1"), BATCH, "E19999"),
    "too small an image": (STATIC.format("src_image_size_w: 8"), BATCH, "E81012"),
    "grey for colour": (
        "aipp_op { aipp_mode: static input_format: YUV400_U8 }", BATCH, "E81012",
    ),
    "a crop beyond the edge": (
        STATIC.format("src_image_size_w: 14 src_image_size_h: 8 crop: true load_start_pos_w: 4"),
        BATCH,
        "E81012",
    ),
    "a crop with image gears": (STATIC.format("crop: true"), IMAGE, "E10052"),
    "a size with image gears": (STATIC.format("src_image_size_h: 8"), IMAGE, "E10052"),
    "a gear of an odd width": (
        "aipp_op { aipp_mode: static input_format: YUV420SP_U8 }",
        ("input_shape=x:1,3,-1,-1", "dynamic_image_size=8,12;6,7"),
        "E81012",
    ),
    "a gear too narrow": (
        STATIC.format(""), ("input_shape=x:1,3,-1,-1", "dynamic_image_size=1,1;2,2"), "E81012",
    ),
    "gears of any dims": (
        STATIC.format(""),
        ("input_shape=x:-1,3,8,-1", "dynamic_dims=1,12;2,12", "input_format=ND"),
        "E10001",
    ),
    "ranges": (STATIC.format(""), ("input_shape_range=x:[1~2,3,8,12]",), "E10001"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_from_python(name: str, tmp_path: Path) -> None:
    text, words, code = REFUSED[name]
    (tmp_path / "aipp.cfg").write_text(text)
    options: dict[str, Any] = dict(word.split("=", 1) for word in words)
    with pytest.raises((OptionError, OptionErrors)) as caught:
        gearshift.compile(
            convolution(3, tmp_path),
            output=tmp_path / "never.om",
            aipp=tmp_path / "aipp.cfg",
            **options,
        )
    errors = caught.value.errors if isinstance(caught.value, OptionErrors) else [caught.value]
    assert [error.code for error in errors] == [code], [error.message for error in errors]
    assert not (tmp_path / "never.om").exists()


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_from_atc(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text, words, code = REFUSED[name]
    onnx_file = convolution(3, tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("aipp.cfg").write_text(text)
    flags = ["--framework=5", "--output=never", "--soc_version=Ascend310P3"]
    status = atc.main(
        [
            f"--model={onnx_file.name}",
            *flags,
            "--insert_op_conf=aipp.cfg",
            *(f"--{word}" for word in words),
        ]
    )
    printed = capsys.readouterr().out
    assert status == 255
    assert re.findall(r"^E\w{5}", printed, re.MULTILINE) == [code], printed
    assert not Path("never.om").exists()


def test_atc_makes_what_python_makes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx_file = convolution(3, tmp_path)
    by_python = compile_with(
        tmp_path, YUV, onnx_file, input_shape="x:-1,3,8,12", dynamic_batch_size="1,2"
    )
    monkeypatch.chdir(tmp_path)
    status = atc.main(
        [
            f"--model={onnx_file.name}",
            "--framework=5",
            "--output=by_atc",
            "--soc_version=Ascend310P3",
            "--insert_op_conf=aipp.cfg",
            *(f"--{word}" for word in BATCH),
        ]
    )
    assert status == 0, capsys.readouterr().out
    kind = KINDS["NV12"]
    with gearshift.load(Path("by_atc.om")) as ours, gearshift.load(by_python.output) as theirs:
        assert ours.manifest.aipp == theirs.manifest.aipp
        agree(ours, onnx_file, kind, pictures(kind, 3, 8, 12))
