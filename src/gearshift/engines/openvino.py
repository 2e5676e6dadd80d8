"""OpenVINO: the network is kept as IR whose constants point into the shared weight pool.

Reading it maps the weights (no copy); each executable is the network reshaped to fixed shapes and
compiled for them, so that nothing is left to decide while it runs. What was compiled can be kept
without its weights as a *blob*, which is read in half the time; the weights are then mapped from
the artifact's file once more, for each copy of the program.
"""

from __future__ import annotations

import ctypes
import hashlib
import io
import os
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Final

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
from gearshift.engines.ir import adds_attention, move_constants, shift_constants
from gearshift.engines.memory import keep_mappings, mappings_like
from gearshift.engines.requests import Requests
from gearshift.errors import EngineError, InputError
from gearshift.lanes import Lanes
from gearshift.options import Precision
from gearshift.placing import usable_cores
from gearshift.tensors import Array, Shape, TensorSpec

_WIDE_INTEGERS = (np.dtype(np.int64), np.dtype(np.uint64), np.dtype(np.uint32))
_INT32 = np.iinfo(np.int32)
_FOREIGN: Final = (RuntimeError, ValueError)
_DESCRIPTORS: Final = "/dev/fd"  # where open files have names of their own
_MOST_ADDED: Final = 10 << 20
"""Bytes of weights, as the artifact holds them, that each program may hold beyond one copy."""
_importing = threading.Lock()


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
            engine_errors(self.name, "reading the model", *_FOREIGN),
            tempfile.TemporaryDirectory(prefix="gearshift-") as folder,
        ):
            network = _core().read_model(model)
            _name_nodes_by_position(network)
            text, weights = Path(folder, "network.xml"), Path(folder, "network.bin")
            ov.serialize(network, text, weights)
            data = np.memmap(weights, np.uint8, "r") if weights.stat().st_size else np.empty(0, "B")
            return move_constants(text.read_bytes(), data, pool)

    def load(self, network: Network, options: EngineOptions) -> LoadedNetwork:
        """Reads nothing yet: executables that are made of blobs need no IR."""
        return _LoadedIR(network, options)


class _LoadedIR(LoadedNetwork):
    def __init__(self, network: Network, options: EngineOptions) -> None:
        self._network = network  # its pool is what the constants point into
        self._options = options
        self._cores = usable_cores()  # whatever the threads may use that build programs later

    def executable(
        self,
        shapes: Mapping[str, Shape],
        lanes: int = 1,
        blob: bytes | None = None,
        threads: int = 0,
    ) -> Executable:
        each = threads or self._options.share(lanes)
        copies = self._copies(lanes, each)
        config = self._config(lanes // copies, each)
        stamp = self._stamp(shapes, config)
        if blob is not None:
            return self._import(blob, stamp, config, copies)
        can_blob = self._network.file is not None and Path(_DESCRIPTORS).is_dir()
        models = [self._shaped(shapes) for _ in range(copies)]
        doing = f"compiling for {dict(shapes)}"
        compiled = _side_by_side([partial(_compile, model, config, doing) for model in models])
        return _CompiledIR(compiled, self._network, stamp if can_blob else None)

    def _copies(self, lanes: int, each: int) -> int:
        """How many times the network is compiled: once per lane, if that is worth its memory.

        OpenVINO runs a program of one stream and one thread in the thread that calls it, and one of
        several streams in threads of its own, so that each run waits for two threads to wake. But
        streams share one copy of the weights.
        """
        added = (lanes - 1) * self._network.pool.nbytes
        return lanes if each == 1 and added <= _MOST_ADDED else 1

    @cached_property
    def _source(self) -> ov.Model:
        with engine_errors("openvino", "reading the network", *_FOREIGN):
            return _read(self._network)

    @cached_property
    def _safely(self) -> dict[str, object]:
        """Fusing of loops is left out where it would end the process."""
        return {"SNIPPETS_MODE": "DISABLE"} if adds_attention(self._network.topology) else {}

    def _config(self, streams: int, each: int) -> dict[str, object]:
        return {
            **self._safely,
            **({} if self._is_pinned(streams, each) else {"ENABLE_CPU_PINNING": False}),
            # Left to itself, OpenVINO computes in bf16 on CPUs that have it, and quantises the
            # activations that meet int8 weights.
            "INFERENCE_PRECISION_HINT": self._options.precision,
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams * each,
            "CACHE_MODE": "OPTIMIZE_SIZE",  # blobs without weights
        }

    def _is_pinned(self, streams: int, each: int) -> bool:
        """Whether threads are bound to cores of their own, as OpenVINO does unless told not to.

        Several threads of a run are left to it. Not a program's single thread: it is the caller's,
        and would be moved at each run. Nor streams of one thread that leave cores free: every
        process and session would bind them to the same ones.
        """
        return each > 1 or 1 < streams >= self._cores

    def _shaped(self, shapes: Mapping[str, Shape]) -> ov.Model:
        model = self._source.clone()
        with engine_errors("openvino", f"compiling for {dict(shapes)}", *_FOREIGN):
            model.reshape(
                {
                    index: ov.PartialShape(list(shapes[spec.name]))
                    for index, spec in enumerate(self._network.inputs)
                }
            )
        return model

    def _import(
        self, blob: bytes, stamp: bytes, config: Mapping[str, object], copies: int
    ) -> Executable:
        file = self._network.file
        if file is None or blob[: len(stamp)] != stamp:
            raise EngineError(
                "openvino cannot use this blob: it was made of another network, for other shapes, "
                "lanes, threads or precision, or by another version. Build without it."
            )
        # OpenVINO takes the weights' file by name, and by now that name may be another file's.
        with file.reopen() as held, _importing:
            before = mappings_like(file.content)
            where = {"WEIGHTS_PATH": f"{_DESCRIPTORS}/{held.fileno()}"}
            with engine_errors("openvino", "reading a blob", *_FOREIGN):
                settings = {**config, **where}
                build = partial(_core().import_model, blob[len(stamp) :], "CPU", settings)
                compiled = _side_by_side([build] * copies)
            executable = _CompiledIR(compiled, self._network, None)
            keep_mappings(executable, mappings_like(file.content) - before)
        return executable

    def _stamp(self, shapes: Mapping[str, Shape], config: Mapping[str, object]) -> bytes:
        """What a blob begins with, to be told from one that was made for anything else."""
        network = self._network
        made_for = (ov.__version__, network.pool_start, sorted(shapes.items()), config)
        digest = hashlib.sha256(repr(made_for).encode())
        digest.update(network.topology)
        return digest.digest()


def _compile(model: ov.Model, config: Mapping[str, object], doing: str) -> Any:
    with engine_errors("openvino", doing, *_FOREIGN):
        return _core().compile_model(model, "CPU", config)


class _CompiledIR(Executable):
    """One network, compiled once or once per lane.

    A caller borrows one of its infer requests, so threads never share.
    """

    def __init__(self, compiled: Sequence[Any], network: Network, stamp: bytes | None) -> None:
        self._compiled = compiled
        self._network = network
        self._stamp = stamp
        self._feeds = [_Feed(spec) for spec in network.inputs]
        names = [spec.name for spec in network.inputs]
        # OpenVINO would take an array for such an output for the input itself, and compute on it.
        self._passed = [
            names.index(spec.name) if spec.name in names else None for spec in network.outputs
        ]
        self._results = [
            _Result(spec, output)
            for spec, output in zip(network.outputs, compiled[0].outputs, strict=True)
        ]
        self._requests = Requests(compiled)

    def run(self, feeds: Sequence[Array], into: Sequence[Array | None] = ()) -> list[Array]:
        # Kept until the run is over: a request points into an array and does not keep it alive.
        inputs = [feed.tensor(array) for feed, array in zip(self._feeds, feeds, strict=True)]
        given = into or [None] * len(self._results)
        outputs: list[tuple[Array | None, Any]] = [
            (_copied(feeds[source], target), None) if source is not None else result.tensor(target)
            for result, target, source in zip(self._results, given, self._passed, strict=True)
        ]
        with engine_errors("openvino", "running", *_FOREIGN):
            copy, request = self._requests.take()
            try:
                for index, tensor in enumerate(inputs):
                    request.set_input_tensor(index, tensor)
                # Every time, or a request would write into an array of an earlier run.
                for index, (_, tensor) in enumerate(outputs):
                    if tensor is not None:
                        request.set_output_tensor(index, tensor)
                request.infer(share_outputs=True)  # or it would copy each of them once more
            finally:
                self._requests.give_back(copy, request)
        return [array if array is not None else tensor.data for array, tensor in outputs]

    def blob(self) -> bytes | None:
        """The compiled network without its weights, if it can find them again.

        OpenVINO does not read what it exports of a network that it imported.
        """
        if self._stamp is None:
            return None
        data = io.BytesIO()
        with engine_errors("openvino", "making a blob", *_FOREIGN):
            self._compiled[0].export_model(data)
        return self._stamp + data.getvalue()


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
        return ov.Tensor(array, True)  # shared; said by name, it takes twice as long

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
        return target, ov.Tensor(target, True)  # shared


def _copied(feed: Array, target: Array | None) -> Array:
    """What an output gives that is an input, too."""
    if target is None:
        return feed.copy()
    target[...] = feed
    return target


@cache
def _core() -> ov.Core:
    core = ov.Core()
    if hasattr(os, "register_at_fork"):
        # A forked process would wait on its way out for threads that did not come along.
        forever = partial(ctypes.pythonapi.Py_IncRef, ctypes.py_object(core))
        os.register_at_fork(after_in_child=forever)
    return core


def _side_by_side(builds: Sequence[Callable[[], Any]]) -> list[Any]:
    """Builds copies at once: mostly it is work of one thread."""
    built: list[Any] = []

    def keep(build: Callable[[], Any]) -> None:
        built.append(build())

    # Engines start threads meanwhile, which would be kept off a CPU for good as their maker is: so
    # the lanes are said to have several threads each.
    with closing(Lanes(len(builds), 2 * len(builds))) as lanes:
        lanes.run([partial(keep, build) for build in builds])
    return built


def _read(network: Network) -> ov.Model:
    """The network over its pool; over the whole file the pool lies in, if it lies in one.

    Blobs keep each constant's place as it was read, and that is looked up in a file later.
    """
    if network.file is None:
        return _core().read_model(network.topology, ov.Tensor(network.pool, shared_memory=True))
    topology = shift_constants(network.topology, network.pool_start)
    return _core().read_model(topology, ov.Tensor(network.file.content, shared_memory=True))


def _name_nodes_by_position(network: ov.Model) -> None:
    """Gives nodes that OpenVINO named by a running counter names that depend on the model alone."""
    for position, node in enumerate(network.get_ordered_ops()):
        if node.get_friendly_name() == node.get_name():
            node.set_friendly_name(f"{node.get_type_name()}_at_{position}")
