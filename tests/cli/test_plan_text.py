"""The numbers of rows that are shown, and how plans are written on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts import null_artifact
from gearshift.artifact.reader import Artifact
from gearshift.cli.costs import rows_to_plan
from gearshift.cli.costs_report import _of_one_run
from gearshift.gears.build import Build
from gearshift.gears.dispatch import Piece, Plan
from gearshift.opening import gear_set


@pytest.mark.parametrize(
    ("largest", "beyond"),
    [(4, []), (16, []), (17, [17]), (24, [24]), (64, [24, 32, 48, 64]), (70, [24, 32, 48, 64, 70])],
)  # fmt: skip
def test_rows_that_are_shown(tmp_path: Path, largest: int, beyond: list[int]) -> None:
    with Artifact.open(null_artifact(tmp_path, sizes=(2, largest))) as artifact:
        assert rows_to_plan(artifact, None) == [(*range(1, 17), *beyond)]
        assert rows_to_plan(artifact, [5, 1, 5]) == [(1, 5)]


def expanded(text: str) -> list[tuple[str, ...]]:
    """What a plan's text says runs, in order: by itself, and in each lane."""
    alone, _, beside = text.partition("[")
    parts = [alone.removesuffix(" + "), *beside.removesuffix("]").split(" | ")]
    return [
        tuple(
            piece
            for run in part.split(" + ") if run
            for piece, _, times in [run.partition("x")]
            for _ in range(int(times or 1))
        )
        for part in parts
    ]  # fmt: skip


@given(
    st.lists(st.integers(1, 3), max_size=6),
    st.lists(st.lists(st.integers(1, 3), min_size=1), max_size=3),
)
def test_a_short_plan_says_all(alone: list[int], lanes: list[list[int]]) -> None:
    pieces = [Piece(gear, gear) for gear in alone]
    for lane, gears in enumerate(lanes):
        pieces += [Piece(gear, gear - 1 or 1, lane) for gear in gears]
    plan = Plan(sum(piece.rows for piece in pieces), tuple(pieces), 1.0)
    assert expanded(plan.short) == expanded(str(plan))
    assert len(plan.short) <= len(str(plan))


def test_a_program_for_one_shape_says_its_threads(tmp_path: Path) -> None:
    with Artifact.open(null_artifact(tmp_path)) as artifact:
        gears = gear_set(artifact.manifest)
    assert _of_one_run(Build("null", 1), gears) == "null, this shape"
    assert _of_one_run(Build("null", 1, threads=1), gears) == "null, this shape on 1 thread"
