"""Bring every weight to the main graph's initializers, from where it goes to the weight pool."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes import common


class LiftConstants(ir.passes.InPlacePass):
    """Some exporters write weights as Constant nodes, or as initializers of an If's branches.

    Short constants (shapes, axes, scalars) stay nodes: engines fold those while they load.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Lifts in place."""
        from_nodes = common.LiftConstantsToInitializersPass()(model)
        from_branches = common.LiftSubgraphInitializersToMainGraphPass()(model)
        return ir.passes.PassResult(model, from_nodes.modified or from_branches.modified)
