"""The part of `acl.op` that is about a card's own files and kernels, which nothing here needs."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NoReturn

from gearshift.acl.blocks import BLOCKS
from gearshift.acl.call import ADDRESS, FUNCTION, INT, SIZE, TEXT, UINT, Refusal, public
from gearshift.acl.codes import Code
from gearshift.acl.op.calls import PREPARED


@public("acl.op.set_model_dir", TEXT, status="accepted")
def set_model_dir(path: str) -> int:
    """Takes note of a folder of operators' files. It is not looked into: operators need no files.

    Args:
        path: of the folder.

    Returns:
        0; 100003 if there is no such folder.
    """
    if not os.path.isdir(path):  # which takes names that are too long as well
        raise Refusal(Code.INVALID_FILE, f"{path!r} is no folder")
    return 0


@public("acl.op.load", ADDRESS, SIZE, status="accepted")
def load(model: int, size: int) -> int:
    """Takes note of an operator's file in memory, which is not needed.

    Args:
        model: where it starts.
        size: bytes.

    Returns:
        0; 100000 for null or 0 bytes, 107000 if the memory cannot be read.
    """
    if not size:
        raise Refusal(Code.INVALID_PARAM, "0 bytes of an operator")
    BLOCKS.check_there(model, size)
    return 0


@public("acl.op.set_max_op_queue_num", SIZE)
def set_max_op_queue_num(count: int) -> int:
    """Says how many operators stay prepared, each for its types, shapes and attributes.

    Args:
        count: 256 until it is said.

    Returns:
        0; 100000 for 0.
    """
    if not count:
        raise Refusal(Code.INVALID_PARAM, "0 operators; at least 1")
    PREPARED.keep(count)
    return 0


@public("acl.op.start_dump_args", UINT, TEXT, status="accepted")
def start_dump_args(dump_type: int, path: str) -> int:
    """Would have the arguments of a card's kernels written to files; there are none here.

    Args:
        dump_type: has no meaning.
        path: has no meaning.

    Returns:
        0.
    """
    return 0


@public("acl.op.stop_dump_args", UINT, status="accepted")
def stop_dump_args(dump_type: int) -> int:
    """Ends what `start_dump_args` began.

    Args:
        dump_type: has no meaning.

    Returns:
        0.
    """
    return 0


def _refuse() -> NoReturn:
    raise Refusal(
        Code.API_NOT_SUPPORT,
        "a kernel made for a card cannot be run here: use the operator by name",
    )


@public("acl.op.register_compile_func", TEXT, FUNCTION, status="refused")
def register_compile_func(op_type: str, function: Callable[..., Any]) -> int:
    """Would have a function choose among kernels of the program's own.

    Args:
        op_type: name of the operator.
        function: chooses.

    Returns:
        200001.
    """
    _refuse()


@public("acl.op.unregister_compile_func", TEXT, status="refused")
def unregister_compile_func(op_type: str) -> int:
    """Would take back `register_compile_func`.

    Args:
        op_type: name of the operator.

    Returns:
        200001.
    """
    _refuse()


@public("acl.op.create_kernel", TEXT, TEXT, TEXT, ADDRESS, INT, INT, INT, status="refused")
def create_kernel(
    op_type: str,
    kernel_id: str,
    kernel_name: str,
    data: int,
    size: int,
    engine_type: int,
    deallocator: int,
) -> int:
    """Would make a kernel known.

    Args:
        op_type: name of the operator.
        kernel_id: what it is chosen by.
        kernel_name: its name in the binary.
        data: where the binary lies.
        size: bytes of it.
        engine_type: which unit of the card runs it.
        deallocator: whether the binary is freed.

    Returns:
        200001.
    """
    _refuse()


@public("acl.op.set_kernel_args", ADDRESS, TEXT, UINT, ADDRESS, UINT, status="refused")
def set_kernel_args(kernel: int, kernel_id: str, block_dim: int, args: int, size: int) -> int:
    """Would choose a kernel.

    Args:
        kernel: the choice, as it was handed to the function that chooses.
        kernel_id: what it is chosen by.
        block_dim: cores that run it.
        args: where its arguments lie.
        size: bytes of them.

    Returns:
        200001.
    """
    _refuse()


@public("acl.op.set_kernel_workspaces_sizes", ADDRESS, INT, ADDRESS, status="refused")
def set_kernel_workspaces_sizes(kernel: int, count: int, sizes: int) -> int:
    """Would say what memory a kernel works in.

    Args:
        kernel: the choice, as it was handed to the function that chooses.
        count: pieces of memory.
        sizes: where their sizes lie.

    Returns:
        200001.
    """
    _refuse()
