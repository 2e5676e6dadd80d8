"""Options: what is taken, in which forms, and that all else is refused by name before any work."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gearshift
from gearshift.errors import GearshiftError, OptionError, OptionErrors
from gearshift.options import PRECISIONS, SEPARABILITIES, CompileOptions, SessionOptions
from models import save_text

MODEL = """<ir_version: 8, opset_import: ["" : 17]>
m (float[N, 4] x) => (float[N, 4] y) { y = Relu (x) }
"""


def options(**changed: Any) -> CompileOptions:
    return CompileOptions(**{"model": Path("m.onnx"), "output": Path("m.om"), **changed})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_text(MODEL, tmp_path / "model.onnx")


def compile_to(output: Any, model: Any, **changed: Any) -> gearshift.CompileReport:
    asked = {"dynamic_batch_size": [1, 2, 4], "engine": "onnxruntime", **changed}
    return gearshift.compile(model, output=output, **asked)


FORMS: list[dict[str, Any]] = [
    {"dynamic_batch_size": np.array([1, 2, 4]), "input_shape": {"x": np.array([-1, 4])}},
    {"dynamic_batch_size": "1,2,4", "input_shape": "x:-1,4"},
    {"dynamic_batch_size": iter((1, 2, 4)), "input_shape": {"x": [np.int8(-1), 4]}},
    {"dynamic_batch_size": (1, np.uint8(2), 4), "threads": np.int64(1), "tolerance": np.float32(1)},
    {"dynamic_batch_size": range(1, 3), "sample_inputs": {"x": np.ones((2, 4), "f4")}},
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_thing(form: dict[str, Any], model: Path, tmp_path: Path) -> None:
    report = compile_to(tmp_path / "m.om", model, **form)
    values = [gear.values for gear in report.manifest.gears]
    assert values in ([(1,), (2,), (4,)], [(1,), (2,)])
    assert report.manifest.inputs[0].shape == (-1, 4)
    with gearshift.load(report.output) as loaded:
        x = np.arange(-6, 6, dtype="f4").reshape(3, 4)
        np.testing.assert_array_equal(loaded.run({"x": x})["y"], np.maximum(x, 0))


def test_options_hold_one_form() -> None:
    made = options(
        model="a.onnx",
        output="b",
        input_shape={"x": np.array([-1, 4])},
        dynamic_batch_size=[np.int64(8), 1],
        threads=np.int32(2),
        memory_limit=np.uint64(9),
        tolerance=0,
        sample_inputs={"x": [[1, 2], [3, 4]]},
        command="atc --output=\udcff",
    )
    assert made.model == Path("a.onnx")
    assert made.artifact == Path("b.om")
    assert (made.dynamic_batch_size, made.input_shape) == ((8, 1), {"x": (-1, 4)})
    numbers = (*made.dynamic_batch_size, *made.input_shape["x"], made.threads, made.memory_limit)
    assert {type(number) for number in numbers} == {int}
    assert type(made.tolerance) is float
    assert made.sample_inputs is not None
    assert made.sample_inputs["x"].shape == (2, 2)
    assert made.command == "atc --output=?", "an artifact holds UTF-8"


@pytest.mark.parametrize(
    ("output", "artifact"),
    [("x", "x.om"), ("x.om", "x.om"), ("x.OM", "x.OM"), ("x.Om", "x.Om"), ("x.onnx", "x.onnx.om")],
)
def test_om_is_known_whatever_its_case(output: str, artifact: str) -> None:
    assert options(output=Path(output)).artifact == Path(artifact)


REFUSED: list[tuple[str, Any, str]] = [
    ("dynamic_batch_size", 8, r"=8: give a list .* at least two"),
    ("dynamic_batch_size", np.array(8), "give a list"),
    ("dynamic_batch_size", None, "=None: give a list"),
    ("dynamic_batch_size", b"12", "give a list"),
    ("dynamic_batch_size", {1: 2}, "give a list"),
    ("dynamic_batch_size", [(1, 2), (3, 4)], r"holds \(1, 2\); gears are whole numbers from 1"),
    ("dynamic_batch_size", np.ones((2, 2), int), "holds array"),
    ("dynamic_batch_size", [1.0, 2.0], "holds 1.0"),
    ("dynamic_batch_size", ["1", "2"], "holds '1'"),
    ("dynamic_batch_size", [True, 2], "holds True"),
    ("dynamic_batch_size", [1, None], "holds None"),
    ("dynamic_batch_size", [1, 2**70], str(2**70)),
    ("dynamic_batch_size", [1, 10**5000], "thousands of digits"),
    ("input_shape", [("x", (-1, 4))], "by input name"),
    ("input_shape", {"x": 4}, "'x' 4: give the list of its dims"),
    ("input_shape", {"x": "-1,4"}, "list of its dims"),
    ("input_shape", {"x": (-1, 4.0)}, "'x' the dim 4.0"),
    ("input_shape", {"x": (-1, 2**70)}, "up to 64 bits"),
    ("input_shape", {5: (-1, 4)}, "the name 5: names of inputs are text"),
    ("engine", "", "not empty"),
    ("engine", 5, "engine=5"),
    ("precision", "fp16", "precision='fp16': allowed are f32, f16, bf16. Did you mean 'f16'"),
    ("precision", np.array(["f32", "f16"]), "allowed are"),
    ("precision", None, "allowed are"),
    ("input_format", "nhwc", "allowed are NCHW, NHWC, ND, NCDHW, NDHWC. Did you mean 'NHWC'"),
    ("separability", "proven", "allowed are proved, tested. Did you mean 'proved'"),
    ("tolerance", float("nan"), "tolerance=nan: give a finite number of 0 or more"),
    ("tolerance", float("inf"), "finite"),
    ("tolerance", -1e-9, "0 or more"),
    ("tolerance", "0.1", "'0.1'"),
    ("tolerance", True, "True"),
    ("tolerance", Fraction(10**5000), "thousands of digits"),
    ("threads", 0, "threads=0: give a whole number from 1 to 1024"),
    ("threads", 1.0, "whole number"),
    ("threads", "2", "threads='2'"),
    ("threads", True, "threads=True"),
    ("threads", 2**31, "from 1 to 1024"),
    ("memory_limit", 0, "memory_limit=0: give a whole number of 1 or more"),
    ("memory_limit", 1e9, "whole number"),
    ("sample_inputs", [np.ones(4)], "by input name"),
    ("sample_inputs", {"x": [[1, 2], [3]]}, "'x' what is not an array.*equally long"),
    ("sample_inputs", {0: np.ones(4)}, "names of inputs are text"),
    ("model", None, "model=None is not a path"),
    ("model", b"m.onnx", "is not a path"),
    ("model", "a\0b", "NUL"),
    ("model", "\ud800", "is not a path"),
    ("output", 5, "output=5 is not a path"),
    ("output", "a\0b", "NUL"),
    ("output", "", "names a folder and no file; add the file's name"),
    ("output", ".", "names a folder"),
    ("output", "/", "names a folder"),
    ("output", "..", "names a folder"),
    ("output", "a/..", "names a folder"),
    ("output", "out/", "for example 'out/model.om'"),
]


@pytest.mark.parametrize(("name", "value", "words"), REFUSED)
def test_what_can_mean_nothing_is_refused(
    name: str, value: Any, words: str, model: Path, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=words) as raised:
        options(**{name: value})
    assert raised.value.message.startswith(name)
    asked = {"model": model, "output": tmp_path / "m.om", name: value}
    with pytest.raises(OptionError, match=words):
        compile_to(**asked)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_what_is_allowed_is_taken() -> None:
    for precision in PRECISIONS:
        assert options(precision=precision).precision == precision
    for separability in SEPARABILITIES:
        assert options(separability=separability).separability == separability
    assert options(tolerance=0.0, threads=1024, memory_limit=1).threads == 1024


def test_all_faults_are_said_at_once() -> None:
    with pytest.raises(OptionErrors) as raised:
        options(output="", dynamic_batch_size=8, precision="f64", threads=0)
    names = [error.message.split("=")[0] for error in raised.value.errors]
    assert names == ["output", "dynamic_batch_size", "precision", "threads"]
    with pytest.raises(OptionErrors):
        SessionOptions(threads=0, preload="8")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"dynamic_batch_size": "1;2"}, "';'"),
        ({"input_shape": "x"}, "has no ':'"),
        ({"input_shape": ""}, "empty item"),
    ],
)
def test_text_is_held_to_the_command_lines_grammar(
    changed: dict[str, Any], words: str, model: Path, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=words):
        compile_to(tmp_path / "m.om", model, **changed)


def test_a_session_takes_every_form() -> None:
    made = SessionOptions(
        threads=np.int64(2),  # type: ignore[arg-type]
        preload=8,
        costs={np.int64(1): np.float32(0.5), 8: 3},  # type: ignore[dict-item]
    )
    assert (made.threads, made.preload, made.costs) == (2, (8,), {1: 0.5, 8: 3.0})
    assert made.costs is not None
    assert {type(value) for value in (*made.costs, made.threads)} == {int}
    assert SessionOptions(preload=np.True_).preload is True  # type: ignore[arg-type]
    assert SessionOptions(preload=np.array([1, 8])).preload == (1, 8)  # type: ignore[arg-type]
    assert SessionOptions(preload=[8]).preload == (8,)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("threads", "2", "threads='2': give a whole number from 1"),
        ("threads", 1.5, "1.5"),
        ("threads", 0, "threads=0"),
        ("preload", "8", "preload='8': give True for all gears, or a list"),
        ("preload", 1.5, "give True"),
        ("preload", None, "give True"),
        ("preload", ["8"], "holds '8'"),
        ("costs", [1.0, 2.0], r"costs=\[1.0, 2.0\]: give the cost of each gear"),
        ("costs", "fast", "cost of each gear"),
        ("costs", {1: "a"}, "gear 1 'a': a cost is a positive number"),
        ("costs", {1: 0.0}, "positive"),
        ("costs", {1: float("nan")}, "positive"),
        ("costs", {"1": 1.0}, "the gear '1'"),
        ("engine", 5, "engine=5"),
    ],
)
def test_what_a_session_refuses(name: str, value: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=words):
        gearshift.load(tmp_path / "never-opened.om", **{name: value})


def _no_folder(folder: Path) -> Path:
    (folder / "file").write_bytes(b"")
    return folder / "file" / "below" / "m.om"


def _a_folder(folder: Path) -> Path:
    (folder / "m.om").mkdir()
    return folder / "m.om"


def _a_loop(folder: Path) -> Path:
    (folder / "m.om").symlink_to(folder / "m.om")
    return folder / "m.om"


def _below_a_loop(folder: Path) -> Path:
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    return folder / "a" / "m.om"


def _a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "m.om")
    return folder / "m.om"


@pytest.mark.skipif(os.name == "nt", reason="links and pipes need rights there")
@pytest.mark.parametrize(
    ("place", "words"),
    [
        (_no_folder, "file' is not a folder"),
        (_a_folder, "m.om' is a folder"),
        (_a_loop, "link that leads to itself"),
        (_below_a_loop, "symbolic links"),
        (_a_pipe, "no ordinary file"),
        (lambda folder: folder / ("n" * 300), "too long"),
    ],
)
def test_what_cannot_be_written_is_said_before_any_work(
    place: Any, words: str, model: Path, tmp_path: Path
) -> None:
    steps: list[str] = []
    with pytest.raises(OptionErrors, match=words) as raised:
        compile_to(place(tmp_path), model, on_progress=lambda *step: steps.append(step[0]))
    assert raised.value.code == "E19004"
    assert not steps


def test_a_folder_that_is_not_ours_is_refused_before_any_work(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def access(path: Path, mode: int) -> bool:
        asked.append(path)
        return not mode & os.W_OK

    monkeypatch.setattr("os.access", access)
    with pytest.raises(OptionErrors, match="not yours to write in") as raised:
        compile_to(tmp_path / "new" / "newer" / "m.om", model)
    assert raised.value.code == "E19004"
    assert asked == [tmp_path], "the nearest folder that exists"


def test_a_link_to_a_file_and_a_new_folder_are_fine(model: Path, tmp_path: Path) -> None:
    (tmp_path / "link.om").symlink_to(tmp_path / "real.om")
    compile_to(tmp_path / "link.om", model)
    compile_to(tmp_path / "link.om", model)
    assert (tmp_path / "real.om").is_file()
    assert compile_to(tmp_path / "new" / "newer" / "m", model).output.is_file()


def test_the_model_behind_a_link_is_not_overwritten(model: Path, tmp_path: Path) -> None:
    (tmp_path / "m.om").symlink_to(model)
    with pytest.raises(GearshiftError, match="is the model itself"):
        compile_to(tmp_path / "m.om", model)
