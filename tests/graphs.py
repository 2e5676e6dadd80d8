"""Small programs for tests, written in ONNX's text form, and ways to run them elsewhere."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime

from gearshift.program import Program, Source
from gearshift.tensors import Array, TensorSpec, dtype_of_onnx


def program_from_text(text: str) -> Program:
    """The program of a model in the syntax of `onnx.parser`.

    Without the ``<ir_version ...>`` head, ``<ir_version: 8, opset_import: ["" : 17]>`` is meant.
    """
    if not text.lstrip().startswith("<"):
        text = '<ir_version: 8, opset_import: ["" : 17]>' + text
    return program_of(ir.from_proto(onnx.parser.parse_model(text)))


def program_from_file(path: Path) -> Program:
    """The program of an ONNX file."""
    return program_of(ir.load(path))


def program_of(model: ir.Model) -> Program:
    """Wraps a model whose inputs and outputs are tensors of known rank or none."""
    graph = model.graph
    fed = [value for value in graph.inputs if value.name not in graph.initializers]
    return Program(
        model=model,
        inputs=tuple(_spec(value) for value in fed),
        outputs=tuple(_spec(value) for value in graph.outputs),
        source=Source("text", "", model.opset_imports.get("", 0), model.ir_version, "tests"),
    )


def _spec(value: ir.Value) -> TensorSpec:
    assert value.name is not None
    dtype = dtype_of_onnx(value.dtype.value if value.dtype is not None else 1)
    assert dtype is not None
    dims = value.shape if value.shape is not None else ()
    shape = tuple(dim if isinstance(dim, int) else -1 for dim in dims)
    return TensorSpec(value.name, dtype, shape)


def rapidocr_model(part: str) -> Path:
    """The PP-OCR file of the rapidocr package whose name contains `part` (det, rec or cls)."""
    spec = importlib.util.find_spec("rapidocr")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "models"
    return next(path for path in sorted(folder.glob("*.onnx")) if f"_{part}_" in path.name)


def run_in_onnxruntime(
    model: ir.Model | onnx.ModelProto, feeds: Mapping[str, Array]
) -> list[Array]:
    """The model's outputs in ONNX Runtime without graph optimisation."""
    proto = model if isinstance(model, onnx.ModelProto) else ir.to_proto(model)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [np.asarray(array) for array in session.run(None, dict(feeds))]


def random_feeds(
    shapes: Mapping[str, tuple[int, ...]], *, seed: int = 0, low: int = -4, high: int = 5
) -> dict[str, Array]:
    """Whole-numbered float32 arrays: sums and products of a few of them are exact."""
    generator = np.random.default_rng(seed)
    return {
        name: generator.integers(low, high, size=shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def everything_in_onnxruntime(
    program: Program, feeds: Mapping[str, Array], dtypes: Mapping[str, ir.DataType]
) -> dict[str, Array]:
    """Every value that a node of the main graph gives, as ONNX Runtime computes it."""
    proto = ir.to_proto(program.model)
    names = [name for node in proto.graph.node for name in node.output if name]
    del proto.graph.output[:]
    del proto.graph.value_info[:]
    proto.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, dtypes[name].value, None) for name in names
    )
    return dict(zip(names, run_in_onnxruntime(proto, feeds), strict=True))
