"""Operators as small ONNX models: nodes, the model that they make, and how it runs.

A row's builder gives one value for each output, made of nodes, inputs and constants. onnx and the
engine are imported when the first operator is prepared, not before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, Union

import numpy as np

from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.op.jobs import OPERATORS, Job, Operator, Prepared, Tensor
from gearshift.errors import EngineError
from gearshift.tensors import (
    Array,
    DType,
    Shape,
    TensorSpec,
    dtype_named,
    dtype_of_onnx,
    format_shape,
)

if TYPE_CHECKING:
    import onnx

    from gearshift.engines.base import Executable

_OPSET: Final = 18
_IR_VERSION: Final = 10
_THREADS_PAY: Final = 1 << 20
"""Bytes of inputs from which more threads than one are worth having."""
_WIDER: Final = {
    **dict.fromkeys(("int8", "uint8", "int16", "uint16"), dtype_named("int32")),
    "uint32": dtype_named("int64"),
}
"""Types that ONNX or the engine lack many kernels for; what is cut off again is the same."""


@dataclass(frozen=True)
class Input:
    """An input of the operator, by position."""

    place: int


@dataclass(frozen=True, eq=False)
class Node:
    """An ONNX operator on some values.

    Attributes:
        kind: ONNX's name of it.
        inputs: in order; None for one that is left out.
        attributes: as ONNX has them.
        outputs: how many there are.
    """

    kind: str
    inputs: tuple[Value | None, ...]
    attributes: dict[str, Any]
    outputs: int = 1


@dataclass(frozen=True)
class Pick:
    """One output of a node that has several."""

    node: Node
    place: int


Value: TypeAlias = Union[Input, Node, Pick, Array]  # noqa: UP007 - read while Node is not there yet
Builder = Callable[[Job], Sequence[Value]]


def node(kind: str, *inputs: Value | None, **attributes: Any) -> Node:
    """A node with one output."""
    return Node(kind, inputs, attributes)


def int64s(values: Sequence[int]) -> Array:
    """A constant, as ONNX wants shapes, axes and the like."""
    return np.array(values, np.int64)


def cast_to(dtype: DType, value: Value) -> Node:
    """A value as another type."""
    return node("Cast", value, to=dtype.onnx)


def operator(
    name: str, build: Builder, inputs: str = "x", outputs: int = 1, **attributes: Any
) -> None:
    """Puts a row into the table.

    Args:
        name: the vendor's name of the type.
        build: makes the values that are its outputs.
        inputs: names with marks, see `jobs`.
        outputs: how many there are; 0 for any number.
        attributes: a default each, or the type of one that has to be given.
    """
    OPERATORS[name] = Operator(
        lambda job: _prepare(job, build), tuple(inputs.split()), outputs, attributes
    )


class _Names:
    """Collects the nodes and constants that values are made of, each once."""

    def __init__(self, inputs: Sequence[str]) -> None:
        self.inputs = inputs
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._known: dict[int, list[str]] = {}

    def of(self, value: Value | None) -> str:
        """The name that a value has in the model."""
        from onnx import numpy_helper

        if value is None:
            return ""
        if isinstance(value, Input):
            return self.inputs[value.place]
        if isinstance(value, Pick):
            return self._outputs(value.node)[value.place]
        if isinstance(value, Node):
            return self._outputs(value)[0]
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def _outputs(self, made: Node) -> list[str]:
        from onnx import helper

        if id(made) not in self._known:
            inputs = [self.of(value) for value in made.inputs]
            names = [f"node{len(self.nodes)}_{place}" for place in range(made.outputs)]
            self.nodes.append(helper.make_node(made.kind, inputs, names, **made.attributes))
            self._known[id(made)] = names
        return self._known[id(made)]


def _model(job: Job, values: Sequence[Value]) -> onnx.ModelProto:
    """The model of a job, with the types and shapes of its outputs inferred."""
    import onnx
    from onnx import helper, shape_inference

    names = _Names([f"input{place}" for place in range(len(job.inputs))])
    outputs = [f"output{place}" for place in range(len(values))]
    ends = [
        helper.make_node("Identity", [names.of(value)], [output])
        for value, output in zip(values, outputs, strict=True)
    ]
    graph = helper.make_graph(
        [*names.nodes, *ends],
        "operator",
        [
            helper.make_tensor_value_info(name, tensor.dtype.onnx, tensor.shape)
            for name, tensor in zip(names.inputs, job.inputs, strict=True)
        ],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        names.constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
    )
    try:
        return shape_inference.infer_shapes(
            model, check_type=True, strict_mode=True, data_prop=True
        )
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
        given = ", ".join(map(str, job.inputs))
        raise Refusal(
            Code.OP_INPUT_NOT_MATCH, f"{job.name} does not go with {given}: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    """The first line of what onnx says, without its labels; later ones only follow from it."""
    first = next(iter(str(error).splitlines()), "")
    return first.rpartition("Error] ")[2] or type(error).__name__


def _specs(job: Job, model: onnx.ModelProto) -> tuple[TensorSpec, ...]:
    """What comes out, refused if it is not what was described."""
    specs = []
    for info, tensor in zip(model.graph.output, job.outputs, strict=True):
        tensor_type = info.type.tensor_type
        shape = tuple(dim.dim_value for dim in tensor_type.shape.dim)
        dtype = dtype_of_onnx(tensor_type.elem_type)
        fits = not tensor.is_known or math.prod(shape) == math.prod(tensor.shape)
        if dtype is None or dtype != tensor.dtype or not fits:
            made = f"{dtype.name if dtype else '?'}{format_shape(shape)}"
            raise Refusal(
                Code.OP_OUTPUT_NOT_MATCH, f"{job.name} gives {made} where {tensor} is described"
            )
        specs.append(TensorSpec(info.name, dtype, shape))
    return tuple(specs)


@dataclass(frozen=True)
class _Program:
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    executable: Executable | None  # None where nothing comes out

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return tuple(spec.shape for spec in self.outputs)

    def run(self, feeds: Sequence[Array]) -> list[Array]:
        if self.executable is None:
            return [np.empty(0, np.uint8) for _ in self.outputs]
        return self.executable.run(
            [
                feed.view(spec.dtype.numpy).reshape(spec.shape)
                for feed, spec in zip(feeds, self.inputs, strict=True)
            ]
        )


def _prepare(job: Job, build: Builder) -> Prepared:
    values = build(job)
    if len(values) != len(job.outputs):
        raise Refusal(
            Code.OP_OUTPUT_NOT_MATCH,
            f"{job.name} has {len(values)} outputs here; {len(job.outputs)} were given",
        )
    if not any(tensor.dtype.name in _WIDER for tensor in job.inputs):
        return _program(job, values)
    try:
        return _program(job, values)
    except Refusal as first:
        try:
            return _program(job, _widened(job, build))
        except Refusal:
            raise first from None


def _program(job: Job, values: Sequence[Value]) -> _Program:
    model = _model(job, values)
    outputs = _specs(job, model)
    inputs = tuple(
        TensorSpec(info.name, tensor.dtype, tensor.shape)
        for info, tensor in zip(model.graph.input, job.inputs, strict=True)
    )
    if not any(math.prod(spec.shape) for spec in outputs):
        return _Program(inputs, outputs, None)
    if not all(math.prod(spec.shape) for spec in inputs):
        raise Refusal(Code.OP_INPUT_NOT_MATCH, f"{job.name}: an input has no elements")
    try:
        return _Program(inputs, outputs, _load(model, inputs, outputs))
    except EngineError as error:
        given = ", ".join(map(str, job.inputs))
        raise Refusal(
            Code.UNSUPPORTED_DATA_TYPE, f"{job.name} cannot be run on {given}: {error.message}"
        ) from error


def _load(
    model: onnx.ModelProto, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
) -> Executable:
    from gearshift.engines.base import EngineOptions, Network
    from gearshift.engines.registry import get_engine

    network = Network(model.SerializeToString(), np.empty(0, np.uint8), (), inputs, outputs)
    nbytes = sum(spec.nbytes(spec.shape) for spec in inputs)
    options = EngineOptions(threads=None if nbytes >= _THREADS_PAY else 1)
    loaded = get_engine("onnxruntime").load(network, options)
    return loaded.executable({spec.name: spec.shape for spec in inputs})


def _widened(job: Job, build: Builder) -> list[Value]:
    """The same operator, done in wider whole numbers."""

    def wide(tensor: Tensor) -> Tensor:
        dtype = _WIDER.get(tensor.dtype.name, tensor.dtype)
        return replace(tensor, number=dtype.acl)

    def put_in(value: Value) -> Value:
        if isinstance(value, Input):
            dtype = job.inputs[value.place].dtype
            wider = _WIDER.get(dtype.name)
            return value if wider is None else cast_to(wider, value)
        if isinstance(value, Pick):
            return Pick(widen_node(value.node), value.place)
        return widen_node(value) if isinstance(value, Node) else value

    def widen_node(made: Node) -> Node:
        if id(made) not in known:
            inputs = [None if value is None else put_in(value) for value in made.inputs]
            known[id(made)] = replace(made, inputs=tuple(inputs))
        return known[id(made)]

    known: dict[int, Node] = {}
    wider_job = replace(
        job,
        inputs=tuple(map(wide, job.inputs)),
        outputs=tuple(map(wide, job.outputs)),
    )
    values = build(wider_job)
    return [
        cast_to(tensor.dtype, put_in(value))
        for tensor, value in zip(job.outputs, values, strict=True)
    ]
