"""Every wrong command line: its code, a message that helps, the order, how errors add up."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gearshift.cli import atc, atc_command
from gearshift.cli.atc_flags import FLAGS
from gearshift.cli.atc_output import FAILURE, INDENT, START, error_lines
from gearshift.cli.atc_soc import SOC_NAMES
from gearshift.errors import GearshiftError, OptionError, OptionErrors

Run = Callable[..., list[str]]
Changes = dict[str, str | None]

RIGHT = {
    "model": "rec.onnx",
    "framework": "5",
    "output": "out/rec",
    "input_shape": "x:-1,3,48,320",
    "dynamic_batch_size": "1,2,4,8",
}
STATIC: Changes = {"dynamic_batch_size": None}
IMAGE: Changes = {**STATIC, "dynamic_image_size": "416,416;832,832", "input_shape": "x:1,3,-1,-1"}
DIMS: Changes = {**STATIC, "dynamic_dims": "1;2", "input_shape": "x:1,-1", "input_format": "ND"}
OPEN: Changes = {**STATIC, "input_shape_range": "x:[1~8,3]"}
CAFFE: Changes = {"framework": "0", "weight": "w.bin"}


def command(changes: Changes) -> list[str]:
    """A right command line, with some flags changed (None leaves one out)."""
    values = {**RIGHT, **changes}
    return [f"--{name}={value}" for name, value in values.items() if value is not None]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the files that command lines name, and a compiler that must not run."""
    for name in ("rec.onnx", "w.bin", "aipp.cfg", "ops.json", "rec.om"):
        (tmp_path / name).write_bytes(b"something")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(atc_command, "_compile", lambda options: pytest.fail(f"compiled {options}"))
    return tmp_path


@pytest.fixture
def fail(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line that must fail; gives what is printed after the failure line."""

    def run(*argv: str) -> list[str]:
        assert atc.main(argv) == 255
        printed = capsys.readouterr()
        lines = printed.out.splitlines()
        assert printed.err == ""
        assert lines[:2] == [START, FAILURE]
        return lines[2:]

    return run


CASES: list[tuple[Changes, str, str]] = [
    # input_shape
    ({"input_shape": "x"}, "E10002", "no ':'"),
    ({"input_shape": "x:1;"}, "E10002", "empty item"),
    ({"input_shape": "x:"}, "E10031", "x []"),
    ({"input_shape": "x:-1,3.5"}, "E10002", "'3.5'"),
    ({"input_shape": "x:-1,+3"}, "E10002", "'+3'"),
    ({"input_shape": "x:-1;x:-1"}, "E10002", "given twice"),
    ({"input_shape": "x:-1,9223372036854775808"}, "E10013", "too large"),
    ({"input_shape": "x:-1,abc"}, "E10014", "'abc'"),
    ({"input_shape": "x:-1,"}, "E10014", "is empty"),
    ({"input_shape": ":-1,3"}, "E10016", "no input name"),
    ({"input_shape": "x:-1,1~8"}, "E10002", "without gears"),
    # input_shape without gears, where a dim may be open
    ({**STATIC, "input_shape": "x:0,3"}, "E10011", "dim 0 of input 'x'"),
    ({**STATIC, "input_shape": "x:-2,3"}, "E10011", "-1 for any size"),
    ({**STATIC, "input_shape": "x:1~8~9,3"}, "E10048", "'1~8~9'"),
    ({**STATIC, "input_shape": "x:8~1,3"}, "E10048", "above its end"),
    ({**STATIC, "input_shape": "x:1~a"}, "E10048", "'a'"),
    ({**STATIC, "input_shape": "x:1～8"}, "E10002", "type '~'"),
    ({**STATIC, "input_shape": "x:,"}, "E10014", "is empty"),
    ({**STATIC, "input_shape": "x:1;x:2"}, "E10002", "given twice"),
    # dynamic_batch_size
    ({"input_shape": None}, "E10004", "--input_shape"),
    ({"input_shape": "x:-1,-1"}, "E10018", "dim 1 is -1"),
    ({"input_shape": "x:-1,3;y:1,-1"}, "E10018", "'y'"),
    ({"input_shape": "x:1,-1"}, "E10031", "x [1, -1]"),
    ({"input_shape": "x:1,3"}, "E10031", "put -1 first"),
    ({"input_shape": "x:-1,3;y:0"}, "E10011", "'y'"),
    ({"dynamic_batch_size": "1;2"}, "E10003", "';'"),
    ({"dynamic_batch_size": "-1,2"}, "E10003", "'-'"),
    ({"dynamic_batch_size": "1,2 3"}, "E10003", "'2 3'"),
    ({"dynamic_batch_size": "1,9999999999"}, "E10003", "2147483647"),
    ({"dynamic_batch_size": "1, ,2"}, "E10038", "blank"),
    ({"dynamic_batch_size": "4"}, "E10035", "only 4"),
    ({"dynamic_batch_size": ","}, "E10035", "got none"),
    ({"dynamic_batch_size": ",".join(map(str, range(1, 102)))}, "E10036", "101 gears"),
    ({"dynamic_batch_size": "0,1"}, "E10038", "got 0"),
    ({"dynamic_batch_size": "1,01"}, "E10039", "more than once"),
    # dynamic_image_size
    ({**IMAGE, "input_shape": "x:-1,3,-1,-1"}, "E10019", "x [-1, 3, -1, -1]"),
    ({**IMAGE, "input_shape": "x:1,3,4,4"}, "E10019", "height and width"),
    ({**IMAGE, "input_shape": "x:1,-1,-1,3"}, "E10019", "NCHW"),
    ({**IMAGE, "input_format": "ND"}, "E10019", "ND"),
    ({**IMAGE, "framework": "1", "input_format": "FOO"}, "E10003", "'FOO'"),
    ({**IMAGE, "dynamic_image_size": "4x4;5x5"}, "E10003", "'x'"),
    ({**IMAGE, "dynamic_image_size": "4;5"}, "E10020", "'4'"),
    ({**IMAGE, "dynamic_image_size": "4,4;;5,5"}, "E10020", "''"),
    ({**IMAGE, "dynamic_image_size": "4,4"}, "E10035", "only 4,4"),
    ({**IMAGE, "dynamic_image_size": "4,;5,5"}, "E10037", "gear 0 has 1"),
    ({**IMAGE, "dynamic_image_size": "4,;5,"}, "E10046", "2 dims of -1"),
    ({**IMAGE, "dynamic_image_size": "4,0;5,5"}, "E10038", "got 0"),
    ({**IMAGE, "dynamic_image_size": "4,4;4,4"}, "E10039", "4,4"),
    # dynamic_dims
    ({**DIMS, "input_format": None}, "E10001", "ND"),
    ({**DIMS, "input_shape": "x:1,2,3,4,-1"}, "E10001", "5 dims"),
    ({**DIMS, "input_shape": "x:1,2"}, "E10001", "no dim is -1"),
    ({**DIMS, "dynamic_dims": ";"}, "E10001", "no gear"),
    ({**DIMS, "dynamic_dims": "1; 2"}, "E10001", "' 2'"),
    ({**DIMS, "dynamic_dims": "1,2;3,4"}, "E10003", "has 2 values"),
    ({**DIMS, "dynamic_dims": ";".join(map(str, range(101)))}, "E10036", "101"),
    ({**DIMS, "dynamic_dims": "1"}, "E10035", "only 1"),
    ({**DIMS, "dynamic_dims": "0;1"}, "E10038", "got 0"),
    ({**DIMS, "dynamic_dims": "1;1"}, "E10039", "more than once"),
    ({**DIMS, "input_shape": "x:-1,-1", "dynamic_dims": "1,;2,2"}, "E10037", "gear 0 has 1"),
    ({**DIMS, "input_shape": "x:-1,-1", "dynamic_dims": "1,;2,"}, "E10045", "2 dims of -1"),
    # input_shape_range, and what excludes each other
    ({**STATIC, "input_shape": None, "input_shape_range": "x:1~2"}, "E10048", "[ ]"),
    ({**STATIC, "input_shape": None, "input_shape_range": "[2~1]"}, "E10048", "above its end"),
    ({**STATIC, "input_shape": None, "input_shape_range": "x:[0]"}, "E10011", "can only be 0"),
    ({**OPEN, "input_shape": "x:-1,3"}, "E10011", "no gears"),
    ({**OPEN, "input_shape": "x:4"}, "E10049", "1 dims, but 2 ranges"),
    ({**OPEN, "input_shape": "x:9,3"}, "E10050", "9, is not within 1~8"),
    ({"input_shape_range": "x:[1~2]"}, "E10047", "--input_shape_range"),
    ({"dynamic_dims": "1;2"}, "E10009", "--dynamic_batch_size and --dynamic_dims"),
    ({**DIMS, "insert_op_conf": "aipp.cfg"}, "E10001", "--dynamic_dims"),
    ({"enable_compress_weight": "true", "compress_weight_conf": "w.bin"}, "E10047", "Keep one"),
    ({"modify_mixlist": "w.bin"}, "E10001", "allow_mix_precision"),
    ({"optypelist_for_implmode": "Gelu"}, "E10001", "--op_select_implmode"),
    # the other flags, in the order of the checks
    ({"input_format": "NHWC"}, "E10001", "NCHW, ND, NCDHW"),
    ({"input_format": "nchw"}, "E10001", "'nchw'"),
    ({**CAFFE, "input_format": "NCDHW"}, "E10001", "Caffe"),
    ({"model": None}, "E10004", "--model"),
    ({"disable_reuse_memory": "2"}, "E10006", "0, 1"),
    ({"op_select_implmode": "high_preformance"}, "E10001", "high_performance"),
    ({"op_precision_mode": "no.ini"}, "E10001", "does not exist"),
    ({"output": None}, "E10004", "--output"),
    ({"framework": None}, "E10007", "not given"),
    ({"framework": "2"}, "E10007", "5 (ONNX)"),
    ({"framework": "0"}, "E10008", "--weight"),
    ({"model": "no.onnx"}, "E10001", "does not exist"),
    ({"model": "."}, "E10001", "is a folder"),
    ({"model": "a$b.onnx"}, "E10001", "'$'"),
    ({"model": "a\nb.onnx"}, "E10001", "'\\n'"),
    ({"insert_op_conf": "no.cfg"}, "E10001", "--insert_op_conf"),
    ({"enable_compress_weight": "1"}, "E10005", "true, false"),
    ({"keep_dtype": "no.cfg"}, "E10001", "--keep_dtype"),
    ({"output": "out/"}, "E10022", "names a folder"),
    ({"output": "out\\"}, "E10022", "names a folder"),
    ({"output": "out/.."}, "E10022", "names a folder"),
    ({"output": "o" * 253}, "E10021", "255"),
    ({"output": "o/" * 2100 + "x"}, "E10021", "4096"),
    ({"check_report": "out/"}, "E10022", "--check_report"),
    ({"save_original_model": "yes"}, "E10005", "true, false"),
    ({"buffer_optimize": "l3_optimize"}, "E10001", "l2_optimize"),
    ({"enable_single_stream": "1"}, "E10005", "true, false"),
    ({"display_model_info": "true"}, "E10006", "0, 1"),
    ({"enable_small_channel": "yes"}, "E10006", "0, 1"),
    ({"is_input_adjust_hw_layout": "true,yes"}, "E10005", "'true,yes'"),
    ({"precision_mode": "fp32"}, "E10001", "force_fp32"),
    ({"core_type": "Tensor"}, "E10001", "AiCore"),
    ({"op_debug_level": "5"}, "E10001", "0, 1, 2, 3, 4"),
    ({"op_compiler_cache_mode": "on"}, "E10001", "enable"),
    ({"out_nodes": "conv"}, "E10001", "node:index"),
    ({"out_nodes": "a:b:0"}, "E10001", "'a:b:0'"),
    ({"out_nodes": "conv:x"}, "E10001", "'x'"),
    ({**CAFFE, "out_nodes": "conv:0;prob"}, "E10001", "mixes"),
    ({"output_type": "FP64"}, "E10001", "FP32, FP16, UINT8"),
    ({"output_type": "a:0:FP64"}, "E10001", "node:index:TYPE"),
    ({"output_type": "a:0:FP32"}, "E10001", "--out_nodes"),
    ({"input_fp16_nodes": "a;"}, "E10001", "empty name"),
    ({"soc_version": "Ascend310P8"}, "E10001", "Ascend310P"),
    ({"soc_version": "ascend910b1"}, "E10001", "Ascend910B1"),
    # modes
    ({"mode": "2"}, "E10001", "0, 1, 3, 5, 6"),
    ({"mode": "1", "json": "a.json"}, "E10004", "--om"),
    ({"mode": "1", "om": "rec.om"}, "E10004", "--json"),
    ({"mode": "1", "om": "rec.om", "json": "a.json", "framework": "1"}, "E10001", "--mode=1"),
    ({"mode": "1", "om": "rec.om", "json": "a.json", "dump_mode": "2"}, "E10006", "0, 1"),
    ({"mode": "3", "model": None}, "E10004", "--model"),
    ({"mode": "5", "om": "rec.om"}, "E10004", "--json"),
    ({"mode": "6"}, "E10004", "--om"),
    ({"mode": "6", "om": "rec.om"}, "E10001", "no framework"),
    ({"mode": "1", "om": "rec.om", "json": "a.json"}, "E10003", "not an ONNX file"),
    (
        {"mode": "1", "om": "rec.om", "json": "a.json", "framework": None},
        "E10003",
        "invalid om file",
    ),
    ({"mode": "6", "om": "rec.om", "framework": None}, "E10003", "invalid om file"),
    ({"mode": "1", "om": "rec.om", "json": "./rec.om"}, "E10001", "would overwrite"),
    ({"mode": "3", "check_report": "./rec.onnx"}, "E10001", "would overwrite"),
    ({"check_report": "out/../rec.onnx"}, "E10001", "would overwrite"),
    ({"output": "rec", "check_report": "rec.om"}, "E10001", "would overwrite"),
    ({"mode": "3", "output": None}, "E16005", "not an ONNX file"),
    # ATC never gets to judge the list of gears in this mode.
    ({"mode": "3", "dynamic_batch_size": "1,1"}, "E16005", "not an ONNX file"),
]


@pytest.mark.parametrize(
    ("changes", "code", "word"), CASES, ids=[f"{case[1]}-{i}" for i, case in enumerate(CASES)]
)
def test_wrong_command_lines(fail: Run, changes: Changes, code: str, word: str) -> None:
    first = fail(*command(changes))[0]
    assert first.startswith(f"{code}: ")
    assert word in first


REFUSED: list[tuple[Changes, str]] = [
    ({"framework": "3"}, "TensorFlow"),
    ({**STATIC, "framework": "1"}, "MindSpore"),
    (CAFFE, "Caffe"),
    ({"out_nodes": "a:0"}, "--out_nodes"),
    ({"output_type": "FP16"}, "--output_type"),
    ({"input_fp16_nodes": "x"}, "--input_fp16_nodes"),
    ({"is_input_adjust_hw_layout": "false,true"}, "--is_input_adjust_hw_layout"),
    ({"cal_conf": "aipp.cfg"}, "--cal_conf"),
    ({"singleop": "ops.json"}, "--singleop"),
    ({"mode": "1", "om": "rec.om", "json": "a.json", "framework": "0"}, "Caffe"),
    ({"mode": "1", "om": "rec.om", "json": "a.json", "framework": "3"}, "TensorFlow"),
    ({"mode": "3", "framework": "3"}, "TensorFlow"),
    ({"mode": "5", "om": "rec.om", "json": "a.json"}, "--mode=5"),
]


@pytest.mark.parametrize(("changes", "word"), REFUSED, ids=[case[1] for case in REFUSED])
def test_what_this_version_cannot_do_is_refused_with_its_reason(
    fail: Run, changes: Changes, word: str
) -> None:
    first, *_ = fail(*command(changes))
    assert not first.startswith("E")
    assert word in first


def test_every_flag_marked_refused_is_refused() -> None:
    tested = " ".join(word for _, word in REFUSED)
    for flag in FLAGS.values():
        if flag.status == "refused":
            assert f"--{flag.name}" in tested or flag.name == "is_output_adjust_hw_layout"


@pytest.mark.parametrize("value", ["verbose", "INFO"])
def test_a_wrong_log_level_stands_before_the_failure_line(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert atc.main(command({"log": value, "model": None})) == 255
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == START
    assert lines[1].startswith(f"E10010: --log: got '{value}'")
    assert "debug, info, warning, error, null" in lines[1]
    assert lines[2:] == [FAILURE]


def test_errors_add_up_in_atcs_order_and_only_the_first_shows_its_code(fail: Run) -> None:
    # One mistake for each step, given in an order that is not that of the checks.
    steps = {
        "input_format": "NHWC",
        "model": None,
        "disable_reuse_memory": "3",
        "op_select_implmode": "fast",
        "op_precision_mode": "no.ini",
        "modify_mixlist": "mix",
        "output": None,
        "framework": "5",
        "dynamic_batch_size": "a",
        "weight": "no.bin",
        "enable_compress_weight": "yes",
        "keep_dtype": "no.cfg",
        "check_report": "x/",
        "save_original_model": "yes",
        "buffer_optimize": "no",
        "enable_single_stream": "yes",
        "display_model_info": "yes",
    }
    lines = fail(*reversed(command(steps)))
    seen = [line.removeprefix("E10001: ").removeprefix(INDENT).lstrip("-") for line in lines]
    expected = [name for name in steps if name != "framework"]
    assert [line.partition(":")[0].partition(" ")[0] for line in seen] == expected
    assert lines[0].startswith("E10001: ")
    assert all(line.startswith(INDENT) for line in lines[1:])


def test_the_list_of_gears_is_judged_only_when_all_flags_are_right(fail: Run) -> None:
    assert len(fail(*command({"dynamic_batch_size": "1,1", "model": None}))) == 1
    assert fail(*command({"dynamic_batch_size": "1,1", "model": None}))[0].startswith("E10004")
    assert fail(*command({"dynamic_batch_size": "1,1"}))[0].startswith("E10039")
    # And what cannot be done is said last, so that wrong values get their codes.
    assert fail(*command({"dynamic_batch_size": "1,1", "framework": "3"}))[0].startswith("E10039")


def test_a_wrong_format_is_not_reported_twice(fail: Run) -> None:
    lines = fail(*command({**DIMS, "input_format": "nd"}))
    assert len(lines) == 1


def test_wrong_shapes_and_wrong_gears_are_both_reported(fail: Run) -> None:
    lines = fail(*command({"input_shape": "x:-1,3.5", "dynamic_batch_size": "1;2"}))
    assert lines[0].startswith("E10002")
    assert lines[1].startswith(f"{INDENT}dynamic_batch_size: ")
    assert len(fail(*command({**DIMS, "input_shape": "x:-1,3.5"}))) == 1


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (["--output_type=", "FP32"], "write --output_type=FP32 without a blank"),
        (["--", "--soc_version=Ascend310"], "remove the '--'"),
        (["stray"], "in quotes"),
    ],
)
def test_words_that_belong_to_no_flag_are_not_dropped(
    fail: Run, words: list[str], cure: str
) -> None:
    (line,) = fail(*command({}), *words)
    assert line.startswith("E10001: ")
    assert cure in line


def test_error_lines() -> None:
    one, two = OptionError("first\nmore", code="E10001"), OptionError("second", code="E10002")
    assert error_lines([OptionErrors([one, two]), one]) == [
        f"E10001: first\n{INDENT}more",
        f"{INDENT}second",
    ]
    assert error_lines([GearshiftError("no code")]) == ["no code"]
    assert error_lines([]) == []


def test_files_without_permission(fail: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not by chmod: whoever runs the tests as root may read and write everything.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    lines = fail(*command({"output": "rec"}))
    assert "'rec.onnx' cannot be read" in lines[0]
    assert "'rec.om' exists and cannot be overwritten" in lines[1]


def test_an_output_that_is_a_folder(fail: Run, folder: Path) -> None:
    (folder / "rec2.om").mkdir()
    assert "is a folder" in fail(*command({"output": "rec2"}))[0]


ANYTHING = st.text() | st.sampled_from([
    "5", "1,2", "x:-1,3", "x:1~8,3", "x:[1~8,3]", "[1],[]", "1,2;3,4", "aipp.cfg", "rec.onnx",
    "out", "true", "ND", "1;2", "\0", "\ud800", ".", "a" * 5000,
])  # fmt: skip
WORDS = st.builds("--{}={}".format, st.sampled_from([*FLAGS]), ANYTHING) | ANYTHING


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(argv=st.lists(WORDS, max_size=8), right=st.booleans())
def test_no_command_line_raises(
    argv: list[str], right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        atc_command, "_compile", lambda options: (_ for _ in ()).throw(OSError("compiled"))
    )
    assert atc.main([*command({}), *argv] if right else argv) in (0, 1, 255)


def test_all_families_of_chips_are_known() -> None:
    for name in ("Ascend310", "Ascend310P3", "Ascend910", "Ascend910A", "Ascend910B4-1"):
        assert name in SOC_NAMES
    assert len(set(SOC_NAMES)) == len(SOC_NAMES)
