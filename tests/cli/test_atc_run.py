"""What atc does with a right command line, and its real entry point."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gearshift._version import __version__
from gearshift.cli import atc, atc_command
from gearshift.cli.atc_argv import parse_argv
from gearshift.cli.atc_flags import FLAGS
from gearshift.cli.atc_output import FAILURE, INDENT, START, SUCCESS, help_text
from gearshift.errors import ModelError, OptionError, OptionErrors
from gearshift.options import CompileOptions

ARGV = [
    "--model=rec.onnx",
    "--framework=5",
    "--output=out/rec",
    "--input_shape=x:-1,3,48,320;info:-1,4",
    "--dynamic_batch_size=8,1",
]
Printed = pytest.CaptureFixture[str]


@dataclass
class Report:
    warnings: tuple[str, ...] = ()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rec.onnx").write_bytes(b"model")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compiler(monkeypatch: pytest.MonkeyPatch, compile_model: Callable[..., Report]) -> None:
    """Puts that function, a plain progress and a plain report in the compile side's place."""

    @contextmanager
    def progress_printer() -> Iterator[Callable[..., None]]:
        yield lambda step, done, total: print(f"progress: {step}")

    for module, name, function in (
        ("gearshift.compiler", "compile_model", compile_model),
        ("gearshift.cli.report", "print_report", lambda report: print("the table")),
        ("gearshift.cli.progress", "progress_printer", progress_printer),
    ):
        fake = types.ModuleType(module)
        setattr(fake, name, function)
        monkeypatch.setitem(sys.modules, module, fake)


def test_a_compile_from_the_first_line_to_the_last(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed, folder: Path
) -> None:
    seen: list[CompileOptions] = []

    def compile_model(options: CompileOptions, on_progress: Callable[..., None]) -> Report:
        seen.append(options)
        assert (folder / "out").is_dir()
        on_progress("verify", 1, 2)
        return Report(("gear 4096 is large", "gear 4096 is large", "another"))

    compiler(monkeypatch, compile_model)
    argv = [*ARGV, "--soc_version=Ascend310P3", "--save_original_model=false", "--log", "error"]
    assert atc.main(argv) == 0
    assert capsys.readouterr().out.splitlines() == [
        START,
        "NOTE: --soc_version='Ascend310P3': recorded in the .om file; "
        "the model is compiled for this computer.",
        "progress: verify",
        "the table",
        SUCCESS,
        "WARNING: gear 4096 is large",
        "WARNING: another",
    ]
    (options,) = seen
    assert options == CompileOptions(
        model=Path("rec.onnx"),
        output=Path("out/rec"),
        input_shape={"x": (-1, 3, 48, 320), "info": (-1, 4)},
        dynamic_batch_size=(8, 1),
        soc_version="Ascend310P3",
        command="atc --model=rec.onnx --framework=5 "
        "'--input_shape=x:-1,3,48,320;info:-1,4' --dynamic_batch_size=8,1 "
        "--soc_version=Ascend310P3 --save_original_model=false --log=error",
    )
    assert list(options.input_shape) == ["x", "info"]
    assert options.artifact == Path("out/rec.om")


def test_chinese_and_blanks_in_paths(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed, folder: Path
) -> None:
    (folder / "我的 模型 (1).onnx").write_bytes(b"model")
    compiler(monkeypatch, lambda options, on_progress: Report())
    argv = [*ARGV, "--model=我的 模型 (1).onnx", "--output=输出 目录/识别 模型"]
    assert atc.main(argv) == 0
    assert (folder / "输出 目录").is_dir()


def test_without_a_chip_the_target_is_this_computer() -> None:
    assert atc_command.compile_options(parse_argv(ARGV)).soc_version is None


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (OptionError("no input 'y'", code="E10016"), ["E10016: no input 'y'"]),
        (ModelError("gear 8 differs"), ["gear 8 differs"]),
        (
            OptionErrors([OptionError("one", code="E10016"), OptionError("two")]),
            ["E10016: one", f"{INDENT}two"],
        ),
        (
            OSError(28, "No space left on device", "rec.om"),
            ["reading or writing a file failed: [Errno 28] No space left on device: 'rec.om'"],
        ),
    ],
)
def test_a_failing_compile(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed, error: Exception, lines: list[str]
) -> None:
    def compile_model(options: CompileOptions, on_progress: Callable[..., None]) -> Report:
        raise error

    compiler(monkeypatch, compile_model)
    assert atc.main(ARGV) == 255
    assert capsys.readouterr().out.splitlines() == [START, FAILURE, *lines]


def test_a_bug_is_not_dressed_up_as_a_wrong_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def compile_model(options: CompileOptions, on_progress: Callable[..., None]) -> Report:
        raise ZeroDivisionError

    compiler(monkeypatch, compile_model)
    with pytest.raises(ZeroDivisionError):
        atc.main(ARGV)


def test_interrupting_a_compile(monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    def compile_model(options: CompileOptions, on_progress: Callable[..., None]) -> Report:
        raise KeyboardInterrupt

    compiler(monkeypatch, compile_model)
    assert atc.main(ARGV) == 130
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [START]
    assert printed.err == "interrupted\n"


def test_a_folder_that_cannot_be_created(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed, folder: Path
) -> None:
    (folder / "out").write_text("a file where the folder should go")
    compiler(monkeypatch, lambda options, on_progress: pytest.fail("compiled"))
    assert atc.main(ARGV) == 255
    assert "E10001: --output: folder 'out' cannot be created" in capsys.readouterr().out


LEVELS = ("debug", "info", "warning", "error")


@pytest.mark.parametrize("level", [*LEVELS, "null"])
def test_log_shows_the_packages_log_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed, level: str
) -> None:
    logger, package = logging.getLogger("gearshift.compiler"), logging.getLogger("gearshift")
    before = (list(package.handlers), package.level, package.propagate)

    def compile_model(options: CompileOptions, on_progress: Callable[..., None]) -> Report:
        for name in LEVELS:
            getattr(logger, name)("a line of %s\x1b[31m", name)
        return Report()

    compiler(monkeypatch, compile_model)
    above = io.StringIO()
    handler = logging.StreamHandler(above)
    logging.getLogger().addHandler(handler)
    try:
        assert atc.main([*ARGV, f"--log={level}"]) == 0
    finally:
        logging.getLogger().removeHandler(handler)
    expected = () if level == "null" else LEVELS[LEVELS.index(level) :]
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [
        f"[{name.upper()}] gearshift.compiler: a line of {name}\\x1b[31m" for name in expected
    ]
    assert "a line" not in printed.out
    assert above.getvalue() == "", "once is enough"
    assert (package.handlers, package.level, package.propagate) == before


def recorded(*argv: str) -> str | None:
    return atc_command.compile_options(parse_argv(["--output=out", *argv])).command


def test_no_path_is_recorded() -> None:
    rest = ["--framework=5", "--dynamic_batch_size=1,2", "--input_shape=a/b:-1,3"]
    plain = recorded("--model=m.onnx", *rest, "--debug_dir=d")
    assert plain == (
        "atc --model=m.onnx --framework=5 --dynamic_batch_size=1,2 --input_shape=a/b:-1,3 "
        "--debug_dir=d"
    )
    assert recorded("--model", "/home/li/m.onnx", *rest, "--debug-dir", "x/d/") == plain
    assert recorded("-model=../m.onnx", "--output", "qa", *rest, "--debug_dir=d") == plain
    assert recorded("--model=m.onnx", *rest, "--debug_dir=d", "--output=x/qb") == plain


def test_every_flag_that_takes_a_path_is_marked_as_one() -> None:
    for name, flag in FLAGS.items():
        named = name.endswith(("_path", "_dir", "_file", "_report", "_conf")) or name == "model"
        assert flag.kind == "path" or not named or flag.status == "refused", name


def test_a_command_of_gearshift(capsys: Printed) -> None:
    assert atc.main(["compile", "rec.onnx"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "gearshift compile" in printed.err


def test_om_in_capitals_is_checked_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed, folder: Path
) -> None:
    (folder / "x.OM").mkdir()
    assert atc.main([*ARGV, "--output=x.OM"]) == 255
    assert "'x.OM' is a folder" in capsys.readouterr().out


def test_names_out_of_a_model_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    compiler(monkeypatch, lambda options, on_progress: Report(("node \x1b[31m模型\x9b",)))
    assert atc.main(ARGV) == 0
    assert "WARNING: node \\x1b[31m模型\\x9b" in capsys.readouterr().out.splitlines()

    def compile_model(options: CompileOptions, on_progress: Callable[..., None]) -> Report:
        raise ModelError("node \x1b[31m\nsecond line")

    compiler(monkeypatch, compile_model)
    assert atc.main(ARGV) == 255
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:] == ["node \\x1b[31m", f"{INDENT}second line"]


def test_notes_are_for_flags_that_were_set_and_have_no_effect(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    compiler(monkeypatch, lambda options, on_progress: Report())
    flags = {
        "--output_type=FP32": True,
        "--precision_mode=force_fp16": True,
        "--fusion_switch_file=f.cfg": True,
        "--device_id=0": True,
        "--input_fp16_nodes=": False,
        "--enable_single_stream=false": False,
        "--is_input_adjust_hw_layout=false,false": False,
        "--input_format=ND": False,
        "--log=null": False,
    }
    assert atc.main([*ARGV, *flags]) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("NOTE")]
    expected = [flag.partition("=")[0] for flag, noted in flags.items() if noted]
    assert [note.split()[1].partition("=")[0] for note in notes] == expected


def test_help_and_version(capsys: Printed) -> None:
    for word in ("--help", "--h", "-h"):
        assert atc.main([word, "--log=wrong"]) == 0
        assert capsys.readouterr().out == help_text() + "\n"
    assert atc.main(["--version"]) == 0
    assert capsys.readouterr().out == f"atc (gearshift) {__version__}\n"


def run_entry_point(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "utf8", "-m", "gearshift.cli.atc", *argv],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_entry_point_failure() -> None:
    done = run_entry_point(*ARGV, "--dynamic_batch_size=1，2", "--model=模型.onnx")
    assert done.returncode == 255
    lines = done.stdout.splitlines()
    assert lines[:2] == [START, FAILURE]
    assert lines[2].startswith("E10003: dynamic_batch_size: ")
    assert lines[3].startswith(f"{INDENT}--model: file '模型.onnx' does not exist")
    assert done.stderr == ""


def test_entry_point_unknown_flag() -> None:
    done = run_entry_point("--dynamic_batch=1,2")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Did you mean '--dynamic_batch_size'?" in done.stderr


def test_entry_point_help_needs_no_compile_side() -> None:
    code = (
        "import sys; from gearshift.cli.atc import main; main(['--help']);"
        "print(sorted({'onnx', 'onnx_ir', 'openvino', 'onnxruntime', 'rich'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
