"""Drop what the file says of inner tensors and where its nodes came from."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes import common


class DropStale(ir.passes.InPlacePass):
    """Drops inner shapes, metadata and doc strings.

    Inner shapes in a file are those of the batch it was exported with; engines believe them over
    the graph, so they go, and outputs keep only their element type and rank. Names of source files
    and stack traces that exporters leave behind are of no use to anybody who runs the model.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Drops in place."""
        modified = common.ClearMetadataAndDocStringPass()(model).modified
        for node in ir.traversal.RecursiveGraphIterator(model.graph):
            for value in node.outputs:
                modified = _forget(value) or modified
        return ir.passes.PassResult(model, modified=modified)


def _forget(value: ir.Value) -> bool:
    if value.is_graph_output():
        if value.shape is None or _all_open(value.shape):
            return False
        value.shape = ir.Shape([None] * len(value.shape))
        return True
    known = value.shape is not None or value.type is not None
    value.shape = None
    value.type = None
    return known


def _all_open(shape: ir.Shape) -> bool:
    return all(not isinstance(dim, int) and dim.value is None for dim in shape)
