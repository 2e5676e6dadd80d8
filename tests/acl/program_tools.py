"""Models for whole programs: made as ONNX files, converted by the command, run in a process."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from gearshift.tensors import Array

PROGRAMS = Path(__file__).parent / "programs"
SIDE, CLASSES, WORDS = 32, 10, 60
_HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
_dice = np.random.default_rng(20)

CLASSIFIER = """
classifier (float[N, 3, 32, 32] actual_input_1) => (float[N, 10] logits, float[N, 10] prob)
{
    convolved = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (actual_input_1, kernel)
    active = Relu (convolved)
    pooled = AveragePool <kernel_shape = [4, 4], strides = [4, 4]> (active)
    flat = Flatten (pooled)
    logits = MatMul (flat, head)
    prob = Softmax <axis = 1> (logits)
}
"""

DETECTOR = """
detector (float[1, 3, H, W] image) => (float[1, M, 4] boxes, float[1, M] scores)
{
    small = Conv <strides = [4, 4]> (image, patches)
    active = Relu (small)
    map = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (active, anchors)
    lines = Reshape (map, in_lines)
    found = Transpose <perm = [0, 2, 1]> (lines)
    boxes = Slice (found, start, four, last)
    certainty = Slice (found, four, five, last)
    flat = Squeeze (certainty, last)
    scores = Sigmoid (flat)
}
"""

BERT = """
bert (int64[N, T] input_ids, int64[N, T] attention_mask, int64[N, T] token_type_ids)
    => (float[N, T, 16] hidden, float[N, 16] pooled)
{
    word = Gather (words, input_ids)
    sentence = Gather (sentences, token_type_ids)
    x = Add (word, sentence)
    mask = Cast <to = 1> (attention_mask)
    row = Unsqueeze (mask, between)
    barred = Sub (one, row)
    wall = Mul (barred, high)
    q1 = MatMul (x, to_q)
    q2 = Reshape (q1, in_heads)
    q = Transpose <perm = [0, 2, 1, 3]> (q2)
    k1 = MatMul (x, to_k)
    k2 = Reshape (k1, in_heads)
    k = Transpose <perm = [0, 2, 3, 1]> (k2)
    v1 = MatMul (x, to_v)
    v2 = Reshape (v1, in_heads)
    v = Transpose <perm = [0, 2, 1, 3]> (v2)
    products = MatMul (q, k)
    allowed = Add (products, wall)
    shares = Softmax <axis = -1> (allowed)
    heads = MatMul (shares, v)
    back = Transpose <perm = [0, 2, 1, 3]> (heads)
    mixed = Reshape (back, joined)
    hidden = Add (x, mixed)
    first = Gather <axis = 1> (hidden, zero)
    pooled = Tanh (first)
}
"""


def _weight(*shape: int) -> Array:
    fan_in = np.prod(shape[1:]) if len(shape) == 4 else shape[0]
    return (_dice.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)


def _whole(*values: int) -> Array:
    return np.array(values, np.int64)


_MODELS = {
    "classifier": (CLASSIFIER, {"kernel": _weight(8, 3, 3, 3), "head": _weight(128, CLASSES)}),
    "detector": (
        DETECTOR,
        {
            "patches": _weight(6, 3, 4, 4), "anchors": _weight(5, 6, 3, 3),
            "in_lines": _whole(0, 5, -1), "start": _whole(0), "four": _whole(4),
            "five": _whole(5), "last": _whole(2),
        },
    ),
    "bert": (
        BERT,
        {
            "words": _weight(WORDS, 16) * 4, "sentences": _weight(2, 16), "to_q": _weight(16, 16),
            "to_k": _weight(16, 16), "to_v": _weight(16, 16), "between": _whole(1, 2),
            "in_heads": _whole(0, 0, 2, 8), "joined": _whole(0, 0, 16),
            "zero": np.array(0, np.int64), "one": np.array(1, np.float32),
            "high": np.array(-1e4, np.float32),
        },
    ),
}  # fmt: skip

_CONFIGS = {
    "aipp_dynamic.cfg": """
aipp_op {
    aipp_mode: dynamic
    related_input_rank: 0
    max_src_image_size: 40000
}
""",
    "aipp_yuv.cfg": """
aipp_op {
    aipp_mode : static
    related_input_rank : 0
    input_format : YUV420SP_U8
    src_image_size_w : 32
    src_image_size_h : 32
    crop : false
    csc_switch : true
    rbuv_swap_switch : false
    matrix_r0c0 : 256
    matrix_r0c1 : 0
    matrix_r0c2 : 359
    matrix_r1c0 : 256
    matrix_r1c1 : -88
    matrix_r1c2 : -183
    matrix_r2c0 : 256
    matrix_r2c1 : 454
    matrix_r2c2 : 0
    input_bias_0 : 0
    input_bias_1 : 128
    input_bias_2 : 128
    mean_chn_0 : 104
    mean_chn_1 : 117
    mean_chn_2 : 123
    min_chn_0 : 0.5
    min_chn_1 : 0.25
    min_chn_2 : 1.5
    var_reci_chn_0 : 0.017125
    var_reci_chn_1 : 0.017507
    var_reci_chn_2 : 0.017429
}
""",
}

_COMMANDS = {
    "classifier_dym": """
        atc --model=./classifier.onnx --framework=5 --output=./classifier_dym
        --input_format=NCHW --input_shape="actual_input_1:-1,3,32,32"
        --dynamic_batch_size="1,2,4,8" --soc_version=Ascend310P3 --log=error""",
    "classifier_bs2": """
        atc --framework=5 --model=classifier.onnx --output=classifier_bs2 --input_format=NCHW
        --input_shape="actual_input_1:2,3,32,32" --log=error
        --soc_version=Ascend310""",
    "classifier_aipp": """
        atc --model=./classifier.onnx --framework=5 --output=./classifier_aipp
        --input_shape="actual_input_1:-1,3,32,32" --dynamic_batch_size="1,2,4"
        --input_format=NCHW --insert_op_conf=./aipp_dynamic.cfg --output_type=FP32
        --soc_version=Ascend310 --log=error""",
    "classifier_yuv": """
        atc --model=./classifier.onnx --framework=5 --output=./classifier_yuv --log=error
        --insert_op_conf=aipp_yuv.cfg --input_shape="actual_input_1:-1,3,32,32"
        --input_format=NCHW --dynamic_batch_size="1,2,4" --enable_small_channel=1
        --soc_version=Ascend310""",
    "detector": """
        atc --model=detector.onnx --framework 5 --output=detector
        --input_shape="image:1,3,-1,-1" --dynamic_image_size="64,96;128,128;96,64;64,64"
        --input_format=NCHW --soc_version=Ascend310P3""",
    "bert": """
        atc --input_format=ND --framework=5 --model=./bert.onnx --output=./bert
        --input_shape="input_ids:-1,-1;attention_mask:-1,-1;token_type_ids:-1,-1"
        --dynamic_dims="1,16,1,16,1,16;4,16,4,16,4,16;1,8,1,8,1,8;2,32,2,32,2,32"
        --log=error --soc_version=Ascend310P3""",
    "bert_range": """
        atc --model=bert.onnx --framework=5 --output=bert_range --input_format=ND
        --input_shape_range="input_ids:[1~4,1~32];attention_mask:[1~4,1~32];token_type_ids:[1~4,1~32]"
        --log=error --soc_version=Ascend310P3""",
}


class Models:
    """Models in a folder of their own; each is made and converted when first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in _CONFIGS.items():
            (folder / name).write_text(text)

    def onnx(self, name: str) -> Path:
        path = self.folder / f"{name}.onnx"
        if not path.exists():
            text, weights = _MODELS[name]
            model = onnx.parser.parse_model(_HEAD + text)
            model.graph.initializer.extend(
                numpy_helper.from_array(array, key) for key, array in weights.items()
            )
            onnx.save(model, str(path))
        return path

    def om(self, name: str) -> str:
        path = self.folder / f"{name}.om"
        if not path.exists():
            self.onnx(name.partition("_")[0])
            words = shlex.split(_COMMANDS[name])
            words[0] = str(Path(sys.executable).with_name(words[0]))
            done = subprocess.run(
                words, cwd=self.folder, capture_output=True, text=True, timeout=100
            )
            assert done.returncode == 0, done.stdout + done.stderr
        return str(path)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """The models of all programs."""
    return Models(tmp_path_factory.mktemp("programs"))


def run_program(
    name: str, *arguments: object, launcher: tuple[str, ...] = (), warning: str | None = None
) -> str:
    """What a program prints; it has to end well, and without a word on stderr but this warning."""
    # Nothing of this process but the environment: programs know what is installed, no more.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, *launcher, str(PROGRAMS / name), *map(str, arguments)],
        capture_output=True, text=True, timeout=100, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stderr.splitlines()
    assert all(warning is not None and warning in line for line in told), done.stderr
    return done.stdout
