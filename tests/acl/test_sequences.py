"""Any calls in any order: never a crash, the code that a model of it expects, the right bytes."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
)  # fmt: skip

from gearshift.acl import buffers, callbacks, events, memory, runtime, util
from gearshift.acl.blocks import BLOCKS
from gearshift.acl.codes import Code

SIZES = st.integers(1, 9000)
WRONG = Code.RT_PARAM_INVALID


class Sequences(RuleBasedStateMachine):
    """Memory and streams of one thread, beside a dict of bytearrays."""

    blocks = Bundle("blocks")
    streams = Bundle("streams")
    event_handles = Bundle("event_handles")
    data = Bundle("data")

    def __init__(self) -> None:
        super().__init__()
        runtime.set_device(0)
        self.model: dict[int, bytearray] = {}
        self.host: set[int] = set()
        self.living: set[int] = set()
        self.recorded: dict[int, bool] = {}
        self.buffers: dict[int, tuple[int, int]] = {}
        self.used = BLOCKS.used

    def teardown(self) -> None:
        for stream in self.living:
            assert runtime.destroy_stream(stream) == 0
        for address in self.model:
            free = memory.free_host if address in self.host else memory.free
            assert free(address) == 0
        for event in self.recorded:
            assert events.destroy_event(event) == 0
        for buffer in self.buffers:
            assert buffers.destroy_data_buffer(buffer) == 0
        assert BLOCKS.used == self.used
        runtime.reset_device_force(0)

    def room(self, address: int, offset: int) -> int:
        """Bytes of a living block from there, -1 if there are none."""
        held = self.model.get(address)
        return -1 if held is None or offset >= len(held) else len(held) - offset

    @rule(target=blocks, size=SIZES, host=st.booleans(), seed=st.integers(0, 255))
    def allocate(self, size: int, host: bool, seed: int) -> int:
        address, ret = memory.malloc_host(size) if host else memory.malloc(size, seed % 3)
        assert ret == 0
        assert address not in self.model
        assert memory.memset(address, size, seed, size) == 0
        self.model[address] = bytearray([seed]) * size
        if host:
            self.host.add(address)
        return address

    @rule(address=blocks, offset=st.sampled_from([0, 0, 0, 1, 4096]), host=st.booleans())
    def free(self, address: int, offset: int, host: bool) -> None:
        at = address + offset  # perhaps the start of the next block
        known = at in self.model and host == (at in self.host)
        assert (memory.free_host if host else memory.free)(at) == (0 if known else WRONG)
        if known:
            del self.model[at]
            self.host.discard(at)

    @rule(
        address=blocks,
        offset=st.integers(0, 2000),
        value=st.integers(0, 255),
        count=SIZES,
        slack=st.integers(-2, 2),
    )
    def fill(self, address: int, offset: int, value: int, count: int, slack: int) -> None:
        fits = count <= self.room(address, offset) and slack >= 0
        ret = memory.memset(address + offset, max(count + slack, 0), value, count)
        assert ret == (0 if fits else WRONG)
        if fits:
            self.model[address][offset : offset + count] = bytes([value]) * count

    @rule(
        target_block=blocks,
        source=blocks,
        at=st.integers(0, 2000),
        start=st.integers(0, 500),
        count=SIZES,
        stream=st.one_of(st.none(), streams),
    )
    def copy(
        self, target_block: int, source: int, at: int, start: int, count: int, stream: int | None
    ) -> None:
        fits = count <= min(self.room(target_block, at), self.room(source, start))
        arguments = (target_block + at, count, source + start, count, 3)
        if stream is None:
            assert memory.memcpy(*arguments) == (0 if fits else WRONG)
        else:
            ret = memory.memcpy_async(*arguments, stream)
            done = runtime.synchronize_stream(stream)
            if stream not in self.living:
                assert (ret, done) == (WRONG, WRONG)
                return
            assert (ret, done) == (0, 0 if fits else WRONG)
        if fits:
            piece = bytes(self.model[source][start : start + count])
            self.model[target_block][at : at + count] = piece

    @rule(address=blocks, offset=st.integers(0, 300), count=SIZES, out=st.booleans())
    def exchange(self, address: int, offset: int, count: int, out: bool) -> None:
        array = np.frombuffer(random.Random(count).randbytes(count), np.uint8).copy()
        before = array.tobytes()
        fits = count <= self.room(address, offset)
        pair = (array.ctypes.data, address + offset)
        into, from_ = pair if out else pair[::-1]
        assert memory.memcpy(into, count, from_, count, 2 if out else 1) == (0 if fits else WRONG)
        if not fits:
            assert array.tobytes() == before
        elif out:
            assert array.tobytes() == self.model[address][offset : offset + count]
        else:
            self.model[address][offset : offset + count] = before

    @rule(address=blocks, offset=st.integers(0, 300), count=SIZES)
    def look(self, address: int, offset: int, count: int) -> None:
        fits = count <= self.room(address, offset)
        got = util.ptr_to_bytes(address + offset, count)
        assert got == (self.model[address][offset : offset + count] if fits else None)
        view = util.ptr_to_numpy(address + offset, (count,), 2)
        assert (view is not None) == fits

    @rule(target=streams)
    def make_stream(self) -> int:
        stream, ret = runtime.create_stream()
        assert ret == 0
        self.living.add(stream)
        return stream

    @rule(stream=streams)
    def end_stream(self, stream: int) -> None:
        assert runtime.destroy_stream(stream) == (0 if stream in self.living else WRONG)
        self.living.discard(stream)

    @rule(target=event_handles)
    def make_event(self) -> int:
        event, ret = events.create_event()
        assert ret == 0
        self.recorded[event] = False
        return event

    @rule(event=event_handles, stream=st.one_of(streams, st.just(0)), wait=st.booleans())
    def record(self, event: int, stream: int, wait: bool) -> None:
        good = event in self.recorded and (stream in self.living or not stream)
        call = events.stream_wait_event if wait else events.record_event
        first, second = (stream, event) if wait else (event, stream)
        assert call(first, second) == (0 if good else WRONG)
        if good:
            assert runtime.synchronize_stream(stream) == 0
            self.recorded[event] |= not wait

    @rule(event=event_handles)
    def query(self, event: int) -> None:
        if event in self.recorded:
            assert events.query_event(event) == (int(not self.recorded[event]), 0)
        else:
            assert events.query_event(event) == (1, WRONG)

    @rule(event=event_handles)
    def end_event(self, event: int) -> None:
        assert events.destroy_event(event) == (0 if event in self.recorded else WRONG)
        self.recorded.pop(event, None)

    @rule(target=data, address=st.one_of(blocks, st.integers(0, 1 << 63)), size=SIZES)
    def make_buffer(self, address: int, size: int) -> int:
        buffer = buffers.create_data_buffer(address, size)
        assert buffer not in self.buffers
        self.buffers[buffer] = (address, size)
        return buffer

    @rule(buffer=data, update=st.booleans())
    def use_buffer(self, buffer: int, update: bool) -> None:
        known = self.buffers.get(buffer, (0, 0))
        assert buffers.get_data_buffer_addr(buffer) == known[0]
        assert buffers.get_data_buffer_size(buffer) == known[1]
        call = (
            buffers.update_data_buffer(buffer, 7, 8)
            if update
            else (buffers.destroy_data_buffer(buffer))
        )
        assert call == (0 if buffer in self.buffers else Code.INVALID_PARAM)
        if buffer in self.buffers:
            self.buffers[buffer] = (7, 8)
            if not update:
                del self.buffers[buffer]

    @rule(handle=st.one_of(blocks, streams, event_handles, data, st.integers(1, (1 << 64) - 1)))
    def confuse(self, handle: int) -> None:
        """Whatever stands for one thing is refused as another."""
        wanted = {
            runtime.destroy_stream: self.living,
            events.destroy_event: self.recorded,
            buffers.destroy_data_buffer: self.buffers,
            memory.free: self.model,
            memory.free_host: self.model,
            runtime.destroy_context: (),
        }
        for call, those in wanted.items():
            if handle not in those:
                assert call(handle) in (WRONG, Code.INVALID_PARAM)
        assert callbacks.unsubscribe_report(1, handle) in (WRONG, Code.RT_THREAD_SUBSCRIBE)

    @invariant()
    def the_bytes_are_right(self) -> None:
        assert BLOCKS.used == self.used + sum(map(len, self.model.values()))
        for address, held in self.model.items():
            assert util.ptr_to_bytes(address, len(held)) == held


TestSequences = Sequences.TestCase
TestSequences.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
