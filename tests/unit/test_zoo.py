"""The benchmark's models: what they are held to before anything is timed on them."""

from __future__ import annotations

import importlib.util
import math
import pickle
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from models import run_onnxruntime, save_text

# Where examples and benchmarks are.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.zoo import catalogue as zoo
from benchmarks.zoo import encoder, graphs, mobilenet, resnet
from benchmarks.zoo.catalogue import NAMES, Model, ZooError, catalogue
from benchmarks.zoo.flops import UncountedError, flops_per_row

from gearshift.findings import find_out
from gearshift.options import CompileOptions
from gearshift.tensors import Array

BUILT = ("mobilenetv2", "resnet50", "encoder")
_NO_NUDENET = pytest.mark.skipif(
    importlib.util.find_spec("nudenet") is None, reason="the package nudenet is not installed"
)
ALL = [pytest.param(name, marks=_NO_NUDENET if name == "nudenet" else ()) for name in NAMES]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Not pytest's own, which would keep hundreds of megabytes of three runs."""
    with tempfile.TemporaryDirectory(prefix="zoo-") as name:
        yield Path(name)


def get(name: str, folder: Path) -> Model:
    (model,) = catalogue(folder, [name])
    return model


def run(model: Model, feeds: dict[str, Array]) -> list[Array]:
    return list(run_onnxruntime(model.onnx, feeds).values())


@pytest.mark.parametrize("name", ALL)
def test_a_row_is_the_same_in_any_company(name: str, folder: Path) -> None:
    model = get(name, folder)
    session = onnxruntime.InferenceSession(str(model.onnx), providers=["CPUExecutionProvider"])
    feeds = model.rows(5, seed=1)
    alone = [session.run(None, {k: v[i : i + 1] for k, v in feeds.items()}) for i in range(5)]
    for count in (1, 3, 5):
        together = session.run(None, {k: v[:count] for k, v in feeds.items()})
        for index, output in enumerate(together):
            single = np.concatenate([outputs[index] for outputs in alone[:count]])
            size = np.abs(single).max()
            assert np.isfinite(output).all()
            assert output.shape == single.shape
            assert np.abs(output - single).max() <= 1e-4 * size
            # Or a row taken for another would not be seen, here or by the benchmark.
            assert all(
                np.abs(single[i] - single[j]).max() > 1e-3 * size
                for i in range(count)
                for j in range(i)
            )


@pytest.mark.parametrize("name", ALL)
def test_rows_are_proved_independent(name: str, folder: Path) -> None:
    model = get(name, folder)
    onnx.checker.check_model(str(model.onnx), full_check=True)
    options = CompileOptions(
        model=model.onnx,
        output=folder / name,
        input_shape={key: (-1, *row) for key, row in model.inputs.items()},
        dynamic_batch_size=(1, 2, 4),
    )
    found = find_out(options, lambda *_: None)
    assert found.proof.verdict == "proved", found.proof.reason
    assert found.repairs == ()


def test_parameters_are_those_published(folder: Path) -> None:
    """A folded batch norm leaves a bias where a scale and a shift were."""
    parameters, biases = count_parameters(get("resnet50", folder))
    assert (parameters, parameters + biases) == (25_530_472, 25_557_032)
    parameters, biases = count_parameters(get("mobilenetv2", folder))
    assert (parameters, parameters + biases) == (3_487_816, 3_504_872)
    pooler = 384 * 384 + 384  # of the classifier that sentence encoders go without
    parameters, _ = count_parameters(get("encoder", folder))
    assert parameters + pooler == 22_713_216


def count_parameters(model: Model) -> tuple[int, int]:
    """Floats of the initializers that are no single numbers; those of them that convs add."""
    graph = onnx.load(str(model.onnx)).graph
    sizes = {
        tensor.name: math.prod(tensor.dims)
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and tensor.dims
    }
    biases = sum(sizes[node.input[2]] for node in graph.node if node.op_type == "Conv")
    return sum(sizes.values()), biases


def test_resnet_strides_where_version_1_5_does(folder: Path) -> None:
    graph = onnx.load(str(get("resnet50", folder).onnx)).graph
    strided = {
        node.name: onnx.helper.get_node_attr_value(node, "kernel_shape")
        for node in graph.node
        if node.op_type == "Conv" and onnx.helper.get_node_attr_value(node, "strides") == [2, 2]
    }
    assert strided == {
        "conv1": [7, 7],
        **{f"layer{stage}.0.conv2": [3, 3] for stage in (2, 3, 4)},
        **{f"layer{stage}.0.downsample": [1, 1] for stage in (2, 3, 4)},
    }


@pytest.mark.parametrize("name", BUILT)
def test_numbers_stay_near_one(name: str, folder: Path) -> None:
    """Far from it, denormals or infinities would make an engine slower than it is."""
    model = get(name, folder)
    proto = onnx.load(str(model.onnx))
    assert [(each.domain, each.version) for each in proto.opset_import] == [("", 17)]
    products = [n for n in proto.graph.node if n.op_type in ("Conv", "Gemm", "MatMul", "Softmax")]
    proto.graph.output.extend(onnx.ValueInfoProto(name=node.output[0]) for node in products)
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    tiny = np.finfo(np.float32).tiny
    for node, array in zip(
        products, session.run([node.output[0] for node in products], model.rows(2, 3)), strict=True
    ):
        assert np.isfinite(array).all(), node.name
        assert np.count_nonzero((np.abs(array) < tiny) & (array != 0)) == 0, node.name
        if node.op_type != "Softmax":
            assert 0.1 < np.sqrt(np.mean(np.square(array))) < 10, node.name


def test_encoder_is_blind_to_what_the_mask_hides(folder: Path) -> None:
    model = get("encoder", folder)
    feeds = model.rows(4, seed=2)
    hidden, before = run(model, feeds)
    seen = feeds[encoder.MASK] == 1
    assert not seen.all()
    _, after = run(model, {**feeds, encoder.IDS: np.where(seen, feeds[encoder.IDS], 4321)})
    np.testing.assert_allclose(after, before, atol=1e-5)
    mean = np.stack([row[kept].mean(axis=0) for row, kept in zip(hidden, seen, strict=True)])
    np.testing.assert_allclose(before, mean, atol=1e-5)
    _, other = run(model, {**feeds, encoder.IDS: feeds[encoder.IDS] + 1})
    assert np.abs(other - before).max() > 0.1


@pytest.mark.parametrize(
    ("name", "multiply_adds"),
    [
        ("resnet50", 4_089_184_256),
        ("mobilenetv2", 300_774_272),
        # Projections, the two feed-forward layers, scores and mix of 12 heads of 32; six times.
        ("encoder", 6 * 64 * (4 * 384 * 384 + 2 * 384 * 1536 + 2 * 12 * 64 * 32)),
    ],
)
def test_flops_are_those_published(name: str, multiply_adds: int, folder: Path) -> None:
    assert flops_per_row(get(name, folder)) == 2 * multiply_adds


def test_flops_of_each_operator(tmp_path: Path) -> None:
    body = """
        c = Conv <group = 2, pads = [1, 1, 1, 1], strides = [2, 2]> (x, wc)
        t = ConvTranspose <strides = [2, 2]> (c, wt)
        r = Reshape (t, flat)
        g = Gemm <transA = 1> (r, wg)
        y = MatMul (g, wm)
    """
    model = tiny(tmp_path, "float[M, 3] y", body)
    conv = 6 * 4 * 4 * (4 // 2 * 3 * 3)  # c is 6 x 4 x 4
    transpose = 6 * 4 * 4 * (5 * 2 * 2)  # t is 5 x 8 x 8, each of it one product per channel of c
    gemm = 320 * 7 * 1  # r is 1 x 320 and read the other way round
    matmul = 320 * 3 * 7
    assert flops_per_row(model) == 2 * (conv + transpose + gemm + matmul)


def test_flops_are_refused_where_the_total_would_be_too_low(tmp_path: Path) -> None:
    model = tiny(tmp_path, "float[N] y", 'y = Einsum <equation = "nchw,nchw->n"> (x, x)')
    with pytest.raises(UncountedError, match="Einsum"):
        flops_per_row(model)


def tiny(folder: Path, outputs: str, body: str) -> Model:
    """A model of a few nodes from x [N, 4, 8, 8]."""
    weights = {"wc": (6, 2, 3, 3), "wt": (6, 5, 2, 2), "wg": (1, 7), "wm": (7, 3)}
    declared = [
        f"float{list(shape)} {name} = {{{', '.join(['1'] * math.prod(shape))}}}"
        for name, shape in weights.items()
    ]
    text = f"""
        <ir_version: 8, opset_import: ["": 17]>
        tiny (float[N, 4, 8, 8] x) => ({outputs})
        <int64[2] flat = {{-1, 320}}, {", ".join(declared)}>
        {{ {body} }}
    """
    path = save_text(text, folder / "tiny.onnx")
    return Model("tiny", path, {"x": (4, 8, 8)}, "a few nodes", zoo.draw_images)


@pytest.mark.parametrize("name", BUILT)
def test_a_file_is_built_once_and_always_alike(name: str, folder: Path, tmp_path: Path) -> None:
    first = get(name, folder).onnx
    stamp = first.stat().st_mtime_ns
    assert get(name, folder).onnx.stat().st_mtime_ns == stamp
    build = {"mobilenetv2": mobilenet, "resnet50": resnet, "encoder": encoder}[name].build
    graphs.save(build(), tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == first.read_bytes()
    (tmp_path / "again.onnx").unlink()


def test_a_new_version_of_the_builders_is_a_new_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = get("mobilenetv2", folder).onnx
    monkeypatch.setattr(zoo, "_BUILDERS_VERSION", zoo._BUILDERS_VERSION + 1)
    assert get("mobilenetv2", tmp_path).onnx.name != old.name


def test_a_build_cut_short_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_short(_: onnx.ModelProto, path: str) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(onnx, "save", cut_short)
    with pytest.raises(OSError, match="no space left"):
        graphs.save(onnx.ModelProto(), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["cls", "encoder"])
def test_rows_follow_from_the_seed(name: str, folder: Path) -> None:
    model = pickle.loads(pickle.dumps(get(name, folder)))  # as it reaches another process
    rows = model.rows(16, seed=5)
    assert {key: array.shape[1:] for key, array in rows.items()} == dict(model.inputs)
    for key, array in model.rows(16, seed=5).items():
        np.testing.assert_array_equal(array, rows[key])
    assert any((array != rows[key]).any() for key, array in model.rows(16, seed=6).items())


def test_rows_are_what_the_models_are_made_for(folder: Path) -> None:
    (image,) = get("cls", folder).rows(2, seed=0).values()
    assert image.dtype == np.float32
    assert image.min() < -0.99
    assert -1 <= image.min() < image.max() <= 1
    rows = get("encoder", folder).rows(200, seed=0)
    ids, mask = rows[encoder.IDS], rows[encoder.MASK]
    assert ids.dtype == mask.dtype == np.int64
    assert set(np.unique(mask)) == {0, 1}
    assert (np.diff(mask) <= 0).all()
    assert {mask.sum(axis=1).min(), mask.sum(axis=1).max()} == {8, 64}
    assert (ids[mask == 0] == 0).all()
    assert (ids[mask == 1] >= 1000).all()
    assert ids.max() < 30522


def test_an_unknown_name_is_answered_with_the_known(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"'resnet'; there are cls, rec, det, nudenet, mobilenetv2"):
        catalogue(tmp_path, ["cls", "resnet"])
    assert [model.name for model in catalogue(tmp_path, ["rec", "cls"])] == ["rec", "cls"]


def test_a_package_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ZooError, match="pip install nudenet"):
        catalogue(tmp_path, ["nudenet"])
