"""One run of a loaded model: from the memory of a dataset's buffers into that of another's."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np

from gearshift.acl.blocks import BLOCKS
from gearshift.acl.buffers import DataBuffer
from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.descs import DESCS, UNDEFINED, TensorDesc
from gearshift.acl.mdl.datasets import DATASETS, Dataset
from gearshift.acl.mdl.described import Tensor
from gearshift.acl.mdl.models import Layout, Model, Part, Views
from gearshift.aipp.block import unpack
from gearshift.gears.gear import Gear
from gearshift.images import Fed
from gearshift.rows import free_targets
from gearshift.tensors import Array, DType, Range, Shape, format_shape

_MOST_VIEWS: Final = 64


class Memory(NamedTuple):
    """What a data buffer pointed to when the run was asked for."""

    address: int
    size: int


@dataclass(frozen=True)
class Execution:
    """A run as it was asked for: what is set or destroyed afterwards does not change it.

    Attributes:
        model: what runs.
        gear: at which gear; None for a model without.
        inputs: memory of every input.
        outputs: memory of every output.
        shapes: of the inputs, where the model's dims have ranges; else empty.
        target: the dataset of outputs, which is told shapes that are not known beforehand.
    """

    model: Model
    gear: Gear | None
    inputs: tuple[Memory, ...]
    outputs: tuple[Memory, ...]
    shapes: tuple[Shape, ...]
    target: Dataset

    def run(self) -> None:
        """Runs it now.

        Raises:
            Refusal: memory is too small, or cannot be used.
            GearshiftError: the model cannot be run.
        """
        layout = self.model.layout(self.gear)
        if self.model.is_plain:
            views = self._views(layout)
            made = self.model.session.run_checked(self.gear, views.feeds, views.into)
            into = views.into
        else:
            made = self._run_by_name(layout, [self._feed(part) for part in layout.inputs])
            into = [None] * len(layout.outputs)
        for part, target, array in zip(layout.outputs, into, made, strict=True):
            if target is not array:
                self._write(part, np.ascontiguousarray(array))

    def _views(self, layout: Layout) -> Views:
        """The arrays of this run: those of an earlier one over the same memory, if still good."""
        known, key = self.model.views, (self.gear, self.inputs, self.outputs)
        freed = BLOCKS.freed  # before anything is checked
        views = known.get(key)
        if views is not None and views.freed == freed:
            return views
        feeds = [self._feed(part) for part in layout.inputs]
        targets = [_output(self.outputs[part.index], part) for part in layout.outputs]
        views = Views(freed, feeds, free_targets(targets, feeds))
        if views.are_shared:
            if len(known) >= _MOST_VIEWS:
                known.clear()
            known[key] = views
        return views

    def _run_by_name(self, layout: Layout, feeds: Sequence[Array]) -> list[Array]:
        """For models whose shapes or images come with each call, which the session sees to."""
        named: dict[str, Any] = {
            part.tensor.name: feed for part, feed in zip(layout.inputs, feeds, strict=True)
        }
        for place, fed in self.model.description.fed.items():
            named |= self._images(place, fed)
        values = None if self.gear is None else self.gear.values
        made = self.model.session.run(named, gear=values)
        return [made[part.tensor.name] for part in layout.outputs]

    def _feed(self, part: Part) -> Array:
        memory, dtype = self.inputs[part.index], part.tensor.dtype
        if not self.model.is_range:
            return _input(memory, dtype, part.shape, part.nbytes, part.tensor.name)
        shape = self.shapes[part.index]
        return _input(memory, dtype, shape, dtype.itemsize * prod(shape), part.tensor.name)

    def _images(self, place: int, fed: Fed) -> dict[str, Any]:
        """Source images, and what is to be done to them, which lies in a buffer of its own."""
        parameters = self.model.description.aipp[place].parameters
        assert parameters is not None, "images that are fed have parameters"
        tensor = self.model.description.inputs[parameters]
        memory = self.inputs[parameters]
        size = min(memory.size, tensor.nbytes)
        block = unpack(_input(memory, tensor.dtype, (size,), size, tensor.name))
        rows = self._rows(place, fed)
        if rows * block.image_bytes > fed.most_bytes:  # before as much is copied
            raise Refusal(
                Code.GE_PARAM_INVALID,
                f"{rows} images of {block.image_bytes} bytes for input {fed.name!r}; the model was "
                f"compiled for {fed.most_bytes} bytes in all (max_src_image_size)",
            )
        shape = (rows, block.image_bytes)
        images = _input(
            self.inputs[place], fed.images.dtype, shape, rows * block.image_bytes, fed.name
        )
        return {fed.name: images, fed.parameters.name: block}

    def _rows(self, place: int, fed: Fed) -> int:
        if self.gear is None or fed.images.shape[0] != -1:
            return fed.rows
        gears = self.model.description.gears
        return gears.shapes(self.gear)[gears.inputs[place].name][0]

    def _write(self, part: Part, array: Array) -> None:
        memory = self.outputs[part.index]
        if memory.size < array.nbytes:
            raise _too_small("output", part.tensor.name, memory, array.shape, array.nbytes)
        if array.nbytes:
            BLOCKS.copy(memory.address, array.ctypes.data, array.nbytes)
        if self.model.is_range:
            tensor = part.tensor
            desc = TensorDesc(tensor.dtype.acl, list(array.shape), tensor.format, tensor.name)
            self.target.describe(part.index, desc)


def execution(model: Model, inputs: int, outputs: int) -> Execution:
    """What is asked for by a model and the handles of two datasets.

    Raises:
        Refusal: they do not go together: 145000 for another number of buffers or one that points to
            nothing, 145013 for a model with gears of which none was set, 100000 for no dataset.
    """
    source, target = DATASETS.get(inputs), DATASETS.get(outputs)
    description = model.description
    given = _memories(source, len(description.inputs), "inputs")
    taken = _memories(target, len(description.outputs), "outputs")
    gear = source.gears.get(model, model.current.gear)
    if gear is None and description.gear_input is not None:
        raise Refusal(
            Code.GE_DYNAMIC_BATCH_SIZE_INVALID,
            "no gear was set for this model: call acl.mdl.set_dynamic_batch_size, "
            "set_dynamic_hw_size or set_input_dynamic_dims before it is executed",
        )
    shapes = _shapes(model, source) if model.is_range else ()
    return Execution(model, gear, given, taken, shapes, target)


def _memories(dataset: Dataset, wanted: int, what: str) -> tuple[Memory, ...]:
    if len(dataset.buffers) != wanted:
        raise Refusal(
            Code.GE_PARAM_INVALID,
            f"the dataset has {len(dataset.buffers)} buffers; the model has {wanted} {what}"
            + (", that of the gear and those of AIPP included" if what == "inputs" else ""),
        )
    return tuple(_memory(dataset.buffer(index), index, what) for index in range(wanted))


def _memory(buffer: DataBuffer, index: int, what: str) -> Memory:
    if not buffer.address:
        raise Refusal(Code.GE_PARAM_INVALID, f"buffer {index} of the {what} points to nothing")
    return Memory(buffer.address, buffer.size)


def _shapes(model: Model, dataset: Dataset) -> tuple[Shape, ...]:
    """Each input's shape: as described in the dataset, or its own if nothing of it varies."""
    ranges = model.description.gears.ranges
    return tuple(
        _shape(tensor, ranges[index], dataset.descs.get(index))
        for index, tensor in enumerate(model.description.inputs)
    )


def _shape(tensor: Tensor, ranges: Sequence[Range], handle: int | None) -> Shape:
    if handle is None:
        if min(tensor.dims, default=0) < 0:
            raise Refusal(
                Code.GE_SHAPE_INVALID,
                f"input {tensor.name!r} is {format_shape(tensor.dims)}: say its shape with "
                "acl.mdl.set_dataset_tensor_desc before the model is executed",
            )
        return tensor.dims
    desc = DESCS.get(handle)
    if desc.dtype not in (UNDEFINED, tensor.dtype.acl):  # its bytes would be read as others
        raise Refusal(
            Code.GE_DATATYPE_INVALID,
            f"input {tensor.name!r} was said to be of type {desc.dtype}; it is "
            f"{tensor.dtype.acl} ({tensor.dtype.name})",
        )
    shape = tuple(desc.dims)
    within = len(shape) == len(ranges) and all(
        max(least, 0) <= dim and most in (-1, max(dim, most))
        for dim, (least, most) in zip(shape, ranges, strict=True)
    )
    # Empty or not, numpy has no array of dims whose product is beyond what there can be.
    if not within or tensor.dtype.itemsize * prod(max(dim, 1) for dim in shape) > BLOCKS.limit:
        allowed = ", ".join(f"{least}~{most}" for least, most in ranges)
        raise Refusal(
            Code.GE_SHAPE_INVALID,
            f"input {tensor.name!r} was said to be {format_shape(shape)}; allowed: [{allowed}], -1 "
            "being no end, and what this host has memory for",
        )
    return shape


def _input(memory: Memory, dtype: DType, shape: Shape, nbytes: int, name: str) -> Array:
    """An array over a program's memory, or over a copy of it where that is not ours to keep."""
    if memory.size < nbytes:
        raise _too_small("input", name, memory, shape, nbytes)
    if BLOCKS.check(memory.address, nbytes, f"input {name!r}") and not _odd(memory, dtype):
        return _over(memory.address, dtype, shape, nbytes)
    array = np.empty(shape, dtype.numpy)
    if nbytes:
        BLOCKS.copy(array.ctypes.data, memory.address, nbytes)
    return array


def _output(memory: Memory, part: Part) -> Array | None:
    """An array over a program's memory, for a run to write into; None where a copy is safer."""
    name, dtype = part.tensor.name, part.tensor.dtype
    if memory.size < part.nbytes:
        raise _too_small("output", name, memory, part.shape, part.nbytes)
    ours = BLOCKS.check(memory.address, part.nbytes, f"output {name!r}")
    if not ours or _odd(memory, dtype):
        return None
    return _over(memory.address, dtype, part.shape, part.nbytes)


def _over(address: int, dtype: DType, shape: Shape, nbytes: int) -> Array:
    memory: Any = (ctypes.c_char * nbytes).from_address(address)
    return np.ndarray(shape, dtype.numpy, memory)


def _odd(memory: Memory, dtype: DType) -> bool:
    return memory.address % dtype.itemsize != 0


def _too_small(role: str, name: str, memory: Memory, shape: Sequence[int], nbytes: int) -> Refusal:
    return Refusal(
        Code.GE_PARAM_INVALID,
        f"the buffer of {role} {name!r} has {memory.size} bytes; {format_shape(shape)} takes "
        f"{nbytes}",
    )
