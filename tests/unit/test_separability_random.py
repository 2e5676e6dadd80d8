"""Soundness by brute force: random small graphs, proved, then run row by row.

What the proof says of an output must hold bit for bit: a row keeps its entries when its neighbours,
its place or the batch size change. Where the proof says that rows mix, they nearly always do.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument

from graphs_palette import PIECES, Pick, grow
from graphs_rows import (
    Sketch,
    as_program,
    keeps_rows,
    layouts_that_fit,
    prove_program,
    run_batches,
)

ROWS = [(None, 4), (None, 2, 3), (None, 2, 4), (None, 4, 2, 2), (None,)]
SHARED = [(4,), (2, 3), (3,)]


def sketch_graph(pick: Pick) -> tuple[Sketch, list[str]]:
    """A random graph and the tensors that it gives out: all that nothing reads."""
    inputs: dict[str, tuple[int | None, ...]] = {"x": pick(ROWS)}
    if pick([False, False, True]):
        inputs["z"] = pick(ROWS)
    if pick([False, False, False, True]):
        inputs["s"] = pick(SHARED)
    sketch = Sketch(17, inputs)
    grow(sketch, pick, pick(range(1, 8)), PIECES)
    outputs = [name for name in sketch.floats if name not in sketch.used | sketch.inputs.keys()]
    return sketch, outputs


def judge(sketch: Sketch, outputs: list[str]) -> str | None:
    """Checks what is proved; verdict and truth in words, None if ONNX Runtime refuses the graph."""
    program = as_program(sketch, outputs)
    proof = prove_program(program)
    try:
        arrays = dict(zip(outputs, run_batches(program), strict=True))
    except (Fail, InvalidArgument):  # an index out of range, which only the run can tell
        return None
    for name, layout in proof.outputs.items():
        assert keeps_rows(arrays[name], layout), f"'{name}' does not hold its rows at {layout}"
    if proof.verdict == "proved":
        assert proof.outputs.keys() == set(outputs)
        return "proved"
    assert proof.node in {node.name for node in sketch.nodes}
    assert proof.path[0] in sketch.inputs
    mixes = any(not list(layouts_that_fit(each)) for each in arrays.values())
    return f"{proof.verdict}, {'mixes' if mixes else 'separable'}"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data())
def test_what_is_proved_holds_bit_for_bit(data: st.DataObject) -> None:
    sketch, outputs = sketch_graph(lambda options: data.draw(st.sampled_from(options)))
    assume(outputs)
    assume(judge(sketch, outputs) is not None)


@pytest.fixture(scope="module")
def tally() -> Counter[str | None]:
    generator = random.Random(7)
    found: Counter[str | None] = Counter()
    for _ in range(300):
        sketch, outputs = sketch_graph(generator.choice)
        if outputs:
            found[judge(sketch, outputs)] += 1
    return found


def test_a_refuted_graph_mixes_rows(tally: Counter[str | None]) -> None:
    mixing, separable = tally["refuted, mixes"], tally["refuted, separable"]
    assert mixing >= 60
    assert mixing / (mixing + separable) >= 0.95, tally


def test_few_separable_graphs_are_left_unknown(tally: Counter[str | None]) -> None:
    proved, missed = tally["proved"], tally["unknown, separable"]
    assert proved >= 60
    assert proved / (proved + missed) >= 0.8, tally
