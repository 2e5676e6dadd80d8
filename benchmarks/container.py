"""Which container for the artifact: `python -m benchmarks.container`. See docs/adr/0003.

Every container holds the same arrays. Times are of a warm file, interleaved and repeated. A flipped
bit is silent if reading everything, with every check the container has, still gives arrays.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import random
import statistics
import struct
import sys
import tempfile
import time
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from gearshift.artifact import manifest as m
from gearshift.artifact.pool import WeightPool
from gearshift.artifact.reader import Artifact
from gearshift.artifact.writer import write_artifact
from gearshift.errors import ArtifactError
from gearshift.tensors import Array
from gearshift.tuning.cpu import cpu_name

Arrays = Mapping[str, Array]
# What the four readers raise for a file that they notice is damaged.
_REFUSALS: tuple[type[Exception], ...] = (
    *(ArtifactError, ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError),
    *(EOFError, RuntimeError, zipfile.BadZipFile, struct.error, zlib.error),
)


class Container(ABC):
    """One way to put arrays into a file."""

    name: str

    @abstractmethod
    def write(self, path: Path, arrays: Arrays) -> None:
        """Writes all arrays."""

    @abstractmethod
    def read(self, path: Path) -> Arrays:
        """Opens every array as cheaply as the container allows, with no check of the contents."""

    def verify(self, path: Path) -> Arrays:
        """Opens every array after every check there is."""
        return self.read(path)


class Own(Container):
    """The artifact. Its reader has no way to leave the checks out."""

    name = "own format"

    def write(self, path: Path, arrays: Arrays) -> None:
        """Writes an artifact with a manifest of the usual size."""
        pool = WeightPool()
        constants = tuple(
            m.ConstantRecord(name, "float32", array.shape, pool.add(array))
            for name, array in arrays.items()
        )
        source = m.SourceRecord("model.onnx", "0" * 64, 17, 8, "pytorch")
        proof = m.ProofRecord("proved", "", "", "", None, True)
        gear = m.GearRecord((1,), ((1, 8),), 0, ())
        manifest = m.Manifest(
            producer="benchmark",
            source=source,
            mode="batch",
            inputs=(m.InputRecord("x", "float32", (-1, 8)),),
            outputs=(m.OutputRecord("y", "float32", (-1, 8), 0, 1),),
            gears=(gear,),
            proof=proof,
            topologies=(m.TopologyRecord("null", "1", "f32", "null"),),
            constants=constants,
            metadata=(),
            options=(),
            warnings=(),
        )
        write_artifact(path, manifest, {"null": b""}, pool)

    def read(self, path: Path) -> Arrays:
        """Checks everything, then maps."""
        with Artifact.open(path) as artifact:
            pool, constants = artifact.pool, artifact.manifest.constants
        return {c.name: _slice(pool, c.offset, c.shape) for c in constants}


class Safetensors(Container):
    """The layout of a safetensors file, rebuilt here: length, JSON, bytes. No checksum."""

    name = "safetensors layout"

    def write(self, path: Path, arrays: Arrays) -> None:
        """Writes the arrays back to back after the header."""
        header, end = {}, 0
        for name, array in arrays.items():
            offsets = [end, end + array.nbytes]
            header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": offsets}
            end += array.nbytes
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with path.open("wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for array in arrays.values():
                file.write(array.data)

    def read(self, path: Path) -> Arrays:
        """Maps the file."""
        content = _map(path)
        size = int.from_bytes(content[:8].tobytes(), "little")
        header = json.loads(content[8 : 8 + size].tobytes())
        return {
            name: _slice(content, 8 + size + record["data_offsets"][0], record["shape"])
            for name, record in header.items()
        }


class Zip(Container):
    """Stored members; mapped with offsets worked out by hand, which `zipfile` does not offer."""

    name = "zip, stored"

    def write(self, path: Path, arrays: Arrays) -> None:
        """Writes one member per array."""
        with zipfile.ZipFile(path, "w") as archive:
            for name, array in arrays.items():
                archive.writestr(f"{name}-{array.size}", array.tobytes())

    def read(self, path: Path) -> Arrays:
        """Maps the file and finds each member in it."""
        content, found = _map(path), {}
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                at = info.header_offset
                lengths = struct.unpack_from("<HH", content[at + 26 : at + 30].tobytes())
                size = int(info.filename.split("-")[1])
                found[info.filename] = _slice(content, at + 30 + sum(lengths), (size,))
        return found

    def verify(self, path: Path) -> Arrays:
        """Reads every member for its CRC, then maps."""
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                raise ValueError("CRC")
        return self.read(path)


class Npz(Container):
    """numpy's own archive; cannot be mapped."""

    name = "npz"

    def write(self, path: Path, arrays: Arrays) -> None:
        """Writes with `numpy.savez`."""
        with path.open("wb") as file:
            np.savez(file, **dict(arrays))  # type: ignore[arg-type]

    def read(self, path: Path) -> Arrays:
        """Reads everything into memory, CRCs included."""
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}


def _map(path: Path) -> Array:
    with path.open("rb") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), np.uint8)


def _slice(content: Array, offset: int, shape: tuple[int, ...]) -> Array:
    count = int(np.prod(shape))
    return (
        np.ndarray(shape, np.float32, content[offset : offset + 4 * count].data)
        if count
        else content[:0]
    )


def measure(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every call in every round, in a new order each round."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            began = time.perf_counter()
            calls[name]()
            times[name].append(time.perf_counter() - began)
    return times


def silent_flips(container: Container, folder: Path) -> tuple[str, str]:
    """Single-bit flips that go unnoticed: in the arrays' bytes, and in all others."""
    arrays = _arrays(count=3, nbytes=1000, seed=1)
    path = folder / "small"
    container.write(path, arrays)
    whole = path.read_bytes()
    payload = {
        at + i
        for a in arrays.values()
        for at in [whole.index(a.tobytes())]
        for i in range(a.nbytes)
    }
    silent = {True: 0, False: 0}
    for index in range(len(whole)):
        damaged = bytearray(whole)
        damaged[index] ^= 1 << (index % 8)
        path.write_bytes(damaged)
        try:
            container.verify(path)
        except _REFUSALS:
            continue
        silent[index in payload] += 1
    return f"{silent[True]} of {len(payload)}", f"{silent[False]} of {len(whole) - len(payload)}"


def _arrays(count: int, nbytes: int, seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    # Odd sizes, as weights have: what follows a 12-byte bias is not aligned by luck.
    sizes = [nbytes // 4 + 3 * index for index in range(count)]
    return {f"w{i}": rng.standard_normal(size, np.float32) for i, size in enumerate(sizes)}


def _ms(samples: list[float]) -> str:
    low, middle, high = min(samples), statistics.median(samples), max(samples)
    return f"{middle * 1e3:.1f} ({low * 1e3:.1f}-{high * 1e3:.1f})"


def compare_containers(folder: Path, nbytes: int, rounds: int) -> Table:
    """The table of containers."""
    arrays = _arrays(count=200, nbytes=nbytes // 200)
    payload = sum(array.nbytes for array in arrays.values())
    containers: list[Container] = [Own(), Safetensors(), Zip(), Npz()]
    rows: dict[str, list[str]] = {}
    calls: dict[str, Callable[[], object]] = {}
    for container in containers:
        path = folder / container.name
        container.write(path, arrays)
        first = path.read_bytes()
        time.sleep(2.1)  # zip keeps times in steps of two seconds
        container.write(path, arrays)
        opened = container.read(path)
        aligned = sum(array.ctypes.data % 64 == 0 for array in opened.values())
        in_place = not isinstance(container, Npz)
        rows[container.name] = [
            f"{path.stat().st_size - payload}",
            "yes" if first == path.read_bytes() else "no",
            f"yes, {aligned} of {len(opened)} aligned" if in_place else "no",
            *silent_flips(container, folder),
        ]
        calls[f"{container.name} read"] = lambda c=container, p=path: c.read(p)  # type: ignore[misc]
        calls[f"{container.name} verify"] = lambda c=container, p=path: c.verify(p)  # type: ignore[misc]
    times = measure(calls, rounds)
    table = Table("container", "open, ms", "open + verify, ms", "overhead, bytes", "repeatable")
    for title in ("mapped", "silent flips, arrays", "silent flips, rest"):
        table.add_column(title)
    for name, cells in rows.items():
        table.add_row(name, _ms(times[f"{name} read"]), _ms(times[f"{name} verify"]), *cells)
    return table


def compare_checksums(nbytes: int, rounds: int) -> Table:
    """The table of checksums."""
    data = memoryview(np.random.default_rng(0).bytes(nbytes))
    pool = ThreadPoolExecutor(2)

    def two_threads() -> None:
        step = 4 << 20
        list(
            pool.map(
                lambda at: hashlib.sha256(data[at : at + step]).digest(), range(0, nbytes, step)
            )
        )

    times = measure(
        {
            "sha256": lambda: hashlib.sha256(data).digest(),
            "sha256, 2 threads, 4 MiB pieces": two_threads,
            "blake2b": lambda: hashlib.blake2b(data).digest(),
            "crc32": lambda: zlib.crc32(data),
        },
        rounds,
    )
    pool.shutdown()
    base = statistics.median(times["sha256"])
    table = Table("checksum", "ms", "of sha256")
    for name, samples in times.items():
        table.add_row(name, _ms(samples), f"{statistics.median(samples) / base:.2f}")
    return table


def main() -> None:
    """Prints both tables. Arguments: megabytes (100) and rounds (9)."""
    megabytes, rounds = (int(word) for word in (*sys.argv[1:], *("100", "9")[len(sys.argv) - 1 :]))
    console = Console(width=160)
    console.print(f"{cpu_name()}, {megabytes} MB, {rounds} rounds: median (least-most)")
    console.print(compare_checksums(megabytes * 1_000_000, rounds))
    with tempfile.TemporaryDirectory() as folder:
        console.print(compare_containers(Path(folder), megabytes * 1_000_000, rounds))


if __name__ == "__main__":
    main()
