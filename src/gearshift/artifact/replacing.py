"""Write a file that either is there as a whole or is not there at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

TEMPORARY: Final = ".gearshift-*.tmp"
"""What a killed process may leave behind; such files may be deleted."""


@contextmanager
def replacing(path: Path, mode: int | None = None) -> Iterator[BinaryIO]:
    """A file to write, which takes the name `path` once the block ends well, or never.

    Missing folders are made; a file of that name is replaced at once.

    Args:
        path: the name; what it links to, if it is a link.
        mode: permissions of the file; None leaves them to the umask.

    Raises:
        OSError: something cannot be written. What was there before is untouched.
    """
    # Through a symbolic link we write the file it points to, as any program would.
    target = Path(os.path.realpath(path))
    # Not tempfile: its files are closed to everyone but their owner, whatever the umask says.
    temporary = target.with_name(TEMPORARY.replace("*", secrets.token_hex(8)))
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    # So that the rename itself reaches the disk. Windows cannot open folders, and some network
    # file systems cannot sync them: the file is complete and in its place all the same.
    if os.name == "nt":
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
