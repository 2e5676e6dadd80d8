"""docs/aipp.md: its commands and code run as they stand, its tables and defaults are the code's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from gearshift.aipp import config
from gearshift.aipp.block import DYNAMIC_AIPP_INPUT
from gearshift.aipp.image import fitting_channels, source_bytes, source_shape
from gearshift.aipp.spec import ImageFormat
from models import save_text

PAGE = (Path(__file__).parents[2] / "docs" / "aipp.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
WORDS = " ".join(PAGE.split())
MODEL = """<ir_version: 8, opset_import: ["" : 17]>
detector (float[N, 3, 320, 320] x) => (float[N, 3] scores)
{ pooled = GlobalAveragePool (x)  scores = Flatten (pooled) }"""


def run(command: list[str], folder: Path) -> str:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_block_in_order(tmp_path: Path) -> None:
    save_text(MODEL, tmp_path / "detector.onnx")
    names = iter(["static.cfg", "dynamic.cfg"])
    printed = []
    for language, text in BLOCKS:
        if language == "protobuf":
            (tmp_path / next(names)).write_text(text)
        elif language == "bash":
            assert "rows are independent (proved)" in run(["sh", "-c", text], tmp_path)
        else:
            printed.append(run([sys.executable, "-c", text], tmp_path).splitlines())
    assert next(names, None) is None
    assert printed == [
        ["x: uint8[-1, 720, 640] (3, 3)"],
        [
            "x: uint8[-1, -1]",
            "ascend_mbatch_shape_data: int32[1]",
            f"{DYNAMIC_AIPP_INPUT}: uint8[448]",
            "(3, 3)",
        ],
    ]


def rows_of(table: str) -> list[list[str]]:
    section = PAGE.partition(f"## {table}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_of_formats() -> None:
    found = {row[0].strip("`"): row[1:] for row in rows_of("Formats")}
    assert list(found) == [each.name for each in ImageFormat]
    for each in ImageFormat:
        number, array, size, channels = found[each.name]
        assert int(number) == each
        height, width = 6, 8
        sides = {"N": 5, "H": height, "W": width}
        shape = re.match(r"`\[(.*?)\]`", array)
        assert shape is not None
        # Sums of the page's own, made of these three letters and numbers.
        dims = tuple(int(eval(dim, {}, sides)) for dim in shape[1].split(","))
        assert dims == source_shape(each, 5, height, width)
        assert eval(size, {}, sides) == source_bytes(each, height, width)
        grey = each is ImageFormat.YUV400_U8
        plain, _, converted = channels.partition(";")
        numbers = {int(digit) for digit in re.findall(r"\d", plain)}
        assert numbers == fitting_channels(each, converts=False)
        if not grey:
            assert "1 with conversion" in converted
            assert numbers | {1} == fitting_channels(each, converts=True)


def test_the_defaults_of_the_page() -> None:
    for matrix in (config._TO_BGR, config._TO_YUV):
        assert ", ".join(str(row) for row in matrix) in WORDS
    assert f"biases {', '.join(map(str, config._BIAS))}" in WORDS


def test_every_code_is_one_that_the_code_has() -> None:
    sources = "".join(
        path.read_text("utf-8") for path in Path(config.__file__).parents[1].rglob("*.py")
    )
    codes = {code for row in rows_of("What is refused") for code in re.findall(r"E?\d{5,}", row[2])}
    assert len(codes) == 12
    for code in codes:
        assert re.search(rf"\b{code}\b", sources), code
