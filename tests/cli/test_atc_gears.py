"""Every way to declare what varies: which exclude each other, and what the compiler is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gearshift.cli import atc, atc_command
from gearshift.cli.atc_argv import parse_argv
from gearshift.cli.atc_checks import find_errors
from gearshift.cli.atc_output import FAILURE
from gearshift.options import CompileOptions
from models import save_text

Printed = pytest.CaptureFixture[str]
Outcome = Callable[..., str]

PAGE = (Path(__file__).parents[2] / "docs" / "atc-compat.md").read_text("utf-8")
MODEL = """<ir_version: 8, opset_import: ["" : 17]>
    m (float[N, 3, H, W] x) => (float[N, 3, 1, 1] y) { y = GlobalMaxPool (x) }"""

WAYS: dict[str, tuple[str, ...]] = {
    "batch": ("--input_shape=x:-1,3,48,320", "--dynamic_batch_size=1,2,4"),
    "image": ("--input_shape=x:1,3,-1,-1", "--dynamic_image_size=416,416;832,832"),
    "dims": ("--input_format=ND", "--input_shape=x:-1,3,48,-1", "--dynamic_dims=1,320;2,640"),
    "fixed": ("--input_shape=x:1,3,48,320",),
    "range": ("--input_shape_range=x:[1~8,3,48,-1]",),
    "open": ("--input_shape=x:1~8,3,48,-1",),
}
"""Each way to say what varies, by itself; the words that say nothing of it are in `command`."""

BESIDE: dict[str, tuple[str, ...]] = {
    **{name: words[-1:] for name, words in WAYS.items()},
    "aipp": ("--insert_op_conf=aipp.cfg",),
    "NCHW": ("--input_format=NCHW",),
    "NHWC": ("--input_format=NHWC",),
    "ND": ("--input_format=ND",),
    "NCDHW": ("--input_format=NCDHW",),
    "air": ("--framework=1",),
    "no shape": ("--input_shape=",),
}

# What the manual's page, and ATC itself, make of each way (row) together with another option
# (column): the code of the first error; "-" where the two go together; "0" where they are one.
TABLE = """
         batch   image   dims    range   open    aipp    NCHW    NHWC    ND      NCDHW   air     no-shape
  batch  0       E10009  E10009  E10047  E10002  -       -       E10001  -       -       E10001  E10004
  image  E10009  0       E10009  E10047  E10002  -       -       E10001  E10019  E10019  E10001  E10004
  dims   E10009  E10009  0       E10047  E10002  E10001  E10001  E10001  -       E10001  E10001  E10004
  fixed  E10031  E10019  E10001  -       -       -       -       E10001  -       -       -       -
  range  E10047  E10047  E10047  0       E10002  -       -       E10001  -       -       -       -
  open   E10002  E10002  E10002  E10002  0       -       -       E10001  -       -       -       -
"""  # noqa: E501 - a table is read by its columns
_COLUMNS, *_ROWS = (line.split() for line in TABLE.strip().splitlines())
CELLS = [
    (row, column.replace("-", " "), expected)
    for row, *cells in _ROWS
    for column, expected in zip(_COLUMNS, cells, strict=True)
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("rec.onnx", "w.bin", "aipp.cfg"):
        (tmp_path / name).write_text("aipp_op { }")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*words: str) -> list[str]:
    return ["--model=rec.onnx", "--framework=5", "--output=rec", *words]


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> Outcome:
    """What becomes of a command line: "compiled", "refused", or the code of the first error."""

    class Compiled(Exception):
        pass

    def compile_model(options: CompileOptions) -> None:
        raise Compiled

    monkeypatch.setattr(atc_command, "_compile", compile_model)

    def run(words: list[str]) -> str:
        try:
            atc.main(words)
        except Compiled:
            return "compiled"
        first = capsys.readouterr().out.partition(FAILURE + "\n")[2]
        return first[:6] if first[0] == "E" else "refused"

    return run


@pytest.mark.parametrize(("way", "beside", "expected"), CELLS)
def test_the_pages_table_of_exclusive_options(
    way: str, beside: str, expected: str, outcome: Outcome
) -> None:
    # MindSpore models are refused as such once the options themselves are right.
    right = "refused" if beside == "air" else "compiled"
    assert outcome(command(*WAYS[way], *BESIDE[beside])) == (
        right if expected in "-0" else expected
    )


LATER = {("range", "aipp"), ("open", "aipp"), ("fixed", "no shape"), ("open", "no shape")}
"""What only the model shows: ranges tell no size of an image, and its own dims are open."""


@pytest.mark.parametrize(
    ("way", "beside"),
    [(way, beside) for way, beside, cell in CELLS if cell in "-0" and beside != "air"],
)
def test_what_goes_together_is_compiled(
    way: str, beside: str, folder: Path, capsys: Printed
) -> None:
    save_text(MODEL, folder / "rec.onnx")
    (folder / "aipp.cfg").write_text("aipp_op { aipp_mode: static input_format: RGB888_U8 }")
    status = atc.main(command(*WAYS[way], *BESIDE[beside]))
    printed = capsys.readouterr().out
    if (way, beside) in LATER:
        assert status == 255
        assert f"{FAILURE}\nE10001: " in printed
    else:
        assert status == 0, printed
    assert (folder / "rec.om").exists() == (status == 0)


def test_the_table_of_the_docs_is_this_one() -> None:
    names = {
        "`--dynamic_batch_size`": "batch",
        "`--dynamic_image_size`": "image",
        "`--dynamic_dims`": "dims",
        "`--input_shape_range`": "range",
        "ranges in `--input_shape`": "open",
        "AIPP": "aipp",
        "format `ND`": "ND",
        "format `NCHW`": "NCHW",
        "`--framework=1`": "air",
    }
    text = PAGE.partition("What goes with what")[2].partition("| |")[2].partition("\n\n")[0]
    head, _, *rows = ([cell.strip() for cell in line.split("|")[:-1]] for line in text.split("\n"))
    columns = [names.get(cell, cell) for cell in head]
    written = [
        (names[row[1]], column, {"yes": "-", "": "0"}.get(cell, cell))
        for row in rows
        for column, cell in zip(columns, row[2:], strict=True)
    ]
    assert len(written) == 40
    assert set(written) <= set(CELLS)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # Formats of another framework, which is refused only after every check.
        (("image", "--input_format=NHWC", "--input_shape=x:1,-1,-1,3", "--framework=3"), "refused"),
        (("image", "--input_shape=x:1,-1,-1,3", "--framework=3"), "refused"),
        (("image", "--input_format=NHWC", "--framework=3"), "E10019"),
        (("image", "--framework=3"), "E10019"),
        (("dims", "--input_format=NHWC", "--framework=3"), "E10001"),
        (("dims", "--input_format=", "--framework=3"), "E10001"),
        (("batch", "--input_format=NDHWC", "--framework=3"), "refused"),
        (("dims", "--framework=0", "--weight=w.bin"), "refused"),
        # The leading dim only, for batch gears.
        (("batch", "--input_shape=x:3,-1"), "E10031"),
        (("batch", "--input_shape=x:-1,-1"), "E10018"),
        (("batch", "--input_shape=x:-1,3;y:3,-1"), "E10018"),
        # Limits of each list.
        (("dims", "--dynamic_dims=1,2"), "E10035"),
        (("dims", "--dynamic_dims=" + "1,2;" * 101), "E10036"),
        (("image", "--dynamic_image_size=" + "4,4;" * 101), "E10036"),
        (("image", "--input_shape=x:-1,3,-1,-1"), "E10019"),
        (("image", "--input_shape=x:1,3,-1,-1;y:2,-1,-1"), "E10019"),
        (("image", "--input_shape=x:1,3,-1,-1;y:2,2,-1,-1;z:4"), "compiled"),
        (("dims", "--input_shape=x:-1,1,1,1,-1"), "E10001"),
    ],
)
def test_formats_places_and_limits(words: tuple[str, ...], expected: str, outcome: Outcome) -> None:
    way, *rest = words
    assert outcome(command(*WAYS[way], *rest)) == expected


def options(*words: str) -> CompileOptions:
    args = parse_argv(command(*words))
    assert find_errors(args) == []
    return atc_command.compile_options(args)


def test_the_compiler_is_told_of_image_gears() -> None:
    told = options(*WAYS["image"], "--input_format=NCHW")
    assert told.dynamic_image_size == ((416, 416), (832, 832))
    assert told.input_shape == {"x": (1, 3, -1, -1)}
    assert told.input_format == "NCHW"
    assert (told.dynamic_batch_size, told.dynamic_dims, told.input_shape_range) == ((), (), ())


def test_the_compiler_is_told_of_gears_of_any_dims_in_the_order_written() -> None:
    told = options(
        "--input_shape=mask:-1,-1;data:1,1,40,-1;label:1,-1",
        "--dynamic_dims=20,20,1,1;40,40,2,2",
        "--input_format=ND",
    )
    assert list(told.input_shape) == ["mask", "data", "label"]
    assert told.dynamic_dims == ((20, 20, 1, 1), (40, 40, 2, 2))
    assert told.input_format == "ND"


@pytest.mark.parametrize(
    "words",
    [
        ("--input_shape_range=x:[1~8,3,48,-1];y:[4]",),
        ("--input_shape=x:1~8,3,48,-1;y:4",),
        ("--input_shape=x: 1 ~ 8 , 3,48,-1;y:[4]",),
        ("--input_shape=y:4;x:8,3,48,1", "--input_shape_range=x:[1~8,3,48,-1];y:[4]"),
    ],
)
def test_the_compiler_is_told_of_open_shapes_wherever_they_were_written(
    words: tuple[str, ...],
) -> None:
    told = options(*words)
    assert told.input_shape_range == (("x", ((1, 8), (3, 3), (48, 48), (1, -1))), ("y", ((4, 4),)))
    assert told.input_shape == {}


def test_shapes_beside_ranges_of_other_inputs() -> None:
    told = options("--input_shape=y:4", "--input_shape_range=x:[1~8]")
    assert told.input_shape == {"y": (4,)}
    assert told.input_shape_range == (("x", ((1, 8),)),)
    told = options("--input_shape=y:4", "--input_shape_range=[1~8],[]")
    assert told.input_shape == {"y": (4,)}
    assert told.input_shape_range == (("", ((1, 8),)), ("", ()))


def test_the_compiler_is_told_of_a_model_of_fixed_shape() -> None:
    assert options("--input_shape=x:1,3,48,320").input_shape == {"x": (1, 3, 48, 320)}
    assert options().input_shape == {}
    for told in (options(), options("--input_shape=x:1")):
        assert (told.dynamic_batch_size, told.dynamic_image_size) == ((), ())
        assert (told.dynamic_dims, told.input_shape_range) == ((), ())


def test_an_open_shape_without_gears_is_noted(outcome: Outcome, capsys: Printed) -> None:
    assert outcome(command("--input_shape=x:-1,3")) == "compiled"
    assert "NOTE: --input_shape='x:-1,3': no gears are declared" in capsys.readouterr().out
    assert outcome(command("--input_shape=x:1,3")) == "compiled"
    assert outcome(command(*WAYS["range"])) == "compiled"
    assert outcome(command(*WAYS["batch"])) == "compiled"
    assert "NOTE" not in capsys.readouterr().out


def test_the_compiler_is_given_the_text_of_the_aipp_configuration(folder: Path) -> None:
    assert options(*WAYS["batch"]).aipp is None
    (folder / "预 处理.cfg").write_bytes(b"\xef\xbb\xbfaipp_op { # \xd6\xd0\r\n}")
    told = options(*WAYS["batch"], "--insert_op_conf=预 处理.cfg")
    assert told.aipp == "aipp_op { # \ufffd\ufffd\r\n}"
    assert told.command is not None
    assert "aipp.cfg" in (options("--insert_op_conf=./aipp.cfg").command or "")
    assert "./" not in (options("--insert_op_conf=./aipp.cfg").command or "")


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"", "is empty"), (b" \n", "is empty"), (b"a\0b", "something else"), (b"#" * 2**21, "else")],
)
def test_what_is_no_aipp_configuration(
    content: bytes, word: str, folder: Path, capsys: Printed
) -> None:
    (folder / "aipp.cfg").write_bytes(content)
    assert atc.main(command(*WAYS["batch"], *BESIDE["aipp"])) == 255
    said = capsys.readouterr().out.partition(FAILURE)[2]
    assert said.startswith("\nE19018: --insert_op_conf: file 'aipp.cfg'")
    assert word in said


# Shapes and gears as they are written in the open, with other names and fewer gears.
FOUND = [
    ["--input_format=NCHW", "--input_shape=in.1:1,3,300,300", "--insert_op_conf=./aipp.cfg"],
    ["--input_shape=boxes:9;layout: 1, 256, 256, 17", "--output_type=FP32"],
    ["--input_shape=net/in:0:1,-1,-1,3", "--dynamic_image_size=112,112;224,224;", "--framework=3"],
    ["--input_shape=data:1,3,-1,-1;im_info:1,3", "--dynamic_image_size=512,512;600,600"],
    ["--input_shape=the_input:1,-1,-1,1", "--dynamic_image_size=32,32;32,64", "--framework=3"],
    ["--input_format=ND", "--input_shape=in_1:-1,3,128,64", "--dynamic_dims=1;2;3;4"],
    [
        "--input_format=ND",
        "--input_shape=mem:10,-1,256;mask:10,1,-1;ys:10,-1;lens:10;rev:10,-1",
        "--dynamic_dims=96,96,3,3;96,96,4,4;144,144,6,6",
    ],
    ["--input_shape", "points0:[1,-1,2];scores0:[1,-1];points1:[1,-1,2];scores1:[1,-1]"],
    ["--input_shape=data:-1,3,416,416;img_info:-1,4", "--dynamic_batch_size=1,2,4,8"],
    ["--input_shape=w:500,16", "--log=debug"],
    [],
]  # fmt: skip


@pytest.mark.parametrize("words", FOUND, ids=[" ".join(words)[:60] for words in FOUND])
def test_command_lines_as_people_write_them(words: list[str], outcome: Outcome) -> None:
    assert outcome(command(*words)) == ("refused" if "--framework=3" in words else "compiled")
