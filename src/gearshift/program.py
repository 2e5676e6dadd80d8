"""Program: the imported graph, its edge, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from gearshift.tensors import TensorSpec


@dataclass(frozen=True)
class Source:
    """Where a program came from.

    Attributes:
        file: the file's own name, without folders.
        sha256: of the file (and of its external data, in the order of their names).
        opset: version of the default operator set.
        ir_version: of the file.
        producer: name and version of the exporter, as the file gives them.
    """

    file: str
    sha256: str
    opset: int
    ir_version: int
    producer: str


@dataclass(frozen=True)
class Program:
    """An imported model.

    Attributes:
        model: the graph. Passes change it in place; every value in it has a unique name.
        inputs: what a caller feeds, in graph order; -1 for dims that the model leaves open.
        outputs: what a caller gets, in graph order; -1 for dims not known from the file alone.
        source: provenance.
        metadata: the model's own key-value pairs (class names, character lists ...), by key.
    """

    model: ir.Model
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    source: Source
    metadata: tuple[tuple[str, str], ...] = ()

    def has_inside(self, name: str) -> bool:
        """Whether a node, an output of one or a weight goes by that name."""
        return name in self.model.graph.initializers or any(
            name in (node.name, *(output.name for output in node.outputs))
            for node in self.model.graph
        )
