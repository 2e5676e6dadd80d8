"""What the commands print of a compile and of an artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from gearshift.artifact.manifest import Manifest
from gearshift.artifact.reader import Artifact
from gearshift.tensors import MBATCH_INPUT, format_shape

if TYPE_CHECKING:  # an artifact is shown without loading the compile side
    from gearshift.compiler import CompileReport
    from gearshift.verify.gears import GearCheck


def print_report(report: CompileReport, console: Console | None = None) -> None:
    """The summary at the end of a compile: each gear, its check, and what was written."""
    console = console or Console()
    for repair in report.repairs:
        console.print(f"repaired: {repair}", highlight=False, soft_wrap=True, markup=False)
    table = _table("gear", "engine", "check", "difference", "relative", "memory", "build", "run")
    predicted = {record.values: record.predicted_bytes for record in report.manifest.gears}
    for check in report.checks:
        table.add_row(
            str(check.gear),
            check.engine,
            _verdict(check),
            *_worst(check),
            decimal(predicted[check.gear.values]),
            f"{check.build_seconds:.2f} s",
            f"{check.run_seconds * 1000:.2f} ms",
        )
    console.print(table)
    console.print("difference: the worst of any output, to the model as it came", highlight=False)
    console.print(_rows_line(report.manifest), highlight=False, soft_wrap=True, markup=False)
    console.print(
        f"wrote {report.output} ({decimal(report.nbytes)}) in {report.seconds:.1f} s",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )


def print_artifact(artifact: Artifact, console: Console | None = None) -> None:
    """What an artifact says of itself."""
    console = console or Console()
    manifest = artifact.manifest
    source = manifest.source
    for name, value in (
        ("file", f"{artifact.path} ({decimal(artifact.size)}), by {manifest.producer}"),
        ("source", f"{source.file}, opset {source.opset}, sha256 {source.sha256[:16]}..."),
        ("exporter", source.producer or "not stated"),
        ("asked for", ", ".join(f"{key}={value}" for key, value in manifest.options)),
        ("rows", _rows_line(manifest)),
        ("engines", _engines(manifest)),
        ("parts", ", ".join(f"{part.name} {decimal(part.size)}" for part in artifact.parts)),
        *(("warning", warning) for warning in manifest.warnings),
    ):
        console.print(f"{name:10} {value}", highlight=False, soft_wrap=True, markup=False)
    console.print(_tensor_table(manifest))
    console.print(_gear_table(manifest))


def _engines(manifest: Manifest) -> str:
    return ", ".join(
        f"{record.engine} {record.version} ({record.precision})" for record in manifest.topologies
    )


def _tensor_table(manifest: Manifest) -> Table:
    table = _table("tensor", "name", "dtype", "shape", "rows at")
    for record in manifest.inputs:
        where = "axis 0" if -1 in record.shape else "-"
        table.add_row("input", record.name, record.dtype, format_shape(record.shape), where)
    table.add_row("input", MBATCH_INPUT, "int32", "[1]", "the gear")
    for output in manifest.outputs:
        inner = f", {output.row_inner} each" if output.row_inner > 1 else ""
        where = "-" if output.row_axis is None else f"axis {output.row_axis}{inner}"
        table.add_row("output", output.name, output.dtype, format_shape(output.shape), where)
    return table


def _gear_table(manifest: Manifest) -> Table:
    table = _table("gear", "engine", "output", "shape", "difference", "relative", "memory")
    for gear in manifest.gears:
        shapes = dict(zip((o.name for o in manifest.outputs), gear.outputs, strict=True))
        for difference in gear.differences:
            table.add_row(
                ",".join(map(str, gear.values)),
                difference.engine,
                difference.output,
                format_shape(shapes[difference.output]),
                f"{difference.absolute:.2e}",
                f"{difference.relative:.2e}",
                decimal(gear.predicted_bytes),
            )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _verdict(check: GearCheck) -> str:
    return f"ok, but pad rows move {check.moved!r}" if check.moved else "ok"


def _worst(check: GearCheck) -> tuple[str, str]:
    worst = max(check.differences, key=lambda difference: difference.relative)
    return f"{worst.absolute:.1e}", f"{worst.relative:.1e}"


def _rows_line(manifest: Manifest) -> str:
    proof = manifest.proof
    if proof.separable:
        how = "proved" if proof.verdict == "proved" else "tested, not proved"
        return f"rows are independent ({how}): any number of rows runs, padded or split as is best"
    return f"rows are not known to be independent: exact gears only ({proof.reason})"
