"""What is told of sets that ran by turns, against times that were made up of known factors."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gearshift.gears.build import Build
from gearshift.gears.dispatch import Piece
from gearshift.tuning.choose import EACH_PROGRAM
from gearshift.tuning.tally import Found, Player, Tally, Way

ONE, LANES, THREE = (Build("openvino", 1), Build("openvino", 1, lanes=2), Build("openvino", 3))
SMALL: Player = frozenset([ONE, LANES]), None
LARGE: Player = frozenset([ONE, LANES, THREE]), None
OTHER: Player = frozenset([LANES]), None
SIZES = range(1, 17)


def way(player: Player, rows: int) -> Way:
    """The large set runs every third number of rows in a way of its own, the other all of them."""
    build = LANES if player == OTHER else THREE if player == LARGE and rows % 3 == 0 else ONE
    return rows, ((build, Piece(1, 1)),)


def takes(some: Way) -> float:
    rows, ((build, _),) = some
    return 1e-3 * rows * {ONE: 1.0, THREE: 0.9, LANES: 1.1}[build]


def tally_of(
    sets: Mapping[Player, float],
    turns: int,
    *,
    chance: float = 0.0,
    slower: Sequence[float] = (1.0,),
) -> Tally:
    """Every number of rows of each set in each turn; sets are given with what they cost."""
    tally = Tally()
    for turn in range(turns):
        for player, cost in sets.items():
            for rows in SIZES:
                some = way(player, rows)
                by_chance = math.exp(random.gauss(0, chance)) if chance else 1.0
                seconds = takes(some) * cost * slower[turn % len(slower)] * by_chance
                tally.add(turn, player, some, takes(some), seconds)
    return tally


def ratio(found: Found, one: Player, other: Player, rows: Sequence[int] = SIZES) -> float:
    """How many times as long calls of one set take, on average over numbers of rows."""
    parts = [
        found.seconds(one, way(one, each)) / found.seconds(other, way(other, each)) for each in rows
    ]
    return math.exp(sum(map(math.log, parts)) / len(parts))


SHARED = [rows for rows in SIZES if rows % 3]
OWN = [rows for rows in SIZES if rows % 3 == 0]


def test_factors_are_found() -> None:
    slower = (1.0, 1.0, 3.0, 0.7, 1.0)
    found = tally_of({SMALL: 1.0, LARGE: 1.05, OTHER: 1.0}, 5, slower=slower).found()
    assert ratio(found, LARGE, SMALL, SHARED) == pytest.approx(1.05, rel=1e-3)
    assert ratio(found, LARGE, SMALL, OWN) == pytest.approx(0.9 * 1.05, rel=1e-3)
    assert ratio(found, OTHER, SMALL) == pytest.approx(1.1, rel=1e-3)
    for rows in SIZES:
        some = way(SMALL, rows)
        assert found.seconds(SMALL, some) == pytest.approx(takes(some), rel=0.01)
    assert found.chance < 0.015  # what is believed of it, and many samples


def test_a_machine_that_jumps_about() -> None:
    """A fifth of chance, and every call alone would be far off."""
    random.seed(3)
    found = tally_of({SMALL: 1.0, LARGE: 1.06, OTHER: 1.0}, 20, chance=0.2).found()
    assert found.chance == pytest.approx(0.2, rel=0.2)
    assert ratio(found, LARGE, SMALL, SHARED) == pytest.approx(1.06, rel=0.04)
    assert ratio(found, OTHER, SMALL) == pytest.approx(1.1, rel=0.05)
    assert 0.02 < found.by_chance(SMALL, OTHER) < 0.06
    assert found.by_chance(way(OTHER, 1), way(OTHER, 2)) > 3 * found.by_chance(SMALL, OTHER)


@pytest.mark.parametrize("chance", [0.02, 0.05, 0.2])
@pytest.mark.parametrize("seed", range(5))
def test_where_samples_hardly_tell_chance_is_what_is_believed(chance: float, seed: int) -> None:
    """Each number of rows once, and no way that two sets have in common."""
    random.seed(seed)
    tally = Tally()
    for number, build in enumerate((ONE, LANES, THREE)):
        for rows in SIZES:
            some: Way = rows, ((build, Piece(1, 1)),)
            seconds = takes(some) * math.exp(random.gauss(0, chance))
            tally.add(0, (frozenset([build]), number), some, takes(some), seconds)
    assert 0.5 * min(chance, 0.05) < tally.found().chance < 2 * max(chance, 0.05)


def test_one_call_that_was_stopped_for_a_while_is_no_chance() -> None:
    random.seed(6)
    tally = tally_of({SMALL: 1.0, OTHER: 1.0}, 4, chance=0.03)
    quiet = tally.found()
    some = way(SMALL, 1)
    tally.add(4, SMALL, some, takes(some), 100 * takes(some))
    found = tally.found()
    assert found.chance == pytest.approx(quiet.chance, rel=0.1)
    assert found.seconds(SMALL, some) == pytest.approx(quiet.seconds(SMALL, some), rel=0.03)


@pytest.mark.parametrize("times", [1.8, 1 / 1.8])
def test_the_only_call_of_a_plan_is_not_believed_against_its_like(times: float) -> None:
    """Where plans on those programs take what costs say, one more does, too."""
    random.seed(2)
    tally = tally_of({SMALL: 1.0, OTHER: 1.0}, 3, chance=0.03)
    some: Way = 32, ((LANES, Piece(1, 1)),)
    tally.add(3, OTHER, some, takes(some), takes(some) * times)
    tally.add(3, SMALL, way(SMALL, 1), takes(way(SMALL, 1)), takes(way(SMALL, 1)))
    assert tally.found().seconds(OTHER, some) == pytest.approx(takes(some), rel=0.2)


def test_plans_on_the_same_programs_are_unlike_costs_in_the_same_way() -> None:
    """What was seen of some of them is believed of one that ran once, when the machine was slow."""
    random.seed(2)
    tally = tally_of({SMALL: 1.0, OTHER: 1.3}, 3, chance=0.03)
    some: Way = 32, ((LANES, Piece(1, 1)),)
    for player, each in ((OTHER, some), (SMALL, way(SMALL, 1))):
        tally.add(3, player, each, takes(each), takes(each) * 1.3)
    assert tally.found().seconds(OTHER, some) > 1.1 * takes(some)


def test_one_lucky_call_makes_no_set_quick() -> None:
    tally = tally_of({SMALL: 1.0, LARGE: 1.0}, 3)
    for _ in range(2):
        some = way(LARGE, 1)
        tally.add(3, LARGE, some, takes(some), takes(some) / 2)
        tally.add(3, SMALL, some, takes(some), takes(some))
    assert ratio(tally.found(), LARGE, SMALL, [1]) == pytest.approx(1.0, rel=0.01)


def test_of_a_few_calls_on_a_noisy_machine_little_is_believed() -> None:
    """The set that is larger by one program cannot be told to be quicker by these."""
    random.seed(1)
    tally = tally_of({SMALL: 1.0, OTHER: 1.0}, 6, chance=0.2)
    for rows in SHARED[:2]:
        some = way(SMALL, rows)
        tally.add(6, SMALL, some, takes(some), takes(some))
        tally.add(6, LARGE, some, takes(some), takes(some) * 0.8)
    found = tally.found()
    assert ratio(found, LARGE, SMALL, SHARED[:2]) == pytest.approx(1 + EACH_PROGRAM, abs=0.02)


def test_of_a_way_that_ran_little_on_a_noisy_machine_some_of_the_plan_is_believed() -> None:
    random.seed(4)
    tally = tally_of({SMALL: 1.0, OTHER: 1.0}, 6, chance=0.2)
    seldom: Way = 2, ((THREE, Piece(3, 2)),)
    for turn in range(4):
        tally.add(turn, SMALL, seldom, 2e-3, 3e-3)
    found = tally.found()
    assert 1.2 < found.seconds(SMALL, seldom) / found.seconds(SMALL, way(SMALL, 2)) < 1.45
    often = tally_of({SMALL: 1.0, OTHER: 1.0}, 6)
    for turn in range(4):
        often.add(turn, SMALL, seldom, 2e-3, 3e-3)
    found = often.found()
    assert found.seconds(SMALL, seldom) == pytest.approx(3e-3, rel=0.02)


def test_a_slow_turn_is_nobodys_fault() -> None:
    """The large set comes late, when the machine is half as quick as it was."""
    tally = tally_of({SMALL: 1.0}, 4)
    for rows in SIZES:
        for player in (SMALL, LARGE):
            some = way(player, rows)
            tally.add(4, player, some, takes(some), 2 * takes(some))
    found = tally.found()
    assert ratio(found, LARGE, SMALL, SHARED) == pytest.approx(1.0, rel=0.002)
    assert ratio(found, LARGE, SMALL, OWN) == pytest.approx(0.9, rel=0.002)


def test_of_many_turns_some_count_as_one() -> None:
    """A measurement may take an hour, and the machine slows down by half meanwhile."""
    tally = Tally()
    for turn in range(1000):
        for player in (SMALL, LARGE) if turn > 500 else (SMALL,):
            rows = 1 + turn % 16
            some = way(player, rows)
            tally.add(turn, player, some, takes(some), takes(some) * (1 + turn / 1000))
    found = tally.found()
    assert ratio(found, LARGE, SMALL, SHARED) == pytest.approx(1.0, rel=0.005)
    assert ratio(found, LARGE, SMALL, OWN) == pytest.approx(0.9, rel=0.005)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from([SMALL, LARGE, OTHER]),
            st.integers(1, 16),
            st.floats(1e-6, 1e3),
        ),
        min_size=1,
    )
)
def test_any_samples(samples: list[tuple[int, Player, int, float]]) -> None:
    tally = Tally()
    for turn, player, rows, seconds in samples:
        some = way(player, rows)
        tally.add(turn, player, some, takes(some), seconds)
    found = tally.found()
    for _, player, rows, _ in samples:
        some = way(player, rows)
        assert 0 < found.seconds(player, some) < math.inf
        assert found.counts[player] == sum(each[1] == player for each in samples)
        assert found.counts[some] == sum(way(*each[1:3]) == some for each in samples)
    assert 0 < found.chance < math.inf
