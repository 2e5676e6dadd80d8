"""The rules that a manifest keeps beyond its types, so that a session can rely on it blindly."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, NoReturn

import numpy as np

from gearshift.artifact.codec import shorten
from gearshift.artifact.format import COSTS, WEIGHTS
from gearshift.artifact.manifest import (
    ConstantRecord,
    GearRecord,
    InputRecord,
    Manifest,
    OutputRecord,
    TopologyRecord,
)
from gearshift.artifact.pool import POOL_ALIGNMENT
from gearshift.errors import CorruptArtifactError
from gearshift.gears.gear import MODES
from gearshift.tensors import DTYPE_NAMES, MBATCH_INPUT, Shape, dtype_named, format_shape

MAX_RANK: Final = 64
MAX_BYTES: Final = 1 << 46
"""Largest tensor at any gear: more than any machine's memory, less than what overflows."""
MAX_GEARS: Final[Mapping[str, int]] = {
    "fixed": 1, "batch": 1024, "image": 256, "dims": 256, "range": 2
}  # fmt: skip
"""By mode. Beside the rows each is a frame of its own, with its own plans."""
MAX_ROWS: Final = 2**31 - 1
"""Largest gear: it is passed to the model as a 32-bit number."""

_PAD_MODES: Final = ("image", "dims")
_AIPP_MODES: Final = ("fixed", "batch", "image")
_IMAGE_RANKS: Final = (3, 4)
_LAYOUTS: Final = ("NCHW", "NHWC")
_PRECISIONS: Final = ("f32", "f16", "bf16")


def check_manifest(manifest: Manifest, parts: Mapping[str, int]) -> None:
    """Checks a manifest against the rules of docs/artifact-format.md.

    Args:
        manifest: of the right types already.
        parts: size, unpacked, of each part of the file.

    Raises:
        CorruptArtifactError: names the key and the rule.
    """
    if manifest.mode not in MODES:
        _refuse("mode", manifest.mode, f"one of {', '.join(MODES)}")
    _check_names("inputs", [record.name for record in manifest.inputs])
    _check_names("outputs", [record.name for record in manifest.outputs])
    _check_inputs(manifest)
    for index, output in enumerate(manifest.outputs):
        _check_output(f"outputs[{index}]", output)
    _check_topologies(manifest.topologies, parts)
    _check_gears(manifest)
    if manifest.proof.separable and manifest.proof.verdict == "refuted":
        _refuse("proof.separable", True, 'false where proof.verdict is "refuted"')
    _check_constants(manifest.constants, parts[WEIGHTS])


def _check_names(where: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name or name in seen:
            _refuse(f"a name in {where}", name, "unique and not empty")
        seen.add(name)
    if not seen:
        _refuse(where, (), "at least one record")


def _check_tensor(where: str, dtype: str, shape: Shape, lowest: int) -> None:
    if dtype not in DTYPE_NAMES:
        _refuse(f"{where}.dtype", dtype, "one of " + ", ".join(DTYPE_NAMES))
    if len(shape) > MAX_RANK:
        _refuse(f"{where}.shape", shape, f"at most {MAX_RANK} dims")
    if any(dim < lowest for dim in shape) or _nbytes(dtype, shape) > MAX_BYTES:
        _refuse(f"{where}.shape", shape, f"dims from {lowest} up and under {MAX_BYTES} bytes")


def _nbytes(dtype: str, shape: Shape) -> int:
    # An empty dim must not hide absurd ones beside it; a session may multiply them apart.
    return math.prod(max(1, abs(dim)) for dim in shape) * dtype_named(dtype).itemsize


def _check_inputs(manifest: Manifest) -> None:
    inputs = manifest.inputs
    for index, record in enumerate(inputs):
        where = f"inputs[{index}]"
        _check_tensor(where, record.dtype, record.shape, lowest=-1)
        if manifest.mode == "batch" and -1 in record.shape[1:]:
            _refuse(f"{where}.shape", record.shape, "-1 in the first place only")
        if record.name == MBATCH_INPUT:
            _refuse(f"{where}.name", record.name, "another; that one is the gear's own")
        has_ranges = manifest.mode == "range"
        if len(record.ranges) != (len(record.shape) if has_ranges else 0):
            _refuse(f"{where}.ranges", record.ranges, "one for each dim, in mode range alone")
        if any(low < 0 or (high != -1 and high < low) for low, high in record.ranges):
            _refuse(f"{where}.ranges", record.ranges, "from a least to a most, or to -1")
        _check_pad(where, record, manifest.mode)
    is_open = any(-1 in record.shape for record in inputs)
    if is_open == (manifest.mode == "fixed"):
        shapes = [record.shape for record in inputs]
        where = "a first dim" if manifest.mode == "batch" else "a dim"
        rule = "fixed in every dim" if is_open else f"such that one has {where} of -1"
        _refuse("inputs", shapes, rule)
    _check_padded(manifest)
    for output in manifest.outputs:
        _check_follows(manifest.mode, output, {record.name: record.shape for record in inputs})
    _check_aipp(manifest)


def _check_padded(manifest: Manifest) -> None:
    records = {record.name: record for record in manifest.inputs}
    for each in manifest.padded:
        if not each.places or each.least < 1:
            _refuse("padded", each, "of one place or more, and from a size of 1 or more")
        for name, axis in each.places:
            if name not in records or not 0 <= axis < len(records[name].shape):
                _refuse("padded", each, "of axes that the inputs have")
            if records[name].shape[axis] != -1 or records[name].pad is None:
                _refuse("padded", each, "of open axes of inputs that have a pad")


def _check_pad(where: str, record: InputRecord, mode: str) -> None:
    if record.pad is None:
        return
    if mode not in _PAD_MODES:
        _refuse(f"{where}.pad", record.pad, f"left out in mode {mode}")
    if not _holds(dtype_named(record.dtype).numpy, record.pad):
        _refuse(f"{where}.pad", record.pad, f"a finite number that {record.dtype} holds")


def _holds(dtype: np.dtype[np.generic], value: float) -> bool:
    if not math.isfinite(value) or dtype.kind == "f":
        return math.isfinite(value)
    with np.errstate(invalid="ignore"):  # what a type cannot hold comes out as something else
        return float(np.array(value).astype(dtype)) == value


def _check_follows(mode: str, output: OutputRecord, shapes: Mapping[str, Shape]) -> None:
    follows = output.follows
    if follows and mode not in _PAD_MODES:
        _refuse("outputs.follows", follows, f"left out in mode {mode}")
    for follow in follows:
        if follow.input not in shapes:
            _refuse("outputs.follows", follows, "of the file's inputs")
        if not (1 <= follow.over <= MAX_ROWS and 1 <= follow.times <= MAX_ROWS):
            _refuse("outputs.follows", follows, f"of whole numbers from 1 to {MAX_ROWS}")
        rank, input_rank = len(output.shape), len(shapes[follow.input])
        if not (0 <= follow.axis < rank and 0 <= follow.input_axis < input_rank):
            _refuse("outputs.follows", follows, "of axes that the output and the input have")
        if follow.axis == output.row_axis:
            _refuse("outputs.follows", follows, "of other axes than the row axis")
        if shapes[follow.input][follow.input_axis] != -1:
            _refuse("outputs.follows", follows, "of dims of an input that are -1")
    if len({follow.axis for follow in follows}) != len(follows):
        _refuse("outputs.follows", follows, "one for each axis")


def _check_aipp(manifest: Manifest) -> None:
    shapes = {record.name: record.shape for record in manifest.inputs}
    if manifest.aipp and manifest.mode not in _AIPP_MODES:
        _refuse("mode", manifest.mode, f"one of {', '.join(_AIPP_MODES)} with AIPP")
    if len({aipp.input for aipp in manifest.aipp}) != len(manifest.aipp):
        _refuse("aipp.input", [aipp.input for aipp in manifest.aipp], "different for each")
    for index, aipp in enumerate(manifest.aipp):
        if aipp.input not in shapes:
            _refuse("aipp.input", aipp.input, "one of the file's inputs")
        _check_tensor(f"aipp[{index}]", aipp.dtype, aipp.shape, lowest=-1)
        if len(aipp.shape) not in _IMAGE_RANKS:
            _refuse(f"aipp[{index}].shape", aipp.shape, "3 or 4 dims")
        if manifest.mode == "batch" and -1 in aipp.shape[1:]:
            _refuse(f"aipp[{index}].shape", aipp.shape, "-1 in the first place only")
        if aipp.shape[:1] != shapes[aipp.input][:1]:
            _refuse(f"aipp[{index}].shape", aipp.shape, "of the first dim that the input has")
        if aipp.layout not in _LAYOUTS:
            _refuse(f"aipp[{index}].layout", aipp.layout, f"one of {', '.join(_LAYOUTS)}")


def _check_output(where: str, output: OutputRecord) -> None:
    _check_tensor(where, output.dtype, output.shape, lowest=-1)
    if output.row_inner < 1:
        _refuse(f"{where}.row_inner", output.row_inner, "1 or more")
    if output.row_axis is not None and output.row_axis not in range(len(output.shape)):
        _refuse(f"{where}.row_axis", output.row_axis, f"an axis of {format_shape(output.shape)}")


def _check_gears(manifest: Manifest) -> None:
    gears, most = manifest.gears, MAX_GEARS[manifest.mode]
    if not 1 <= len(gears) <= most:
        _refuse("the number of gears", len(gears), f"1 to {most} in mode {manifest.mode}")
    if len({gear.values for gear in gears}) != len(gears):
        _refuse("gears", [gear.values for gear in gears], "different from one another")
    for index, gear in enumerate(gears):
        where = f"gears[{index}]"
        _check_values(where, gear, manifest)
        if gear.predicted_bytes < 0:
            _refuse(f"{where}.predicted_bytes", gear.predicted_bytes, "0 or more")
        if manifest.mode == "batch":
            _check_inputs_at(where, gear, manifest.inputs)
        else:
            _check_dealt(where, gear, manifest.inputs)
        rows = _rows_of(manifest, gear)
        _check_outputs_at(where, gear, manifest.outputs, rows)
        _check_differences(where, gear, manifest)


def _check_values(where: str, gear: GearRecord, manifest: Manifest) -> None:
    count = len(manifest.gears[0].values)
    counts = {"fixed": 0, "batch": 1, "image": 2, "dims": max(1, count), "range": count}
    count = counts[manifest.mode]
    if len(gear.values) != count or not all(1 <= value <= MAX_ROWS for value in gear.values):
        number = "one number" if count == 1 else f"{count} numbers"
        _refuse(f"{where}.values", gear.values, f"{number} from 1 to {MAX_ROWS}")


def _rows_of(manifest: Manifest, gear: GearRecord) -> int | None:
    """The number of rows at a gear; None if it has none."""
    if manifest.mode == "batch":
        return gear.values[0]
    leading = {
        shape[0]
        for record, shape in zip(manifest.inputs, gear.inputs, strict=True)
        if record.shape[:1] == (-1,)
    }
    return leading.pop() if manifest.mode == "dims" and len(leading) == 1 else None


def _check_shape(where: str, record: InputRecord | OutputRecord, shape: Shape) -> None:
    """A shape at one gear, against the one that is open where the gear decides."""
    _check_tensor(where, record.dtype, shape, lowest=0)
    if len(shape) != len(record.shape) or any(
        want not in (-1, dim) for want, dim in zip(record.shape, shape, strict=True)
    ):
        _refuse(where, shape, f"what {format_shape(record.shape)} allows")


def _check_dealt(where: str, gear: GearRecord, inputs: tuple[InputRecord, ...]) -> None:
    if len(gear.inputs) != len(inputs):
        _refuse(f"{where}.inputs", gear.inputs, f"{len(inputs)} shapes, one per input")
    for index, (shape, record) in enumerate(zip(gear.inputs, inputs, strict=True)):
        place = f"{where}.inputs[{index}]"
        _check_shape(place, record, shape)
        if any(dim == 0 for want, dim in zip(record.shape, shape, strict=True) if want == -1):
            _refuse(place, shape, "1 or more where the gear decides")


def _check_inputs_at(where: str, gear: GearRecord, inputs: tuple[InputRecord, ...]) -> None:
    rows = gear.values[0]
    if gear.inputs:
        _refuse(f"{where}.inputs", gear.inputs, "left out in mode batch")
    for record in inputs:
        shape = tuple(rows if dim == -1 else dim for dim in record.shape)
        if _nbytes(record.dtype, shape) > MAX_BYTES:
            _refuse(f"{where}.values", rows, f"small enough for inputs under {MAX_BYTES} bytes")


def _check_outputs_at(
    where: str, gear: GearRecord, outputs: tuple[OutputRecord, ...], rows: int | None
) -> None:
    if len(gear.outputs) != len(outputs):
        _refuse(f"{where}.outputs", gear.outputs, f"{len(outputs)} shapes, one per output")
    for index, (shape, output) in enumerate(zip(gear.outputs, outputs, strict=True)):
        place = f"{where}.outputs[{index}]"
        _check_shape(place, output, shape)
        if output.row_axis is None:
            continue
        if rows is None or shape[output.row_axis] != rows * output.row_inner:
            long = "without rows" if rows is None else f"{rows * output.row_inner} long"
            _refuse(place, shape, f"{long} along its row axis {output.row_axis}")


def _check_differences(where: str, gear: GearRecord, manifest: Manifest) -> None:
    outputs = {record.name for record in manifest.outputs}
    engines = {record.engine for record in manifest.topologies}
    seen = [(record.engine, record.output) for record in gear.differences]
    if len(set(seen)) != len(seen):
        _refuse(f"{where}.differences", seen, "one record per engine and output")
    for engine, output in seen:
        if engine not in engines or output not in outputs:
            _refuse(f"{where}.differences", (engine, output), "an engine and an output of the file")


def _check_topologies(records: tuple[TopologyRecord, ...], parts: Mapping[str, int]) -> None:
    _check_names("topologies", [record.engine for record in records])
    allowed = [name for name in parts if name not in (WEIGHTS, COSTS)]
    for index, record in enumerate(records):
        where = f"topologies[{index}]"
        if record.part not in allowed:
            _refuse(f"{where}.part", record.part, f"one of the parts {shorten(allowed)}")
        if record.precision not in _PRECISIONS:
            _refuse(f"{where}.precision", record.precision, "one of " + ", ".join(_PRECISIONS))


def _check_constants(constants: tuple[ConstantRecord, ...], pool_bytes: int) -> None:
    if constants:
        _check_names("constants", [record.name for record in constants])
    for index, record in enumerate(constants):
        where = f"constants[{index}]"
        _check_tensor(where, record.dtype, record.shape, lowest=0)
        size = math.prod(record.shape) * dtype_named(record.dtype).itemsize
        if record.offset < 0 or record.offset % POOL_ALIGNMENT:
            _refuse(
                f"{where}.offset", record.offset, f"a multiple of {POOL_ALIGNMENT}, not negative"
            )
        if record.offset + size > pool_bytes:
            _refuse(where, (record.offset, size), f"inside the {pool_bytes} bytes of the weights")


def _refuse(where: str, value: object, allowed: str) -> NoReturn:
    raise CorruptArtifactError(
        f"{where} in its manifest is {shorten(value)}, but has to be {allowed}. "
        "Compile the model again."
    )
