"""What the commands print of a compile and of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.filesize import decimal

from gearshift.cli import screen
from gearshift.cli.console import shown
from gearshift.cli.frames import gear_text, rows_line
from gearshift.opening import gear_set
from gearshift.tensors import Array, format_shape

if TYPE_CHECKING:  # an artifact is shown without loading the compile side
    from gearshift.compiler import CompileReport
    from gearshift.verify.gears import GearCheck


def print_report(report: CompileReport) -> None:
    """The summary at the end of a compile: each gear, its check, and what was written."""
    out = screen.out()
    for repair in report.repairs:
        out.print(f"repaired: {repair}", soft_wrap=True)
    columns = ("gear", "engine", "check", "difference", "relative", "memory", "build", "run")
    gears = gear_set(report.manifest)
    predicted = {record.values: record.predicted_bytes for record in report.manifest.gears}
    rows = [
        (
            gear_text(gears, check.gear.values),
            check.engine,
            f"ok, but pad rows move {check.moved!r}" if check.moved else "ok",
            *_worst(check),
            decimal(predicted[check.gear.values]),
            f"{check.build_seconds:.2f} s",
            f"{check.run_seconds * 1000:.2f} ms",
        )
        for check in report.checks
    ]
    screen.print_table(out, columns, rows, names=("check",))
    out.print("difference: the worst of any output, to the model as it came", soft_wrap=True)
    out.print(rows_line(report.manifest), soft_wrap=True)
    size = decimal(report.nbytes)
    out.print(f"wrote {report.output} ({size}) in {report.seconds:.1f} s", soft_wrap=True)


def print_run(
    outputs: Mapping[str, Array], files: Mapping[str, str], ran: str, seconds: float
) -> None:
    """The outputs of a run, where they went, and what ran."""
    out = screen.out()
    rows = [
        (name, str(array.dtype), format_shape(array.shape), files.get(name, "-"))
        for name, array in outputs.items()
    ]
    screen.print_table(out, ("output", "dtype", "shape", "file"), rows, names=("output", "file"))
    out.print(f"{ran}; {seconds * 1000:.1f} ms, building gears included", soft_wrap=True)


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Lines of a name and what there is of that name."""
    out = screen.out()
    for name, value in facts:
        out.print(f"{name:10} {shown(value, one_line=True)}", soft_wrap=True)


def _worst(check: GearCheck) -> tuple[str, str]:
    worst = max(check.differences, key=lambda difference: difference.relative)
    return f"{worst.absolute:.1e}", f"{worst.relative:.1e}"
