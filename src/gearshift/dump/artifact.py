"""An artifact as ATC's ModelDef, the message that holds the network in an Ascend ``.om`` file."""

from __future__ import annotations

from typing import Final

import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError

from gearshift.analysis.facts import Facts, Walker
from gearshift.artifact.manifest import Manifest
from gearshift.artifact.reader import Artifact
from gearshift.dump import attributes as attr
from gearshift.dump.graphs import OUTPUT_NODE, GraphWriter, Known, known_at_all
from gearshift.dump.summary import FRAMEWORK, Summary, summarize
from gearshift.dump.values import Json
from gearshift.errors import CorruptArtifactError, OptionError, UnsupportedModelError
from gearshift.frontend.external import external_tensors
from gearshift.frontend.message import not_text, overfull
from gearshift.gears.gear import GearSet
from gearshift.opening import gear_set
from gearshift.tensors import MBATCH_INPUT, Shape, TensorSpec, dtype_named

_MODES: Final = {"batch": 1, "image": 2, "dims": 3}
_HOLDS_ONNX: Final = "onnxruntime"
"""The engine whose topology is an ONNX graph."""
_FAULTS: Final = (
    DecodeError,
    UnicodeDecodeError,
    ir.serde.SerdeError,
    onnx.checker.ValidationError,
)


def artifact_json(artifact: Artifact) -> Json:
    """The ModelDef of an artifact.

    Raises:
        OptionError: it was compiled for an engine that keeps no ONNX graph.
        CorruptArtifactError: its graph makes no sense.
    """
    manifest = artifact.manifest
    gears = gear_set(manifest)
    model = _model_of(artifact)
    known = known_at_all(_facts(model, gears))
    extra = {
        **{spec.name: _input_facts(spec, gears) for spec in gears.inputs if -1 in spec.shape},
        OUTPUT_NODE: {"_dynamic_output_dims": attr.strings(_output_dims(manifest))},
    }
    if any(-1 in spec.shape for spec in gears.inputs):
        extra[MBATCH_INPUT] = _gear_facts(gears)
        known[MBATCH_INPUT] = Known(ir.DataType.INT32, (1,))
    graphs = GraphWriter(model.graph, known, extra).graphs
    *_, net_output = graphs[0]["op"]
    return attr.fields(
        name=manifest.source.file,
        version=artifact.header.version,
        graph=graphs,
        attr=attr.attr_list(_model_attrs(summarize(artifact), net_output["input"])),
    )


def _model_of(artifact: Artifact) -> ir.Model:
    """The network, its weights those of the pool."""
    parts = {record.engine: record.part for record in artifact.manifest.topologies}
    if _HOLDS_ONNX not in parts:
        raise OptionError(
            f"{str(artifact.path)!r} was compiled for {', '.join(parts)} alone and holds no ONNX "
            "graph, which is where the ops come from. Compile it again without naming an engine."
        )
    model = _parse(artifact.topology(parts[_HOLDS_ONNX]))
    _check_inputs(artifact.manifest, model)
    for record in artifact.manifest.constants:
        value = model.graph.initializers.get(record.name)
        if value is not None:
            dtype = dtype_named(record.dtype)
            nbytes = TensorSpec(record.name, dtype, record.shape).nbytes(record.shape)
            stored = artifact.pool[record.offset : record.offset + nbytes]
            array = stored.view(dtype.numpy).reshape(record.shape)
            value.const_value = ir.tensor(array, name=record.name)
    for tensor in external_tensors(model):
        raise CorruptArtifactError(
            f"tensor {tensor.name!r} of its ONNX graph lies in another file, {tensor.location!r}"
        )
    return model


def _parse(data: bytes) -> ir.Model:
    message = onnx.ModelProto()
    try:
        message.ParseFromString(data)
        onnx.checker.check_model(_without_pool(message))
        if (wrong := not_text(message) or overfull(message)) is not None:
            raise CorruptArtifactError(f"its ONNX graph holds {wrong!r}, which makes no sense")
        return ir.from_proto(message)
    except _FAULTS as error:
        raise CorruptArtifactError(f"its ONNX graph cannot be parsed: {error}") from error


def _without_pool(message: onnx.ModelProto) -> onnx.ModelProto:
    """The model with inputs for the weights in the pool, which ONNX's checker would look for."""
    checked = onnx.ModelProto()
    checked.CopyFrom(message)
    graph = checked.graph
    del graph.initializer[:]
    for tensor in message.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            kind = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            graph.input.append(kind)
        else:
            graph.initializer.append(tensor)
    return checked


def _check_inputs(manifest: Manifest, model: ir.Model) -> None:
    told = [record.name for record in manifest.inputs]
    for value in model.graph.inputs:
        if value.name not in told and value.const_value is None:
            raise CorruptArtifactError(
                f"its ONNX graph has an input {value.name!r}, where it claims to have {told}"
            )


def _facts(model: ir.Model, gears: GearSet) -> list[Facts]:
    facts: list[Facts] = []
    for gear in gears:
        walker = Walker(model)
        try:
            walker.learn_inputs(model.graph.inputs, gears.shapes(gear))
            walker.learn_initializers(model.graph)
            walker.learn_nodes(model.graph)
        except UnsupportedModelError as error:
            raise CorruptArtifactError(
                f"its ONNX graph makes no sense at gear {gear}: {error.message}"
            ) from error
        facts.append(walker.facts)
    return facts


def _input_facts(spec: TensorSpec, gears: GearSet) -> dict[str, Json]:
    dtype = attr.dtype_name(ir.DataType(spec.dtype.onnx))
    shapes = [gears.shapes(gear)[spec.name] for gear in gears]
    described = [
        f"{attr.LAYOUT}:{dtype}:{spec.name}:{spec.nbytes(shape)}:{len(shape)}:{_listed(shape)}"
        for shape in shapes
    ]
    return {
        "_mbatch_origin_input_dims": attr.integers(spec.shape),
        "_all_origin_gears_inputs": attr.strings(described),
    }


def _gear_facts(gears: GearSet) -> dict[str, Json]:
    """What ATC notes at the op that chooses among gears; here the gear's own input has them."""
    dynamic = [spec.name for spec in gears.inputs if -1 in spec.shape]
    return {
        "_batch_num": attr.integer(len(gears)),
        "mbatch_dynamic_type": attr.integer(_MODES.get(gears.mode, 0)),
        "user_designate_shape_order": attr.strings(dynamic),
        **{f"_pred_value_{at}": attr.integers(gear.values) for at, gear in enumerate(gears)},
    }


def _output_dims(manifest: Manifest) -> list[str]:
    """``gear,output,dims`` of every output that varies; -1 for the gear of one that does not."""
    lines = []
    for gear, record in enumerate(manifest.gears):
        for index, shape in enumerate(record.outputs):
            if -1 in manifest.outputs[index].shape:
                lines.append(f"{gear},{index},{_listed(shape)}")
    for index, output in enumerate(manifest.outputs):
        if -1 not in output.shape:
            lines.append(f"-1,{index},{_listed(output.shape)}")
    return lines


def _listed(shape: Shape) -> str:
    return ",".join(map(str, shape))


def _model_attrs(summary: Summary, outputs: list[str]) -> dict[str, Json]:
    sizes = (summary.weight_data_bytes, 0, 0, summary.task_bytes)
    return {
        "atc_cmdline": attr.string(summary.command),
        "atc_version": attr.string(summary.producer),
        "attr_model_out_nodes_name": attr.strings(outputs),
        "event_num": attr.integer(0),
        "framework_type": attr.string(FRAMEWORK),
        "memory_size": attr.integer(summary.memory_bytes),
        "om_info_list": attr.integers(sizes),
        "soc_version": attr.string(summary.soc_version),
        "stream_num": attr.integer(1),
        "weight_size": attr.integer(summary.weight_bytes),
    }
