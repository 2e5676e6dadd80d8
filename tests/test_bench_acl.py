"""The benchmark of acl's calls: every engine is measured, and what is said of it."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where benchmarks are

from benchmarks import tables
from benchmarks.acl_calls import ENGINES, AclCalls, run_acl_calls


def test_every_engine_is_measured(tmp_path: Path) -> None:
    said: list[str] = []
    found = run_acl_calls(tmp_path, 1, lambda text, share: said.append(text), cycles=3)
    assert [each.engine for each in found] == list(ENGINES)
    assert len(said) == len(ENGINES)
    for each in found:
        assert each.cycles == 3
        assert np.all(np.diff(each.execute) >= 0)
        assert min(*each.execute, *each.own, each.early, each.late) > 0


def test_what_is_said_of_it() -> None:
    measured = AclCalls("openvino", (30.0, 40.0, 50.0), (9.0, 10.0, 11.0), 200, 100, 103)
    assert measured.overhead == 30
    assert measured.growth == pytest.approx(0.03)
    text = io.StringIO()
    tables.print_acl_calls(Console(file=text, width=132), [measured])
    for figure in ("40.0 [30.0, 50.0]", "10.0 [9.0, 11.0]", "30.0", "200 (+3.0%)"):
        assert figure in text.getvalue()
