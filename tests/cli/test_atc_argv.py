"""How atc reads its command line, and the table of flags behind it."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gearshift.cli.atc_argv import Args, Stray, UsageError, parse_argv
from gearshift.cli.atc_flags import FLAGS, GROUPS
from gearshift.cli.atc_output import help_text

VALUES = st.text() | st.sampled_from(["-1,3", "=", "a=b", "--", "", "data:-1,3;b:1", "-"])
TEXT_FLAGS = st.sampled_from(
    [flag.name for flag in FLAGS.values() if flag.kind in ("text", "path")]
)


def given_by(line: str) -> dict[str, str]:
    return dict(parse_argv(shlex.split(line)).given)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--model=a.onnx --framework=5", {"model": "a.onnx", "framework": "5"}),
        ("--model a.onnx -framework 5", {"model": "a.onnx", "framework": "5"}),
        ("-output_type=FP32", {"output_type": "FP32"}),
        (
            "--input-shape=x:1 --soc-version Ascend310",
            {"input_shape": "x:1", "soc_version": "Ascend310"},
        ),
        ("--input_shape -1,3", {"input_shape": "-1,3"}),
        ("--input_shape 'x:-1,3; y:-1'", {"input_shape": "x:-1,3; y:-1"}),
        ("--log=debug --log=error", {"log": "error"}),
        ("--model=a=b", {"model": "a=b"}),
        ("--model=", {"model": ""}),
        ("--mode=-1", {"mode": "-1"}),
        ("--h", {"h": "true"}),
        ("-h", {"h": "true"}),
        ("--help=false", {"help": "false"}),
        ("--noh", {"h": "false"}),
        ("", {}),
    ],
)
def test_ways_to_write_a_flag(line: str, expected: dict[str, str]) -> None:
    assert given_by(line) == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--dynamic_batchsize=1,2", ["'--dynamic_batchsize'", "'--dynamic_batch_size'?"]),
        ("--out_node=a", ["'--out_nodes'?"]),
        ("-x", ["'-x'", "--help"]),
        ("--qqqq=1 --zzzz=2", ["'--qqqq'", "'--zzzz'"]),
        ("--=3", ["unknown flag"]),
        ("--nomodel", ["unknown flag '--nomodel'"]),
        ("--model", ["--model has no value", "it ends", "--model=VALUE"]),
        ("--model --output=x", ["--model has no value", "'--output=x' is a flag itself"]),
        ("--mode=abc", ["--mode", "'abc'", "whole number"]),
        ("--mode=", ["--mode", "whole number"]),
        ("--framework=99999999999", ["--framework", "whole number"]),
        ("--mode=５", ["--mode", "whole number"]),
        ("--h=perhaps", ["--h", "'perhaps'", "true or false"]),
    ],
)
def test_command_lines_that_make_no_sense(line: str, words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse_argv(shlex.split(line))
    assert caught.value.exit_code == 1
    for word in words:
        assert word in caught.value.message


def test_words_that_belong_to_no_flag_are_kept_apart() -> None:
    args = parse_argv(["a", "--output_type=", "FP32", "-", "--", "--model=x"])
    assert args.given == {"output_type": ""}
    assert args.stray == (
        Stray("a", ""),
        Stray("FP32", "--output_type="),
        Stray("-", "FP32"),
        Stray("--model=x", "--"),
    )


# Spellings that real build scripts and manuals use.
@pytest.mark.parametrize(
    "line",
    [
        '--model=m.onnx --framework=5 --output=m --input_shape="data:-1,3,416,416;img_info:-1,4" '
        '--dynamic_batch_size="1,2,4,8" --soc_version=Ascend310 --log=error --input_format=NCHW',
        '--input_shape="data: 1, 1, 768, 768" --output_type=FP32 --save_original_model=false',
        "--model m.onnx --output m --framework 5 --log=error --soc_version Ascend310P3",
        '--input_shape "k:[1,-1,2];s:[1,-1]" --precision_mode=allow_fp32_to_fp16',
        '--input_format=ND --dynamic_dims="96,96,3;96,96,4" --fusion_switch_file=f.cfg',
        '--optypelist_for_implmode="Sigmoid" --op_select_implmode=high_performance',
        '--auto_tune_mode="RL,GA" --input_fp16_nodes="" --insert_op_conf=aipp.cfg',
        "--mode=1 --om=m.pb --json=m.json --framework=3",
        "--mode=6 --om=m.om",
        "--singleop=ops.json --soc_version=Ascend310 --output=op_models",
        "--weight=w.caffemodel --out_nodes=prob:0 -output_type=FP32",
        "--output_type= FP32",
        '--framework=3 -- --input_shape="data:1,513,513"',
    ],
)
def test_real_command_lines_have_no_unknown_flag(line: str) -> None:
    parse_argv(shlex.split(line))


@given(st.dictionaries(TEXT_FLAGS, VALUES), st.booleans())
def test_what_is_written_is_what_is_read(values: dict[str, str], equals: bool) -> None:
    if equals:
        argv = [f"--{name}={value}" for name, value in values.items()]
    else:
        argv = [word for name, value in values.items() for word in (f"--{name}", value)]
        if any(value.lstrip("-").partition("=")[0] in FLAGS for value in values.values()):
            return
    assert parse_argv(argv) == Args(values)


@given(st.lists(st.text() | st.sampled_from(["--", "-", "--h=", "--mode", "--=", "-no", "--noh"])))
def test_any_words_are_read_or_refused(argv: list[str]) -> None:
    refused = False
    try:
        args = parse_argv(argv)
    except UsageError:
        refused = True
    assert refused or set(args.given) <= set(FLAGS)


def test_the_table_is_sound() -> None:
    assert sum(len(flags) for flags in GROUPS.values()) == len(FLAGS)
    for flag in FLAGS.values():
        assert flag.name.isidentifier()
        assert flag.help.endswith("."), flag.name
        assert flag.note or flag.status == "supported", f"{flag.name} needs a reason"
        assert not flag.note.endswith("."), flag.name
        if flag.status == "refused":
            assert flag.default == ""


def test_help_shows_every_flag_with_its_status() -> None:
    text = help_text(width=100)
    for flag in FLAGS.values():
        status = "" if flag.status == "supported" else f" ({flag.status})"
        assert f"\n  --{flag.name}{status}\n" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_misspelt_name_in_our_own_code_fails() -> None:
    with pytest.raises(KeyError):
        parse_argv([])["modle"]
