"""argv -> values by flag, by the rules of gflags, which ``atc`` has always used.

``--flag=value``, ``--flag value``, one dash or two, ``-`` for ``_`` in names; the last one wins.
argparse cannot take these: it refuses a value such as ``-1,3`` that begins with a dash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gearshift.cli.atc_flags import FLAGS, Flag
from gearshift.errors import OptionError, did_you_mean
from gearshift.gears.text import INT32_MAX, decimal, shown

_TRUE: Final = ("true", "t", "1", "yes", "y")
_FALSE: Final = ("false", "f", "0", "no", "n")
_OTHER_COMMANDS: Final = ("compile", "run", "inspect")
_WHOLE: Final = re.compile(r"-?([0-9]+)")


class UsageError(OptionError):
    """The words of the command line do not make sense as flags; exit status 1."""


@dataclass(frozen=True)
class Stray:
    """A word that belongs to no flag, and the word before it ("" if it is the first)."""

    word: str
    after: str


@dataclass(frozen=True)
class Args:
    """What the user wrote.

    Attributes:
        given: value by flag name, for the flags on the command line.
        stray: words that belong to no flag.
    """

    given: Mapping[str, str]
    stray: tuple[Stray, ...] = ()

    def __getitem__(self, name: str) -> str:
        """The flag's value, or its default."""
        return self.given.get(name, FLAGS[name].default)

    def number(self, name: str) -> int:
        """The value of a flag of kind int."""
        return int(self[name])

    def is_on(self, name: str) -> bool:
        """The value of a flag of kind bool."""
        return self[name].lower() in _TRUE


def parse_argv(argv: Sequence[str]) -> Args:
    """Reads a command line (without the program's name).

    Raises:
        UsageError: an unknown flag, a flag without its value, a value of the wrong kind, or a
            command of gearshift.
    """
    if argv and argv[0] in _OTHER_COMMANDS:
        raise UsageError(
            f"{shown(argv[0])} is a command of gearshift; atc takes flags only. "
            f"Write gearshift {argv[0]}, and 'gearshift {argv[0]} --help' for how it goes on."
        )
    given: dict[str, str] = {}
    stray: list[Stray] = []
    problems: list[str] = []
    words = iter(enumerate(argv))
    for at, word in words:
        if not _looks_like_flag(word):
            stray.append(Stray(word, argv[at - 1] if at else ""))
        elif word == "--":
            stray += [Stray(rest, "--") for _, rest in words]
        else:
            try:
                name, value = _read_flag(word, argv, at, words)
                given[name] = value
            except UsageError as error:
                problems.append(error.message)
    if problems:
        raise UsageError("\n".join(problems))
    return Args(given, tuple(stray))


def _looks_like_flag(word: str) -> bool:
    return len(word) > 1 and word.startswith("-")


def _read_flag(
    word: str, argv: Sequence[str], at: int, words: Iterator[tuple[int, str]]
) -> tuple[str, str]:
    flag, value = _split(word)
    if flag is None:
        raise UsageError(_unknown(word))
    if value is None and flag.kind == "bool":
        value = "true"
    elif value is None:
        if at + 1 == len(argv) or _split(argv[at + 1])[0] is not None:
            follows = f"{shown(argv[at + 1])} is a flag itself" if at + 1 < len(argv) else "it ends"
            raise UsageError(
                f"flag --{flag.name} has no value: after it the command line goes on with a flag "
                f"or ends ({follows}). Write --{flag.name}=VALUE."
            )
        _, value = next(words)
    _check_kind(flag, value)
    return flag.name, value


def _split(word: str) -> tuple[Flag | None, str | None]:
    """The flag a word names (None if none) and the value after its ``=`` (None without one)."""
    if not _looks_like_flag(word):
        return None, None
    body = word[2:] if word.startswith("--") else word[1:]
    name, equals, value = body.partition("=")
    name = name.replace("-", "_")
    flag = FLAGS.get(name)
    if flag is None and not equals and name.startswith("no"):
        negated = FLAGS.get(name[2:])
        if negated is not None and negated.kind == "bool":
            return negated, "false"
    return flag, value if equals else None


def _unknown(word: str) -> str:
    name = word.lstrip("-").partition("=")[0].replace("-", "_")
    return (
        f"unknown flag {shown(word.partition('=')[0])}. 'atc --help' lists every flag."
        + did_you_mean(f"--{name}", (f"--{flag}" for flag in FLAGS))
    )


def _check_kind(flag: Flag, value: str) -> None:
    if flag.kind == "bool" and value.lower() not in (*_TRUE, *_FALSE):
        raise UsageError(f"flag --{flag.name}: got {shown(value)}; allowed: true or false.")
    if flag.kind == "int":
        match = _WHOLE.fullmatch(value)
        if match is None or decimal(match[1], INT32_MAX) is None:
            raise UsageError(
                f"flag --{flag.name}: got {shown(value)}; allowed: a whole number. {flag.help}"
            )
