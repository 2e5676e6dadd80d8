"""Who imports whom, what is public, and what importing costs."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import gearshift

SOURCE = Path(gearshift.__file__).parent

# What each part may import of the others; the picture of docs/architecture.md.
_ALLOWED = {
    "errors": set(),
    "_version": set(),
    "tensors": {"errors"},
    "option_values": {"errors", "tensors"},
    "options": {"errors", "tensors", "option_values"},
    "gears": {"errors", "tensors"},
    "aipp": {"errors", "tensors", "gears", "program"},
    "program": {"errors", "tensors"},
    "frontend": {"errors", "tensors", "options", "program", "gears"},
    "analysis": {"errors", "tensors", "options", "program", "gears"},
    "passes": {"errors", "tensors", "options", "program", "gears", "analysis"},
    "engines": {"errors", "tensors", "options", "lanes", "placing"},
    "artifact": {"errors", "tensors", "gears", "lanes", "placing"},
    "rows": {"errors", "tensors", "gears"},
    "results": {"tensors", "gears"},
    "stats": {"gears"},
    "verify": {
        "errors", "tensors", "options", "program", "gears", "analysis", "engines", "rows",
        "results",
    },
    "staging": {"errors", "tensors", "program", "engines", "artifact"},
    "preconditions": {"errors", "options", "gears"},
    "preprocessing": {"errors", "tensors", "options", "program", "gears", "aipp", "verify"},
    "declaring": {"errors", "tensors", "options", "program", "gears"},
    "recording": {
        "errors", "tensors", "options", "program", "gears", "analysis", "engines", "artifact",
        "verify", "preprocessing",
    },
    "findings": {
        "errors", "tensors", "options", "program", "gears", "frontend", "analysis", "passes",
        "verify", "preprocessing", "declaring",
    },
    "precheck": {
        "errors", "tensors", "options", "program", "gears", "declaring", "frontend", "analysis",
        "passes",
    },
    "dump": {
        "errors", "tensors", "gears", "frontend", "analysis", "artifact", "opening",
    },
    "compiler": {
        "_version", "errors", "tensors", "options", "gears", "analysis", "passes", "engines",
        "artifact", "verify", "findings", "staging", "recording", "aipp", "declaring",
        "preprocessing", "preconditions",
    },
    "opening": {"aipp", "errors", "tensors", "options", "gears", "engines", "artifact"},
    "tuning": {
        "_version", "errors", "tensors", "options", "gears", "engines", "artifact", "rows",
        "stats", "lanes", "opening", "networks", "programs", "running", "execution",
        "recycling", "results", "placing",
        # The probe, a process of its own, compares outputs and looks at memory as a compile does.
        "verify", "analysis",
    },
    "placing": set(),
    "lanes": {"placing"},
    "recycling": {"tensors"},
    "memory": {"gears"},
    "networks": {"errors", "gears", "engines", "artifact", "opening"},
    "running": {"engines", "tensors"},
    "programs": {"errors", "gears", "engines", "networks", "running"},
    "execution": {
        "gears", "tensors", "engines", "networks", "programs", "lanes", "results", "rows", "stats",
        "recycling",
    },
    "strategy": {
        "errors", "options", "gears", "engines", "artifact", "programs", "tuning", "opening",
    },
    "images": {"errors", "tensors", "artifact", "aipp"},
    "asking": {"errors", "tensors", "gears"},
    "calls": {"errors"},
    "framing": {"errors", "tensors", "gears", "artifact", "opening", "rows"},
    "track": {
        "errors", "tensors", "options", "gears", "engines", "artifact", "rows", "stats", "opening",
        "lanes", "memory", "networks", "programs", "execution", "strategy", "tuning", "recycling",
        "results",
    },
    "session": {
        "errors", "tensors", "options", "gears", "engines", "artifact", "rows", "stats", "opening",
        "memory", "networks", "tuning", "framing", "track", "images", "strategy", "recycling",
        "asking", "calls",
    },
    "acl": {
        "errors", "tensors", "options", "gears", "aipp", "engines", "artifact", "rows", "opening",
        "images", "session",
    },
    "bench": {"errors", "tensors", "gears", "aipp", "opening", "session", "stats"},
    "ais": {"errors", "tensors", "gears", "opening", "session", "bench"},
}  # fmt: skip
_FENCED = {  # library -> the only places that may import it
    "onnx": {
        "frontend",
        "analysis",
        "passes",
        "verify",
        "engines/reference.py",
        "dump",
        "acl/op/onnx.py",
    },
    "onnx_ir": {
        "dump",
        "precheck.py",
        "program.py",
        "frontend",
        "analysis",
        "passes",
        "verify",
        "staging.py",
        "aipp/fold.py",
        "aipp/nodes.py",
    },
    "openvino": {"engines/openvino.py"},
    "onnxruntime": {"engines/onnxruntime.py"},
    "rich": {"cli"},
    "psutil": {"analysis", "tuning", "memory.py"},
    "platformdirs": {"tuning"},
}


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return found


MODULES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_follow_the_picture(path: Path) -> None:
    relative = path.relative_to(SOURCE)
    part = relative.parts[0].removesuffix(".py")
    for name in imports_of(path):
        top, *rest = name.split(".")
        if top == "gearshift" and part not in ("cli", "__init__"):
            inner = rest[0]
            assert inner == part or inner in _ALLOWED[part], f"{relative} imports {name}"
        if top in _FENCED:
            homes = _FENCED[top]
            assert str(relative) in homes or relative.parts[0] in homes, f"{relative}: {name}"


def test_no_cycle_between_modules() -> None:
    graph = {}
    for path in MODULES:
        name = ".".join(("gearshift", *path.relative_to(SOURCE).with_suffix("").parts))
        name = name.removesuffix(".__init__")
        graph[name] = imports_of(path)
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name in done:
            return
        for wanted in graph[name]:
            module = wanted if wanted in graph else wanted.rpartition(".")[0]
            if module in graph and module != name:
                visit(module, (*trail, name))
        done.add(name)

    for name in graph:
        if name != "gearshift":  # the front door names everything, lazily
            visit(name, ())


def fresh(code: str) -> str:
    """Output of a piece of code in a new interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


COMPILE_SIDE = ("onnx", "onnx_ir", *(
    f"gearshift.{part}"
    for part in (
        "program", "frontend", "passes", "analysis", "verify", "findings", "compiler", "staging",
    )
))  # fmt: skip


def test_the_run_side_loads_nothing_of_the_compile_side() -> None:
    code = "import gearshift.session, sys, json; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(fresh(code)))
    assert loaded.isdisjoint(COMPILE_SIDE)
    assert loaded.isdisjoint({"openvino", "onnxruntime"}), "engines are loaded when they are used"


def test_importing_gearshift_loads_next_to_nothing() -> None:
    code = "import gearshift, sys, json; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(fresh(code)))
    ours = {name for name in loaded if name.startswith("gearshift")}
    assert ours == {"gearshift", "gearshift._version", "gearshift.errors"}
    assert "numpy" not in loaded


def test_public_names() -> None:
    assert gearshift.__all__ == sorted(gearshift.__all__)
    for name in gearshift.__all__:
        assert getattr(gearshift, name) is not None
    assert dir(gearshift) == gearshift.__all__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = gearshift.nothing
