"""What the tests of ``atc --mode=1`` share: a model with a bit of everything, and ONNX's shapes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from gearshift.cli import atc
from gearshift.cli.atc_output import FAILURE

Json = dict[str, Any]
Printed = pytest.CaptureFixture[str]

# Several outputs, inputs left out, attributes of every kind, a node name that is an input's, none
# at all, values of rank 0, a branch that reads from outside, an operator of ONNX Runtime's.
EVERYTHING = """
<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
everything (float[N, 6] x, bool flag) => (float[N, 6] y, float[A, B, C] h, int64 rank, float z)
<float[1, 12, 3] w = {WEIGHTS}, float[1, 12, 3] r = {WEIGHTS}, int64[2] parts = {3, 3}>
{
  [x] left, right = Split <axis = 1> (x, parts)
  high = Constant <value = float {0.75}> ()
  [clip] clipped = Clip (left, , high)
  axes = Constant <value_ints = [0]> ()
  [up] sequence = Unsqueeze (right, axes)
  [lstm] , hidden = LSTM <hidden_size = 3, direction = "forward",
      activations = ["Sigmoid", "Tanh", "Relu"],
      activation_alpha = [0.5, 0.25, 0.1]> (sequence, w, r)
  h = Identity (hidden)
  [leaky] soft = LeakyRelu <alpha = 0.0123456789> (clipped)
  joined = Concat <axis = 1> (soft, right)
  [gelu] g = com.microsoft.Gelu (joined)
  [choice] chosen = If (flag) <
    then_branch = yes () => (float[N, 6] a) { a = Neg (g) },
    else_branch = no () => (float[N, 6] b) { [inner] c = Exp (x) b = Abs (c) }
  >
  y = Add (chosen, x)
  dims = Shape (x)
  rank = Size (dims)
  z = ReduceMax <keepdims = 0> (w)
}
""".replace("WEIGHTS", ", ".join(["0.1"] * 36))


def convert(om: Path, target: Path, *flags: str) -> Json:
    assert atc.main(["--mode=1", f"--om={om}", f"--json={target}", *flags]) == 0
    found = json.loads(target.read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def inferred(model: onnx.ModelProto, size: int) -> dict[str, list[int]]:
    """Every shape at that batch size, by ONNX's own inference."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for value in model.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_value = size
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        if value.type.tensor_type.HasField("shape"):
            shapes[value.name] = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    return shapes


def fails(capsys: Printed, *argv: str) -> str:
    """What a failing command says after the failure line."""
    assert atc.main(argv) == 255
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return printed.out.partition(FAILURE + "\n")[2]
