"""Turn Constant nodes that hold weights into initializers."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes import common


class LiftConstants(ir.passes.InPlacePass):
    """Some exporters write weights as Constant nodes; only initializers go to the weight pool.

    Short constants (shapes, axes, scalars) stay nodes: engines fold those while they load.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Lifts in place."""
        return common.LiftConstantsToInitializersPass()(model)
