"""The ``atc`` command: its entry. What it does is in atc_command.py.

Everything atc knows of its own is in the atc_* files beside this one: the flag table, the argv
grammar, the checks in their order, the refusals, the lines it prints.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from gearshift.cli import console


def main(argv: Sequence[str] | None = None) -> int:
    """Runs atc.

    Args:
        argv: the words after the program's name; None takes this process's own.

    Returns:
        Exit status: 0, 1 (unknown flag, or standard output cannot be written), 130 (interrupted),
        141 (the reader of standard output went away) or 255 (failed).
    """
    return console.guarded(lambda: _run(sys.argv[1:] if argv is None else argv))


def _run(argv: Sequence[str]) -> int:
    from gearshift.cli.atc_command import run  # here, so that Ctrl-C while it loads is handled

    return run(argv)


if __name__ == "__main__":
    raise SystemExit(main())
