"""The rules of operators that move, pick and repeat entries, one small graph for each case."""

from __future__ import annotations

import pytest

from gearshift.tensors import RowLayout
from graphs_cases import AT_0, AT_1, AT_2, REFUTED, UNKNOWN, Case

SEQUENCE = "float[N,3,4] x"
IMAGE = "float[N,4,2,2] x"
SWAP = "t = Transpose<perm=[1,0,2]>(x)"
COUNT = "d = Shape<end=1>(x) e = Squeeze(d) r = Range(zero, e, one)"
COUNT_CONSTANTS = "int64 zero = {0}, int64 one = {1}"


def dims(name: str, *values: int) -> str:
    return f"int64[{len(values)}] {name} = {{{', '.join(map(str, values))}}}"


RESHAPED = [
    Case("[n] y = Transpose<perm=[2,0,1]>(x)", AT_1, inputs=SEQUENCE),
    Case("[n] y = Transpose(x)", AT_2, inputs=SEQUENCE),
    Case("[n] y = Reshape(x, s)", RowLayout(0, 3), inputs=SEQUENCE, constants=dims("s", -1, 4)),
    Case("[n] y = Reshape(x, s)", AT_0, inputs=SEQUENCE, constants=dims("s", 0, -1)),
    Case("[n] y = Reshape(x, s)", RowLayout(1, 12), inputs=SEQUENCE, constants=dims("s", 1, -1)),
    Case("[n] y = Reshape(x, s)", RowLayout(0, 12), inputs=SEQUENCE, constants=dims("s", -1)),
    Case(
        "a = Reshape(x, s) b = Relu(a) [n] y = Reshape(b, u)",
        AT_0,
        inputs=SEQUENCE,
        constants=f"{dims('s', -1, 4)}, {dims('u', -1, 3, 4)}",
    ),
    Case(
        f"{SWAP} a = Reshape(t, s) b = Reshape(a, u) [n] y = ReduceSum<keepdims=0>(b, v)",
        AT_0,
        inputs=SEQUENCE,
        constants=f"{dims('s', -1, 4)}, {dims('u', 3, -1, 4)}, {dims('v', 0)}",
    ),
    Case(f"{SWAP} [n] y = Reshape(t, s)", UNKNOWN, inputs=SEQUENCE, constants=dims("s", -1, 4)),
    Case(f"{SWAP} [n] y = Reshape(t, s)", UNKNOWN, inputs=SEQUENCE, constants=dims("s", -1, 3, 4)),
    Case("[n] y = Reshape(x, s)", UNKNOWN, inputs="float[N,6] x", constants=dims("s", 6, -1)),
    Case("[n] y = Flatten(x)", AT_0, inputs=SEQUENCE),
    Case("[n] y = Flatten<axis=2>(x)", RowLayout(0, 3), inputs=SEQUENCE),
    Case(f"{SWAP} [n] y = Flatten(t)", RowLayout(1, 4), inputs=SEQUENCE),
    Case("[n] y = Squeeze(x, s)", AT_0, inputs="float[N,1,4] x", constants=dims("s", 1)),
    Case("[n] y = Unsqueeze(x, s)", AT_2, constants=dims("s", 0, 1)),
    Case("[n] y = DepthToSpace<blocksize=2>(x)", AT_0, inputs=IMAGE),
    Case("[n] y = SpaceToDepth<blocksize=2>(x)", AT_0, inputs=IMAGE),
    Case(
        "s = Shape(x) a = Gather(s, i) b = Unsqueeze(a, o) c = Concat<axis=0>(b, k) "
        "[n] y = Reshape(x, c)",
        AT_0,
        inputs=SEQUENCE,
        constants=f"int64 i = {{0}}, {dims('o', 0)}, {dims('k', 2, 6)}",
    ),
]

CUT = [
    Case("[n] y = Concat<axis=1>(x, x)", AT_0),
    Case("[n] y = Concat<axis=0>(x, x)", UNKNOWN),
    Case(
        "a = Concat<axis=0>(x, z) [n] b, y = Split<axis=0>(a)",
        AT_0,
        inputs="float[N,4] x, float[N,4] z",
    ),
    Case("[n] a = Concat<axis=0>(x, w) y = Relu(a)", UNKNOWN, constants="float[1,4] w = {1,2,3,4}"),
    Case("[n] y, z = Split<axis=1>(x)", AT_0),
    Case("[n] z, y = Split<axis=1>(x, s)", AT_0, constants=dims("s", 1, 3)),
    Case(
        "[n] y = Slice(x, i, j, k)",
        AT_0,
        constants=f"{dims('i', 1)}, {dims('j', 9)}, {dims('k', 1)}",
    ),
    Case("[n] y = Slice<starts=[1], ends=[3], axes=[1]>(x)", AT_0, opset='"" : 9'),
    Case("[n] y = Slice(x, i, j)", AT_0, constants=f"{dims('i', 0)}, {dims('j', 99)}"),
    Case("[n] y = Slice(x, i, j)", REFUTED, constants=f"{dims('i', 0)}, {dims('j', 1)}"),
    Case("[n] y = Slice(x, i, j)", REFUTED, constants=f"{dims('i', -1)}, {dims('j', 9)}"),
    Case(
        "[n] y = Slice(x, i, j, k, l)",
        REFUTED,
        constants=f"{dims('i', -1)}, {dims('j', -9)}, {dims('k', 0)}, {dims('l', -1)}",
    ),
    Case(
        "a = Reshape(x, s) [n] y = Slice(a, i, j, k, l)",
        AT_0,
        inputs=SEQUENCE,
        constants=f"{dims('s', -1, 4)}, {dims('i', 1)}, {dims('j', 999)}, "
        f"{dims('k', 0)}, {dims('l', 3)}",
    ),
    Case(
        "d = Shape<end=1>(x) [n] y = Slice(s, z, d, z)",
        REFUTED,
        inputs="float[N,4] x, float[5] s",
        constants=dims("z", 0),
    ),
    Case(
        "d = Shape<end=1>(x) [n] y = Slice(x, d, e, o)",
        REFUTED,
        constants=f"{dims('e', 9)}, {dims('o', 1)}",
        runs=False,
    ),
    Case("[n] y = Pad(x, p)", AT_0, constants=dims("p", 0, 1, 0, 2)),
    Case("[n] y = Pad(x, p)", UNKNOWN, constants=dims("p", 0, 0, 1, 0)),
    Case("[n] y = Trilu(x)", AT_0, inputs=SEQUENCE),
    Case("[n] y = Trilu(x)", REFUTED),
]

PICKED = [
    Case("[n] y = Gather<axis=1>(x, i)", AT_0, inputs=SEQUENCE, constants="int64 i = {-1}"),
    Case("[n] y = Gather<axis=1>(x, i)", AT_0, constants="int64[2,1] i = {0, 2}"),
    Case(
        f"{SWAP} [n] y = Gather<axis=0>(t, i)",
        AT_2,
        inputs=SEQUENCE,
        constants="int64[2,1] i = {0, 2}",
    ),
    Case("[n] y = Gather(w, x)", AT_0, inputs="int64[N,3] x", constants="float[2,2] w = {1,2,3,4}"),
    Case(
        "[n] y = Gather<axis=1>(w, x)",
        AT_1,
        inputs="int64[N,3] x",
        constants="float[2,2] w = {1,2,3,4}",
    ),
    Case("[n] y = Gather(x, i)", REFUTED, constants="int64 i = {0}"),
    Case("[n] y = Gather(x, i)", REFUTED, inputs="float[N,4] x, int64[2] i", runs=False),
    Case("[n] y = Gather<axis=1>(x, i)", REFUTED, inputs="float[N,4] x, int64[N] i"),
    Case(
        "a = ArgMax<axis=1, keepdims=0>(x) b = Mul(a, k) [n] y = Gather(x, b)",
        REFUTED,
        constants="int64 k = {0}",
    ),
    Case(f"{COUNT} [n] y = Gather(x, r)", AT_0, constants=COUNT_CONSTANTS),
    Case(
        f"{COUNT} a = Reshape(x, s) p = Mul(r, t) i = Add(p, one) [n] y = Gather(a, i)",
        AT_0,
        inputs=SEQUENCE,
        constants=f"{COUNT_CONSTANTS}, {dims('s', -1, 4)}, int64 t = {{3}}",
    ),
    Case(
        f"{COUNT} a = Reshape(x, s) p = Mul(r, t) q = Mod(r, t) i = Add(p, q) [n] y = Gather(a, i)",
        UNKNOWN,  # each row gives another of its entries
        inputs=SEQUENCE,
        constants=f"{COUNT_CONSTANTS}, {dims('s', -1, 4)}, int64 t = {{3}}",
    ),
    Case(
        f"{COUNT} f = Sub(m, r) [n] y = Gather(x, f)",
        REFUTED,
        constants=f"{COUNT_CONSTANTS}, {dims('m', -1)}",
    ),
    Case(
        f"{COUNT} [n] y = Gather(w, r)",
        REFUTED,
        constants=f"{COUNT_CONSTANTS}, float[4] w = {{1,2,3,4}}",
    ),
    Case("[n] y = GatherElements<axis=1>(x, i)", AT_0, inputs="float[N,4] x, int64[N,2] i"),
    Case("[n] y = GatherElements<axis=1>(x, i)", UNKNOWN, constants="int64[1,2] i = {0, 1}"),
    Case(
        "[n] y = GatherElements<axis=0>(x, i)",
        REFUTED,
        inputs="float[N,4] x, int64[N,4] i",
        runs=False,
    ),
    Case(
        "[n] y = ScatterElements<axis=1>(x, i, u)",
        AT_0,
        inputs="float[N,4] x, int64[N,2] i, float[N,2] u",
    ),
    Case(
        "i = Cast<to=7>(z) [n] y = ScatterElements<axis=0>(x, i, x)",
        REFUTED,
        inputs="float[N,4] x, uint8[N,4] z",
        runs=False,
    ),
    Case("[n] y = GatherND<batch_dims=1>(x, i)", AT_0, inputs="float[N,4] x, int64[N,1] i"),
    Case(
        "[n] y = GatherND(w, i)",
        AT_0,
        inputs="float[N,4] x, int64[N,2] i",
        constants="float[2,2] w = {1,2,3,4}",
    ),
    Case("[n] y = GatherND(x, i)", REFUTED, constants="int64[1,1] i = {0}"),
    Case(
        f"{SWAP} [n] y = GatherND(t, i)", AT_1, inputs=SEQUENCE, constants="int64[2,1] i = {2, 0}"
    ),
    Case(
        f"{COUNT} a = ArgMax<axis=1>(x) b = Unsqueeze(r, k) "
        "c = Concat<axis=1>(b, a) [n] y = GatherND(x, c)",
        AT_0,
        constants=f"{COUNT_CONSTANTS}, {dims('k', 1)}",
    ),
    Case(
        f"{COUNT} a = ArgMax<axis=1>(x) b = Unsqueeze(r, k) c = Concat<axis=1>(a, b) "
        "t = Transpose(x) [n] y = GatherND(t, c)",
        AT_0,
        constants=f"{COUNT_CONSTANTS}, {dims('k', 1)}",
    ),
    Case(
        f"{COUNT} a = ArgMax<axis=1>(x) b = Unsqueeze(r, k) [n] c = Add(b, a) y = Gather(x, c)",
        UNKNOWN,
        constants=f"{COUNT_CONSTANTS}, {dims('k', 1)}",
        runs=False,
    ),
    Case(
        f"{COUNT} b = Unsqueeze(r, k) z = Mul(b, zero) "
        "c = Concat<axis=1>(b, z) [n] y = ScatterND(x, c, u)",
        AT_0,
        inputs="float[N,4] x, float[N] u",
        constants=f"{COUNT_CONSTANTS}, {dims('k', 1)}",
    ),
    Case(
        f"{SWAP} [n] y = ScatterND(t, i, u)",
        UNKNOWN,
        inputs="float[N,3,1] x, float[1,2,1] u",
        constants="int64[1,1] i = {2}",
        runs=False,
    ),
    Case(
        "t = Transpose(x) [n] y = ScatterND(t, i, u)",
        UNKNOWN,
        inputs="float[N,3] x, int64[N,1,1] i, float[N,1,1] u",
        runs=False,
    ),
    Case(
        "t = Transpose(x) u = Reshape(z, s) [n] y = ScatterND(t, i, u)",
        AT_1,
        inputs="float[N,3] x, float[N] z",
        constants=f"int64[1,1] i = {{2}}, {dims('s', 1, -1)}",
    ),
    Case(
        "[n] y = OneHot(x, d, v)",
        AT_0,
        inputs="int64[N] x",
        constants="int64 d = {3}, float[2] v = {0, 1}",
    ),
    Case(
        "[n] y = OneHot<axis=0>(x, d, v)",
        AT_1,
        inputs="int64[N] x",
        constants="int64 d = {3}, float[2] v = {0, 1}",
    ),
]

SPREAD = [
    Case(
        "d = Shape<end=1>(x) s = Concat<axis=0>(d, k) c = Expand(w, s) "
        "[n] y = Concat<axis=1>(c, x)",
        AT_0,
        inputs=SEQUENCE,
        constants=f"float[1,1,4] w = {{1,2,3,4}}, {dims('k', 1, 4)}",
    ),
    Case("[n] y = Expand(x, s)", AT_1, constants=dims("s", 2, 1, 1)),
    Case(
        "a = Unsqueeze(x, o) d = Shape<end=1>(x) s = Concat<axis=0>(d, k) [n] y = Expand(a, s)",
        UNKNOWN,
        constants=f"{dims('o', 0)}, {dims('k', 1, 1)}",
    ),
    Case(
        "d = Shape<end=1>(x) s = Concat<axis=0>(d, k) [n] y = Expand(t, s)",
        AT_0,
        inputs="float[N,4] x, float[1,3] t",
        constants=dims("k", 3),
    ),
    Case("[n] y = Tile(x, r)", AT_0, constants=dims("r", 1, 3)),
    Case("[n] y = Tile(x, r)", UNKNOWN, constants=dims("r", 2, 1)),
    Case(
        "d = Shape<end=1>(x) s = Concat<axis=0>(d, k) [n] y = Tile(t, s)",
        RowLayout(0, 2),
        inputs="float[N,4] x, float[2,3] t",
        constants=dims("k", 1),
    ),
    Case(
        "d = Shape<end=1>(x) s = Concat<axis=0>(d, k) [n] y = ConstantOfShape(s)",
        AT_0,
        constants=dims("k", 5),
    ),
    Case("d = Shape<end=1>(x) s = Concat<axis=0>(d, d) [n] y = ConstantOfShape(s)", REFUTED),
    Case("[n] y = EyeLike(x)", REFUTED),
    Case(
        "[n] y = Resize(x, r, s)",
        AT_0,
        inputs=IMAGE,
        constants="float[0] r = {}, float[4] s = {1,1,2,2}",
    ),
    Case(
        'd = Shape<end=2>(x) s = Concat<axis=0>(d, k) [n] y = Resize<mode="linear">(x, r, r, s)',
        AT_0,
        inputs=IMAGE,
        constants=f"float[0] r = {{}}, {dims('k', 3, 3)}",
    ),
    Case(
        "[n] y = Resize(x, r, s)",
        UNKNOWN,
        inputs=IMAGE,
        constants="float[0] r = {}, float[4] s = {2,1,1,1}",
    ),
    Case(
        "[n] y = Upsample(x, s)",
        AT_0,
        inputs=IMAGE,
        constants="float[4] s = {1,1,2,2}",
        opset='"" : 9',
    ),
    Case("[n] y = GridSample(x, g)", AT_0, inputs="float[N,1,3,3] x, float[N,2,2,2] g"),
    Case(
        "[n] y = CenterCropPad<axes=[2,3]>(x, s)",
        AT_0,
        inputs=IMAGE,
        constants=dims("s", 1, 4),
        opset='"" : 18',
    ),
    Case(
        "[n] y = Col2Im(x, s, b)",
        AT_0,
        inputs="float[N,4,9] x",
        constants=f"{dims('s', 4, 4)}, {dims('b', 2, 2)}",
        opset='"" : 18',
    ),
    Case(
        "d = Shape<end=1>(x) s = Concat<axis=0>(d, k) [n] y = AffineGrid(x, s)",
        AT_0,
        inputs="float[N,2,3] x",
        constants=dims("k", 1, 2, 2),
        opset='"" : 20',
    ),
]


@pytest.mark.parametrize("case", [*RESHAPED, *CUT, *PICKED, *SPREAD], ids=str)
def test_rule(case: Case) -> None:
    case.check()
