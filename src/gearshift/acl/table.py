"""Every function, by module: what the package `acl` offers, and what its page lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import gearshift.acl.mdl.parts as mdl
import gearshift.acl.media.parts as media
import gearshift.acl.op.parts as op
from gearshift.acl import buffers, callbacks, descs, events, memory, runtime, system, util
from gearshift.acl.call import FUNCTIONS, Function

PARTS: Final = (
    *(system, runtime, buffers, descs, memory, events, callbacks, util),
    *mdl.PARTS,
    *op.PARTS,
    *media.PARTS,
)
"""The files that declare functions; importing them fills the table."""

MODULES: Final = ("acl", "acl.rt", "acl.mdl", "acl.op", "acl.media", "acl.util")
"""The modules that programs see, in the order of the page."""


def functions(module: str) -> Mapping[str, Function]:
    """The functions of one module by their short name, in order of the alphabet."""
    return {
        name.removeprefix(f"{module}."): function
        for name, function in sorted(FUNCTIONS.items())
        if name.rpartition(".")[0] == module
    }
