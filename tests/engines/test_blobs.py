"""Executables kept as blobs and made of them again."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from networks import MIXED, ROW_SUMS, TWINS, load, weighty, whole

import gearshift
from gearshift.artifact.reader import Artifact
from gearshift.engines import memory, openvino
from gearshift.engines.base import (
    EngineOptions,
    Executable,
    LoadedNetwork,
    MappedFile,
    Network,
)
from gearshift.engines.memory import give_back_memory
from gearshift.engines.registry import ENGINE_NAMES, get_engine
from gearshift.errors import EngineError
from gearshift.opening import load_network
from gearshift.placing import usable_cores
from gearshift.staging import stage
from gearshift.tensors import Array, Shape
from graphs import program_from_text

HEADER = '<ir_version: 8, opset_import: ["" : 17]>'
OPTIONS = EngineOptions(threads=2)
SHAPES: list[Shape] = [(3, 96), (1, 96), (-1, 96)]

has_blobs = pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="open files have no names here")


def in_file(engine: str, text: str, folder: Path, start: int = 4096) -> Network:
    """A network whose pool lies somewhere within a mapped file."""
    program = program_from_text(text)
    staged = stage(program, folder)
    topology = get_engine(engine).lower(staged.model, staged.pool)
    path = folder / "artifact"
    with path.open("wb") as file:
        file.write(b"\xff" * start)  # as weights these are no numbers
        staged.pool.write(file)
    found = path.stat()
    content = np.memmap(path, np.uint8, "c")
    return Network(
        topology,
        content[start:],
        staged.constants,
        program.inputs,
        program.outputs,
        MappedFile(path, (found.st_dev, found.st_ino), content),
    )


def opened(network: Network, options: EngineOptions = OPTIONS) -> LoadedNetwork:
    return get_engine("openvino").load(network, options)


def made_blob(executable: Executable) -> bytes:
    blob = executable.blob()
    assert blob is not None
    return blob


def batch(rows: int) -> Array:
    return np.random.default_rng(rows).standard_normal((rows, 96), np.float32)


@has_blobs
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("precision", ["f32", "bf16", "f16"])
def test_a_blob_gives_the_same_bits(
    shape: Shape, lanes: int, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = in_file("openvino", weighty(), tmp_path)
    options = replace(OPTIONS, precision=precision)
    compiled = opened(network, options).executable({"x": shape}, lanes)
    blob = made_blob(compiled)
    monkeypatch.setattr(openvino, "_read", None)  # the network's own text is not needed
    imported = opened(network, options).executable({"x": shape}, lanes, blob)
    for rows in (3, 1, 6, 3) if shape[0] == -1 else (abs(shape[0]),) * 2:
        (wanted,) = compiled.run([batch(rows)])
        for got in (*imported.run([batch(rows)]), *of_every_copy(imported, batch(rows))):
            np.testing.assert_array_equal(got, wanted)


def of_every_copy(executable: Executable, x: Array) -> list[Array]:
    """The output of each compiled network, all others being held by somebody else's run."""
    copies, requests = executable._compiled, executable._requests  # type: ignore[attr-defined]
    outputs, held = [], []
    with ExitStack() as stack:
        for _ in copies:
            thread = stack.enter_context(ThreadPoolExecutor(1))
            outputs += thread.submit(executable.run, [x]).result()
            held.append((thread, thread.submit(requests.take).result()))
        for thread, taken in held:
            thread.submit(requests.give_back, *taken).result()
    assert sorted(copy for _, (copy, _) in held) == list(range(len(copies)))
    return outputs


@has_blobs
def test_a_blob_is_small_and_gives_no_other(tmp_path: Path) -> None:
    network = in_file("openvino", weighty(), tmp_path)
    blob = made_blob(opened(network).executable({"x": (2, 96)}))
    assert network.pool.nbytes > 100_000
    assert len(blob) < 20_000, "weights stay in the artifact"
    assert opened(network).executable({"x": (2, 96)}, 1, blob).blob() is None


@has_blobs
@pytest.mark.parametrize("text", [MIXED, TWINS, ROW_SUMS])
def test_a_blob_of_integers_constants_and_aliases(text: str, tmp_path: Path) -> None:
    network = in_file("openvino", text, tmp_path)
    shapes = {spec.name: tuple(4 if d == -1 else d for d in spec.shape) for spec in network.inputs}
    feeds = [whole(shapes[s.name]).astype(s.dtype.numpy) for s in network.inputs]
    compiled = opened(network).executable(shapes)
    imported = opened(network).executable(shapes, 1, made_blob(compiled))
    for got, wanted in zip(imported.run(feeds), compiled.run(feeds), strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


@has_blobs
def test_settings_reach_what_is_made_of_a_blob(tmp_path: Path) -> None:
    """OpenVINO keeps none in the blob: left alone it would compute in bf16 where it can."""
    network = in_file("openvino", weighty(), tmp_path)
    cores = usable_cores()  # OpenVINO takes no more threads than these
    for lanes, threads in ((1, 1), (1, 2), (2, 2), (2, 5)):
        options = EngineOptions(threads=threads)
        compiled = opened(network, options).executable({"x": (1, 96)}, lanes)
        imported = opened(network, options).executable({"x": (1, 96)}, lanes, made_blob(compiled))
        each = threads // lanes
        copies = 1 if each > 1 else lanes
        programs = [*compiled._compiled, *imported._compiled]  # type: ignore[attr-defined]
        assert len(programs) == 2 * copies
        for program in programs:
            told = program.get_property
            assert told("INFERENCE_PRECISION_HINT").to_string() == "f32"
            assert told("DYNAMIC_QUANTIZATION_GROUP_SIZE") == 0
            assert told("NUM_STREAMS") == min(lanes // copies, cores)
            assert told("INFERENCE_NUM_THREADS") == min(lanes // copies * each, cores)


@has_blobs
def test_a_blob_for_anything_else_is_refused(tmp_path: Path) -> None:
    network = in_file("openvino", weighty(), tmp_path)
    blob = made_blob(opened(network).executable({"x": (2, 96)}))
    (tmp_path / "far").mkdir()
    (tmp_path / "other").mkdir()
    moved = in_file("openvino", weighty(), tmp_path / "far", start=8192)
    other = in_file("openvino", weighty(seed=0).replace("Erf", "Relu"), tmp_path / "other")
    nowhere = replace(network, file=None)
    for loaded, shape, lanes, bytes_ in (
        (opened(network), (3, 96), 1, blob),
        (opened(network), (-1, 96), 1, blob),
        (opened(network), (2, 96), 2, blob),
        (opened(network, EngineOptions(threads=1)), (2, 96), 1, blob),
        (opened(network, EngineOptions("bf16", 2)), (2, 96), 1, blob),
        (opened(moved), (2, 96), 1, blob),
        (opened(other), (2, 96), 1, blob),
        (opened(nowhere), (2, 96), 1, blob),
        (opened(network), (2, 96), 1, b""),
        (opened(network), (2, 96), 1, blob[1:]),
    ):
        with pytest.raises(EngineError, match=r"cannot use this blob.*Build without it"):
            loaded.executable({"x": shape}, lanes, bytes_)
    opened(network).executable({"x": (2, 96)}, 1, blob)


@has_blobs
def test_threads_left_open_are_those_there_are(tmp_path: Path) -> None:
    network = in_file("openvino", weighty(), tmp_path)
    named = opened(network, EngineOptions(threads=usable_cores()))
    blob = made_blob(named.executable({"x": (2, 96)}))
    opened(network, EngineOptions()).executable({"x": (2, 96)}, 1, blob)


@has_blobs
@pytest.mark.parametrize("size", [0, 10, 500])
def test_a_blob_that_ends_early_is_an_engine_error(size: int, tmp_path: Path) -> None:
    network = in_file("openvino", weighty(), tmp_path)
    blob = made_blob(opened(network).executable({"x": (2, 96)}))
    with pytest.raises(EngineError, match="openvino failed while reading a blob"):
        opened(network).executable({"x": (2, 96)}, 1, blob[: 32 + size])


@has_blobs
def test_weights_are_never_taken_from_a_file_that_took_its_place(tmp_path: Path) -> None:
    network = in_file("openvino", weighty(), tmp_path)
    blob = made_blob(opened(network).executable({"x": (2, 96)}))
    path = tmp_path / "artifact"
    replacement = tmp_path / "new"
    replacement.write_bytes(bytes(path.stat().st_size))
    os.replace(replacement, path)
    with pytest.raises(EngineError, match="was replaced by another file"):
        opened(network).executable({"x": (2, 96)}, 1, blob)
    path.unlink()
    with pytest.raises(EngineError, match="cannot be opened again"):
        opened(network).executable({"x": (2, 96)}, 1, blob)


@has_blobs
def test_what_was_made_of_a_blob_needs_its_file_no_more(tmp_path: Path) -> None:
    network = in_file("openvino", weighty(), tmp_path)
    compiled = opened(network).executable({"x": (-1, 96)})
    imported = opened(network).executable({"x": (-1, 96)}, 1, made_blob(compiled))
    (tmp_path / "artifact").unlink()
    for rows in (2, 5):
        np.testing.assert_array_equal(imported.run([batch(rows)]), compiled.run([batch(rows)]))


@has_blobs
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is given back")
@pytest.mark.parametrize("lanes", [1, 2])
def test_memory_of_what_was_made_of_a_blob_is_given_back(lanes: int, tmp_path: Path) -> None:
    network = in_file("openvino", weighty(), tmp_path)
    compiled = opened(network).executable({"x": (-1, 96)}, lanes)
    imported = opened(network).executable({"x": (-1, 96)}, lanes, made_blob(compiled))
    places = memory._kept[imported]
    assert len(places) == lanes
    assert not any(network.pool.ctypes.data in place for place in places)
    (wanted,) = compiled.run([batch(4)])
    for _ in range(2):
        give_back_memory(network.pool)
        for got in of_every_copy(imported, batch(4)):
            np.testing.assert_array_equal(got, wanted)
        assert all(map(memory._only_of_file, places)), "OpenVINO writes nothing to them"


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_without_a_file_there_are_no_blobs(engine: str, tmp_path: Path) -> None:
    executable = load(engine, ROW_SUMS, tmp_path).executable({"x": (2, 3)})
    assert executable.blob() is None


@pytest.mark.parametrize("engine", [name for name in ENGINE_NAMES if name != "openvino"])
def test_engines_without_blobs_take_no_notice_of_one(engine: str, tmp_path: Path) -> None:
    loaded = get_engine(engine).load(in_file(engine, ROW_SUMS, tmp_path), OPTIONS)
    executable = loaded.executable({"x": (2, 3)}, 1, b"whatever this is")
    assert executable.blob() is None
    x = whole((2, 3))
    (y,) = executable.run([x])
    np.testing.assert_array_equal(y, np.repeat(x.sum(1, keepdims=True), 2, 1))


@has_blobs
def test_blobs_of_an_artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opened by a relative name, in another process's stead, after the first one was closed."""
    onnx.save(onnx.parser.parse_model(HEADER + weighty()), tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    gearshift.compile("model.onnx", output="model.om", dynamic_batch_size=[1, 4])
    first, second = Artifact.open("model.om"), Artifact.open(Path("model.om"))
    in_memory = Artifact.from_bytes(Path("model.om").read_bytes())
    compiled = load_network(first, "openvino", 2).executable({"x": (4, 96)}, 2)
    blob = made_blob(compiled)
    assert load_network(in_memory, "openvino", 2).executable({"x": (4, 96)}).blob() is None
    loaded = load_network(second, "openvino", 2)
    second.close()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    imported = loaded.executable({"x": (4, 96)}, 2, blob)
    np.testing.assert_array_equal(imported.run([batch(4)]), compiled.run([batch(4)]))
