"""Datasets: the data buffers of one call, in the order of the model's inputs or outputs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final
from weakref import WeakKeyDictionary

from gearshift.acl.buffers import BUFFERS, DataBuffer
from gearshift.acl.call import ADDRESS, SIZE, Refusal, beside, fallback, public
from gearshift.acl.codes import Code
from gearshift.acl.descs import DESCS, TensorDesc
from gearshift.acl.handles import Handles
from gearshift.acl.mdl.models import Model
from gearshift.gears.gear import Gear


@dataclass
class Dataset:
    """The buffers of one call.

    Attributes:
        buffers: handles of data buffers, which the dataset does not own.
        descs: handles of tensor descriptions, by position. They are copies, which it owns.
        gears: what was set with it, by model. A run goes by this first, so that threads with
            datasets of their own do not disturb each other.
        is_destroyed: whether runs that are under way have nothing to describe any more.
    """

    buffers: list[int] = field(default_factory=list)
    descs: dict[int, int] = field(default_factory=dict)
    gears: WeakKeyDictionary[Model, Gear] = field(default_factory=WeakKeyDictionary)
    is_destroyed: bool = False

    def buffer(self, index: int) -> DataBuffer:
        """The data buffer at a position; refused if there is none, or it was destroyed."""
        return BUFFERS.get(self.handle(index))

    def handle(self, index: int) -> int:
        """Handle of the data buffer at a position; refused if there is none."""
        if index >= len(self.buffers):
            raise Refusal(
                Code.INVALID_PARAM, f"buffer {index} of a dataset that has {len(self.buffers)}"
            )
        return self.buffers[index]

    def describe(self, index: int, desc: TensorDesc) -> None:
        """Says what lies in a buffer, under the handle of what was said before if there is one."""
        before = self.descs.get(index)
        if before is not None and DESCS.replace(before, _copy(desc)):
            return
        if not self.is_destroyed:
            self.descs[index] = DESCS.add(_copy(desc))

    def destroy(self) -> None:
        """Gives back what it owns."""
        self.is_destroyed = True
        for handle in tuple(self.descs.values()):
            DESCS.discard(handle)


def _copy(desc: TensorDesc) -> TensorDesc:
    return replace(desc, dims=list(desc.dims), ranges=[list(each) for each in desc.ranges])


DATASETS: Final[Handles[Dataset]] = Handles("dataset")


@public("acl.mdl.create_dataset", failed=fallback(0))
def create_dataset() -> int:
    """Makes a dataset.

    Returns:
        its handle.
    """
    return DATASETS.add(Dataset())


@public("acl.mdl.destroy_dataset", ADDRESS)
def destroy_dataset(dataset: int) -> int:
    """Destroys a dataset, and leaves its data buffers alone.

    Args:
        dataset: its handle.

    Returns:
        0; 100000 if it is none.
    """
    DATASETS.remove(dataset).destroy()
    return 0


@public("acl.mdl.add_dataset_buffer", ADDRESS, ADDRESS, failed=beside(0))
def add_dataset_buffer(dataset: int, buffer: int) -> tuple[int, int]:
    """Puts a data buffer behind those that a dataset has.

    Args:
        dataset: its handle.
        buffer: handle of the data buffer.

    Returns:
        (dataset, 0); 100000 if one of them is none.
    """
    BUFFERS.get(buffer)
    DATASETS.get(dataset).buffers.append(buffer)
    return dataset, 0


@public("acl.mdl.get_dataset_num_buffers", ADDRESS, failed=fallback(0))
def get_dataset_num_buffers(dataset: int) -> int:
    """How many data buffers a dataset has.

    Args:
        dataset: its handle.

    Returns:
        the number; 0 if it is no dataset.
    """
    return len(DATASETS.get(dataset).buffers)


@public("acl.mdl.get_dataset_buffer", ADDRESS, SIZE, failed=fallback(0))
def get_dataset_buffer(dataset: int, index: int) -> int:
    """One of a dataset's data buffers.

    Args:
        dataset: its handle.
        index: from 0.

    Returns:
        handle of the data buffer; 0 if there is none.
    """
    return DATASETS.get(dataset).handle(index)


@public("acl.mdl.set_dataset_tensor_desc", ADDRESS, ADDRESS, SIZE, failed=beside(0))
def set_dataset_tensor_desc(dataset: int, desc: int, index: int) -> tuple[int, int]:
    """Says what lies in a buffer. Models whose dims have ranges take the shape from it.

    The dataset keeps a copy.

    Args:
        dataset: its handle.
        desc: handle of the tensor description.
        index: of the buffer, from 0.

    Returns:
        (dataset, 0); 100000 if one of them is none, or there is no such buffer.
    """
    held = DATASETS.get(dataset)
    held.buffer(index)
    held.describe(index, DESCS.get(desc))
    return dataset, 0


@public("acl.mdl.get_dataset_tensor_desc", ADDRESS, SIZE, failed=fallback(0))
def get_dataset_tensor_desc(dataset: int, index: int) -> int:
    """What lies in a buffer. For outputs of a model whose dims have ranges, a run says it.

    Args:
        dataset: its handle.
        index: of the buffer, from 0.

    Returns:
        handle of the tensor description; 0 if there is none.
    """
    held = DATASETS.get(dataset)
    if index not in held.descs:
        raise Refusal(Code.INVALID_PARAM, f"buffer {index} has no tensor description")
    return held.descs[index]
