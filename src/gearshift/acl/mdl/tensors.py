"""What descriptions say of a model's inputs and outputs."""

from __future__ import annotations

from typing import Any, Final

from gearshift.acl.call import ADDRESS, SIZE, TEXT, Refusal, beside, fallback, public
from gearshift.acl.codes import Code
from gearshift.acl.mdl.model_descs import DESCRIPTIONS, Dims
from gearshift.tensors import Shape

UNDEFINED: Final = -1


@public("acl.mdl.get_num_inputs", ADDRESS, failed=fallback(0))
def get_num_inputs(desc: int) -> int:
    """How many inputs a model has, those for the gear and for AIPP included.

    Args:
        desc: handle of the description.

    Returns:
        the number; 0 if it is no description.
    """
    return len(DESCRIPTIONS.get(desc).tensors("input"))


@public("acl.mdl.get_num_outputs", ADDRESS, failed=fallback(0))
def get_num_outputs(desc: int) -> int:
    """How many outputs a model has.

    Args:
        desc: handle of the description.

    Returns:
        the number; 0 if it is no description.
    """
    return len(DESCRIPTIONS.get(desc).tensors("output"))


@public("acl.mdl.get_input_size_by_index", ADDRESS, SIZE, failed=fallback(0))
def get_input_size_by_index(desc: int, index: int) -> int:
    """Bytes of an input at the gear where it is largest.

    Args:
        desc: handle of the description.
        index: from 0.

    Returns:
        bytes; 0 if there is no such input, or its dims vary within ranges.
    """
    return DESCRIPTIONS.get(desc).tensor("input", index).nbytes


@public("acl.mdl.get_output_size_by_index", ADDRESS, SIZE, failed=fallback(0))
def get_output_size_by_index(desc: int, index: int) -> int:
    """Bytes of an output at the gear where it is largest.

    Args:
        desc: handle of the description.
        index: from 0.

    Returns:
        bytes; 0 if there is no such output, or its dims vary within ranges.
    """
    return DESCRIPTIONS.get(desc).tensor("output", index).nbytes


@public("acl.mdl.get_input_dims", ADDRESS, SIZE, failed=beside({}))
def get_input_dims(desc: int, index: int) -> tuple[Dims, int]:
    """Shape of an input, -1 where the gear decides; of a source image its pixels, as NHWC.

    Args:
        desc: handle of the description.
        index: from 0.

    Returns:
        ({"name", "dimCount", "dims"}, 0); 100000 if there is no such input.
    """
    held = DESCRIPTIONS.get(desc)
    return held.dims("input", index, held.tensor("input", index).dims), 0


@public("acl.mdl.get_input_dims_v2", ADDRESS, SIZE, failed=beside({}))
def get_input_dims_v2(desc: int, index: int) -> tuple[Dims, int]:
    """Shape of an input as it lies in memory: of an NV12 image three lines for two of pixels.

    Args:
        desc: handle of the description.
        index: from 0.

    Returns:
        ({"name", "dimCount", "dims"}, 0); 100000 if there is no such input.
    """
    held = DESCRIPTIONS.get(desc)
    return held.dims("input", index, held.tensor("input", index).memory_dims), 0


@public(
    "acl.mdl.get_input_dims_range", ADDRESS, SIZE, failed=beside({"rangeCount": 0, "range": []})
)
def get_input_dims_range(desc: int, index: int) -> tuple[dict[str, Any], int]:
    """From what to what each dim of an input may go, for a model whose dims have ranges.

    Args:
        desc: handle of the description.
        index: from 0.

    Returns:
        ({"rangeCount", "range": [[least, most or -1], ...]}, 0), empty for another model; 100000 if
        there is no such input.
    """
    held = DESCRIPTIONS.get(desc)
    held.tensor("input", index)
    assert held.content is not None, "it has inputs"
    ranges = held.content.gears.ranges
    own = [list(bounds) for bounds in ranges[index]] if index < len(ranges) else []
    return {"rangeCount": len(own), "range": own}, 0


@public("acl.mdl.get_output_dims", ADDRESS, SIZE, failed=beside({}))
def get_output_dims(desc: int, index: int) -> tuple[Dims, int]:
    """Shape of an output at the gear where it is largest.

    Args:
        desc: handle of the description.
        index: from 0.

    Returns:
        ({"name", "dimCount", "dims"}, 0); 100000 if there is no such output.
    """
    held = DESCRIPTIONS.get(desc)
    return held.dims("output", index, held.tensor("output", index).largest), 0


@public("acl.mdl.get_cur_output_dims", ADDRESS, SIZE, failed=beside({}))
def get_cur_output_dims(desc: int, index: int) -> tuple[Dims, int]:
    """Shape of an output at the gear that the model is set to; before, where it is largest.

    Args:
        desc: handle of the description.
        index: from 0.

    Returns:
        ({"name", "dimCount", "dims"}, 0); 100000 if there is no such output.
    """
    held = DESCRIPTIONS.get(desc)
    tensor, gear = held.tensor("output", index), held.current.gear
    shape: Shape = tensor.largest
    if gear is not None and held.content is not None:
        shape = tensor.at[held.content.position(gear)]
    return held.dims("output", index, shape), 0


@public("acl.mdl.get_input_name_by_index", ADDRESS, SIZE, failed=fallback(""))
def get_input_name_by_index(desc: int, index: int) -> str:
    """Name of an input.

    Args:
        desc: handle of the description.
        index: from 0.

    Returns:
        the name; empty if there is no such input.
    """
    return DESCRIPTIONS.get(desc).tensor("input", index).name


@public("acl.mdl.get_output_name_by_index", ADDRESS, SIZE, failed=fallback(""))
def get_output_name_by_index(desc: int, index: int) -> str:
    """Name of an output.

    Args:
        desc: handle of the description.
        index: from 0.

    Returns:
        the name; empty if there is no such output.
    """
    return DESCRIPTIONS.get(desc).tensor("output", index).name


@public("acl.mdl.get_input_index_by_name", ADDRESS, TEXT, failed=beside(0))
def get_input_index_by_name(desc: int, name: str) -> tuple[int, int]:
    """Position of an input, such as ``ascend_mbatch_shape_data`` of a model with gears.

    Args:
        desc: handle of the description.
        name: of the input.

    Returns:
        (index, 0); 100000 if there is none of that name.
    """
    return DESCRIPTIONS.get(desc).index_of("input", name), 0


@public("acl.mdl.get_output_index_by_name", ADDRESS, TEXT, failed=beside(0))
def get_output_index_by_name(desc: int, name: str) -> tuple[int, int]:
    """Position of an output.

    Args:
        desc: handle of the description.
        name: of the output.

    Returns:
        (index, 0); 100000 if there is none of that name.
    """
    return DESCRIPTIONS.get(desc).index_of("output", name), 0


@public("acl.mdl.get_tensor_real_name", ADDRESS, TEXT, failed=fallback(None))
def get_tensor_real_name(desc: int, name: str) -> str:
    """The model's own name of a tensor whose name was too long for a structure.

    Args:
        desc: handle of the description.
        name: as a structure holds it, or the model's own.

    Returns:
        the model's own name; None if there is no such tensor.
    """
    for shown, real in DESCRIPTIONS.get(desc).shown_names():
        if name in (shown, real):
            return real
    raise Refusal(Code.INVALID_PARAM, f"no tensor is called {name!r}")


@public("acl.mdl.get_input_format", ADDRESS, SIZE, failed=fallback(UNDEFINED))
def get_input_format(desc: int, index: int) -> int:
    """How an input lies.

    Args:
        desc: handle of the description.
        index: from 0.

    Returns:
        0 NCHW, 1 NHWC or 2 any; -1 if there is no such input.
    """
    return DESCRIPTIONS.get(desc).tensor("input", index).format


@public("acl.mdl.get_output_format", ADDRESS, SIZE, failed=fallback(UNDEFINED))
def get_output_format(desc: int, index: int) -> int:
    """How an output lies.

    Args:
        desc: handle of the description.
        index: from 0.

    Returns:
        0 NCHW, 1 NHWC or 2 any; -1 if there is no such output.
    """
    return DESCRIPTIONS.get(desc).tensor("output", index).format


@public("acl.mdl.get_input_data_type", ADDRESS, SIZE, failed=fallback(UNDEFINED))
def get_input_data_type(desc: int, index: int) -> int:
    """Type of an input's elements.

    Args:
        desc: handle of the description.
        index: from 0.

    Returns:
        AscendCL's number; -1 if there is no such input.
    """
    return DESCRIPTIONS.get(desc).tensor("input", index).dtype.acl


@public("acl.mdl.get_output_data_type", ADDRESS, SIZE, failed=fallback(UNDEFINED))
def get_output_data_type(desc: int, index: int) -> int:
    """Type of an output's elements.

    Args:
        desc: handle of the description.
        index: from 0.

    Returns:
        AscendCL's number; -1 if there is no such output.
    """
    return DESCRIPTIONS.get(desc).tensor("output", index).dtype.acl


@public("acl.mdl.get_op_attr", ADDRESS, TEXT, TEXT, failed=fallback(""), status="refused")
def get_op_attr(desc: int, name: str, attribute: str) -> str:
    """Is refused: the names of operators before they were fused are of a card's compiler.

    Args:
        desc: handle of the description.
        name: of the operator.
        attribute: of its attribute.

    Returns:
        empty.
    """
    DESCRIPTIONS.get(desc).tensors("input")
    raise Refusal(Code.FEATURE_UNSUPPORTED, "no operator keeps what it was made of")
