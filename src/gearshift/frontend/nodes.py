"""The nodes of an ONNX file, each held against its operator's schema by itself."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

_FAULTS = (onnx.checker.ValidationError, UnicodeDecodeError)


def nodes_of(graph: onnx.GraphProto) -> Iterator[tuple[str, onnx.NodeProto]]:
    """Every node with the place of the graph it is in; those inside a node follow it."""
    return _nodes_of(graph, "")


def _nodes_of(graph: onnx.GraphProto, place: str) -> Iterator[tuple[str, onnx.NodeProto]]:
    for index, node in enumerate(graph.node):
        yield place, node
        for attribute in node.attribute:
            for number, inner in enumerate((attribute.g, *attribute.graphs)):
                yield from _nodes_of(inner, f"{place}/{index}.{attribute.name}.{number}")


class NodeChecker:
    """Checks single nodes of one file: attributes, numbers of inputs and outputs, operator."""

    def __init__(self, message: onnx.ModelProto) -> None:
        self._functions = {(entry.domain, entry.name) for entry in message.functions}
        self._context = onnx.checker.C.CheckerContext()
        self._context.ir_version = message.ir_version
        self._opsets = {_plain(entry.domain): entry.version for entry in message.opset_import}
        self._context.opset_imports = self._opsets

    def fault(self, node: onnx.NodeProto) -> str | None:
        """What is wrong with a node, as a sentence; None if nothing is."""
        if (node.domain, node.op_type) in self._functions:
            return None
        alone = onnx.NodeProto()
        alone.CopyFrom(node)
        alone.domain = _plain(node.domain)
        for attribute in alone.attribute:
            # Graphs inside read what only the file around them gives; their nodes come one by one.
            for inner in (attribute.g, *attribute.graphs):
                if inner.ByteSize():
                    inner.Clear()
                    inner.name = "inner"
        try:
            onnx.checker.check_node(alone, self._context)
        except _FAULTS as error:
            said = "" if isinstance(error, UnicodeDecodeError) else str(error).strip()
            return said.splitlines()[0].rstrip(".") if said else "a name in it is not UTF-8"
        return None

    def has_schema(self, node: onnx.NodeProto) -> bool:
        """Whether ONNX has that operator in the version that the file asks for, if it asks."""
        domain = _plain(node.domain)
        if domain not in self._opsets:
            return True
        try:
            onnx.defs.get_schema(node.op_type, self._opsets[domain], domain)
        except onnx.defs.SchemaError:
            return False
        return True


def _plain(domain: str) -> str:
    """ONNX's own operators go by two domain names."""
    return "" if domain == "ai.onnx" else domain
