"""What the commands print of a compile and of an artifact."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING

from rich.filesize import decimal

from gearshift.artifact.manifest import DifferenceRecord, GearRecord, Manifest
from gearshift.artifact.reader import Artifact
from gearshift.cli import screen
from gearshift.cli.console import shown
from gearshift.tensors import MBATCH_INPUT, Array, format_shape

if TYPE_CHECKING:  # an artifact is shown without loading the compile side
    from gearshift.compiler import CompileReport
    from gearshift.verify.gears import GearCheck


def print_report(report: CompileReport) -> None:
    """The summary at the end of a compile: each gear, its check, and what was written."""
    out = screen.out()
    for repair in report.repairs:
        out.print(f"repaired: {repair}", soft_wrap=True)
    columns = ("gear", "engine", "check", "difference", "relative", "memory", "build", "run")
    predicted = {record.values: record.predicted_bytes for record in report.manifest.gears}
    rows = [
        (
            str(check.gear),
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
    out.print(_rows_line(report.manifest), soft_wrap=True)
    size = decimal(report.nbytes)
    out.print(f"wrote {report.output} ({size}) in {report.seconds:.1f} s", soft_wrap=True)


def print_run(
    outputs: Mapping[str, Array], files: Mapping[str, str], runs: Mapping[str, int], seconds: float
) -> None:
    """The outputs of a run, where they went, and what ran."""
    out = screen.out()
    rows = [
        (name, str(array.dtype), format_shape(array.shape), files.get(name, "-"))
        for name, array in outputs.items()
    ]
    screen.print_table(out, ("output", "dtype", "shape", "file"), rows, names=("output", "file"))
    ran = ", ".join(f"gear {gear} x {count}" for gear, count in runs.items()) or "nothing to run"
    out.print(f"{ran}; {seconds * 1000:.1f} ms, building gears included", soft_wrap=True)


def print_artifact(artifact: Artifact, costs: Iterable[tuple[str, str]]) -> None:
    """What an artifact says of itself, and what is known of its costs."""
    out = screen.out()
    print_facts((*_facts(artifact), *costs))
    out.print()
    tensors = ("tensor", "name", "dtype", "shape", "rows at")
    screen.print_table(out, tensors, list(_tensors(artifact.manifest)), names=("name",))
    out.print()
    gears = ("gear", "memory", "engine", "difference", "relative", "of output")
    screen.print_table(out, gears, list(_gears(artifact.manifest)), names=("of output",))


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Lines of a name and what there is of that name."""
    out = screen.out()
    for name, value in facts:
        out.print(f"{name:10} {shown(value, one_line=True)}", soft_wrap=True)


def _facts(artifact: Artifact) -> Iterator[tuple[str, str]]:
    manifest = artifact.manifest
    source = manifest.source
    yield "file", f"{artifact.path} ({decimal(artifact.size)}), by {manifest.producer}"
    yield "identity", artifact.identity
    yield "source", f"{source.file}, opset {source.opset}, sha256 {source.sha256}"
    yield "exporter", source.producer or "not stated"
    yield "asked for", ", ".join(f"{key}={value}" for key, value in manifest.options)
    yield "gears", ", ".join(",".join(map(str, gear.values)) for gear in manifest.gears)
    yield "rows", _rows_line(manifest)
    for topology in manifest.topologies:
        yield "engine", f"{topology.engine} {topology.version}, computes in {topology.precision}"
    yield "parts", ", ".join(f"{part.name} {decimal(part.size)}" for part in artifact.parts)
    for warning in manifest.warnings:
        yield "warning", warning


def _tensors(manifest: Manifest) -> Iterator[tuple[str, ...]]:
    for record in manifest.inputs:
        where = "axis 0" if -1 in record.shape else "-"
        yield "input", record.name, record.dtype, format_shape(record.shape), where
    yield "input", MBATCH_INPUT, "int32", "[1]", "the gear"
    for output in manifest.outputs:
        inner = f", {output.row_inner} each" if output.row_inner > 1 else ""
        where = "-" if output.row_axis is None else f"axis {output.row_axis}{inner}"
        yield "output", output.name, output.dtype, format_shape(output.shape), where


def _gears(manifest: Manifest) -> Iterator[tuple[str, ...]]:
    for gear in manifest.gears:
        for worst in _worst_records(gear):
            yield (
                ",".join(map(str, gear.values)),
                decimal(gear.predicted_bytes),
                worst.engine,
                f"{worst.absolute:.1e}",
                f"{worst.relative:.1e}",
                worst.output,
            )


def _worst_records(gear: GearRecord) -> Iterator[DifferenceRecord]:
    """The worst output on each engine."""
    for _, records in groupby(gear.differences, key=lambda record: record.engine):
        yield max(records, key=lambda record: record.relative)


def _worst(check: GearCheck) -> tuple[str, str]:
    worst = max(check.differences, key=lambda difference: difference.relative)
    return f"{worst.absolute:.1e}", f"{worst.relative:.1e}"


def _rows_line(manifest: Manifest) -> str:
    proof = manifest.proof
    if manifest.mode in ("fixed", "image"):
        return "the batch size is fixed: every call is one run of exactly the declared shapes"
    if manifest.mode == "range":
        return "every call is one run of the engine's own dynamic shapes"
    if proof.separable:
        how = "proved" if proof.verdict == "proved" else "tested, not proved"
        return f"rows are independent ({how}): any number of rows runs, padded or split as is best"
    return f"rows are not known to be independent: exact gears only ({proof.reason})"
