"""Setters of dynamic AIPP's parameters: what each takes, and which bytes it writes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pytest
from mdl_tools import started

from gearshift.acl.call import ArgumentsError
from gearshift.acl.codes import Code
from gearshift.acl.mdl import aipp as mdl_aipp
from gearshift.acl.mdl.aipp import PARAMETERS

__all__ = ["started"]

WRONG = Code.INVALID_PARAM
ROWS = 3


def block(aipp: int) -> bytes:
    return PARAMETERS.get(aipp).block.tobytes()


def differing(before: bytes, after: bytes) -> set[int]:
    return {at for at, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]}


@pytest.fixture
def aipp() -> int:
    return mdl_aipp.create_aipp(ROWS)


def test_new_parameters(aipp: int) -> None:
    """Every switch off, every factor 1, and the number of rows."""
    content = bytearray(64 + 96 * ROWS)
    content[4] = ROWS
    for row in range(ROWS):
        struct.pack_into("<4e", content, 64 + 96 * row + 72, 1, 1, 1, 1)
    assert block(aipp) == bytes(content)


@pytest.mark.parametrize("rows", [1, 2, 32, 127])
def test_numbers_of_rows(rows: int) -> None:
    aipp = mdl_aipp.create_aipp(rows)
    assert aipp
    assert len(block(aipp)) == 64 + 96 * rows
    assert mdl_aipp.get_aipp_data_size(rows) == (64 + 96 * rows, 0)
    assert mdl_aipp.set_aipp_dtc_pixel_mean(aipp, 1, 2, 3, 4, rows - 1) == 0
    assert mdl_aipp.set_aipp_dtc_pixel_mean(aipp, 1, 2, 3, 4, rows) == WRONG
    assert mdl_aipp.destroy_aipp(aipp) == 0


@pytest.mark.parametrize("rows", [0, 128, -1, 1 << 40])
def test_numbers_of_rows_that_are_none(rows: int) -> None:
    assert mdl_aipp.create_aipp(rows) == 0
    assert mdl_aipp.get_aipp_data_size(rows) == (0, WRONG)


# Of each setter: arguments, and where what lies in the header, or in the record of row 1.
WRITTEN: list[tuple[str, Sequence[Any], dict[int, tuple[str, Sequence[Any]]]]] = [
    ("input_format", (1,), {0: ("B", (1,))}),
    ("input_format", (10,), {0: ("B", (10,))}),
    ("rbuv_swap_switch", (1,), {2: ("b", (1,))}),
    ("ax_swap_switch", (1,), {3: ("b", (1,))}),
    ("src_image_size", (640, 480), {8: ("<2i", (640, 480))}),
    (
        "csc_params",
        (1, 298, 516, -32768, 4, -5, 6, 7, 8, 32767, 255, 2, 3, 16, 0, 128),
        {
            1: ("b", (1,)),
            16: ("<9h", (298, 516, -32768, 4, -5, 6, 7, 8, 32767)),
            40: ("6B", (255, 2, 3, 16, 0, 128)),
        },
    ),
    ("crop_params", (1, 2, 4, 6, 8, 1), {160: ("b", (1,)), 168: ("<4i", (2, 4, 6, 8))}),
    ("padding_params", (1, 5, 6, 7, 8, 1), {162: ("b", (1,)), 200: ("<4i", (5, 6, 7, 8))}),
    ("dtc_pixel_mean", (1, 2, 3, 255, 1), {216: ("<4h", (1, 2, 3, 255))}),
    ("dtc_pixel_min", (0.5, 1, 255.0, 0.1, 1), {224: ("<4e", (0.5, 1, 255.0, 0.1))}),
    ("pixel_var_reci", (-0.5, 65504, 1 / 3, 0, 1), {232: ("<4e", (-0.5, 65504, 1 / 3, 0))}),
    ("scf_params", (0, 1, 2, 3, 4, 1), {}),
]


@pytest.mark.parametrize(("name", "arguments", "places"), WRITTEN)
def test_what_is_written(
    aipp: int, name: str, arguments: Sequence[Any], places: dict[int, tuple[str, Sequence[Any]]]
) -> None:
    before = bytearray(block(aipp))
    assert getattr(mdl_aipp, f"set_aipp_{name}")(aipp, *arguments) == 0
    for place, (form, values) in places.items():
        struct.pack_into(form, before, place, *values)
    assert block(aipp) == bytes(before)


def test_switches_are_turned_off_again(aipp: int) -> None:
    fresh = block(aipp)
    a = mdl_aipp
    for switch in (1, 0):
        assert a.set_aipp_rbuv_swap_switch(aipp, switch) == 0
        assert a.set_aipp_ax_swap_switch(aipp, switch) == 0
        assert a.set_aipp_csc_params(aipp, switch, *[0] * 15) == 0
        assert a.set_aipp_crop_params(aipp, switch, 0, 0, switch, switch, 2) == 0
        assert a.set_aipp_padding_params(aipp, switch, 0, 0, 0, 0, 2) == 0
    assert block(aipp) == fresh


REFUSED: list[tuple[str, Sequence[Any], int]] = [
    *[("input_format", (number,), WRONG) for number in (0, 5, 6, 11, 14, 255, 256 + 1, 1 << 31)],
    *[(f"{name}_swap_switch", (2,), WRONG) for name in ("rbuv", "ax")],
    ("csc_params", (2, *[0] * 15), WRONG),
    *[
        ("src_image_size", size, WRONG)
        for size in ((1, 1), (4097, 1), (2, 0), (2, 4097), (-1, 2), (2, -1), (0, 0))
    ],
    ("scf_params", (1, 16, 16, 16, 16, 0), Code.FEATURE_UNSUPPORTED),
    ("scf_params", (2, 16, 16, 16, 16, 0), WRONG),
    *[
        ("crop_params", (1, *numbers, 0), WRONG)
        for numbers in (
            *((-1, 0, 1, 1), (4096, 0, 1, 1), (0, -1, 1, 1), (0, 4096, 1, 1)),
            *((0, 0, 0, 1), (0, 0, 4097, 1), (0, 0, 1, 0), (0, 0, 1, 4097)),
        )
    ],
    ("crop_params", (2, 0, 0, 1, 1, 0), WRONG),
    *[
        ("padding_params", (1, *[33 if at == place else 0 for at in range(4)], 0), WRONG)
        for place in range(4)
    ],
    *[
        ("padding_params", (1, *[-1 if at == place else 0 for at in range(4)], 0), WRONG)
        for place in range(4)
    ],
    ("padding_params", (3, 0, 0, 0, 0, 0), WRONG),
    *[
        ("dtc_pixel_mean", (*[number if at == place else 0 for at in range(4)], 0), WRONG)
        for place in range(4)
        for number in (-1, 256)
    ],
    *[
        ("dtc_pixel_min", (*[number if at == place else 0 for at in range(4)], 0), WRONG)
        for place in range(4)
        for number in (-0.001, 255.001, float("nan"), float("inf"))
    ],
    *[
        ("pixel_var_reci", (*[number if at == place else 0 for at in range(4)], 0), WRONG)
        for place in range(4)
        for number in (-65504.5, 65505.0, float("nan"), float("-inf"))
    ],
]
OF_ROWS = {
    "crop_params": (1, 0, 0, 1, 1),
    "padding_params": (1, 0, 0, 0, 0),
    "scf_params": (0, 0, 0, 0, 0),
    "dtc_pixel_mean": (1, 1, 1, 1),
    "dtc_pixel_min": (1.0, 1.0, 1.0, 1.0),
    "pixel_var_reci": (1.0, 1.0, 1.0, 1.0),
}
REFUSED += [
    (name, (*numbers, row), WRONG)
    for name, numbers in OF_ROWS.items()
    for row in (ROWS, -1, 1 << 40)
]


@pytest.mark.parametrize(("name", "arguments", "code"), REFUSED)
def test_what_is_refused_changes_nothing(
    aipp: int, name: str, arguments: Sequence[Any], code: int
) -> None:
    fresh = block(aipp)
    assert getattr(mdl_aipp, f"set_aipp_{name}")(aipp, *arguments) == code
    assert not differing(fresh, block(aipp))


EDGES: list[tuple[str, Sequence[Any]]] = [
    ("src_image_size", (2, 1)),
    ("src_image_size", (4096, 4096)),
    ("crop_params", (1, 4095, 4095, 4096, 4096, 0)),
    ("crop_params", (1, 0, 0, 1, 1, 2)),
    ("crop_params", (0, -5, 99999, 0, 0, 0)),  # ignored while it is off
    ("padding_params", (1, 32, 32, 32, 32, 0)),
    ("padding_params", (0, 99, -1, 0, 0, 0)),
    ("dtc_pixel_min", (0, 255, 0, 255, 0)),
    ("pixel_var_reci", (-65504, 65504, 0, 1, 0)),
    ("csc_params", (0, *[32767] * 9, *[255] * 6)),
]


@pytest.mark.parametrize(("name", "arguments"), EDGES)
def test_edges_of_what_is_allowed(aipp: int, name: str, arguments: Sequence[Any]) -> None:
    assert getattr(mdl_aipp, f"set_aipp_{name}")(aipp, *arguments) == 0


@pytest.mark.parametrize("handle", [0, 7, -1, 1 << 63])
def test_handles_of_nothing(handle: int) -> None:
    assert mdl_aipp.destroy_aipp(handle) == WRONG
    for name, arguments, _ in WRITTEN:
        assert getattr(mdl_aipp, f"set_aipp_{name}")(handle, *arguments) == WRONG


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("input_format", ("RGB",)),
        ("csc_params", (1, *[0] * 14)),
        ("csc_params", (1, 40000, *[0] * 14)),
        ("csc_params", (1, *[0.5] * 15)),
        ("crop_params", (1, 0, 0, 1, 1)),
        ("crop_params", (1, 0.0, 0, 1, 1, 0)),
        ("src_image_size", (1 << 40, 1)),
        ("dtc_pixel_mean", (1.5, 0, 0, 0, 0)),
        ("dtc_pixel_min", (None, 0, 0, 0, 0)),
        ("pixel_var_reci", ([1], 0, 0, 0, 0)),
        ("rbuv_swap_switch", (-1,)),
        ("rbuv_swap_switch", (256,)),
    ],
)
def test_arguments_that_cannot_be_read(aipp: int, name: str, arguments: Sequence[Any]) -> None:
    with pytest.raises(ArgumentsError, match=rf"^acl\.mdl\.set_aipp_{name} args parse failed"):
        getattr(mdl_aipp, f"set_aipp_{name}")(aipp, *arguments)
