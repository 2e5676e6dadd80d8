"""AIPP as operators of the graph, against AIPP in numpy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import onnx
import onnx_ir as ir
import openvino
import pytest
from aipp_images import (
    BT601,
    FORMATS,
    TO_YUV,
    channel_counts,
    images_for,
    static_aipps,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from gearshift.aipp import reference
from gearshift.aipp.fold import Layout, fold_static
from gearshift.aipp.image import plane_count, source_shape, subsampling
from gearshift.aipp.mixing import mixing
from gearshift.aipp.spec import (
    Crop,
    Csc,
    ImageFormat,
    Normalisation,
    Padding,
    StaticAipp,
)
from gearshift.analysis.facts import walk
from gearshift.errors import InternalError, UnsupportedModelError
from gearshift.gears.gear import Gear, GearSet
from gearshift.program import Program
from gearshift.tensors import Array, Shape
from gearshift.verify.separability import prove
from graphs import program_from_text, run_in_onnxruntime

OPSETS = (11, 12, 13, 17, 18, 21, 23)
LAYOUTS: tuple[Layout, ...] = ("NCHW", "NHWC")
_ONNX_NAMES = {"float32": "float", "float16": "float16", "uint8": "uint8", "int8": "int8"}
_LIKE_IMAGENET = Normalisation(
    (124, 117, 104, 0), (0.0, 0.5, 0.25, 0.0), tuple(float(np.float16(x)) for x in
    (0.017124753, 0.017507002, 0.017429193, 1.0)),
)  # fmt: skip


def bare(shape: Shape, dtype: str = "float32", opset: int = 17) -> Program:
    """A model that gives its input back, so that what AIPP puts there can be seen."""
    kind = _ONNX_NAMES[dtype]
    dims = ", ".join(str(dim) if dim >= 0 else f"d{axis}" for axis, dim in enumerate(shape))
    head = f'<ir_version: 8, opset_import: ["" : {opset}]>'
    return program_from_text(
        f"{head} g ({kind}[{dims}] x) => ({kind}[{dims}] y) {{y = Identity(x)}}"
    )


def network(layout: Layout, size: tuple[int, int] = (16, 20)) -> Program:
    """A strided convolution and a pooled head, for images of three channels."""
    height, width = size
    before = "xt = Identity(x)" if layout == "NCHW" else "xt = Transpose<perm = [0, 3, 1, 2]>(x)"
    shape = f"N, 3, {height}, {width}" if layout == "NCHW" else f"N, {height}, {width}, 3"
    weights = np.random.default_rng(1).integers(-9, 10, 4 * 3 * 3 * 3) / 8
    kernel = ", ".join(str(number) for number in weights)
    return program_from_text(f"""g (float[{shape}] x) => (float[N, 4] y)
        <float[4, 3, 3, 3] kernel = {{{kernel}}}> {{
            {before}
            c = Conv<strides = [2, 2]>(xt, kernel)
            r = Relu(c)
            p = GlobalAveragePool(r)
            y = Flatten(p)
        }}""")


def expected_of(aipp: StaticAipp, images: Array, channels: int, layout: Layout = "NCHW",
                dtype: str = "float32") -> Array:  # fmt: skip
    found = reference.preprocess(aipp, images, channels, dtype)
    return found if layout == "NCHW" else found.transpose(0, 2, 3, 1)


def folded(aipp: StaticAipp, expected: Array, layout: Layout = "NCHW", opset: int = 17) -> Program:
    """AIPP in front of a bare model that takes what is expected."""
    program = bare((-1, *expected.shape[1:]), expected.dtype.name, opset)
    return fold_static(program, "x", aipp, layout)


def in_openvino(program: Program, feeds: Mapping[str, Array]) -> Array:
    core = openvino.Core()
    model = core.read_model(ir.to_proto(program.model).SerializeToString())
    model.reshape({name: openvino.PartialShape(list(a.shape)) for name, a in feeds.items()})
    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    return np.array(core.compile_model(model, "CPU", config)(dict(feeds))[0])


def within_one_ulp(found: Array, expected: Array) -> bool:
    """Whether no number is further off than its neighbours among the numbers of its dtype."""
    toward = np.array([-np.inf, np.inf], expected.dtype)
    with np.errstate(over="ignore"):
        low, high = np.nextafter(expected, toward[0]), np.nextafter(expected, toward[1])
    return found.dtype == expected.dtype and bool(((low <= found) & (found <= high)).all())


def sample(image_format: ImageFormat, **changes: object) -> StaticAipp:
    """Every stage at once, on 20 x 28 pixels of which 13 x 17 are used."""
    has_colours = image_format is not ImageFormat.YUV400_U8
    csc = BT601 if image_format.is_yuv else TO_YUV
    aipp = StaticAipp(
        image_format,
        width=28,
        height=20,
        rbuv_swap=True,
        ax_swap=True,
        crop=Crop(left=5, top=3, width=17, height=13),
        csc=csc if has_colours else None,
        normalisation=_LIKE_IMAGENET,
        padding=Padding(2, 1, 0, 3, -1.5),
    )
    return dataclasses.replace(aipp, **changes)  # type: ignore[arg-type]


@given(
    st.data(), static_aipps(), st.integers(1, 3), st.sampled_from(LAYOUTS),
    st.sampled_from(tuple(_ONNX_NAMES)), st.sampled_from(OPSETS),
)  # fmt: skip
def test_folded_equals_numpy_number_for_number(
    data: st.DataObject, aipp: StaticAipp, rows: int, layout: Layout, dtype: str, opset: int
) -> None:
    channels = data.draw(channel_counts(aipp.format))
    images = images_for(aipp, rows, seed=data.draw(st.integers(0, 9)))
    expected = expected_of(aipp, images, channels, layout, dtype)
    program = folded(aipp, expected, layout, opset)
    assert program.inputs[0].shape == (-1, *images.shape[1:])
    onnx.checker.check_model(ir.to_proto(program.model), full_check=True)
    found = run_in_onnxruntime(program.model, {"x": images})[0]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("converts", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("image_format", FORMATS)
def test_every_format_in_openvino(
    image_format: ImageFormat, layout: Layout, converts: bool
) -> None:
    """Whole numbers are equal; what is normalised is off by 1 ulp at most."""
    aipp = sample(image_format) if converts else sample(image_format, csc=None)
    plain = dataclasses.replace(aipp, normalisation=Normalisation())
    images = images_for(aipp, 2)
    for channels in (1, plane_count(image_format)):
        whole = expected_of(plain, images, channels, layout)
        np.testing.assert_array_equal(
            in_openvino(folded(plain, whole, layout), {"x": images}), whole
        )
        exact = expected_of(aipp, images, channels, layout)
        assert within_one_ulp(in_openvino(folded(aipp, exact, layout), {"x": images}), exact)


@settings(max_examples=15)
@given(st.data(), static_aipps(), st.sampled_from(LAYOUTS), st.sampled_from(tuple(_ONNX_NAMES)))
def test_anything_in_openvino(
    data: st.DataObject, aipp: StaticAipp, layout: Layout, dtype: str
) -> None:
    channels = data.draw(channel_counts(aipp.format))
    images = images_for(aipp, 2)
    expected = expected_of(aipp, images, channels, layout, dtype)
    found = in_openvino(folded(aipp, expected, layout), {"x": images})
    if dtype in ("uint8", "int8"):
        np.testing.assert_array_equal(found, expected)
    else:
        finite = np.isfinite(expected)  # beyond float16, OpenVINO stops at its last number
        assert within_one_ulp(found[finite], expected[finite])


@pytest.mark.parametrize("image_format", FORMATS)
def test_every_format_in_the_onnx_reference(image_format: ImageFormat) -> None:
    aipp = sample(image_format)
    images = images_for(aipp, 2)
    expected = expected_of(aipp, images, plane_count(image_format))
    proto = ir.to_proto(folded(aipp, expected).model)
    np.testing.assert_array_equal(ReferenceEvaluator(proto).run(None, {"x": images})[0], expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("image_format", [f for f in FORMATS if plane_count(f) > 1])
def test_in_front_of_a_network(image_format: ImageFormat, layout: Layout) -> None:
    aipp = sample(image_format)
    images = images_for(aipp, 3)
    prepared = expected_of(aipp, images, 3, layout)
    expected = run_in_onnxruntime(network(layout).model, {"x": prepared})[0]
    program = fold_static(network(layout), "x", aipp, layout)
    found = run_in_onnxruntime(program.model, {"x": images})[0]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(in_openvino(program, {"x": images}), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("extreme", [32767, -32768])
@pytest.mark.parametrize(
    "image_format", [ImageFormat.YUV420SP_U8, ImageFormat.AYUV444_U8, ImageFormat.RGB888_U8]
)
def test_the_largest_matrix_is_exact_too(image_format: ImageFormat, extreme: int) -> None:
    """Sums of three such products do not fit into float32; those that do not are clipped anyway."""
    csc = Csc(
        ((extreme, extreme, extreme), (extreme, -extreme - 1, 5), (-extreme - 1, 32767, extreme)),
        (0, 255, 128), (255, 1, 0),
    )  # fmt: skip
    aipp = StaticAipp(image_format, 64, 64, csc=csc)
    assert mixing(aipp, 3).merged() is None
    assert mixing(dataclasses.replace(aipp, csc=BT601), 3).merged() is not None
    images = images_for(aipp, 2)
    images[:, :4, :16] = 255
    images[:, -4:, :16] = 0
    expected = expected_of(aipp, images, 3)
    assert len(np.unique(expected)) > 2
    program = folded(aipp, expected)
    np.testing.assert_array_equal(run_in_onnxruntime(program.model, {"x": images})[0], expected)
    np.testing.assert_array_equal(in_openvino(program, {"x": images}), expected)


def test_a_tiny_minimum_is_not_lost_beside_a_mean() -> None:
    """Their sum is more than float32 holds: taken off in two steps, as numpy does."""
    by = Normalisation((200,) * 4, (2.0**-24,) * 4, (60000.0,) * 4)
    aipp = StaticAipp(ImageFormat.YUV400_U8, 2, 2, normalisation=by)
    images = np.full((1, 2, 2), 200, np.uint8)
    expected = expected_of(aipp, images, 1)
    assert (expected == np.float32(-(2.0**-24) * 60000)).all()
    program = folded(aipp, expected)
    np.testing.assert_array_equal(run_in_onnxruntime(program.model, {"x": images})[0], expected)


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_model_of_any_size_behind_a_crop(image_format: ImageFormat) -> None:
    """The source's sizes are known, and so are all that follow; the model's own are not."""
    aipp = sample(image_format)
    channels = plane_count(image_format)
    program = fold_static(bare((-1, channels, -1, -1)), "x", aipp, "NCHW")
    images = images_for(aipp, 2)
    assert program.inputs[0].shape == (-1, *images.shape[1:])
    expected = expected_of(aipp, images, channels)
    np.testing.assert_array_equal(run_in_onnxruntime(program.model, {"x": images})[0], expected)


def set_of(program: Program) -> GearSet:
    return GearSet("batch", (Gear((1,)), Gear((2,)), Gear((5,))), program.inputs)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("image_format", [f for f in FORMATS if plane_count(f) > 1])
def test_rows_are_proved_to_stay_apart(image_format: ImageFormat, layout: Layout) -> None:
    for aipp in (sample(image_format), sample(image_format, csc=None)):
        program = fold_static(network(layout), "x", aipp, layout)
        gears = set_of(program)
        facts = {gear: walk(program, gears.shapes(gear)) for gear in gears}
        proof = prove(program, gears, facts)
        assert proof.verdict == "proved", proof.reason


def test_rows_of_a_grey_image_are_proved_to_stay_apart() -> None:
    aipp = sample(ImageFormat.YUV400_U8)
    program = fold_static(bare((-1, 1, 16, 20)), "x", aipp, "NCHW")
    gears = set_of(program)
    proof = prove(program, gears, {gear: walk(program, gears.shapes(gear)) for gear in gears})
    assert proof.verdict == "proved", proof.reason


@pytest.mark.parametrize("opset", [11, 21])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("image_format", FORMATS)
def test_open_heights_and_widths(image_format: ImageFormat, layout: Layout, opset: int) -> None:
    """For image gears: no sizes are in the graph, and each is known once the gear is."""
    channels = plane_count(image_format)
    shape = (-1, channels, -1, -1) if layout == "NCHW" else (-1, -1, -1, channels)
    aipp = sample(image_format, width=0, height=0, crop=None, padding=None)
    program = fold_static(bare(shape, opset=opset), "x", aipp, layout)
    assert program.inputs[0].shape == source_shape(image_format, -1, -1, -1)
    down, across = subsampling(image_format)
    for rows, height, width in ((1, down, across), (3, 6, 10), (2, 14, 4)):
        sized = dataclasses.replace(aipp, width=width, height=height)
        images = images_for(sized, rows)
        expected = expected_of(sized, images, channels, layout)
        assert walk(program, {"x": images.shape})["y"].shape == expected.shape
        found = run_in_onnxruntime(program.model, {"x": images})[0]
        np.testing.assert_array_equal(found, expected)
    assert within_one_ulp(in_openvino(program, {"x": images}), expected)


@pytest.mark.parametrize("image_format", FORMATS)
def test_every_shape_is_known_at_any_number_of_rows(image_format: ImageFormat) -> None:
    aipp = sample(image_format)
    channels = plane_count(image_format)
    program = fold_static(bare((-1, channels, 16, 20)), "x", aipp, "NCHW")
    for rows in (1, 7, 64):
        facts = walk(program, {"x": (rows, *program.inputs[0].shape[1:])})
        assert facts["y"].shape == (rows, channels, 16, 20)


def test_the_edge_of_the_program() -> None:
    program = program_from_text(
        "g (float[4, 3, 4, 4] x, float[4, 3, 4, 4] other) => (float[4, 3, 4, 4] y)"
        "{ x_aipp_cast = Add(x, other) x_aipp_floor = Mul(x, x_aipp_cast) y = Neg(x_aipp_floor) }"
    )
    aipp = StaticAipp(ImageFormat.YUV420SP_U8, 4, 4, csc=BT601)
    result = fold_static(program, "x", aipp, "NCHW")
    assert [str(spec) for spec in result.inputs] == [
        "x: uint8[4, 6, 4]",
        "other: float32[4, 3, 4, 4]",
    ]
    graph = result.model.graph
    assert [value.name for value in graph.inputs] == ["x", "other"]
    assert graph.inputs[0].dtype == ir.DataType.UINT8
    names = [value.name for node in graph for value in node.outputs]
    assert len(set(names)) == len(names)
    added = [node for node in graph if (node.name or "").startswith("x_aipp_")]
    assert len(added) == len(names) - 3
    images = images_for(aipp, 4)
    other = np.ones((4, 3, 4, 4), np.float32)
    x = expected_of(aipp, images, 3)
    found = run_in_onnxruntime(result.model, {"x": images, "other": other})[0]
    np.testing.assert_array_equal(found, -(x * (x + other)))


def test_rows_keep_the_name_that_they_have() -> None:
    program = fold_static(bare((-1, 3, 4, 4)), "x", StaticAipp(ImageFormat.RGB888_U8, 4, 4), "NCHW")
    shape = program.model.graph.inputs[0].shape
    assert shape is not None
    assert str(shape[0]) == "d0"


def test_two_inputs_of_one_model() -> None:
    program = program_from_text(
        "g (float[N, 3, 4, 4] a, float[N, 1, 4, 4] b) => (float[N, 3, 4, 4] y) { y = Add(a, b) }"
    )
    first = StaticAipp(ImageFormat.YUYV_U8, 4, 4, csc=BT601)
    second = StaticAipp(ImageFormat.YUV400_U8, 4, 4, normalisation=_LIKE_IMAGENET)
    program = fold_static(fold_static(program, "a", first, "NCHW"), "b", second, "NCHW")
    feeds = {"a": images_for(first, 2), "b": images_for(second, 2, seed=1)}
    expected = expected_of(first, feeds["a"], 3) + expected_of(second, feeds["b"], 1)
    np.testing.assert_array_equal(run_in_onnxruntime(program.model, feeds)[0], expected)


def test_little_is_added_where_little_is_asked() -> None:
    """RGB as it is takes its type and its order; half of NV12's chroma is never multiplied."""
    plain = fold_static(bare((-1, 3, 4, 4)), "x", StaticAipp(ImageFormat.RGB888_U8, 4, 4), "NCHW")
    assert [node.op_type for node in plain.model.graph] == ["Transpose", "Cast", "Identity"]
    pixels = fold_static(bare((-1, 4, 4, 3)), "x", StaticAipp(ImageFormat.RGB888_U8, 4, 4), "NHWC")
    assert [node.op_type for node in pixels.model.graph] == ["Cast", "Identity"]
    grey = fold_static(bare((-1, 1, 4, 4)), "x", StaticAipp(ImageFormat.YUV420SP_U8, 4, 4), "NCHW")
    assert "ConvTranspose" not in [node.op_type for node in grey.model.graph]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ('<ir_version: 8, opset_import: ["" : 10]> g (float[N, 3, 4, 4] x) => (float[N, 3, 4, 4] y)'
         "{ y = Neg(x) }", r"opset 10, and it takes 11 or newer"),
        ("g (float[N, 48] x) => (float[N, 48] y) { y = Neg(x) }", r"dims \[-1, 48\]"),
        ("g (int32[N, 3, 4, 4] x) => (int32[N, 3, 4, 4] y) { y = Neg(x) }", "of int32; AIPP gives"),
        ("g (float[N, 3, 4, 4] x) => (float[N, 3, 4, 4] x, float[N, 3, 4, 4] y) { y = Neg(x) }",
         "also gives it as an output"),
    ],
)  # fmt: skip
def test_inputs_that_no_image_can_be_put_in_front_of(model: str, message: str) -> None:
    with pytest.raises(UnsupportedModelError, match=message):
        fold_static(program_from_text(model), "x", StaticAipp(ImageFormat.RGB888_U8, 4, 4), "NCHW")


@pytest.mark.parametrize(
    ("shape", "name", "aipp"),
    [
        ((-1, 3, 4, 4), "y", StaticAipp(ImageFormat.RGB888_U8, 4, 4)),
        ((-1, 3, 4, 4), "x", StaticAipp(ImageFormat.RGB888_U8, 4, 5)),
        ((-1, 3, 4, 4), "x", StaticAipp(ImageFormat.RGB888_U8, 4, 4, padding=Padding(1))),
        ((-1, -1, 4, 4), "x", StaticAipp(ImageFormat.RGB888_U8, 4, 4)),
    ],
)
def test_what_was_not_settled_is_our_fault(shape: Shape, name: str, aipp: StaticAipp) -> None:
    with pytest.raises(InternalError):
        fold_static(bare(shape), name, aipp, "NCHW")
