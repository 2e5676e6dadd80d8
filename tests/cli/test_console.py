"""How both commands print: any encoding, closed pipes, full disks, narrow and dumb terminals."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gearshift.cli.console import shown
from gearshift.cli.progress import progress_printer, share_printer
from gearshift.cli.screen import print_table
from models import save_text

MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[N, 4] x) => (float[N, 4] y) { y = Relu (x) }
"""
NAME = "识别"
COMPILE = ("compile", f"{NAME}.onnx", "-g", "1,2", "--engine", "onnxruntime")
ATC = (f"--model={NAME}.onnx", "--framework=5", "--output=结果", "--dynamic_batch_size=1,2",
       "--input_shape=x:-1,4")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("console")
    save_text(MODEL, made / f"{NAME}.onnx")
    np.save(made / f"{NAME}.npy", np.ones((3, 4), np.float32))
    assert run(made, "main", *COMPILE).returncode == 0
    return made


def run(
    folder: Path,
    module: str,
    *words: str,
    stdout: int = subprocess.PIPE,
    encoding: str = "utf-8",
    unbuffered: str = "",
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"gearshift.cli.{module}", *words],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUNBUFFERED": unbuffered},
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding=encoding,
        check=False,
        timeout=100,
    )


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("main", ("inspect", f"{NAME}.om")),
        ("main", ("run", f"{NAME}.om", "-i", f"{NAME}.npy", "-o", NAME)),
        ("main", (*COMPILE, "-o", NAME)),
        ("atc", ATC),
    ],
)
def test_a_terminal_without_chinese(folder: Path, module: str, words: tuple[str, ...]) -> None:
    done = run(folder, module, *words, encoding="ascii")
    assert done.returncode == 0, done.stderr
    assert r"\u" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "gb18030", "utf-16"])
def test_json_in_any_encoding(folder: Path, encoding: str) -> None:
    done = run(folder, "main", "inspect", f"{NAME}.om", "--json", encoding=encoding)
    assert json.loads(done.stdout)["manifest"]["source"]["file"] == f"{NAME}.onnx"
    assert (NAME in done.stdout) == encoding.startswith("utf")


def test_an_error_in_ascii(folder: Path) -> None:
    done = run(folder, "main", "inspect", "没有.om", encoding="ascii")
    assert done.returncode == 1
    assert r"\u6ca1\u6709.om" in done.stderr
    done = run(folder, "atc", *ATC, "--model=没有.onnx", encoding="ascii")
    assert done.returncode == 255
    assert r"\u6ca1\u6709.onnx" in done.stdout


WAYS_TO_PRINT = [
    ("main", ("inspect", f"{NAME}.om")),
    ("main", ("inspect", f"{NAME}.om", "--json")),
    ("main", ("run", f"{NAME}.om", "-i", f"{NAME}.npy")),
    ("main", ("cache",)),
    ("main", ("compile", "--help")),
    ("main", (*COMPILE, "-o", "p")),
    ("atc", ATC),
    ("atc", ("--help",)),
]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGPIPE to be like")
@pytest.mark.parametrize(("module", "words"), WAYS_TO_PRINT)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_pipe_that_was_closed(
    folder: Path, module: str, words: tuple[str, ...], unbuffered: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run(folder, module, *words, stdout=writer, unbuffered=unbuffered)
    os.close(writer)
    assert done.returncode == 141
    lines = [line for line in done.stderr.splitlines() if not line.endswith(" ...")]
    assert lines == [], "nothing but progress"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
@pytest.mark.parametrize(("module", "words"), WAYS_TO_PRINT)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_disk_that_is_full(
    folder: Path, module: str, words: tuple[str, ...], unbuffered: str
) -> None:
    with open("/dev/full", "wb") as full:
        done = run(folder, module, *words, stdout=full.fileno(), unbuffered=unbuffered)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if not line.endswith(" ...")]
    assert lines == [
        "error: the output cannot be written: No space left on device. Choose another place."
    ]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
def test_nowhere_to_write_at_all(folder: Path) -> None:
    words = [sys.executable, "-m", "gearshift.cli.main", "inspect", f"{NAME}.om"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(words, cwd=folder, stdout=full, stderr=full, check=False)
    assert done.returncode == 1


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_stream_that_was_never_open(folder: Path, closed: str) -> None:
    words = f'"{sys.executable}" -m gearshift.cli.main inspect {NAME}.om {closed}'
    done = subprocess.run(words, shell=True, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("module", "words"), [("main", ["inspect", "x.om"]), ("atc", ["--help"]), ("main", ["--help"])]
)
def test_ctrl_c_while_the_modules_load(module: str, words: list[str]) -> None:
    code = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'numpy': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        f"from gearshift.cli.{module} import main\n"
        f"sys.exit(main({words!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_the_name_of_the_artifact_is_not_in_it(folder: Path) -> None:
    made = []
    for output in ("qa", "elsewhere/qb"):
        done = run(folder, "atc", *ATC, f"--output={output}", f"--model={folder}/{NAME}.onnx")
        assert done.returncode == 0, done.stdout
        made.append((folder / f"{output}.om").read_bytes())
    assert made[0] == made[1]
    assert str(folder).encode() not in made[0]


@given(st.text())
def test_shown_is_harmless_and_keeps_what_is_readable(text: str) -> None:
    safe = shown(text)
    assert all(char == "\n" or char.isprintable() or char.isspace() for char in safe)
    assert not set(safe) & {*map(chr, range(32)), *map(chr, range(127, 160))} - {"\n"}
    assert safe.count("\n") == text.count("\n")
    assert "\n" not in shown(text, one_line=True)
    if text.isprintable():
        assert safe == text


def test_shown_samples() -> None:
    assert shown("a\x1b[31m模型\r\n\u202eb\x9b") == "a\\x1b[31m模型\\r\n\\u202eb\\x9b"
    assert shown("全角\u3000空格") == "全角\u3000空格"
    assert shown("a\nb", one_line=True) == "a\\nb"


ROWS = [("1", "2.4e-06", "a/very/long/name/of/some/output"), ("16", "1.0e-07", "输出" * 9)]
COLUMNS = ("gear", "difference", "of output")


def table(width: int) -> str:
    into = io.StringIO()
    print_table(Console(file=into, width=width), COLUMNS, ROWS, names=("of output",))
    return into.getvalue()


@pytest.mark.parametrize("width", range(5, 90, 5))
def test_numbers_are_never_broken(width: int) -> None:
    text = table(width)
    for _, number, name in ROWS:
        assert number in text
        assert set(name) <= set(text)
    if width >= 30:
        assert len(text.splitlines()[0].split()) == 4, "a table with its headings"
    else:
        assert "difference  2.4e-06\n" in text, "one record after the other"


def test_numbers_line_up_at_their_right_and_records_leave_nothing_empty() -> None:
    for width, lines in (
        (40, ["gear    ms  name", "   1  10.0  a", "  16   2.5"]),
        (6, ["gear  1", "ms    10.0", "name  a", "", "gear  16", "ms    2.5"]),
    ):
        into = io.StringIO()
        rows = [("1", "10.0", "a"), ("16", "2.5", "")]
        head = ("gear", "ms", "name")
        print_table(Console(file=into, width=width), head, rows, ("name",), numbers=head[:2])
        assert [line.rstrip() for line in into.getvalue().splitlines()] == lines


@pytest.mark.parametrize(("term", "escapes"), [("dumb", False), ("xterm", True)])
def test_shares_on_terminals(term: str, escapes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", term)
    into = io.StringIO()
    with share_printer(Console(file=into, force_terminal=True, width=60)) as on_progress:
        for step in range(1000):
            on_progress(f"step {step}", step / 999)
    assert ("\x1b" in into.getvalue()) == escapes
    assert "step 999" in into.getvalue()
    if not escapes:
        assert len(into.getvalue().splitlines()) == 11, "a line for each tenth"


@pytest.mark.parametrize(("term", "escapes"), [("dumb", False), ("xterm", True)])
def test_progress_on_terminals(term: str, escapes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", term)
    into = io.StringIO()
    console = Console(file=into, force_terminal=True, width=60)
    with progress_printer(console) as on_progress:
        on_progress("running every gear", 0, 2)
        on_progress("running every gear", 1, 2)
    assert "running every gear" in into.getvalue()
    assert ("\x1b" in into.getvalue()) == escapes
