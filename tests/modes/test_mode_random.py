"""Any gears over the rows and lengths of two inputs: ONNX Runtime's numbers, whatever is called."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mode_models import ENGINES, PAIRS, agree, feeds_of, save

import gearshift
from gearshift.errors import GearError
from gearshift.tensors import Shape

sizes = st.integers(1, 5)
gears = st.tuples(sizes, sizes, sizes)
"""Rows, length of q, length of k."""


@dataclass(frozen=True)
class Case:
    gears: tuple[tuple[int, int, int], ...]
    calls: tuple[tuple[int, int, int], ...]
    swapped: bool
    engine: str


@st.composite
def cases(draw: st.DrawFn) -> Case:
    declared = draw(st.lists(gears, min_size=2, max_size=6, unique=True))
    frames = st.sampled_from([gear[1:] for gear in declared])
    largest = max(rows for rows, _, _ in declared)
    calls = st.tuples(st.integers(0, 2 * largest), frames).map(lambda call: (call[0], *call[1]))
    return Case(
        tuple(declared),
        tuple(draw(st.lists(calls | gears, min_size=1, max_size=8))),
        draw(st.booleans()),
        draw(st.sampled_from(ENGINES)),
    )


def _shapes(rows: int, of_q: int, of_k: int) -> dict[str, Shape]:
    return {"q": (rows, of_q, 4), "k": (rows, of_k, 4)}


def _declared(case: Case) -> tuple[str, list[tuple[int, ...]]]:
    """The inputs in either order, and the values in the same."""
    names = "kq" if case.swapped else "qk"
    values = [{"q": (rows, of_q), "k": (rows, of_k)} for rows, of_q, of_k in case.gears]
    written = [tuple(number for name in names for number in gear[name]) for gear in values]
    return ";".join(f"{name}:-1,-1,4" for name in names), written


@settings(max_examples=25)
@given(cases())
def test_any_gears_and_any_calls(case: Case) -> None:
    shape, values = _declared(case)
    with tempfile.TemporaryDirectory() as name:
        onnx_file = save(PAIRS, Path(name))
        artifact = Path(name, "pairs.om")
        gearshift.compile(
            onnx_file, output=artifact, input_shape=shape, dynamic_dims=values, engine=case.engine
        )
        with gearshift.load(artifact) as model:
            for gear, (rows, of_q, of_k) in zip(values, case.gears, strict=True):
                agree(model, onnx_file, feeds_of(_shapes(rows, of_q, of_k)), gear=gear)
            for call in case.calls:
                _check_call(model, onnx_file, case, call)


def _check_call(
    model: gearshift.Session, onnx_file: Path, case: Case, call: tuple[int, int, int]
) -> None:
    rows, of_q, of_k = call
    feeds = feeds_of(_shapes(*call))
    own = {gear[0] for gear in case.gears if gear[1:] == call[1:]}
    if not own:
        with pytest.raises(GearError, match="no gear takes"):
            model.run(feeds)
        return
    plan = model.plan(rows, {name: array.shape for name, array in feeds.items()})
    assert plan.rows == rows
    assert {piece.gear for piece in plan.pieces} <= own
    if rows:
        agree(model, onnx_file, feeds)
    else:
        assert model.run(feeds)["scores"].shape == (0, of_q, of_k)
