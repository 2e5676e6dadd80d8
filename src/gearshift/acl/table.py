"""Every function, by module: what the package `acl` offers, and what its page lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gearshift.acl import (
    buffers,
    callbacks,
    datasets,
    descs,
    events,
    mdl_aipp,
    mdl_aipp_info,
    mdl_config,
    mdl_desc,
    mdl_gears,
    mdl_load,
    mdl_run,
    mdl_tensors,
    media_channels,
    media_configs,
    media_jpeg,
    media_pictures,
    media_png,
    media_vdec,
    media_venc,
    media_video,
    media_vpc,
    memory,
    op_attrs,
    op_card,
    op_run,
    runtime,
    system,
    util,
)
from gearshift.acl.call import FUNCTIONS, Function

PARTS: Final = (
    *(system, runtime, buffers, descs, memory, events, callbacks, util),
    *(datasets, mdl_load, mdl_desc, mdl_tensors, mdl_gears, mdl_run),
    *(mdl_aipp, mdl_aipp_info, mdl_config),
    *(media_pictures, media_configs, media_channels, media_vpc, media_jpeg, media_png),
    *(media_video, media_vdec, media_venc),
    *(op_attrs, op_run, op_card),
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
