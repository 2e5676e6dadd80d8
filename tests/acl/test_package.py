"""The package `acl` as programs import it, and whose it is where the vendor's is there as well."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType

import pytest

from gearshift.acl import table

REPOSITORY = Path(__file__).parents[2]
PARTS = [name for name in table.MODULES if name != "acl"]
VENDOR = "whose = 'vendor'\ndef get_soc_name():\n    return 'Ascend310'\n"


def run(*words: str, vendor: Path | None = None, **options: object) -> subprocess.CompletedProcess:  # type: ignore[type-arg]
    """Python with those arguments, perhaps with a folder in front of everything installed."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if vendor is not None:
        environment["PYTHONPATH"] = str(vendor)
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=environment, **options
    )  # type: ignore[call-overload]


def program(folder: Path, text: str, name: str = "program.py") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    """A folder with another module `acl`, as the vendor's script puts one into PYTHONPATH."""
    program(tmp_path, VENDOR, "vendor/acl.py")
    return tmp_path / "vendor"


def test_imports() -> None:
    import acl.mdl
    import acl.rt as runtime
    from acl.mdl import execute, load_from_file

    import acl
    from acl import util

    assert runtime is acl.rt
    assert util is acl.util
    assert (execute, load_from_file) == (acl.mdl.execute, acl.mdl.load_from_file)
    for name in PARTS:
        assert importlib.import_module(name) is getattr(acl, name.removeprefix("acl."))
        assert importlib.util.find_spec(name) is not None
    assert importlib.util.find_spec("acl") is not None
    with pytest.raises(ImportError):
        importlib.import_module("acl.nothing")
    with pytest.raises(AttributeError):
        acl.nothing  # noqa: B018


@pytest.mark.parametrize("name", table.MODULES)
def test_modules_hold_functions_and_nothing_else(name: str) -> None:
    """No constants: programs define their own. They look for functions with ``dir``."""
    module = importlib.import_module(name)
    held = {key: value for key, value in vars(module).items() if not key.startswith("__")}
    functions = {
        key: value
        for key, value in held.items()
        if isinstance(value, FunctionType | BuiltinFunctionType)
    }
    modules = {key: value for key, value in held.items() if isinstance(value, ModuleType)}
    assert set(functions) == set(table.functions(name))
    wanted = {part.removeprefix("acl.") for part in PARTS} if name == "acl" else set()
    assert set(modules) == wanted
    assert set(held) == set(functions) | set(modules)
    assert set(functions) <= set(dir(module))


def test_what_programs_look_for() -> None:
    import acl

    assert "bytes_to_ptr" in dir(acl.util)
    assert "ptr_to_bytes" in dir(acl.util)
    by_size = {"input": acl.mdl.get_input_size_by_index, "output": acl.mdl.get_output_size_by_index}
    assert by_size["output"](0, 0) == 0


def test_arguments_by_position_only() -> None:
    import acl

    for call, words in (
        (acl.rt.malloc, {"size": 1, "policy": 0}),
        (acl.rt.set_device, {"device": 0}),
        (acl.mdl.load_from_file, {"path": "x.om"}),
        (acl.mdl.execute, {"model": 1, "inputs": 2, "outputs": 3}),
    ):
        with pytest.raises(TypeError):
            call(**words)
        with pytest.raises(TypeError):
            call(*words.values(), **{next(iter(words)): 1})


def test_a_program_before_init() -> None:
    """What programs ask at import time, in an interpreter of its own."""
    done = run("-c", "import acl; print(acl.rt.get_run_mode(), acl.get_soc_name())")
    assert done.stdout.startswith("(1, 0) Ascend"), done.stderr


def test_the_vendors_wins_by_pythonpath(vendor: Path) -> None:
    text = "import acl; print(acl.whose, acl.get_soc_name())"
    assert run("-c", text, vendor=vendor).stdout == "vendor Ascend310\n"
    assert run("-c", "import acl; print(hasattr(acl, 'whose'))").stdout == "False\n"


REPORT = """
import json, os, sys
import acl, acl.rt
from acl import mdl
print(json.dumps({
    "ours": not hasattr(acl, "whose") and acl.rt.get_run_mode() == (1, 0),
    "argv": sys.argv, "path": sys.path[0], "name": __name__, "file": __file__,
    "main": sys.modules["__main__"].__dict__ is globals(), "folder": os.getcwd(),
}))
"""


@pytest.mark.parametrize("from_", ["beside", "elsewhere"])
def test_ours_wins_by_force(tmp_path: Path, vendor: Path, from_: str) -> None:
    import json

    path = program(tmp_path, REPORT, "programs/program.py")
    folder = path.parent if from_ == "beside" else tmp_path
    name = os.path.relpath(path, folder)
    words = ("-m", "gearshift.acl", name, "--help", "-x", "a b")
    done = run(*words, vendor=vendor, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "ours": True,
        "argv": [name, "--help", "-x", "a b"],
        "path": str(path.parent),
        "name": "__main__",
        "file": str(path),
        "main": True,
        "folder": str(folder),
    }


def test_it_imports_what_lies_beside_it(tmp_path: Path, vendor: Path) -> None:
    program(tmp_path, "import acl\nours = not hasattr(acl, 'whose')\n", "helper.py")
    path = program(tmp_path, "import helper\nprint(helper.ours)\n")
    assert run("-m", "gearshift.acl", str(path), vendor=vendor).stdout == "True\n"


@pytest.mark.parametrize(
    ("text", "code", "output"),
    [
        ("print('done')", 0, "done\n"),
        ("import sys; sys.exit(7)", 7, ""),
        ("import sys; sys.exit('went wrong')", 1, ""),
        ("raise KeyError('x')", 1, ""),
        ("import os; os._exit(9)", 9, ""),
        ("if __name__ == '__main__':\n    raise SystemExit(3)", 3, ""),
        ("def (", 1, ""),
    ],
)
def test_it_ends_as_the_program_does(tmp_path: Path, text: str, code: int, output: str) -> None:
    done = run("-m", "gearshift.acl", str(program(tmp_path, text)))
    assert (done.returncode, done.stdout) == (code, output)


def test_the_program_stays_the_main_module(tmp_path: Path) -> None:
    """What runs after its last line - threads, atexit - finds its names, and so does pickle."""
    text = """
    import atexit, pickle, sys, threading
    class Thing:
        def __del__(self):
            print("deleted", flush=True)
    thing = Thing()
    copied = pickle.loads(pickle.dumps(Thing)) is Thing
    atexit.register(lambda: print("atexit", isinstance(thing, Thing)))
    ended = threading.Event()
    def work():
        ended.wait(20)
        main = sys.modules["__main__"]
        print("thread", copied, main.thing is thing, flush=True)
    threading.Thread(target=work).start()
    ended.set()
    """
    done = run("-m", "gearshift.acl", str(program(tmp_path, text)))
    assert done.stdout.splitlines() == ["thread True True", "atexit True", "deleted"], done.stderr


def test_a_folder_with_a_program_in_it(tmp_path: Path, vendor: Path) -> None:
    program(tmp_path, REPORT.replace('"ours"', '"whose"'), "whole/__main__.py")
    done = run("-m", "gearshift.acl", str(tmp_path / "whole"), vendor=vendor)
    assert '"whose": true' in done.stdout, done.stderr


@pytest.mark.parametrize("words", [("--help",), ("-h",), (), ("nowhere.py",)])
def test_usage(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run("-m", "gearshift.acl", *words, cwd=tmp_path)
    helps = words in (("--help",), ("-h",))
    assert done.returncode == (0 if helps else 2)
    said = done.stdout if helps else done.stderr
    assert said.startswith("usage: python -m gearshift.acl PROGRAM.py")
    assert helps or ("nowhere.py" in said or "name a program" in said)


def test_where_the_folder_of_programs_is_not_searched(tmp_path: Path) -> None:
    """``python -I`` leaves the folder out, with this package as without."""
    program(tmp_path, "", "helper.py")
    path = program(tmp_path, "import helper\n")
    alone = run("-I", str(path), cwd=tmp_path)
    done = run("-I", "-m", "gearshift.acl", str(path), cwd=tmp_path)
    if sys.version_info < (3, 11):
        pytest.skip("before Python 3.11 a program's folder is searched in some of these cases")
    assert alone.returncode == done.returncode == 1
    assert "No module named 'helper'" in done.stderr


def test_the_wheel_has_both_packages(tmp_path: Path) -> None:
    tomllib = pytest.importorskip("tomllib")
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    packages = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert packages == ["src/gearshift", "src/acl"]
    for package in packages:
        assert (REPOSITORY / package / "__init__.py").is_file()
    if importlib.util.find_spec("hatchling"):
        done = run("-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), cwd=REPOSITORY)
        assert done.returncode == 0, done.stderr
        import zipfile

        (wheel,) = tmp_path.glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
        assert {"acl/__init__.py", "gearshift/acl/package.py"} <= set(names)


def test_nothing_of_the_standard_library_is_called_so() -> None:
    assert "acl" not in sys.stdlib_module_names
    assert not (Path(sysconfig.get_paths()["stdlib"]) / "acl.py").exists()
