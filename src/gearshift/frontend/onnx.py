"""ONNX file -> Program: read, checked, provenance taken."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError

from gearshift.errors import ModelError, UnsupportedModelError
from gearshift.frontend.external import check_external, external_tensors
from gearshift.frontend.message import overfull
from gearshift.program import Program, Source
from gearshift.tensors import DTYPE_NAMES, MBATCH_INPUT, Shape, TensorSpec, dtype_of_onnx

OLDEST_OPSET: Final = 7
"""Before it broadcasting had other rules, which the engines no longer speak."""


def load_program(path: Path) -> Program:
    """Reads and checks an ONNX file; its external data is mapped, not read.

    Raises:
        ModelError: the file is missing, is not ONNX, fails the ONNX checker or is too old.
        UnsupportedModelError: an input or output is not a tensor that can be passed in or out.
    """
    _check_path(path)
    proto = _read(path)
    _check_opset(path, proto)
    _check_valid(path, proto)
    try:
        model = ir.load(path)
    except ir.serde.SerdeError as error:
        raise ModelError(
            f"model {str(path)!r} cannot be read: {_first_cause(error)}. Export it again.",
            code="E16005",
        ) from error
    check_external(path, model)
    return Program(
        model=model,
        inputs=tuple(_input_spec(value) for value in _fed_inputs(model)),
        outputs=tuple(_edge_spec(value, "output") for value in model.graph.outputs),
        source=_source(path, model),
        metadata=tuple(sorted(model.metadata_props.items())),
    )


def _check_path(path: Path) -> None:
    """Refuses what ONNX itself, which takes paths as UTF-8, could not open."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ModelError(
            f"model {str(path)!r} has a path that is not UTF-8, which the ONNX library cannot "
            "open. Rename the file or its folder.",
            code="E10041",
        ) from None


def _first_cause(error: BaseException) -> BaseException:
    """What went wrong at the bottom; those above only say where that was."""
    while below := error.__cause__ or error.__context__:
        error = below
    return error


def _read(path: Path) -> onnx.ModelProto:
    # Not Path.is_file: it raises for a name that is too long.
    if not os.path.isfile(path):
        what = "does not exist"
        if os.path.exists(path):
            what = "is a folder, not a file" if os.path.isdir(path) else "is no ordinary file"
        raise ModelError(
            f"model {str(path)!r} {what}; --model takes the path of one .onnx file.", code="E10041"
        )
    try:
        proto = onnx.load(str(path), load_external_data=False)
    except DecodeError as error:
        raise ModelError(
            f"model {str(path)!r} is not an ONNX file (its {path.stat().st_size} bytes do not "
            "parse as one). Check that it is the right file and that it was copied whole.",
            code="E16005",
        ) from error
    except OSError as error:
        raise ModelError(
            f"model {str(path)!r} cannot be read: {error.strerror}.", code="E10041"
        ) from error
    if not proto.graph.output:
        raise ModelError(
            f"model {str(path)!r} has no outputs, so it is empty or not an ONNX file. "
            "Check that it is the right file and that it was copied whole.",
            code="E16005",
        )
    return proto


def _check_valid(path: Path, proto: onnx.ModelProto) -> None:
    try:
        onnx.checker.check_model(str(path))
    except (onnx.checker.ValidationError, UnicodeDecodeError) as error:
        # The checker quotes names as they are; where those are no text, Python cannot read it, or
        # (by locale) reads nothing.
        said = "" if isinstance(error, UnicodeDecodeError) else str(error).strip()
        what = said.splitlines()[0] if said else "a name in it is not UTF-8."
        raise ModelError(
            f"model {str(path)!r} is not valid ONNX: {what} Export it again, or repair it first.",
            code="E16005",
        ) from error
    if (name := overfull(proto)) is not None:
        raise ModelError(
            f"model {str(path)!r} is not valid ONNX: tensor {name!r} holds more data than its "
            "shape has room for. Export it again, or repair it first.",
            code="E16005",
        )


def _check_opset(path: Path, proto: onnx.ModelProto) -> None:
    newest = onnx.defs.onnx_opset_version()
    for domain in proto.opset_import:
        if domain.domain not in ("", "ai.onnx"):
            continue
        if domain.version < OLDEST_OPSET or domain.version > newest:
            raise ModelError(
                f"model {str(path)!r} uses opset {domain.version}; opsets {OLDEST_OPSET} to "
                f"{newest} can be compiled. Convert it with onnx.version_converter or export it "
                "again with another opset.",
                code="E16005",
            )


def _fed_inputs(model: ir.Model) -> Iterable[ir.Value]:
    """Inputs that are not initializers (files before IR version 4 list both)."""
    return (value for value in model.graph.inputs if value.name not in model.graph.initializers)


def _input_spec(value: ir.Value) -> TensorSpec:
    if value.name == MBATCH_INPUT:
        raise UnsupportedModelError(
            f"the model has an input {MBATCH_INPUT!r}, the name of the input that carries the gear "
            "in every compiled model. Rename it in the model.",
            tensor=MBATCH_INPUT,
        )
    return _edge_spec(value, "input")


def _edge_spec(value: ir.Value, kind: str) -> TensorSpec:
    name = value.name or ""
    dtype = dtype_of_onnx(int(value.dtype)) if value.dtype is not None else None
    if dtype is None or not isinstance(value.type, ir.TensorType):
        raise UnsupportedModelError(
            f"{kind} {name!r} has type {value.type}, which cannot be passed in or out; allowed are "
            f"tensors of {', '.join(DTYPE_NAMES)}. Cut the model, or add a Cast at its edge.",
            tensor=name,
        )
    if value.shape is None and kind == "input":
        raise UnsupportedModelError(
            f"input {name!r} has no shape, not even a rank, in the file. "
            "Export the model again with the shapes of its inputs.",
            tensor=name,
        )
    return TensorSpec(name, dtype, _open_shape(value.shape))


def _open_shape(shape: ir.Shape | None) -> Shape:
    """The file's shape with -1 for every named or missing dim; () where there is none."""
    return tuple(dim if isinstance(dim, int) else -1 for dim in shape or ())


def _source(path: Path, model: ir.Model) -> Source:
    digest = hashlib.sha256()
    external = {Path(tensor.path) for tensor in external_tensors(model)}
    for file in (path, *sorted(external)):
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return Source(
        file=path.name,
        sha256=digest.hexdigest(),
        opset=model.opset_imports.get("", 0),
        ir_version=model.ir_version,
        producer=f"{model.producer_name or ''} {model.producer_version or ''}".strip(),
    )
