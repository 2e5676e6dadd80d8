"""What was measured and built on this host, kept in the user's cache folder.

A cost table is one file for each artifact and host; what an engine made of a build is one file
beside it. Everything here can be lost at any moment and by any hand: a file that is missing,
damaged or not allowed is as good as none, and the log says so. Nothing in a file is ever executed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

import platformdirs

from gearshift._version import __version__
from gearshift.artifact.replacing import TEMPORARY, replacing
from gearshift.errors import TableError
from gearshift.gears.build import Build
from gearshift.tuning.table import CostTable, Host, read_table, table_bytes

DEFAULT_BYTES: Final = 2 << 30
"""What all files together may take unless ``GEARSHIFT_CACHE_BYTES`` says otherwise."""

_LOG: Final = logging.getLogger("gearshift")
_OURS: Final = re.compile(r"[0-9a-f]{32}-[0-9a-f]{16}(-[0-9]+)?\.(costs|[0-9a-f]{16}\.blob)")
_ABANDONED_SECONDS: Final = 3600.0
"""Age at which a temporary file is one that a killed process left behind."""
_CHECKSUM_BYTES: Final = hashlib.sha256().digest_size


def cache_folder() -> Path:
    """Where the files lie: ``GEARSHIFT_CACHE_DIR``, or where this system keeps a user's caches.

    Engines load what lies there, so whoever may write to it decides what they run.
    """
    named = os.environ.get("GEARSHIFT_CACHE_DIR")
    if named:
        return Path(named)
    return Path(platformdirs.user_cache_dir("gearshift", appauthor=False))


def find_table(identity: str, host: Host, frame: int = 0) -> CostTable | None:
    """The table kept for that artifact (`Artifact.identity`) on that host, if there is a sound one.

    One that is damaged or of something else counts as none; the log says which file and why.
    """
    path = table_path(identity, host, frame)
    found = _read(path)
    if found is None:
        return None
    try:
        table = read_table(found[1])
    except TableError as error:
        _LOG.warning("%s is ignored: %s", path, error)
        return None
    if (table.artifact, table.host, table.frame) != (identity, host, frame):
        _LOG.warning("%s is ignored: it is of another artifact or another host", path)
        return None
    return table


def keep_table(table: CostTable) -> Path | None:
    """Keeps the table in place of an older one of its artifact and host.

    Returns:
        The file; None if the table is not to be kept or the file cannot be written, of which the
        log says why.

    Raises:
        TableError: the table itself breaks a rule.
    """
    data = table_bytes(table)
    if table.why_not_kept:
        _LOG.warning("what was measured is used for now and not kept: %s", table.why_not_kept)
        return None
    path = table_path(table.artifact, table.host, table.frame)
    return path if _keep(path, data) else None


def find_blob(table: CostTable, build: Build) -> bytes | None:
    """What the engine made of that build on the table's host, if it was kept and is whole.

    A damaged one is removed.
    """
    path = _blob_path(table, build)
    found = _read(path, _CHECKSUM_BYTES)
    if found is None:
        return None
    checksum, data = found
    if hashlib.sha256(data).digest() != checksum:
        _LOG.warning("%s is removed: its checksum is not that of its bytes", path)
        _remove(path)
        return None
    return data


def keep_blob(table: CostTable, build: Build, data: bytes) -> Path | None:
    """Keeps what the engine made of a build beside the table.

    Returns:
        The file; None if it cannot be written, of which the log says once why.
    """
    path = _blob_path(table, build)
    return path if _keep(path, hashlib.sha256(data).digest(), data) else None


def clear_cache() -> int:
    """Removes every file of gearshift's from its cache folder; returns the bytes that they had."""
    freed = 0
    for path, status in cache_files():
        if _remove(path):
            freed += status.st_size
    return freed


def table_path(identity: str, host: Host, frame: int = 0) -> Path:
    """The file of that artifact's table on that host, whether there is one or not."""
    number = f"-{frame}" if frame else ""
    return cache_folder() / f"{identity[:32]}-{host.key}{number}.costs"


def cache_files() -> Iterator[tuple[Path, os.stat_result]]:
    """Our files in the cache folder and nobody else's, which may lie there as well."""
    abandoned_before = time.time() - _ABANDONED_SECONDS
    for path in _entries():
        try:
            status = path.lstat()
        except OSError:
            continue  # removed by another process since the folder was listed
        is_abandoned = path.match(TEMPORARY) and status.st_mtime < abandoned_before
        if stat.S_ISREG(status.st_mode) and (is_abandoned or _OURS.fullmatch(path.name)):
            yield path, status


def cache_limit() -> int:
    """Bytes that all files together may take: ``GEARSHIFT_CACHE_BYTES``, or two GiB."""
    text = os.environ.get("GEARSHIFT_CACHE_BYTES", "")
    if not text:
        return DEFAULT_BYTES
    if not (text.isascii() and text.isdigit()):
        _log_once(
            f"the environment variable GEARSHIFT_CACHE_BYTES is {text!r}, but has to be a whole "
            f"number of bytes; {DEFAULT_BYTES} are used"
        )
        return DEFAULT_BYTES
    return int(text[:20])  # which is more than any disk has, and never slow to read


def _blob_path(table: CostTable, build: Build) -> Path:
    # The version, because a later one may ask the engine for something else under the same name.
    words = (__version__, build.engine, build.rows, build.lanes, build.threads)
    name = hashlib.sha256(repr(words).encode()).hexdigest()[:16]
    return table_path(table.artifact, table.host, table.frame).with_suffix(f".{name}.blob")


def _read(path: Path, head: int = 0) -> tuple[bytes, bytes] | None:
    """The first `head` bytes and the others; None if it cannot be read. Counts as used now."""
    try:
        with path.open("rb") as file:
            content = file.read(head), file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        _LOG.warning("%s is ignored: it cannot be read (%s)", path, error.strerror or error)
        return None
    with suppress(OSError):  # another process may have removed it, or it may not be ours
        os.utime(path)
    return content


def _keep(path: Path, *chunks: bytes) -> bool:
    limit, nbytes = cache_limit(), sum(map(len, chunks))
    if nbytes > limit:
        _log_once(f"nothing of {nbytes} bytes is kept in {path.parent}: {limit} are allowed")
        return False
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(path, mode=0o600) as file:
            for chunk in chunks:
                file.write(chunk)
    except OSError as error:
        _log_once(f"nothing is kept in {path.parent}: {error.strerror or error}")
        return False
    _make_room(limit, path)
    return True


def _make_room(limit: int, newest: Path) -> None:
    """Removes what was used longest ago until the rest fits."""
    # By name which is the newest: times may be as coarse as two seconds.
    files = sorted(cache_files(), key=lambda file: (file[0] == newest, file[1].st_mtime_ns))
    total = sum(status.st_size for _, status in files)
    for path, status in files:
        if total <= limit:
            break
        if _remove(path):
            total -= status.st_size


def _entries() -> list[Path]:
    try:
        return list(cache_folder().iterdir())
    except OSError:
        return []  # there is no such folder, or none of ours


def _remove(path: Path) -> bool:
    """Whether it is gone. On Windows a file that someone reads stays."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _log_once(f"{path} cannot be removed: {error.strerror or error}")
        return False
    return True


@cache
def _log_once(message: str) -> None:
    _LOG.warning("%s", message)
