"""Operators that move elements, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from op_tools import NUMBERS, run

from gearshift.acl.codes import Code
from gearshift.acl.op.attrs import Attribute
from gearshift.acl.op.jobs import OPERATORS, Job, Tensor
from gearshift.acl.op.strides import parts
from gearshift.acl.system import get_recent_err_msg

DTYPES = [name for name in NUMBERS if not name.startswith("complex")]
CUBE = np.arange(24).reshape(2, 3, 4)


def check(name: str, inputs: list[np.ndarray], wanted: np.ndarray, **values: object) -> None:
    ret, (got,) = run(name, inputs, [np.zeros_like(wanted)], **values)
    assert ret == 0, get_recent_err_msg()
    np.testing.assert_array_equal(got, wanted)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_moves(dtype: str) -> None:
    cube = CUBE.astype(dtype)
    turned = cube.transpose(2, 0, 1)
    check("Transpose", [cube, ints(2, 0, 1)], turned)
    check("TransposeD", [cube], turned, perm=[2, 0, 1])
    check("Permute", [cube], turned, order=[2, 0, 1])
    check("Reshape", [cube, np.array([6, -1])], cube.reshape(6, 4))
    check("ConcatD", [cube, cube], np.concatenate([cube, cube], 1), concat_dim=1)
    check("Slice", [cube, ints(0, 1, 1), ints(2, 2, -1)], cube[:, 1:3, 1:])
    check("GatherV2", [cube, ints(3, 0), ints(2)], cube[..., [3, 0]])
    check("Pack", [cube, cube], np.stack([cube, cube], -1), axis=-1)
    check("Tile", [cube, ints(2, 1, 3)], np.tile(cube, (2, 1, 3)))


def test_other_shapes() -> None:
    cube = CUBE.astype(np.float32)
    check("Reshape", [cube, ints(24)], cube.ravel())
    check("Reshape", [cube[:1, :1, :1], np.zeros(0, np.int64)], cube[0, 0, 0])
    check("Flatten", [cube], cube.reshape(2, 12))
    check("Flatten", [cube], cube.reshape(6, 4), axis=2)
    check("FlattenV2", [cube], cube.reshape(2, 12))
    check("FlattenV2", [cube], cube.reshape(6, 4), axis=0, end_axis=1)
    check("Squeeze", [cube[:1, :, :1]], cube[0, :, 0])
    check("Squeeze", [cube[:1, :, :1]], cube[0, :, :1], axis=[0])
    check("Unsqueeze", [cube], cube[None, :, :, :, None], axes=[0, -1])
    check("ExpandDims", [cube, ints(1)], cube[:, None])
    check("BroadcastTo", [cube[:, :1], ints(2, 3, 4)], cube[:, :1].repeat(3, 1))
    check("BroadcastToD", [cube[0]], np.stack([cube[0], cube[0]]), shape=[2, 3, 4])
    check("TileD", [cube], np.tile(cube, (1, 2, 1)), multiples=[1, 2, 1])


def test_joins_and_parts() -> None:
    cube = CUBE.astype(np.int32)
    one, two = cube[:, :1], cube[:, 1:]
    check("Concat", [ints(1), one, two], cube)
    check("ConcatV2", [one, two, ints(-2)], cube, N=2)
    check("ConcatV2D", [one, two], cube, concat_dim=-2)
    for name, inputs, values in (
        ("Split", [ints(2), cube], {"num_split": 2}),
        ("SplitD", [cube], {"num_split": 2, "split_dim": -1}),
    ):
        ret, halves = run(name, inputs, [np.zeros((2, 3, 2), np.int32)] * 2, **values)
        assert ret == 0
        np.testing.assert_array_equal(np.concatenate(halves, 2), cube)
    check("SliceD", [cube], cube[1:, :2, 2:3], offsets=[1, 0, 2], size=[1, 2, 1])
    check("Gather", [cube, np.array([[1, 0]])], cube[[[1, 0]]])
    check("GatherV2D", [cube, ints(2)], cube[:, [2]], axis=1)


@pytest.mark.parametrize(
    ("name", "inputs", "values"),
    [
        ("Transpose", [CUBE, ints(0, 1)], {}),
        ("Transpose", [CUBE, ints(0, 1, 1)], {}),
        ("Permute", [CUBE], {}),
        ("Reshape", [CUBE, ints(5, -1)], {}),
        ("Reshape", [CUBE, ints(-1, -1)], {}),
        ("Reshape", [CUBE, ints(2, 3)], {}),
        ("Reshape", [CUBE, ints(0, -1)], {}),
        ("Reshape", [CUBE, ints(24)], {"axis": 1}),
        ("FlattenV2", [CUBE], {"axis": 2, "end_axis": 1}),
        ("Squeeze", [CUBE], {"axis": [0]}),
        ("Unsqueeze", [CUBE], {"axes": [0, 0]}),
        ("ExpandDims", [CUBE, ints(9)], {}),
        ("ConcatD", [CUBE, CUBE], {"concat_dim": 3}),
        ("SplitD", [CUBE], {"split_dim": 1, "num_split": 2}),
        ("SplitD", [CUBE], {"split_dim": 1, "num_split": 0}),
        ("Slice", [CUBE, ints(0, 0), ints(1, 1)], {}),
        ("Slice", [CUBE, ints(0, 0, 3), ints(2, 3, 2)], {}),
        ("Slice", [CUBE, ints(0, -1, 0), ints(2, 1, 2)], {}),
        ("GatherV2", [CUBE, ints(0), ints(3)], {}),
        ("GatherV2", [CUBE, ints(0), ints(0)], {"batch_dims": 1}),
        ("Tile", [CUBE, ints(1, 1)], {}),
        ("Tile", [CUBE, ints(1, 1, -1)], {}),
        ("BroadcastTo", [CUBE, ints(3, 4)], {}),
        ("StridedSlice", [CUBE, ints(0), ints(1), ints(0)], {}),
        ("StridedSlice", [CUBE, ints(0), ints(1, 1), ints(1)], {}),
        ("StridedSlice", [CUBE, ints(7), ints(1), ints(1)], {"shrink_axis_mask": 1}),
        ("StridedSlice", [CUBE, *[ints(0, 0, 0, 0)] * 2, ints(1, 1, 1, 1)], {}),
    ],
)
def test_settings_that_do_not_fit(name, inputs, values) -> None:  # type: ignore[no-untyped-def]
    ret, _ = run(name, inputs, [np.zeros(24, np.int64)], **values)
    assert ret == Code.OP_ATTR_NOT_MATCH
    assert f"{name}: " in (get_recent_err_msg() or "")


def test_indices_that_are_not_there() -> None:
    ret, _ = run("GatherV2", [CUBE, ints(2), ints(0)], [np.zeros((1, 3, 4), np.int64)])
    assert ret not in (0, Code.RT_INTERNAL_ERROR)


def bits(positions: set[int]) -> int:
    return sum(1 << position for position in positions)


@st.composite
def slices(draw: st.DrawFn) -> tuple[tuple[int, ...], list[object], dict[str, object]]:
    """A shape, what Python would write in the brackets, and the same as lists and masks."""
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    count = draw(st.integers(0, len(shape)))
    written: list[object] = []
    for dim in shape[:count]:
        bound = st.one_of(st.none(), st.integers(-dim - 2, dim + 2))
        part = st.builds(slice, bound, bound, st.sampled_from([None, 1, 2, -1, -2]))
        written.append(draw(st.one_of(part, st.integers(-dim, dim - 1))))
    for _ in range(draw(st.integers(0, 2))):
        written.insert(draw(st.integers(0, len(written))), None)
    if draw(st.booleans()):
        written.insert(draw(st.integers(0, len(written))), ...)
    lists: dict[str, list[int]] = {"begin": [], "end": [], "strides": []}
    masks: dict[str, set[int]] = {
        name: set() for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    for place, part in enumerate(written):
        begin, end, stride = 0, 0, 1
        if part is ...:
            masks["ellipsis"].add(place)
        elif part is None:
            masks["new_axis"].add(place)
        elif isinstance(part, int):
            masks["shrink_axis"].add(place)
            begin, end = part, part + 1
        else:
            masks["begin"] |= {place} if part.start is None else set()
            masks["end"] |= {place} if part.stop is None else set()
            begin, end, stride = part.start or 0, part.stop or 0, part.step or 1
        for name, value in (("begin", begin), ("end", end), ("strides", stride)):
            lists[name].append(value)
    masked = {f"{name}_mask": bits(places) for name, places in masks.items()}
    return shape, written, {**lists, **masked}


def taken_by_numpy(array: np.ndarray, written: list[object]) -> np.ndarray:
    """What Python's brackets take; an ellipsis keeps the answer from being a scalar."""
    try:
        return np.asarray(array[(*written, ...) if ... not in written else tuple(written)])
    except IndexError:  # an index behind the ellipsis came to a smaller dim
        assume(False)
        raise


@given(slices())
@settings(deadline=None, max_examples=400)
def test_strided_slices_are_those_of_numpy(case) -> None:  # type: ignore[no-untyped-def]
    shape, written, values = case
    array = np.arange(np.prod(shape)).reshape(shape)
    wanted = taken_by_numpy(array, written)
    job = Job(
        "StridedSlice",
        (Tensor(9, shape, 2),),
        (),
        ("x",),
        tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in values.items()),
    )
    cuts, made = parts(job)
    assert tuple(made) == wanted.shape
    taken = array[tuple(slice(c.start, None if c.stop < 0 else c.stop, c.step) for c in cuts)]
    np.testing.assert_array_equal(taken.reshape(made), wanted)


@given(slices())
@settings(deadline=None, max_examples=25)
def test_strided_slices_run(case) -> None:  # type: ignore[no-untyped-def]
    shape, written, values = case
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    wanted = taken_by_numpy(array, written)
    check("StridedSliceD", [array], wanted, **values)
    lists = [np.array(values.pop(name), np.int32) for name in ("begin", "end", "strides")]
    check("StridedSlice", [array, *lists], wanted, **values)


def test_attributes_know_their_kinds() -> None:
    row = OPERATORS["StridedSliceD"]
    wrong = {"begin": Attribute("list_float", (1.0,))}
    with pytest.raises(Exception, match="has no attribute 'begin' of kind list_float"):
        row.settings("StridedSliceD", wrong)


def nearest(image: np.ndarray, size: list[int], corners: bool, centres: bool) -> np.ndarray:
    for axis, new in zip((2, 3), size, strict=True):
        old = image.shape[axis]
        place = np.arange(new)
        if corners:
            at = np.floor(place * ((old - 1) / (new - 1) if new > 1 else 0.0) + 0.5)
        else:
            at = np.floor((place + (0.5 if centres else 0)) * (old / new))
        image = image.take(at.astype(int).clip(0, old - 1), axis)
    return image


def bilinear(image: np.ndarray, size: list[int], corners: bool, centres: bool) -> np.ndarray:
    image = image.astype(np.float64)
    for axis, new in zip((2, 3), size, strict=True):
        old = image.shape[axis]
        place = np.arange(new)
        if corners:
            at = place * ((old - 1) / (new - 1) if new > 1 else 0.0)
        elif centres:
            at = (place + 0.5) * (old / new) - 0.5
        else:
            at = place * (old / new)
        at = at.clip(0, old - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, old - 1)
        part = (at - low).reshape([-1 if dim == axis else 1 for dim in range(4)])
        image = image.take(low, axis) * (1 - part) + image.take(high, axis) * part
    return image


@pytest.mark.parametrize(("corners", "centres"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("size", [[8, 10], [3, 2], [7, 5], [1, 1], [4, 6]])
def test_images_of_other_sizes(size: list[int], corners: bool, centres: bool) -> None:
    image = np.random.default_rng(3).uniform(0, 9, (2, 3, 4, 6)).astype(np.float32)
    values = {"align_corners": corners, "half_pixel_centers": centres}
    for name, function in (
        ("ResizeNearestNeighborV2", nearest),
        ("ResizeBilinearV2", bilinear),
    ):
        wanted = function(image, size, corners, centres).astype(np.float32)
        ret, (got,) = run(name, [image, ints(*size)], [np.zeros_like(wanted)], layout=0, **values)
        assert ret == 0, get_recent_err_msg()
        np.testing.assert_allclose(got, wanted, rtol=1e-5)
        rows = np.ascontiguousarray(image.transpose(0, 2, 3, 1))
        room = np.zeros(wanted.transpose(0, 2, 3, 1).shape, np.float32)
        ret, (got,) = run(f"{name}D", [rows], [room], layout=1, size=size, **values)
        assert ret == 0, get_recent_err_msg()
        np.testing.assert_allclose(got, wanted.transpose(0, 2, 3, 1), rtol=1e-5)


def test_sizes_that_no_image_has() -> None:
    image = np.zeros((1, 1, 2, 2), np.float32)
    for values in (
        {"size": [0, 2]}, {"size": [2]}, {"size": [-1, 2]},
        {"size": [2, 2], "align_corners": True, "half_pixel_centers": True},
    ):  # fmt: skip
        assert run("ResizeBilinearV2D", [image], [image], layout=0, **values)[0] == 100023
