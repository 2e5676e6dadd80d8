"""The summary of a benchmark: the file that ais_bench writes, and what ``--json`` prints."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gearshift.bench.latency import Latency
from gearshift.bench.outputs import write_whole
from gearshift.bench.runner import Record


def file_summary(record: Record, arguments: Mapping[str, Any], rows: float) -> dict[str, Any]:
    """What ``<folder>_summary.json`` holds: ais_bench's keys, and the caller's side beside them.

    Nothing is copied to a device and back, so that these latencies are of no runs.
    """
    engine, caller = record.engine, record.caller
    return {
        "filesinfo": {
            str(number): {"infiles": given, "outfiles": written}
            for number, (given, written) in enumerate(record.files)
        },
        "args": dict(arguments),
        "NPU_compute_time": _as_ais_bench(engine),
        "H2D_latency": _as_ais_bench(Latency()),
        "D2H_latency": _as_ais_bench(Latency()),
        "throughput": engine.throughput(rows),
        "npu_compute_time_list": [sample.engine for sample in record.samples],
        "pid": os.getpid(),
        "caller_time": _as_ais_bench(caller),
        "caller_throughput": caller.throughput(rows),
        "caller_time_list": [sample.caller for sample in record.samples],
    }


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Writes it. Raises OptionError if that cannot be."""
    text = json.dumps(summary, indent=2, ensure_ascii=False)
    write_whole(path, lambda stream: stream.write(text.encode("utf-8", "backslashreplace")))


def screen_summary(record: Record, rows: float) -> dict[str, Any]:
    """The figures for ``--json``: in milliseconds, and rows a second."""
    return {
        "runs": len(record.samples),
        "rows": rows,
        "engine_ms": asdict(record.engine),
        "caller_ms": asdict(record.caller),
        "engine_rows_per_second": record.engine.throughput(rows),
        "caller_rows_per_second": record.caller.throughput(rows),
        "settings": [
            {
                "shapes": {name: list(shape) for name, shape in setting.shapes.items()},
                "gear": None if setting.gear is None else list(setting.gear),
                "engine_ms": asdict(Latency.of([sample.engine for sample in samples])),
                "caller_ms": asdict(Latency.of([sample.caller for sample in samples])),
            }
            for setting, samples in record.by_setting()
        ],
        "files": [{"inputs": given, "outputs": written} for given, written in record.files],
    }


def _as_ais_bench(latency: Latency) -> dict[str, float]:
    return {
        "min": latency.min,
        "max": latency.max,
        "mean": latency.mean,
        "median": latency.median,
        "percentile(99%)": latency.p99,
        "count": latency.count,
    }
