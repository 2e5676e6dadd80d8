"""OpenVINO: the network is kept as IR whose constants point into the shared weight pool.

Reading it maps the weights (no copy); each executable is the network reshaped to fixed shapes and
compiled for them, so that nothing is left to decide while it runs.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

import numpy as np
import openvino as ov

from gearshift.engines.base import (
    ConstantSink,
    Engine,
    EngineOptions,
    Executable,
    LoadedNetwork,
    Network,
    engine_errors,
)
from gearshift.errors import InputError
from gearshift.options import Precision
from gearshift.tensors import Array, Shape, TensorSpec

_WIDE_INTEGERS = (np.dtype(np.int64), np.dtype(np.uint64), np.dtype(np.uint32))
_INT32 = np.iinfo(np.int32)


class OpenVINOEngine(Engine):
    """Runs networks on the CPU device of OpenVINO."""

    name: ClassVar[str] = "openvino"
    package: ClassVar[str] = "openvino"
    precisions: ClassVar[tuple[Precision, ...]] = ("f32", "f16", "bf16")
    is_narrow: ClassVar[bool] = True

    def version(self) -> str:
        """OpenVINO's version, without the build number."""
        return str(ov.__version__).split("-", maxsplit=1)[0]

    def lower(self, model: Path, pool: ConstantSink) -> bytes:
        """ONNX -> IR text; the constants go to the pool, where most of them lie already."""
        with (
            engine_errors(self.name, "reading the model", RuntimeError, ValueError),
            tempfile.TemporaryDirectory(prefix="gearshift-") as folder,
        ):
            network = _core().read_model(model)
            _name_nodes_by_position(network)
            text, weights = Path(folder, "network.xml"), Path(folder, "network.bin")
            ov.serialize(network, text, weights)
            data = np.memmap(weights, np.uint8, "r") if weights.stat().st_size else np.empty(0, "B")
            return _move_constants(text.read_bytes(), data, pool)

    def load(self, network: Network, options: EngineOptions) -> LoadedNetwork:
        """Reads the IR over the pool."""
        with engine_errors(self.name, "reading the network", RuntimeError, ValueError):
            weights = ov.Tensor(network.pool, shared_memory=True)
            model = _core().read_model(network.topology, weights)
        return _LoadedIR(model, network, options)


class _LoadedIR(LoadedNetwork):
    def __init__(self, model: ov.Model, network: Network, options: EngineOptions) -> None:
        self._model = model
        self._network = network  # its pool is what the constants point into
        self._config = {
            # Left to itself, OpenVINO computes in bf16 on CPUs that have it, and quantises the
            # activations that meet int8 weights.
            "INFERENCE_PRECISION_HINT": options.precision,
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._options = options

    def executable(
        self, shapes: Mapping[str, Shape], lanes: int = 1, blob: bytes | None = None
    ) -> Executable:
        with engine_errors("openvino", f"compiling for {dict(shapes)}", RuntimeError, ValueError):
            model = self._model.clone()
            model.reshape(
                {
                    index: ov.PartialShape(list(shapes[spec.name]))
                    for index, spec in enumerate(self._network.inputs)
                }
            )
            threads = {
                "NUM_STREAMS": lanes,
                "INFERENCE_NUM_THREADS": lanes * self._options.share(lanes),
            }
            compiled = _core().compile_model(model, "CPU", self._config | threads)
            return _CompiledIR(compiled, self._network)


class _CompiledIR(Executable):
    """One compiled network; a caller borrows one of its infer requests, so threads never share."""

    def __init__(self, compiled: Any, network: Network) -> None:
        self._compiled = compiled
        self._network = network
        self._feeds = [_Feed(spec) for spec in network.inputs]
        self._results = [
            _Result(spec, output)
            for spec, output in zip(network.outputs, compiled.outputs, strict=True)
        ]
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    def run(self, feeds: Sequence[Array], into: Sequence[Array | None] = ()) -> list[Array]:
        # Kept until the run is over: a request points into an array and does not keep it alive.
        inputs = [feed.tensor(array) for feed, array in zip(self._feeds, feeds, strict=True)]
        given = into or [None] * len(self._results)
        outputs = [result.tensor(array) for result, array in zip(self._results, given, strict=True)]
        request = self._borrow()
        try:
            with engine_errors("openvino", "running", RuntimeError, ValueError):
                for index, tensor in enumerate(inputs):
                    request.set_input_tensor(index, tensor)
                # Every time, or a request would write into an array of an earlier run.
                for index, (_, tensor) in enumerate(outputs):
                    request.set_output_tensor(index, tensor)
                request.infer(share_outputs=True)  # or it would copy each of them once more
        finally:
            with self._lock:
                self._idle.append(request)
        return [tensor.data if array is None else array for array, tensor in outputs]

    def _borrow(self) -> Any:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._compiled.create_infer_request()


class _Feed:
    """How the arrays of one input get to a request."""

    def __init__(self, spec: TensorSpec) -> None:
        self._name = spec.name
        self._is_wide = spec.dtype.numpy in _WIDE_INTEGERS

    def tensor(self, array: Array) -> Any:
        """A tensor over that array."""
        if self._is_wide and array.size:
            self._refuse_wide(array)
        if not array.flags.writeable:  # OpenVINO shares writeable memory only
            array = array.copy()
        return ov.Tensor(array, shared_memory=True)

    def _refuse_wide(self, array: Array) -> None:
        """The CPU device computes integers in 32 bits and would clamp without a word."""
        low, high = int(array.min()), int(array.max())
        if low < _INT32.min or high > _INT32.max:
            raise InputError(
                f"input {self._name!r} holds {low if low < _INT32.min else high}, and OpenVINO "
                "computes integers in 32 bits on the CPU. Load the model with "
                "engine='onnxruntime'."
            )


class _Result:
    """Where a request writes one output."""

    def __init__(self, spec: TensorSpec, output: Any) -> None:
        self._type = output.element_type
        self._dtype = spec.dtype.numpy
        self._nothing = ov.Shape([0] * len(spec.shape))
        self._shape = None if output.partial_shape.is_dynamic else tuple(output.shape)

    def tensor(self, target: Array | None) -> tuple[Array | None, Any]:
        """A tensor over the target, or over a new array; without one, if only running sizes it."""
        if target is None:
            if self._shape is None:
                return None, ov.Tensor(self._type, self._nothing)
            target = np.empty(self._shape, self._dtype)
        return target, ov.Tensor(target, shared_memory=True)


@cache
def _core() -> ov.Core:
    return ov.Core()


def _name_nodes_by_position(network: ov.Model) -> None:
    """Gives nodes that OpenVINO named by a running counter names that depend on the model alone."""
    for position, node in enumerate(network.get_ordered_ops()):
        if node.get_friendly_name() == node.get_name():
            node.set_friendly_name(f"{node.get_type_name()}_at_{position}")


def _move_constants(text: bytes, data: Array, pool: ConstantSink) -> bytes:
    """Points every constant of an IR text at the pool instead of the IR's own weights file."""
    root = ElementTree.fromstring(text)
    for layer in root.iter("layer"):
        if layer.get("type") != "Const":
            continue
        where = layer.find("data")
        if where is None:
            continue
        start, size = int(where.attrib["offset"]), int(where.attrib["size"])
        where.set("offset", str(pool.add(data[start : start + size].tobytes())))
    return ElementTree.tostring(root)
