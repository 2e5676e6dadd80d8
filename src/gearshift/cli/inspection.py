"""What `gearshift inspect` shows of an artifact."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from rich.filesize import decimal

from gearshift.aipp.config import parse_aipp
from gearshift.aipp.spec import DynamicAipp
from gearshift.artifact.manifest import (
    AippRecord,
    DifferenceRecord,
    GearRecord,
    InputRecord,
    Manifest,
    OutputRecord,
)
from gearshift.artifact.reader import Artifact
from gearshift.cli import screen
from gearshift.cli.frames import (
    gear_text,
    gears_line,
    ranges_text,
    rows_line,
    shapes_line,
)
from gearshift.cli.report import print_facts
from gearshift.gears.pads import Follow, Padded, Place
from gearshift.images import Images
from gearshift.opening import gear_set
from gearshift.tensors import MBATCH_INPUT, TensorSpec, format_shape

_TENSOR: Final = ("tensor", "name", "dtype", "shape", "rows at")
_CHECK: Final = ("memory", "engine", "difference", "relative", "of output")


def print_artifact(artifact: Artifact, costs: Iterable[tuple[str, str]]) -> None:
    """What an artifact says of itself, and what is known of its costs."""
    out = screen.out()
    manifest = artifact.manifest
    print_facts((*_facts(artifact), *costs))
    out.print()
    _print_tensors(manifest)
    out.print()
    _print_gears(manifest)
    for record in manifest.aipp:
        out.print()
        out.print(f"preprocessing of {record.input}:", soft_wrap=True)
        out.print(record.config.rstrip("\n"), soft_wrap=True)


def aipp_json(manifest: Manifest) -> list[dict[str, object]]:
    """The preprocessing of each input, the image it takes among it."""
    Images(manifest)  # refuses configurations that cannot be read
    return [{"input": record.input, **_image(record)} for record in manifest.aipp]


def _facts(artifact: Artifact) -> Iterator[tuple[str, str]]:
    manifest = artifact.manifest
    source = manifest.source
    images = aipp_json(manifest)
    yield "file", f"{artifact.path} ({decimal(artifact.size)}), by {manifest.producer}"
    yield "identity", artifact.identity
    yield "source", f"{source.file}, opset {source.opset}, sha256 {source.sha256}"
    yield "exporter", source.producer or "not stated"
    yield "asked for", ", ".join(f"{key}={value}" for key, value in manifest.options)
    yield "mode", manifest.mode
    yield "gears", gears_line(gear_set(manifest))
    yield "rows", rows_line(manifest)
    for record, image in zip(manifest.aipp, images, strict=True):
        yield "aipp", _aipp_line(record, image)
    for topology in manifest.topologies:
        yield "engine", f"{topology.engine} {topology.version}, computes in {topology.precision}"
    yield "parts", ", ".join(f"{part.name} {decimal(part.size)}" for part in artifact.parts)
    for warning in manifest.warnings:
        yield "warning", warning


def _aipp_line(record: AippRecord, image: Mapping[str, object]) -> str:
    model = f"for the model's own {record.dtype} {format_shape(record.shape)}"
    if image["mode"] == "dynamic":
        most = image["max_source_bytes"]
        return f"{record.input}: dynamic, images of up to {most} bytes in all, {model}"
    width, height = image["source_width"], image["source_height"]
    size = f"{width} wide and {height} high" if width else "as large as the model's own input"
    return f"{record.input}: static, {image['input_format']} images {size}, {model}"


def _image(record: AippRecord) -> dict[str, object]:
    """The image it takes; sizes of None are those of the model's own input."""
    (block,) = parse_aipp(record.config)
    aipp = block.aipp
    if isinstance(aipp, DynamicAipp):
        return {"mode": "dynamic", "max_source_bytes": aipp.max_source_bytes}
    return {
        "mode": "static",
        "input_format": aipp.format.name,
        "source_width": aipp.width or None,
        "source_height": aipp.height or None,
    }


def _print_tensors(manifest: Manifest) -> None:
    """Every tensor; what it may range over and be padded with where there is such a thing."""
    has_ranges = manifest.mode == "range"
    has_pads = any(record.pad is not None for record in manifest.inputs)
    columns = (*_TENSOR, *(["range"] if has_ranges else []), *(["padding"] if has_pads else []))
    rows = [
        (*cells, *([ranges] if has_ranges else []), *([padding] if has_pads else []))
        for *cells, ranges, padding in _tensors(manifest)
    ]
    screen.print_table(screen.out(), columns, rows, names=("name", "padding"))


def _tensors(manifest: Manifest) -> Iterator[tuple[str, ...]]:
    gears = gear_set(manifest)
    specs = Images(manifest).shown(gears.inputs)
    for spec, record, carries in zip(specs, manifest.inputs, gears.carriers, strict=False):
        where = "axis 0" if carries else "-"
        ranges = ranges_text(record.ranges) or "-"
        yield "input", *_spec(spec), where, ranges, _pad(record, manifest.padded)
    if gears.has_gears:
        values = f"[{len(gears.gears[0].values)}]"
        yield "input", MBATCH_INPUT, "int32", values, "the gear", "-", "-"
    for spec in specs[len(manifest.inputs) :]:
        yield "input", *_spec(spec), "its AIPP", "-", "-"
    for output in manifest.outputs:
        inner = f", {output.row_inner} each" if output.row_inner > 1 else ""
        where = "-" if output.row_axis is None else f"axis {output.row_axis}{inner}"
        shape = format_shape(output.shape)
        yield "output", output.name, output.dtype, shape, where, "-", _cut(output)


def _spec(spec: TensorSpec) -> tuple[str, str, str]:
    return spec.name, spec.dtype.name, format_shape(spec.shape)


def _pad(record: InputRecord, padded: Sequence[Padded]) -> str:
    """The value, the dims it may be put behind and from what size on; those alike go together."""
    if record.pad is None:
        return "-"
    dims = [
        f"axis {axis} from {together.least}"
        + "".join(f", as axis {place} of {other}" for other, place in _others(together, name, axis))
        for together in padded
        for name, axis in together.places
        if name == record.name
    ]
    return "; ".join((f"with {record.pad:g}", *dims))


def _others(together: Padded, name: str, axis: int) -> list[Place]:
    return [place for place in together.places if place != (name, axis)]


def _cut(output: OutputRecord) -> str:
    return "; ".join(map(_followed, output.follows)) or "-"


def _followed(follow: Follow) -> str:
    ratio = f" * {follow.times}" * (follow.times != 1) + f" / {follow.over}" * (follow.over != 1)
    way = (" rounded up" if follow.up else " rounded down") if follow.over != 1 else ""
    return f"axis {follow.axis} as axis {follow.input_axis} of {follow.input}{ratio}{way}"


def _print_gears(manifest: Manifest) -> None:
    """Every gear with its memory and its check; its shapes where it is more than rows."""
    gears = gear_set(manifest)
    has_shapes = gears.mode not in ("fixed", "batch")
    has_frames = len(gears.frames) > 1
    columns = ("gear", *(["frame"] if has_frames else []), *(["inputs"] if has_shapes else []))
    rows = []
    for gear, record in zip(gears, manifest.gears, strict=True):
        frame = [str(gears.frame_of(gear)[0])] if has_frames else []
        shapes = [shapes_line(gears.shapes(gear))] if has_shapes else []
        head = (gear_text(gears, gear.values), *frame, *shapes)
        rows += [(*head, *_check(record, worst)) for worst in _worst_records(record)]
    screen.print_table(screen.out(), (*columns, *_CHECK), rows, names=("inputs", "of output"))


def _check(gear: GearRecord, worst: DifferenceRecord) -> tuple[str, ...]:
    return (
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
