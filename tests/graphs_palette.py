"""A palette of small graph pieces, exact in whole numbers, from which random graphs are built.

Each piece takes the sketch and a `pick` that chooses from a sequence, adds nodes that read tensors
of the sketch, and names the float tensors it gives. A piece that does not fit is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

import numpy as np

from gearshift.errors import UnsupportedModelError
from graphs_rows import Sketch

T = TypeVar("T")


class Pick(Protocol):
    def __call__(self, options: Sequence[T], /) -> T: ...


Piece = Callable[[Sketch, Pick], list[str]]
INT64 = 7
FLOAT = 1


def grow(sketch: Sketch, pick: Pick, steps: int, pieces: Sequence[Piece]) -> None:
    """Adds up to that many pieces."""
    for _ in range(steps):
        with suppress(UnsupportedModelError):
            sketch.floats += pick(pieces)(sketch, pick)


def _any(sketch: Sketch, pick: Pick) -> str:
    return pick(sketch.floats[::-1])


def _axis(sketch: Sketch, pick: Pick, name: str) -> int:
    rank = sketch.rank(name)
    if rank == 0:
        raise UnsupportedModelError("a scalar has no axes")
    return pick(range(rank))


def _small(sketch: Sketch, name: str) -> list[str]:
    """Keeps numbers small enough to stay exact."""
    return sketch.add("Mod", name, sketch.constant(13), fmod=1)


def _numbers(shape: Sequence[int]) -> object:
    return (np.arange(int(np.prod(shape))) * 5 % 7 - 3).reshape(tuple(shape))


def unary(sketch: Sketch, pick: Pick) -> list[str]:
    return sketch.add(pick(["Relu", "Neg", "Abs", "Sign"]), _any(sketch, pick))


def binary(sketch: Sketch, pick: Pick) -> list[str]:
    left, right = _any(sketch, pick), _any(sketch, pick)
    return _small(sketch, sketch.add(pick(["Add", "Sub", "Mul", "Max"]), left, right)[0])


def with_constant(sketch: Sketch, pick: Pick) -> list[str]:
    left = _any(sketch, pick)
    shape = pick(sketch.shapes(left))
    kept = pick(range(len(shape) + 1))
    dims = [dim if pick([True, False]) else 1 for dim in shape[kept:]]
    pair = [left, sketch.constant(_numbers(dims))]
    pair = pair if pick([True, False]) else pair[::-1]
    return _small(sketch, sketch.add(pick(["Add", "Mul", "Min"]), *pair)[0])


def where(sketch: Sketch, pick: Pick) -> list[str]:
    names = [_any(sketch, pick) for _ in range(3)]
    mask = sketch.add("Greater", names[0], sketch.constant(0))[0]
    return sketch.add("Where", mask, names[1], names[2])


def matmul(sketch: Sketch, pick: Pick) -> list[str]:
    left = _any(sketch, pick)
    shape = pick(sketch.shapes(left))
    if not shape:
        raise UnsupportedModelError("a scalar")
    kind = pick(["right", "left", "own"])
    if kind == "right":
        pair = [left, sketch.constant(_numbers((shape[-1], 3)))]
    elif kind == "left":
        pair = [sketch.constant(_numbers((2, shape[-2 % len(shape)]))), left]
    else:
        order = list(range(len(shape)))
        order[-2:] = order[-2:][::-1]
        pair = [left, sketch.add("Transpose", left, perm=order)[0]]
    return _small(sketch, sketch.add("MatMul", *pair)[0])


def matmul_any(sketch: Sketch, pick: Pick) -> list[str]:
    return _small(sketch, sketch.add("MatMul", _any(sketch, pick), _any(sketch, pick))[0])


def gemm(sketch: Sketch, pick: Pick) -> list[str]:
    left = _any(sketch, pick)
    turned = pick([0, 1])
    shape = pick(sketch.shapes(left))
    if len(shape) != 2:
        raise UnsupportedModelError("Gemm needs two dims")
    weights = sketch.constant(_numbers((shape[0 if turned else 1], 2)))
    operands = [left, weights, *pick([[], [sketch.constant([1.0, 2.0])]])]
    return _small(sketch, sketch.add("Gemm", *operands, transA=turned)[0])


def einsum(sketch: Sketch, pick: Pick) -> list[str]:
    left, right = _any(sketch, pick), _any(sketch, pick)
    terms = ["".join(pick("abcd") for _ in range(sketch.rank(name))) for name in (left, right)]
    if any(len(set(term)) < len(term) for term in terms):
        raise UnsupportedModelError("a diagonal")
    dims: dict[str, object] = {}
    for term, name in zip(terms, (left, right), strict=True):
        for place, letter in enumerate(term):
            dim = tuple(shape[place] for shape in sketch.shapes(name))
            if dims.setdefault(letter, dim) != dim:
                raise UnsupportedModelError("dims differ")
    letters = sorted(set("".join(terms)))
    out = [letter for letter in letters if pick([True, True, False])]
    out = out if pick([True, False]) else out[::-1]
    equation = f"{','.join(terms)}->{''.join(out)}"
    return _small(sketch, sketch.add("Einsum", left, right, equation=equation)[0])


def transpose(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    left = list(range(sketch.rank(name)))
    order = []
    while left:
        order.append(pick(left))
        left.remove(order[-1])
    return sketch.add("Transpose", name, perm=order) if order else []


def _shape_part(sketch: Sketch, name: str, start: int, end: int) -> str:
    shape = sketch.add("Shape", name)[0]
    return sketch.add("Slice", shape, sketch.integers(start), sketch.integers(end))[0]


def _reshape(sketch: Sketch, name: str, axis: int, gone: int, new: Sequence[int]) -> list[str]:
    """Puts literal dims in the place of some axes; the other dims are read at run time."""
    parts = [sketch.integers(*new)]
    if axis > 0:
        parts.insert(0, _shape_part(sketch, name, 0, axis))
    if axis + gone < sketch.rank(name):
        parts.append(_shape_part(sketch, name, axis + gone, 9))
    target = sketch.add("Concat", *parts, axis=0)[0] if len(parts) > 1 else parts[0]
    return sketch.add("Reshape", name, target)


def merge(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    return _reshape(sketch, name, _axis(sketch, pick, name), 2, [-1])


def divide(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    axis = _axis(sketch, pick, name)
    factor = pick([1, 2, 3, 4])
    return _reshape(sketch, name, axis, 1, pick([[-1, factor], [factor, -1]]))


def reshape(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    targets = [[0, -1], [-1, 2], [-1, 4], [1, -1], [-1], [2, -1], [-1, 3, 2], [2, -1, 2]]
    return sketch.add("Reshape", name, sketch.integers(*pick(targets)))


def flatten(sketch: Sketch, pick: Pick) -> list[str]:
    return sketch.add("Flatten", _any(sketch, pick), axis=pick([0, 1, 2, -1]))


def unsqueeze(sketch: Sketch, pick: Pick) -> list[str]:
    return sketch.add("Unsqueeze", _any(sketch, pick), sketch.integers(pick([0, 1, -1])))


def squeeze(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    return sketch.add("Squeeze", name, sketch.integers(_axis(sketch, pick, name)))


def reduce(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    axes = sorted({_axis(sketch, pick, name) for _ in range(pick([1, 1, 2]))})
    keep = pick([0, 1])
    if pick([True, False]):
        out = sketch.add("ReduceSum", name, sketch.integers(*axes), keepdims=keep)
        return _small(sketch, out[0])
    return sketch.add(pick(["ReduceMax", "ReduceMin"]), name, axes=axes, keepdims=keep)


def arg_max(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    axis = _axis(sketch, pick, name)
    places = sketch.add(pick(["ArgMax", "ArgMin"]), name, axis=axis, keepdims=pick([0, 1]))
    return sketch.add("Cast", *places, to=FLOAT)


def hardmax(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    return sketch.add("Hardmax", name, axis=_axis(sketch, pick, name))


def cumsum(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    axis = sketch.constant(_axis(sketch, pick, name), np.int64)
    return _small(sketch, sketch.add("CumSum", name, axis, reverse=pick([0, 1]))[0])


def top_k(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    axis = _axis(sketch, pick, name)
    values, places = sketch.add("TopK", name, sketch.integers(1), outputs=2, axis=axis)
    return [values, *sketch.add("Cast", places, to=FLOAT)]


def slice_(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    axis = sketch.integers(_axis(sketch, pick, name))
    start, end, step = pick(
        [
            (0, 9, 1),
            (0, 1, 1),
            (1, 9, 1),
            (-1, -9, -1),
            (0, 9, 2),
            (1, 9, 2),
            (0, -1, 1),
            (-1, 9, 1),
        ]
    )
    bounds = [sketch.integers(start), sketch.integers(end)]
    return sketch.add("Slice", name, *bounds, axis, sketch.integers(step))


def concat(sketch: Sketch, pick: Pick) -> list[str]:
    left, right = _any(sketch, pick), _any(sketch, pick)
    return sketch.add("Concat", left, right, axis=_axis(sketch, pick, left))


def concat_own(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    return sketch.add("Concat", name, sketch.add("Neg", name)[0], axis=_axis(sketch, pick, name))


def split(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    return sketch.add("Split", name, outputs=2, axis=_axis(sketch, pick, name))


def gather(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    index = pick([0, -1, [0], [0, 0], [1, 0], [[0], [-1]]])
    axis = _axis(sketch, pick, name)
    return sketch.add("Gather", name, sketch.constant(index, np.int64), axis=axis)


def _index(sketch: Sketch, pick: Pick, bound: int) -> str:
    """Whole numbers 0 ... bound-1 that depend on the data."""
    name = sketch.add("Abs", _any(sketch, pick))[0]
    name = sketch.add("Mod", name, sketch.constant(bound), fmod=1)[0]
    return sketch.add("Cast", name, to=INT64)[0]


def gather_by_data(sketch: Sketch, pick: Pick) -> list[str]:
    name = pick([_any(sketch, pick), sketch.constant(_numbers((3, 2)))])
    axis = _axis(sketch, pick, name)
    bound = min(shape[axis] for shape in sketch.shapes(name))
    return sketch.add("Gather", name, _index(sketch, pick, bound), axis=axis)


def gather_elements(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    axis = _axis(sketch, pick, name)
    bound = min(shape[axis] for shape in sketch.shapes(name))
    return sketch.add("GatherElements", name, _index(sketch, pick, bound), axis=axis)


def scatter_elements(sketch: Sketch, pick: Pick) -> list[str]:
    name, update = _any(sketch, pick), _any(sketch, pick)
    axis = _axis(sketch, pick, name)
    zeros = sketch.add("Cast", sketch.add("Mul", update, sketch.constant(0))[0], to=INT64)[0]
    return sketch.add("ScatterElements", name, zeros, update, axis=axis)


def _batch(sketch: Sketch, pick: Pick) -> str:
    return _shape_part(sketch, pick(list(sketch.inputs)), 0, 1)


def _places(sketch: Sketch, pick: Pick) -> str:
    """0, 1, 2 ... one for each row of the batch."""
    size = sketch.add("Squeeze", _batch(sketch, pick), sketch.integers(0))[0]
    zero, one = sketch.constant(0, np.int64), sketch.constant(1, np.int64)
    return sketch.add("Range", zero, size, one)[0]


def own_entries(sketch: Sketch, pick: Pick) -> list[str]:
    """Entry of each row at a place that the row says: ``x[arange(N), place]``."""
    name = _any(sketch, pick)
    first = sketch.add("Unsqueeze", _places(sketch, pick), sketch.integers(1))[0]
    if sketch.rank(name) < 2:
        raise UnsupportedModelError("no entries")
    bound = min(shape[1] for shape in sketch.shapes(name))
    second = sketch.add("Unsqueeze", _index(sketch, pick, bound), sketch.integers(1))[0]
    order = [first, second] if pick([True, True, False]) else [second, first]
    return sketch.add("GatherND", name, sketch.add("Concat", *order, axis=-1)[0])


def write_column(sketch: Sketch, pick: Pick) -> list[str]:
    """``x[:, k] = update`` as exporters write it."""
    name, update = _any(sketch, pick), _any(sketch, pick)
    first = sketch.add("Unsqueeze", _places(sketch, pick), sketch.integers(1))[0]
    zero = sketch.add("Mul", first, sketch.constant(0, np.int64))[0]
    coordinates = sketch.add("Concat", *pick([[first, zero], [zero, first]]), axis=-1)[0]
    return sketch.add("ScatterND", name, coordinates, update)


def gather_batch(sketch: Sketch, pick: Pick) -> list[str]:
    """Rows picked by their place: all in order, or in the order from behind."""
    name, index = _any(sketch, pick), _places(sketch, pick)
    if pick([True, False]):
        index = sketch.add("Sub", sketch.integers(-1), index)[0]
    return sketch.add("Gather", name, index, axis=_axis(sketch, pick, name))


def tile(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    repeats = [1] * sketch.rank(name)
    repeats[_axis(sketch, pick, name)] = 2
    return sketch.add("Tile", name, sketch.integers(*repeats))


def tile_constant(sketch: Sketch, pick: Pick) -> list[str]:
    repeats = [_batch(sketch, pick), sketch.integers(pick([1, 2]))]
    target = sketch.add("Concat", *pick([repeats, repeats[::-1]]), axis=0)[0]
    return sketch.add("Tile", sketch.constant(_numbers(pick([(1, 2), (2, 1), (2, 3)]))), target)


def expand(sketch: Sketch, pick: Pick) -> list[str]:
    name = pick([_any(sketch, pick), sketch.constant(_numbers((1, 2)))])
    ahead = pick([[2], [1], [_batch]])
    parts = [each(sketch, pick) if callable(each) else sketch.integers(each) for each in ahead]
    parts.append(pick([_shape_part(sketch, name, 0, 9), sketch.integers(1, 1)]))
    return sketch.add("Expand", name, sketch.add("Concat", *parts, axis=0)[0])


def fill(sketch: Sketch, pick: Pick) -> list[str]:
    parts = [_batch(sketch, pick), sketch.integers(pick([1, 2, 4]))]
    target = sketch.add("Concat", *pick([parts, parts[::-1]]), axis=0)[0]
    return sketch.add("ConstantOfShape", target)


def places(sketch: Sketch, pick: Pick) -> list[str]:
    return sketch.add("Cast", _places(sketch, pick), to=FLOAT)


def batch_size(sketch: Sketch, pick: Pick) -> list[str]:
    return sketch.add("Cast", _batch(sketch, pick), to=FLOAT)


def pad(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    pads = [0] * (2 * sketch.rank(name)) or [0]
    pads[pick(range(len(pads)))] = 1
    return sketch.add("Pad", name, sketch.integers(*pads))


def convolve(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    shape = sketch.shapes(name)[0]
    if len(shape) not in (3, 4):
        raise UnsupportedModelError("no picture")
    kernel = [pick([1, 2]) for _ in shape[2:]]
    weights = sketch.constant(_numbers((2, shape[1], *kernel)))
    return _small(sketch, sketch.add("Conv", name, weights)[0])


def max_pool(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    kernel = [pick([1, 2]) for _ in sketch.shapes(name)[0][2:]]
    if not kernel:
        raise UnsupportedModelError("no picture")
    outputs = pick([1, 2])
    found = sketch.add("MaxPool", name, outputs=outputs, kernel_shape=kernel)
    return [found[0], *(sketch.add("Cast", each, to=FLOAT)[0] for each in found[1:])]


def global_pool(sketch: Sketch, pick: Pick) -> list[str]:
    return sketch.add("GlobalMaxPool", _any(sketch, pick))


def one_hot(sketch: Sketch, pick: Pick) -> list[str]:
    index = _index(sketch, pick, 3)
    values = sketch.constant([0.0, 2.0])
    depth = sketch.constant(3, np.int64)
    return sketch.add("OneHot", index, depth, values, axis=pick([0, 1, -1]))


def triangle(sketch: Sketch, pick: Pick) -> list[str]:
    return sketch.add("Trilu", _any(sketch, pick), upper=pick([0, 1]))


def depth_to_space(sketch: Sketch, pick: Pick) -> list[str]:
    return sketch.add(pick(["DepthToSpace", "SpaceToDepth"]), _any(sketch, pick), blocksize=2)


def resize(sketch: Sketch, pick: Pick) -> list[str]:
    name = _any(sketch, pick)
    scales = [pick([1.0, 1.0, 2.0]) for _ in range(sketch.rank(name))]
    none = sketch.constant([])
    return sketch.add("Resize", name, none, sketch.constant(scales), mode="nearest")


PIECES: tuple[Piece, ...] = (
    *(unary, binary, with_constant, where, matmul, matmul_any, gemm, einsum, transpose, merge),
    *(divide, reshape, flatten, unsqueeze, squeeze, reduce, arg_max, hardmax, cumsum, top_k),
    *(slice_, concat, concat_own, split, gather, gather_by_data, gather_elements),
    *(scatter_elements, own_entries, write_column, gather_batch, tile, tile_constant, expand),
    *(fill, places, batch_size, pad, convolve, max_pool, global_pool, one_hot, triangle),
    *(depth_to_space, resize),
)
