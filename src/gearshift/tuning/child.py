"""A probe as its tuner sees it: a child process that answers one request after the other."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from types import TracebackType
from typing import IO, Final, TypeVar

from gearshift.artifact.reader import Artifact
from gearshift.errors import EngineError
from gearshift.tuning.messages import (
    Blob,
    Export,
    Failed,
    Made,
    Make,
    Message,
    Opened,
    Round,
    RunPlans,
    Times,
    pack,
    unpack,
)

A = TypeVar("A", Opened, Made, Times, Blob)

_ANSWER_SECONDS: Final = 600.0
"""After so long without an answer a probe is taken to be stuck."""
_CLOSE_SECONDS: Final = 5.0
_TAIL_BYTES: Final = 4096
_TAIL_LINES: Final = 6
# The folder this process works in is where the child starts too, and must not be where its modules
# come from: the path is set before anything is imported that is not built in.
_START: Final = """\
import sys
sys.path[:] = {path!r}
from gearshift.tuning.probe import main
main()
"""


class ProbeEndedError(EngineError):
    """A probe's process ended by itself, or was ended: nothing is said about its engine."""


class Child:
    """One engine in a process of its own, with one artifact open. A context manager.

    Attributes:
        engine: name of the engine.
        opened: what the probe said first.
    """

    def __init__(self, artifact: Artifact, engine: str, threads: int, frame: int = 0) -> None:
        """Starts the process and waits until the engine is ready. Raises EngineError."""
        self.engine = engine
        # A file and not a pipe: nobody has to read along for it never to be full.
        self._noise = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        place = os.path.abspath(artifact.path)
        try:
            words = [place, artifact.identity, engine, str(threads), str(frame)]
            self._process = _start(words, self._noise)
        except BaseException:
            self._noise.close()
            raise
        try:
            self.opened = self._answer(Opened)
        except BaseException:
            self.kill()
            raise

    def ask(self, request: Make | Round | RunPlans | Export, kind: type[A]) -> A:
        """The answer to a request.

        Raises:
            ProbeEndedError: the process ended.
            EngineError: the engine failed.
        """
        try:
            self._stdin.write(pack(request))
            self._stdin.flush()
        except OSError as error:
            raise self._ended() from error
        return self._answer(kind)

    def export(self, request: Export) -> bytes:
        """The bytes of a blob, none if the engine has no such thing. Raises EngineError."""
        nbytes = self.ask(request, Blob).nbytes
        data = self._stdout.read(nbytes)
        if len(data) != nbytes:
            raise self._ended()
        return data

    def kill(self) -> None:
        """Ends the process at once."""
        self._process.kill()
        self.close()

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        with contextlib.suppress(OSError):  # the pipe to a process that is gone is broken
            self._stdin.close()
        try:
            self._process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            self._stdout.close()
            self._noise.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.kill()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _answer(self, kind: type[A]) -> A:
        answer = self._next_message()
        if isinstance(answer, Failed):
            raise EngineError(answer.message)
        if not isinstance(answer, kind):
            raise EngineError(f"the probe of {self.engine} said {answer} out of turn")
        return answer

    def _next_message(self) -> Message:
        # A pipe cannot be read with a time limit everywhere, but whoever writes to it can be ended.
        stuck = threading.Timer(_ANSWER_SECONDS, self._process.kill)
        stuck.daemon = True
        stuck.start()
        try:
            for line in self._stdout:
                message = unpack(line)
                if message is not None:
                    return message
        finally:
            stuck.cancel()
        raise self._ended()

    def _ended(self) -> ProbeEndedError:
        """What to say of a process that ended by itself."""
        code = self._process.wait()
        how = f"ended with exit code {code}"
        if code < 0:
            how = f"was ended by signal {-code} ({signal.strsignal(-code)})"
        size = self._noise.seek(0, os.SEEK_END)
        self._noise.seek(max(0, size - _TAIL_BYTES))
        lines = self._noise.read().decode("utf-8", "replace").splitlines()[-_TAIL_LINES:]
        said = "; its last words: " + "\n".join(lines) if lines else ", without a word"
        return ProbeEndedError(f"the process that measured {self.engine} {how}{said}")


def _start(arguments: list[str], noise: IO[bytes]) -> subprocess.Popen[bytes]:
    if not sys.executable or getattr(sys, "frozen", False):
        raise EngineError(
            "measuring needs a Python interpreter to start, and this program came without one. "
            "Load the model with costs= or tune=0, or take a table measured elsewhere."
        )
    command = [sys.executable, "-c", _START.format(path=sys.path), *arguments]
    try:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=noise
        )
    except OSError as error:
        raise EngineError(f"{sys.executable} cannot be started to measure: {error}") from error
