"""What the benchmark makes of its samples: fixed numbers in, known numbers out."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

# Where examples and benchmarks are.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.agreement import TOLERANCE, misfit, worst_misfit
from benchmarks.batch import Cell, Sheet, ratio_of
from benchmarks.contender import Feeds, Runner
from benchmarks.limits import Machine, Work
from benchmarks.ratios import best_over_ours, geometric_mean
from benchmarks.rounds import Board, Times, changing_count, same_count
from benchmarks.summary import against_ours, summarise

from gearshift.tensors import Array
from gearshift.tuning.bystanders import Bystanders, own_seconds


def times(*samples: float) -> Times:
    """One block each."""
    return Times(tuple((sample,) for sample in samples))


def test_times_give_median_and_half_the_quartile_distance() -> None:
    found = Times(((1.0, 2.0), (3.0, 4.0), (5.0,)))
    assert found.median == 3.0
    assert found.spread == pytest.approx((4 - 2) / 2 / 3)
    assert times(2.0).spread == 0.0


def test_a_board_keeps_blocks_apart() -> None:
    board = Board()
    board.add("a", [2, 2, 2], [0.1, 0.2, 0.3])
    board.add("a", [1, 2], [0.4, 0.5])
    assert board.times("a", 2).visits == ((0.1, 0.2, 0.3), (0.5,))
    assert board.times("a", 2).samples == (0.1, 0.2, 0.3, 0.5)
    assert board.times("a", 1).median == 0.4


def test_the_ratio_is_of_the_better_peer() -> None:
    ratio = best_over_ours(times(1, 1, 1), [times(3, 3, 3), times(2, 2, 2)])
    assert (ratio.value, ratio.low, ratio.high) == (2.0, 2.0, 2.0)


def test_a_slow_moment_that_falls_on_all_alike_does_not_widen_the_interval() -> None:
    ours = [1.0, 9.0, 2.0, 4.0, 7.0]
    ratio = best_over_ours(times(*ours), [times(*(1.5 * sample for sample in ours))])
    assert ratio.value == pytest.approx(1.5)
    assert (ratio.low, ratio.high) == (pytest.approx(1.5), pytest.approx(1.5))


def test_noise_widens_the_interval_and_samples_narrow_it() -> None:
    def width(count: int) -> float:
        dice = np.random.default_rng(5)
        ours, peer = dice.normal(1.0, 0.1, (2, count))
        ratio = best_over_ours(times(*ours), [times(*peer)])
        assert ratio.low <= ratio.value <= ratio.high
        return ratio.high - ratio.low

    assert width(100) < width(10) / 2


def test_samples_of_one_block_are_drawn_as_well() -> None:
    ratio = best_over_ours(Times(((1.0, 2.0, 3.0),)), [Times(((2.0, 2.0, 2.0),))])
    assert ratio.value == 1.0
    assert ratio.low < 1.0 < ratio.high


def test_the_bootstrap_holds_the_truth_as_often_as_it_says() -> None:
    dice, held = np.random.default_rng(11), 0
    for _ in range(100):
        ours, peer = dice.normal(1.0, 0.05, 15), dice.normal(1.2, 0.05, 15)
        ratio = best_over_ours(times(*ours), [times(*peer)])
        held += ratio.low <= 1.2 <= ratio.high
    assert 80 <= held <= 99


@pytest.mark.parametrize(
    ("values", "mean"), [([1, 4], 2.0), ([0.5, 2.0], 1.0), ([3.0], 3.0), ([2, 4, 8], 4.0)]
)
def test_geometric_mean(values: list[float], mean: float) -> None:
    assert geometric_mean(values) == pytest.approx(mean)


def test_the_mean_of_nothing_is_no_number() -> None:
    assert math.isnan(geometric_mean([]))


def sheet(model: str, protocol: str, ours: Sequence[float], peers: Sequence[float]) -> Sheet:
    cells = []
    for rows, (our, their) in enumerate(zip(ours, peers, strict=True), 1):
        found = {
            "gearshift": times(our, our),
            "openvino": times(their, their),
            "onnxruntime": times(9.0, 9.0),
            "static": times(our / 2),
        }
        cells.append(Cell(rows, "", found, ratio_of(found)))
    return Sheet(model, protocol, 2, 0.0, tuple(cells))


def test_the_summary_finds_the_mean_the_least_and_the_lost() -> None:
    sheets = [
        sheet("a", "same", ours=[1.0, 1.0], peers=[2.0, 0.9]),
        sheet("b", "changing", ours=[1.0, 2.0], peers=[0.98, 1.0]),
    ]
    found = summarise(sheets)
    assert found is not None
    assert found.mean == pytest.approx((2.0 * 0.9 * 0.98 * 0.5) ** 0.25)
    least = found.least
    assert (least.model, least.protocol, least.rows) == ("b", "changing", 2)
    assert str(least) == "0.500 [0.50-0.50] at b, 2 rows, changing"
    assert [place.ratio.value for place in found.lost] == [0.5, 0.9]
    assert (found.count, found.surely_lost) == (4, 2)
    assert against_ours(sheets, "static") == pytest.approx(0.5)
    assert math.isnan(against_ours(sheets, "single"))


def test_without_a_peer_there_is_no_ratio() -> None:
    assert ratio_of({"gearshift": times(1.0), "static": times(1.0)}) is None
    assert ratio_of({"openvino": times(1.0)}) is None
    assert summarise([]) is None


def test_limits_are_plain_division() -> None:
    work, machine = Work(flops=200, weight_bytes=50), Machine(flops=1000.0, bandwidth=10.0)
    assert work.least_seconds(4, machine) == pytest.approx(0.8)
    assert work.weight_seconds(machine) == pytest.approx(5.0)


def test_misfit_is_a_share_of_what_is_allowed() -> None:
    reference = np.array([[10.0, 2.0]], np.float32)
    allowed = TOLERANCE * (2.0 + 10.0 / 20)
    off = np.array([[10.0, 2.0 + allowed / 2]], np.float32)
    assert misfit([reference], [reference]) == 0.0
    assert misfit([off], [reference]) == pytest.approx(0.5, rel=1e-3)
    assert misfit([reference, off], [reference, reference]) == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize(
    "outputs",
    [
        [],
        [np.zeros((2, 3), np.float32)],
        [np.full((2, 2), np.nan, np.float32)],
        [np.full((2, 2), np.inf, np.float32)],
    ],
    ids=["none", "another shape", "nan", "inf"],
)
def test_what_cannot_be_compared_is_infinitely_far_off(outputs: list[Array]) -> None:
    assert misfit(outputs, [np.ones((2, 2), np.float32)]) == math.inf


def test_the_number_of_rows_that_goes_wrong_is_found(tmp_path: Path) -> None:
    rows = {"x": np.arange(1.0, 6.0, dtype=np.float32)[:, np.newaxis]}
    np.savez(tmp_path / "right.npz", 2 * rows["x"])

    def run(feeds: Feeds) -> list[Array]:
        return [feeds["x"] * (2.01 if len(feeds["x"]) == 3 else 2)]

    worst, count = worst_misfit(Runner(run), rows, tmp_path / "right.npz", range(1, 6))
    assert count == 3
    assert worst > 1
    assert worst_misfit(Runner(run), rows, tmp_path / "right.npz", (1, 2, 4)) == (0.0, 4)


def test_blocks_of_a_round() -> None:
    assert sorted(same_count([1, 4], calls=2)(random.Random(0))) == [[1, 1], [4, 4]]
    (block,) = changing_count([1, 2, 3])(random.Random(0))
    assert sorted(block) == [1, 2, 3]


def test_bystanders_are_a_share() -> None:
    others = Bystanders()
    sum(range(300_000))  # our own work is not counted
    assert 0.0 <= others.share() <= 1.0


@pytest.mark.skipif(os.name == "nt", reason="Windows does not hand on the time of children")
def test_children_that_ended_are_ours() -> None:
    before = own_seconds()
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    assert own_seconds() - before >= 0.29
