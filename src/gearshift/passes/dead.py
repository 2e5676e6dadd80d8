"""Remove what no output depends on."""

from __future__ import annotations

import onnx_ir as ir

from gearshift.analysis.nodes import subgraphs


class RemoveDead(ir.passes.InPlacePass):
    """Removes nodes and initializers that nothing reads; inputs and outputs stay.

    onnx_ir has such a pass too, but it also rewrites the nodes it keeps (some versions clear
    ``training_mode`` of a BatchNormalization, which changes its results).
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Removes in place."""
        modified = _remove_nodes(model.graph)
        graph = model.graph
        kept = {*graph.inputs, *graph.outputs}
        for name, value in list(graph.initializers.items()):
            if value not in kept and not value.uses():
                del graph.initializers[name]
                modified = True
        return ir.passes.PassResult(model, modified=modified)


def _remove_nodes(graph: ir.Graph) -> bool:
    outputs = set(graph.outputs)
    modified = False
    # Backwards, so that a node's readers are gone before the node is looked at.
    for node in reversed(graph):
        if any(value in outputs or value.uses() for value in node.outputs):
            for subgraph in subgraphs(node):
                modified = _remove_nodes(subgraph) or modified
        else:
            graph.remove(node, safe=True)
            modified = True
    return modified
