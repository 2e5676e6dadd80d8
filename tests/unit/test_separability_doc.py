"""docs/separability.md and the rules name the same operators, and each has a test."""

from __future__ import annotations

import re
from pathlib import Path

import gearshift.verify.rules  # noqa: F401 - fills the table
from gearshift.verify.rules.registry import NEWEST_OPSET, OLDEST_OPSET, covered

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "separability.md").read_text("utf-8")


def documented() -> list[str]:
    table = PAGE.partition("\n## The rules\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return re.findall(r"`([\w.]+)`", " ".join(cells))


def registered() -> list[str]:
    return [f"{domain}.{name}" if domain else name for domain, name in covered()]


def test_page_lists_each_rule_once() -> None:
    assert sorted(documented()) == sorted(registered())


def test_page_names_the_operator_sets() -> None:
    assert f"operator sets {OLDEST_OPSET} to {NEWEST_OPSET}" in PAGE


def test_each_rule_is_tested() -> None:
    tests = "".join(path.read_text("utf-8") for path in HERE.glob("test_separability_*.py"))
    missing = [name for _, name in covered() if not re.search(rf'\b{name}[<( "]', tests)]
    assert not missing
