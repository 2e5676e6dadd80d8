"""The files that declare functions of `acl.mdl`; importing them fills the table."""

from __future__ import annotations

from typing import Final

from gearshift.acl.mdl import aipp, aipp_info, config, datasets, desc, gears, load, run, tensors

PARTS: Final = (aipp, aipp_info, config, datasets, desc, gears, load, run, tensors)
