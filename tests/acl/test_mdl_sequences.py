"""Any calls of acl.mdl in any order, beside a simple model of what must be answered."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from mdl_world import BATCHES, MEMORY, MISSING, WRONG, Loaded, Set, World, files

from gearshift.acl import buffers, memory, util
from gearshift.acl.mdl import datasets
from gearshift.acl.mdl import desc as mdl_desc
from gearshift.acl.mdl import gears as mdl_gears
from gearshift.acl.mdl import load as mdl_load
from gearshift.acl.mdl import run as mdl_run
from gearshift.acl.mdl import tensors as mdl_tensors

picks = st.integers(0, 1 << 20)


class Sequences(World, RuleBasedStateMachine):
    """Calls in any order, right and wrong ones."""

    # What there is.

    @initialize()
    def begin(self) -> None:
        for kind in ("batch", "fixed"):
            self.load(kind, False)
        for batch in (1, 4):
            self.make_inputs(batch, True, 8)
            self.make_outputs(batch)

    @rule(kind=st.sampled_from(["batch", "batch", "fixed"]), by=st.booleans())
    def load(self, kind: str, by: bool) -> None:
        path = files()[kind]
        if by:
            content = path.read_bytes()
            number, ret = mdl_load.load_from_mem(util.bytes_to_ptr(content), len(content))
        else:
            number, ret = mdl_load.load_from_file(str(path))
        assert ret == 0
        assert number not in self.every
        self.loaded[number] = self.every[number] = Loaded(kind)

    @rule(pick=picks)
    def unload(self, pick: int) -> None:
        model = self.one_of(self.loaded, pick)
        assert mdl_load.unload(model) == (0 if model in self.loaded else MISSING)
        if self.loaded.pop(model, None):
            self.past.append(model)

    @rule(pick=picks)
    def free(self, pick: int) -> None:
        address = self.one_of(self.memory, pick)
        ret = memory.free(address)
        assert (ret == 0) == (address in self.memory)
        if self.memory.pop(address, None):
            self.past.append(address)

    @rule(pick=picks, offset=st.sampled_from([0, 0, 0, 1, 8]), less=st.sampled_from([0, 0, 1]))
    def point_elsewhere(self, pick: int, offset: int, less: int) -> None:
        """A data buffer is given other memory, or none."""
        buffer, address = self.one_of(self.buffers, pick), self.one_of(self.memory, pick // 7)
        size = max(self.memory.get(address, 64) - offset - less, 0)
        place = address + offset if address in self.memory else address
        ret = buffers.update_data_buffer(buffer, place, size)
        assert ret == (0 if buffer in self.buffers else WRONG)
        if not ret:
            self.buffers[buffer] = (place & ((1 << 64) - 1), size)

    @rule(pick=picks)
    def end_buffer(self, pick: int) -> None:
        buffer = self.one_of(self.buffers, pick)
        assert buffers.destroy_data_buffer(buffer) == (0 if buffer in self.buffers else WRONG)
        if self.buffers.pop(buffer, None):
            self.past.append(buffer)

    @rule(batch=st.sampled_from(BATCHES), geared=st.booleans(), size=st.sampled_from([4, 8, 3, 16]))
    def make_inputs(self, batch: int, geared: bool, size: int) -> None:
        self.dataset_of("inputs", [16 * batch, *([size] if geared else [])])

    @rule(batch=st.sampled_from(BATCHES))
    def make_outputs(self, batch: int) -> None:
        self.dataset_of("outputs", [12 * batch, 16 * batch])

    @rule(pick=picks)
    def end_dataset(self, pick: int) -> None:
        dataset = self.one_of(self.datasets, pick)
        assert datasets.destroy_dataset(dataset) == (0 if dataset in self.datasets else WRONG)
        if self.datasets.pop(dataset, None):
            self.past.append(dataset)

    @rule(pick=picks)
    def add(self, pick: int) -> None:
        dataset, buffer = self.one_of(self.datasets, pick), self.one_of(self.buffers, pick // 7)
        good = dataset in self.datasets and buffer in self.buffers
        ret = datasets.add_dataset_buffer(dataset, buffer)
        assert ret == ((dataset, 0) if good else (0, WRONG))
        if good:
            self.datasets[dataset].buffers.append(buffer)

    @rule(pick=picks, at=st.integers(-1, 3))
    def look_at_dataset(self, pick: int, at: int) -> None:
        dataset = self.one_of(self.datasets, pick)
        known = self.datasets.get(dataset, Set()).buffers
        assert datasets.get_dataset_num_buffers(dataset) == len(known)
        wanted = known[at] if 0 <= at < len(known) else 0
        assert datasets.get_dataset_buffer(dataset, at) == wanted

    # Descriptions.

    @rule()
    def make_desc(self) -> None:
        self.described[mdl_desc.create_desc()] = None

    @rule(pick=picks)
    def describe(self, pick: int) -> None:
        desc, model = self.one_of(self.described, pick), self.one_of(self.loaded, pick // 7)
        ret = mdl_desc.get_desc(desc, model)
        if desc not in self.described:
            assert ret == WRONG
        elif model not in self.loaded:
            assert ret == MISSING
        else:
            assert ret == 0
            self.described[desc] = model

    @rule(pick=picks)
    def end_desc(self, pick: int) -> None:
        desc = self.one_of(self.described, pick)
        assert mdl_desc.destroy_desc(desc) == (0 if desc in self.described else WRONG)
        if desc in self.described:
            del self.described[desc]
            self.past.append(desc)

    @rule(pick=picks)
    def look_at_desc(self, pick: int) -> None:
        desc = self.one_of(self.described, pick)
        number = self.described.get(desc)
        if number is None:
            assert mdl_tensors.get_num_inputs(desc) == 0
            assert mdl_tensors.get_cur_output_dims(desc, 0) == ({}, WRONG)
            return
        model = self.every[number]
        rows = model.gear or {"batch": 4, "fixed": 2}[model.kind]
        assert mdl_tensors.get_num_inputs(desc) == (2 if model.kind == "batch" else 1)
        dims, ret = mdl_tensors.get_cur_output_dims(desc, 0)
        assert (dims["dims"], ret) == ([rows, 3], 0)
        batches = [1, 4, 2] if model.kind == "batch" else []
        wanted = {"batchCount": len(batches), "batch": batches}
        assert mdl_gears.get_dynamic_batch(desc) == (wanted, 0)

    # Gears and executions.

    @rule(
        pick=picks,
        index=st.sampled_from([1, 1, 1, 1, 1, 1, 0, 2, -1]),
        batch=st.sampled_from([1, 2, 4, 1, 2, 4, 3, 0]),
    )
    def set_gear(self, pick: int, index: int, batch: int) -> None:
        model = self.one_of(self.loaded, pick)
        dataset = self.one_of(self.sets("inputs"), pick // 7)
        self.sets_gear(model, dataset, index, batch)

    @rule(pick=picks, asynchronous=st.booleans())
    def execute(self, pick: int, asynchronous: bool) -> None:
        model = self.one_of(self.loaded, pick)
        source = self.one_of(self.sets("inputs"), pick // 7)
        into = self.one_of(self.sets("outputs"), pick // 49)
        self.executes(model, source, into, asynchronous)

    @rule(pick=picks, batch=st.sampled_from(BATCHES), asynchronous=st.booleans())
    def serve(self, pick: int, batch: int, asynchronous: bool) -> None:
        """What a program does that is right: memory for a gear, the gear, an execution."""
        model = self.one_of(self.loaded, pick * 10 + 1)
        geared = model in self.loaded and self.loaded[model].kind == "batch"
        self.make_inputs(batch, geared, 4)
        self.make_outputs(batch)
        *_, source, into = self.datasets
        self.sets_gear(model, source, 1, batch)
        self.executes(model, source, into, asynchronous)

    @rule(pick=picks)
    def confuse(self, pick: int) -> None:
        """Whatever stands for one thing is refused as another."""
        kinds = (self.loaded, self.described, self.datasets, self.buffers, self.memory)
        handle = self.one_of(kinds[pick % len(kinds)], pick // len(kinds))
        if handle not in self.loaded:
            assert mdl_load.unload(handle) == MISSING
            assert mdl_run.execute(handle, 0, 0) == MISSING
        if handle not in self.datasets:
            assert datasets.destroy_dataset(handle) == WRONG
        if handle not in self.described:
            assert mdl_desc.destroy_desc(handle) == WRONG
            assert mdl_tensors.get_num_outputs(handle) == 0
        if handle not in self.buffers:
            assert buffers.get_data_buffer_addr(handle) == 0
        if handle not in self.memory:
            assert memory.free(handle) in (MEMORY, WRONG)


TestSequences = Sequences.TestCase
TestSequences.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
