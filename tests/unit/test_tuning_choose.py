"""Which programs are used: against every set of them, weighed with the planner itself."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gearshift.errors import OptionError, TableError
from gearshift.gears.build import Build, Measured, make_menu
from gearshift.gears.dispatch import Planner
from gearshift.options import Budget
from gearshift.tuning import choose as choose_module
from gearshift.tuning.choose import EACH_PROGRAM, SECOND_ENGINE, Chooser, choose
from gearshift.tuning.explain import explain
from gearshift.tuning.table import CostTable, Dropped
from gearshift.tuning.weigh import Floats, Scales, Sets, spread_sizes
from tables import MB, fixed, likely_tables, opened, table_of, tables

# The oracle: slow, plain, and made of what a session itself plans with.


def usable_sets(table: CostTable, exact: bool) -> Iterator[tuple[Measured, ...]]:
    """Every set of builds with at most one number of lanes."""
    for count in range(1, len(table.measured) + 1):
        for some in combinations(table.measured, count):
            lanes = {each.build.lanes for each in some} - {1}
            if len(lanes) <= (0 if exact else 1):
                yield some


def seconds_of(some: Sequence[Measured], sizes: Iterable[int], exact: bool) -> list[float]:
    """Seconds of the best plan of each size, as a session would plan it."""
    menu = make_menu(some)
    wide = {rows: offer.seconds for rows, offer in menu.wide.items()}
    if exact:
        return [wide.get(rows, math.inf) for rows in sizes]
    side = {rows: offer.seconds for rows, offer in menu.side.items()}
    planner = Planner(wide, side, menu.lanes)
    return [planner.plan(rows).cost for rows in sizes]


def nbytes_of(table: CostTable, some: Iterable[Measured]) -> int:
    some = list(some)
    engines = {each.build.engine for each in some}
    return sum(each.nbytes for each in some) + sum(map(table.engine_nbytes, engines))


class Oracle:
    def __init__(
        self,
        table: CostTable,
        sizes: Iterable[int],
        exact: bool = False,
        weights: Mapping[int, float] | None = None,
    ) -> None:
        self.sizes = list(sizes)
        self.weights = [1.0 if weights is None else weights[rows] for rows in self.sizes]
        self.table, self.exact = table, exact
        self.sets = {
            some: seconds_of(some, self.sizes, exact) for some in usable_sets(table, exact)
        }
        self.sets = {some: times for some, times in self.sets.items() if math.inf not in times}
        self.best = [min(times) for times in zip(*self.sets.values(), strict=True)]

    def score(self, some: tuple[Measured, ...]) -> float:
        ratios = [mine / best for mine, best in zip(self.sets[some], self.best, strict=True)]
        mean = sum(map(float.__mul__, ratios, self.weights)) / sum(self.weights)
        return mean + max(0.0, max(ratios) - 1.03) / 4

    def worth(self, some: tuple[Measured, ...]) -> float:
        engines = {each.build.engine for each in some}
        asked = (1 + EACH_PROGRAM) ** len(some) * (1 + SECOND_ENGINE) ** (len(engines) - 1)
        return self.score(some) * asked

    def least(self) -> int:
        return min(nbytes_of(self.table, some) for some in self.sets)

    def best_worth(self, limit: float) -> float:
        return min(self.worth(some) for some in self.sets if nbytes_of(self.table, some) <= limit)


def check(table: CostTable, oracle: Oracle, limit: float, chosen: tuple[Measured, ...]) -> None:
    """No set that fits is better, up to rounding, and no build in it is worth nothing."""
    assert nbytes_of(table, chosen) <= limit
    assert oracle.worth(chosen) <= oracle.best_worth(limit) * (1 + 1e-8)
    for one in chosen:
        others = tuple(each for each in chosen if each is not one)
        if others in oracle.sets:
            assert oracle.score(others) >= oracle.score(chosen) * (1 + EACH_PROGRAM) * (1 - 1e-8)


@settings(max_examples=60)
@given(table=tables((1, 2, 4, 7), 7), share=st.floats(1, 6))
def test_no_set_is_better(table: CostTable, share: float) -> None:
    oracle = Oracle(table, range(1, 8))
    limit = int(oracle.least() * share)
    check(table, oracle, math.inf, choose(table, "speed", (1, 7)))
    check(table, oracle, limit, choose(table, limit, (7, 2)))
    check(table, oracle, oracle.least() * 1.01, choose(table, "memory", (7,)))


@settings(max_examples=5)
@given(table=tables((1, 3, 8), 10, least=10), share=st.floats(1, 6))
def test_no_set_of_ten_is_better(table: CostTable, share: float) -> None:
    oracle = Oracle(table, range(1, 9))
    limit = int(oracle.least() * share)
    check(table, oracle, limit, choose(table, limit, (8,)))


@settings(max_examples=60)
@given(table=tables((1, 2, 6), 7, exact=True), share=st.floats(1, 6))
def test_no_set_is_better_where_rows_cannot_be_split(table: CostTable, share: float) -> None:
    oracle = Oracle(table, (2, 6), exact=True)
    limit = int(oracle.least() * share)
    for budget, most in (("speed", math.inf), (limit, limit), ("memory", oracle.least() * 1.01)):
        chosen = choose(table, budget, (2, 6), exact=True)
        check(table, oracle, most, chosen)
        assert {each.build.lanes for each in chosen} == {1}


@settings(max_examples=20)
@given(
    table=tables((1, 2, 4), 6),
    weights=st.dictionaries(st.integers(1, 9), st.floats(0.1, 10), min_size=1),
)
def test_sizes_count_as_often_as_they_are_said_to_come(
    table: CostTable, weights: dict[int, float]
) -> None:
    oracle = Oracle(table, weights, weights=weights)
    check(table, oracle, math.inf, choose(table, "speed", (4,), weights=weights))


@pytest.fixture
def step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """As among many builds, of which not every set can be weighed."""
    monkeypatch.setattr(choose_module, "_ALL_SETS_UP_TO", 0)


ONE_WAY = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.usefixtures("step_by_step")
@ONE_WAY
@given(table=tables((1, 2, 4, 7), 7), share=st.floats(1, 6))
def test_step_by_step_no_set_of_three_is_better(table: CostTable, share: float) -> None:
    oracle = Oracle(table, range(1, 8))
    limit = int(oracle.least() * share)
    chosen = choose(table, limit, (7,))
    assert nbytes_of(table, chosen) <= limit
    assert oracle.worth(chosen) <= 1e-8 + min(
        oracle.worth(some)
        for some in oracle.sets
        if len(some) <= 3 and nbytes_of(table, some) <= limit
    )


@pytest.mark.usefixtures("step_by_step")
@ONE_WAY
@given(table=likely_tables((1, 2, 4, 8)), share=st.floats(1, 6))
def test_step_by_step_no_set_is_better_by_a_program(table: CostTable, share: float) -> None:
    oracle = Oracle(table, range(1, 9))
    limit = int(oracle.least() * share)
    for budget, most in (("speed", math.inf), (limit, limit)):
        chosen = choose(table, budget, (1, 8))
        assert nbytes_of(table, chosen) <= most
        assert oracle.worth(chosen) <= oracle.best_worth(most) * (1 + EACH_PROGRAM)


@pytest.mark.usefixtures("step_by_step")
@ONE_WAY
@given(table=tables((1, 2, 6), 7, exact=True), share=st.floats(1, 6))
def test_step_by_step_where_rows_cannot_be_split(table: CostTable, share: float) -> None:
    oracle = Oracle(table, (1, 2, 6), exact=True)
    chosen = choose(table, "memory", (1, 2, 6), exact=True)
    assert chosen in oracle.sets
    limit = int(nbytes_of(table, chosen) * share)
    within = choose(table, limit, (1, 2, 6), exact=True)
    assert within in oracle.sets
    assert nbytes_of(table, within) <= limit


def many_gears(count: int, seed: int) -> CostTable:
    """A table as it is measured where there are many gears, with some noise."""
    dice, sizes = random.Random(seed), range(1, count + 1)

    def about(rows: int, call: float, lanes: int = 1) -> float:
        return (rows * (1.8 if lanes > 1 else 1.0) + call) * 1e-3 * dice.uniform(0.9, 1.1)

    measured = [opened({rows: about(rows, 1.0) for rows in sizes}, 60)]
    for rows in sizes:
        measured.append(fixed(rows, about(rows, 0.4), 10 + rows * 0.3))
        if rows <= (count + 1) // 2:
            measured.append(fixed(rows, about(rows, 0.4, 2), 12 + rows * 0.3, lanes=2))
    ort = {rows: about(rows, 0.8) for rows in sizes}
    measured.append(opened(ort, 50, engine="onnxruntime"))
    side = {rows: about(rows, 0.8, 2) for rows in sizes[: (count + 1) // 2]}
    measured.append(opened(side, 50, engine="onnxruntime", lanes=2))
    return table_of(measured, openvino=80, onnxruntime=40)


@pytest.mark.parametrize("exact", [False, True])
def test_among_a_hundred_gears_few_sets_are_weighed(
    monkeypatch: pytest.MonkeyPatch, exact: bool
) -> None:
    weighed = 0
    plans = Scales.plans

    def counting(self: Scales, sets: Sets, lanes: int) -> Floats:
        nonlocal weighed
        weighed += len(sets)
        return plans(self, sets, lanes)

    monkeypatch.setattr(Scales, "plans", counting)
    table = many_gears(100, 1)
    for _ in range(3):
        assert choose(table, "speed", range(1, 101), exact=exact)
    assert weighed < 50_000


@pytest.mark.parametrize("budget", ["speed", "balanced", 300 * MB])
@pytest.mark.parametrize("exact", [False, True])
def test_the_short_list_has_what_is_best(
    monkeypatch: pytest.MonkeyPatch, budget: Budget | int, exact: bool
) -> None:
    for seed in range(3):
        table, gears = many_gears(45, seed), range(1, 46)
        chooser = Chooser(table, gears, exact)

        def worth(chosen: tuple[Measured, ...], chooser: Chooser = chooser) -> float:
            members = np.array([[each in chosen for each in chooser.scales.measured]])
            (lanes,) = {each.build.lanes for each in chosen} - {1} or {1}
            return float(chooser.worth(members, lanes)[0])

        limit = chooser.limit(budget)
        quickly = worth(chooser.choose(limit))
        with monkeypatch.context() as patch:
            patch.setattr(choose_module, "_SEARCHED", 1000)
            assert quickly <= worth(chooser.choose(limit)) * (1 + EACH_PROGRAM)


# By hand.


def builds(chosen: Iterable[Measured]) -> set[Build]:
    return {each.build for each in chosen}


SMALL = fixed(1, 1e-3, 10)
LARGE = fixed(8, 6e-3, 30)
ANY = opened({1: 1.2e-3, 8: 7e-3}, 50)
ORT = opened({1: 0.9e-3, 8: 7.2e-3}, 20, engine="onnxruntime")


def test_speed_takes_what_helps_and_memory_what_is_lean() -> None:
    table = table_of([ANY, LARGE, SMALL], openvino=60)
    assert builds(choose(table, "speed", (1, 8))) == builds([SMALL, LARGE, ANY])
    assert builds(choose(table, "speed", (1, 8), weights={1: 1, 8: 1})) == builds([SMALL, LARGE])
    assert builds(choose(table, "memory", (1, 8))) == builds([SMALL])


def test_engines_are_paid_for_once_and_only_where_they_are_used() -> None:
    slow = opened({1: 1.5e-3, 8: 9e-3}, 20, engine="onnxruntime")
    table = table_of([SMALL, LARGE, slow], openvino=60, onnxruntime=45)
    assert builds(choose(table, "memory", (8,))) == builds([slow])
    assert builds(choose(table, 69 * MB, (8,))) == builds([slow])
    assert builds(choose(table, 70 * MB, (8,))) == builds([SMALL])
    assert builds(choose(table, 100 * MB, (8,))) == builds([SMALL, LARGE])


def second_engine(gain: float) -> tuple[CostTable, Build]:
    """At the first of two gears another engine saves so much of the mean over both."""
    theirs = opened({1: 1e-3 * (1 - 2 * gain), 8: 9e-3}, engine="onnxruntime")
    return table_of([fixed(1, 1e-3), fixed(8, 3e-3), theirs]), theirs.build


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("gain", [0.01, 0.05, 0.07])
def test_a_second_engine_that_is_a_little_better_is_left_out(gain: float, exact: bool) -> None:
    table, theirs = second_engine(gain)
    chosen = choose(table, "speed", (1, 8), exact=exact, weights={1: 1.0, 8: 1.0})
    assert builds(chosen) == {Build("openvino", 1), Build("openvino", 8)}
    explained = explain(table, chosen, "speed", (1, 8), exact=exact, weights={1: 1.0, 8: 1.0})
    (reason,) = (each.reason for each in explained if each.build == theirs)
    assert reason.endswith("too little, since engines that share the cores are taken to cost 15 %")


@pytest.mark.parametrize("exact", [False, True])
def test_a_second_engine_that_is_a_lot_better_is_used(exact: bool) -> None:
    table, theirs = second_engine(0.25)
    chosen = choose(table, "speed", (1, 8), exact=exact, weights={1: 1.0, 8: 1.0})
    assert builds(chosen) == {theirs, Build("openvino", 8)}


def test_another_engine_that_is_a_little_better_everywhere_is_used_alone() -> None:
    theirs = opened({1: 0.98e-3, 8: 4.9e-3}, engine="onnxruntime")
    table = table_of([fixed(1, 1e-3), fixed(8, 5e-3), theirs])
    assert choose(table, "speed", (1, 8)) == (theirs,)


def test_the_faster_of_two_that_are_equally_lean() -> None:
    table = table_of([fixed(1, 2e-3, 50), fixed(8, 1.9e-3, 50.4), fixed(4, 1e-3, 51)])
    assert builds(choose(table, "memory", (8,))) == {Build("openvino", 8)}


def test_a_budget_below_the_least_says_the_least() -> None:
    table = table_of([SMALL, LARGE, ORT], openvino=60, onnxruntime=90)
    with pytest.raises(OptionError, match=r"memory_budget=69999999: .* 70000000 bytes") as error:
        choose(table, 70 * MB - 1, (8,))
    assert "openvino, 1 row" in error.value.message
    assert builds(choose(table, 70 * MB, (8,))) == builds([SMALL])


@pytest.mark.parametrize(
    ("measured", "reference"),
    [
        ([ANY, SMALL, ORT], 60 + 50),
        ([ORT, SMALL, LARGE], 90 + 20),
        ([LARGE, SMALL, fixed(2, 1.0, 500)], 60 + 10 + 30),
        ([fixed(1, 1e-3, 10), fixed(1, 1e-3, 20, engine="onnxruntime")], 60 + 90 + 30),
        ([opened({1: 1.0}, 700, lanes=2), opened({1: 1.0}, 500)], 60 + 500),
        ([LARGE], 60 + 30),
    ],
)
def test_what_balanced_allows(measured: list[Measured], reference: int) -> None:
    table = table_of(measured, openvino=60, onnxruntime=90)
    more = max(reference * MB // 5, 64 * 2**20)
    assert Chooser(table, (1, 8)).limit("balanced") == reference * MB + more


def test_balanced_allows_the_leanest_at_least() -> None:
    dear = opened({1: 1.0}, 5)
    table = table_of([dear, fixed(1, 1.0, 5, engine="onnxruntime")], openvino=1, onnxruntime=1)
    chooser = Chooser(table, (1,))
    assert chooser.limit("balanced") >= chooser.least
    assert choose(table, "balanced", (1,))


def test_a_program_that_helps_less_than_it_costs_the_others_is_left_out() -> None:
    for part, count in ((0.8, 1), (1.2, 2)):
        gain = EACH_PROGRAM * part
        half_the_calls = 2e-3 * (1 - 2 * gain)
        table = table_of([fixed(1, 1e-3), fixed(2, half_the_calls)])
        assert len(choose(table, "speed", (1, 2))) == count


def test_one_size_does_not_pay_for_the_others() -> None:
    # One row in 40 takes a tenth longer: a quarter of a percent on average.
    table = table_of([fixed(1, 1e-3), fixed(2, 2.1e-3 * 0.45)])
    sizes = {1: 1.0, **dict.fromkeys(range(2, 41), 1.0)}
    assert len(choose(table, "speed", (1, 40), weights=sizes)) == 1
    table = table_of([fixed(1, 0.8e-3), fixed(2, 0.9e-3)])
    assert len(choose(table, "speed", (1, 40), weights=sizes)) == 2


def test_lanes_are_never_mixed() -> None:
    two = [fixed(rows, rows * 1e-3, lanes=2) for rows in (1, 2, 3)]
    four = [fixed(rows, rows * 1.9e-3, lanes=4) for rows in (1, 2, 3)]
    chosen = choose(table_of([*two, *four, ANY]), "speed", (1, 12))
    assert {each.build.lanes for each in chosen} - {1} in ({2}, {4})


def test_the_order_is_the_tables() -> None:
    chosen = choose(table_of([LARGE, ORT, SMALL]), "speed", (1, 8))
    assert list(chosen) == [each for each in (LARGE, ORT, SMALL) if each in chosen]


def test_dropped_builds_are_not_chosen() -> None:
    table = table_of([SMALL], dropped=[Dropped(Build("openvino", 8), "too slow")])
    assert choose(table, "speed", (1, 8)) == (SMALL,)


def test_rows_that_cannot_be_split_need_a_program_each() -> None:
    gears = (1, 8)
    table = table_of([SMALL, LARGE, ANY, fixed(4, 1e-6)], openvino=60)
    assert builds(choose(table, "speed", gears, exact=True)) == builds([SMALL, LARGE])
    assert builds(choose(table, "memory", gears, exact=True)) == builds([SMALL, LARGE])
    lean = table_of([SMALL, LARGE, opened({1: 1.2e-3, 8: 7e-3}, 30)], openvino=60)
    assert choose(lean, "memory", gears, exact=True) == lean.measured[2:]
    with pytest.raises(TableError, match=r"each of the gears \[1, 2, 8\]"):
        choose(table, "speed", (1, 8, 2), exact=True)
    with pytest.raises(TableError, match="gearshift tune"):
        choose(table_of([fixed(1, 1.0, lanes=2)]), "speed", (1,), exact=True)


def test_a_gear_that_never_comes_runs_all_the_same() -> None:
    table = table_of([SMALL, LARGE, fixed(1, 0.5e-3, 20, engine="onnxruntime")])
    for weights in ({8: 1.0}, {8: 1.0, 1: 0.0}, {3: 1.0}):
        chosen = choose(table, 60 * MB, (1, 8), exact=True, weights=weights)
        assert {each.build.rows for each in chosen} == {1, 8}


def test_many_gears_that_cannot_be_split() -> None:
    gears = range(1, 16)
    ours = [fixed(rows, rows * 1e-3, 10) for rows in gears]
    theirs = [fixed(rows, rows * 2e-3, 1, engine="onnxruntime") for rows in gears]
    useless = fixed(99, 1e-9, 0.1, engine="onnxruntime")
    table = table_of([*ours, *theirs, useless], openvino=10, onnxruntime=10)
    assert builds(choose(table, "memory", gears, exact=True)) == builds(theirs)
    assert builds(choose(table, "speed", gears, exact=True)) == builds(ours)
    some = choose(table, (10 + 10 + 15 + 50) * MB, gears, exact=True)
    assert nbytes_of(table, some) <= 85 * MB
    assert len(builds(some) & builds(ours)) >= 5
    assert {each.build.rows for each in some} == set(gears)


def test_many_rows_are_planned_in_larger_units() -> None:
    rows = (1, 2, 3, 8, 16, 100, 256, 1024)
    measured = [fixed(count, 1e-3 * (count + 3) ** 0.9) for count in rows]
    measured += [fixed(8, 12e-3, lanes=2, alone=10e-3)]
    sizes = (1, 5, 77, 128, 129, 200, 500, 1000, 1024)
    scales = Chooser(table_of(measured), sizes, weights=dict.fromkeys(sizes, 1.0)).scales
    ours = scales.plans(scales.usable(2)[None], 2)[:, 0]
    for mine, exact, size in zip(ours, seconds_of(measured, sizes, False), sizes, strict=True):
        assert mine == pytest.approx(exact, rel=1e-12 if size <= 128 else 0.03), size


@pytest.mark.parametrize("largest", [1, 2, 63, 64, 65, 100, 1000, 2048, 10**6, 2**31 - 1])
def test_sizes_that_count(largest: int) -> None:
    sizes = list(spread_sizes(largest))
    assert sizes == sorted(set(sizes))
    assert (sizes[0], sizes[-1]) == (1, largest)
    if largest <= 64:
        assert sizes == list(range(1, largest + 1))
    else:
        assert 40 <= len(sizes) <= 100


def test_the_largest_gears_there_are() -> None:
    table = table_of([fixed(1, 1e-3), fixed(2**31 - 1, 1.0)])
    assert len(choose(table, "speed", (1, 2**31 - 1))) == 2


def test_weights_of_nothing_count_as_none() -> None:
    table = table_of([SMALL, LARGE])
    assert choose(table, "speed", (8,), weights={}) == choose(table, "speed", (8,))
    assert choose(table, "speed", (8,), weights={3: 0.0}) == choose(table, "speed", (8,))


def test_equal_tables_give_equal_choices() -> None:
    same = [fixed(rows, rows * 1e-3, 10) for rows in (1, 2, 4, 8)]
    budgets: list[Budget | int] = ["speed", "balanced", "memory", 50 * MB]
    for budget in budgets:
        assert len({choose(table_of(same), budget, (8,)) for _ in range(3)}) == 1


def test_one_thread_is_not_chosen_because_it_is_lean() -> None:
    single = Measured(Build("openvino", 1, threads=1), fixed(1, 5e-3).timings, 5 * MB)
    table = table_of([fixed(1, 0.9e-3, 6), single], openvino=60)
    for budget in ("memory", "balanced", 66 * MB):
        assert builds(choose(table, budget, (1,))) == {Build("openvino", 1)}
        assert builds(choose(table, budget, (1,), exact=True)) == {Build("openvino", 1)}
    assert builds(choose(table_of([single]), "memory", (1,))) == {single.build}
    quick = replace(single, timings=fixed(1, 0.5e-3).timings)
    assert builds(choose(table_of([fixed(1, 0.9e-3, 6), quick]), "speed", (1,))) == {single.build}
