"""Dynamic AIPP that is refused: parameters, images and memory that do not go together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from mdl_aipp_tools import (
    LARGEST,
    NOT_MATCH,
    RGB,
    batch,
    check_outputs,
    handle_of,
    images_of,
    own_of,
    several,
    words,
)
from mdl_tools import (
    IMAGES,
    Loaded,
    Memory,
    compiled,
    dataset_over,
    folder,
    started,
)

from gearshift.acl import memory, util
from gearshift.acl.codes import Code
from gearshift.acl.mdl import aipp as mdl_aipp
from gearshift.acl.mdl import load as mdl_load
from gearshift.acl.mdl import run as mdl_run
from gearshift.aipp.block import pack
from gearshift.aipp.parameters import AippParameters, AippRow
from gearshift.aipp.spec import Crop
from gearshift.tensors import Array

__all__ = ["batch", "folder", "started"]


def test_where_parameters_cannot_go(batch: Path) -> None:
    aipp = handle_of(several(RGB), LARGEST)
    into, by = mdl_aipp.set_input_aipp, mdl_aipp.set_aipp_by_input_index
    with Loaded.of(batch) as model, Memory(model.input_sizes()) as given:
        number, source = model.number, given.dataset
        for call, right in ((into, 2), (by, 0)):
            for wrong in {0, 1, 2, 3, -1, 1 << 40} - {right}:
                assert call(number, source, wrong, aipp) == Code.GE_AIPP_NOT_EXIST
            for handle in (0, 7, source, number):
                assert call(number, source, right, handle) == Code.INVALID_PARAM
            for dataset in (0, 7, aipp, number):
                assert call(number, dataset, right, aipp) == Code.INVALID_PARAM
            assert call(99999, source, right, aipp) == Code.GE_MODEL_ID_INVALID
            ones = [(given.addresses[0], 4)] * 2
            for piece, code in (
                ((0, 448), Code.GE_DYNAMIC_INPUT_ADDRESS_INVALID),
                ((given.addresses[2], 447), Code.GE_DYNAMIC_INPUT_LENGTH_INVALID),
                ((given.addresses[2], 0), Code.GE_DYNAMIC_INPUT_LENGTH_INVALID),
                ((8, 448), Code.RT_PARAM_INVALID),
            ):
                assert call(number, dataset_over(*ones, piece), right, aipp) == code
            assert call(number, dataset_over(*ones), right, aipp) == Code.INVALID_PARAM
        assert set(given.bytes_of(2)) == {given.fill}, "nothing was written"
        more = handle_of(several(RGB, 5), 5)
        assert into(number, source, 2, more) == Code.GE_DYNAMIC_INPUT_LENGTH_INVALID
        unfinished = mdl_aipp.create_aipp(LARGEST)
        assert into(number, source, 2, unfinished) == Code.INVALID_PARAM
        for handle in (aipp, more, unfinished):
            assert mdl_aipp.destroy_aipp(handle) == 0
        assert mdl_load.unload(number) == 0
        assert into(number, source, 2, aipp) == Code.GE_MODEL_ID_INVALID


def test_executed_with_parameters_that_are_wrong(batch: Path) -> None:
    """Written by hand or not at all: each is refused, and says so."""
    parameters = several(RGB)
    images = images_of(parameters, LARGEST)
    block = pack(parameters, LARGEST)
    short = pack(replace(parameters, rows=list(parameters.first(1))), 1)
    with Loaded.of(batch) as model, Memory(model.input_sizes(), fill=0) as given:
        given.put(0, images)
        assert model.set_gear(given.dataset, (2,)) == 0

        def executed(*changes: tuple[int, int], content: Array = block) -> int:
            changed = content.copy()
            for at, value in changes:
                changed[at] = value
            assert memory.memset(given.addresses[2], 448, 0, 448) == 0
            given.put(2, changed)
            with Memory(model.output_sizes()) as taken:
                ret = mdl_run.execute(model.number, given.dataset, taken.dataset)
                if ret:
                    assert set(taken.bytes_of(0)) == {taken.fill}
                return ret

        assert executed() == 0
        assert executed((4, 0)) == Code.GE_AIPP_BATCH_EMPTY
        assert executed((4, 0x80)) == Code.GE_AIPP_BATCH_EMPTY, "fewer than none"
        assert executed((4, 5)) == Code.GE_DYNAMIC_INPUT_LENGTH_INVALID
        assert executed(content=np.zeros(448, np.uint8)) == Code.GE_AIPP_BATCH_EMPTY
        assert executed(content=short) == Code.GE_DYNAMIC_INPUT_LENGTH_INVALID, "for one row"
        for change in ((0, 0), (0, 5), (1, 2), (64, 7), (65, 1), (67, 1), (9, 255), (72, 200)):
            assert executed(change) == Code.INVALID_PARAM
        assert executed((64 + 16, 10)) == Code.INVALID_PARAM, "rows of different sizes"
        assert executed(*[(64 + 96 * row + 16, 10) for row in range(4)]) == NOT_MATCH
        # What is behind the rows of the gear is looked at as well: they are parameters.
        assert executed((64 + 96 * 3 + 1, 1)) == Code.INVALID_PARAM


def test_images_larger_than_the_model_was_compiled_for(folder: Path) -> None:
    path = compiled(IMAGES, folder, "small", **words(folder, "fixed", 4 * 8 * 12 * 3))
    plain = AippParameters(RGB, 12, 8, [AippRow()] * 4)
    larger = replace(plain, width=14, rows=[AippRow(Crop(0, 0, 12, 8))] * 4)
    with Loaded.of(path) as model, Memory([1 << 12, *model.input_sizes()[1:]]) as given:
        assert model.input_sizes() == [4 * 8 * 12 * 3, 448]
        for parameters, code in ((plain, 0), (larger, Code.GE_PARAM_INVALID)):
            aipp = handle_of(parameters, 4)
            assert mdl_aipp.set_aipp_by_input_index(model.number, given.dataset, 0, aipp) == 0
            images = images_of(parameters, 4)
            given.put(0, images)
            with Memory(model.output_sizes()) as taken:
                assert mdl_run.execute(model.number, given.dataset, taken.dataset) == code
                if not code:
                    check_outputs(taken, own_of(parameters, images), folder)
            assert mdl_aipp.destroy_aipp(aipp) == 0


def test_no_crash_when_memory_goes(batch: Path) -> None:
    """Parameters or images that were freed are refused like any other memory."""
    aipp = handle_of(several(RGB), LARGEST)
    with Loaded.of(batch) as model, Memory(model.input_sizes()) as given:
        assert model.set_gear(given.dataset, (1,)) == 0
        assert mdl_aipp.set_input_aipp(model.number, given.dataset, 2, aipp) == 0
        freed, _ = memory.malloc(4096, 0)
        assert memory.free(freed) == 0
        good = list(zip(given.addresses, given.sizes, strict=True))
        with Memory(model.output_sizes()) as taken:
            for at in (0, 2):
                pieces = [*good[:at], (freed, good[at][1]), *good[at + 1 :]]
                source = dataset_over(*pieces)
                ret = mdl_run.execute(model.number, source, taken.dataset)
                assert ret == Code.RT_PARAM_INVALID
        assert util.ptr_to_bytes(given.addresses[2], 4) is not None
    assert mdl_aipp.destroy_aipp(aipp) == 0
