"""The output types of one node, from the shapes and known values of its inputs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import onnx
import onnx.shape_inference
import onnx_ir as ir

from gearshift.analysis import contrib
from gearshift.analysis.checks import CHECKS
from gearshift.analysis.nodes import UNSUPPORTED, output_names, refusal, subgraphs
from gearshift.tensors import Array, Shape, format_shape

_DATA_LIMIT: Final = 4096
"""Operands that decide a shape are short; longer values are not worth handing to the inference."""
_TAKES_IR_VERSION: Final = (
    "ir_version" in inspect.signature(onnx.shape_inference.infer_node_outputs).parameters
)


class Operand(Protocol):
    """What has to be known of a node's input (`facts.Fact` is one)."""

    @property
    def dtype(self) -> ir.DataType:
        """Element type."""

    @property
    def shape(self) -> Shape:
        """Every dim."""

    @property
    def value(self) -> Array | None:
        """The elements, where known."""


@dataclass(frozen=True)
class OutputType:
    """What is known of a node's output; shape is None where the inputs do not decide it."""

    dtype: ir.DataType
    shape: Shape | None


class Inference:
    """Infers single nodes of a model whose operator sets are given."""

    def __init__(self, opsets: Mapping[str, int], ir_version: int) -> None:
        self._opsets = {_plain(domain): version for domain, version in opsets.items()}
        self._extra: dict[str, Any] = {"ir_version": ir_version} if _TAKES_IR_VERSION else {}
        self._imports = [onnx.helper.make_opsetid(name, v) for name, v in self._opsets.items()]

    def outputs(self, node: ir.Node, known: Mapping[str, Operand]) -> dict[str, OutputType]:
        """Types of the node's outputs by name.

        Args:
            node: the node.
            known: what is known of every value the node and its subgraphs may read.

        Raises:
            UnsupportedModelError: its inputs do not fit together, or nothing is known of the op.
        """
        operands = [known[v.name] if v is not None and v.name else None for v in node.inputs]
        rule = contrib.RULES.get((node.domain, node.op_type))
        if rule is not None:
            return self._by_rule(node, rule, operands)
        inferred = self._by_schema(node, known)
        fallback = contrib.UNINFERRED.get(node.op_type)
        if fallback is not None and all(t.shape is None for t in inferred.values()):
            return self._by_rule(node, fallback, operands)
        _check(node, operands, inferred)
        return inferred

    def check_known(self, node: ir.Node) -> None:
        """Raises UnsupportedModelError if nothing is known of the node's operator at all."""
        if (node.domain, node.op_type) not in contrib.RULES:
            self._schema(node)

    def _by_rule(
        self, node: ir.Node, rule: contrib.Rule, operands: Sequence[Operand | None]
    ) -> dict[str, OutputType]:
        present = [(o.dtype, o.shape) if o is not None else None for o in operands]
        try:
            types = rule(node, present)
        except ValueError as error:
            raise refusal(node, f"cannot take {_seen(node, operands)}: {error}") from error
        return {
            value.name: OutputType(*type_)
            for value, type_ in zip(node.outputs, types, strict=False)
            if value.name
        }

    def _by_schema(self, node: ir.Node, known: Mapping[str, Operand]) -> dict[str, OutputType]:
        schema = self._schema(node)
        read = [v.name for v in node.inputs if v is not None and v.name]
        names = known if subgraphs(node) else read  # a subgraph may read anything before it
        types = {name: type_proto(known[name]) for name in names}
        data = {name: _tensor(name, known[name]) for name in read if _is_data(known[name])}
        try:
            inferred = onnx.shape_inference.infer_node_outputs(
                schema,
                _proto(node, schema),
                types,
                data,
                opset_imports=self._imports,
                **self._extra,
            )
        except _FAULTS as error:
            operands = [known[v.name] if v is not None and v.name else None for v in node.inputs]
            reason = str(error).split("] ", 1)[-1].strip().rstrip(".")
            raise refusal(node, f"cannot take {_seen(node, operands)}: {reason}.") from error
        return {name: _output_type(node, name, proto) for name, proto in inferred.items()}

    def _schema(self, node: ir.Node) -> onnx.defs.OpSchema:
        standard = contrib.STANDARD.get((node.domain, node.op_type))
        domain = "" if standard is not None else _plain(node.domain)
        version = self._opsets.get(domain, 1)
        try:
            return onnx.defs.get_schema(standard or node.op_type, version, domain)
        except onnx.defs.SchemaError as error:
            where = f"domain '{domain}'" if domain else f"ONNX opset {version}"
            raise refusal(
                node,
                f"is an operator of {where} whose output shapes are not known to gearshift; "
                "export the model with standard ONNX operators in its place.",
                code=UNSUPPORTED,
            ) from error


_FAULTS: Final = (
    onnx.checker.ValidationError,
    onnx.shape_inference.InferenceError,
    RuntimeError,
)


def _proto(node: ir.Node, schema: onnx.defs.OpSchema) -> onnx.NodeProto:
    """The node's ONNX form, without what only the operator that it stands for has."""
    proto = ir.to_proto(node)
    if (node.domain, node.op_type) in contrib.STANDARD:
        kept = [a for a in proto.attribute if a.name in schema.attributes]
        del proto.attribute[:]
        proto.attribute.extend(kept)
    return proto


def _plain(domain: str) -> str:
    """ONNX's own operators go by two domain names."""
    return "" if domain == "ai.onnx" else domain


def type_proto(operand: Operand) -> onnx.TypeProto:
    """The ONNX form of an operand's type."""
    return onnx.helper.make_tensor_type_proto(operand.dtype.value, operand.shape)


def _is_data(operand: Operand) -> bool:
    return operand.value is not None and operand.value.size <= _DATA_LIMIT


def _tensor(name: str, operand: Operand) -> onnx.TensorProto:
    assert operand.value is not None
    return onnx.numpy_helper.from_array(operand.value, name)


def _output_type(node: ir.Node, name: str, proto: onnx.TypeProto) -> OutputType:
    if proto.WhichOneof("value") not in ("tensor_type", None):
        raise refusal(
            node,
            f"gives '{name}', which is not a tensor but a sequence, a map or an optional; a model "
            "for gears passes tensors only. Export it without that operator.",
            tensor=name,
            code=UNSUPPORTED,
        )
    tensor = proto.tensor_type
    dims = [d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim]
    known = tensor.HasField("shape") and -1 not in dims
    return OutputType(ir.DataType(tensor.elem_type), tuple(dims) if known else None)


def _check(
    node: ir.Node, operands: Sequence[Operand | None], inferred: Mapping[str, OutputType]
) -> None:
    check = CHECKS.get(node.op_type)
    names = output_names(node)
    output = inferred[names[0]].shape if names and names[0] in inferred else None
    if check is None or output is None:
        return
    problem = check(node, [None if o is None else o.shape for o in operands], output)
    if problem is not None:
        raise refusal(node, f"cannot take {_seen(node, operands)}: {problem}.")


def _seen(node: ir.Node, operands: Sequence[Operand | None]) -> str:
    """``'x' [8, 40], 'shape' [2] = [1, 40]``: the operands as they came."""
    texts = []
    for value, operand in zip(node.inputs, operands, strict=True):
        if value is None or operand is None:
            continue
        text = f"'{value.name}' {format_shape(operand.shape)}"
        if operand.value is not None and operand.value.size <= 8 and operand.value.ndim == 1:
            text += f" = {operand.value.tolist()}"
        texts.append(text)
    return ", ".join(texts)
