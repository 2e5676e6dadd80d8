"""Cost tables made by hand and at random, for tests of everything that reads them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from gearshift.gears.build import OPEN, Build, Measured, Timing
from gearshift.tuning.table import (
    TABLE_VERSION,
    CostTable,
    Dropped,
    EngineBytes,
    EngineVersion,
    Host,
)

IDENTITY = "5a" * 32
HOST = Host(
    cpu="Test CPU (family 6, model 85, stepping 7)",
    cores=8,
    threads=4,
    system="Linux x86_64",
    engines=(EngineVersion("onnxruntime", "1.32.0"), EngineVersion("openvino", "2026.4.1")),
)
MB = 1_000_000


def fixed(
    rows: int,
    seconds: float,
    megabytes: float = 10,
    *,
    lanes: int = 1,
    alone: float | None = None,
    engine: str = "openvino",
) -> Measured:
    """A program for so many rows."""
    timing = Timing(rows, seconds, seconds if alone is None else alone)
    return Measured(Build(engine, rows, lanes), (timing,), int(megabytes * MB))


def opened(
    timings: dict[int, float], megabytes: float = 10, *, lanes: int = 1, engine: str = "openvino"
) -> Measured:
    """A program for any number of rows, timed at these."""
    records = tuple(Timing(rows, seconds, seconds) for rows, seconds in timings.items())
    return Measured(Build(engine, OPEN, lanes), records, int(megabytes * MB))


def table_of(
    measured: Sequence[Measured],
    *,
    dropped: Sequence[Dropped] = (),
    openvino: float = 0,
    onnxruntime: float = 0,
    made: str = "2026-11-22T18:00:00+00:00",
    artifact: str = IDENTITY,
    host: Host = HOST,
) -> CostTable:
    """A table with those builds; the engines take so many megabytes."""
    return CostTable(
        version=TABLE_VERSION,
        artifact=artifact,
        host=host,
        precision="f32",
        seconds=10.0,
        made=made,
        measured=tuple(measured),
        dropped=tuple(dropped),
        engines=(
            EngineBytes("onnxruntime", int(onnxruntime * MB)),
            EngineBytes("openvino", int(openvino * MB)),
        ),
    )


SAMPLE = table_of(
    [
        opened({1: 2e-3, 4: 6e-3}, 30),
        fixed(1, 1.5e-3, 20),
        fixed(2, 2.5e-3, 12, lanes=2, alone=2e-3),
        opened({1: 3e-3, 4: 5e-3}, 25, engine="onnxruntime"),
    ],
    dropped=[Dropped(Build("openvino", 4), "the engine refused it")],
    openvino=60,
    onnxruntime=40,
)

_SECONDS = st.floats(1e-4, 1e-1)
_MEGABYTES = st.integers(1, 200)


@st.composite
def tables(
    draw: st.DrawFn, sizes: Sequence[int], most: int, *, least: int = 1, exact: bool = False
) -> CostTable:
    """Tables of `least` to `most` builds with any costs; the first is open if `exact`."""
    engines = st.sampled_from(["openvino", "onnxruntime"])
    rows = st.sampled_from([OPEN, *sizes])
    lanes = st.sampled_from([1] if exact else [1, 1, 2, 4])
    builds = draw(
        st.lists(st.builds(Build, engines, rows, lanes), min_size=least, max_size=most, unique=True)
    )
    if exact and Build("openvino", OPEN) not in builds:
        builds = [Build("openvino", OPEN), *builds[: most - 1]]
    measured = []
    for build in builds:
        timed = sizes if build.rows == OPEN else [build.rows]
        timings = []
        for count in timed:
            seconds = draw(_SECONDS)
            alone = seconds if build.lanes == 1 else seconds * draw(st.floats(0.3, 1.2))
            timings.append(Timing(count, seconds, alone))
        measured.append(Measured(build, tuple(timings), draw(_MEGABYTES) * MB))
    return table_of(measured, openvino=draw(_MEGABYTES), onnxruntime=draw(_MEGABYTES))


@st.composite
def likely_tables(draw: st.DrawFn, sizes: Sequence[int]) -> CostTable:
    """Tables as they are measured: time grows with rows, small programs take less memory."""
    some = st.floats(0.8, 1.25)

    def timing(rows: int, lanes: int) -> Timing:
        alone = (0.4 + rows) * 1e-3 * draw(some) * (1 if lanes == 1 else 1.6)
        return Timing(rows, alone if lanes == 1 else alone * draw(some), alone)

    def measured(engine: str, rows: int, lanes: int) -> Measured:
        timed = sizes if rows == OPEN else [rows]
        nbytes = (30 + 3 * (rows or max(sizes))) * MB * draw(some)
        return Measured(
            Build(engine, rows, lanes), tuple(timing(count, lanes) for count in timed), int(nbytes)
        )

    builds = [("openvino", OPEN, 1), ("onnxruntime", OPEN, 1), ("onnxruntime", OPEN, 2)]
    builds += [("openvino", rows, 1) for rows in sizes[:3]]
    builds += [("openvino", rows, 2) for rows in sizes[:2]]
    openvino, onnxruntime = draw(some), draw(some)
    return table_of(
        [measured(*build) for build in builds], openvino=60 * openvino, onnxruntime=40 * onnxruntime
    )
