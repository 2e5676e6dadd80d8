"""The files that declare functions of `acl.media`; importing them fills the table."""

from __future__ import annotations

from typing import Final

from gearshift.acl.media import channels, configs, descs, jpeg, png, vdec, venc, video, vpc

PARTS: Final = (channels, configs, descs, jpeg, png, vdec, venc, video, vpc)
