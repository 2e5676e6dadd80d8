"""What an engine is to gearshift: lower once at compile time, load, build one executable per shape.

An engine never sees a Program. At compile time it gets an ONNX file on disk, at run time the bytes
it made of it (its *topology*) and the weight pool, which every engine shares.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, Protocol

import numpy as np

from gearshift.errors import EngineError, GearshiftError
from gearshift.options import Precision
from gearshift.placing import usable_cores
from gearshift.tensors import Array, DType, Shape, TensorSpec


@dataclass(frozen=True)
class EngineOptions:
    """What the user may choose of an engine.

    Attributes:
        precision: what float32 networks are computed in; never left to the engine.
        threads: threads of one run; None means one per CPU this process may run on.
        alone: whether no other threads of ours run in this process, another engine's or its own
            for another number of lanes, so that its threads may keep the cores busy for a while
            after a run, waiting for the next.
    """

    precision: Precision = "f32"
    threads: int | None = None
    alone: bool = False

    def share(self, lanes: int) -> int:
        """Threads of one run, with so many side by side."""
        return max(1, thread_count(self.threads) // lanes)


@dataclass(frozen=True)
class Constant:
    """One tensor of the weight pool: ``nbytes`` bytes at `offset`, little-endian, row-major."""

    name: str
    dtype: DType
    shape: Shape
    offset: int

    @property
    def nbytes(self) -> int:
        """Size in the pool."""
        return TensorSpec(self.name, self.dtype, self.shape).nbytes(self.shape)


@dataclass(frozen=True, eq=False)
class MappedFile:
    """The file that a pool lies in.

    Attributes:
        path: where it was when it was mapped.
        identity: its device and inode numbers, which no other file has while it is mapped.
        content: the whole of it, mapped.
    """

    path: Path
    identity: tuple[int, int]
    content: Array

    def reopen(self) -> BinaryIO:
        """The same file, open for reading. Raises EngineError if it is no longer there."""
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise EngineError(f"{self.path} cannot be opened again: {error}.") from error
        found = os.fstat(file.fileno())
        if (found.st_dev, found.st_ino) != self.identity:
            file.close()
            raise EngineError(f"{self.path} was replaced by another file since it was loaded.")
        return file


@dataclass(frozen=True)
class Network:
    """What an engine loads.

    Attributes:
        topology: the bytes its `lower` returned.
        pool: all weights, one-dimensional uint8; mapped copy-on-write where it comes from a file.
        constants: the tensors in the pool that ONNX initializers of the network refer to by name.
        inputs: in order, -1 where the gear decides.
        outputs: in order, -1 where the gear decides.
        file: what the pool was mapped from; None if it only exists in memory.
    """

    topology: bytes
    pool: Array
    constants: tuple[Constant, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    file: MappedFile | None = None

    @property
    def pool_start(self) -> int:
        """Where in its file the pool begins."""
        return 0 if self.file is None else self.pool.ctypes.data - self.file.content.ctypes.data


class ConstantSink(Protocol):
    """Where an engine puts constants that its topology refers to by offset."""

    def add(self, data: bytes) -> int:
        """Offset of those bytes in the pool; equal bytes are stored once."""
        ...


class Executable(ABC):
    """A network ready to run at certain input shapes. Safe to call from several threads."""

    @abstractmethod
    def run(self, feeds: Sequence[Array], into: Sequence[Array | None] = ()) -> list[Array]:
        """Runs once.

        Args:
            feeds: one C-contiguous array per network input, of exactly the executable's shapes;
                any number of rows where these are open.
            into: where to write the outputs, one C-contiguous array of exactly its shape per
                network output, None for one that is to be made; empty for all of them.

        Returns:
            One array per network output, owned by the caller: those of `into` where given.
        """

    def blob(self) -> bytes | None:
        """What `LoadedNetwork.executable` makes this executable of again, more quickly.

        None where the engine has no such thing, or this executable was itself made of one.
        """
        return None


def place(made: Sequence[Array], into: Sequence[Array | None]) -> list[Array]:
    """For engines that cannot write into a given array: what they made, copied where it belongs."""
    if not into:
        return list(made)
    placed = []
    for array, target in zip(made, into, strict=True):
        if target is None:
            placed.append(array)
        else:
            np.copyto(target, array, casting="no")
            placed.append(target)
    return placed


class LoadedNetwork(ABC):
    """A network opened by one engine; makes executables."""

    @abstractmethod
    def executable(
        self,
        shapes: Mapping[str, Shape],
        lanes: int = 1,
        blob: bytes | None = None,
        threads: int = 0,
    ) -> Executable:
        """Builds the executable for those input shapes. May be slow and may take memory.

        Args:
            shapes: by input name; -1 at axis 0 leaves the number of rows open.
            lanes: how many threads will run it at once, each on its share of the engine's threads.
            blob: what an executable made for the same gave as its `blob`. It is trusted: never pass
                bytes that may have changed since. Engines that give none take no notice of it.
            threads: of one run, instead of a share.

        Raises:
            EngineError: the engine refused the network, or the blob.
        """

    def close(self) -> None:  # noqa: B027 - most engines have nothing to give back by hand
        """Gives back what the engine holds."""


class Engine(ABC):
    """One engine. Stateless: what it loads is in LoadedNetwork."""

    name: ClassVar[str]
    package: ClassVar[str]
    """The distribution that has to be installed."""
    precisions: ClassVar[tuple[Precision, ...]] = ("f32",)
    is_narrow: ClassVar[bool] = False
    """Whether it computes float64 in float32 and wide integers in fewer bits, without a word."""
    fixed_programs: ClassVar[bool] = True
    """Whether a program for a fixed number of rows is another one than that for any number."""
    spins: ClassVar[bool] = False
    """Whether its threads keep the cores busy after a run if it is said to be alone."""

    @abstractmethod
    def version(self) -> str:
        """Version of the library. Raises EngineError if it is not installed."""

    @abstractmethod
    def lower(self, model: Path, pool: ConstantSink) -> bytes:
        """Turns an ONNX file (external weights beside it) into this engine's topology."""

    @abstractmethod
    def load(self, network: Network, options: EngineOptions) -> LoadedNetwork:
        """Opens a network."""


class engine_errors:  # noqa: N801 - used like a function
    """Turns an engine library's exceptions into EngineError, saying what was being done."""

    # A class, because one made of a generator costs a run of a small network as much as a copy.
    __slots__ = ("_doing", "_engine", "_foreign")

    def __init__(self, engine: str, doing: str, *foreign: type[Exception]) -> None:
        self._engine, self._doing, self._foreign = engine, doing, foreign

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, self._foreign) and not isinstance(error, GearshiftError):
            first_lines = "\n".join(str(error).strip().splitlines()[:6])
            message = f"{self._engine} failed while {self._doing}: {first_lines}"
            raise EngineError(message) from error


def thread_count(threads: int | None) -> int:
    """How many threads a run takes, with so many asked for."""
    return threads or usable_cores()
