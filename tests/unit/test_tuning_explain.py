"""The reasons for the choice, in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gearshift.errors import OptionError
from gearshift.gears.build import OPEN, Build
from gearshift.tuning.choose import choose
from gearshift.tuning.explain import Explained, explain
from gearshift.tuning.table import CostTable, Dropped
from tables import MB, fixed, likely_tables, opened, table_of

SMALL = fixed(1, 1e-3, 10)
LARGE = fixed(8, 5e-3, 30)


def by_build(explained: tuple[Explained, ...]) -> dict[Build, Explained]:
    return {each.build: each for each in explained}


@given(table=likely_tables((1, 2, 4, 8)), share=st.floats(1, 4))
def test_every_build_has_a_reason_that_fits_the_choice(table: CostTable, share: float) -> None:
    least = choose(table, "memory", (1, 8))
    nbytes = sum(each.nbytes for each in least) + 200 * MB
    budget = int(nbytes * share)
    chosen = choose(table, budget, (1, 8))
    explained = explain(table, chosen, budget, (1, 8))
    assert [each.build for each in explained] == [each.build for each in table.measured]
    assert {each.build for each in explained if each.used} == {each.build for each in chosen}
    for each in explained:
        if each.used:
            assert each.reason.startswith(("without it plans take", "runs everything"))
            continue
        assert any(
            words in each.reason
            for words in (
                "never quicker",
                "less than one more costs",
                "too little",
                "over the budget",
            )
        ), f"{each}: a program that fits and wins more than it costs was left out"


def test_what_is_used_says_what_it_is_worth() -> None:
    table = table_of([SMALL, LARGE])
    explained = by_build(explain(table, table.measured, "speed", (8,), weights={1: 1.0, 8: 1.0}))
    # Eight rows take 8 ms instead of 5, one row takes the same.
    assert explained[LARGE.build].reason == ("without it plans take 30.0 % longer, at worst 60.0 %")
    assert explained[LARGE.build].milliseconds == ((8, 5.0),)
    assert explained[LARGE.build].nbytes == 30 * MB


def test_the_only_one_runs_everything() -> None:
    table = table_of([SMALL])
    (only,) = explain(table, table.measured, "speed", (8,))
    assert only == Explained(SMALL.build, ((1, 1.0),), 10 * MB, True, "runs everything by itself")


def test_what_is_too_large_says_by_how_much() -> None:
    theirs = fixed(8, 5e-3, 20, engine="onnxruntime")
    table = table_of([SMALL, LARGE, theirs], openvino=60, onnxruntime=40)
    budget = 85 * MB
    chosen = choose(table, budget, (8,), weights={1: 1.0, 8: 1.0})
    assert chosen == (SMALL,)
    explained = by_build(explain(table, chosen, budget, (8,), weights={1: 1.0, 8: 1.0}))
    words = "without it plans take 30.0 % longer, at worst 60.0 %, but it takes"
    assert explained[LARGE.build].reason == f"{words} 30 MB, 15 MB over the budget"
    assert explained[theirs.build].reason == f"{words} 60 MB, 45 MB over the budget"


def test_what_is_not_worth_it() -> None:
    table = table_of(
        [SMALL, fixed(2, 3e-3), fixed(3, 3e-3 * 0.999), opened({1: 2e-3, 8: 9e-3}, 1)],
        dropped=[Dropped(Build("openvino", 8), "not promising")],
    )
    chosen = choose(table, "speed", (8,))
    assert chosen == (SMALL,)
    explained = by_build(explain(table, chosen, "speed", (8,)))
    assert explained[Build("openvino", 2)].reason == "never quicker than those used"
    assert explained[Build("openvino", OPEN)].milliseconds == ((1, 2.0), (8, 9.0))
    assert explained[Build("openvino", 8)] == Explained(
        Build("openvino", 8), (), 0, False, "dropped: not promising"
    )
    assert explained[Build("openvino", 3)].reason == (
        "without it plans take 0.1 % longer, at worst 0.1 %: less than one more costs the others"
    )


def test_lanes_of_another_number() -> None:
    two, four = fixed(1, 1e-3, lanes=2), fixed(1, 2.5e-3, lanes=4)
    table = table_of([two, four])
    chosen = choose(table, "speed", (8,))
    assert chosen == (two,)
    reason = by_build(explain(table, chosen, "speed", (8,)))[four.build].reason
    assert reason == "runs in 4 lanes, and those used in 2"


def test_a_model_whose_rows_cannot_be_split() -> None:
    lanes = fixed(1, 1e-4, lanes=2)
    table = table_of([SMALL, LARGE, lanes])
    chosen = choose(table, "speed", (1, 8), exact=True)
    explained = by_build(explain(table, chosen, "speed", (1, 8), exact=True))
    assert explained[SMALL.build].reason == "runs what no other that is used can"
    assert explained[lanes.build].reason == "this model's rows cannot be shared out over lanes"


def test_a_budget_that_is_too_small() -> None:
    with pytest.raises(OptionError, match="memory_budget=5"):
        explain(table_of([SMALL]), (SMALL,), 5, (8,))
