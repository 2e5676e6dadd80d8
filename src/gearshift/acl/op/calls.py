"""A call of an operator: what is known when it is made, and what its stream does later."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np

from gearshift.acl.blocks import BLOCKS
from gearshift.acl.buffers import BUFFERS, DataBuffer
from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.descs import UNDEFINED, TensorDesc
from gearshift.acl.dtypes import ITEM_SIZES
from gearshift.acl.leaving import WORK
from gearshift.acl.op.attrs import Attribute
from gearshift.acl.op.jobs import Job, Operator, Prepared, Tensor, operator_named, values_of
from gearshift.acl.streams import Stream
from gearshift.tensors import Array, Shape

MOST_KEPT: Final = 256
"""Prepared operators that are kept unless a program says how many."""


class PreparedJobs:
    """The operators prepared last, by job. Safe to use from several threads.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Job, Prepared] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, job: Job, operator: Operator) -> Prepared:
        """The prepared operator of a job."""
        with self._lock:
            if job in self._kept:
                self._kept.move_to_end(job)
                return self._kept[job]
        with WORK:
            made = operator.prepare(job)
        with self._lock:
            self._kept[job] = made
            self._drop()
        return made

    def keep(self, most: int) -> None:
        """From now on, so many are kept."""
        with self._lock:
            self._most = most
            self._drop()

    def _drop(self) -> None:
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)


PREPARED: Final = PreparedJobs(MOST_KEPT)


@dataclass(frozen=True)
class Call:
    """An operator with its tensors and attributes, checked as far as these tell.

    Attributes:
        name: of the operator.
        operator: its row.
        inputs: as described.
        outputs: as described.
        roles: what the operator calls each input, with its mark; empty for one left out.
        attributes: all of them.
    """

    name: str
    operator: Operator
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    roles: tuple[str, ...]
    attributes: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        name: str,
        inputs: Sequence[TensorDesc],
        outputs: Sequence[TensorDesc],
        attributes: Mapping[str, Attribute],
    ) -> Call:
        """A call; refused if the operator is not there or has no such tensors or attributes."""
        operator = operator_named(name)
        taken = [Tensor.of(desc, f"input {place}") for place, desc in enumerate(inputs)]
        made = [Tensor.of(desc, f"output {place}") for place, desc in enumerate(outputs)]
        roles = operator.deal(name, taken)
        for place, (tensor, role) in enumerate(zip(taken, roles, strict=True)):
            if role and tensor.number == UNDEFINED:
                raise Refusal(Code.OP_INPUT_NOT_MATCH, f"{name} needs input {place}")
        if not made or operator.outputs not in (0, len(made)):
            raise Refusal(
                Code.OP_OUTPUT_NOT_MATCH,
                f"{name} has {operator.outputs or 'some'} outputs; {len(made)} were given",
            )
        if any(tensor.number == UNDEFINED for tensor in made):
            raise Refusal(Code.OP_OUTPUT_NOT_MATCH, f"{name} leaves no output out")
        settings = operator.settings(name, attributes)
        return cls(name, operator, tuple(taken), tuple(made), tuple(roles), settings)

    @property
    def is_decided(self) -> bool:
        """Whether everything that decides what is done is known before it is done."""
        return all(
            tensor.constant is not None
            for tensor, role in zip(self.inputs, self.roles, strict=True)
            if role.startswith("=")
        )

    def check_known(self) -> None:
        """Refuses inputs some of whose dims are not known."""
        for place, (tensor, role) in enumerate(zip(self.inputs, self.roles, strict=True)):
            if role and not tensor.is_known:
                raise Refusal(
                    Code.INVALID_PARAM, f"input {place} is {tensor}: its dims have to be known"
                )

    def prepare(self, data: Callable[[int], Array]) -> Prepared:
        """Makes it ready to run.

        Args:
            data: the bytes of an input, by position; asked for those that decide what is done.
        """
        settings = dict(self.attributes)
        kept: list[Tensor] = []
        names: list[str] = []
        for place, (tensor, role) in enumerate(zip(self.inputs, self.roles, strict=True)):
            own = role.lstrip("=*?")
            if role.startswith("="):
                settings[own] = values_of(own, tensor, data(place))
            elif role:
                kept.append(tensor)
                names.append(own)
        job = Job(
            self.name, tuple(kept), self.outputs, tuple(names), tuple(sorted(settings.items()))
        )
        return PREPARED.get(job, self.operator)

    def constant(self, place: int) -> Array:
        """The bytes of an input that its description holds."""
        tensor = self.inputs[place]
        data = np.frombuffer(tensor.constant or b"", np.uint8)
        if data.size < tensor.nbytes:
            raise Refusal(
                Code.OP_INPUT_NOT_MATCH,
                f"input {place} is {tensor} of {tensor.nbytes} bytes; its constant has {data.size}",
            )
        return data[: tensor.nbytes]


class Inputs:
    """The memory of a call's inputs, as their data buffers had it when it was made."""

    def __init__(self, call: Call, handles: Sequence[int]) -> None:
        _check_count("inputs", handles, call.inputs)
        self._call = call
        self._buffers = [self._buffer(place, handle) for place, handle in enumerate(handles)]

    def _buffer(self, place: int, handle: int) -> DataBuffer | None:
        tensor = self._call.inputs[place]
        if not self._call.roles[place] or tensor.constant is not None:
            return None
        buffer = _copy(BUFFERS.get(handle))
        if buffer.size < tensor.nbytes:
            raise Refusal(
                Code.OP_INPUT_NOT_MATCH,
                f"input {place} is {tensor} of {tensor.nbytes} bytes; its data buffer has "
                f"{buffer.size}",
            )
        if tensor.nbytes:
            BLOCKS.check_there(buffer.address, tensor.nbytes)
        return buffer

    def read(self, place: int) -> Array:
        """A copy of an input's bytes."""
        buffer = self._buffers[place]
        if buffer is None:
            return self._call.constant(place)
        data = np.empty(self._call.inputs[place].nbytes, np.uint8)
        if data.size:
            BLOCKS.copy(data.ctypes.data, buffer.address, data.size)
        return data


class Outputs:
    """The memory of a call's outputs, in the same way."""

    def __init__(self, call: Call, handles: Sequence[int]) -> None:
        _check_count("outputs", handles, call.outputs)
        self._tensors = call.outputs
        self._buffers = [_copy(BUFFERS.get(handle)) for handle in handles]
        for place, tensor in enumerate(call.outputs):
            if tensor.is_known:
                self._check(place, tensor.nbytes)

    def _check(self, place: int, nbytes: int) -> None:
        buffer = self._buffers[place]
        if buffer.size < nbytes:
            raise Refusal(
                Code.OP_OUTPUT_NOT_MATCH,
                f"output {place} takes {nbytes} bytes; its data buffer has {buffer.size}",
            )
        if nbytes:
            BLOCKS.check_there(buffer.address, nbytes)

    def check(self, shapes: Sequence[Shape]) -> None:
        """Refuses outputs of these shapes if there is no room for them."""
        for place, (tensor, shape) in enumerate(zip(self._tensors, shapes, strict=True)):
            self._check(place, prod(shape) * ITEM_SIZES[tensor.number])

    def write(self, place: int, array: Array) -> None:
        """Puts an output where it belongs."""
        self._check(place, array.nbytes)
        if array.nbytes:
            inline = np.ascontiguousarray(array)
            BLOCKS.copy(self._buffers[place].address, inline.ctypes.data, inline.nbytes)


def _check_count(role: str, handles: Sequence[int], tensors: Sequence[Tensor]) -> None:
    if len(handles) != len(tensors):
        raise Refusal(
            Code.INVALID_PARAM,
            f"{len(handles)} data buffers and {len(tensors)} descriptions of {role}",
        )


def _copy(buffer: DataBuffer) -> DataBuffer:
    return DataBuffer(buffer.address, buffer.size)


def submit(
    call: Call,
    inputs: Sequence[int],
    outputs: Sequence[int],
    stream: Stream,
    described: Sequence[TensorDesc] = (),
) -> None:
    """Puts a call into a stream.

    Args:
        call: what is done.
        inputs: handles of the data buffers that it reads.
        outputs: handles of those that it writes.
        stream: when.
        described: the outputs' descriptions, which are told dims that they do not know.
    """
    sources, targets = Inputs(call, inputs), Outputs(call, outputs)

    def run() -> None:
        feeds = {place: sources.read(place) for place, role in enumerate(call.roles) if role}
        prepared = call.prepare(feeds.__getitem__)
        targets.check(prepared.shapes)  # before as much is calculated
        data = [feeds[place] for place in feeds if not call.roles[place].startswith("=")]
        for place, made in enumerate(prepared.run(data)):
            targets.write(place, made)
        for desc, tensor, shape in zip(described, call.outputs, prepared.shapes, strict=False):
            if not tensor.is_known:
                desc.dims = list(shape)

    if call.is_decided:
        call.prepare(call.constant)  # so that a wrong one is refused now
    stream.submit(run)
