"""``atc --mode=6`` and ``--display_model_info=1``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import gearshift
from artifacts import null_artifact
from gearshift.artifact.reader import Artifact
from gearshift.artifact.writer import embed_costs
from gearshift.cli import atc
from gearshift.cli.atc_output import FAILURE, START, SUCCESS
from models import save_text

Printed = pytest.CaptureFixture[str]
MODEL = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 6] x) => (float[N, 4] y) <float[6, 4] w = {1,2,3,4,5,6,7,8,9,10,11,12,
13,14,15,16,17,18,19,20,21,22,23,24}> { y = MatMul (x, w) }"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compile_model(folder: Path, *flags: str) -> None:
    save_text(MODEL, folder / "模型.onnx")
    argv = ["--model=模型.onnx", "--framework=5", "--output=我的 模型"]
    assert atc.main([*argv, "--input_shape=x:-1,6", "--dynamic_batch_size=1,8", *flags]) == 0


def block(text: str) -> list[str]:
    """The lines from the block's first to its last."""
    lines = text.splitlines()
    start = lines.index("============ Display Model Info start ============")
    stop = lines.index("============ Display Model Info end   ============")
    return lines[start : stop + 1]


def figures(lines: list[str]) -> dict[str, str]:
    return dict(re.findall(r"(\w+)\[([^\]]*)\]", "\n".join(lines)))


def test_the_block_after_a_compile_and_that_of_mode_6_are_one(
    folder: Path, capsys: Printed
) -> None:
    compile_model(folder, "--display_model_info=1", "--soc_version=Ascend310P3")
    after_compile = capsys.readouterr().out
    assert after_compile.splitlines()[-1] == SUCCESS
    assert atc.main(["--mode=6", "--om=我的 模型.om"]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines() == [START, *block(after_compile), SUCCESS]
    _, command, system, resources, om, _ = block(shown)
    assert command == (
        "Original Atc command line: atc '--model=模型.onnx' --framework=5 --input_shape=x:-1,6 "
        "--dynamic_batch_size=1,8 --display_model_info=1 --soc_version=Ascend310P3"
    )
    assert system == (
        f"system   info: atc_version[gearshift {gearshift.__version__}], "
        "soc_version[Ascend310P3], framework_type[Onnx]."
    )
    number = r"\[\d+ B\]"
    assert re.fullmatch(
        rf"resource info: memory_size{number}, weight_size{number}, stream_num\[1\], "
        r"event_num\[0\]\.",
        resources,
    )
    assert re.fullmatch(
        rf"om       info: modeldef_size{number}, weight_data_size{number}, "
        r"tbe_kernels_size\[0 B\], cust_aicpu_kernel_store_size\[0 B\], task_info_size\[0 B\]\.",
        om,
    )


def test_no_block_unless_asked(folder: Path, capsys: Printed) -> None:
    compile_model(folder, "--display_model_info=0")
    assert "Display Model Info" not in capsys.readouterr().out


def test_the_figures_are_those_of_the_file(folder: Path, capsys: Printed) -> None:
    compile_model(folder)
    file = folder / "我的 模型.om"
    for costs in (None, b"x" * 300):
        embed_costs(file, costs)
        capsys.readouterr()
        assert atc.main(["--mode=6", f"--om={file}"]) == 0
        seen = figures(block(capsys.readouterr().out))
        with Artifact.open(file) as artifact:
            sizes = {part.name: part.size for part in artifact.parts}
            gears = artifact.manifest.gears
            directory = len(artifact.directory)
        assert seen["memory_size"] == f"{max(gear.predicted_bytes for gear in gears)} B"
        # Eight rows of six and of four float32 at least.
        assert int(seen["memory_size"].split()[0]) >= 8 * (6 + 4) * 4
        assert seen["weight_size"] == seen["weight_data_size"] == f"{6 * 4 * 4} B"
        networks = sum(sizes[name] for name in ("openvino", "onnxruntime"))
        assert seen["modeldef_size"] == f"{directory + networks} B"
        assert seen["task_info_size"] == f"{sizes.get('costs', 0)} B"
        assert bool(costs) == ("costs" in sizes)
        total = sum(int(seen[name].split()[0]) for name in seen if name.endswith("size"))
        counted = total - sum(int(seen[n].split()[0]) for n in ("memory_size", "weight_size"))
        gaps = file.stat().st_size - counted
        assert 64 <= gaps <= 64 + 4096 * len(sizes), "the rest is the header and padding"


def test_a_model_that_atc_did_not_compile(folder: Path, capsys: Printed) -> None:
    om = null_artifact(folder)
    assert atc.main(["--mode=6", f"--om={om}"]) == 0
    _, command, system, *_ = block(capsys.readouterr().out)
    assert command == "Original Atc command line: none, it was not compiled by atc"
    assert "atc_version[tests], soc_version[CPU]" in system


def test_a_command_line_cannot_forge_lines(folder: Path, capsys: Printed) -> None:
    compile_model(folder, "--out_nodes=", "--fusion_switch_file=a\u2028b", "--aicore_num=1\n2")
    capsys.readouterr()
    assert atc.main(["--mode=6", "--om=我的 模型.om"]) == 0
    lines = block(capsys.readouterr().out)
    assert len(lines) == 6
    assert "\\u2028" in lines[1]
    assert "1\\n2" in lines[1]


@pytest.mark.parametrize(
    "content", [b"", b"IMOD" + bytes(300), b"GEARSHFT" + bytes(56), b"\x08\x07"]
)
def test_other_files(folder: Path, capsys: Printed, content: bytes) -> None:
    (folder / "其他.om").write_bytes(content)
    assert atc.main(["--mode=6", "--om=其他.om"]) == 255
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [START, FAILURE]
    assert lines[2].startswith("E10003: --om: '其他.om' is an invalid om file: ")


def test_it_loads_no_compile_side(folder: Path) -> None:
    null_artifact(folder)
    code = (
        "import sys; from gearshift.cli.atc import main; main(['--mode=6', '--om=null.om']);"
        "print(sorted({'onnx', 'onnx_ir', 'openvino', 'onnxruntime', 'rich'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
