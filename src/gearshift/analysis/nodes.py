"""Nodes of a graph: how messages name them, what they hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import onnx_ir as ir

from gearshift.errors import UnsupportedModelError

UNSUPPORTED: Final = "E19010"
"""ATC's code for an operator that no compile can take, whatever it is given."""

INTEGERS: Final = frozenset(
    {
        ir.DataType.INT8,
        ir.DataType.INT16,
        ir.DataType.INT32,
        ir.DataType.INT64,
        ir.DataType.UINT8,
        ir.DataType.UINT16,
        ir.DataType.UINT32,
        ir.DataType.UINT64,
    }
)
"""Types that hold whole numbers of some width."""


def describe(node: ir.Node) -> str:
    """The way messages name a node: ``node 'conv1' (Conv)``."""
    op = f"{node.domain}::{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
    if node.name:
        return f"node '{node.name}' ({op})"
    return f"the {op} node that gives '{output_names(node)[0]}'"


def output_names(node: ir.Node) -> list[str]:
    """Names of the node's outputs that are in use."""
    return [value.name for value in node.outputs if value.name]


def refusal(
    node: ir.Node, problem: str, *, tensor: str | None = None, code: str | None = None
) -> UnsupportedModelError:
    """The error of a node that stands in the way; `problem` follows the node's name."""
    return UnsupportedModelError(
        f"{describe(node)} {problem}",
        node=node.name or "",
        op_type=node.op_type,
        tensor=output_names(node)[0] if tensor is None else tensor,
        code=code,
    )


def subgraphs(node: ir.Node) -> list[ir.Graph]:
    """The graphs a node holds (If, Loop, Scan)."""
    graphs: list[ir.Graph] = []
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            graphs.append(attribute.as_graph())
        elif attribute.type == ir.AttributeType.GRAPHS:
            graphs.extend(attribute.as_graphs())
    return graphs


def inner_nodes(node: ir.Node) -> Iterator[ir.Node]:
    """Every node inside the node's subgraphs, at any depth."""
    for graph in subgraphs(node):
        yield from ir.traversal.RecursiveGraphIterator(graph)
