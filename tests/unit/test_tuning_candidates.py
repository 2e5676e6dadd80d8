"""Which programs are tried, and which are given up early."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gearshift.gears.build import OPEN, Build
from gearshift.tuning.candidates import (
    candidate_builds,
    candidate_rows,
    candidate_sizes,
    in_trying_order,
    lane_counts,
)
from gearshift.tuning.messages import Candidate
from gearshift.tuning.prospects import best_cost, hopeless, unpromising

GEARS = st.sets(st.integers(1, 200), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("gears", "separable", "sizes"),
    [
        ((1, 2, 4, 8, 16), True, (1, 2, 3, 4, 6, 8, 12, 16)),
        ((16,), True, (1, 2, 3, 4, 6, 8, 12, 16)),
        ((5, 20), True, (1, 2, 3, 4, 5, 6, 8, 12, 16, 20)),
        ((20, 3), False, (3, 20)),
        ((1,), True, (1,)),
        ((2,), True, (1, 2)),
    ],
)
def test_sizes(gears: tuple[int, ...], separable: bool, sizes: tuple[int, ...]) -> None:
    assert candidate_sizes(gears, separable) == sizes


@given(GEARS, st.booleans())
def test_hidden_sizes_have_one_leading_bit_or_two(gears: set[int], separable: bool) -> None:
    sizes = candidate_sizes(gears, separable)
    assert list(sizes) == sorted(set(sizes))
    hidden = set(sizes) - gears
    assert gears <= set(sizes)
    leading = {n for n in range(1, max(gears)) if bin(n)[2:].rstrip("0") in ("1", "11")}
    assert hidden == (leading - gears if separable else set())


@pytest.mark.parametrize(
    ("threads", "counts"),
    [(1, ()), (2, (2,)), (3, (2, 3)), (4, (2, 4)), (5, (2,)), (8, (2, 4)), (64, (2, 32))],
)
def test_lane_counts(threads: int, counts: tuple[int, ...]) -> None:
    assert lane_counts(threads) == counts


def test_the_order_of_builds() -> None:
    builds = candidate_builds("e", True, (1, 2, 4), 2, True)
    assert builds == (
        Build("e", OPEN),
        Build("e", 1),
        Build("e", 1, 2),
        Build("e", 2),
        Build("e", 2, 2),
        Build("e", 4),
        Build("e", 1, threads=1),
        Build("e", 2, threads=1),
    )


def test_what_matters_most_is_built_first() -> None:
    builds = candidate_builds("e", True, candidate_sizes(range(1, 101), True), 1, True)
    assert [build.rows for build in builds[:12]] == [OPEN, 1, 2, 4, 8, 16, 32, 64, 100, 3, 5, 6]
    builds = candidate_builds("e", True, (1, 2, 3, 4, 6, 8), 2, True)
    assert [(build.rows, build.lanes, build.threads) for build in builds[1:]] == [
        *((1, 1, 0), (1, 2, 0), (2, 1, 0), (2, 2, 0), (4, 1, 0), (4, 2, 0), (8, 1, 0)),
        *((3, 1, 0), (3, 2, 0), (6, 1, 0), (1, 1, 1), (2, 1, 1)),
    ]


def test_an_open_build_is_tried_at_its_largest_size_early() -> None:
    assert in_trying_order((1, 2, 3, 4, 6, 8)) == (1, 8, 2, 4, 3, 6)
    assert in_trying_order((5,)) == (5,)


def test_an_engine_without_fixed_programs_has_open_ones_in_lanes_too() -> None:
    assert candidate_builds("e", False, (1, 2, 4), 4, True) == (
        Build("e", OPEN),
        Build("e", OPEN, 2),
        Build("e", OPEN, 4),
    )


@pytest.mark.parametrize(("threads", "separable"), [(1, True), (8, False)])
def test_nothing_runs_in_lanes_with_one_thread_or_coupled_rows(
    threads: int, separable: bool
) -> None:
    for fixed in (True, False):
        builds = candidate_builds("e", fixed, (2, 4), threads, separable)
        assert {build.lanes for build in builds} == {1}


@given(GEARS, st.integers(1, 12), st.booleans(), st.booleans())
def test_every_number_of_rows_can_be_run_and_timed(
    gears: set[int], threads: int, separable: bool, fixed: bool
) -> None:
    sizes = candidate_sizes(gears, separable)
    builds = candidate_builds("e", fixed, sizes, threads, separable)
    assert len(set(builds)) == len(builds)
    rows_of = {build: candidate_rows(build, sizes, separable) for build in builds}
    timed = {(rows, build.lanes) for build, each in rows_of.items() for rows in each}
    between = range(1, min(max(gears), 16)) if separable else ()
    assert {rows for rows, lanes in timed if lanes == 1} == {*sizes, *between}
    for rows, lanes in timed:
        assert rows * lanes < max(sizes) + lanes  # no lane is empty at the largest gear
    for build, each in rows_of.items():
        assert each == ((build.rows,) if build.rows else tuple(sorted(each)))


CANDIDATES = st.builds(
    lambda engine, rows, lanes: Candidate(Build(engine, rows, lanes), rows, lanes),
    st.sampled_from("ab"),
    st.sampled_from([1, 2, 3, 4, 8]),
    st.sampled_from([1, 2, 3]),
)
COSTS = st.dictionaries(CANDIDATES, st.integers(1, 40).map(float), min_size=1, max_size=9).filter(
    lambda costs: any(candidate.lanes == 1 for candidate in costs)
)


@given(COSTS, st.data())
def test_hopeless_is_what_no_plan_would_miss(
    costs: dict[Candidate, float], data: st.DataObject
) -> None:
    candidate = data.draw(st.sampled_from(sorted(costs)))
    quicker = data.draw(st.sampled_from([0.01, 0.25, 0.5]))
    others = {other: cost for other, cost in costs.items() if other != candidate}
    better = others | {candidate: costs[candidate] * (1 - quicker)}
    helps = any(best_cost(better, n) < best_cost(others, n) for n in range(1, 30))
    if candidate in hopeless(costs, quicker):
        assert not helps
    elif len({each.lanes for each in costs} - {1}) <= 1:  # else a session may have other lanes
        assert helps


def test_nothing_is_hopeless_where_nothing_runs_alone() -> None:
    assert not hopeless({Candidate(Build("e", 1, 2), 1, 2): 1.0}, 0.25)


def wide(costs: dict[int, float]) -> dict[Candidate, float]:
    return {Candidate(Build("e", rows), rows, 1): cost for rows, cost in costs.items()}


@pytest.mark.parametrize(
    ("costs", "rows", "given_up"),
    [
        ({1: 1.0, 2: 2.4, 4: 4.8}, 8, True),
        ({1: 1.0, 2: 2.1, 4: 4.8}, 8, False),  # one of the two is no worse than by a tenth
        ({1: 1.0, 2: 2.4, 4: 4.2}, 8, False),
        ({1: 1.0, 2: 2.4}, 4, False),  # small ones are always tried
        ({1: 1.0, 16: 9.9}, 32, False),
        ({16: 9.9}, 32, False),
    ],
)
def test_larger_programs_are_given_up_when_larger_does_not_pay(
    costs: dict[int, float], rows: int, given_up: bool
) -> None:
    reason = unpromising(Build("e", rows), wide(costs))
    assert (reason is not None) == given_up
    if reason is not None:
        assert reason.startswith("not promising: programs for 2 and 4 rows take 1.20 and 1.20")


def test_a_kind_is_judged_by_itself() -> None:
    costs = wide({1: 1.0, 2: 2.4, 4: 4.8})
    assert unpromising(Build("f", 8), costs) is None
    assert unpromising(Build("e", 8, 2), costs) is None
    lanes = {Candidate(Build("e", rows, 2), rows, 2): 1.9 * rows for rows in (2, 4)}
    assert unpromising(Build("e", 8, 2), costs | lanes) is None  # 4 rows in 3.8, 8 in 7.6
    slow = {Candidate(Build("e", rows, 2), rows, 2): 2.5 * rows for rows in (2, 4)}
    assert unpromising(Build("e", 8, 2), costs | slow) is not None


@pytest.mark.parametrize(
    ("shared", "given_up"), [({1: 1.9e-3}, False), ({1: 2.1e-3, 2: 4e-3}, True), ({2: 4e-3}, True)]
)
def test_one_thread_is_for_short_runs(shared: dict[int, float], given_up: bool) -> None:
    reason = unpromising(Build("e", 1, threads=1), wide(shared))
    assert (reason is not None) == given_up
    assert unpromising(Build("e", 1, threads=1), {}) is None
    single = {Candidate(Build("e", rows, threads=1), rows, 1): 1e-3 * rows for rows in (1, 2)}
    assert unpromising(Build("e", 8), wide({1: 1.0, 2: 2.0, 4: 4.0}) | single) is not None


def test_one_thread_is_said() -> None:
    assert str(Build("e", 1, threads=1)) == "e, 1 row on 1 thread"
    assert str(Build("e", 2, threads=3)) == "e, 2 rows on 3 threads"
