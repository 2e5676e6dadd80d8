"""The reference engine: the ONNX project's own numpy evaluator. Slow, independent, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from gearshift.engines.base import (
    ConstantSink,
    Engine,
    EngineOptions,
    Executable,
    LoadedNetwork,
    Network,
    engine_errors,
    place,
)
from gearshift.tensors import Array, Shape

_FOREIGN = (RuntimeError, ValueError, TypeError, NotImplementedError, IndexError, KeyError)


class ReferenceEngine(Engine):
    """Runs networks on ``onnx.reference``."""

    name: ClassVar[str] = "reference"
    package: ClassVar[str] = "onnx"

    def version(self) -> str:
        """The onnx package's version."""
        return str(onnx.__version__)

    def lower(self, model: Path, pool: ConstantSink) -> bytes:
        """The ONNX file itself, without its weights."""
        return model.read_bytes()

    def load(self, network: Network, options: EngineOptions) -> LoadedNetwork:
        """Puts the pool's weights back into the ONNX model."""
        with engine_errors(self.name, "reading the network", *_FOREIGN):
            model = onnx.load_model_from_string(network.topology)
            pooled = {constant.name: constant for constant in network.constants}
            for position, tensor in enumerate(model.graph.initializer):
                constant = pooled.get(tensor.name)
                if constant is not None:
                    data = network.pool[constant.offset : constant.offset + constant.nbytes]
                    array = data.view(constant.dtype.numpy).reshape(constant.shape)
                    filled = onnx.numpy_helper.from_array(array, tensor.name)
                    model.graph.initializer[position].CopyFrom(filled)
            return _LoadedReference(ReferenceEvaluator(model), network)


class _LoadedReference(LoadedNetwork, Executable):
    """The evaluator takes any shape, so one object is the network and each of its executables."""

    def __init__(self, evaluator: ReferenceEvaluator, network: Network) -> None:
        self._evaluator = evaluator
        self._names = [spec.name for spec in network.inputs]

    def executable(
        self,
        shapes: Mapping[str, Shape],
        lanes: int = 1,
        blob: bytes | None = None,
        threads: int = 0,
    ) -> Executable:
        return self

    def run(self, feeds: Sequence[Array], into: Sequence[Array | None] = ()) -> list[Array]:
        with engine_errors("reference", "running", *_FOREIGN):
            named = dict(zip(self._names, feeds, strict=True))
            made = [np.array(output) for output in self._evaluator.run(None, named)]
        return place(made, into)
