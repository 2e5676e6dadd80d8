"""Which programs are worth trying for a model, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from gearshift.gears.build import EVERY_UP_TO, OPEN, Build

_FEW: Final = 2
"""Up to so many rows one thread is tried: more are worth waking the others for."""


def candidate_sizes(gears: Iterable[int], separable: bool) -> tuple[int, ...]:
    """Numbers of rows to try programs for, ascending: the gears, and hidden sizes below them.

    Where rows are independent, the powers of two below the largest gear and what lies halfway
    between them are tried as well: small programs often do the work of a large one, and quicker,
    and with 3 beside 1, 2 and 4 few numbers of rows are left that take a piece more.
    """
    sizes = set(gears)
    if separable:
        powers = [1 << bits for bits in range(max(sizes).bit_length())]
        hidden = {*powers, *(power + power // 2 for power in powers)}
        sizes |= {size for size in hidden if size < max(sizes)}
    return tuple(sorted(sizes))


def lane_counts(threads: int) -> tuple[int, ...]:
    """How many lanes to try, ascending: two, and one for each thread or for each two of many."""
    if threads < 2:
        return ()
    return tuple(sorted({2, threads if threads <= 4 else threads // 2}))


def what_matters(sizes: Sequence[int]) -> tuple[int, ...]:
    """The same sizes, those that matter most first.

    These are the powers of two and the largest, with which any number of rows takes few pieces;
    then the others. Small ones come before large ones: they are quick to try.
    """

    def worth(rows: int) -> tuple[bool, int]:
        is_coarse = rows & (rows - 1) == 0 or rows == max(sizes)
        return not is_coarse, rows

    return tuple(sorted(sizes, key=worth))


def in_trying_order(sizes: Sequence[int]) -> tuple[int, ...]:
    """The order in which an open build is tried: the least, the largest, then what matters most.

    The largest comes early because it is what shows how much memory the build takes.
    """
    return tuple(dict.fromkeys((min(sizes), max(sizes), *what_matters(sizes))))


def candidate_builds(
    engine: str, fixed_programs: bool, sizes: Sequence[int], threads: int, separable: bool
) -> tuple[Build, ...]:
    """The programs to try on one engine, in the order to build them.

    The open one comes first, since it can run everything by itself; then the fixed ones, those of
    the sizes that matter most before the others, since time or memory may not last for all; of each
    size the one that has the machine to itself before those in lanes. Last come programs for few
    rows on one thread: the smallest networks are done before other threads are awake.

    Args:
        engine: its name.
        fixed_programs: whether a program for a fixed number of rows is another than the open one.
        sizes: what `candidate_sizes` gave.
        threads: threads of one run.
        separable: whether rows are independent; if not, nothing runs in lanes.
    """
    counts = (1, *lane_counts(threads)) if separable else (1,)
    builds = [
        Build(engine, rows, lanes)
        for rows in (OPEN, *(what_matters(sizes) if fixed_programs else ()))
        for lanes in counts
        if _is_worth_trying(rows, lanes, fixed_programs, sizes)
    ]
    if fixed_programs and threads > 1:
        builds += [Build(engine, rows, threads=1) for rows in sizes if rows <= _FEW]
    return tuple(builds)


def candidate_rows(build: Build, sizes: Sequence[int], separable: bool) -> tuple[int, ...]:
    """Numbers of rows at which to time a build, ascending.

    An open build has the machine to itself at every number of rows up to 16: it alone can run those
    between the sizes in one go, and beyond 16 a row more or less is little of the whole.
    """
    if build.rows != OPEN:
        return (build.rows,)
    between = range(1, min(max(sizes), EVERY_UP_TO)) if separable and build.lanes == 1 else ()
    return _sizes_for(build.lanes, sorted({*sizes, *between}))


def _is_worth_trying(rows: int, lanes: int, fixed_programs: bool, sizes: Sequence[int]) -> bool:
    if rows == OPEN:
        # In lanes it measured slower than the fixed programs there, and as large as several.
        return lanes == 1 or not fixed_programs
    return rows in _sizes_for(lanes, sizes)


def _sizes_for(lanes: int, sizes: Sequence[int]) -> tuple[int, ...]:
    """Sizes of which no lane goes without work when as many rows come as the largest gear has."""
    most = -(-max(sizes) // lanes)
    return tuple(rows for rows in sizes if rows <= most)
