"""Every operator on any tensors and settings: always a code that is known, never a crash."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from op_tools import NUMBERS, Tensor, attributes

from gearshift.acl import runtime
from gearshift.acl.codes import Code
from gearshift.acl.op import attrs as op_attrs
from gearshift.acl.op import run as op_run
from gearshift.acl.op.jobs import OPERATORS

TYPES = st.sampled_from(["float32"] * 6 + ["float16", "int32", "int64", *NUMBERS])
SHAPES = st.lists(st.integers(0, 4), max_size=5).map(tuple)
ALIKE = st.sampled_from([(2, 3), (3, 2), (4,), (1, 2, 3, 4), (2, 2)])
VALUES = {
    bool: st.booleans(),
    int: st.integers(-5, 5),
    float: st.floats(width=32),
    tuple: st.lists(st.integers(-3, 4), max_size=4),
}
KNOWN = {int(code) for code in Code} | {500002}


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, list[np.ndarray], list[np.ndarray], dict[str, object]]:
    name = draw(st.sampled_from(sorted(OPERATORS)))
    row = OPERATORS[name]
    shape, dtype = draw(ALIKE), draw(TYPES)
    random = np.random.default_rng(draw(st.integers(0, 99)))

    def tensor(decides: bool) -> np.ndarray:
        if decides:
            count = draw(st.integers(0, 4))
            return random.integers(-3, 5, count).astype(draw(st.sampled_from(["int32", "int64"])))
        own = draw(st.one_of(st.just(shape), ALIKE, SHAPES))
        return (random.random(own) * 9 - 4).astype(draw(st.one_of(st.just(dtype), TYPES)))

    inputs = [tensor(own.startswith("=")) for own in row.inputs if draw(st.integers(0, 9))]
    outputs = [tensor(False) for _ in range(draw(st.sampled_from([row.outputs or 2] * 9 + [1])))]
    values = {
        own: draw(VALUES[default if isinstance(default, type) else type(default)])
        for own, default in row.attributes.items()
        if isinstance(default, type) or draw(st.booleans())
    }
    return name, inputs, outputs, values


@given(calls())
@settings(deadline=None, max_examples=500)
def test_any_call(call) -> None:  # type: ignore[no-untyped-def]
    name, arrays, rooms, values = call
    runtime.set_device(0)
    with np.errstate(all="ignore"):
        given_ = [Tensor(array) for array in arrays]
        made = [Tensor(room) for room in rooms]
    attr = attributes(values)
    lists = [[[t.desc for t in side], [t.buffer for t in side]] for side in (given_, made)]
    codes = [op_run.execute_v2(name, *lists[0], *lists[1], attr, 0)]
    codes.append(runtime.synchronize_stream(0))
    codes.append(op_run.infer_shape(name, *lists[0], len(made), lists[1][0], attr))
    assert set(codes) <= KNOWN
    assert Code.RT_INTERNAL_ERROR not in codes, (name, arrays, values)
    op_attrs.destroy_attr(attr)
    for tensor in (*given_, *made):
        tensor.free()
