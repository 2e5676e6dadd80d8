"""Every gear mode on the command line: what `inspect`, `run`, `tune` and `cache` make of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gearshift.aipp.block import pack
from gearshift.aipp.parameters import AippParameters
from gearshift.aipp.spec import ImageFormat
from gearshift.artifact.pool import WeightPool
from gearshift.artifact.reader import Artifact
from gearshift.artifact.writer import write_artifact
from gearshift.cli import atc, tuning
from gearshift.cli.main import main
from gearshift.errors import OptionError
from gearshift.tuning.cache import find_table, keep_table
from gearshift.tuning.embedded import embed_table, embedded_tables
from gearshift.tuning.table import CostTable, EngineBytes, this_host
from models import save_text
from tables import fixed, opened, table_of

Printed = pytest.CaptureFixture[str]
HEAD = '<ir_version: 8, opset_import: ["" : 17]>'
POOL = f"""{HEAD} g (float[N, 3, H, W] x) => (float[N, 3, A, B] y) {{
  y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x) }}"""
WORDS = f"""{HEAD} g (int64[N, S] ids, float[N, S] mask) => (float[N, S] y, float[N] total)
<int64[1] one = {{1}}> {{
  numbers = Cast <to = 1> (ids)
  y = Mul (numbers, mask)
  total = ReduceSum <keepdims = 0> (y, one) }}"""
AIPP = """aipp_op {
  aipp_mode: static
  input_format: YUV420SP_U8
  # of a camera
  src_image_size_w: 8  src_image_size_h: 8
}"""
DYNAMIC = "aipp_op { aipp_mode: dynamic max_src_image_size: 1024 }"
QUICK = ("--engine", "onnxruntime")
DIMS = ("--shape", "ids:-1,-1;mask:-1,-1", "--dims", "1,4,1,4;2,4,2,4;2,8,2,8")
COMPILE = {
    "fixed": ("pool.onnx", "--shape", "x:1,3,8,8"),
    "image": ("pool.onnx", "--shape", "x:1,3,-1,-1", "--image-sizes", "8,8;8,16"),
    "dims": ("words.onnx", *DIMS),
    "pad": ("words.onnx", *DIMS, "--pad", "ids=0", "--pad", "mask=0"),
    "range": ("pool.onnx", "--shape-range", "x:[1~2,3,8,-1]"),
    "aipp": ("pool.onnx", "--shape", "x:-1,3,8,8", "-g", "1,2", "--aipp", "camera.cfg"),
    "dynamic": ("pool.onnx", "--shape", "x:-1,3,8,8", "-g", "1,2", "--aipp", "dynamic.cfg"),
}
INPUTS = {
    "x.npy": np.arange(192, dtype=np.float32).reshape(1, 3, 8, 8),
    "wide.npy": np.zeros((1, 3, 8, 16), np.float32),
    "ids.npy": np.arange(20, dtype=np.int64).reshape(5, 4),
    "mask.npy": np.ones((5, 4), np.float32),
    "short.npy": np.arange(15, dtype=np.int64).reshape(3, 5),
    "shorts.npy": np.full((3, 5), 2, np.float32),
    "frames.npy": np.full((3, 12, 8), 128, np.uint8),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an artifact of each mode."""
    folder = tmp_path_factory.mktemp("modes")
    save_text(POOL, folder / "pool.onnx")
    save_text(WORDS, folder / "words.onnx")
    (folder / "camera.cfg").write_text(AIPP)
    (folder / "dynamic.cfg").write_text(DYNAMIC)
    for name, array in INPUTS.items():
        np.save(folder / name, array)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, words in COMPILE.items():
            assert main(["compile", *words, "-o", f"{name}.om", *QUICK]) == 0
    return folder


@pytest.fixture(autouse=True)
def folder(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the tests work, with a cache of their own."""
    monkeypatch.setenv("GEARSHIFT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for file in built.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.fixture
def said(capsys: Printed) -> Callable[..., str]:
    """Runs a command that has to go well; gives what it prints, every gap one blank."""

    def run(*words: str) -> str:
        assert main(list(words)) == 0, capsys.readouterr().err
        return "\n".join(" ".join(line.split()) for line in capsys.readouterr().out.splitlines())

    return run


def parsed(capsys: Printed, *words: str) -> Any:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "fixed",
            [
                "mode fixed",
                "gears none: every dim is fixed",
                "rows there is no number of rows to choose: every call is one run, of a shape "
                "declared",
                "input x float32 [1, 3, 8, 8] -",
                "- 960 bytes onnxruntime 0.0e+00 0.0e+00 y",
            ],
        ),
        (
            "image",
            [
                "mode image",
                "gears 8,8; 8,16",
                "input ascend_mbatch_shape_data int32 [2] the gear",
                "output y float32 [1, 3, 4, -1] -",
                "gear frame inputs memory engine difference relative of output",
                "8,8 0 x [1, 3, 8, 8] 960 bytes onnxruntime 0.0e+00 0.0e+00 y",
                "8,16 1 x [1, 3, 8, 16] 1.9 kB onnxruntime 0.0e+00 0.0e+00 y",
            ],
        ),
        (
            "dims",
            [
                "mode dims",
                "gears 1,4,1,4; 2,4,2,4; 2,8,2,8",
                "rows rows are independent (proved): any number of rows runs, padded or split as "
                "is best",
                "input mask float32 [-1, -1] axis 0",
                "input ascend_mbatch_shape_data int32 [4] the gear",
                "1,4,1,4 0 ids [1, 4], mask [1, 4] 80 bytes onnxruntime 0.0e+00 0.0e+00 y",
            ],
        ),
        (
            "pad",
            [
                "tensor name dtype shape rows at padding",
                "input ids int64 [-1, -1] axis 0 with 0; axis 1 from 1, as axis 1 of mask",
                "output y float32 [-1, -1] axis 0 axis 1 as axis 1 of ids",
                "output total float32 [-1] axis 0 -",
            ],
        ),
        (
            "range",
            [
                "mode range",
                "gears none: dims vary within their ranges",
                "rows every call is one run of the engine's own dynamic shapes, checked at both "
                "ends",
                "input x float32 [-1, 3, 8, -1] - 1~2,3,8,-1",
            ],
        ),
        (
            "aipp",
            [
                "mode batch",
                "aipp x: static, YUV420SP_U8 images 8 wide and 8 high, for the model's own float32 "
                "[-1, 3, 8, 8]",
                "input x uint8 [-1, 12, 8] axis 0",
                "preprocessing of x:",
                "src_image_size_h: 8",
            ],
        ),
        (
            "dynamic",
            [
                "aipp x: dynamic, images of up to 1024 bytes in all, for the model's own float32 "
                "[-1, 3, 8, 8]",
                "input x uint8 [-1, -1] axis 0",
                "input ascend_dynamic_aipp_data uint8 [256] its AIPP",
                "max_src_image_size: 1024",
            ],
        ),
    ],
)
def test_inspect(name: str, lines: list[str], said: Callable[..., str]) -> None:
    text = said("inspect", f"{name}.om").splitlines()
    for line in lines:
        assert line in text
    assert "ascend_mbatch_shape_data" not in "".join(text) or name not in ("fixed", "range")
    assert (
        f"costs not measured on this host with {_threads()}; run: gearshift tune {name}.om" in text
    )


def _threads() -> str:
    from gearshift.placing import usable_cores

    return f"{usable_cores()} thread{'s' * (usable_cores() > 1)}"


def test_inspect_as_json(capsys: Printed) -> None:
    image, dims, aipp = (parsed(capsys, "inspect", f"{n}.om") for n in ("image", "dims", "aipp"))
    assert image["manifest"]["mode"] == "image"
    assert image["manifest"]["gears"][1]["inputs"] == [[1, 3, 8, 16]]
    assert dims["frames"] == [
        {
            "frame": 0,
            "inputs": {"ids": [-1, 4], "mask": [-1, 4]},
            "gears": [[1, 4, 1, 4], [2, 4, 2, 4]],
            "costs": None,
        },
        {
            "frame": 1,
            "inputs": {"ids": [-1, 8], "mask": [-1, 8]},
            "gears": [[2, 8, 2, 8]],
            "costs": None,
        },
    ]
    assert aipp["aipp"] == [
        {
            "input": "x",
            "mode": "static",
            "input_format": "YUV420SP_U8",
            "source_width": 8,
            "source_height": 8,
        }
    ]
    assert parsed(capsys, "inspect", "pad.om")["manifest"]["inputs"][0]["pad"] == 0
    ranges = parsed(capsys, "inspect", "range.om")["manifest"]["inputs"][0]["ranges"]
    assert ranges == [[1, 2], [3, 3], [8, 8], [1, -1]]
    dynamic = parsed(capsys, "inspect", "dynamic.om")["aipp"]
    assert dynamic == [{"input": "x", "mode": "dynamic", "max_source_bytes": 1024}]


def test_an_aipp_configuration_that_cannot_be_read_is_damage(capsys: Printed) -> None:
    with Artifact.open("aipp.om") as artifact:
        (record,) = artifact.manifest.aipp
        pool = WeightPool()
        pool.add(artifact.pool)
        write_artifact(
            "bad.om",
            replace(artifact.manifest, aipp=(replace(record, config="aipp_op"),)),
            {"onnxruntime": artifact.topology("onnxruntime")},
            pool,
        )
    for words in ((), ("--json",)):
        assert main(["inspect", "bad.om", *words]) == 1
        assert "AIPP configuration of input 'x' in its manifest cannot be read" in (
            capsys.readouterr().err
        )


@pytest.mark.parametrize(
    ("words", "ran", "shape"),
    [
        (("fixed.om", "-i", "x.npy"), "1 run;", "y float32 [1, 3, 4, 4] -"),
        (("image.om", "-i", "wide.npy"), "gear 8,16 x 1;", "y float32 [1, 3, 4, 8] -"),
        (("image.om", "-i", "x.npy", "--gear", "8,8"), "gear 8,8 x 1;", "y float32 [1, 3, 4, 4] -"),
        (("range.om", "-i", "wide.npy"), "1 run;", "y float32 [1, 3, 4, 8] -"),
        (("aipp.om", "-i", "frames.npy"), "gear 1 x 1, gear 2 x 1;", "y float32 [3, 3, 4, 4] -"),
        (
            ("dims.om", "-i", "ids=ids.npy", "-i", "mask=mask.npy"),
            "gear 1,4,1,4 x 1, gear 2,4,2,4 x 2;",
            "y float32 [5, 4] -",
        ),
        (
            ("pad.om", "-i", "ids=short.npy", "-i", "mask=shorts.npy"),
            "gear 2,8,2,8 x 2;",
            "y float32 [3, 5] -",
        ),
    ],
)
def test_run(words: tuple[str, ...], ran: str, shape: str, said: Callable[..., str]) -> None:
    text = said("run", *words, "--threads", "1")
    assert shape in text.splitlines()
    assert text.splitlines()[-1].startswith(ran)


def test_run_gives_the_numbers_of_the_model(capsys: Printed) -> None:
    words = ("run", "pad.om", "-i", "ids=short.npy", "-i", "mask=shorts.npy", "-o", "out")
    report = parsed(capsys, *words)
    assert report["runs"] == {"2,8,2,8": 2}
    expected = INPUTS["short.npy"] * np.float32(2)
    np.testing.assert_array_equal(np.load(report["files"]["y"]), expected)
    np.testing.assert_array_equal(np.load(report["files"]["total"]), expected.sum(1))
    assert parsed(capsys, "run", "fixed.om", "-i", "x.npy", "-o", "out")["runs"] == {"fixed": 1}
    pooled = INPUTS["x.npy"].reshape(1, 3, 4, 2, 4, 2).max((3, 5))
    np.testing.assert_array_equal(np.load("out/y.npy"), pooled)


def test_dynamic_aipp_takes_its_block_from_a_file(said: Callable[..., str]) -> None:
    np.save("rgb.npy", np.full((2, 8, 8, 3), 7, np.uint8))
    np.save("block.npy", pack(AippParameters(ImageFormat.RGB888_U8, 8, 8), 2))
    given = ("-i", "x=rgb.npy", "-i", "ascend_dynamic_aipp_data=block.npy")
    assert "y float32 [2, 3, 4, 4] out/y.npy" in said("run", "dynamic.om", *given, "-o", "out")
    assert (np.load("out/y.npy") == 7).all()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("fixed.om", "-i", "wide.npy"), "the model takes [1, 3, 8, 8]"),
        (("image.om", "-i", "x.npy", "--gear", "8,16"), "gear 8,16 takes x [1, 3, 8, 16]"),
        (("image.om", "-i", "x.npy", "--gear", "9,9"), "whose gears are 8,8; 8,16"),
        (("range.om", "-i", "frames.npy"), "takes float32"),
        (("dims.om", "-i", "ids=short.npy", "-i", "mask=shorts.npy"), "nearest of 2"),
        (("dims.om", "-i", "ids.npy"), "this model takes ids, mask."),
        (("dynamic.om", "-i", "frames.npy"), "add 'ascend_dynamic_aipp_data'"),
    ],
)
def test_run_refuses(words: tuple[str, ...], why: str, capsys: Printed) -> None:
    assert main(["run", *words]) == 1
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("text", ["8;8", "8,", "", "a", "8.5", ","])
def test_a_gear_is_whole_numbers(text: str, capsys: Printed) -> None:
    assert main(["run", "image.om", "-i", "x.npy", "--gear", text]) == 2
    assert "allowed: a whole number, or several with commas" in capsys.readouterr().err


def by_hand(name: str, frame: int, milliseconds: float = 1) -> CostTable:
    """A table of one frame for two threads of this host: two programs, one for any rows."""
    with Artifact.open(f"{name}.om") as artifact:
        identity = artifact.identity
    seconds = milliseconds / 1e3
    table = table_of(
        [
            opened({1: seconds, 2: seconds * 1.5}, 5, engine="onnxruntime"),
            fixed(1, seconds * 4, 10, engine="onnxruntime"),
        ],
        artifact=identity,
        host=this_host(["onnxruntime"], 2),
    )
    return replace(table, frame=frame, engines=(EngineBytes("onnxruntime", 5_000_000),))


PAIR = ("--threads", "2")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """Puts tables by hand in the place of measurements; gives frames and seconds asked for."""
    asked: list[tuple[int, float]] = []

    def measure(artifact: Artifact, frame: int, options: object, seconds: float, tell: Any) -> Any:
        asked.append((frame, seconds))
        for done in (0.0, 0.5, 1.0):
            tell("at it", done)
        table = by_hand(artifact.path.stem, frame, milliseconds=10 * (frame + 1))
        keep_table(table)
        return type("Strategy", (), {"table": table})

    monkeypatch.setattr(tuning, "measure", measure)
    return asked


def test_tune_measures_every_frame_within_its_time(
    measured: list[tuple[int, float]], capsys: Printed
) -> None:
    assert main(["tune", "dims.om", *PAIR, "--seconds", "3", "--rows", "1-3"]) == 0
    assert measured == [(0, 1.5), (1, 1.5)]
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [
        "  0%  frame 0: at it ...",
        " 25%  frame 0: at it ...",
        " 50%  frame 0: at it ...",
        " 75%  frame 1: at it ...",
        "100%  frame 1: at it ...",
    ]
    text = [" ".join(line.split()) for line in printed.out.splitlines()]
    first = text.index("frame 0: ids [-1, 4], mask [-1, 4]; gears 1,4,1,4; 2,4,2,4")
    second = text.index("frame 1: ids [-1, 8], mask [-1, 8]; gears 2,8,2,8")
    assert "2 2 15.0 7.50 15.0 (1.00x) 15.0 (1.00x)" in text[first:second]
    assert "2 2 30.0 15.0 30.0 (1.00x) 30.0 (1.00x)" in text[second:]
    assert [line for line in text if line.startswith("file ")] == ["file dims.om"]
    assert sum(line.startswith("kept /") for line in text) == 2
    assert sum(line.startswith("plan: a + b") for line in text) == 1


def test_tune_as_json_and_embedded(
    measured: list[tuple[int, float]], folder: Path, capsys: Printed
) -> None:
    frames = parsed(capsys, "tune", "dims.om", *PAIR, "--embed")["frames"]
    assert [(each["frame"], each["gears"]) for each in frames] == [
        (0, [[1, 4, 1, 4], [2, 4, 2, 4]]),
        (1, [[2, 8, 2, 8]]),
    ]
    assert all(each["embedded"] and Path(each["kept"]).exists() for each in frames)
    assert len({each["kept"] for each in frames}) == 2
    assert [each["costs"]["table"].get("frame", 0) for each in frames] == [0, 1]
    with Artifact.open("dims.om") as artifact:
        assert {table.frame for table in embedded_tables(artifact)} == {0, 1}
    for file in (folder / "cache").iterdir():
        file.unlink()
    shown = parsed(capsys, "inspect", "dims.om", *PAIR)
    plans = [each["costs"]["plans"][-1]["seconds"] for each in shown["frames"]]
    assert plans == pytest.approx([0.015, 0.030])


def test_inspect_shows_the_frames_that_are_known(said: Callable[..., str], capsys: Printed) -> None:
    keep_table(by_hand("dims", 1, 8))
    embed_table("dims.om", by_hand("dims", 1, 8))
    text = said("inspect", "dims.om", *PAIR).splitlines()
    assert "costs known of 1 of 2 frames, see below" in text
    assert (
        "costs not measured on this host with 2 threads; run: gearshift tune dims.om --threads 2"
        in text
    )
    assert any(line.startswith("embedded") and "frames 1, this host" in line for line in text)
    section = text[text.index("frame 1: ids [-1, 8], mask [-1, 8]; gears 2,8,2,8") :]
    assert "2 2 12.0 6.00" in section
    assert not any(line.startswith("frame 0:") for line in text)
    known = parsed(capsys, "inspect", "dims.om", *PAIR)
    assert [each["costs"] is None for each in known["frames"]] == [True, False]


@pytest.mark.parametrize(("name", "shape"), [("image", "this shape"), ("range", "any shape")])
def test_models_without_rows_have_programs_and_no_plans(
    name: str, shape: str, measured: list[tuple[int, float]], said: Callable[..., str]
) -> None:
    text = said("tune", f"{name}.om", *PAIR)
    assert f"onnxruntime, {shape} no 40.0 10.0 MB never quicker than those used" in text
    assert "ms/row" not in text
    assert "plan:" not in text
    assert f"onnxruntime, {shape} no 40.0" in said("inspect", f"{name}.om", *PAIR)


def test_rows_of_a_model_that_has_none(measured: list[tuple[int, float]], capsys: Printed) -> None:
    for name in ("fixed", "image", "range"):
        assert main(["tune", f"{name}.om", "--rows", "1-4"]) == 1
        assert "every call is one run. Leave --rows out." in capsys.readouterr().err
    assert not measured


def test_what_was_measured_before_a_refusal_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    def measure(artifact: Artifact, frame: int, *_: object) -> Any:
        keep_table(by_hand("dims", frame))
        if frame == 1:
            raise OptionError("memory_budget allows nothing.")
        return type("Strategy", (), {"table": by_hand("dims", frame)})

    monkeypatch.setattr(tuning, "measure", measure)
    assert main(["tune", "dims.om", *PAIR, "--embed"]) == 1
    error = capsys.readouterr().err
    assert "allows nothing. What was measured is kept: " in error
    assert error.count(".costs") == 2
    with Artifact.open("dims.om") as artifact:
        assert len(embedded_tables(artifact)) == 2


def test_the_cache_tells_frames_apart(said: Callable[..., str], capsys: Printed) -> None:
    for frame in (0, 1):
        keep_table(by_hand("dims", frame))
    identity = by_hand("dims", 0).artifact
    lines = said("cache").splitlines()
    assert sorted(line.split()[1] for line in lines if line.startswith(identity[:12])) == ["0", "1"]
    assert sorted(each["frame"] for each in parsed(capsys, "cache")["kept"]) == [0, 1]


def test_measured_for_real(said: Callable[..., str]) -> None:
    said("tune", "image.om", "--seconds", "0.2", "--threads", "1")
    with Artifact.open("image.om") as artifact:
        host = this_host(["onnxruntime"], 1)
        tables = [find_table(artifact.identity, host, frame) for frame in (0, 1)]
    assert [table is not None and table.frame for table in tables] == [0, 1]
    assert "costs known of 2 of 2 frames, see below" in said(
        "inspect", "image.om", "--threads", "1"
    )


ATC = {
    "fixed": ("pool.onnx", "--input_shape=x:1,3,8,8"),
    "image": ("pool.onnx", "--input_shape=x:1,3,-1,-1", "--dynamic_image_size=8,8;8,16"),
    "dims": (
        "words.onnx",
        "--input_format=ND",
        "--input_shape=ids:-1,-1;mask:-1,-1",
        "--dynamic_dims=1,4,1,4;2,4,2,4;2,8,2,8",
    ),
    "range": ("pool.onnx", "--input_shape_range=x:[1~2,3,8,-1]"),
    "aipp": (
        "pool.onnx",
        "--input_shape=x:-1,3,8,8",
        "--dynamic_batch_size=1,2",
        "--insert_op_conf=camera.cfg",
    ),
}


@pytest.mark.parametrize("name", ATC)
def test_atc_compiles_the_same(name: str, capsys: Printed) -> None:
    model, *flags = ATC[name]
    words = [f"--model={model}", "--framework=5", f"--output=by_{name}", *flags]
    assert atc.main(words) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    with Artifact.open(f"{name}.om") as one, Artifact.open(f"by_{name}.om") as other:
        assert one.manifest.inputs == other.manifest.inputs
        assert one.manifest.outputs == other.manifest.outputs
        assert one.manifest.aipp == other.manifest.aipp
        gears = [(gear.values, gear.inputs) for gear in one.manifest.gears]
        assert gears == [(gear.values, gear.inputs) for gear in other.manifest.gears]
    for values, _ in gears:
        head = ",".join(map(str, values)) or "-"
        assert any(line.startswith(f"{head} openvino ok 0.0e+00") for line in lines)


def test_ranges_of_one_number_each_are_a_fixed_shape(said: Callable[..., str]) -> None:
    said("compile", "pool.onnx", "--shape-range", "x:[1,3,8,8]", "-o", "one.om", *QUICK)
    assert "mode fixed" in said("inspect", "one.om").splitlines()


def test_utf_16_is_named(capsys: Printed) -> None:
    Path("camera.cfg").write_bytes(AIPP.encode("utf-16"))
    model, *flags = ATC["aipp"]
    assert atc.main([f"--model={model}", "--framework=5", "--output=x", *flags]) == 255
    assert "\nE19018: insert_op_conf: the file is UTF-16" in capsys.readouterr().out
