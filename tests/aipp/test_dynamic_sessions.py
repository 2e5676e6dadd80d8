"""Sessions of models behind dynamic AIPP: parameters by row, gears, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aipp_images import aipp_parameters
from hypothesis import given, settings
from hypothesis import strategies as st
from test_dynamic import expected_of, source

import gearshift
from gearshift import AippParameters, AippRow, Crop, Csc, ImageFormat, Padding, Session
from gearshift.aipp.block import DYNAMIC_AIPP_INPUT, pack
from gearshift.aipp.image import fitting_channels
from gearshift.artifact.check import check_manifest
from gearshift.errors import CorruptArtifactError, GearshiftError, InputError
from gearshift.images import Images
from gearshift.tensors import Array
from models import run_onnxruntime, save_text

ENGINES = ("openvino", "onnxruntime")
RGB, NV12 = ImageFormat.RGB888_U8, ImageFormat.YUV420SP_U8
HEIGHT, WIDTH = 4, 6
HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
KERNEL = ", ".join(str((index * 5) % 7 - 3) for index in range(2 * 3 * 3 * 3))
NET = f"""
net (float[N, 3, {HEIGHT}, {WIDTH}] x) => (float[N, 3, {HEIGHT}, {WIDTH}] seen, float[N, 2] y)
<float[2, 3, 3, 3] kernel = {{{KERNEL}}}, float scale = {{0.01}}>
{{
    seen = Neg (x)
    small = Mul (x, scale)
    c = Conv <pads = [1, 1, 1, 1]> (small, kernel)
    pooled = GlobalAveragePool (c)
    y = Flatten (pooled)
}}
"""
"""Gives back what it was fed, so that every bit of it can be seen, beside something to compute."""

TO_BGR = Csc(((298, 516, 0), (298, -100, -208), (298, 0, 409)), (16, 128, 128), (0, 0, 0))


def config(folder: Path, size: int = 1 << 20, extra: str = "") -> Path:
    path = folder / "aipp.cfg"
    path.write_text(f"aipp_op {{ aipp_mode: dynamic max_src_image_size: {size} {extra} }}")
    return path


def compiled(folder: Path, text: str = NET, **options: Any) -> Path:
    if "aipp" not in options:
        options["aipp"] = config(folder)
    model = save_text(HEAD + text, folder / "net.onnx")
    return gearshift.compile(model, output=folder / "net.om", **options).output


def several(rows: int) -> AippParameters:
    """For each row other parameters, every one of a camera's frame of 12 x 10 pixels."""
    records = [
        AippRow(
            Crop(2 * (row % 4), 2 * (row % 3), 4, 2),
            Padding(row % 3, 2 - row % 3, 2 * (row % 2), 2 - 2 * (row % 2)),
            mean=(row, 2 * row, 100),
            minimum=(0.5 * row,),
            var_reci=(1 / (row + 1), 0.25, -1 / 3),
        )
        for row in range(rows)
    ]
    return AippParameters(NV12, 12, 10, records, TO_BGR, rbuv_swap=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dynamic")


@pytest.fixture(scope="module")
def artifact(folder: Path) -> Path:
    return compiled(folder, dynamic_batch_size=[1, 4, 2], input_shape={"x": (-1, 3, HEIGHT, WIDTH)})


@pytest.fixture(scope="module", params=ENGINES)
def model(artifact: Path, request: pytest.FixtureRequest) -> Iterator[Session]:
    with gearshift.load(artifact, engine=request.param) as session:
        yield session


@pytest.fixture(scope="module")
def onnxruntime_model(artifact: Path) -> Iterator[Session]:
    with gearshift.load(artifact, engine="onnxruntime") as session:
        yield session


def run(session: Session, images: Array, parameters: object, **options: Any) -> dict[str, Array]:
    return session.run({"x": images, DYNAMIC_AIPP_INPUT: parameters}, **options)


def check(outputs: dict[str, Array], own: Array, file: Path) -> None:
    """Against ONNX Runtime on what the scalar arithmetic makes of the images."""
    np.testing.assert_array_equal(outputs["seen"], -own)
    expected = run_onnxruntime(file, {"x": own})["y"]
    np.testing.assert_allclose(outputs["y"], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 9, 11])
def test_every_row_by_its_own_parameters(model: Session, folder: Path, rows: int) -> None:
    parameters = several(rows)
    images = source(parameters, rows, seed=rows)
    own = expected_of(parameters, images, 3, "float32")
    assert len(set(parameters.first(rows))) == rows
    check(run(model, images, parameters), own, folder / "net.onnx")
    check(run(model, images, pack(parameters)), own, folder / "net.onnx")


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("gear", [None, 4])
def test_a_block_for_the_largest_gear(
    model: Session, folder: Path, rows: int, gear: int | None
) -> None:
    parameters = several(4)
    images = source(parameters, rows)
    own = expected_of(parameters, images, 3, "float32")
    check(run(model, images, parameters, gear=gear), own, folder / "net.onnx")
    check(run(model, images.reshape(rows, -1), pack(parameters)), own, folder / "net.onnx")


@settings(max_examples=40)
@given(st.data(), st.integers(1, 6))
def test_any_parameters(onnxruntime_model: Session, data: st.DataObject, rows: int) -> None:
    parameters = data.draw(
        aipp_parameters(rows, (HEIGHT, WIDTH)).filter(
            lambda made: 3 in fitting_channels(made.format, converts=made.csc is not None)
        )
    )
    images = source(parameters, rows)
    own = expected_of(parameters, images, 3, "float32")
    np.testing.assert_array_equal(run(onnxruntime_model, images, parameters)["seen"], -own)


def test_one_row_of_parameters_for_all(model: Session, folder: Path) -> None:
    parameters = AippParameters(RGB, WIDTH, HEIGHT, AippRow(mean=(5,), var_reci=(0.5,) * 3))
    images = source(parameters, 7)
    own = expected_of(parameters, images, 3, "float32")
    check(run(model, images, parameters), own, folder / "net.onnx")
    check(run(model, images.reshape(-1), parameters), own, folder / "net.onnx")
    future = model.run_async({"x": images[:2], DYNAMIC_AIPP_INPUT: parameters})
    check(future.result(), own[:2], folder / "net.onnx")


def test_no_rows(model: Session) -> None:
    parameters = AippParameters(RGB, WIDTH, HEIGHT)
    outputs = run(model, np.zeros((0, HEIGHT, WIDTH, 3), np.uint8), parameters)
    assert {name: array.shape for name, array in outputs.items()} == {
        "seen": (0, 3, HEIGHT, WIDTH),
        "y": (0, 2),
    }


def test_inputs_as_a_caller_sees_them(model: Session) -> None:
    assert [str(spec) for spec in model.inputs] == [
        "x: uint8[-1, -1]",
        "ascend_mbatch_shape_data: int32[1]",
        f"ascend_dynamic_aipp_data: uint8[{64 + 96 * 4}]",
    ]
    (record,) = model.manifest.aipp
    assert (record.input, record.dtype, record.layout) == ("x", "float32", "NCHW")
    assert record.shape == (-1, 3, HEIGHT, WIDTH)


PLAIN = AippParameters(RGB, WIDTH, HEIGHT)


@pytest.mark.parametrize(
    ("rows", "given_so", "message", "acl_code"),
    [
        (2, None, "add 'ascend_dynamic_aipp_data': gearshift.AippParameters", 145011),
        (2, replace(PLAIN, rows=[AippRow()]), "is for 1 row, and 2 images were given", 145012),
        (2, replace(PLAIN, rows=[AippRow()] * 3), r"those of the largest gear \(4\)", 145012),
        (5, replace(PLAIN, rows=[AippRow()] * 4), "is for 4 rows, and 5 images", 145012),
        (1, "nothing of the kind", "takes an AippParameters, or its block", 100017),
        (1, [[1], [1, 2]], "'ascend_dynamic_aipp_data' is not an array", 100017),
        (1, np.zeros(448, np.uint8), "is for 0 rows", 145014),
        (1, replace(PLAIN, width=8), "have the shape", 100017),
        (1, replace(PLAIN, rows=AippRow(Crop(0, 0, 4, 4))), "the model takes 6 x 4", 100017),
        (1, replace(PLAIN, format=ImageFormat.XRGB8888_U8), "have the shape", 100017),
    ],
)
def test_refused(
    onnxruntime_model: Session, rows: int, given_so: object, message: str, acl_code: int
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        run(onnxruntime_model, source(PLAIN, rows), given_so)
    assert caught.value.acl_code == acl_code


def test_inputs_that_are_not_there(onnxruntime_model: Session) -> None:
    with pytest.raises(InputError, match="missing: 'x'"):
        onnxruntime_model.run({DYNAMIC_AIPP_INPUT: PLAIN})
    with pytest.raises(InputError, match="is not an array"):
        run(onnxruntime_model, [[1], [1, 2]], PLAIN)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unknown: 'z'"):
        onnxruntime_model.run({"x": source(PLAIN, 1), DYNAMIC_AIPP_INPUT: PLAIN, "z": 1})


def test_a_model_without_dynamic_aipp_takes_no_parameters(tmp_path: Path) -> None:
    shapes = {"x": (-1, 3, HEIGHT, WIDTH)}
    path = compiled(tmp_path, aipp=None, dynamic_batch_size=[1, 2], input_shape=shapes)
    with (
        gearshift.load(path) as session,
        pytest.raises(InputError, match="unknown: 'ascend_dynamic_aipp_data'"),
    ):
        run(session, np.zeros((1, 3, HEIGHT, WIDTH), np.float32), PLAIN)


def test_images_larger_than_was_declared(tmp_path: Path) -> None:
    """What counts is one run, of the largest gear at most: a call may have more rows."""
    path = compiled(
        tmp_path,
        aipp=config(tmp_path, 2 * HEIGHT * WIDTH * 3),
        dynamic_batch_size=[1, 2],
        input_shape={"x": (-1, 3, HEIGHT, WIDTH)},
        engine="onnxruntime",
    )
    with gearshift.load(path) as session:
        images = source(PLAIN, 5)
        seen = run(session, images, PLAIN)["seen"]
        np.testing.assert_array_equal(seen, -images.transpose(0, 3, 1, 2).astype(np.float32))
        wide = replace(PLAIN, width=12, height=8, rows=AippRow(Crop(0, 0, WIDTH, HEIGHT)))
        with pytest.raises(InputError, match="288 bytes; max_src_image_size allows 144 in one run"):
            run(session, source(wide, 1), wide)
        slightly = replace(PLAIN, width=8, rows=AippRow(Crop(0, 0, WIDTH, HEIGHT)))
        assert len(run(session, source(slightly, 1), slightly)["y"]) == 1
        with pytest.raises(InputError, match="2 images of 96 bytes are 192 bytes"):
            run(session, source(slightly, 3), slightly)


@pytest.mark.parametrize("kind", ["float16", "uint8", "int8"])
def test_models_of_other_numbers(tmp_path: Path, kind: str) -> None:
    text = f"net ({kind}[N, 3, 4, 6] x) => ({kind}[N, 3, 4, 6] y) {{ y = Transpose (x) }}"
    text = text.replace("(x)", "<perm = [0, 1, 2, 3]> (x)")
    shapes = {"x": (-1, 3, HEIGHT, WIDTH)}
    path = compiled(tmp_path, text, dynamic_batch_size=[1, 2], input_shape=shapes)
    parameters = several(3)
    images = source(parameters, 3)
    with gearshift.load(path) as session:
        found = run(session, images, parameters)["y"]
    np.testing.assert_array_equal(found, expected_of(parameters, images, 3, kind))


def test_nhwc(tmp_path: Path) -> None:
    path = compiled(
        tmp_path,
        "net (float[N, 4, 6, 3] x) => (float[N, 4, 6, 3] y) { y = Neg (x) }",
        dynamic_batch_size=[1, 2],
        input_shape={"x": (-1, HEIGHT, WIDTH, 3)},
        input_format="NHWC",
    )
    parameters = several(3)
    images = source(parameters, 3)
    with gearshift.load(path) as session:
        found = run(session, images, parameters)["y"]
    own = expected_of(parameters, images, 3, "float32")
    np.testing.assert_array_equal(found, -own.transpose(0, 2, 3, 1))


@pytest.mark.parametrize(("dims", "rows"), [("2, 3, 4, 6", 2), ("3, 4, 6", 1)])
def test_fixed_shapes(tmp_path: Path, dims: str, rows: int) -> None:
    path = compiled(tmp_path, f"net (float[{dims}] x) => (float[{dims}] y) {{ y = Neg (x) }}")
    parameters = several(rows)
    images = source(parameters, rows)
    with gearshift.load(path) as session:
        assert [spec.shape for spec in session.inputs] == [(rows, -1), (64 + 96 * rows,)]
        found = run(session, images, parameters)["y"]
        own = expected_of(parameters, images, 3, "float32")
        np.testing.assert_array_equal(found, -(own if rows == 2 else own[0]))
        with pytest.raises(InputError):
            run(session, source(parameters, 3), several(3))


TWO = """
two (float[N, 3, 4, 6] left, float[N, 2] how, float[N, 1, 4, 6] right) => (float[N, 4, 4, 6] y)
<int64[2] at = {2, 3}>
{
    both = Concat <axis = 1> (left, right)
    summed = ReduceSum <keepdims = 0> (how, one)
    wide = Unsqueeze (summed, far)
    y = Sub (both, wide)
}
"""
TWO = TWO.replace("int64[2] at = {2, 3}", "int64[1] one = {1}, int64[3] far = {1, 2, 3}")


def test_several_inputs_of_images(tmp_path: Path) -> None:
    path = tmp_path / "two.cfg"
    path.write_text(
        "".join(
            f'aipp_op {{ aipp_mode: dynamic related_input_name: "{name}" '
            "max_src_image_size: 9999 }\n"
            for name in ("left", "right")
        )
    )
    artifact = compiled(tmp_path, TWO, aipp=path, dynamic_batch_size=[1, 2])
    grey = AippParameters(ImageFormat.YUV400_U8, WIDTH, HEIGHT, [AippRow(mean=(9,))] * 3)
    feeds = {
        "left": source(several(3), 3),
        "how": np.arange(6, dtype=np.float32).reshape(3, 2),
        "right": source(grey, 3),
        DYNAMIC_AIPP_INPUT: several(3),
    }
    second = f"{DYNAMIC_AIPP_INPUT}_right_0_huawei_aipp"
    with gearshift.load(artifact) as session:
        assert [spec.name for spec in session.inputs] == [
            "left", "how", "right", "ascend_mbatch_shape_data", DYNAMIC_AIPP_INPUT, second,
        ]  # fmt: skip
        with pytest.raises(InputError, match=f"input 'right' takes source images.*{second}"):
            session.run(feeds)
        found = session.run({**feeds, second: pack(grey)})["y"]
    own = np.concatenate(
        [
            expected_of(several(3), feeds["left"], 3, "float32"),
            expected_of(grey, feeds["right"], 1, "float32"),
        ],
        axis=1,
    )
    np.testing.assert_array_equal(found, own - feeds["how"].sum(1)[:, None, None, None])


def test_image_gears_take_the_largest_alone(tmp_path: Path) -> None:
    path = compiled(
        tmp_path,
        "net (float[N, 3, H, W] x) => (float[N, 3, H, W] y) { y = Neg (x) }",
        dynamic_image_size=[(4, 6), (8, 10), (6, 4)],
        input_shape={"x": (2, 3, -1, -1)},
    )
    largest = AippParameters(RGB, width=10, height=8, rows=[AippRow(mean=(1,)), AippRow()])
    images = source(largest, 2)
    with gearshift.load(path) as session:
        assert session.inputs[0].shape == (2, -1)
        assert session.inputs[2].shape == (64 + 96 * 2,)
        for gear in (None, (8, 10)):
            found = run(session, images, largest, gear=gear)["y"]
            np.testing.assert_array_equal(found, -expected_of(largest, images, 3, "float32"))
        for parameters, message in (
            (PLAIN, "takes the largest gear alone: 10 x 8"),
            (replace(largest, rows=AippRow(Crop(0, 0, 6, 4))), "with image gears crop must be off"),
            (replace(largest, rows=AippRow(padding=Padding(1))), "padding must be off"),
        ):
            with pytest.raises(InputError, match=message) as caught:
                run(session, source(parameters, 2), parameters)
            assert caught.value.acl_code == 145013
        with pytest.raises(GearshiftError, match="gear 4,6 takes"):
            run(session, images, largest, gear=(4, 6))


FOURS = "(float[N, 3, 4, 6] x) => (float[N, 3, 4, 6] y) { y = Neg (x) }"
BATCH: dict[str, Any] = {"dynamic_batch_size": [1, 2]}


@pytest.mark.parametrize(
    ("text", "options", "code", "message"),
    [
        (FOURS, {"input_format": "ND", "input_shape": {"x": (1, 3, 4, 6)}}, "E19014", "is ND"),
        ("(float[4, 6] x) => (float[4, 6] y) { y = Neg (x) }", {}, "E10001", "of 3 or 4 dims"),
        (FOURS.replace("3", "2"), BATCH, "E81012", "takes 2 channels as NCHW"),
        (FOURS, {**BATCH, "input_format": "NHWC"}, "E81012", "takes 6 channels as NHWC"),
        ("(float[3, 6, 6] x) => (float[3, 6, 6] y) { y = Neg (x) }",
         {"input_format": "NHWC"}, "E81012", "takes 6 channels"),
        (FOURS.replace("float", "int64"), BATCH, None, "it is of int64; AIPP gives float32"),
        (
            FOURS.replace("4, 6", "84, 96"), BATCH, "E10052",
            # Two rows of 20 x 32 pixels, which padding may bring to 84 x 96, with 1.5 bytes each.
            r"max_src_image_size is 1900; .* are 1920 bytes \(rows: 2\)",
        ),
        (
            FOURS.replace("4, 6", "H, W"),
            {"dynamic_image_size": [(4, 6), (40, 32)], "input_shape": {"x": (1, 3, -1, -1)}},
            "E10052", "are 1920 bytes",
        ),
        (
            FOURS,
            {"dynamic_dims": [(1,), (2,)], "input_shape": {"x": (-1, 3, 4, 6)},
             "input_format": "ND"},
            "E10001", "dynamic_dims",
        ),
    ],
)  # fmt: skip
def test_compiling_refused(
    tmp_path: Path, text: str, options: dict[str, Any], code: str | None, message: str
) -> None:
    with pytest.raises(GearshiftError, match=message) as caught:
        compiled(tmp_path, f"net {text}", aipp=config(tmp_path, 1900), **options)
    assert caught.value.code == code


def test_manifests_that_cannot_be(model: Session) -> None:
    manifest = model.manifest
    parts = {record.part: 1 for record in manifest.topologies}
    parts["weights"] = 1 << 20
    (record,) = manifest.aipp
    check_manifest(manifest, parts)
    for change in (
        {"layout": "CHWN"},
        {"shape": (3, 4)},
        {"dtype": "string"},
        {"input": "nowhere"},
    ):
        with pytest.raises(CorruptArtifactError, match="aipp"):
            check_manifest(replace(manifest, aipp=(replace(record, **change),)), parts)
    with pytest.raises(CorruptArtifactError, match="different for each"):
        check_manifest(replace(manifest, aipp=(record, record)), parts)
    for text in ("", "aipp_op {", "aipp_op { aipp_mode: 7 }", 2 * record.config):
        with pytest.raises(CorruptArtifactError, match="input 'x' in its manifest cannot be read"):
            Images(replace(manifest, aipp=(replace(record, config=text),)))
    for change in ({"shape": (3, HEIGHT, WIDTH)}, {"dtype": "float64"}):
        with pytest.raises(CorruptArtifactError, match="another shape or dtype than the input has"):
            Images(replace(manifest, aipp=(replace(record, **change),)))
