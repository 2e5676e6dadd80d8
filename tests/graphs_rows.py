"""Proofs of small programs, random graphs, and a brute-force judge of what was proved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from gearshift.analysis.facts import Walker, walk
from gearshift.errors import UnsupportedModelError
from gearshift.gears.gear import Gear, GearSet
from gearshift.program import Program
from gearshift.tensors import Array, RowLayout, Shape
from gearshift.verify.separability import Proof, prove
from graphs import program_from_text, program_of

SIZES = (1, 2, 3)


def prove_program(
    program: Program, shapes: Mapping[str, Shape] | None = None, sizes: Sequence[int] = SIZES
) -> Proof:
    """The proof at those batch sizes; inputs that are not listed keep their own shape."""
    inputs = tuple(
        replace(spec, shape=(shapes or {}).get(spec.name, spec.shape)) for spec in program.inputs
    )
    gears = GearSet("batch", tuple(Gear((size,)) for size in sizes), inputs)
    return prove(program, gears, {gear: walk(program, gears.shapes(gear)) for gear in gears})


def prove_text(text: str, sizes: Sequence[int] = SIZES) -> Proof:
    """The proof of a model in ONNX's text form."""
    return prove_program(program_from_text(text), sizes=sizes)


@dataclass
class Sketch:
    """A graph that grows node by node; a node that does not fit at some batch size is refused."""

    opset: int
    inputs: dict[str, tuple[int | None, ...]]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.floats = list(self.inputs)
        model = ir.from_proto(self.proto([]))
        self._walkers = [Walker(model) for _ in SIZES]
        for walker, size in zip(self._walkers, SIZES, strict=True):
            shapes = {
                name: tuple(size if dim is None else dim for dim in dims)
                for name, dims in self.inputs.items()
            }
            walker.learn_inputs(model.graph.inputs, shapes)

    def shapes(self, name: str) -> list[Shape]:
        return [walker.facts[name].shape for walker in self._walkers]

    def rank(self, name: str) -> int:
        return len(self.shapes(name)[0])

    def constant(self, values: object, dtype: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        array = np.asarray(values, dtype=dtype)
        self.constants.append(numpy_helper.from_array(array, name))
        value = ir.Value(name=name, const_value=ir.tensor(array))
        graph = ir.Graph([], [], nodes=[], initializers=[value])
        for walker in self._walkers:
            walker.learn_initializers(graph)
        return name

    def integers(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def add(self, op_type: str, *inputs: str, outputs: int = 1, **attributes: object) -> list[str]:
        """Adds a node, or raises UnsupportedModelError."""
        index = len(self.nodes)
        names = [f"t{index}" if k == 0 else f"t{index}_{k}" for k in range(outputs)]
        node = helper.make_node(op_type, inputs, names, name=f"n{index}", **attributes)
        learnt = ir.Node(
            "",
            op_type,
            [ir.Value(name=name) for name in inputs],
            [ir.from_proto(attribute) for attribute in node.attribute],
            outputs=[ir.Value(name=name) for name in names],
            name=node.name,
        )
        for walker in self._walkers:
            walker.learn(learnt)
        if any(dim == 0 for name in names for shape in self.shapes(name) for dim in shape):
            raise UnsupportedModelError("empty")
        self.nodes.append(node)
        self.used.update(inputs)
        return names

    def proto(self, outputs: Sequence[str]) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "g",
            [
                helper.make_tensor_value_info(
                    name, TensorProto.FLOAT, ["N" if d is None else d for d in dims]
                )
                for name, dims in self.inputs.items()
            ],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            self.constants,
        )
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


BATCHES = ((0,), (1,), (0, 1), (1, 0), (0, 2), (2, 0, 1), (1, 3, 0))
"""Rows 0 and 1 with other neighbours, in other places and at other batch sizes."""


def run_batches(
    program: Program, batches: Sequence[Sequence[int]] = BATCHES, *, seed: int = 0
) -> list[list[Array]]:
    """Runs batches of numbered rows in ONNX Runtime; a row holds the same wherever it stands.

    Floats are whole numbers, so that sums and products of a few are exact; integers are 0 or 1.
    Returns one list of arrays per output.
    """
    generator = np.random.default_rng(seed)
    pool = {}
    for spec in program.inputs:
        shape = (8, *spec.shape[1:]) if -1 in spec.shape else spec.shape
        low, high = (-4, 5) if spec.dtype.name.startswith("float") else (0, 2)
        pool[spec.name] = generator.integers(low, high, size=shape).astype(spec.dtype.numpy)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        ir.to_proto(program.model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    runs = []
    for batch in batches:
        feeds = {
            spec.name: pool[spec.name][list(batch)] if -1 in spec.shape else pool[spec.name]
            for spec in program.inputs
        }
        runs.append([np.asarray(array) for array in session.run(None, feeds)])
    return [list(arrays) for arrays in zip(*runs, strict=True)]


def keeps_rows(
    arrays: Sequence[Array], layout: RowLayout | None, *, outer: int = 1, tolerance: float = 0.0
) -> bool:
    """Whether each row had the same entries in every batch it was in: bit for bit, or nearly."""
    seen: dict[int, Array] = {}
    for batch, array in zip(BATCHES, arrays, strict=True):
        rows = {-1: array} if layout is None else _rows_of(array, batch, layout, outer)
        if rows is None:
            return False
        for row, entries in rows.items():
            if not _same(seen.setdefault(row, entries), entries, tolerance):
                return False
    return True


def _rows_of(
    array: Array, batch: Sequence[int], layout: RowLayout, outer: int
) -> dict[int, Array] | None:
    if array.ndim <= layout.axis or array.shape[layout.axis] != len(batch) * layout.inner * outer:
        return None
    blocks = np.moveaxis(array, layout.axis, 0)
    blocks = blocks.reshape(outer, len(batch), layout.inner, *blocks.shape[1:])
    return {row: np.ascontiguousarray(blocks[:, place]) for place, row in enumerate(batch)}


def _same(left: Array, right: Array, tolerance: float) -> bool:
    if left.shape != right.shape:
        return False
    if left.dtype.kind != "f":
        return left.tobytes() == right.tobytes()
    if tolerance == 0:  # but for the sign of zero, in which vector code and its tail differ
        return (left + 0.0).tobytes() == (right + 0.0).tobytes()
    return bool(np.allclose(left, right, rtol=tolerance, atol=tolerance, equal_nan=True))


def layouts_that_fit(arrays: Sequence[Array]) -> Iterator[tuple[RowLayout | None, int]]:
    """Every layout, and outer factor, under which rows turned out independent."""
    if keeps_rows(arrays, None):
        yield None, 1
    for axis, dim in enumerate(arrays[0].shape):
        for inner in range(1, dim + 1):
            if dim % inner == 0 and keeps_rows(arrays, RowLayout(axis, inner), outer=dim // inner):
                yield RowLayout(axis, inner), dim // inner


def as_program(sketch: Sketch, outputs: Sequence[str]) -> Program:
    """The sketch as a program."""
    return program_of(ir.from_proto(sketch.proto(outputs)))
