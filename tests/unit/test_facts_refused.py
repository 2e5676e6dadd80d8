"""Graphs that cannot be known at a gear: which node stands in the way, and what is said of it."""

from __future__ import annotations

import pytest

from gearshift.analysis.facts import walk
from gearshift.errors import InternalError, UnsupportedModelError
from gearshift.tensors import Shape
from graphs import program_from_text

REFUSED = {
    "NonZero": ("[bad] y = NonZero(x)", "NonZero", "y", "depends on the data"),
    "Compress": (
        "c = Cast<to = 9>(v) [bad] y = Compress(x, c)",
        "Compress",
        "y",
        "depends on the data",
    ),
    "in the middle": (
        "a = Relu(x) [bad] n = NonZero(a) y = Cast<to = 1>(n)",
        "NonZero",
        "n",
        "Cut the model",
    ),
    "baked Reshape": (
        "t = Constant<value_ints = [1, 12]>() [bad] y = Reshape(x, t)",
        "Reshape",
        "y",
        r"'x' \[5, 3, 4\], 't' \[2\] = \[1, 12\].*5 times as many.*baked",
    ),
    "Reshape that never fits": (
        "t = Constant<value_ints = [7, 12]>() [bad] y = Reshape(x, t)",
        "Reshape",
        "y",
        r"60 elements do not fill shape \[7, 12\]\.",
    ),
    "shapes that do not broadcast": (
        "[bad] y = Add(x, v)",
        "Add",
        "y",
        r"cannot take 'x' \[5, 3, 4\], 'v' \[3\]",
    ),
    "sequence": ("[bad] y = SequenceConstruct(x, x)", "SequenceConstruct", "y", "not a tensor"),
    "unknown domain": ("[bad] y = my.own.Thing(x)", "Thing", "y", "domain 'my.own'"),
    "unknown operator": ("[bad] y = Nonsense(x)", "Nonsense", "y", "ONNX opset 17"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_node(name: str) -> None:
    body, op_type, tensor, message = REFUSED[name]
    program = program_from_text(f"""
        <ir_version: 8, opset_import: ["" : 17, "my.own" : 1]>
        g (float[N, 3, 4] x, float[3] v) => (float[A, B] y) {{ {body} }}""")
    with pytest.raises(UnsupportedModelError, match=f"(?s)node 'bad'.*{message}") as caught:
        walk(program, {"x": (5, 3, 4), "v": (3,)})
    error = caught.value
    assert (error.node, error.op_type, error.tensor) == ("bad", op_type, tensor)
    assert "ShapeInferenceError" not in error.message


def test_initial_state_of_another_batch() -> None:
    program = program_from_text("""
        g (float[T, N, 4] x, float[1, 12, 4] w, float[1, 12, 3] r, float[1, 1, 3] h)
        => (float[A, B, C, D] y) { [rnn] y = LSTM<hidden_size = 3>(x, w, r, , , h) }""")
    shapes: dict[str, Shape] = {"w": (1, 12, 4), "r": (1, 12, 3), "h": (1, 1, 3)}
    assert walk(program, {"x": (5, 1, 4), **shapes})["y"].shape == (5, 1, 1, 3)
    with pytest.raises(UnsupportedModelError, match="has 2 where 1 rows in initial_h"):
        walk(program, {"x": (5, 2, 4), **shapes})


def test_channels_that_the_convolution_does_not_have() -> None:
    program = program_from_text("""
        g (float[N, C, 8, 8] x, float[4, 3, 1, 1] w) => (float[A, B, C, D] y) {
            y = Conv(x, w)
        }""")
    with pytest.raises(UnsupportedModelError, match="has 4 where 3 channels are expected"):
        walk(program, {"x": (1, 4, 8, 8), "w": (4, 3, 1, 1)})


def test_a_loop_is_refused_by_name() -> None:
    program = program_from_text("""
        g (float[N, 3] x) => (float[A, B] y) <int64 trips = {3}, bool go = {1}> {
            [loop] y = Loop(trips, go, x) <
                body = b (int64 i, bool c, float[N, 3] v) => (bool d, float[N, 3] w) {
                    d = Identity(c)
                    w = Add(v, x)
                }
            >
        }""")
    with pytest.raises(UnsupportedModelError, match=r"'loop' .*one iteration to the next") as e:
        walk(program, {"x": (2, 3)})
    assert (e.value.op_type, e.value.tensor) == ("Loop", "y")


def test_a_shape_that_is_missing_is_our_bug() -> None:
    program = program_from_text("g (float[N] x) => (float[N] y) { y = Neg(x) }")
    with pytest.raises(InternalError, match="'x', got none"):
        walk(program, {})
    with pytest.raises(InternalError, match=r"'x', got \[-1\]"):
        walk(program, {"x": (-1,)})
