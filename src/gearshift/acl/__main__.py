"""``python -m gearshift.acl program.py [ARGUMENT ...]``: runs a program with this `acl` package."""

from __future__ import annotations

import builtins
import io
import os
import runpy
import sys
from types import ModuleType
from typing import Final

from gearshift.acl.package import force

USAGE: Final = """usage: python -m gearshift.acl PROGRAM.py [ARGUMENT ...]

Runs a Python program whose 'import acl' finds gearshift's package, on ordinary CPUs, even where
PYTHONPATH puts the vendor's first. Exit status: the program's; 2 without a program."""


def main(arguments: list[str]) -> int:
    """Runs the program named by the first argument; 0 unless that ends otherwise."""
    if arguments and arguments[0] in ("-h", "--help"):
        sys.stdout.write(f"{USAGE}\n")
        return 0
    if not arguments or not os.path.exists(arguments[0]):
        problem = f"there is no program {arguments[0]!r}" if arguments else "name a program"
        sys.stderr.write(f"{USAGE}\n\n{problem}\n")
        return 2
    force()
    sys.argv = arguments
    path = os.path.abspath(arguments[0])
    # As if Python had been given the program: its own folder is where it imports from first.
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        sys.path[0] = os.path.dirname(path)
    if os.path.isfile(path) and path.endswith(".py"):
        _run(path)
    else:  # a folder or an archive with a program in it
        runpy.run_path(arguments[0], run_name="__main__")
    return 0


def _run(path: str) -> None:
    """Runs a file as the main module, which it stays: for atexit, for threads, for pickle."""
    program = ModuleType("__main__")
    vars(program).update(__file__=path, __builtins__=builtins)
    sys.modules["__main__"] = program
    with io.open_code(path) as file:
        code = compile(file.read(), path, "exec")
    exec(code, vars(program))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
