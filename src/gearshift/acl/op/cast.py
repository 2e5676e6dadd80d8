"""From one element type to another, exactly, and the operator Cast.

Numbers that the other type has not are rounded to the nearest, of two equally near ones to the even
one; to a whole number everything is rounded towards zero, what is too large becomes the largest
and what is no number 0. Whole numbers of too many bits lose the upper ones. Of a complex number the
real part is taken. Whatever is not 0 is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.op.jobs import OPERATORS, Job, Operator
from gearshift.tensors import DTYPE_NAMES, Array, Shape, dtype_named

Values = npt.NDArray[Any]

BFLOAT16: Final = 27
TYPES: Final[dict[int, np.dtype[Any]]] = {
    **{dtype.acl: dtype.numpy for dtype in map(dtype_named, DTYPE_NAMES)},
    16: np.dtype("complex64"),
    17: np.dtype("complex128"),
    BFLOAT16: np.dtype("uint16"),  # its bits, which numpy has no name for
}
"""Types that can be cast, by AscendCL's number."""

_EXACT_BITS: Final = 53
"""Bits of a whole number that float64 holds."""
_EXCESS_BITS: Final = 64 - _EXACT_BITS


def convert(values: Values, source: int, target: int) -> Values:
    """Elements of one type as elements of another; numbers as AscendCL's."""
    if source == target:
        return values
    if source == BFLOAT16:
        values = (values.astype(np.uint32) << 16).view(np.float32)
    wanted = TYPES[target]
    if wanted.kind == "b":
        return np.not_equal(values, 0)
    if values.dtype.kind == "c" and wanted.kind != "c":
        values = values.real
    with np.errstate(all="ignore"):
        if target == BFLOAT16:
            return _bfloat16(_to_odd_single(values))
        if values.dtype.kind == "f" and wanted.kind in "iu":
            return _whole(values, wanted)
        return values.astype(wanted)


def _whole(values: Values, wanted: np.dtype[Any]) -> Values:
    limits = np.iinfo(wanted)
    cut = np.trunc(values.astype(np.float64))
    low, high = cut < float(limits.min), cut >= float(limits.max + 1)
    whole = np.where(low | high | np.isnan(cut), 0.0, cut).astype(wanted)
    whole[low], whole[high] = limits.min, limits.max
    return whole


def _to_odd_single(values: Values) -> npt.NDArray[np.float32]:
    """As float32; what that cannot hold becomes the odd one of the two beside it.

    So that rounding once more, to fewer bits, comes out as if it were done at once.
    """
    if values.dtype.kind in "iu" and values.dtype.itemsize == np.dtype(np.int64).itemsize:
        lost = values & ((1 << _EXCESS_BITS) - 1)
        odd = ((values >> _EXCESS_BITS) | (lost != 0)) << _EXCESS_BITS
        wide = (values >= 1 << _EXACT_BITS) | (values.astype(np.float64) <= -(2.0**_EXACT_BITS))
        values = np.where(wide, odd, values)
    exact = values.astype(np.float64)
    single = exact.astype(np.float32)
    beyond = np.abs(single.astype(np.float64)) > np.abs(exact)
    single = np.where(beyond, np.nextafter(single, np.float32(0)), single)
    bits = single.view(np.uint32)
    rounded = (single != exact) & ~np.isnan(exact)
    return np.where(rounded, bits | 1, bits).view(np.float32)


def _bfloat16(values: npt.NDArray[np.float32]) -> Values:
    bits = values.view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(values), (bits >> 16) | 0x40, rounded).astype(np.uint16)


@dataclass(frozen=True)
class Cast:
    """A cast that is ready to run.

    Attributes:
        source: AscendCL's number of the type that there is.
        target: the same of the type that is wanted.
        shape: of both.
    """

    source: int
    target: int
    shape: Shape

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Of the output."""
        return (self.shape,)

    def run(self, feeds: Sequence[Array]) -> list[Array]:
        """The output."""
        values = feeds[0].view(TYPES[self.source])
        if values.dtype.kind == "b":
            values = feeds[0] != 0  # bytes that are neither 0 nor 1 are true as well
        return [convert(values, self.source, self.target)]


def _prepare(job: Job) -> Cast:
    (source,), (target,) = job.inputs, job.outputs
    wanted = job.get("dst_type")
    if wanted not in (target.number, -1):
        raise job.wrong(f"dst_type is {wanted}, and the output is described as {target}")
    if target.is_known and target.shape != source.shape:
        raise Refusal(Code.OP_OUTPUT_NOT_MATCH, f"Cast of {source} gives no {target}")
    return Cast(source.number, target.number, source.shape)


OPERATORS["Cast"] = Operator(_prepare, ("x",), 1, {"dst_type": -1, "truncate": False})
