"""Sets of programs that play against each other, on a machine that is made up."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from operator import attrgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gearshift.gears.build import OPEN, Build, Measured, Through, Timing, make_menu
from gearshift.gears.dispatch import Plan
from gearshift.options import Budget
from gearshift.tuning.choose import choose
from gearshift.tuning.contestant import Contestant
from gearshift.tuning.finalists import Finalists
from gearshift.tuning.messages import PAUSE, RUNS, SHORT
from gearshift.tuning.played import menu_of, played_members, record_of
from gearshift.tuning.playoff import EngineGoneError, play_off
from gearshift.tuning.table import CostTable, Played, check_table
from gearshift.tuning.tally import Tally
from tables import HOST, MB, fixed, opened, table_of, tables

GEARS = (1, 8)


@dataclass
class Machine:
    """Runs plans in made-up time.

    Attributes:
        each: what every program of a set costs all its calls, as a part.
        noise: by so large a part a call may take longer.
        drift: how much slower the machine becomes with each second that passes.
        takes: what a plan takes without all that.
    """

    seconds: float
    each: float = 0.0
    noise: float = 0.0
    drift: float = 0.0
    takes: Callable[[Plan], float] = attrgetter("cost")
    now: float = 0.0
    asked: list[tuple[frozenset[Build], tuple[int, ...]]] = field(default_factory=list)

    def run(
        self, members: Sequence[Measured], sizes: Sequence[int], through: Through
    ) -> list[float]:
        self.asked.append((frozenset(each.build for each in members), tuple(sizes)))
        menu = make_menu(members, through)
        slower = (1 + self.each) ** len(members) * (1 + self.drift * self.now)
        times = [
            self.takes(menu.at(rows).planner.plan(rows))
            * slower
            * (1 + random.random() * self.noise)
            for rows in sizes
        ]
        pauses = sum(PAUSE for seconds in times if seconds < SHORT)
        self.now += sum(times) * RUNS + times[-1] + pauses
        return times

    def left(self) -> float:
        return self.seconds - self.now

    def mean(self, members: Sequence[Measured], played: Sequence[Played] = ()) -> float:
        menu = menu_of(replace(TABLE, played=tuple(played)), members)
        plans = [menu.at(rows).planner.plan(rows) for rows in range(1, max(GEARS) + 1)]
        ours = sum(self.takes(plan) / plan.rows for plan in plans)
        return ours * (1 + self.each) ** len(members)


TABLE = table_of(
    [
        opened({1: 1.3e-3, 2: 2.3e-3, 4: 4.3e-3, 8: 8.3e-3}, 40),
        fixed(1, 1.25e-3),
        fixed(1, 2.05e-3, lanes=2, alone=1.9e-3),
        fixed(2, 2.2e-3),
        fixed(2, 4.0e-3, lanes=2, alone=3.7e-3),
        fixed(3, 3.1e-3),
        fixed(4, 7.9e-3, lanes=2, alone=7.5e-3),
        opened({1: 1.4e-3, 8: 8.8e-3}, 30, engine="onnxruntime"),
    ],
    host=replace(HOST, threads=2),
)


def winner(table: CostTable, machine: Machine) -> float:
    """What calls take with what is used, on average."""
    played = play_off(table, GEARS, "balanced", machine.run, machine.left)
    found = replace(table, played=played)
    check_table(found)
    return machine.mean(choose(found, "balanced", GEARS), played)


def quickest(machine: Machine, table: CostTable) -> float:
    """Of all sets of one engine: no cleverness, every one of them."""
    ours = [each for each in table.measured if each.build.engine == "openvino"]
    sets = (some for count in range(1, 5) for some in combinations(ours, count))
    return min(machine.mean(some) for some in sets)


@pytest.mark.parametrize("each", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("drift", [0.0, 0.02])
@pytest.mark.parametrize("seed", range(3))
def test_the_quickest_set_is_found(each: float, drift: float, seed: int) -> None:
    random.seed(seed)
    machine = Machine(60, each=each, noise=0.02, drift=drift)
    best = quickest(machine, TABLE)
    assert machine.mean(choose(TABLE, "balanced", GEARS)) > best * 1.03
    assert winner(TABLE, machine) <= best * 1.03


def test_where_programs_cost_each_other_nothing_what_looks_best_stays() -> None:
    machine = Machine(60)
    looks_best = choose(TABLE, "balanced", GEARS)
    assert winner(TABLE, machine) <= machine.mean(looks_best) * 1.005


def test_who_comes_late_is_measured_like_who_was_there() -> None:
    """Plans promise what no set keeps, and the more programs it has the less."""
    random.seed(5)
    machine = Machine(40, each=0.05, noise=0.02, drift=0.03)
    played = play_off(TABLE, GEARS, "balanced", machine.run, machine.left)
    assert len(played) > 5
    first, *others = played
    for one in others:
        took = relative(*([time.seconds for time in each.plans] for each in (one, first)))
        should = relative(*map(true_times, (one, first)))
        assert took == pytest.approx(should, rel=0.015)


ONE, LANES, THREE = (
    fixed(1, 4.0e-3),
    fixed(1, 5.7e-3, lanes=2, alone=5.5e-3),
    fixed(3, 8.5e-3),
)
THREES = table_of([ONE, LANES, THREE, fixed(4, 12.5e-3)], host=replace(HOST, threads=2))


def alone_it_is_quick(plan: Plan) -> float:
    """Three rows at once are not what they look like, but where they are all there is.

    And whoever comes after another program takes longer.
    """
    gears = [piece.gear for piece in plan.pieces]
    kinds = {(piece.gear, piece.lane is None) for piece in plan.pieces}
    return plan.cost * (1.2 if 3 in gears and gears != [3] else 1.0) * (1 + 0.1 * (len(kinds) - 1))


def subsets(members: Sequence[Measured]) -> Iterable[tuple[Measured, ...]]:
    for count in range(1, len(members) + 1):
        yield from combinations(members, count)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_program_may_be_there_for_one_number_of_rows(noise: float) -> None:
    random.seed(2)
    machine = Machine(60, each=0.002, noise=noise, takes=alone_it_is_quick)
    played = play_off(THREES, GEARS, "balanced", machine.run, machine.left)
    table = replace(THREES, played=played)
    check_table(table)
    members = choose(table, "balanced", GEARS)
    menu = menu_of(table, members)
    plans = {rows: menu.at(rows).planner.plan(rows) for rows in range(1, 101)}
    assert plans[3].short == "3"
    assert plans[2].short == "[1 | 1]"
    assert plans[8].short == "[1x4 | 1x4]" != make_menu(members).planner.plan(8).short
    assert plans[100].short == "[1x50 | 1x50]"
    took = sum(alone_it_is_quick(plans[rows]) / rows for rows in range(1, 9))
    best = min(
        sum(
            min(alone_it_is_quick(make_menu(fewer).planner.plan(rows)) for fewer in subsets(some))
            / rows
            for rows in range(1, 9)
        )
        for some in subsets(THREES.measured)
    )
    assert took <= best * 1.01


def test_plans_of_smaller_sets_are_taken_where_they_ran_quicker() -> None:
    small, large, other = (
        Contestant(some, (2, 3, 8)) for some in ((ONE, LANES), (ONE, LANES, THREE), (ONE, THREE))
    )
    seconds = {
        small: {2: 5.7, 3: 10.7, 8: 22.8},
        large: {2: 5.7, 3: 8.5, 8: 27.4},
        other: {2: 8.0, 3: 8.5, 8: 24.0},
    }
    tally = Tally()
    for turn in range(4):
        for each, times in seconds.items():
            for rows, time in times.items():
                each.note(tally, turn, rows, time * 1e-3 * 1.01**turn)
    found, everyone = tally.found(), [small, large, other]
    improved = large.improved(found, everyone)
    assert improved.through == {2: large.builds, 3: large.builds, 8: small.builds}
    assert [improved.ways[rows] for rows in (2, 3, 8)] == [
        small.ways[2],
        large.ways[3],
        small.ways[8],
    ]
    assert improved.player != large.player
    assert improved.improved(found, [*everyone, improved]).player == improved.player
    for same in (small, other):
        assert same.improved(found, everyone).player == same.player
    record = improved.record(found, like=large)
    assert [each.through for each in record.plans] == [(), (), tuple(sorted(small.builds))]
    assert record.plans[2].seconds < large.record(found).plans[2].seconds * 0.9


def true_times(played: Played) -> list[float]:
    rows = [time.rows for time in played.plans]
    return Machine(0, each=0.05).run(played_members(TABLE, played), rows, {})


def relative(mine: Sequence[float], theirs: Sequence[float]) -> float:
    return sum(one / other for one, other in zip(mine, theirs, strict=True)) / len(mine)


def test_drift_is_taken_out() -> None:
    """It becomes three times as slow meanwhile, and compares as one that does not."""
    steady, drifting = (played_on(Machine(30, drift=drift)) for drift in (0.0, 0.07))
    both = steady.keys() & drifting.keys()
    assert len(both) > 10
    slower = [drifting[each] / steady[each] for each in both]
    assert max(slower) == pytest.approx(min(slower), rel=0.02)


def played_on(machine: Machine) -> dict[tuple[tuple[Build, ...], int], float]:
    """By set and number of rows, what a call takes."""
    random.seed(5)
    played = play_off(TABLE, GEARS, "balanced", machine.run, machine.left)
    return {(each.builds, time.rows): time.seconds for each in played for time in each.plans}


@settings(max_examples=30)
@given(tables((1, 2, 4, 8), 7), st.floats(0, 20), st.floats(0, 0.1))
def test_any_table(table: CostTable, seconds: float, each: float) -> None:
    machine = Machine(seconds, each=each)
    played = play_off(table, GEARS, "balanced", machine.run, machine.left)
    check_table(replace(table, played=played))
    for builds, sizes in machine.asked:
        assert len({build.engine for build in builds}) == 1
        assert len({build.lanes for build in builds} - {1}) <= 1
        assert len(sizes) > 1
        assert all(1 <= rows <= max(GEARS) for rows in sizes)
    if played:
        first, *_ = Finalists(table, GEARS, "balanced").sets
        assert {each.build for each in first} == set(played[0].builds)
        assert len(played) > 1


def test_there_is_no_time_to_begin() -> None:
    machine = Machine(0.01)
    assert play_off(TABLE, GEARS, "balanced", machine.run, machine.left) == ()
    assert not machine.asked


@pytest.mark.parametrize("per_row", [2e-5, 2e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("seconds", [0.02, 0.4, 2.0, 20.0])
def test_the_time_is_kept(per_row: float, seconds: float) -> None:
    measured = [taking(each, per_row * 1e3) for each in TABLE.measured]
    machine = Machine(seconds)
    play_off(table_of(measured, host=TABLE.host), GEARS, "balanced", machine.run, machine.left)
    assert machine.left() >= -0.1 * seconds


def taking(measured: Measured, times: float) -> Measured:
    timings = (
        Timing(each.rows, each.seconds * times, each.alone * times) for each in measured.timings
    )
    return replace(measured, timings=tuple(timings))


@pytest.mark.parametrize("budget", ["speed", 130 * MB])
@pytest.mark.parametrize("each", [0.0, 0.06])
def test_every_budget_gets_a_set_that_ran(budget: Budget | int, each: float) -> None:
    large = table_of([replace(one, nbytes=45 * MB) for one in TABLE.measured], host=TABLE.host)
    machine = Machine(30, each=each)
    played = play_off(large, GEARS, budget, machine.run, machine.left)
    looks_best = choose(large, budget, GEARS)
    assert record_of(replace(large, played=played), looks_best)
    used = choose(replace(large, played=played), budget, GEARS)
    assert machine.mean(used) <= machine.mean(looks_best) * 1.005
    assert large.nbytes(used) <= (budget if isinstance(budget, int) else 1 << 40)


def test_a_budget_below_everything_stops_nothing() -> None:
    """It is refused where programs are chosen, with what was measured kept."""
    machine = Machine(30)
    assert play_off(TABLE, GEARS, 5, machine.run, machine.left)


def test_an_engine_that_is_gone_takes_nothing_with_it() -> None:
    machine = Machine(30)

    def run(members: Sequence[Measured], sizes: Sequence[int], through: Through) -> list[float]:
        if machine.now > 10:
            raise EngineGoneError
        return machine.run(members, sizes, through)

    assert len(play_off(TABLE, GEARS, "balanced", run, machine.left)) > 1


@pytest.mark.parametrize("seed", range(6))
def test_an_engine_that_is_gone_in_its_first_turn(seed: int) -> None:
    """Another engine's sets may have run by then, and there is nothing to hold them to."""
    random.seed(seed)
    machine = Machine(30)

    def run(members: Sequence[Measured], sizes: Sequence[int], through: Through) -> list[float]:
        if members[0].build.engine == "openvino":
            raise EngineGoneError
        return machine.run(members, sizes, through)

    assert play_off(TABLE, GEARS, "balanced", run, machine.left) == ()


def test_little_time_means_fewer_numbers_of_rows() -> None:
    slow = table_of([fixed(1, 1.0), fixed(2, 1.8), fixed(4, 3.4)])
    for seconds, count in ((3000.0, 16), (450.0, 8)):
        machine = Machine(seconds)
        played = play_off(slow, (16,), "balanced", machine.run, machine.left)
        assert {len(each.plans) for each in played} == {count}
        assert played[0].plans[-1].rows == 16


def test_one_program_has_nobody_to_play_against() -> None:
    machine = Machine(60)
    assert play_off(table_of([fixed(1, 1e-3)]), GEARS, "balanced", machine.run, machine.left) == ()


def test_sets_of_two_engines_cannot_play() -> None:
    """No process that measures has both."""
    table = table_of([fixed(1, 1e-3), fixed(8, 4e-3, engine="onnxruntime"), fixed(2, 8e-3)])
    assert len(choose(table, "speed", GEARS)) > 1
    assert Finalists(table, GEARS, "balanced").sets == []
    machine = Machine(60)
    assert play_off(table, GEARS, "balanced", machine.run, machine.left) == ()


def test_the_smallest_programs_play_however_they_look() -> None:
    bad = fixed(1, 9e-3, lanes=2, alone=8e-3)
    table = table_of([fixed(1, 1.2e-3), bad, fixed(8, 7e-3)])
    sets = Finalists(table, GEARS, "balanced").sets
    assert (table.measured[0], bad) in sets


def test_each_engine_plays_early() -> None:
    """Which engine is quicker is what single times tell worst: each ran in a process of its own."""
    sets = Finalists(TABLE, GEARS, "balanced").sets
    assert "onnxruntime" in [each[0].build.engine for each in sets[:4]]


def test_an_open_batch_does_not_hide_what_is_best_without_it() -> None:
    sets = Finalists(TABLE, GEARS, "balanced").sets
    assert any(all(each.build.rows != OPEN for each in some) for some in sets)


def test_neighbours() -> None:
    finalists = Finalists(TABLE, GEARS, "balanced")
    one, lanes, two = (TABLE.measured[place] for place in (1, 2, 3))
    near = finalists.neighbours((one, lanes), [(one, two), (TABLE.measured[0],)])
    assert set(near) >= {(one, lanes, two)}
    assert set(finalists.neighbours((one, lanes, two), [])) >= {(one, lanes)}
    assert all(abs(len(each) - 2) == 1 for each in near)
    assert (one, lanes) not in near
