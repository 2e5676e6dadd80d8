"""Cost tables inside an artifact: measured once, known wherever the file goes."""

from __future__ import annotations

import logging
import os
from functools import lru_cache
from typing import Final

from gearshift.artifact.codec import dumps, loads
from gearshift.artifact.reader import Artifact
from gearshift.artifact.writer import embed_costs
from gearshift.errors import CorruptArtifactError, TableError
from gearshift.tuning.table import CostTable, Host, check_table, decode_table

MAX_HOSTS: Final = 64
"""Hosts that an artifact may know; those measured longest ago give way."""

_LOG: Final = logging.getLogger("gearshift")


def embedded_tables(artifact: Artifact) -> tuple[CostTable, ...]:
    """The sound tables in an artifact, oldest first; the log says why others are ignored."""
    try:
        costs = artifact.costs
    except CorruptArtifactError as error:
        _LOG.warning("the costs in %s are ignored: %s", artifact.path, error)
        return ()
    return () if costs is None else _tables(costs, artifact.identity, str(artifact.path))


@lru_cache(1)  # a session asks once for each of its frames
def _tables(costs: bytes, identity: str, path: str) -> tuple[CostTable, ...]:
    try:
        records = loads(costs, "the list of its cost tables")
    except CorruptArtifactError as error:
        _LOG.warning("the costs in %s are ignored: %s", path, error)
        return ()
    if not isinstance(records, list):
        _LOG.warning("the costs in %s are ignored: they are not a list", path)
        return ()
    tables = [_sound(record, identity, path) for record in records]
    return tuple(sorted((table for table in tables if table), key=_age))


def embedded_table(artifact: Artifact, host: Host, frame: int = 0) -> CostTable | None:
    """The table of that host and frame, if the artifact has one."""
    mine = [
        table for table in embedded_tables(artifact) if (table.host, table.frame) == (host, frame)
    ]
    return mine[-1] if mine else None


def embed_table(path: str | os.PathLike[str], *tables: CostTable) -> int:
    """Puts tables into the artifact they are of, in place of older ones like them.

    Returns:
        Bytes of the file.

    Raises:
        TableError: a table breaks a rule, is of another artifact, or is not to be kept.
        ArtifactError: the file cannot be used, or not be written.
    """
    for table in tables:
        check_table(table)
        if table.why_not_kept:
            raise TableError(f"what was measured is not put into {path}: {table.why_not_kept}")
    with Artifact.open(path) as artifact:
        for table in tables:
            _check_owner(table, artifact.identity)
        replaced = {(table.host, table.frame) for table in tables}
        others = [
            each for each in embedded_tables(artifact) if (each.host, each.frame) not in replaced
        ]
    together = sorted([*others, *tables], key=_age)
    known = list(dict.fromkeys(each.host for each in reversed(together)))[:MAX_HOSTS]
    return embed_costs(path, dumps(tuple(each for each in together if each.host in known)))


def _sound(record: object, identity: str, path: str) -> CostTable | None:
    try:
        table = decode_table(record)
        _check_owner(table, identity)
    except TableError as error:
        _LOG.warning("a cost table in %s is ignored: %s", path, error)
        return None
    return table


def _check_owner(table: CostTable, identity: str) -> None:
    if table.artifact != identity:
        raise TableError(
            f"it was measured of the artifact {table.artifact[:12]}..., and this is "
            f"{identity[:12]}... Measure this one: gearshift tune."
        )


def _age(table: CostTable) -> tuple[str, str]:
    return table.made, table.host.key
