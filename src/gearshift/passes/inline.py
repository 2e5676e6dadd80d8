"""Replace calls of the model's own functions by their bodies."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes import common


class Inline(ir.passes.InPlacePass):
    """Inlines every function of the model, so that the rest sees standard operators only."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Inlines; a model without functions stays as it is."""
        if not model.functions:
            return ir.passes.PassResult(model, modified=False)
        common.InlinePass()(model)
        return ir.passes.PassResult(model, modified=True)
