"""What every engine of the registry has to do, whichever library is behind it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from networks import EXACT, MIXED, PASSED, ROW_SUMS, TWINS, load, whole

from gearshift.engines.base import EngineOptions, Network
from gearshift.engines.registry import ENGINE_NAMES, get_engine
from gearshift.errors import EngineError, InputError, OptionError
from gearshift.staging import stage
from gearshift.tensors import Array
from graphs import program_from_text


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_every_engine_sums_rows(engine: str, tmp_path: Path) -> None:
    loaded = load(engine, ROW_SUMS, tmp_path)
    for size in (4, 1, 4, 7):  # back to a size already seen, and one not a power of two
        x = whole((size, 3), size)
        (y,) = loaded.executable({"x": x.shape}).run([x])
        np.testing.assert_array_equal(y, np.repeat(x.sum(1, keepdims=True), 2, 1))
    loaded.close()


@pytest.mark.parametrize("engine", EXACT)
def test_dtypes_side_inputs_and_pooled_weights(engine: str, tmp_path: Path) -> None:
    loaded = load(engine, MIXED, tmp_path)
    executable = loaded.executable({"x": (3, 6), "scale": (1,), "ids": (3,)})
    x, scale, ids = whole((3, 6)), np.array([3], np.float32), np.array([0, 1, 2**24 - 1])
    w = np.array([value % 7 - 3 for value in range(48)], np.float32).reshape(6, 8)
    y, following, odd = executable.run([x, scale, ids])
    np.testing.assert_array_equal(y, x @ w * 3)
    np.testing.assert_array_equal(following, ids + 1)
    np.testing.assert_array_equal(odd, [False, True, True])
    assert (y.dtype, following.dtype, odd.dtype) == (np.float32, np.int64, np.bool_)


@pytest.mark.parametrize("engine", EXACT)
def test_results_are_the_callers_own(engine: str, tmp_path: Path) -> None:
    executable = load(engine, ROW_SUMS, tmp_path).executable({"x": (2, 3)})
    x = whole((2, 3))
    (first,) = executable.run([x])
    kept = first.copy()
    executable.run([x + 1])
    np.testing.assert_array_equal(first, kept)
    first[...] = 77
    np.testing.assert_array_equal(executable.run([x])[0], kept)


@pytest.mark.parametrize("engine", EXACT)
def test_read_only_input_is_taken_and_not_changed(engine: str, tmp_path: Path) -> None:
    executable = load(engine, ROW_SUMS, tmp_path).executable({"x": (2, 3)})
    x = whole((2, 3))
    kept = x.copy()
    x.flags.writeable = False
    executable.run([x])
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("engine", EXACT)
def test_one_executable_in_many_threads(engine: str, tmp_path: Path) -> None:
    executable = load(engine, ROW_SUMS, tmp_path).executable({"x": (4, 3)})

    def work(seed: int) -> bool:
        x = whole((4, 3), seed)
        return bool((executable.run([x])[0][:, 0] == x.sum(1)).all())

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(work, range(200)))


@pytest.mark.parametrize("engine", EXACT)
def test_two_executables_take_turns(engine: str, tmp_path: Path) -> None:
    loaded = load(engine, MIXED, tmp_path)
    shapes = {size: {"x": (size, 6), "scale": (1,), "ids": (size,)} for size in (2, 5)}
    executables = {size: loaded.executable(shape) for size, shape in shapes.items()}
    expected: dict[int, Array] = {}
    for size in (2, 5, 2, 5, 2):
        feeds = [whole((size, 6)), np.array([1], np.float32), np.arange(size)]
        y = executables[size].run(feeds)[0]
        np.testing.assert_array_equal(y, expected.setdefault(size, y))


@pytest.mark.parametrize("engine", EXACT)
def test_lowering_the_same_model_gives_the_same_bytes(engine: str, tmp_path: Path) -> None:
    topologies = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        staged = stage(program_from_text(MIXED), folder)
        topologies.append(get_engine(engine).lower(staged.model, staged.pool))
    assert topologies[0] == topologies[1]


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_lowering_adds_no_second_copy_of_the_weights(engine: str, tmp_path: Path) -> None:
    staged = stage(program_from_text(MIXED), tmp_path)
    assert staged.pool.nbytes == 48 * 4
    topology = get_engine(engine).lower(staged.model, staged.pool)
    assert staged.pool.nbytes < 48 * 4 + 512, "only small constants of the engine's own"
    w = np.array([value % 7 - 3 for value in range(48)], np.float32).tobytes()
    assert w not in topology


def test_openvino_refuses_integers_it_would_clamp(tmp_path: Path) -> None:
    executable = load("openvino", MIXED, tmp_path).executable(
        {"x": (1, 6), "scale": (1,), "ids": (1,)}
    )
    feeds = [whole((1, 6)), np.array([1], np.float32), np.array([2**40])]
    with pytest.raises(InputError, match=r"32 bits.*engine='onnxruntime'"):
        executable.run(feeds)


def test_onnxruntime_keeps_wide_integers(tmp_path: Path) -> None:
    executable = load("onnxruntime", MIXED, tmp_path).executable(
        {"x": (1, 6), "scale": (1,), "ids": (1,)}
    )
    feeds = [whole((1, 6)), np.array([1], np.float32), np.array([2**40])]
    assert executable.run(feeds)[1][0] == 2**40 + 1


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_an_operator_nobody_knows_is_an_engine_error(engine: str, tmp_path: Path) -> None:
    text = '<ir_version: 8, opset_import: ["" : 17, "no.such" : 1]>' + ROW_SUMS.replace(
        "MatMul", "no.such.Thing"
    )
    model = ir.from_proto(onnx.parser.parse_model(text))
    path = tmp_path / "unknown.onnx"
    ir.save(model, path)
    with pytest.raises(EngineError, match=f"{engine} failed while reading the model"):
        get_engine(engine).lower(path, stage(program_from_text(ROW_SUMS), tmp_path).pool)


def test_precision_reaches_openvino(tmp_path: Path) -> None:
    """bf16 where the CPU has it moves the numbers; f32 must not."""
    program = program_from_text(MIXED)
    staged = stage(program, tmp_path)
    engine = get_engine("openvino")
    topology = engine.lower(staged.model, staged.pool)
    network = Network(
        topology, staged.map_pool(), staged.constants, program.inputs, program.outputs
    )
    x = np.random.default_rng(0).standard_normal((5, 6), np.float32)
    w = np.array([value % 7 - 3 for value in range(48)], np.float32).reshape(6, 8)
    shapes = {"x": (5, 6), "scale": (1,), "ids": (5,)}
    feeds = [x, np.array([1], np.float32), np.zeros(5, np.int64)]
    y = engine.load(network, EngineOptions("f32")).executable(shapes).run(feeds)[0]
    np.testing.assert_allclose(y, x @ w, rtol=1e-6, atol=1e-6)


def test_an_engine_that_does_not_exist() -> None:
    with pytest.raises(OptionError, match="does not exist; allowed: openvino, onnxruntime"):
        get_engine("tensorrt")


@pytest.mark.parametrize("engine", EXACT)
def test_copies_made_for_the_engine_outlive_the_run(engine: str, tmp_path: Path) -> None:
    """Large read-only inputs: memory given back too early is unmapped, and reading it crashes."""
    executable = load(engine, ROW_SUMS, tmp_path).executable({"x": (200_000, 3)})
    for seed in range(5):
        x = whole((200_000, 3), seed)
        x.flags.writeable = False
        (y,) = executable.run([x])
        np.testing.assert_array_equal(y[:, 0], x.sum(1))


@pytest.mark.parametrize("engine", EXACT)
@pytest.mark.parametrize("given", ["all", "some", "none"])
@pytest.mark.parametrize("rows", [2, 20_000])
def test_outputs_are_written_where_they_are_wanted(
    engine: str, given: str, rows: int, tmp_path: Path
) -> None:
    """Also outputs that are an input, one another or a constant, which engines like to alias."""
    shape = (rows, 3)
    executable = load(engine, TWINS, tmp_path).executable({"x": shape})
    for seed in range(3):
        x = whole(shape, seed)
        whole_result = np.full((rows + 2, 3), np.nan, np.float32)
        into: list[Array | None] = [whole_result[1:-1], np.empty(shape, "f4"), None, None]
        if given == "all":
            into[2:] = [np.empty(shape, "f4"), np.empty(2, "f4")]
        outputs = executable.run([x], into if given != "none" else ())
        expected = (x, np.maximum(x, 0), np.maximum(x, 0), [-1, -2])
        for output, wanted in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(output, wanted)
        if given != "none":
            assert all(o is t for o, t in zip(outputs, into, strict=True) if t is not None)
            np.testing.assert_array_equal(whole_result[1:-1], x)
            assert np.isnan(whole_result[[0, -1]]).all(), "nothing is written beside it"
        outputs[0][...] = 99
        np.testing.assert_array_equal(x, whole(shape, seed), "the input is not the output")


@pytest.mark.parametrize("engine", EXACT)
@pytest.mark.parametrize("rows", [2, -1])
@pytest.mark.parametrize("has_targets", [True, False])
def test_outputs_that_are_inputs(engine: str, rows: int, has_targets: bool, tmp_path: Path) -> None:
    executable = load(engine, PASSED, tmp_path).executable({"x": (rows, 3), "k": (rows,)})
    for seed in range(3):
        x, k = whole((2, 3), seed), np.arange(2) + seed
        shapes = (((2, 3), "f4"), ((2, 3), "f4"), ((2,), "i8"), ((2, 3), "f4"))
        into: list[Array | None] = [np.empty(*each) for each in shapes] if has_targets else []
        outputs = executable.run([x, k], into)
        for output, wanted in zip(outputs, (np.maximum(x, 0), x, k, x), strict=True):
            np.testing.assert_array_equal(output, wanted)
        assert all(output is target for output, target in zip(outputs, into, strict=False))
        outputs[1][...] = 99
        np.testing.assert_array_equal(x, whole((2, 3), seed), "the input is not the output")


def test_onnxruntime_reads_no_file_that_a_topology_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hostile artifact could name any file below the working folder as its weights."""
    program = program_from_text(MIXED)
    staged = stage(program, tmp_path)
    topology = get_engine("onnxruntime").lower(staged.model, staged.pool)
    monkeypatch.chdir(tmp_path)  # where a file of that very name lies
    network = Network(topology, staged.map_pool(), (), program.inputs, program.outputs)
    loaded = get_engine("onnxruntime").load(network, EngineOptions())
    with pytest.raises(EngineError, match="onnxruntime failed while reading the network"):
        loaded.executable({"x": (1, 6), "scale": (1,), "ids": (1,)})
