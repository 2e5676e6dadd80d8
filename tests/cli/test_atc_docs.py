"""docs/atc-compat.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gearshift.cli import atc, atc_command, console
from gearshift.cli.atc_flags import FLAGS
from gearshift.cli.atc_paths import _REFUSED
from gearshift.cli.atc_soc import FAMILIES

PAGE = (Path(__file__).parents[2] / "docs" / "atc-compat.md").read_text(encoding="utf-8")
SOURCES = Path(atc.__file__).parents[1]


def test_the_table_of_flags_is_the_table_in_the_code() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `--") and line.count("|") == 6]
    written = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert written == [
        [
            f"`--{flag.name}`",
            f"`{flag.default}`" if flag.default else "",
            flag.status,
            flag.help,
            flag.note,
        ]
        for flag in FLAGS.values()
    ]


def test_every_code_in_the_source_is_explained_and_no_other() -> None:
    texts = [file.read_text("utf-8") for file in SOURCES.rglob("*.py")]
    used = {code for text in texts for code in re.findall(r'"(E\d{5})"', text)}
    table = PAGE.partition("Codes, by what they mean here")[2].partition("ATC also has")[0]
    assert {"E10052", "E19018", "E81012"} < used
    assert set(re.findall(r"E\d{5}", table)) == used


def test_chips_exit_statuses_and_characters() -> None:
    for family, names in FAMILIES.items():
        assert f"- {family}: {', '.join(f'`{name}`' for name in names)}\n" in PAGE
    for status in (
        atc_command.OK,
        atc_command.USAGE,
        atc_command.FAILED,
        console.FAILED,
        console.INTERRUPTED,
        console.PIPE_CLOSED,
    ):
        assert f"\n| {status} |" in PAGE
    assert set('*?"<>|;$`') == _REFUSED
    assert '`* ? " < > | ; $` and the backtick' in PAGE


def test_every_flag_without_effect_has_its_reason_and_no_other() -> None:
    section = PAGE.partition("### Flags without effect here")[2].partition("###")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    named = [flag for row in rows for flag in re.findall(r"`--(\w+)`", row.split("|")[1])]
    assert sorted(named) == sorted(f.name for f in FLAGS.values() if f.status == "accepted")


STRICTER = re.findall(r"^\| `--([a-z_]+)=(\S.*?)` \|.*?\| (E\d+) \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("flag", "value", "code"), STRICTER, ids=[row[1] for row in STRICTER])
def test_the_examples_of_strictness_are_true(
    flag: str,
    value: str,
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "m.onnx").touch()
    monkeypatch.chdir(tmp_path)
    values = {
        "model": "m.onnx",
        "framework": "5",
        "output": "m",
        "input_shape": "a:-1,3",
        "dynamic_batch_size": "1,2",
    }
    if flag in ("dynamic_image_size", "dynamic_dims", "input_shape_range"):
        del values["dynamic_batch_size"]
    if flag == "dynamic_image_size":
        values |= {"input_shape": "a:1,3,-1,-1"}
    if flag == "dynamic_dims":
        values |= {"input_shape": "a:-1,-1", "input_format": "ND"}
    if flag == "input_shape_range":
        del values["input_shape"]
    values[flag] = value.split("`")[0].strip('"')
    assert atc.main([f"--{name}={text}" for name, text in values.items()]) == 255
    assert f"\n{code}: " in capsys.readouterr().out


def test_the_examples_were_found() -> None:
    assert len(STRICTER) >= 11
