"""docs/tuning.md and the README name the defaults and variables that the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gearshift.options import BUDGETS
from gearshift.tuning import choose, embedded, played, playoff, trial, tuner, weigh
from gearshift.tuning.cache import DEFAULT_BYTES
from gearshift.tuning.tuner import DEFAULT_SECONDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tuning.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
SOURCES = [path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py")]


@pytest.mark.parametrize("text", [PAGE, README], ids=["page", "readme"])
def test_every_variable_is_named(text: str) -> None:
    read = {name for source in SOURCES for name in re.findall(r"environ.*?(GEARSHIFT_\w+)", source)}
    read = {name for name in read if not name.startswith("GEARSHIFT_ACL_")}  # not of tuning
    assert len(read) == 3
    assert read == set(re.findall(r"GEARSHIFT_\w+", text))
    assert f"(default: {DEFAULT_SECONDS:g})" in text
    assert f"(default: {DEFAULT_BYTES})" in text


def test_the_numbers_of_the_page() -> None:
    words = " ".join(PAGE.split())
    assert DEFAULT_SECONDS == 10, "written out: ten"
    assert trial._FEW == 3, "written out: three"
    assert tuner._BUILDING == 0.5, "written out: half"
    assert f"When {100 * tuner._ROUNDS:g} % of the time" in words
    assert f"the last {100 - 100 * tuner._ROUNDS:g} % of the time" in words
    assert "{} numbers of rows up to the largest gear ({} if".format(*playoff.COUNTS) in words
    assert f"within {100 * played.AS_GOOD:g} % of it" in words
    assert choose._BALANCED == 1.2, "written out: a fifth more"
    assert f"or {choose._SMALL_CHANGE >> 20} MiB more" in words
    assert f"more than {100 * choose.EACH_PROGRAM:g} % of that" in words
    assert f"more than {100 * choose.SECOND_ENGINE:g} % on top" in words
    assert f"more than {100 * weigh._WORST_MAY_LOSE:g} % at any" in words
    assert f"spread out beyond {weigh._FEW}" in words
    assert f"up to {embedded.MAX_HOSTS} hosts" in words
    assert all(f'`"{budget}"`' in words for budget in BUDGETS)


def test_the_commands_of_the_page_are_read() -> None:
    from gearshift.cli.arguments import parse

    (block,) = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line.partition("#")[0].split() for line in block.splitlines()]
    assert len(lines) == 5
    for program, *words in lines:
        assert program == "gearshift"
        parse(words, (print,) * 6)
