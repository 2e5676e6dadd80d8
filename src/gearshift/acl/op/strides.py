"""What StridedSlice takes out of a tensor: masks are bits, one for each place in the lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gearshift.acl.op.jobs import Job

_BEFORE_ALL: Final = -(1 << 62)


@dataclass(frozen=True)
class Part:
    """What is taken along one dim; the same as a slice of Python."""

    start: int
    stop: int
    step: int


@dataclass(frozen=True)
class _Place:
    """One place in the lists, with the names of the masks that have its bit."""

    begin: int = 0
    end: int = 0
    step: int = 1
    marks: frozenset[str] = field(default=frozenset(("begin", "end")))


_WHOLE: Final = _Place()
MASKS: Final = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
"""What there are masks for."""


def parts(job: Job) -> tuple[list[Part], list[int]]:
    """What is taken along each dim, and the shape of it all."""
    cuts: list[Part] = []
    shape: list[int] = []
    dims = job.shape()
    for place in _spread(job, len(dims)):
        if "new_axis" in place.marks:
            shape.append(1)
            continue
        cut = _cut(job, dims[len(cuts)], place)
        cuts.append(cut)
        if "shrink_axis" not in place.marks:
            shape.append(len(range(cut.start, cut.stop, cut.step)))
    return [_for_onnx(cut) for cut in cuts], shape


def _spread(job: Job, rank: int) -> list[_Place]:
    """The places, with as many whole dims where the ellipsis is as are left for it."""
    places = list(_places(job))
    dots = [at for at, place in enumerate(places) if "ellipsis" in place.marks]
    taken = sum(not place.marks & {"ellipsis", "new_axis"} for place in places)
    if len(dots) > 1 or taken > rank:
        raise job.wrong(f"{taken} places and {len(dots)} ellipses for {job.inputs[0]}")
    at = dots[0] if dots else len(places)
    return [*places[:at], *[_WHOLE] * (rank - taken), *places[at + 1 :]]


def _places(job: Job) -> Iterator[_Place]:
    lists = [job.wholes(name) for name in ("begin", "end", "strides")]
    if len({len(each) for each in lists}) != 1 or 0 in lists[2]:
        raise job.wrong(f"begin, end and strides are {lists}: of one length, no stride 0")
    masks = {name: job.whole(f"{name}_mask") for name in MASKS}
    for at, (begin, end, step) in enumerate(zip(*lists, strict=True)):
        marks = {name for name, mask in masks.items() if mask >> at & 1}
        if "ellipsis" in marks:
            marks = {"ellipsis"}
        yield _Place(begin, end, step, frozenset(marks))


def _cut(job: Job, dim: int, place: _Place) -> Part:
    if "shrink_axis" in place.marks:
        if not -dim <= place.begin < dim:
            raise job.wrong(f"element {place.begin} of {dim}")
        start = place.begin % dim
        return Part(start, start + 1, 1)
    begin = None if "begin" in place.marks else place.begin
    end = None if "end" in place.marks else place.end
    return Part(*slice(begin, end, place.step).indices(dim))


def _for_onnx(cut: Part) -> Part:
    """To Python's indices -1 is in front of the first element, to ONNX it is the last one."""
    if not range(cut.start, cut.stop, cut.step):
        return Part(0, 0, 1)
    return Part(cut.start, _BEFORE_ALL if cut.stop < 0 else cut.stop, cut.step)
