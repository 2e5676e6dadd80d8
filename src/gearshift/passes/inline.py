"""Replace calls of the model's own functions by their bodies."""

from __future__ import annotations

import graphlib

import onnx_ir as ir
from onnx_ir.passes import common

from gearshift.errors import ModelError


class Inline(ir.passes.InPlacePass):
    """Inlines every function of the model, so that the rest sees standard operators only."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Inlines; a model without functions stays as it is."""
        if not model.functions:
            return ir.passes.PassResult(model, modified=False)
        _check_circles(model)
        common.InlinePass()(model)
        return ir.passes.PassResult(model, modified=True)


def _check_circles(model: ir.Model) -> None:
    """Some versions of onnx_ir never come back from functions that call each other."""
    calls = {
        key: {node.op_identifier() for node in ir.traversal.RecursiveGraphIterator(function)}
        for key, function in model.functions.items()
    }
    try:
        graphlib.TopologicalSorter(calls).prepare()
    except graphlib.CycleError as error:
        names = " -> ".join(f"{domain}::{name}" for domain, name, _ in error.args[1])
        raise ModelError(f"its functions call each other in a circle: {names}") from error
