"""Staging: the program as an ONNX file whose weights lie in one pool, ready for every engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx_ir as ir

from gearshift.artifact.pool import WeightPool
from gearshift.engines.base import Constant
from gearshift.program import Program
from gearshift.tensors import Array, dtype_of_onnx

_WEIGHTS_FILE: Final = "weights"
_SMALLEST_POOLED: Final = 64
"""Bytes. Smaller initializers are shapes and scalars, which engines look at while reading."""
_LARGEST_LIST: Final = 1024
"""Bytes. Lists of whole numbers up to here may be such too: Pad takes two for each dim."""


@dataclass(frozen=True)
class Staged:
    """A program laid out on disk.

    Attributes:
        model: the ONNX file; its weights are beside it.
        pool: the weights, to which engines may add constants of their own.
        constants: where in the pool each initializer lies.
    """

    model: Path
    pool: WeightPool
    constants: tuple[Constant, ...]

    def map_pool(self) -> Array:
        """The whole pool as it is now, mapped from a file the way an artifact's is."""
        file = self.model.with_name("pool")
        with file.open("wb") as stream:
            self.pool.write(stream)
        if not self.pool.nbytes:
            return np.empty(0, np.uint8)
        return np.memmap(file, np.uint8, "c")


def stage(program: Program, folder: Path) -> Staged:
    """Writes a program into an empty folder. The program's initializers point there afterwards."""
    pool = WeightPool()
    constants = []
    for name, value in program.model.graph.initializers.items():
        tensor = value.const_value
        dtype = dtype_of_onnx(int(tensor.dtype)) if tensor is not None else None
        if tensor is None or dtype is None or _is_looked_at(tensor):
            value.const_value = _inline(tensor)
            continue
        shape = tuple(int(dim) for dim in tensor.shape.numpy())
        constant = Constant(name, dtype, shape, pool.add(tensor.numpy()))
        constants.append(constant)
        value.const_value = ir.ExternalTensor(
            _WEIGHTS_FILE,
            constant.offset,
            constant.nbytes,
            tensor.dtype,
            shape=ir.Shape(shape),
            name=name,
            base_dir=folder,
        )
    with (folder / _WEIGHTS_FILE).open("wb") as stream:
        pool.write(stream)
    model = folder / "model.onnx"
    ir.save(program.model, model)
    return Staged(model, pool, tuple(constants))


def _is_looked_at(tensor: ir.TensorProtocol) -> bool:
    """Whether engines may want its numbers while they read the model."""
    is_list = tensor.dtype in (ir.DataType.INT64, ir.DataType.INT32) and len(tensor.shape) == 1
    return tensor.nbytes < _SMALLEST_POOLED or (is_list and tensor.nbytes <= _LARGEST_LIST)


def _inline(tensor: ir.TensorProtocol | None) -> ir.TensorProtocol | None:
    """The tensor itself where the file only said where it lies."""
    if not isinstance(tensor, ir.ExternalTensor):
        return tensor
    return ir.Tensor(np.array(tensor.numpy()), tensor.dtype, name=tensor.name)
