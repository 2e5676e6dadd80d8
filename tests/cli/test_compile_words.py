"""What the words of ``gearshift compile`` declare to the compiler."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gearshift.cli.arguments import parse
from gearshift.cli.commands import compile_options
from gearshift.errors import OptionError, OptionErrors
from gearshift.gears.declared import check_declared
from gearshift.gears.parse import parse_pads
from gearshift.options import INPUT_FORMATS, CompileOptions

COMMANDS = (print,) * 6
OPEN = (("x", ((1, 8), (3, 3), (1, -1))),)


def options(*words: str) -> CompileOptions:
    return compile_options(parse(["compile", "m.onnx", *words], COMMANDS))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-g", "1,2"], {"dynamic_batch_size": (1, 2)}),
        (["--image-sizes", "4,5;6,7"], {"dynamic_image_size": ((4, 5), (6, 7))}),
        (["--dims", "1,320;2,640"], {"dynamic_dims": ((1, 320), (2, 640))}),
        (
            ["--dims", "1;2", "-s", "x:-1,3"],
            {"dynamic_dims": ((1,), (2,)), "input_shape": {"x": (-1, 3)}},
        ),
        (["-s", "x:1,3"], {"input_shape": {"x": (1, 3)}}),
        (["-s", "x:1~8,3,-1"], {"input_shape_range": OPEN}),
        (["--shape-range", "x:[1~8,3,-1]"], {"input_shape_range": OPEN}),
        (["--input-format", "NHWC"], {"input_format": "NHWC"}),
        (
            ["--pad", "ids=0", "--pad", "a=b=-1.5e2"],
            {"pad": {"ids": 0.0, "a=b": -150.0}},
        ),
        ([], {}),
    ],
)
def test_words_and_options(words: list[str], expected: dict[str, object]) -> None:
    plain = CompileOptions(model=Path("m.onnx"), output=Path("m.om"))
    found = options(*words)
    for name in (
        "input_shape", "dynamic_batch_size", "dynamic_image_size", "dynamic_dims",
        "input_shape_range", "input_format", "aipp", "pad",
    ):  # fmt: skip
        assert getattr(found, name) == expected.get(name, getattr(plain, name)), name
    assert check_declared(found) == []


@pytest.mark.parametrize(
    ("ours", "atcs", "value"),
    [
        ("--gears", "--dynamic_batch_size", "1,2"),
        ("--image-sizes", "--dynamic_image_size", "4,5;6,7"),
        ("--dims", "--dynamic_dims", "1,2;3,4"),
        ("--shape", "--input_shape", "x:-1,3"),
        ("--shape-range", "--input_shape_range", "[1~8]"),
        ("--input-format", "--input_format", "ND"),
    ],
)
def test_the_words_of_atc_are_taken_as_well(ours: str, atcs: str, value: str) -> None:
    assert options(ours, value) == options(atcs, value)
    assert options(ours, value) == options(f"--{atcs[2:].replace('_', '-')}={value}")
    assert options(ours, value) != options()


def test_the_aipp_configuration_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.cfg"
    file.write_text("aipp_op { }\n")
    assert options("--aipp", str(file)).aipp == "aipp_op { }\n"
    assert options("--insert_op_conf", str(file)).aipp == "aipp_op { }\n"
    for missing, code in ((tmp_path, "E10001"), (tmp_path / "no", "E10001")):
        with pytest.raises(OptionError, match="--aipp") as caught:
            options("--aipp", str(missing))
        assert caught.value.code == code
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OptionError, match="cannot be read") as caught:
        options("--aipp", str(tmp_path / "loop"))
    assert caught.value.code == "E19018"
    file.write_bytes(b"")
    with pytest.raises(OptionError, match="is empty") as caught:
        options("--aipp", str(file))
    assert caught.value.code == "E19018"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--image-sizes", "4;5"], "E10020"),
        (["--image-sizes", "-4,5"], "E10003"),
        (["--dims", "1,2;3"], "E10003"),
        (["--dims", "-1,2"], "E10001"),
        (["--dims", "1,2;3,4", "-s", "x:-1,3"], "E10003"),
        (["--shape-range", "-1,4"], "E10048"),
        (["-s", "x:0,4"], "E10011"),
        (["-s", "x:1~8", "-g", "1,2"], "E10002"),
        (["--pad", "x"], "E10001"),
        (["--pad", "x=nan"], "E10001"),
        (["--pad", "x=1", "--pad", "x=1"], "E10001"),
    ],
)
def test_words_refused(words: list[str], code: str) -> None:
    with pytest.raises(OptionError) as caught:
        options(*words)
    assert caught.value.code == code


def test_a_list_without_a_gear_is_not_taken_for_a_model_without_gears() -> None:
    with pytest.raises(OptionErrors) as caught:
        options("-g", ",")
    assert caught.value.code == "E10035"


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        (["-g", "1,2", "--dims", "1;2"], ["E10009"]),
        (["-g", "1,2", "--shape-range", "[1~2]"], ["E10047"]),
        (["--image-sizes", "4,4;5,5", "-s", "x:-1,3,4,4"], ["E10019"]),
    ],
)
def test_words_that_exclude_each_other(words: list[str], codes: list[str]) -> None:
    assert [error.code for error in check_declared(options(*words))] == codes


@pytest.mark.parametrize("option", ["-g", "--image-sizes", "--dims", "--aipp", "--shape-range"])
def test_an_empty_value_is_not_taken_for_no_value(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        options(option, " ")
    assert "write a value, or leave the option out" in capsys.readouterr().err


def test_the_help_shows_an_example_of_each_way_and_every_format(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        options("--help")
    said = capsys.readouterr().out
    examples = said.partition("examples:\n")[2]
    for option in ("--gears", "--image-sizes", "--dims", "--shape-range", "--aipp", "--pad"):
        assert option in examples
    assert all(name in said for name in INPUT_FORMATS)
    assert "dynamic_image_size" not in said


def test_the_examples_of_the_help_are_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "camera.cfg").write_text("aipp_op { }")
    with pytest.raises(SystemExit):
        options("--help")
    lines = capsys.readouterr().out.partition("examples:\n")[2].strip().splitlines()
    assert len(lines) >= 7
    for line in lines:
        words = shlex.split(line)
        assert words[:2] == ["gearshift", "compile"]
        assert check_declared(compile_options(parse(words[1:], COMMANDS))) == []


FINITE = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(min_size=1).filter(lambda name: name == name.strip())


@given(st.dictionaries(NAMES, FINITE))
def test_pads_read_back(pads: dict[str, float]) -> None:
    assert parse_pads(f"{name}={value!r}" for name, value in pads.items()) == pads


@given(st.lists(st.text("=0123456789.eE+-_ xn１，") | st.text(), max_size=3))
def test_any_pad_is_read_or_refused_with_a_code(texts: list[str]) -> None:
    try:
        pads = parse_pads(texts)
    except OptionError as error:
        code = error.code
        assert code == "E10001"
        return
    halves = [text.rpartition("=") for text in texts]
    assert pads == {name.strip(): float(value) for name, _, value in halves}
