"""The record of a run as JSON: every sample, and what they were taken on."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.batch import Cell, Sheet
from benchmarks.contender import Contender
from benchmarks.limits import Machine, Work
from benchmarks.prepare import GEARS, Ready
from benchmarks.preprocessing import WAYS, Preprocessed
from benchmarks.rounds import Times
from benchmarks.starting import Starts
from benchmarks.summary import summarise


def about(
    contenders: Sequence[Contender], threads: int, host: Mapping[str, object]
) -> dict[str, Any]:
    """What a run was taken on and with, before anything was measured."""
    return {
        "taken": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "host": dict(host),
        "gears": GEARS,
        "contenders": {
            each.name: {"how": each.how, "threads": threads, "precision": "f32"}
            for each in contenders
        },
    }


def of_machine(machine: Machine) -> dict[str, Any]:
    """The machine's limits."""
    return {**asdict(machine), "how": machine.how}


def of_model(ready: Ready, work: Work) -> dict[str, Any]:
    """What a model is, and how quiet the machine was while gearshift measured it."""
    model = ready.model
    about_it = {"made": model.made, "inputs": dict(model.inputs), **asdict(work)}
    return {**about_it, "tuning": {"bystanders": ready.bystanders}}


def of_sheets(sheets: Sequence[Sheet]) -> dict[str, Any]:
    """Everything measured in batches, and what it comes to."""
    whole = summarise(sheets)
    return {
        "summary": whole and asdict(whole),
        "sheets": [
            {
                "model": sheet.model,
                "protocol": sheet.protocol,
                "rounds": sheet.rounds,
                "bystanders": sheet.bystanders,
                "cells": [_of_cell(cell) for cell in sheet.cells],
            }
            for sheet in sheets
        ],
    }


def _of_cell(cell: Cell) -> dict[str, Any]:
    return {
        "rows": cell.rows,
        "plan": cell.plan,
        "ratio": cell.ratio and asdict(cell.ratio),
        "contenders": {name: _of_times(times) for name, times in cell.times.items()},
    }


def _of_times(times: Times) -> dict[str, Any]:
    return {"median": times.median, "spread": times.spread, "visits": times.visits}


def of_starts(starts: Sequence[Starts]) -> list[dict[str, Any]]:
    """Every start."""
    return [asdict(each) for each in starts]


def of_preprocessed(found: Preprocessed) -> dict[str, Any]:
    """Every sample of the ways to preprocess, and what each is."""
    return {
        "ways": {way: how for way, (how, _) in WAYS.items()},
        "rounds": found.rounds,
        "bystanders": found.bystanders,
        "cells": [
            {
                "engine": cell.engine,
                "rows": cell.rows,
                "ratios": {way: asdict(ratio) for way, ratio in cell.ratios.items()},
                "ways": {way: _of_times(times) for way, times in cell.times.items()},
            }
            for cell in found.cells
        ],
    }


def write(folder: Path, record: Mapping[str, Any]) -> Path:
    """Writes it under a name that carries the time; says where."""
    path = folder / f"bench-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return path
