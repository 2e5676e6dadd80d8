"""The `gearshift` command: its entry. What the commands do is in commands.py."""

from __future__ import annotations

from collections.abc import Sequence

from gearshift.cli import console


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0, or the failing error's exit code (1 in most cases), 2 for a wrong command line, 130 after
        Ctrl-C, 141 if the reader of its output went away.
    """
    return console.guarded(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    from gearshift.cli.commands import run  # here, so that Ctrl-C while it loads is handled

    return run(argv)


if __name__ == "__main__":
    raise SystemExit(main())
