"""Sweeps, figures and warming up."""

from __future__ import annotations

import copy
import itertools
import statistics
from pathlib import Path

import numpy as np
import pytest
from bench_models import batch_model
from hypothesis import given
from hypothesis import strategies as st

import gearshift
from gearshift.bench.jobs import PURES, Job, generate
from gearshift.bench.latency import Latency
from gearshift.bench.runner import Runner
from gearshift.bench.setting import parse_shapes, set_batch, set_shape
from gearshift.bench.sweep import parse_sweep
from gearshift.errors import InputError, OptionError
from gearshift.gears.gear import GearSet
from gearshift.opening import gear_set
from gearshift.tensors import DTYPE_NAMES, TensorSpec, dtype_named


@st.composite
def dims(draw: st.DrawFn) -> tuple[str, list[int]]:
    """A dim of a sweep, as it is written and what it stands for."""
    low, high = sorted((draw(st.integers(0, 30)), draw(st.integers(0, 30))))
    step = draw(st.integers(1, 9))
    several = draw(st.lists(st.integers(0, 30), min_size=2, max_size=4))
    return draw(
        st.sampled_from(
            [
                (str(low), [low]),
                (f"{low}~{high}", list(range(low, high + 1))),
                (f"{low}\\~{high}", list(range(low, high + 1))),
                (f"{low}~{high}~{step}", list(range(low, high + 1, step))),
                ("-".join(map(str, several)), several),
            ]
        )
    )


@given(dims(), dims(), st.sampled_from(["", ";"]))
def test_a_sweep_is_every_combination(
    first: tuple[str, list[int]], second: tuple[str, list[int]], end: str
) -> None:
    made = parse_sweep(f"a/b:0: 3,{first[0]};y:{second[0]} {end}")
    assert made == [
        {"a/b:0": (3, one), "y": (two,)} for one, two in itertools.product(first[1], second[1])
    ]


@pytest.mark.parametrize(
    "text",
    ["", "x", "x:", ":1", "x:1,a", "x:3~1", "x:1~3~0", "x:1;x:2", "x:-1", "x:1-2~3", "x:1~99999"],
)
def test_what_is_no_sweep(text: str) -> None:
    with pytest.raises(OptionError, match="--dymShape_range"):
        parse_sweep(text)


def test_shapes_by_name() -> None:
    assert parse_shapes("-s", " a: 1, 2 ;b:0:3; ") == {"a": (1, 2), "b:0": (3,)}
    for text in ("", "a", "a:", "a:-1", "a:1;a:2", "a:²", ":1"):
        with pytest.raises(OptionError, match=r"^-s: "):
            parse_shapes("-s", text)


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=300))
def test_figures(times: list[float]) -> None:
    made = Latency.of(times)
    assert (made.min, made.max, made.count) == (min(times), max(times), len(times))
    assert made.mean == pytest.approx(statistics.fmean(times))
    assert made.median == pytest.approx(statistics.median(times))
    if len(times) > 1:
        percentiles = statistics.quantiles(times, n=100, method="inclusive")
        assert made.p99 == pytest.approx(percentiles[98])
    assert made.throughput(4) == pytest.approx(4000 / statistics.fmean(times))


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((0, 5), "dim 0 goes from 1 to 4"),
        ((5, 5), "dim 0 goes from 1 to 4"),
        ((1, 1), "dim 1 goes from 2 on"),
        ((1,), "it has 2 dims"),
    ],
)
def test_shapes_outside_their_ranges(shape: tuple[int, ...], said: str) -> None:
    x = TensorSpec("x", dtype_named("float32"), (-1, -1))
    gears = GearSet("range", (), (x,), ranges=(((1, 4), (2, -1)),))
    for low_or_high in ((1, 2), (4, 10**6)):
        assert set_shape(gears, {"x": low_or_high}).shapes == {"x": low_or_high}
    with pytest.raises(InputError, match=said):
        set_shape(gears, {"x": shape})


def test_figures_of_nothing() -> None:
    assert Latency.of([]) == Latency(0, 0, 0, 0, 0, 0)
    assert Latency().throughput(4) == 0


@pytest.mark.parametrize("name", DTYPE_NAMES)
def test_generated_data_is_harmless(name: str) -> None:
    spec = TensorSpec("x", dtype_named(name), (-1, 5))
    for pure in PURES:
        made = generate(spec, (50, 5), pure, np.random.default_rng(0))
        assert made.dtype == spec.dtype.numpy
        assert made.shape == (50, 5)
        assert made.min() >= 0
        assert made.max() <= 1
        assert bool(made.any()) == (pure == "random")


@pytest.mark.parametrize("warmup", [0, 3])
def test_only_what_is_counted_is_counted(tmp_path: Path, warmup: int) -> None:
    with gearshift.load(batch_model(tmp_path), tune=0) as model:
        gears = gear_set(model.manifest)
        jobs = [Job(set_batch(gears, rows), gears.inputs) for rows in (4, 2, 4)]
        seen: list[float] = []
        runner = Runner(model, 5, warmup)
        record = copy.deepcopy(runner.run(jobs, lambda _, share: seen.append(share)))
        calls = model.stats().calls
        assert calls >= 15 + 2 * warmup, "each of two settings is warmed up once"
        assert calls == 15 or warmup
        runner.run(jobs, lambda _, share: None)
        assert model.stats().calls == calls + 15, "and never again"
    assert [setting.rows for setting in record.settings] == [4] * 5 + [2] * 5 + [4] * 5
    assert [len(samples) for _, samples in record.by_setting()] == [10, 5]
    assert all(sample.engine > 0 for sample in record.samples)
    assert record.rows == pytest.approx(10 / 3)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert [given_ for given_, _ in record.files] == [["pure_infer_data"]] * 3


def test_once_warm_what_runs_is_what_is_planned(tmp_path: Path) -> None:
    with gearshift.load(batch_model(tmp_path), tune=0) as model:
        gears = gear_set(model.manifest)
        job = Job(set_batch(gears, 4), gears.inputs)
        Runner(model, 0, 1).run([job], lambda _, share: None)
        before = model.stats()
        model.run(job.feeds(), gear=4)
        after = model.stats()
    ran = {
        size: after.gears[size].runs - (before.gears[size].runs if size in before.gears else 0)
        for size in after.gears
    }
    assert {size: count for size, count in ran.items() if count} == {4: 1}
