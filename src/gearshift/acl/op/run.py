"""Operators one at a time: `acl.op.execute` and the like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

# These fill the table of operators.
import gearshift.acl.op.cast
import gearshift.acl.op.maths
import gearshift.acl.op.shapes  # noqa: F401
from gearshift.acl.call import ADDRESS, INT, TEXT, UBYTE, Kind, Refusal, beside, fallback, public
from gearshift.acl.codes import Code
from gearshift.acl.descs import DESCS, TensorDesc
from gearshift.acl.handles import Handles
from gearshift.acl.op.attrs import attributes_at
from gearshift.acl.op.calls import Call, Inputs, submit
from gearshift.acl.runtime import stream_at


def _addresses(values: Any) -> list[int]:
    if not isinstance(values, list):
        raise TypeError("a list of handles is wanted")
    return [ADDRESS.read(value) for value in values]


HANDLES: Final = Kind("list of handles", _addresses)
OPERATIONS: Final[Handles[Call]] = Handles("handle of an operator")


def _call(name: str, inputs: Sequence[int], outputs: Sequence[int], attr: int) -> Call:
    return Call.of(name, _descs(inputs), _descs(outputs), attributes_at(attr))


def _descs(handles: Sequence[int]) -> list[TensorDesc]:
    return [DESCS.get(handle) for handle in handles]


@public("acl.op.execute_v2", TEXT, HANDLES, HANDLES, HANDLES, HANDLES, ADDRESS, ADDRESS)
def execute_v2(
    op_type: str,
    input_descs: list[int],
    inputs: list[int],
    output_descs: list[int],
    outputs: list[int],
    attr: int,
    stream: int,
) -> int:
    """Puts an operator into a stream. Dims of outputs that are -1 are filled in once it has run.

    Args:
        op_type: the vendor's name of the operator, such as Add.
        input_descs: handles of tensor descriptions, a list.
        inputs: handles of data buffers, a list.
        output_descs: as for the inputs; they must stay until it has run if their dims are open.
        outputs: as for the inputs.
        attr: handle of its attributes; 0 for none.
        stream: handle; 0 is the default one of the context.

    Returns:
        0; 100024 for an operator that is not there, 100021, 100022 and 100023 for inputs, outputs
        and attributes that it does not have, 100026 for types, 100027 for formats, 100000 for
        handles, 107000 for memory that is not there. What only its values tell, the stream answers.
    """
    call = _call(op_type, input_descs, output_descs, attr)
    call.check_known()
    submit(call, inputs, outputs, stream_at(stream), _descs(output_descs))
    return 0


@public("acl.op.execute", TEXT, HANDLES, HANDLES, HANDLES, HANDLES, ADDRESS, ADDRESS)
def execute(
    op_type: str,
    input_descs: list[int],
    inputs: list[int],
    output_descs: list[int],
    outputs: list[int],
    attr: int,
    stream: int,
) -> int:
    """The older `execute_v2`: dims of outputs have to be known.

    Args:
        op_type: the vendor's name of the operator, such as Add.
        input_descs: handles of tensor descriptions, a list.
        inputs: handles of data buffers, a list.
        output_descs: as for the inputs.
        outputs: as for the inputs.
        attr: handle of its attributes; 0 for none.
        stream: handle; 0 is the default one of the context.

    Returns:
        as `execute_v2`; 100000 for outputs whose dims are open.
    """
    _run(_call(op_type, input_descs, output_descs, attr), inputs, outputs, stream)
    return 0


def _run(call: Call, inputs: Sequence[int], outputs: Sequence[int], stream: int) -> None:
    call.check_known()
    for place, tensor in enumerate(call.outputs):
        if not tensor.is_known:
            raise Refusal(
                Code.INVALID_PARAM,
                f"output {place} is {tensor}: acl.op.execute_v2 takes dims that are not known",
            )
    submit(call, inputs, outputs, stream_at(stream))


def _keep(call: Call) -> int:
    call.check_known()
    if call.is_decided:
        call.prepare(call.constant)
    return OPERATIONS.add(call)


@public("acl.op.create_handle", TEXT, HANDLES, HANDLES, ADDRESS, failed=beside(0))
def create_handle(
    op_type: str, input_descs: list[int], output_descs: list[int], attr: int
) -> tuple[int, int]:
    """Makes an operator ready to run more than once; what it was made of may be destroyed.

    Args:
        op_type: the vendor's name of the operator, such as Add.
        input_descs: handles of tensor descriptions, a list.
        output_descs: the same.
        attr: handle of its attributes; 0 for none.

    Returns:
        (handle, 0); codes as `execute_v2`.
    """
    return _keep(_call(op_type, input_descs, output_descs, attr)), 0


@public("acl.op.destroy_handle", ADDRESS, failed=fallback(None))
def destroy_handle(handle: int) -> None:
    """Destroys a handle; runs of it that wait in a stream are not disturbed.

    Args:
        handle: as `create_handle` gave it.

    Returns:
        None.
    """
    OPERATIONS.remove(handle)


@public("acl.op.execute_with_handle", ADDRESS, HANDLES, HANDLES, ADDRESS)
def execute_with_handle(handle: int, inputs: list[int], outputs: list[int], stream: int) -> int:
    """Puts an operator that was made ready into a stream.

    Args:
        handle: as `create_handle` gave it.
        inputs: handles of data buffers, a list.
        outputs: the same.
        stream: handle; 0 is the default one of the context.

    Returns:
        0; codes as `execute`.
    """
    _run(OPERATIONS.get(handle), inputs, outputs, stream)
    return 0


@public("acl.op.cast", ADDRESS, ADDRESS, ADDRESS, ADDRESS, UBYTE, ADDRESS)
def cast(
    src_desc: int, src_buffer: int, dst_desc: int, dst_buffer: int, truncate: int, stream: int
) -> int:
    """Puts a change of element type into a stream.

    How numbers are rounded: `gearshift.acl.op.cast`.

    Args:
        src_desc: handle of the tensor description of what there is.
        src_buffer: handle of its data buffer.
        dst_desc: handle of the tensor description of what is wanted, of the same shape.
        dst_buffer: handle of its data buffer.
        truncate: has no meaning, as on the card.
        stream: handle; 0 is the default one of the context.

    Returns:
        0; codes as `execute`.
    """
    _run(_call("Cast", [src_desc], [dst_desc], 0), [src_buffer], [dst_buffer], stream)
    return 0


@public("acl.op.create_handle_for_cast", ADDRESS, ADDRESS, UBYTE, failed=beside(0))
def create_handle_for_cast(src_desc: int, dst_desc: int, truncate: int) -> tuple[int, int]:
    """Makes a change of element type ready for `execute_with_handle`.

    Args:
        src_desc: handle of the tensor description of what there is.
        dst_desc: handle of the tensor description of what is wanted, of the same shape.
        truncate: has no meaning, as on the card.

    Returns:
        (handle, 0); codes as `create_handle`.
    """
    return _keep(_call("Cast", [src_desc], [dst_desc], 0)), 0


@public("acl.op.infer_shape", TEXT, HANDLES, HANDLES, INT, HANDLES, ADDRESS)
def infer_shape(
    op_type: str,
    input_descs: list[int],
    inputs: list[int],
    num_outputs: int,
    output_descs: list[int],
    attr: int,
) -> int:
    """Finds the dims of an operator's outputs, and puts them into their descriptions.

    Args:
        op_type: the vendor's name of the operator, such as Add.
        input_descs: handles of tensor descriptions, a list.
        inputs: handles of data buffers, a list; they are read where values decide.
        num_outputs: how many outputs there are.
        output_descs: handles of tensor descriptions with the right types and any dims, a list.
        attr: handle of its attributes; 0 for none.

    Returns:
        0; codes as `execute_v2`.
    """
    if num_outputs != len(output_descs):
        raise Refusal(
            Code.INVALID_PARAM, f"{num_outputs} outputs, and {len(output_descs)} descriptions"
        )
    described = _descs(output_descs)
    open_outputs = [replace(desc, dims=[-1]) for desc in described]
    call = Call.of(op_type, _descs(input_descs), open_outputs, attributes_at(attr))
    call.check_known()
    values = Inputs(call, inputs)
    for desc, shape in zip(described, call.prepare(values.read).shapes, strict=True):
        desc.dims = list(shape)
    return 0


@public("acl.op.update_params", TEXT, HANDLES, HANDLES, ADDRESS, status="accepted")
def update_params(op_type: str, input_descs: list[int], output_descs: list[int], attr: int) -> int:
    """Checks an operator. On a card it chooses among kernels; there is one of each here.

    Args:
        op_type: the vendor's name of the operator, such as Add.
        input_descs: handles of tensor descriptions, a list.
        output_descs: the same.
        attr: handle of its attributes; 0 for none.

    Returns:
        0; codes as `execute_v2`.
    """
    _call(op_type, input_descs, output_descs, attr)
    return 0
