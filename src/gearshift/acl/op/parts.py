"""The files that declare functions of `acl.op`; importing them fills the table."""

from __future__ import annotations

from typing import Final

from gearshift.acl.op import attrs, card, run

PARTS: Final = (attrs, card, run)
