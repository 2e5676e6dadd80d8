"""ONNX Runtime: one session with an open batch dim serves every gear; weights are mapped.

A session per gear would repack the weights once per gear; one session measured as fast here (see
docs/adr/0004-engines.md), so an executable is only a view of it. There is one for each number of
threads that runs are asked to take, made when the first executable needs it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final
from weakref import WeakValueDictionary

import numpy as np

# A library that is asked to run a model does not report home; who wants that sets the variable.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as state

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

_FOREIGN: tuple[type[Exception], ...] = (
    *(
        error
        for error in vars(state).values()
        if isinstance(error, type) and issubclass(error, Exception)
    ),
    RuntimeError,
    ValueError,
)


class OnnxRuntimeEngine(Engine):
    """Runs networks on ONNX Runtime's CPU provider, in float32."""

    name: ClassVar[str] = "onnxruntime"
    package: ClassVar[str] = "onnxruntime"
    fixed_programs: ClassVar[bool] = False
    spins: ClassVar[bool] = True

    def version(self) -> str:
        """ONNX Runtime's version."""
        return str(ort.__version__)

    def lower(self, model: Path, pool: ConstantSink) -> bytes:
        """The ONNX file itself, without its weights."""
        topology = model.read_bytes()
        with engine_errors(self.name, "reading the model", *_FOREIGN):
            ort.InferenceSession(str(model), _options(1, optimise=False), _PROVIDERS)
        return topology

    def load(self, network: Network, options: EngineOptions) -> LoadedNetwork:
        """Takes the pool's arrays as weights; the network is read for the first executable."""
        with engine_errors(self.name, "taking the weights", *_FOREIGN):
            weights = {
                constant.name: ort.OrtValue.ortvalue_from_numpy(
                    network.pool[constant.offset : constant.offset + constant.nbytes]
                    .view(constant.dtype.numpy)
                    .reshape(constant.shape)
                )
                for constant in network.constants
            }
        return _LoadedSessions(network, weights, options)


class UnoptimisedModel:
    """An ONNX file run as it is, every optimisation off: the reference that gears are held to."""

    def __init__(self, model: Path, threads: int) -> None:
        with engine_errors("onnxruntime", "reading the model", *_FOREIGN):
            settings = _options(threads, optimise=False)
            self._session = ort.InferenceSession(str(model), settings, _PROVIDERS)

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """All outputs, in order."""
        with engine_errors("onnxruntime", "running the reference", *_FOREIGN):
            return [np.asarray(output) for output in self._session.run(None, dict(feeds))]


class _LoadedSessions(LoadedNetwork):
    def __init__(
        self, network: Network, weights: Mapping[str, Any], options: EngineOptions
    ) -> None:
        self._network = network
        self._weights = weights
        self._options = options
        # By threads; a session goes when the last executable that looks at it does.
        self._sessions: WeakValueDictionary[int, Any] = WeakValueDictionary()

    def executable(
        self,
        shapes: Mapping[str, Shape],
        lanes: int = 1,
        blob: bytes | None = None,
        threads: int = 0,
    ) -> Executable:
        threads = threads or self._options.share(lanes)
        session = self._sessions.get(threads)
        if session is None:
            session = self._sessions[threads] = self._open(threads)
        return _SessionView(session, self._network, self._weights)

    def _open(self, threads: int) -> Any:
        settings = _options(threads, optimise=True, keep_spinning=self._options.alone)
        # Weights come from the pool alone: a topology that names any other file is refused,
        # because in a folder that cannot exist no file does.
        settings.add_session_config_entry(_WEIGHTS_FOLDER, os.devnull)
        with engine_errors("onnxruntime", "reading the network", *_FOREIGN):
            if self._weights:
                settings.add_external_initializers(
                    list(self._weights), list(self._weights.values())
                )
            return ort.InferenceSession(self._network.topology, settings, _PROVIDERS)


class _SessionView(Executable):
    def __init__(self, session: Any, network: Network, weights: Mapping[str, Any]) -> None:
        self._session = session
        self._weights = weights  # the session reads this memory and does not own it
        self._inputs = [spec.name for spec in network.inputs]
        self._outputs = [spec.name for spec in network.outputs]
        self._passed = {name for name in self._outputs if name in self._inputs}

    def run(self, feeds: Sequence[Array], into: Sequence[Array | None] = ()) -> list[Array]:
        with engine_errors("onnxruntime", "running", *_FOREIGN):
            if sum(target.nbytes for target in into if target is not None) > _WORTH_BINDING:
                return self._run_into(feeds, into)
            named = dict(zip(self._inputs, feeds, strict=True))
            made = [np.asarray(output) for output in self._session.run(None, named)]
        if self._passed:  # of these, some versions give the arrays that were fed
            made = [
                array.copy() if name in self._passed else array
                for name, array in zip(self._outputs, made, strict=True)
            ]
        return place(made, into)

    def _run_into(self, feeds: Sequence[Array], into: Sequence[Array | None]) -> list[Array]:
        binding = self._session.io_binding()
        for name, feed in zip(self._inputs, feeds, strict=True):
            binding.bind_cpu_input(name, feed)
        for name, target in zip(self._outputs, into, strict=True):
            if target is None:
                binding.bind_output(name, "cpu")
            else:
                address = target.ctypes.data
                binding.bind_output(name, "cpu", 0, target.dtype.type, target.shape, address)
        self._session.run_with_iobinding(binding)
        return [
            np.array(made.numpy()) if target is None else target
            for made, target in zip(binding.get_outputs(), into, strict=True)
        ]


_WORTH_BINDING: Final = 1 << 16
"""Bytes that take as long to copy as it takes to tell a session where to write them."""

_PROVIDERS = ["CPUExecutionProvider"]
_WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"


def _options(threads: int, *, optimise: bool, keep_spinning: bool = False) -> Any:
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 4  # what it would print as an error it raises as well
    if not optimise:
        settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if not keep_spinning:
        # A pool that spins on after the run (47 ms) starves whatever else runs: another engine's
        # or another session's runs took 1.4 to 2 times as long. One that stops can be slow to wake:
        # a run after 60 ms took up to 2.2 times as long. To spin for 1 to 5 ms is both, less.
        settings.add_session_config_entry("session.force_spinning_stop", "1")
    return settings
