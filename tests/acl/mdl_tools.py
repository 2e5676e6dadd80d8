"""Small models with gears of every kind, and the calls that programs make around them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import gearshift
from gearshift.acl import buffers, memory, runtime
from gearshift.acl.mdl import datasets
from gearshift.acl.mdl import desc as mdl_desc
from gearshift.acl.mdl import gears as mdl_gears
from gearshift.acl.mdl import load as mdl_load
from gearshift.acl.mdl import tensors as mdl_tensors
from gearshift.tensors import MBATCH_INPUT, Array, Shape
from models import save_text

ENGINES = ("openvino", "onnxruntime")
HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
KERNEL = ", ".join(str((index * 7) % 11 - 5) for index in range(2 * 3 * 3 * 3))

ROWS = """
rows (float[N, 4] x) => (float[N, 3] y, float[N, 4] seen)
<float[4, 3] w = {1, 2, 3, -1, -2, -3, 0.5, 0, 1, 2, 2, -2}>
{ y = MatMul (x, w)  seen = Neg (x) }
"""
"""One input of some numbers a row."""

IMAGES = f"""
images (float[N, 3, H, W] x) => (float[N, 2, P, Q] map, float[N, 2] mean)
<float[2, 3, 3, 3] kernel = {{{KERNEL}}}>
{{
    map = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, kernel)
    pooled = GlobalAveragePool (map)
    mean = Flatten (pooled)
}}
"""
"""A map half as wide and high as the image, and a mean that is of no size at all."""

PAIRS = """
pairs (float[N, T, 4] q, int32[N] bias, float[N, S, 4] k) => (float[N, T, S] p, float[N, 4] total)
<int64[1] middle = {1}>
{
    turned = Transpose <perm = [0, 2, 1]> (k)
    products = MatMul (q, turned)
    offset = Cast <to = 1> (bias)
    last = Constant <value_ints = [-1, 1]> ()
    column = Reshape (offset, last)
    ends = Constant <value_ints = [1]> ()
    offsets = Unsqueeze (column, ends)
    p = Add (products, offsets)
    total = ReduceSum <keepdims = 0> (k, middle)
}
"""
"""Three inputs of two types, dims of which vary by themselves."""


def saved(text: str, folder: Path) -> Path:
    """The model as a file of its own name."""
    return save_text(HEAD + text, folder / f"{text.split()[0]}.onnx")


def compiled(text: str, folder: Path, name: str, **options: Any) -> Path:
    """An artifact of that name; its ONNX file lies beside it."""
    onnx_file = saved(text, folder)
    return gearshift.compile(onnx_file, output=folder / f"{name}.om", **options).output


@functools.cache
def _session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def expected(text: str, folder: Path, feeds: Mapping[str, Array]) -> list[Array]:
    """What ONNX Runtime gives for the model as it came."""
    made: list[Array] = _session(folder / f"{text.split()[0]}.onnx").run(None, dict(feeds))
    return made


def numbers(seed: int, shape: Sequence[int], dtype: str = "float32") -> Array:
    """Small whole numbers, whose sums are exact."""
    return np.random.default_rng(seed).integers(-3, 4, tuple(shape)).astype(dtype)


@pytest.fixture(autouse=True)
def started(device: None) -> None:
    """The runtime runs, as it does in every program."""
    assert runtime.init() == 0


@dataclass
class Loaded:
    """A loaded model and its description."""

    number: int
    desc: int = field(init=False)

    def __post_init__(self) -> None:
        self.desc = mdl_desc.create_desc()
        assert mdl_desc.get_desc(self.desc, self.number) == 0

    @classmethod
    def of(cls, path: Path) -> Loaded:
        number, ret = mdl_load.load_from_file(str(path))
        assert ret == 0
        return cls(number)

    def __enter__(self) -> Loaded:
        return self

    def __exit__(self, *_: object) -> None:
        mdl_load.unload(self.number)  # unless the test did
        assert mdl_desc.destroy_desc(self.desc) == 0

    @property
    def shape_index(self) -> int:
        index, ret = mdl_tensors.get_input_index_by_name(self.desc, MBATCH_INPUT)
        assert ret == 0
        return index

    def input_sizes(self) -> list[int]:
        count = mdl_tensors.get_num_inputs(self.desc)
        return [mdl_tensors.get_input_size_by_index(self.desc, at) for at in range(count)]

    def output_sizes(self) -> list[int]:
        count = mdl_tensors.get_num_outputs(self.desc)
        return [mdl_tensors.get_output_size_by_index(self.desc, at) for at in range(count)]

    def current(self) -> list[list[int]]:
        """The dims of every output that it is set to."""
        count = mdl_tensors.get_num_outputs(self.desc)
        got = [mdl_tensors.get_cur_output_dims(self.desc, at) for at in range(count)]
        assert all(ret == 0 and dims["dimCount"] == len(dims["dims"]) for dims, ret in got)
        return [dims["dims"] for dims, _ in got]

    def set_gear(self, dataset: int, gear: Sequence[int] | Mapping[str, Any]) -> int:
        """By the call that goes with how the gear is written."""
        at = self.shape_index
        if isinstance(gear, Mapping):
            return mdl_gears.set_input_dynamic_dims(self.number, dataset, at, dict(gear))
        if len(gear) == 1:
            return mdl_gears.set_dynamic_batch_size(self.number, dataset, at, *gear)
        return mdl_gears.set_dynamic_hw_size(self.number, dataset, at, *gear)


def joined(*shapes: Shape) -> dict[str, Any]:
    """Shapes of all inputs as one structure."""
    dims = [dim for shape in shapes for dim in shape]
    return {"dimCount": len(dims), "name": "", "dims": dims}


@dataclass
class Memory:
    """A dataset over memory of ours, of these sizes, that is taken down again."""

    sizes: Sequence[int]
    host: bool = False
    fill: int = 0xA5
    dataset: int = field(init=False)
    addresses: list[int] = field(init=False, default_factory=list)
    handles: list[int] = field(init=False, default_factory=list)

    def __enter__(self) -> Memory:
        self.dataset = datasets.create_dataset()
        for size in self.sizes:
            take = memory.malloc_host(size) if self.host else memory.malloc(size, 0)
            assert take[1] == 0
            assert memory.memset(take[0], size, self.fill, size) == 0
            self.addresses.append(take[0])
            self.handles.append(buffers.create_data_buffer(take[0], size))
            assert datasets.add_dataset_buffer(self.dataset, self.handles[-1]) == (self.dataset, 0)
        return self

    def __exit__(self, *_: object) -> None:
        datasets.destroy_dataset(self.dataset)
        for handle, address in zip(self.handles, self.addresses, strict=True):
            buffers.destroy_data_buffer(handle)
            free = memory.free_host if self.host else memory.free
            assert free(address) == 0

    def put(self, at: int, array: Array) -> None:
        """Copies an array to the start of one buffer."""
        array = np.ascontiguousarray(array)
        size = array.nbytes
        assert memory.memcpy(self.addresses[at], self.sizes[at], array.ctypes.data, size, 1) == 0

    def bytes_of(self, at: int) -> bytes:
        """All that lies in one buffer."""
        held = bytearray(self.sizes[at])
        into = np.frombuffer(held, np.uint8)
        size = self.sizes[at]
        assert memory.memcpy(into.ctypes.data, size, self.addresses[at], size, 2) == 0
        return bytes(held)

    def get(self, at: int, like: Array) -> Array:
        """The start of one buffer, as an array like another; the rest holds what it held."""
        held = self.bytes_of(at)
        assert set(held[like.nbytes :]) <= {self.fill}, "written behind the end of the output"
        return np.frombuffer(held[: like.nbytes], like.dtype).reshape(like.shape)


def dataset_over(*pieces: tuple[int, int]) -> int:
    """A dataset of (address, size); data buffers stay behind, which own nothing."""
    dataset = datasets.create_dataset()
    for address, size in pieces:
        handle = buffers.create_data_buffer(address, size)
        assert datasets.add_dataset_buffer(dataset, handle) == (dataset, 0)
    return dataset


def agree(given: Array, wanted: Array) -> None:
    np.testing.assert_allclose(given, wanted, rtol=1e-5, atol=1e-5)


ITEM_SIZES = {0: 4, 1: 2, 2: 1, 3: 4, 4: 1, 6: 2, 7: 2, 8: 4, 9: 8, 10: 8, 11: 8, 12: 1}
"""Bytes of an element by AscendCL's number of its type."""


def pairs_feeds(rows: int, of_q: int, of_k: int, seed: int = 0) -> dict[str, Array]:
    return {
        "q": numbers(seed, (rows, of_q, 4)),
        "bias": numbers(seed + 1, (rows,), "int32"),
        "k": numbers(seed + 2, (rows, of_k, 4)),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One folder for what a whole module compiles."""
    yield tmp_path_factory.mktemp("mdl")
    _session.cache_clear()
