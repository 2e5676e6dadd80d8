"""Give every value and node a name of its own."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import naming


class _NameByOperator(naming.SimpleNameGenerator):
    """A node without a name is called by its operator, which says more than ``node_17``."""

    def generate_node_name(self, node: ir.Node) -> str:
        return node.name or node.op_type


class UniqueNames(ir.passes.InPlacePass):
    """Names what has no name and renames doubles; inputs and outputs keep theirs."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Names in place."""
        return naming.NameFixPass(_NameByOperator())(model)
