"""Programs of several holders under one limit, and the pauses in which they are built."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from gearshift.gears.build import Build
from gearshift.networks import Room, Runs

LIMIT = 10


class Shelf:
    """Holds builds until it is asked to drop them."""

    def __init__(self) -> None:
        self.held: set[Build] = set()

    def drop(self, build: Build) -> None:
        self.held.remove(build)


builds = st.builds(Build, st.just("null"), st.integers(1, 6))


@given(st.lists(st.tuples(st.integers(0, 2), builds, st.booleans()), max_size=40))
def test_what_was_not_used_for_longest_makes_room(
    steps: list[tuple[int, Build, bool]],
) -> None:
    """Against a list of what is held, the least recently used first; a build takes its rows."""
    room, shelves = Room(), [Shelf(), Shelf(), Shelf()]
    order: list[tuple[int, Build]] = []
    for number, build, only_used in steps:
        key = (number, build)
        if key in order:
            room.used(shelves[number], build)
            order.remove(key)
            order.append(key)
        elif not only_used:
            room.take(shelves[number], build, build.rows, LIMIT)
            shelves[number].held.add(build)
            while order and sum(each.rows for _, each in order) + build.rows > LIMIT:
                order.pop(0)
            order.append(key)
        assert {(at, each) for at, shelf in enumerate(shelves) for each in shelf.held} == set(order)


def test_who_leaves_is_not_asked_again() -> None:
    room, first, second = Room(), Shelf(), Shelf()
    room.take(first, Build("null", 8), 8, LIMIT)
    room.leave(first)
    room.take(second, Build("null", 8), 8, LIMIT)
    assert second.held == set() == first.held, "nothing was dropped"


def test_a_pause_begins_with_the_end_of_a_run() -> None:
    runs = Runs()
    assert runs.pause == math.inf
    with ThreadPoolExecutor(1) as other:
        other.submit(runs.__enter__).result(10)
        assert runs.pause == 0
        with runs:
            pass
        assert runs.pause == 0, "one is still under way"
        other.submit(runs.__exit__).result(10)
    assert 0 <= runs.pause < 1
    time.sleep(0.02)
    assert runs.pause >= 0.02


def test_a_run_whose_end_ctrl_c_left_out_is_over_with_the_next() -> None:
    runs = Runs()
    runs.__enter__()
    with runs:
        assert runs.pause == 0
    assert 0 <= runs.pause < 1
