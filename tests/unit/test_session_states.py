"""Call sequences: whatever came before, a call gives the same numbers or the same refusal."""

from __future__ import annotations

import tempfile
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import gearshift
from artifacts import null_artifact
from gearshift.errors import ClosedError, GearError, InputError
from gearshift.gears.build import Build, Measured, Timing, make_menu
from gearshift.strategy import Strategy
from gearshift.tensors import Array

SIZES = (2, 3, 8)


def strategy(*builds: tuple[int, int], limit: int | None = None) -> Strategy:
    """Programs of the null engine as (rows, lanes), each costing its rows and taking 100 bytes."""
    made = [
        Measured(Build("null", rows, lanes), (Timing(rows, rows + 0.5, rows + 0.25),), 100)
        for rows, lanes in builds
    ]
    return Strategy(
        menu=make_menu(made),
        nbytes={each.build: each.nbytes for each in made},
        limit=limit,
        table=None,
        may_split=True,
        find_blob=lambda build: None,
    )


MENUS = {
    "wide": strategy((2, 1), (8, 1)),
    "lanes": strategy((1, 2), (3, 2)),
    "both": strategy((1, 1), (2, 3), (3, 3)),
    "one at a time": strategy((2, 1), (3, 1), (1, 2), limit=100),
}


def rows(count: int) -> Array:
    return np.random.default_rng(count).integers(-99, 99, (count, 3)).astype(np.float32)


def sums(count: int) -> Array:
    return np.repeat(rows(count).sum(axis=1, keepdims=True), 2, axis=1)


class Sessions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = null_artifact(Path(self.folder.name), sizes=SIZES)
        self.model = gearshift.load(self.path)
        self.open = True
        self.promised: list[tuple[int, Future[dict[str, Array]]]] = []
        self.calls = 0
        self.rows = 0

    def ran(self, count: int) -> None:
        self.calls += 1
        self.rows += count

    @precondition(lambda self: self.open)
    @rule(count=st.integers(0, 30))
    def run(self, count: int) -> None:
        np.testing.assert_array_equal(self.model.run({"x": rows(count)})["y"], sums(count))
        self.ran(count)

    @precondition(lambda self: self.open)
    @rule(gear=st.sampled_from(SIZES), count=st.integers(0, 9))
    def run_at_a_gear(self, gear: int, count: int) -> None:
        if count > gear:
            with pytest.raises(GearError):
                self.model.run({"x": rows(count)}, gear=gear)
            return
        y = self.model.run({"x": rows(count)}, gear=gear)["y"]
        np.testing.assert_array_equal(y, sums(count))
        self.ran(count)

    @precondition(lambda self: self.open)
    @rule(count=st.integers(0, 30))
    def promise(self, count: int) -> None:
        self.promised.append((count, self.model.run_async({"x": rows(count)})))
        self.ran(count)

    @precondition(lambda self: self.promised)
    @rule()
    def collect(self) -> None:
        count, future = self.promised.pop(0)
        np.testing.assert_array_equal(future.result(timeout=10)["y"], sums(count))

    @precondition(lambda self: self.open)
    @rule(wrong=st.sampled_from([{}, {"x": 1}, {"y": rows(1)}, {"x": rows(1)[:, :2]}]))
    def mistake(self, wrong: dict[str, object]) -> None:
        with pytest.raises(InputError):
            self.model.run(wrong)

    @precondition(lambda self: self.open)
    @rule(which=st.sampled_from(sorted(MENUS)))
    def adopt(self, which: str) -> None:
        self.model._tracks[0]._adopt(MENUS[which])  # as tuning does, without the seconds it takes

    @precondition(lambda self: self.open)
    @rule()
    def ask_for_memory(self) -> None:
        report = self.model.memory()
        assert 0 <= report.built <= report.total

    @rule()
    def close(self) -> None:
        self.model.close()
        self.open = False

    @precondition(lambda self: not self.open)
    @rule(count=st.integers(0, 9))
    def run_closed(self, count: int) -> None:
        with pytest.raises(ClosedError):
            self.model.run({"x": rows(count)})
        with pytest.raises(ClosedError):
            self.model.run_async({"x": rows(count)})

    @precondition(lambda self: not self.open)
    @rule()
    def load_again(self) -> None:
        for _, future in self.promised:
            assert future.done(), "closing waits for what was promised"
        self.model = gearshift.load(self.path, preload=True)
        self.open, self.calls, self.rows = True, 0, 0

    @invariant()
    def counts_add_up(self) -> None:
        if self.open and all(future.done() for _, future in self.promised):
            stats = self.model.stats()
            assert (stats.calls, stats.rows) == (self.calls, self.rows)

    def teardown(self) -> None:
        self.model.close()
        self.folder.cleanup()


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
