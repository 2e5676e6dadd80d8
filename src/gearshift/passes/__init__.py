"""Graph passes, one per file, and their order."""

from __future__ import annotations

from typing import Final

import onnx_ir as ir

from gearshift.errors import ModelError
from gearshift.passes.constants import LiftConstants
from gearshift.passes.dead import RemoveDead
from gearshift.passes.inline import Inline
from gearshift.passes.names import UniqueNames
from gearshift.passes.stale import DropStale
from gearshift.program import Program

PASSES: Final[tuple[ir.passes.InPlacePass, ...]] = (
    Inline(),  # first, so that everything after it sees plain nodes only
    DropStale(),
    LiftConstants(),
    RemoveDead(),
    UniqueNames(),  # last, so that values made by other passes are named too
)
"""Run in this order on every program, before anything looks at shapes."""


def run_passes(program: Program) -> Program:
    """Runs every pass in place and hands the program back.

    Raises:
        ModelError: a pass found the model broken.
    """
    try:
        ir.passes.Sequential(*PASSES)(program.model)
    except (ir.passes.InvariantError, ir.passes.PassError) as error:
        raise ModelError(
            f"the model cannot be prepared: {error.__cause__ or error}. "
            "Check it with onnx.checker, or export it again."
        ) from error
    return program
