"""``--aipp_config``: ais_bench's INI file, held to the same steps in numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench_models import HEAD

import gearshift
from gearshift.aipp.spec import Csc, ImageFormat, Padding
from gearshift.bench.aipp_file import read_aipp_file
from gearshift.cli.main import main
from gearshift.errors import OptionError
from models import save_text

MODEL = f"""{HEAD}
m (float[N, 3, 6, 8] x, float[N, 1] k) => (float[N, 3, 6, 8] y)
<int64[2] axes = {{2, 3}}>
{{ factors = Unsqueeze (k, axes)
  y = Mul (x, factors) }}
"""
INI = """# of a camera
[aipp_op]
    input_format : RGB888_U8
    src_image_size_w : 10
    src_image_size_h : 7
    crop : 1
    load_start_pos_w : 2
    load_start_pos_h : 1
    crop_size_w = 8
    crop_size_h = 6
    min_chn_0 : 127.5
    mean_chn_1 : 12
    var_reci_chn_0 : 0.5
    var_reci_chn_2 : 2
"""
DYNAMIC = "aipp_op { aipp_mode: dynamic max_src_image_size: 100000 }"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("aipp")
    source = save_text(MODEL, made / "m.onnx")
    (made / "dynamic.cfg").write_text(DYNAMIC)
    for name, aipp in (("m", made / "dynamic.cfg"), ("plain", None)):
        gearshift.compile(
            source,
            output=made / f"{name}.om",
            dynamic_batch_size=(1, 2, 4),
            engine="onnxruntime",
            aipp=aipp,
        )
    (made / "p.ini").write_text(INI)
    return made


def test_images_of_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    random = np.random.default_rng(5)
    images = random.integers(0, 256, (3, 7, 10, 3)).astype(np.uint8)
    factors = random.integers(1, 4, (3, 1)).astype(np.float32)
    for name, arrays in (("images", images), ("factors", factors)):
        Path(name).mkdir()
        for index, array in enumerate(arrays):
            array.tofile(f"{name}/{index}.bin")
    words = ("-i", "images,factors", "-o", "out", "-od", "o", "--outfmt", "NPY")
    status = main(["bench", "m.om", "-db", "2", "--aipp_config", "p.ini", *words])
    assert status == 0, capsys.readouterr().err
    cropped = images[:, 1:7, 2:10].astype(np.float32)
    normal = (cropped - np.float32([127.5, 12, 0])) * np.float32([0.5, 1, 2])
    wanted = normal.transpose(0, 3, 1, 2) * factors.reshape(3, 1, 1, 1)
    for index in range(3):
        made = np.load(f"out/o/{index}_0.npy")
        np.testing.assert_allclose(made, wanted[index : index + 1], rtol=1e-3)
    assert main(["bench", "m.om", "-db", "4", "-aipp", "p.ini", "-pdt", "random"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("m.om", "-db", "2"), "Add --aipp_config FILE"),
        (("plain.om", "-db", "2", "-aipp", "p.ini"), "this one has 0 such inputs"),
        (("m.om", "-db", "2", "-aipp", "no.ini"), "No such file"),
        (("m.om", "-aipp", "p.ini", "-i", "x", "-asddm"), "does not go with --auto_set_dymdims"),
    ],
)
def test_what_does_not_go_together(
    folder: Path,
    words: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    assert main(["bench", *words]) == 1
    assert said in capsys.readouterr().err


def test_every_key_is_read(tmp_path: Path) -> None:
    path = tmp_path / "all.ini"
    matrix = "\n".join(f"matrix_r{i // 3}c{i % 3} : {i - 4}" for i in range(9))
    biases = "\n".join(f"input_bias_{i} : {i}\noutput_bias_{i} : {i + 3}" for i in range(3))
    sides = "\n".join(
        f"padding_size_{side} : {size}"
        for size, side in enumerate(("left", "right", "top", "bottom"), 1)
    )
    path.write_text(
        "[aipp_op]\ninput_format: YUV420SP_U8\nsrc_image_size_w: 8\nsrc_image_size_h: 6\n"
        f"csc_switch: 1\n{matrix}\n{biases}\nrbuv_swap_switch: 1\nax_swap_switch: 0\n"
        f"padding: 1\n{sides}\nmean_chn_3: 9\n"
    )
    made = read_aipp_file(path)
    assert (made.format, made.width, made.height) == (ImageFormat.YUV420SP_U8, 8, 6)
    assert made.csc == Csc(((-4, -3, -2), (-1, 0, 1), (2, 3, 4)), (0, 1, 2), (3, 4, 5))
    assert (made.rbuv_swap, made.ax_swap) == (True, False)
    (row,) = made.first(1)
    assert row.padding == Padding(1, 2, 3, 4)
    assert row.crop is None
    assert (tuple(row.mean), tuple(row.var_reci)) == ((0, 0, 0, 9), (1, 1, 1, 1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no section"),
        ("[other]\n", "no section"),
        ("x", "not an INI file"),
        (INI.replace("RGB888", "RGB"), "allowed: YUV420SP_U8"),
        (INI.replace("crop : 1", "crop : 2"), "crop is '2'; allowed: 0 or 1"),
        (INI.replace("_w : 10", "_w : ten"), "src_image_size_w is 'ten'"),
        (INI.replace("    src_image_size_h : 7\n", ""), "src_image_size_h is ''"),
        (INI.replace("min_chn_0", "min_chan_0"), "Did you mean 'min_chn_0'"),
        (INI.replace("127.5", "many"), "give a number"),
        (INI.replace("crop_size_w = 8", "crop_size_w = 9"), "crop"),
    ],
)
def test_what_is_no_such_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "p.ini"
    path.write_text(text)
    with pytest.raises(OptionError, match=r"p\.ini") as caught:
        read_aipp_file(path)
    assert said in str(caught.value)
