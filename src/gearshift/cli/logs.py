"""The package's log, on standard error."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from gearshift.cli import console


@contextmanager
def log_on_stderr(level: str, form: str) -> Iterator[None]:
    """Shows the package's log from that level on, while it lasts.

    Args:
        level: one of logging's, in any case; "null" or nothing shows none.
        form: of a line, as `logging.Formatter` takes it.
    """
    logger = logging.getLogger("gearshift")
    silent = level in ("", "null")
    handler = logging.NullHandler() if silent else _LogOnStderr()
    handler.setFormatter(logging.Formatter(form))
    before = logger.level, logger.propagate
    logger.setLevel(logging.CRITICAL if silent else level.upper())
    logger.propagate = False  # a handler further up would show every line a second time
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]


class _LogOnStderr(logging.Handler):
    """The standard stream as it is at each line: a progress bar stands in for it for a while."""

    def emit(self, record: logging.LogRecord) -> None:
        console.write(self.format(record), sys.stderr)
