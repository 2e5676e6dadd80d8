"""docs/pyacl-compat.md lists every function and every code as they are.

``python tests/docs/test_pyacl_doc.py`` writes the tables of functions anew.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gearshift
from gearshift.acl import table
from gearshift.acl.codes import Code

PAGE = Path(__file__).parents[2] / "docs" / "pyacl-compat.md"
SOURCE = Path(gearshift.__file__).parent / "acl"
HEAD = "| function | | what it does |\n|---|---|---|\n"
SECTION = re.compile(
    r"(<!-- functions of (acl[.\w]*) -->\n)(.*?)(<!-- end -->)", re.MULTILINE | re.DOTALL
)


def first_sentence(function: Callable[..., Any]) -> str:
    text = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
    return re.split(r"(?<=[.])\s", text)[0].replace("|", r"\|").replace("``", "`")


def row(name: str, function: table.Function) -> str:
    given = inspect.signature(function.call).parameters.values()
    words = [
        f"[{each.name}]" if each.default is not each.empty else each.name
        if each.kind is not each.VAR_POSITIONAL else f"*{each.name}"
        for each in given
    ]  # fmt: skip
    status = "" if function.status == "supported" else function.status
    return f"| `{name}({', '.join(words)})` | {status} | {first_sentence(function.call)} |\n"


def rows(module: str) -> str:
    return HEAD + "".join(row(name, each) for name, each in table.functions(module).items())


def test_every_module_has_its_section() -> None:
    found = [match[1] for match in SECTION.findall(PAGE.read_text("utf-8"))]
    assert found == list(table.MODULES)


@pytest.mark.parametrize("module", table.MODULES)
def test_the_page_lists_the_functions_as_they_are(module: str) -> None:
    listed = {name: body for _, name, body, _ in SECTION.findall(PAGE.read_text("utf-8"))}
    assert listed[module] == rows(module), f"run python {Path(__file__).name}"


def test_every_code_that_functions_tell_of_is_explained() -> None:
    page = PAGE.read_text("utf-8")
    explained = {int(number) for number in re.findall(r"^\| (\d{6}) \|", page, re.MULTILINE)}
    known = {int(code) for code in Code}
    assert explained <= known, "no such code"
    told = {
        int(number)
        for module in table.MODULES
        for function in table.functions(module).values()
        for number in re.findall(r"\b[1-5]\d{5}\b", inspect.getdoc(function.call) or "")
    }
    assert told <= explained


def test_every_variable_is_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    named = {
        name
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r"GEARSHIFT_[A-Z_]+", path.read_text("utf-8"))
    }
    assert named <= set(re.findall(r"GEARSHIFT_[A-Z_]+", page))


if __name__ == "__main__":
    text = PAGE.read_text("utf-8")
    PAGE.write_text(SECTION.sub(lambda match: match[1] + rows(match[2]) + match[4], text), "utf-8")
