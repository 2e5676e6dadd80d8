"""The pre-check report of atc: ``--mode=3``, and a compile that finds unsupported operators."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gearshift.cli.atc_argv import Args
from gearshift.cli.atc_flags import FLAGS
from gearshift.cli.atc_json import write_json
from gearshift.errors import GearshiftError, UnsupportedModelError
from gearshift.gears.text import shown
from gearshift.options import CompileOptions

if TYPE_CHECKING:
    from gearshift.precheck import PreCheck

_MOST_PRINTED: Final = 10
_RESULTS: Final = {True: "success", False: "failed"}


def report_path(args: Args) -> Path:
    """Where the report goes."""
    return Path(args["check_report"] or FLAGS["check_report"].default)


def check_model(options: CompileOptions, target: Path) -> str:
    """Checks every operator of a model and writes the report.

    Returns:
        A sentence on what was found, if all is well.

    Raises:
        UnsupportedModelError: operators stand in the way; the first code, and each message.
        GearshiftError: the model cannot be looked at, or the options do not fit it.
        OSError: the report cannot be written.
    """
    from gearshift.precheck import precheck

    found = precheck(options)
    write_json(target, report_json(found))
    where = f"the report is in {shown(str(target))}"
    if not found.failed:
        return f"{len(found.ops)} operators checked, none failed; {where}."
    causes = [cause for op in found.failed for cause in op.causes]
    lines = [cause.message for cause in causes[:_MOST_PRINTED]]
    lines.append(f"{len(found.failed)} of {len(found.ops)} operators failed; {where}.")
    raise UnsupportedModelError("\n".join(lines), code=causes[0].code)


def report_failures(options: CompileOptions, target: Path) -> str | None:
    """Writes the report of a model whose compile failed, if single operators are to blame.

    Returns:
        A sentence on it; None if there is no report.
    """
    from gearshift.precheck import precheck

    with suppress(GearshiftError):  # then it is the model as a whole, which the compile has said
        found = precheck(options)
        if found.failed:
            return _write_late(found, target)
    return None


def report_json(found: PreCheck) -> dict[str, Any]:
    """The report in ATC's form."""
    return {
        "name": found.name,
        "result": _RESULTS[not found.failed],
        "total": len(found.ops),
        "pass": len(found.ops) - len(found.failed),
        "fail": len(found.failed),
        "op": [
            {
                "name": op.name,
                "type": op.type,
                "result": _RESULTS[not op.causes],
                "cause": [{"code": cause.code, "message": cause.message} for cause in op.causes],
            }
            for op in found.ops
        ],
    }


def _write_late(found: PreCheck, target: Path) -> str:
    try:
        write_json(target, report_json(found))
    except OSError as error:  # the failed compile is the news, not this
        return f"--check_report: {shown(str(target))} cannot be written: {error.strerror}."
    return (
        f"--check_report: {len(found.failed)} of {len(found.ops)} operators failed; "
        f"{shown(str(target))} lists them all."
    )
