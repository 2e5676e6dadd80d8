"""docs/pyacl-compat.md lists every function, operator, code and variable as they are.

``python tests/docs/test_pyacl_doc.py --write`` writes the lists of functions and operators anew.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gearshift
from gearshift import errors
from gearshift.acl import contexts, system, table
from gearshift.acl.call import Function
from gearshift.acl.codes import Code
from gearshift.acl.op.jobs import OPERATORS

PAGE = Path(__file__).parents[2] / "docs" / "pyacl-compat.md"
SOURCE = Path(gearshift.__file__).parent / "acl"
HEAD = "| function | status | what it does |\n|---|---|---|\n"
ANEW = f"python tests/docs/{Path(__file__).name} --write writes it anew"
OPERATORS_LISTED = re.compile(r"(<!-- operators -->\n)(.*?)(<!-- end -->)", re.DOTALL)
SECTION = re.compile(
    r"(<!-- functions of (acl[.\w]*) -->\n)(.*?)(<!-- end -->)", re.MULTILINE | re.DOTALL
)


def first_sentence(function: Callable[..., Any]) -> str:
    text = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
    return re.split(r"(?<=[.])\s", text)[0].replace("|", r"\|").replace("``", "`")


def row(name: str, function: Function) -> str:
    given = inspect.signature(function.call).parameters.values()
    words = [
        f"[{each.name}]" if each.default is not each.empty else each.name
        if each.kind is not each.VAR_POSITIONAL else f"*{each.name}"
        for each in given
    ]  # fmt: skip
    called = f"`{name}({', '.join(words)})`"
    return f"| {called} | {function.status} | {first_sentence(function.call)} |\n"


def rows(module: str) -> str:
    return HEAD + "".join(row(name, each) for name, each in table.functions(module).items())


def operators() -> str:
    named = ", ".join(f"`{name}`" for name in sorted(OPERATORS))
    return textwrap.fill(named, 120, break_long_words=False) + "\n"


def codes_explained(page: str) -> set[int]:
    return {int(number) for number in re.findall(r"^\| (\d{6}) \|", page, re.MULTILINE)}


def errors_below(error: type[errors.GearshiftError]) -> set[type[errors.GearshiftError]]:
    return {error}.union(*map(errors_below, error.__subclasses__()))


def test_every_module_has_its_section() -> None:
    found = [match[1] for match in SECTION.findall(PAGE.read_text("utf-8"))]
    assert found == list(table.MODULES)


@pytest.mark.parametrize("module", table.MODULES)
def test_the_page_lists_the_functions_as_they_are(module: str) -> None:
    listed = {name: body for _, name, body, _ in SECTION.findall(PAGE.read_text("utf-8"))}
    assert listed[module] == rows(module), ANEW


def test_the_page_lists_the_operators() -> None:
    found = OPERATORS_LISTED.search(PAGE.read_text("utf-8"))
    assert found is not None
    assert found[2] == operators(), ANEW


def test_every_code_on_the_page_is_one_of_ours() -> None:
    named = set(map(int, re.findall(r"\b[1-5]\d{5}\b", PAGE.read_text("utf-8"))))
    assert named <= {int(code) for code in Code}
    assert named == codes_explained(PAGE.read_text("utf-8"))


def test_every_code_that_functions_tell_of_is_explained() -> None:
    told = {
        int(number)
        for module in table.MODULES
        for function in table.functions(module).values()
        for number in re.findall(r"\b[1-5]\d{5}\b", inspect.getdoc(function.call) or "")
    }
    assert len(told) > 20
    assert told <= codes_explained(PAGE.read_text("utf-8"))


def test_every_code_that_a_program_can_meet_is_explained() -> None:
    """Those that functions refuse with, and those of the errors of what lies below them."""
    refused = {
        int(Code[name])
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r"\bCode\.([A-Z_]+)", path.read_text("utf-8"))
    }
    below = {
        int(number)
        for path in (SOURCE.parent / "images.py", *(SOURCE.parent / "aipp").glob("*.py"))
        for number in re.findall(r"^_\w+: Final = (\d{6})$", path.read_text("utf-8"), re.MULTILINE)
    }
    assert below, "AIPP's own"
    raised = {error.acl_code for error in errors_below(errors.GearshiftError)}
    never_met = {
        errors.ModelError.acl_code,  # of models that are compiled
        errors.MemoryLimitError.acl_code,  # of compiling within a limit
        errors.TruncatedArtifactError.acl_code,  # answered with 145000, as by a card's calls
    }
    met = (refused | below | raised) - never_met - {int(Code.SUCCESS)}
    assert met == codes_explained(PAGE.read_text("utf-8"))


def test_every_variable_is_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    named = {
        name
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r"GEARSHIFT_[A-Z_]+", path.read_text("utf-8"))
    }
    assert len(named) == 3
    assert named == set(re.findall(r"GEARSHIFT_[A-Z_]+", page))
    assert f"how many devices a program sees (default: {contexts.DEFAULT_DEVICES})" in page
    assert f"(default: {system.SOC_NAME})" in page


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    text = SECTION.sub(lambda found: found[1] + rows(found[2]) + found[4], PAGE.read_text("utf-8"))
    text = OPERATORS_LISTED.sub(lambda found: found[1] + operators() + found[3], text)
    PAGE.write_text(text, "utf-8")
