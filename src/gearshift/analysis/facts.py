"""Walk a graph at one gear: every value's shape, and every value that is already known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir

from gearshift.program import Program
from gearshift.tensors import Array, Shape


@dataclass(frozen=True)
class Fact:
    """What is known of one value once the gear is set.

    Attributes:
        dtype: element type.
        shape: every dim known.
        value: its elements, where they are known at compile time (small initializers, and whatever
            follows from them and from shapes); None otherwise.
    """

    dtype: ir.DataType
    shape: Shape
    value: Array | None = None


Facts = Mapping[str, Fact]
"""Value name -> Fact, for every value of the main graph (inputs and initializers included)."""


def walk(program: Program, shapes: Mapping[str, Shape]) -> Facts:
    """Everything that is known of the program at those input shapes.

    Args:
        program: the imported program.
        shapes: one fully known shape per input.

    Raises:
        UnsupportedModelError: a node's output shape is not fixed by the input shapes, or the shapes
            do not fit together; names the node, its operator and the tensor.
    """
    raise NotImplementedError
