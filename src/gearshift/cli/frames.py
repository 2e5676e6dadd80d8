"""Gears, ranges and frames in the words of the commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gearshift.artifact.manifest import Manifest
from gearshift.cli import screen
from gearshift.gears.gear import Gear, GearSet
from gearshift.opening import gear_set
from gearshift.tensors import Range, Shape, format_shape


def gear_text(gears: GearSet, values: tuple[int, ...]) -> str:
    """A gear by its values; of a shape that is fixed there are none."""
    return str(Gear(values)) if gears.mode != "fixed" else "-"


def gears_line(gears: GearSet) -> str:
    """All that was declared."""
    if gears.mode == "fixed":
        return "none: every dim is fixed"
    if gears.mode == "range":
        return "none: dims vary within their ranges"
    return (", " if gears.mode == "batch" else "; ").join(str(gear) for gear in gears)


def ranges_text(ranges: Iterable[Range]) -> str:
    """From what to what each dim may go, as on the command line: ``1~8,3,-1``."""
    return ",".join(_range_text(bounds) for bounds in ranges)


def shapes_line(shapes: Mapping[str, Shape]) -> str:
    """Inputs with their shapes."""
    return ", ".join(f"{name} {format_shape(shape)}" for name, shape in shapes.items())


def frame_shapes(frame: GearSet) -> dict[str, Shape]:
    """The inputs of a frame, -1 where its rows are."""
    return {spec.name: spec.shape for spec in frame.inputs}


def gears_within(gears: GearSet, number: int) -> tuple[Gear, ...]:
    """The gears, as declared, of the frame of that number."""
    return tuple(gear for gear, _ in gears.members(number)) if gears.has_gears else ()


def print_heading(gears: GearSet, number: int) -> None:
    """Begins a frame's section: what it takes, and its gears."""
    shapes = shapes_line(frame_shapes(gears.frames[number]))
    declared = "; ".join(str(gear) for gear in gears_within(gears, number))
    out = screen.out()
    out.print()
    out.print(f"frame {number}: {shapes}; gears {declared}", soft_wrap=True)


def frame_json(gears: GearSet, number: int) -> dict[str, object]:
    """Which frame it is, what it takes, and its gears, in what JSON has."""
    return {
        "frame": number,
        "inputs": {name: list(dims) for name, dims in frame_shapes(gears.frames[number]).items()},
        "gears": [list(gear.values) for gear in gears_within(gears, number)],
    }


def size_text(gears: GearSet, number: int, rows: int) -> str:
    """So many rows within a frame: the gear of that size, or the rows if there is none."""
    if not gears.has_gears:
        return gears.mode
    for gear, there in gears.members(number):
        if there.rows == rows:
            return str(gear)
    return str(rows) if gears.mode == "batch" else f"{rows} rows of frame {number}"


def runs_line(gears: GearSet, runs: Mapping[str, int]) -> str:
    """What ran, how often, by `size_text`."""
    if runs and not gears.has_gears:
        return "1 run"
    ran = (f"{'' if ' ' in size else 'gear '}{size} x {count}" for size, count in runs.items())
    return ", ".join(ran) or "nothing to run"


def rows_line(manifest: Manifest) -> str:
    """What becomes of a number of rows that is no gear's."""
    proof, gears = manifest.proof, gear_set(manifest)
    if gears.mode == "range":
        return "every call is one run of the engine's own dynamic shapes, checked at both ends"
    if not gears.has_rows:
        return "there is no number of rows to choose: every call is one run, of a shape declared"
    if not proof.separable:
        return f"rows are not known to be independent: exact gears only ({proof.reason})"
    how = "proved" if proof.verdict == "proved" else "tested, not proved"
    return f"rows are independent ({how}): any number of rows runs, padded or split as is best"


def _range_text(bounds: Range) -> str:
    low, high = bounds
    if high == -1:
        return "-1" if low <= 1 else f"{low}~"
    return str(low) if low == high else f"{low}~{high}"
